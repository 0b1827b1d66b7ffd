#pragma once
// Days where a branch is, and the branches of the configuration.

#include "common/registry/branches.h"
#include "ops/ctl/ctl.h"

/// The branches of config_dir/branches. false: said what is wrong with them.
bool local_branches(const struct ctl *ctl, struct branches *branches);

/// The midnight with which the day of this moment begins.
int64_t local_midnight(const struct zone *zone, int64_t at_ms);
/// The midnight after it.
int64_t local_next_midnight(const struct zone *zone, int64_t at_ms);
/// When the day YYYY-MM-DD begins. false: it is none.
bool local_day_begin(const struct zone *zone, const char *day, int64_t *at_ms);
