#pragma once
// From which day until which something holds: local days of the branch, both ends inside.

#include "worker/standards/day.h"
#include "worker/standards/reading.h"

/// Reads `from` and `until`, such as 2026-12-01, each of which may be absent.
bool days_read(struct reading *reading, const struct node *map, struct days *days);
/// Days of the span; INT32_MAX if it has no end or beginning.
int32_t days_length(const struct days *days);
static inline bool days_hold(const struct days *days, int32_t day) {
    return days->from <= day && day <= days->until;
}
static inline bool days_meet(const struct days *a, const struct days *b) {
    return a->from <= b->until && b->from <= a->until;
}
