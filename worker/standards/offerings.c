#include "worker/standards/offerings.h"

#include <stdlib.h>
#include <string.h>

enum { PHASE_S_MOST = 3600 };

void offerings_copy(const struct standards *standards, struct standard_set *set) {
    set->offering_count = standards->offering_count;
    for (size_t i = 0; i < standards->offering_count; i++)
        set->offerings[i] = standards->offerings[i].offering;
    set->other_offering = standards->other_offering;
}

// The order in the file must not change the hash of a set.
static int offering_order(const void *a, const void *b) {
    const struct offering_entry *left = a, *right = b;
    return strcmp(left->offering.id.text, right->offering.id.text);
}

static bool lengths_read(struct reading *reading, const struct node *node, struct offering *out) {
    int64_t opening_ms, closing_ms;
    bool good = read_seconds(reading, node_need(node, "opening_s", reading->problems), 1,
                             PHASE_S_MOST, &opening_ms);
    good &= read_seconds(reading, node_need(node, "closing_s", reading->problems), 1, PHASE_S_MOST,
                         &closing_ms);
    if (!good) return false;
    out->opening_ms = (int32_t)opening_ms;
    out->closing_ms = (int32_t)closing_ms;
    return true;
}

static bool id_read(struct reading *reading, const struct node *node, struct id *out) {
    const struct standards *model = reading->model;
    const struct node *named = node_need(node, "offering", reading->problems);
    if (!node_id(named, out, reading->problems)) return false;
    for (size_t i = 0; i < model->offering_count; i++)
        if (id_equal(&model->offerings[i].offering.id, out)) {
            entry_twice(reading, named, "offering", out->text);
            return false;
        }
    return true;
}

static bool offering_read(struct reading *reading, const struct node *node) {
    static const char *const keys[] = {"offering", "text", "opening_s", "closing_s", NULL};
    struct standards *model = reading->model;
    struct offering_entry entry = {0};
    bool good = node_map(node, keys, reading->problems);
    if (node->kind != NODE_MAP) return false;
    good &= id_read(reading, node, &entry.offering.id);
    good &= lengths_read(reading, node, &entry.offering);
    good &= read_words(reading, node_need(node, "text", reading->problems), &entry.text);
    if (good)
        model->offerings[model->offering_count++] = entry;
    else
        words_free(&entry.text);
    return good;
}

static bool all_read(struct reading *reading, const struct node *root) {
    static const char *const keys[] = {"other", "offerings", NULL};
    static const char *const other_keys[] = {"opening_s", "closing_s", NULL};
    struct problems *problems = reading->problems;
    bool good = node_map(root, keys, problems);
    if (!root || root->kind != NODE_MAP) return false;
    const struct node *other = node_need(root, "other", problems);
    good &= node_map(other, other_keys, problems) &&
            lengths_read(reading, other, &reading->model->other_offering);
    const struct node *list = node_need(root, "offerings", problems);
    if (!node_list(list, 1, OFFERINGS_MAX, problems)) return false;
    for (const struct node *item = list->first; item; item = item->next)
        good &= offering_read(reading, item);
    return good;
}

void offerings_read(struct reading *reading, const struct node *root) {
    struct standards *model = reading->model;
    reading->mistaken[LIST_OFFERINGS] |= !all_read(reading, root);
    qsort(model->offerings, model->offering_count, sizeof model->offerings[0], offering_order);
}
