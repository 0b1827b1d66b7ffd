#include "worker/standards/days.h"
#include "worker/standards/live.h"
#include "worker/standards/overlay.h"
#include "worker/standards/rule.h"
#include "worker/standards/trial.h"

#include <stdlib.h>
#include <string.h>

enum { PHASE_S_MOST = 3600, FILES_MAX = 256, FILE_ENTRIES_MAX = 256 };

const struct statement *statements_find(const struct statements *statements, const struct id *id) {
    for (size_t i = 0; i < statements->count; i++)
        if (id_equal(&statements->items[i].id, id)) return &statements->items[i];
    return NULL;
}

void offerings_copy(const struct standards *standards, struct standard_set *set) {
    set->offering_count = standards->offering_count;
    for (size_t i = 0; i < standards->offering_count; i++)
        set->offerings[i] = standards->offerings[i].offering;
    set->other_offering = standards->other_offering;
}

// The order in the files must not change the hash of a set.

static int statement_order(const void *a, const void *b) {
    return strcmp(((const struct statement *)a)->id.text, ((const struct statement *)b)->id.text);
}

static int offering_order(const void *a, const void *b) {
    const struct offering_entry *left = a, *right = b;
    return strcmp(left->offering.id.text, right->offering.id.text);
}

static void twice(struct reading *reading, const struct node *node, const char *what,
                  const char *id) {
    node_problem(node, reading->problems, ERR_CONFLICT,
                 "%s %s is there twice; give one of them another name or remove it", what, id);
}

/// One entry of values.yaml (key "value") or norms.yaml (key "norm").
static void statement_read(struct reading *reading, const struct node *node, const char *key,
                           struct statements *out) {
    static const char *const value_keys[] = {"value", "text", NULL};
    static const char *const norm_keys[] = {"norm", "value", "text", NULL};
    bool norm = out == &reading->model->norms;
    struct statement statement = {0};
    bool good = node_map(node, norm ? norm_keys : value_keys, reading->problems);
    if (node->kind != NODE_MAP) return;
    const struct node *named = node_need(node, key, reading->problems);
    good &= node_id(named, &statement.id, reading->problems);
    if (good && statements_find(out, &statement.id)) {
        twice(reading, named, key, statement.id.text);
        good = false;
    }
    const struct node *value = norm ? node_need(node, "value", reading->problems) : NULL;
    if (norm) {
        good &= node_id(value, &statement.value, reading->problems);
        if (good && !statements_find(&reading->model->values, &statement.value)) {
            node_problem(value, reading->problems, ERR_MISSING,
                         "value %s is not in values.yaml; add it there or correct the name",
                         statement.value.text);
            good = false;
        }
    }
    good &= read_words(reading, node_need(node, "text", reading->problems), &statement.text);
    if (good)
        out->items[out->count++] = statement;
    else
        words_free(&statement.text);
}

static void statements_read(struct reading *reading, const struct node *root, const char *key,
                            struct statements *out) {
    if (!node_list(root, 1, STATEMENTS_MAX, reading->problems)) return;
    for (const struct node *item = root->first; item; item = item->next)
        statement_read(reading, item, key, out);
    qsort(out->items, out->count, sizeof out->items[0], statement_order);
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

static void offering_read(struct reading *reading, const struct node *node) {
    static const char *const keys[] = {"offering", "text", "opening_s", "closing_s", NULL};
    struct standards *model = reading->model;
    struct offering offering = {0};
    struct words text = {0};
    bool good = node_map(node, keys, reading->problems);
    if (node->kind != NODE_MAP) return;
    const struct node *named = node_need(node, "offering", reading->problems);
    good &= node_id(named, &offering.id, reading->problems);
    for (size_t i = 0; good && i < model->offering_count; i++)
        if (id_equal(&model->offerings[i].offering.id, &offering.id)) {
            twice(reading, named, "offering", offering.id.text);
            good = false;
        }
    good &= lengths_read(reading, node, &offering);
    good &= read_words(reading, node_need(node, "text", reading->problems), &text);
    if (!good) {
        words_free(&text);
        return;
    }
    model->offerings[model->offering_count++] = (struct offering_entry){offering, text};
}

static void offerings_read(struct reading *reading, const struct node *root) {
    static const char *const keys[] = {"other", "offerings", NULL};
    static const char *const other_keys[] = {"opening_s", "closing_s", NULL};
    node_map(root, keys, reading->problems);
    const struct node *other = node_need(root, "other", reading->problems);
    if (other && node_map(other, other_keys, reading->problems))
        lengths_read(reading, other, &reading->model->other_offering);
    const struct node *list = node_need(root, "offerings", reading->problems);
    if (!list || !node_list(list, 1, OFFERINGS_MAX, reading->problems)) return;
    for (const struct node *item = list->first; item; item = item->next)
        offering_read(reading, item);
    struct standards *model = reading->model;
    qsort(model->offerings, model->offering_count, sizeof model->offerings[0], offering_order);
}

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
    good = good && trial_run(reading, &rule, node);
    if (!good) {
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
            twice(reading, node, "overlay", overlay.id.text);
            good = false;
        }
    if (good && model->overlay_count == OVERLAYS_MAX) {
        node_problem(node, reading->problems, ERR_FULL, "there is room for %d overlays",
                     OVERLAYS_MAX);
        good = false;
    }
    if (good)
        model->overlays[model->overlay_count++] = overlay;
    else
        overlay_free(&overlay);
}

