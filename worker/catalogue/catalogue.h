#pragma once
// A configuration folder as a whole: measures, branches, and the sets of standards that hold in
// each branch one after the other.

#include "common/registry/branches.h"
#include "common/registry/measures.h"
#include "worker/standards/plan.h"

struct catalogue {
    struct measure_catalogue measures;
    struct branches branches;
    struct standards *standards;
    struct standards_plan *plans; // one a branch, in the branches' order
    char hash_text[17];           // over all their sets: what a worker judges by
};

/// Read and check the whole folder. false: reported; free it anyway.
bool catalogue_load(const char *config_dir, struct catalogue *catalogue, struct problems *problems);
void catalogue_free(struct catalogue *catalogue);
