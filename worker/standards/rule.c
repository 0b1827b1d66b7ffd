#include "worker/standards/rule.h"

#include "worker/standards/figures.h"
#include "worker/standards/scope.h"

#include <stdlib.h>
#include <string.h>

enum { GAP_S_MOST = 3600, OFFSET_S_MOST = 24 * 3600, WEIGHT_MOST = 1000 };

static bool status_read(struct reading *reading, const struct node *node,
                        struct standard *standard) {
    int status, severity, attribution;
    bool good = true;
    if (node_choice(node_need(node, "status", reading->problems), status_names, &status,
                    reading->problems))
        standard->status = (enum standard_status)status;
    else
        good = false;
    const struct node *named = node_need(node, "severity", reading->problems);
    if (named && named->text && strcmp(named->text, "auto_fail") == 0) {
        node_problem(named, reading->problems, ERR_REFUSED,
                     "auto_fail waits for a person's confirmation, which this version cannot "
                     "record; write critical");
        good = false;
    } else if (node_choice(named, severity_names, &severity, reading->problems)) {
        standard->severity = (enum severity)severity;
    } else {
        good = false;
    }
    if (node_choice(node_need(node, "attribution", reading->problems), attribution_names,
                    &attribution, reading->problems))
        standard->attribution = (enum attribution)attribution;
    else
        good = false;
    return good;
}

static bool dimension_read(struct reading *reading, const struct node *node,
                           struct standard *standard) {
    const char *names[DIMENSION_COUNT + 1] = {NULL};
    for (int i = 0; i < DIMENSION_COUNT; i++)
        names[i] = dimension_name((enum dimension)i);
    int dimension;
    if (!node_choice(node_need(node, "dimension", reading->problems), names, &dimension,
                     reading->problems))
        return false;
    standard->dimension = (enum dimension)dimension;
    return true;
}

/// Traces the standard to its norm and value.
static bool norm_read(struct reading *reading, const struct node *node, struct standard *standard) {
    const struct node *named = node_need(node, "norm", reading->problems);
    if (!node_id(named, &standard->norm, reading->problems)) return false;
    const struct statement *norm = statements_find(&reading->model->norms, &standard->norm);
    if (!norm) {
        node_problem(named, reading->problems, ERR_MISSING,
                     "norm %s is not in norms.yaml; add it there or correct the name",
                     standard->norm.text);
        return false;
    }
    standard->value = norm->value;
    return true;
}

static bool anchor_read(struct reading *reading, const struct node *node, const char *key,
                        const char *offset_key, enum anchor *anchor, int32_t *offset_ms) {
    int place;
    int64_t ms = 0;
    const struct node *offset = node_find(node, offset_key);
    bool good = node_choice(node_need(node, key, reading->problems), anchor_names, &place,
                            reading->problems);
    if (good) *anchor = (enum anchor)place;
    if (offset) good &= read_seconds(reading, offset, -OFFSET_S_MOST, OFFSET_S_MOST, &ms);
    *offset_ms = (int32_t)ms;
    return good;
}

/// A phase by name, or {from: started, from_s: 5, to: ended, to_s: 0}.
static bool during_read(struct reading *reading, const struct node *node, struct during *during) {
    static const char *const named[] = {"waiting", "opening", "service", "closing", NULL};
    static const char *const keys[] = {"from", "from_s", "to", "to_s", NULL};
    node = node_need(node, "during", reading->problems);
    if (!node) return false;
    int phase;
    if (node->kind != NODE_MAP) {
        if (!node_choice(node, named, &phase, reading->problems)) return false;
        during->phase = (enum phase)phase;
        return true;
    }
    during->phase = PHASE_SPAN;
    bool good = node_map(node, keys, reading->problems);
    good &= anchor_read(reading, node, "from", "from_s", &during->from, &during->from_offset_ms);
    good &= anchor_read(reading, node, "to", "to_s", &during->to, &during->to_offset_ms);
    if (good && (during->from > during->to ||
                 (during->from == during->to && during->from_offset_ms >= during->to_offset_ms))) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "this span ends before it begins; exchange from and to");
        return false;
    }
    return good;
}

static bool evidence_read(struct reading *reading, const struct node *node,
                          struct standard *standard) {
    static const char *const keys[] = {"coverage", "confidence", "gap_s", NULL};
    const struct node *evidence = node_find(node, "evidence");
    if (standard->statistic == STATISTIC_DURATION) {
        if (evidence)
            node_problem(evidence, reading->problems, ERR_CONFLICT,
                         "a duration needs no evidence of sensors; remove it");
        return !evidence;
    }
    evidence = node_need(node, "evidence", reading->problems);
    if (!evidence || !node_map(evidence, keys, reading->problems)) return false;
    bool good = read_share(reading, node_need(evidence, "coverage", reading->problems),
                           &standard->least_coverage_millionths);
    int64_t percent, gap_ms;
    if (read_steps(reading, node_need(evidence, "confidence", reading->problems), 0.01, "", 0, 1,
                   &percent))
        standard->least_confidence = (uint8_t)percent;
    else
        good = false;

    const struct node *gap = node_find(evidence, "gap_s");
    if (standard->measure.kind == MEASURE_EVENTS) {
        if (gap)
            node_problem(gap, reading->problems, ERR_CONFLICT,
                         "an event holds for no time; remove gap_s");
        return good && !gap;
    }
    if (!read_seconds(reading, node_need(evidence, "gap_s", reading->problems), 0.001, GAP_S_MOST,
                      &gap_ms))
        return false;
    standard->largest_gap_ms = (int32_t)gap_ms;
    return good;
}

