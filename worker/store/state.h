#pragma once
// Reading what the store knows of a branch: its keys `registry` and `state`, for people and audits.
// KEYS.md gives the bytes.

#include "common/base/bytes.h"
#include "common/domain/ids.h"
#include "common/domain/position.h"
#include "common/domain/time.h"

enum { STATE_COUNTERS_MAX = 1024, STATE_GATEWAYS_MAX = 256 };

struct store_counter {
    struct id id;
    bool registered;  // false: known from before, not in the registry any more
    int64_t mark_ms;  // final mark; TIME_NONE: nothing is final yet
    int64_t first_ms; // begin of its first encounter that is not final; TIME_NONE: none
};
struct store_gateway {
    struct id id;
    bool registered, departed;
    struct position position;
    struct spool_id spool;
    int64_t watermark_ms;         // TIME_NONE: none yet
    int64_t heard_ms;             // active time; of one never heard: when it was configured
    uint64_t applied, dead, lost; // batches of the present epoch
    uint32_t clock_error_ms;
};
struct store_state {
    uint64_t configuration; // calls name it
    uint64_t bytes;         // of minute logs
    int64_t active_ms;      // the store's time while there were calls; KEYS.md
    size_t counter_count, gateway_count;
    struct store_counter *counters;
    struct store_gateway *gateways;
};
/// ERR_FORMAT: damaged, or of another version; ERR_NOMEM. Release with store_state_free.
MUST_CHECK enum err store_state_read(struct bytes registry, struct bytes state,
                                     struct store_state *out);
void store_state_free(struct store_state *state);
