#pragma once
// The event of a service at which the span of a standard begins or ends.

#include "worker/standards/standard.h"

enum sighting {
    SIGHTING_FOUND,
    SIGHTING_NONE,   // there was none, although the sensor watched
    SIGHTING_UNSEEN, // nobody watched long enough to tell
};

struct anchored {
    enum sighting sighting;
    int64_t at_ms;               // SIGHTING_FOUND
    bool doubtful;               // by the clocks' error it may be another event, or none
    int32_t coverage_millionths; // SIGHTING_UNSEEN: share of the time that was watched
};

/// A time that is known without looking; TIME_NONE: there is none.
static inline struct anchored anchor_time(int64_t at_ms) {
    return (struct anchored){.sighting = at_ms == TIME_NONE ? SIGHTING_NONE : SIGHTING_FOUND,
                             .at_ms = at_ms};
}

/// Looks for it with the standard's confidence, as long as the standard's coverage asks for: the
/// first event is known as such if enough was watched before it, the last one behind it, and that
/// there is none if enough of all was.
///
/// series    of the anchor's measure; NULL: nobody watched
/// service   where it counts; not empty
/// error_ms  of the events' times against the ends of the service
struct anchored anchor_find(const struct anchor *anchor, const struct standard *standard,
                            const struct series *series, struct span service, int64_t error_ms);
