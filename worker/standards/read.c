#include "worker/standards/days.h"
#include "worker/standards/live.h"
#include "worker/standards/offerings.h"
#include "worker/standards/overlay.h"
#include "worker/standards/rule.h"
#include "worker/standards/sources.h"
#include "worker/standards/statements.h"
#include "worker/standards/trial.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_ENTRIES_MAX = 256 };

static void scoring_read(struct reading *reading, const struct node *root) {
    static const char *const keys[] = {"coverage_floor", "model", NULL};
    node_map(root, keys, reading->problems);
    const struct node *model = node_find(root, "model");
    int choice = SCORE_HIERARCHICAL;
    if (model) node_choice(model, score_model_names, &choice, reading->problems);
    reading->model->score_model = (enum score_model)choice;
    read_share(reading, node_need(root, "coverage_floor", reading->problems),
               &reading->model->coverage_floor_millionths);
}

/// Its place in the canonical order: by id, then by day.
static size_t rule_place(const struct standards *model, const struct rule *rule) {
    size_t place = 0;
    while (place < model->rule_count) {
        const struct rule *other = &model->rules[place];
        int order = strcmp(other->standard.id.text, rule->standard.id.text);
        if (order > 0 || (order == 0 && other->days.from > rule->days.from)) break;
        place++;
    }
    return place;
}

/// Versions of one standard follow each other in time and measure the same.
static bool versions_agree(struct reading *reading, const struct node *node,
                           const struct rule *rule) {
    for (size_t i = 0; i < reading->model->rule_count; i++) {
        const struct rule *other = &reading->model->rules[i];
        const struct standard *a = &rule->standard, *b = &other->standard;
        if (strcmp(a->id.text, b->id.text) != 0) continue;
        if (days_meet(&rule->days, &other->days)) {
            node_problem(node, reading->problems, ERR_CONFLICT,
                         "standard %s is there twice (%s); give one of them another name, or days "
                         "(from, until) that do not meet",
                         a->id.text, other->place);
            return false;
        }
        if (a->statistic == b->statistic && a->measure.key == b->measure.key &&
            a->checks.count == b->checks.count && a->dimension == b->dimension)
            continue;
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "%s measured something else before (%s); give the new rule an id of its own",
                     a->id.text, other->place);
        return false;
    }
    return true;
}

static void rule_add(struct reading *reading, const struct node *node) {
    struct standards *model = reading->model;
    struct rule rule = {0};
    bool good = rule_read(reading, node, &rule);
    good = good && versions_agree(reading, node, &rule);
    if (good && model->rule_count == STANDARDS_MAX) {
        node_problem(node, reading->problems, ERR_FULL,
                     "there is room for %d standards; remove retired ones", STANDARDS_MAX);
        good = false;
    }
    // An example is judged by the lengths of its offering's phases.
    good = good && (reading->mistaken[LIST_OFFERINGS] || trial_run(reading, &rule, node));
    if (!good) {
        reading->mistaken[LIST_STANDARDS] = true;
        rule_free(&rule);
        return;
    }
    size_t place = rule_place(model, &rule);
    memmove(&model->rules[place + 1], &model->rules[place],
            (model->rule_count - place) * sizeof model->rules[0]);
    model->rules[place] = rule;
    model->rule_count++;
}

static int overlay_order(const void *a, const void *b) {
    return strcmp(((const struct overlay *)a)->id.text, ((const struct overlay *)b)->id.text);
}

static void overlay_add(struct reading *reading, const struct node *node) {
    struct standards *model = reading->model;
    struct overlay overlay = {.bound = {BOUND_OPEN_LEAST, BOUND_OPEN_MOST}};
    bool good = overlay_read(reading, node, &overlay);
    for (size_t i = 0; good && i < model->overlay_count; i++)
        if (strcmp(model->overlays[i].id.text, overlay.id.text) == 0) {
            entry_twice(reading, node_find(node, "overlay"), "overlay", overlay.id.text);
            good = false;
        }
    if (good && model->overlay_count == OVERLAYS_MAX) {
        node_problem(node, reading->problems, ERR_FULL,
                     "there is room for %d overlays; remove those that are over", OVERLAYS_MAX);
        good = false;
    }
    reading->mistaken[LIST_OVERLAYS] |= !good;
    if (good)
        model->overlays[model->overlay_count++] = overlay;
    else
        overlay_free(&overlay);
}

