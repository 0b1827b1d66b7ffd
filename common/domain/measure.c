#include "common/domain/measure.h"

#include <math.h>
#include <string.h>

/// Like strcmp, with the left text given by its size.
static int compare(const char *text, size_t size, const char *other) {
    int order = strncmp(text, other, size);
    return order ? order : (other[size] ? -1 : 0);
}

const struct measure *measures_find(const struct measures *measures, const char *id, size_t size) {
    if (!measure_id_valid(id, size)) return NULL;
    size_t from = 0, to = measures->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare(id, size, measures->items[middle].id.text);
        if (order == 0) return &measures->items[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const struct measure *measures_by_key(const struct measures *measures, uint32_t key) {
    for (size_t i = 0; i < measures->count; i++)
        if (measures->items[i].key == key) return &measures->items[i];
    return NULL;
}

/// round() without a call: the number below a half keeps what is just less than one from moving up.
static double nearest(double value) {
    const double below_half = 0x1.fffffffffffffp-2, whole_from = 0x1p52;
    if (!(fabs(value) < whole_from)) return value;
    return (double)(int64_t)(value + copysign(below_half, value));
}

static int32_t clamp(double multiple, int32_t most) {
    return multiple <= -most ? -most : multiple >= most ? most : (int32_t)multiple;
}

int32_t measure_multiple(const struct measure *measure, double value) {
    return clamp(nearest(value / measure->resolution), INT32_MAX);
}

void measure_limits(const struct measure *measure, int32_t *least, int32_t *most) {
    *least = clamp(nearest(measure->least / measure->resolution), INT32_MAX - 1);
    *most = clamp(nearest(measure->most / measure->resolution), INT32_MAX - 1);
}

enum err measure_quantize(const struct measure *measure, double value, int32_t *stored) {
    int32_t least, most;
    measure_limits(measure, &least, &most);
    return measure_quantize_within(measure, least, most, value, stored);
}

enum err measure_quantize_within(const struct measure *measure, int32_t least, int32_t most,
                                 double value, int32_t *stored) {
    if (!isfinite(value)) return ERR_RANGE;
    int32_t multiple = measure_multiple(measure, value);
    if (multiple < least || multiple > most) return ERR_RANGE;
    *stored = multiple;
    return ERR_NONE;
}

double measure_value(const struct measure *measure, int64_t stored) {
    return (double)stored * measure->resolution;
}
