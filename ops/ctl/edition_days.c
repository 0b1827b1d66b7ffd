#include "ops/ctl/edition_days.h"

#include <limits.h>

enum { AHEAD_MS = 600000 }; // workers need a while to take a publication up

static int32_t local_day(const struct branch *branch, int64_t at_ms) {
    struct local_time local = zone_local(&branch->zone, at_ms);
    return local.year * 10000 + local.month * 100 + local.day;
}

int32_t edition_today(const struct branch *branch, int64_t now_ms) {
    return local_day(branch, now_ms + AHEAD_MS);
}

int32_t edition_first_day(const struct branches *branches, int64_t now_ms) {
    int32_t day = 0;
    for (size_t i = 0; i < branches->count; i++) {
        int32_t next = day_after(edition_today(&branches->items[i], now_ms));
        if (next > day) day = next;
    }
    return day;
}

int32_t edition_oldest_day(const struct branches *branches, int64_t now_ms,
                           uint64_t retention_days) {
    int32_t day = INT32_MAX;
    for (size_t i = 0; i < branches->count; i++) {
        int32_t here = local_day(&branches->items[i], now_ms - (int64_t)retention_days * DAY_MS);
        if (here < day) day = here;
    }
    return day;
}

int32_t edition_past_change(const struct standards_plan *before, const struct standards_plan *after,
                            const struct branch *branch, int64_t now_ms, int32_t oldest) {
    return standards_plan_change(before, after, oldest, edition_today(branch, now_ms));
}
