#pragma once
// Somebody stands at a counter: from distances to encounters, where no queue system tells of them.
// Pure; one of these a counter.
//
// Who comes nearer than enter_m and then stays within leave_m for enter_ms has come, as of the
// first sample; whoever was not within leave_m for longer than leave_ms has gone, as of the last
// one that was. So nobody comes or goes by a sample that jumps, or by a step back (hysteresis). The
// result hangs on the samples alone, never on how many of them come at once or how often time is
// told: a replay finds the same encounters, with the same times.

#include "common/domain/time.h"

#include <stdbool.h>
#include <stdint.h>

struct presence_rules {
    double enter_m, leave_m; // enter_m <= leave_m
    int64_t enter_ms, leave_ms;
    uint8_t least_confidence; // percent; a sample below it is none
};

/// Plain data; all zero: nobody is there.
struct presence {
    enum presence_state { PRESENCE_NOBODY, PRESENCE_COMING, PRESENCE_HERE } state;
    int64_t since_ms, last_ms; // of COMING, HERE: the first and last sample of it
    int64_t now_ms;            // everything before has been told
};

/// What has become known; ended_ms TIME_NONE: has come.
struct presence_change {
    int64_t started_ms, ended_ms;
};
enum { PRESENCE_CHANGES_MAX = 2 };

/// A sample, not older than any time told before. Returns the number of changes: 0 to 2, in order.
int presence_sample(struct presence *presence, const struct presence_rules *rules, int64_t t_ms,
                    double distance_m, uint8_t confidence,
                    struct presence_change changes[PRESENCE_CHANGES_MAX]);
/// No sample older than t_ms will come. Returns the number of changes: 0 or 1.
int presence_pass(struct presence *presence, const struct presence_rules *rules, int64_t t_ms,
                  struct presence_change changes[PRESENCE_CHANGES_MAX]);

/// The start of the encounter that may still have to be told; TIME_NONE: none before the next
/// sample.
int64_t presence_pending_ms(const struct presence *presence);

enum { PRESENCE_PACKED = 25 };
void presence_pack(const struct presence *presence, uint8_t packed[PRESENCE_PACKED]);
bool presence_unpack(const uint8_t packed[PRESENCE_PACKED], struct presence *presence);
