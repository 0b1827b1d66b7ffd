#include "common/registry/measures.h"

#include "common/base/hash.h"
#include "common/settings/file.h"

#include <stdlib.h>
#include <string.h>

enum { MEASURE_TEXT_MAX = 200 };

static const double FINEST = 1e-9, COARSEST = 1e9, FARTHEST = 1e15;

/// A measure while it is read: with the place where it stands.
struct entry {
    const struct node *node;
    struct measure measure;
    struct measure_text text;
};

static bool read_range(const struct node *range, struct measure *measure,
                       struct problems *problems) {
    if (!node_list(range, 2, 2, problems)) return false;
    double least = 0, most = 0;
    if (!node_number(range->first, -FARTHEST, FARTHEST, measure->unit, &least, problems) ||
        !node_number(range->last, -FARTHEST, FARTHEST, measure->unit, &most, problems))
        return false;
    if (least >= most) {
        node_problem(range, problems, ERR_RANGE, "the range is empty; write [least, most]");
        return false;
    }
    double bound = INT32_MAX * measure->resolution;
    if (least < -bound || most > bound) {
        node_problem(range, problems, ERR_RANGE,
                     "the range needs more than 32 bits at a resolution of %.10g; narrow it or "
                     "choose a coarser resolution",
                     measure->resolution);
        return false;
    }
    measure->least = least;
    measure->most = most;
    return true;
}

static bool read_samples(const struct node *node, struct measure *measure,
                         struct problems *problems) {
    const char *unit = "";
    bool ok = node_text(node_need(node, "unit", problems), 1, UNIT_MAX, &unit, problems);
    memcpy(measure->unit, unit, strlen(unit));
    bool resolved = node_number(node_need(node, "resolution", problems), FINEST, COARSEST, unit,
                                &measure->resolution, problems);
    const struct node *range = node_need(node, "range", problems);
    ok = resolved && read_range(range, measure, problems) && ok;
    double widest = ok ? measure->most - measure->least : FARTHEST;
    return node_number(node_need(node, "uncertainty", problems), 0, widest, unit,
                       &measure->uncertainty, problems) &&
           ok;
}

static bool read_events(const struct node *node, struct measure *measure,
                        struct problems *problems) {
    static const char *const of_samples[] = {"unit", "resolution", "range", "uncertainty"};
    bool ok = true;
    for (size_t i = 0; i < sizeof of_samples / sizeof *of_samples; i++) {
        const struct node *other = node_find(node, of_samples[i]);
        if (!other) continue;
        node_problem(other, problems, ERR_CONFLICT,
                     "events have no %s; remove it, or write 'kind: samples'", of_samples[i]);
        ok = false;
    }
    measure->resolution = 1;
    return ok;
}

static bool read_texts(const struct node *node, struct entry *entry, struct problems *problems) {
    const char *de = NULL, *en = NULL;
    if (!node_language_texts(node_need(node, "text", problems), MEASURE_TEXT_MAX, &de, &en,
                             problems))
        return false;
    entry->text = (struct measure_text){strdup(de), strdup(en)};
    if (entry->text.de && entry->text.en) return true;
    node_problem(node, problems, ERR_NOMEM, "out of memory");
    return false;
}

static void read_entry(const struct node *node, struct entry *entry, struct problems *problems) {
    static const char *const keys[] = {"id",          "kind",  "unit", "resolution", "range",
                                       "uncertainty", "legal", "text", NULL};
    static const char *const kinds[] = {"samples", "events", NULL};
    static const char *const classes[] = {"P0", "P1", "P2", "P3", "P4", "P5", NULL};
    entry->node = node;
    if (!node_map(node, keys, problems) && node->kind != NODE_MAP) return;
    struct measure *measure = &entry->measure;
    int kind = MEASURE_SAMPLES, legal = LEGAL_P5;
    node_measure_id(node_need(node, "id", problems), &measure->id, problems);
    measure->key = hash_fnv32(measure->id.text, strlen(measure->id.text));
    node_choice(node_need(node, "legal", problems), classes, &legal, problems);
    measure->legal = (enum legal_class)legal;
    if (node_choice(node_need(node, "kind", problems), kinds, &kind, problems)) {
        measure->kind = (enum measure_kind)kind;
        (kind == MEASURE_SAMPLES ? read_samples : read_events)(node, measure, problems);
    }
    read_texts(node, entry, problems);
}

