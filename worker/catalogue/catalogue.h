#pragma once
// A configuration folder as a whole: measures, branches, and the sets of standards that hold in
// each branch one after the other.

#include "common/registry/branches.h"
#include "common/registry/measures.h"
#include "worker/standards/editions.h"
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
/// The same, with one document in place of the folder's of that name, or besides all others.
bool catalogue_load_instead(const char *config_dir, const struct standards_file *instead,
                            struct catalogue *catalogue, struct problems *problems);
/// The same of what was published: its documents, and the folder's branches.
bool catalogue_load_edition(const char *config_dir, const struct edition *edition,
                            struct catalogue *catalogue, struct problems *problems);
void catalogue_free(struct catalogue *catalogue);

/// Measures and standards of the documents of an edition. false: reported; free both anyway.
bool edition_standards(const struct edition *edition, struct measure_catalogue *measures,
                       struct standards **standards, struct problems *problems);
/// The sets of a branch, as these standards make them. false: reported.
bool catalogue_plan(const struct standards *standards, const struct branch *branch,
                    struct standards_plan *plan, struct problems *problems);
enum { PLANS_HASH_SIZE = 17 };
/// Branches may have sets of their own, and others from some day on; one hash stands for all.
void plans_hash(const struct standards_plan *plans, size_t count, char text[PLANS_HASH_SIZE]);
/// All documents of a folder that are published together: measures.yaml, and what standards_read
/// reads. false: reported; edition_fini it anyway.
bool catalogue_edition(const char *config_dir, struct edition *edition, struct problems *problems);
/// What a worker keeps as long as it runs: a hash of the texts of measures and branches.
bool catalogue_registry(const char *config_dir, char text[PLANS_HASH_SIZE],
                        struct problems *problems);
