#include "worker/standards/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *entry, *where;
} lists[LIST_COUNT] = {
    [LIST_VALUES] = {"value", "values.yaml"},
    [LIST_NORMS] = {"norm", "norms.yaml"},
    [LIST_OFFERINGS] = {"offering", "offerings.yaml"},
    [LIST_STANDARDS] = {"standard", "standards/"},
    [LIST_OVERLAYS] = {"overlay", "overlays/"},
    [LIST_MEASURES] = {"measure", "measures.yaml"},
};

void name_unknown(struct reading *reading, const struct node *node, enum list list,
                  const char *name) {
    if (reading->mistaken[list]) return;
    node_problem(node, reading->problems, ERR_MISSING,
                 "%s %s is not in %s; add it there or correct the name", lists[list].entry, name,
                 lists[list].where);
}

void entry_twice(struct reading *reading, const struct node *node, const char *entry,
                 const char *name) {
    node_problem(node, reading->problems, ERR_CONFLICT,
                 "%s %s is there twice; give one of them another name or remove it", entry, name);
}

bool read_offering(struct reading *reading, const struct node *node, size_t *place) {
    const struct standards *model = reading->model;
    struct id id;
    if (!node_id(node, &id, reading->problems)) return false;
    for (size_t i = 0; i < model->offering_count; i++)
        if (id_equal(&model->offerings[i].offering.id, &id)) {
            *place = i;
            return true;
        }
    name_unknown(reading, node, LIST_OFFERINGS, id.text);
    return false;
}

bool read_list(struct reading *reading, const struct node *node, size_t most) {
    if (!node_list(node, 1, most, reading->problems)) return false;
    bool differ = true;
    for (const struct node *item = node->first; item; item = item->next)
        for (const struct node *other = node->first; other != item; other = other->next) {
            if (!item->text || !other->text || strcmp(item->text, other->text) != 0) continue;
            node_problem(item, reading->problems, ERR_CONFLICT, "%s stands here twice; remove one",
                         item->text);
            differ = false;
            break;
        }
    return differ;
}

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
    const char *blank = *unit ? " " : "";
    if (fabs(multiple - nearest) > 1e-6 * fmax(1, fabs(nearest))) {
        node_problem(node, reading->problems, ERR_RANGE,
                     "%s%s%s is not a multiple of %g%s%s; write %.12g", node->text, blank, unit,
                     step, blank, unit, nearest * step);
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
