#pragma once
// All that a worker knows from the configuration folder: measures, branches, and the set of
// standards that holds in each branch.

#include "common/registry/branches.h"
#include "common/registry/measures.h"
#include "worker/core/pipeline.h"
#include "worker/standards/standards.h"

struct catalogue {
    struct measure_catalogue measures;
    struct branches branches;
    struct standards *standards;
    size_t count; // branches
    struct pipeline_branch *items;
    char set_text[SET_HASH_TEXT_SIZE]; // one hash for all sets: what this worker judges by
};

/// Read and check the whole folder. false: reported; free it anyway.
bool catalogue_load(const char *config_dir, const struct store_policy *policy,
                    struct catalogue *catalogue, struct problems *problems);
void catalogue_free(struct catalogue *catalogue);