static int by_id(const void *a, const void *b) {
    return strcmp(((const struct entry *)a)->measure.id.text,
                  ((const struct entry *)b)->measure.id.text);
}

/// Those of one key in the order of the file.
static int by_key(const void *a, const void *b) {
    const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;
    if (left->measure.key != right->measure.key)
        return left->measure.key < right->measure.key ? -1 : 1;
    return left->node->index < right->node->index ? -1 : left->node->index > right->node->index;
}

/// Sorts the entries by id; ids and their short keys must be unique.
static void find_twins(struct entry *entries, struct entry **order, size_t count,
                       struct problems *problems) {
    char where[NODE_WHERE_SIZE];
    qsort(entries, count, sizeof *entries, by_id);
    for (size_t i = 0; i < count; i++)
        order[i] = &entries[i];
    qsort(order, count, sizeof(struct entry *), by_key);
    for (size_t i = 1; i < count; i++) {
        const struct entry *first = order[i - 1], *second = order[i];
        if (!*first->measure.id.text || first->measure.key != second->measure.key) continue;
        if (id_equal(&first->measure.id, &second->measure.id))
            node_problem(second->node, problems, ERR_CONFLICT,
                         "'%s' stands here a second time (first: %s); remove one of them",
                         second->measure.id.text, node_where(first->node, where));
        else
            node_problem(second->node, problems, ERR_CONFLICT,
                         "'%s' has the same short key as '%s' (%s); rename one of them",
                         second->measure.id.text, first->measure.id.text,
                         node_where(first->node, where));
    }
}

static void move_entries(struct entry *entries, size_t count, struct measure_catalogue *out) {
    for (size_t i = 0; i < count; i++) {
        out->measures.items[i] = entries[i].measure;
        out->texts[i] = entries[i].text;
        entries[i].text = (struct measure_text){0};
    }
    out->measures.count = count;
}

bool measures_read(const struct node *root, struct measure_catalogue *out,
                   struct problems *problems) {
    *out = (struct measure_catalogue){0};
    if (!node_list(root, 1, MEASURES_MAX, problems)) return false;
    size_t count = root->count, before = problems->count, read = 0;
    struct entry *entries = calloc(count, sizeof *entries);
    struct entry **order = calloc(count, sizeof(struct entry *));
    out->measures.items = calloc(count, sizeof *out->measures.items);
    out->texts = calloc(count, sizeof *out->texts);
    if (!entries || !order || !out->measures.items || !out->texts) {
        node_problem(root, problems, ERR_NOMEM, "out of memory");
    } else {
        for (const struct node *node = root->first; node; node = node->next)
            read_entry(node, &entries[read++], problems);
        find_twins(entries, order, count, problems);
    }
    bool ok = problems->count == before;
    if (ok) move_entries(entries, count, out);
    for (size_t i = 0; i < read; i++) {
        free(entries[i].text.de);
        free(entries[i].text.en);
    }
    free(order);
    free(entries);
    if (!ok) measures_free(out);
    return ok;
}

bool measures_load(const char *path, struct measure_catalogue *out, struct problems *problems) {
    *out = (struct measure_catalogue){0};
    struct document *document = document_open(path, problems);
    if (!document) return false;
    bool ok = measures_read(document_root(document), out, problems);
    document_free(document);
    return ok;
}

void measures_free(struct measure_catalogue *catalogue) {
    for (size_t i = 0; i < catalogue->measures.count; i++) {
        free(catalogue->texts[i].de);
        free(catalogue->texts[i].en);
    }
    free(catalogue->measures.items);
    free(catalogue->texts);
    *catalogue = (struct measure_catalogue){0};
}
