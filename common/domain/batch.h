#pragma once
// What a gateway publishes: the contents of a batch, in memory.

#include "common/domain/encounter.h"
#include "common/domain/series.h"

enum {
    BATCH_BODY_MAX = 128 * 1024, // bytes
    BATCH_SERIES_MAX = 256,
    BATCH_OBSERVATIONS_MAX = 4096,
    BATCH_FACTS_MAX = 256,
};

/// A series as it travels: one measure at one counter, the span its sensor watched, columns.
struct batch_series {
    const struct measure *measure;
    struct id counter;
    struct span watched; // every member lies in it
    int64_t base_ms;     // time of the first member (watched.from_ms if there is none)
    struct columns columns;
    size_t label_count;
    struct name *labels;
};

enum fact_kind {
    FACT_ENCOUNTER, // opened, changed or ended: the fields that are set, over what is known
    FACT_WITHDRAWN, // this encounter did not take place
    FACT_BIRTH,     // the measures and counters that the gateway brings
    FACT_GOODBYE,   // nothing more will come until the next birth
    FACT_GAP,       // a range of time without data, and why
};

struct fact {
    enum fact_kind kind;
    struct encounter encounter; // FACT_ENCOUNTER: unset fields are empty/TIME_NONE/OUTCOME_OPEN;
                                // FACT_WITHDRAWN: id
    struct span gap;            // FACT_GAP
    struct name reason;         // FACT_GAP, FACT_WITHDRAWN
    struct id counter;          // FACT_GAP: empty = all
    struct measure_list {       // FACT_BIRTH: ids as sent, checked by the reader
        size_t count;
        struct id items[64];
    } measures;
};

/// The contents of one batch. Arrays belong to the arena of whoever decoded or built it.
struct batch {
    int64_t watermark_ms;    // nothing older will be sent; TIME_NONE: no promise yet
    uint32_t clock_error_ms; // how wrong the gateway's clock may be
    size_t series_count;
    struct batch_series *series;
    size_t fact_count;
    struct fact *facts;
};
