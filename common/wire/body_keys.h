#pragma once
// The keys of a body's maps, once for writing and reading; in the order in which they are written.

#include "common/wire/pack.h"

enum { BODY_WATERMARK, BODY_CLOCK_ERROR_MS, BODY_SERIES, BODY_FACTS, BODY_KEY_COUNT };
static const struct pack_key body_keys[BODY_KEY_COUNT] = {
    [BODY_WATERMARK] = PACK_KEY("watermark"),
    [BODY_CLOCK_ERROR_MS] = PACK_KEY("clock_error_ms"),
    [BODY_SERIES] = PACK_KEY("series"),
    [BODY_FACTS] = PACK_KEY("facts"),
};

enum {
    SERIES_MEASURE,
    SERIES_COUNTER,
    SERIES_FROM,
    SERIES_TO,
    SERIES_T0,
    SERIES_STEP,
    SERIES_DT,
    SERIES_VALUES,
    SERIES_LABELS,
    SERIES_CONFIDENCE,
    SERIES_PACKED,
    SERIES_KEY_COUNT
};
static const struct pack_key series_keys[SERIES_KEY_COUNT] = {
    [SERIES_MEASURE] = PACK_KEY("measure"), [SERIES_COUNTER] = PACK_KEY("counter"),
    [SERIES_FROM] = PACK_KEY("from"),       [SERIES_TO] = PACK_KEY("to"),
    [SERIES_T0] = PACK_KEY("t0"),           [SERIES_STEP] = PACK_KEY("step"),
    [SERIES_DT] = PACK_KEY("dt"),           [SERIES_VALUES] = PACK_KEY("values"),
    [SERIES_LABELS] = PACK_KEY("labels"),   [SERIES_CONFIDENCE] = PACK_KEY("confidence"),
    [SERIES_PACKED] = PACK_KEY("packed"),
};

enum {
    FACT_KEY_FACT,
    FACT_KEY_ID,
    FACT_KEY_COUNTER,
    FACT_KEY_OFFERING,
    FACT_KEY_EMPLOYEE,
    FACT_KEY_LANGUAGE,
    FACT_KEY_OUTCOME,
    FACT_KEY_ISSUED,
    FACT_KEY_CALLED,
    FACT_KEY_STARTED,
    FACT_KEY_ENDED,
    FACT_KEY_FROM,
    FACT_KEY_TO,
    FACT_KEY_REASON,
    FACT_KEY_MEASURES,
    FACT_KEY_COUNTERS,
    FACT_KEY_STANDARD,
    FACT_KEY_DECISION,
    FACT_KEY_BEGAN,
    FACT_KEY_DECIDED,
    FACT_KEY_BY,
    FACT_KEY_WHY,
    FACT_KEY_COUNT
};
static const struct pack_key fact_keys[FACT_KEY_COUNT] = {
    [FACT_KEY_FACT] = PACK_KEY("fact"),
    [FACT_KEY_ID] = PACK_KEY("id"),
    [FACT_KEY_COUNTER] = PACK_KEY("counter"),
    [FACT_KEY_OFFERING] = PACK_KEY("offering"),
    [FACT_KEY_EMPLOYEE] = PACK_KEY("employee"),
    [FACT_KEY_LANGUAGE] = PACK_KEY("language"),
    [FACT_KEY_OUTCOME] = PACK_KEY("outcome"),
    [FACT_KEY_ISSUED] = PACK_KEY("issued"),
    [FACT_KEY_CALLED] = PACK_KEY("called"),
    [FACT_KEY_STARTED] = PACK_KEY("started"),
    [FACT_KEY_ENDED] = PACK_KEY("ended"),
    [FACT_KEY_FROM] = PACK_KEY("from"),
    [FACT_KEY_TO] = PACK_KEY("to"),
    [FACT_KEY_REASON] = PACK_KEY("reason"),
    [FACT_KEY_MEASURES] = PACK_KEY("measures"),
    [FACT_KEY_COUNTERS] = PACK_KEY("counters"),
    [FACT_KEY_STANDARD] = PACK_KEY("standard"),
    [FACT_KEY_DECISION] = PACK_KEY("decision"),
    [FACT_KEY_BEGAN] = PACK_KEY("began"),
    [FACT_KEY_DECIDED] = PACK_KEY("decided"),
    [FACT_KEY_BY] = PACK_KEY("by"),
    [FACT_KEY_WHY] = PACK_KEY("why"),
};
