#pragma once
// What can be measured. Measures are data (config/measures.yaml), never a C enum.

#include "common/base/err.h"
#include "common/domain/ids.h"

enum measure_kind { MEASURE_SAMPLES, MEASURE_EVENTS };
enum legal_class { LEGAL_P0, LEGAL_P1, LEGAL_P2, LEGAL_P3, LEGAL_P4, LEGAL_P5 };
enum { UNIT_MAX = 16, MEASURES_MAX = 1024 };

struct measure {
    struct id id; // [a-z0-9_.]{1,32}
    uint32_t key; // FNV-1a of the id: minute logs
    enum measure_kind kind;
    char unit[UNIT_MAX + 1]; // "m", "LUFS", "1"; events: ""
    double resolution;       // > 0; a stored value is an int32 multiple of it
    double least, most;      // in unit; outside: out of range
    double uncertainty;      // >= 0, in unit
    enum legal_class legal;
};

/// All measures, sorted by id.
struct measures {
    size_t count;
    struct measure *items;
};

const struct measure *measures_find(const struct measures *measures, const char *id, size_t size);
const struct measure *measures_by_key(const struct measures *measures, uint32_t key);
/// The stored integer of a finite value: nearest multiple of the resolution, halves away from zero.
/// What does not fit into 32 bits comes back as -INT32_MAX or INT32_MAX, outside all limits.
int32_t measure_multiple(const struct measure *measure, double value);
/// least..most as stored integers, within +-(INT32_MAX - 1). The range is checked on these alone,
/// so that a value is in range whichever way it travelled: as a float or as a multiple.
void measure_limits(const struct measure *measure, int32_t *least, int32_t *most);
/// measure_multiple of one value. ERR_RANGE: not finite, or its multiple is outside the limits.
MUST_CHECK enum err measure_quantize(const struct measure *measure, double value, int32_t *stored);
/// The same with the measure's limits at hand, for many values.
MUST_CHECK enum err measure_quantize_within(const struct measure *measure, int32_t least,
                                            int32_t most, double value, int32_t *stored);
double measure_value(const struct measure *measure, int64_t stored);
