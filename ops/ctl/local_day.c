#include "ops/ctl/local_day.h"

#include "common/settings/file.h"

#include <stdio.h>

static const int64_t always_ms[] = {INT64_MIN};
static const int32_t none_s[] = {0};
static const struct zone utc = {1, always_ms, none_s};

bool local_branches(const struct ctl *ctl, struct branches *branches) {
    static struct problems problems;
    char folder[PATH_SIZE];
    bool fine = path_join(ctl->settings.config_dir, "branches", folder, sizeof folder, &problems) &&
                branches_load(folder, branches, &problems);
    if (!fine) problems_print(&problems, stderr);
    return fine;
}

int64_t local_midnight(const struct zone *zone, int64_t at_ms) {
    struct local_time local = zone_local(zone, at_ms);
    return zone_instant(zone, local.year, local.month, local.day, 0);
}

int64_t local_next_midnight(const struct zone *zone, int64_t at_ms) {
    // No day is longer than 25 hours or shorter than 23.
    return local_midnight(zone, local_midnight(zone, at_ms) + 36 * HOUR_MS);
}

bool local_day_begin(const struct zone *zone, const char *day, int64_t *at_ms) {
    char text[TIME_TEXT_SIZE];
    int64_t noon_ms;
    int size = snprintf(text, sizeof text, "%sT12:00:00Z", day);
    if (time_parse(text, (size_t)size < sizeof text ? (size_t)size : 0, &noon_ms)) return false;
    struct local_time date = zone_local(&utc, noon_ms);
    *at_ms = zone_instant(zone, date.year, date.month, date.day, 0);
    return true;
}
