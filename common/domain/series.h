#pragma once
// Series: the samples or events of one measure at one counter, as columns of integers.

#include "common/domain/measure.h"
#include "common/domain/time.h"

struct span {
    int64_t from_ms, to_ms; // from <= t < to
};

/// Columns of equal length. Times are offsets from a base that the holder names, ascending.
struct columns {
    size_t count;
    int32_t *t_ms;       // from the base
    int32_t *value;      // multiples of the measure's resolution; events: index into labels
    uint8_t *confidence; // percent
};

/// What the engine reads: sorted by time, equal members (time, label) once, spans merged.
/// A series without members but with spans says: the sensor watched and there was nothing.
struct series {
    const struct measure *measure;
    int64_t base_ms;
    struct columns columns;
    size_t span_count;
    const struct span *spans; // when a sensor watched: sorted, disjoint, not touching
    size_t label_count;
    const struct name *labels; // events only
    uint32_t clock_error_ms;   // the gateway's stated clock error, largest of all
};
