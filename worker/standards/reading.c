#include "worker/standards/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *copy(struct reading *reading, const char *text) {
    char *copied = strdup(text);
    reading->no_memory |= copied == NULL;
    return copied;
}

bool read_words(struct reading *reading, const struct node *node, struct words *out) {
    const char *de, *en;
    if (!node_language_texts(node, TEXT_SIZE_MAX, &de, &en, reading->problems)) return false;
    *out = (struct words){copy(reading, de), copy(reading, en)};
    return out->de && out->en;
}

void words_free(struct words *words) {
    free(words->de);
    free(words->en);
}

bool read_steps(struct reading *reading, const struct node *node, double step, const char *unit,
                double least, double most, int64_t *steps) {
    double value;
    if (!node_number(node, least, most, unit, &value, reading->problems)) return false;
    double multiple = value / step, nearest = round(multiple);
    if (fabs(multiple - nearest) > 1e-6 * fmax(1, fabs(nearest))) {
        node_problem(node, reading->problems, ERR_RANGE,
                     "%s %s is not a multiple of %g %s; write %.12g", node->text, unit, step, unit,
                     nearest * step);
        return false;
    }
    *steps = (int64_t)nearest;
    return true;
}

bool read_seconds(struct reading *reading, const struct node *node, double least_s, double most_s,
                  int64_t *ms) {
    return read_steps(reading, node, 0.001, "s", least_s, most_s, ms);
}

bool read_share(struct reading *reading, const struct node *node, int32_t *millionths) {
    int64_t steps;
    if (!read_steps(reading, node, 1e-6, "", 0, 1, &steps)) return false;
    *millionths = (int32_t)steps;
    return true;
}
