#pragma once
// What the parts of batching.c share: the sources, and the batch that is not finished yet. Nobody
// else reads it.

#include "common/base/idmap.h"
#include "sensors-gw/core/batching.h"
#include "sensors-gw/core/bridges.h"

enum {
    HASH_HEADS = 512, // a power of two
    LABELS_MAX = 512, // different labels a batch
    ODDITIES_MAX = 64,
    NO_SLOT = -1,
};

struct source {
    struct batching *batching;
    int64_t watermark_ms; // TIME_NONE: none yet
    bool ended;
};

/// One series of the unfinished batch. A series whose watching was interrupted is two of them.
struct slot {
    const struct measure *measure;
    uint32_t counter; // place in limits.counters
    int16_t next;     // in the chain of its hash
    bool declared;    // its span was declared, not only inferred from its members
    struct span watched;
    uint32_t count, label_count;
    int16_t labels; // chain, newest first
};

struct observation {
    int64_t t_ms;
    int32_t value;
    uint16_t slot;
    uint8_t confidence;
};

struct label {
    struct name name;
    int16_t next;
    uint16_t index; // in its series
};

struct oddity {
    const char *name;
    uint64_t count;
};

/// What was looked up for the last observation: the next is mostly of the same series.
struct recent {
    const struct measure *measure; // NULL: nothing yet
    struct id counter_id;
    uint32_t counter;    // its place
    int32_t least, most; // the measure's limits
    int16_t slot;        // of the unfinished batch, NO_SLOT: none of it
};

struct batching {
    struct batching_limits limits;
    batching_take *take;
    void *context;
    batching_observer *observer; // NULL: nobody looks
    void *observer_context;
    struct idmap *counters;
    struct bridges *bridges;
    struct recent recent;

    size_t source_count;
    struct source *sources;
    int64_t floor_ms;    // promised before this run
    int64_t promised_ms; // watermark of the last batch handed out

    uint64_t now_ms, since_ms; // since: first content of the unfinished batch
    size_t bytes;              // upper bound of its encoded size
    size_t slot_count, observation_count, label_count, fact_count;
    int16_t heads[HASH_HEADS];
    struct slot slots[BATCH_SERIES_MAX];
    struct observation observations[BATCH_OBSERVATIONS_MAX];
    struct label labels[LABELS_MAX];
    struct fact facts[BATCH_FACTS_MAX];

    // What a finished batch points into.
    struct batch_series series[BATCH_SERIES_MAX];
    int32_t t_ms[BATCH_OBSERVATIONS_MAX];
    int32_t value[BATCH_OBSERVATIONS_MAX];
    uint8_t confidence[BATCH_OBSERVATIONS_MAX];
    struct name names[LABELS_MAX];

    size_t oddity_count;
    struct oddity oddities[ODDITIES_MAX];
};

// Upper bounds of what a piece takes in the encoded body (series packed), so that a batch is cut
// before it can exceed body_max.
enum {
    BATCH_BYTES = 128,
    SERIES_BYTES = 256,
    OBSERVATION_BYTES = 12, // 5 time, 4 value, 2 confidence; and a share of the runs
    LABEL_BYTES = NAME_SIZE_MAX + 4,
    FACT_BYTES = 512,
    DECISION_BYTES = 768,
    FACT_ID_BYTES = ID_MAX + 2,
};

/// Counted under that name, a literal.
void batching_odd(struct batching *b, const char *name);
/// Finish the batch, give it to whoever takes it, and begin an empty one.
void batching_hand_out(struct batching *b);
void batching_clear(struct batching *b);

static inline bool waiting(const struct batching *b) {
    return b->slot_count || b->fact_count;
}

/// Before something goes in.
static inline void began(struct batching *b) {
    if (!waiting(b)) b->since_ms = b->now_ms;
}

/// Nothing older than this may come from a source.
static inline int64_t least_ms(const struct source *source) {
    int64_t floor_ms = source->batching->floor_ms;
    return source->watermark_ms > floor_ms ? source->watermark_ms : floor_ms;
}
