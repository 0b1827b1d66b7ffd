#pragma once
// Editions become what a worker judges by, in steps: a loop goes on with its work in between.

#include "common/registry/branches.h"
#include "common/registry/measures.h"
#include "worker/catalogue/catalogue.h"
#include "worker/standards/editions.h"

/// The plans of all branches, made of all editions, one after the other.
struct plans {
    size_t count;
    struct standards_plan *items; // in the branches' order
    char hash[PLANS_HASH_SIZE];
};
void plans_free(struct plans *plans); // accepts NULL

enum loading_state { LOADING_MORE, LOADING_DONE, LOADING_FAILED };

struct loading;
/// Takes the editions. branches and measures (with which series are read) must outlive it.
/// NULL: out of memory; *editions is as before.
struct loading *loading_new(struct editions **editions, const struct branches *branches,
                            const struct measures *measures);
void loading_free(struct loading *loading); // accepts NULL

/// Reads the documents of one edition, or makes the plan of one branch. FAILED: reported.
enum loading_state loading_step(struct loading *loading, struct problems *problems);
/// All steps at once. false: reported.
bool loading_finish(struct loading *loading, struct problems *problems);
/// After LOADING_DONE, once: the caller frees it.
struct plans *loading_take(struct loading *loading);