static bool offerings_read(struct reading *reading, const struct node *list,
                           struct standard *standard) {
    const struct standards *model = reading->model;
    if (!node_list(list, 1, OFFERINGS_MAX, reading->problems)) return false;
    standard->any_offering = false;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next) {
        struct id id;
        if (!node_id(item, &id, reading->problems)) {
            good = false;
            continue;
        }
        size_t i = 0;
        while (i < model->offering_count && !id_equal(&model->offerings[i].offering.id, &id))
            i++;
        if (i == model->offering_count) {
            node_problem(item, reading->problems, ERR_MISSING,
                         "offering %s is not in offerings.yaml; add it there or correct the name",
                         id.text);
            good = false;
            continue;
        }
        standard->offerings |= UINT64_C(1) << i;
    }
    return good;
}

static bool outcomes_read(struct reading *reading, const struct node *list,
                          struct standard *standard) {
    const char *names[OUTCOME_COUNT] = {NULL}; // without "open", which is never judged
    for (int i = OUTCOME_OPEN + 1; i < OUTCOME_COUNT; i++)
        names[i - 1] = outcome_name((enum outcome)i);
    if (!node_list(list, 1, OUTCOME_COUNT - 1, reading->problems)) return false;
    standard->outcomes = 0;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next) {
        int place;
        if (node_choice(item, names, &place, reading->problems))
            standard->outcomes |= 1u << (place + 1);
        else
            good = false;
    }
    return good;
}

static bool applies_read(struct reading *reading, const struct node *node, struct rule *rule) {
    static const char *const keys[] = {"offerings", "outcomes",  "branches",
                                       "regions",   "countries", NULL};
    rule->standard.any_offering = true;
    rule->standard.outcomes = UINT32_MAX;
    const struct node *applies = node_find(node, "applies");
    if (!applies) return true;
    if (node_find(applies, "hours")) {
        node_problem(node_find(applies, "hours"), reading->problems, ERR_REFUSED,
                     "hours have no effect in this version; remove them");
        return false;
    }
    bool good = node_map(applies, keys, reading->problems);
    const struct node *offerings = node_find(applies, "offerings");
    const struct node *outcomes = node_find(applies, "outcomes");
    if (offerings) good &= offerings_read(reading, offerings, &rule->standard);
    if (outcomes) good &= outcomes_read(reading, outcomes, &rule->standard);
    good &= scope_read(reading, applies, &rule->where);
    return good;
}

/// Keys of the design whose effect this version does not have: silence would be a lie.
static bool without_effect(struct reading *reading, const struct node *node) {
    static const struct {
        const char *key, *why;
    } later[] = {
        {"excuses", "excuses have no effect in this version; remove them"},
        {"all", "combined standards are not in this version; write one standard for each part"},
        {"any", "combined standards are not in this version; write one standard for each part"},
        {"not", "combined standards are not in this version; turn the bound around"},
    };
    bool good = true;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        const struct node *found = node_find(node, later[i].key);
        if (!found) continue;
        node_problem(found, reading->problems, ERR_REFUSED, "%s", later[i].why);
        good = false;
    }
    bool live = false;
    const struct node *found = node_find(node, "live");
    if (found) good &= node_bool(found, &live, reading->problems);
    if (live) {
        node_problem(found, reading->problems, ERR_REFUSED,
                     "live alerts are not in this version; write live: false");
        good = false;
    }
    return good;
}

static bool texts_read(struct reading *reading, const struct node *node, struct rule *rule) {
    const char *source;
    bool good = read_words(reading, node_need(node, "text", reading->problems), &rule->text);
    if (!node_text(node_need(node, "source", reading->problems), 1, TEXT_SIZE_MAX, &source,
                   reading->problems))
        return false;
    rule->source = strdup(source);
    reading->no_memory |= rule->source == NULL;
    return good && rule->source;
}

bool rule_read(struct reading *reading, const struct node *node, struct rule *rule) {
    static const char *const keys[] = {
        "standard", "norm",      "dimension", "status",      "text",    "source",   "measure",
        "labels",   "during",    "statistic", "percent",     "band",    "unit",     "bound",
        "degree",   "evidence",  "weight",    "attribution", "applies", "severity", "live",
        "excuses",  "adaptable", "all",       "any",         "not",     "tests",    NULL};
    struct standard *standard = &rule->standard;
    bool good = node_map(node, keys, reading->problems);
    if (!node || node->kind != NODE_MAP) return false;
    good &=
        node_name(node_need(node, "standard", reading->problems), &standard->id, reading->problems);
    good &= norm_read(reading, node, standard);
    good &= dimension_read(reading, node, standard);
    good &= status_read(reading, node, standard);
    good &= texts_read(reading, node, rule);
    good &= during_read(reading, node, &standard->during);
    int64_t weight = 0;
    good &= node_integer(node_need(node, "weight", reading->problems), 1, WEIGHT_MOST, "", &weight,
                         reading->problems);
    standard->weight = (uint16_t)weight;
    good &= applies_read(reading, node, rule);
    good &= without_effect(reading, node);
    const struct node *bound = node_find(node, "bound");
    if (bound) node_where(bound, rule->place);
    return figures_read(reading, node, standard) && evidence_read(reading, node, standard) &&
           figures_read_adaptable(reading, node, standard, &rule->adaptable_least,
                                  &rule->adaptable_most) &&
           good;
}

void rule_free(struct rule *rule) {
    words_free(&rule->text);
    free(rule->source);
}
