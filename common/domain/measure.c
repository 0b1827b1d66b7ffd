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

enum err measure_quantize(const struct measure *measure, double value, int32_t *stored) {
    // Written so that a value that is not a number fails too.
    if (!(value >= measure->least && value <= measure->most)) return ERR_RANGE;
    double multiple = round(value / measure->resolution);
    if (!(multiple >= INT32_MIN && multiple <= INT32_MAX)) return ERR_RANGE;
    *stored = (int32_t)multiple;
    return ERR_NONE;
}

double measure_value(const struct measure *measure, int64_t stored) {
    return (double)stored * measure->resolution;
}
