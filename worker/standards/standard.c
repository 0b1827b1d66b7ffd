#include "worker/standards/standard.h"

#include <string.h>

// The names as written in the files; NULL-terminated, as common/settings wants them.

const char *const statistic_names[] = {
    [STATISTIC_DURATION] = "duration",
    [STATISTIC_MEAN] = "mean",
    [STATISTIC_MIN] = "min",
    [STATISTIC_MAX] = "max",
    [STATISTIC_QUANTILE] = "quantile",
    [STATISTIC_SHARE] = "share",
    [STATISTIC_LONGEST_OUTSIDE] = "longest_outside",
    [STATISTIC_COUNT_EVENTS] = "count",
    [STATISTIC_RATE] = "rate",
    [STATISTIC_FIRST_AFTER_START] = "first_after_start",
    [STATISTIC_LAST_BEFORE_END] = "last_before_end",
    [STATISTIC_COUNT] = NULL,
};

const char *const phase_names[] = {
    [PHASE_WAITING] = "waiting", [PHASE_OPENING] = "opening", [PHASE_SERVICE] = "service",
    [PHASE_CLOSING] = "closing", [PHASE_SPAN] = "span",       [PHASE_COUNT] = NULL,
};

const char *const anchor_names[] = {
    [ANCHOR_ISSUED] = "issued", [ANCHOR_CALLED] = "called", [ANCHOR_STARTED] = "started",
    [ANCHOR_EVENT] = "event",   [ANCHOR_ENDED] = "ended",   [ANCHOR_ENDED + 1] = NULL,
};

const char *const severity_names[] = {
    [SEVERITY_NORMAL] = "normal",
    [SEVERITY_CRITICAL] = "critical",
    [SEVERITY_AUTO_FAIL] = "auto_fail",
    [SEVERITY_COUNT] = NULL,
};

const char *const weekday_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

const char *const attribution_names[] = {
    [ATTRIBUTION_EMPLOYEE] = "employee", [ATTRIBUTION_TEAM] = "team",
    [ATTRIBUTION_SYSTEM] = "system",     [ATTRIBUTION_CUSTOMER] = "customer",
    [ATTRIBUTION_COUNT] = NULL,
};

const char *const status_names[] = {
    [STATUS_DRAFT] = "draft",     [STATUS_SHADOW] = "shadow", [STATUS_ACTIVE] = "active",
    [STATUS_RETIRED] = "retired", [STATUS_COUNT] = NULL,
};

const char *const score_model_names[] = {
    [SCORE_HIERARCHICAL] = "hierarchical",
    [SCORE_FLAT] = "flat",
    [SCORE_MODEL_COUNT] = NULL,
};

bool standard_senses(const struct standard *standard) {
    bool composed = standard->checks.count > 0;
    bool senses = !composed && standard->statistic != STATISTIC_DURATION;
    for (size_t i = 0; composed && i < standard->checks.count; i++) {
        const struct check *check = &standard->checks.items[i];
        senses |= check->kind == CHECK_FIGURE &&
                  standard->parts[check->part].statistic != STATISTIC_DURATION;
    }
    return senses;
}

/// A figure has three places for one: what it is made of, and the ends of its span.
static const struct measure *measure_at(const struct standard *figure, size_t place) {
    const struct during *during = &figure->during;
    if (place == 0) return figure->statistic == STATISTIC_DURATION ? NULL : &figure->measure;
    const struct anchor *anchor = place == 1 ? &during->from : &during->to;
    bool event = during->phase == PHASE_SPAN && anchor->kind == ANCHOR_EVENT;
    return event ? &anchor->measure : NULL;
}

const struct measure *standard_next_measure(const struct standard *standard, size_t *at) {
    enum { PLACES = 3 };
    size_t own = standard->checks.count == 0; // else its parts have the figures
    const struct measure *measure = NULL;
    while (!measure && *at < (own + standard->part_count) * PLACES) {
        size_t figure = *at / PLACES;
        measure =
            measure_at(figure < own ? standard : &standard->parts[figure - own], *at % PLACES);
        ++*at;
    }
    return measure;
}

bool standard_set_find(const struct standard_set *set, const char *id, size_t size, size_t *place) {
    for (size_t i = 0; i < set->count; i++) {
        const char *text = set->items[i].id.text;
        if (strlen(text) != size || memcmp(text, id, size) != 0) continue;
        *place = i;
        return true;
    }
    return false;
}
