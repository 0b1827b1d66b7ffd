#include "worker/standards/statements.h"

#include <stdlib.h>
#include <string.h>

const struct statement *statements_find(const struct statements *statements, const struct id *id) {
    for (size_t i = 0; i < statements->count; i++)
        if (id_equal(&statements->items[i].id, id)) return &statements->items[i];
    return NULL;
}

// The order in the files must not change the hash of a set.
static int statement_order(const void *a, const void *b) {
    return strcmp(((const struct statement *)a)->id.text, ((const struct statement *)b)->id.text);
}

static bool id_read(struct reading *reading, const struct node *node, const char *key,
                    const struct statements *others, struct id *out) {
    const struct node *named = node_need(node, key, reading->problems);
    if (!node_id(named, out, reading->problems)) return false;
    if (!statements_find(others, out)) return true;
    entry_twice(reading, named, key, out->text);
    return false;
}

/// Which value a norm makes concrete.
static bool value_read(struct reading *reading, const struct node *node, struct id *out) {
    const struct node *named = node_need(node, "value", reading->problems);
    if (!node_id(named, out, reading->problems)) return false;
    if (statements_find(&reading->model->values, out)) return true;
    name_unknown(reading, named, LIST_VALUES, out->text);
    return false;
}

static bool statement_read(struct reading *reading, const struct node *node, enum list list,
                           struct statements *out) {
    static const char *const value_keys[] = {"value", "text", NULL};
    static const char *const norm_keys[] = {"norm", "value", "text", NULL};
    bool norm = list == LIST_NORMS;
    struct statement statement = {0};
    bool good = node_map(node, norm ? norm_keys : value_keys, reading->problems);
    if (node->kind != NODE_MAP) return false;
    good &= id_read(reading, node, norm ? "norm" : "value", out, &statement.id);
    if (norm) good &= value_read(reading, node, &statement.value);
    good &= read_words(reading, node_need(node, "text", reading->problems), &statement.text);
    if (good)
        out->items[out->count++] = statement;
    else
        words_free(&statement.text);
    return good;
}

static void statements_read(struct reading *reading, const struct node *root, enum list list,
                            struct statements *out) {
    bool good = node_list(root, 1, STATEMENTS_MAX, reading->problems);
    for (const struct node *item = good ? root->first : NULL; item; item = item->next)
        good &= statement_read(reading, item, list, out);
    qsort(out->items, out->count, sizeof out->items[0], statement_order);
    reading->mistaken[list] |= !good;
}

void values_read(struct reading *reading, const struct node *root) {
    statements_read(reading, root, LIST_VALUES, &reading->model->values);
}

void norms_read(struct reading *reading, const struct node *root) {
    statements_read(reading, root, LIST_NORMS, &reading->model->norms);
}

static bool working(const struct standard *standard) {
    return standard->status == STATUS_ACTIVE || standard->status == STATUS_SHADOW;
}

static bool served(const struct standards *model, const char *id, bool norm) {
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct standard *standard = &model->rules[i].standard;
        if (working(standard) && strcmp((norm ? standard->norm : standard->value).text, id) == 0)
            return true;
    }
    return false;
}

/// A value that nobody lives up to is only a word on the wall.
void idle_statements_warn(struct reading *reading, const struct node *values,
                          const struct node *norms) {
    struct standards *model = reading->model;
    for (const struct node *node = values ? values->first : NULL; node; node = node->next) {
        const struct node *named = node_find(node, "value");
        if (named && named->text && !served(model, named->text, false))
            node_problem(named, &model->warnings, ERR_MISSING,
                         "no working standard serves the value %s; write one, or remove the value",
                         named->text);
    }
    for (const struct node *node = norms ? norms->first : NULL; node; node = node->next) {
        const struct node *named = node_find(node, "norm");
        if (named && named->text && !served(model, named->text, true))
            node_problem(named, &model->warnings, ERR_MISSING,
                         "no working standard makes the norm %s concrete; write one, or remove "
                         "the norm",
                         named->text);
    }
}
