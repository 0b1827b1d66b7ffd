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

static double multiple(const struct measure *measure, double value) {
    return round(value / measure->resolution);
}

static int32_t clamp(double value) {
    return value <= INT32_MIN ? INT32_MIN : value >= INT32_MAX ? INT32_MAX : (int32_t)value;
}

void measure_limits(const struct measure *measure, int32_t *least, int32_t *most) {
    *least = clamp(multiple(measure, measure->least));
    *most = clamp(multiple(measure, measure->most));
}

enum err measure_quantize(const struct measure *measure, double value, int32_t *stored) {
    int32_t least, most;
    measure_limits(measure, &least, &most);
    double nearest = multiple(measure, value);
    // Written so that what is not a number fails too.
    if (!(nearest >= least && nearest <= most)) return ERR_RANGE;
    *stored = (int32_t)nearest;
    return ERR_NONE;
}

double measure_value(const struct measure *measure, int64_t stored) {
    return (double)stored * measure->resolution;
}
