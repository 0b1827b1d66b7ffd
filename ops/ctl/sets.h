#pragma once
// What commands about standards share: the configuration folder, a branch of it, a day.

#include "ops/ctl/ctl.h"
#include "worker/catalogue/catalogue.h"

/// Read and check a configuration folder; what is wrong goes to stderr. catalogue_free it anyway.
bool sets_load(const char *folder, struct catalogue *catalogue);

/// The place of a branch in the catalogue; false: there is none, told.
bool sets_branch(const struct catalogue *catalogue, const char *name, size_t *place);

/// The day of --day as a number such as 20261201; without it today, where the branch is.
/// false: it is no day, told.
bool sets_day(const struct ctl *ctl, const struct branch *branch, int32_t *day);

/// "de" or "en" of --lang; NULL: another language, told.
const char *sets_language(const struct ctl *ctl);

/// All standards by id, each once and the latest of its versions, as the branches' sets have them:
/// a new array. Only one branch's if named.
json_t *sets_all(const struct catalogue *catalogue, const char *branch);

/// The standards of a set, in its order: a new array of its JSON.
json_t *sets_standards(const struct standard_set *set);
