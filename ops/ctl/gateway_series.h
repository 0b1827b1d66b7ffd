#pragma once
// What the newest minutes of a branch's counters hold of each gateway: which series move, stand
// still, or are not there.

#include "common/domain/series.h"
#include "common/registry/branches.h"
#include "ops/ctl/store_link.h"

/// One measure of one gateway at one counter.
struct gateway_series {
    const struct measure *measure;
    size_t counter;
    uint16_t gateway_key;
    uint64_t members;
    int64_t newest_ms; // TIME_NONE: watched, but there was nothing
    int32_t value;     // of the newest; events: meaningless
    bool moves;        // two members differ
};
enum { GATEWAY_SERIES_MAX = 8192 };

struct gateway_series_list {
    size_t count;
    struct gateway_series items[GATEWAY_SERIES_MAX]; // more are left out
};

/// false: said on stderr why not.
bool gateway_series_read(struct store_link *link, const struct branch *branch,
                         const struct measures *measures, struct gateway_series_list *list);

/// Whether it stands still although its sensor's noise would move it: many samples, all of one
/// value that is not an end of the measure's range, of a measure that is less certain than fine.
bool gateway_series_flat(const struct gateway_series *series);
