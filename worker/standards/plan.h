#pragma once
// The sets that hold at a place one after the other: an encounter is judged by the one of the local
// day on which it started, whenever it is judged.

#include "worker/standards/standards.h"

struct dated_set {
    int32_t from;                   // local day such as 20261201; 0 for the first
    const struct standard_set *set; // the plan's
};

struct standards_plan {
    size_t count; // at least 1
    struct dated_set *sets;
};

/// All sets of a place, from the first to the last day that the files name (place->day is not
/// asked). Neighbours differ.
///
/// out   written only on success; standards_plan_fini it
/// errors as standards_resolve; a conflict is told for each day on which it begins
MUST_CHECK enum err standards_plan(const struct standards *standards,
                                   const struct standards_place *place, struct standards_plan *out,
                                   struct problems *problems);
void standards_plan_fini(struct standards_plan *plan);

/// From that day on `next` holds instead of what *plan says. Takes the sets of next, which is empty
/// then. ERR_NOMEM: both are as before.
MUST_CHECK enum err standards_plan_follow(struct standards_plan *plan, int32_t from,
                                          struct standards_plan *next);
/// The first day from `first` to `last` on which the plans judge differently; INT32_MAX: none. Day
/// 0 stands for all days before the first that a file names.
int32_t standards_plan_change(const struct standards_plan *before,
                              const struct standards_plan *after, int32_t first, int32_t last);

/// The set of this hash (as text), whenever it holds; NULL: the plan has none.
const struct standard_set *standards_plan_set(const struct standards_plan *plan, const char *hash);

/// The set that holds on a local day.
static inline const struct standard_set *standards_plan_at(const struct standards_plan *plan,
                                                           int32_t day) {
    size_t i = plan->count - 1;
    while (i > 0 && plan->sets[i].from > day)
        i--;
    return plan->sets[i].set;
}