static bool working(const struct rule *rule) {
    return rule->standard.status == STATUS_ACTIVE || rule->standard.status == STATUS_SHADOW;
}

/// A value that nobody lives up to is only a word on the wall.
static void warn_of_idle_values(struct reading *reading, const struct node *values) {
    struct standards *model = reading->model;
    for (const struct node *node = values->first; node; node = node->next) {
        const struct node *named = node_find(node, "value");
        bool served = false;
        for (size_t i = 0; named && i < model->rule_count; i++)
            served |= working(&model->rules[i]) && named->text &&
                      strcmp(model->rules[i].standard.value.text, named->text) == 0;
        if (!served && named)
            node_problem(named, &reading->model->warnings, ERR_MISSING,
                         "no working standard serves the value %s; write one, or remove the value",
                         named->text ? named->text : "");
    }
}

/// The parsed files: the four that must be there, and those in standards/.
struct sources {
    struct document *values, *norms, *offerings, *scoring;
    size_t count;
    struct document *standards[FILES_MAX];
    size_t overlay_count;
    struct document *overlays[FILES_MAX];
};

/// Where the document of a file belongs; NULL: nowhere.
static struct document **place_of(struct sources *sources, const char *name) {
    const struct {
        const char *name;
        struct document **place;
    } single[] = {{"values.yaml", &sources->values},
                  {"norms.yaml", &sources->norms},
                  {"offerings.yaml", &sources->offerings},
                  {"scoring.yaml", &sources->scoring}};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (strcmp(name, single[i].name) == 0) return *single[i].place ? NULL : single[i].place;
    if (strncmp(name, "standards/", strlen("standards/")) == 0 && sources->count < FILES_MAX)
        return &sources->standards[sources->count++];
    if (strncmp(name, "overlays/", strlen("overlays/")) == 0 && sources->overlay_count < FILES_MAX)
        return &sources->overlays[sources->overlay_count++];
    return NULL;
}

static void sources_parse(struct sources *sources, const struct standards_file *files, size_t count,
                          struct problems *problems) {
    for (size_t i = 0; i < count; i++) {
        struct document **place = place_of(sources, files[i].name);
        if (place)
            *place = document_parse(files[i].name, files[i].text, problems);
        else
            problems_add(problems, ERR_CONFLICT, files[i].name,
                         "not a file of standards, there twice, or more than %d of them; remove it",
                         FILES_MAX);
    }
}

static void sources_free(struct sources *sources) {
    document_free(sources->values);
    document_free(sources->norms);
    document_free(sources->offerings);
    document_free(sources->scoring);
    for (size_t i = 0; i < sources->count; i++)
        document_free(sources->standards[i]);
    for (size_t i = 0; i < sources->overlay_count; i++)
        document_free(sources->overlays[i]);
}

/// The root of a document that has to be there.
static const struct node *root_of(struct reading *reading, const struct document *document,
                                  const char *name) {
    if (document) return document_root(document);
    problems_add(reading->problems, ERR_MISSING, name, "is needed and could not be read");
    return NULL;
}

/// Each entry of each document, all of which are lists.
static void entries_read(struct reading *reading, struct document *const *documents, size_t count,
                         void (*add)(struct reading *, const struct node *)) {
    for (size_t i = 0; i < count; i++) {
        const struct node *root = documents[i] ? document_root(documents[i]) : NULL;
        if (!node_list(root, 0, FILE_ENTRIES_MAX, reading->problems)) continue;
        for (const struct node *item = root->first; item; item = item->next)
            add(reading, item);
    }
}

static void sources_read(struct reading *reading, const struct sources *sources) {
    struct standards *model = reading->model;
    const struct node *values = root_of(reading, sources->values, "values.yaml");
    const struct node *norms = root_of(reading, sources->norms, "norms.yaml");
    const struct node *offerings = root_of(reading, sources->offerings, "offerings.yaml");
    const struct node *scoring = root_of(reading, sources->scoring, "scoring.yaml");
    if (!values || !norms || !offerings || !scoring)
        return; // every name in the others would seem unknown
    statements_read(reading, values, "value", &model->values);
    statements_read(reading, norms, "norm", &model->norms);
    offerings_read(reading, offerings);
    scoring_read(reading, scoring);
    entries_read(reading, sources->standards, sources->count, rule_add);
    entries_read(reading, sources->overlays, sources->overlay_count, overlay_add);
    qsort(model->overlays, model->overlay_count, sizeof model->overlays[0], overlay_order);
    live_agreed(reading);
    warn_of_idle_values(reading, values);
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
    reading.no_memory = !sources || !reading.model;
    if (!reading.no_memory) {
        sources_parse(sources, files, count, problems);
        sources_read(&reading, sources);
        sources_free(sources);
    }
    free(sources);
    if (reading.no_memory) problems_add(problems, ERR_NOMEM, NULL, "out of memory");
    if (problems->count > before) {
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