/// Each entry of each document, all of which are lists.
static void entries_read(struct reading *reading, struct document *const *documents, size_t count,
                         enum list list, void (*add)(struct reading *, const struct node *)) {
    for (size_t i = 0; i < count; i++) {
        const struct node *root = documents[i] ? document_root(documents[i]) : NULL;
        bool good = node_list(root, 0, FILE_ENTRIES_MAX, reading->problems);
        reading->mistaken[list] |= !good;
        for (const struct node *item = good ? root->first : NULL; item; item = item->next)
            add(reading, item);
    }
}

static void sources_read(struct reading *reading, const struct sources *sources) {
    struct standards *model = reading->model;
    const struct node *values = source_root(reading, &sources->values, "values.yaml");
    const struct node *norms = source_root(reading, &sources->norms, "norms.yaml");
    values_read(reading, values);
    norms_read(reading, norms);
    offerings_read(reading, source_root(reading, &sources->offerings, "offerings.yaml"));
    scoring_read(reading, source_root(reading, &sources->scoring, "scoring.yaml"));
    entries_read(reading, sources->standards, sources->standard_count, LIST_STANDARDS, rule_add);
    entries_read(reading, sources->overlays, sources->overlay_count, LIST_OVERLAYS, overlay_add);
    qsort(model->overlays, model->overlay_count, sizeof model->overlays[0], overlay_order);
    if (!reading->mistaken[LIST_OVERLAYS]) live_agreed(reading);
    idle_statements_warn(reading, values, norms);
}

static struct standards *standards_new(const struct measures *measures) {
    struct standards *standards = calloc(1, sizeof *standards);
    if (!standards) return NULL;
    standards->measures = measures;
    standards->rules = calloc(STANDARDS_MAX, sizeof standards->rules[0]);
    standards->overlays = calloc(OVERLAYS_MAX, sizeof standards->overlays[0]);
    if (standards->rules && standards->overlays) return standards;
    standards_free(standards);
    return NULL;
}

enum err standards_read(const struct standards_file *files, size_t count,
                        const struct measures *measures, struct standards **out,
                        struct problems *problems) {
    struct sources *sources = calloc(1, sizeof *sources);
    struct reading reading = {.model = standards_new(measures), .problems = problems};
    size_t before = problems->count;
    bool mistaken = false;
    reading.no_memory = !sources || !reading.model;
    if (!reading.no_memory) {
        reading.mistaken[LIST_MEASURES] = measures == NULL;
        sources_parse(&reading, files, count, sources);
        sources_read(&reading, sources);
        sources_free(sources);
    }
    free(sources);
    for (int i = 0; i < LIST_COUNT; i++)
        mistaken |= reading.mistaken[i];
    assert(!mistaken || !measures || reading.no_memory || problems->count > before);
    if (reading.no_memory) problems_add(problems, ERR_NOMEM, NULL, "out of memory");
    if (problems->count > before || !measures) {
        standards_free(reading.model);
        return reading.no_memory ? ERR_NOMEM : ERR_FORMAT;
    }
    *out = reading.model;
    return ERR_NONE;
}

const struct problems *standards_warnings(const struct standards *standards) {
    return &standards->warnings;
}

void standards_free(struct standards *standards) {
    if (!standards) return;
    for (size_t i = 0; i < standards->values.count; i++)
        words_free(&standards->values.items[i].text);
    for (size_t i = 0; i < standards->norms.count; i++)
        words_free(&standards->norms.items[i].text);
    for (size_t i = 0; i < standards->offering_count; i++)
        words_free(&standards->offerings[i].text);
    for (size_t i = 0; i < standards->rule_count; i++)
        rule_free(&standards->rules[i]);
    for (size_t i = 0; i < standards->overlay_count; i++)
        overlay_free(&standards->overlays[i]);
    free(standards->overlays);
    free(standards->rules);
    free(standards);
}

bool standards_examples(const struct standards *standards, size_t place,
                        struct standards_examples *out) {
    if (place >= standards->rule_count) return false;
    const struct rule *rule = &standards->rules[place];
    *out = (struct standards_examples){.id = rule->standard.id};
    for (int i = 0; i < VERDICT_COUNT; i++) {
        out->verdicts[i] = rule->examples[i];
        out->count += rule->examples[i];
    }
    return true;
}
