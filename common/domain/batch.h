#pragma once
// What a gateway publishes: the contents of a batch, in memory.

#include "common/domain/decision.h"
#include "common/domain/encounter.h"
#include "common/domain/series.h"

enum {
    BATCH_BODY_MAX = 128 * 1024, // bytes
    BATCH_SERIES_MAX = 256,
    BATCH_OBSERVATIONS_MAX = 4096,
    BATCH_FACTS_MAX = 256,
    BATCH_LABELS_MAX = 1024, // distinct labels, over all its series
    SERIES_LABELS_MAX = 256, // distinct labels of one series
    BATCH_IDS_MAX = 1024,    // measures and counters, over all its births
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
    FACT_DECISION,  // what a person decided about a verdict; of the office only
    FACT_KIND_COUNT
};
const char *fact_kind_name(enum fact_kind kind); // "encounter", "withdrawn" ...
bool fact_kind_parse(const char *text, size_t size, enum fact_kind *kind);

struct id_list {
    size_t count;
    struct id *items;
};

struct fact {
    enum fact_kind kind;
    /// FACT_ENCOUNTER: id and counter are always set; what is not is empty/TIME_NONE/OUTCOME_OPEN.
    /// FACT_WITHDRAWN: id, perhaps counter. The gateway is never in it: the broker says who sent
    /// it.
    struct encounter encounter;
    struct span gap;          // FACT_GAP
    struct name reason;       // FACT_GAP, FACT_WITHDRAWN; may be empty
    struct id counter;        // FACT_GAP: empty = all
    struct id_list measures;  // FACT_BIRTH: as sent, well-formed, perhaps undeclared
    struct id_list counters;  // FACT_BIRTH
    struct decision decision; // FACT_DECISION
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
