#pragma once
// The days of a publication (pure): it holds from a day that has begun nowhere, wherever branches
// are.

#include "common/registry/branches.h"
#include "worker/standards/day.h"
#include "worker/standards/plan.h"

/// On which some encounter of the branch may have begun when the last worker has taken it up.
int32_t edition_today(const struct branch *branch, int64_t now_ms);
/// The first day that has begun in none of the branches; 0: there are none.
int32_t edition_first_day(const struct branches *branches, int64_t now_ms);
/// What began before it is older than the retention in all of them.
int32_t edition_oldest_day(const struct branches *branches, int64_t now_ms,
                           uint64_t retention_days);
/// The first day on which encounters that may have begun would be judged otherwise; INT32_MAX:
/// none.
int32_t edition_past_change(const struct standards_plan *before, const struct standards_plan *after,
                            const struct branch *branch, int64_t now_ms, int32_t oldest);
