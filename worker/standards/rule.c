#include "worker/standards/rule.h"

#include "worker/standards/checks.h"
#include "worker/standards/days.h"
#include "worker/standards/figures.h"
#include "worker/standards/live.h"
#include "worker/standards/scope.h"
#include "worker/standards/sentence.h"

#include <stdlib.h>
#include <string.h>

enum { WEIGHT_MOST = 1000 };

static bool status_read(struct reading *reading, const struct node *node,
                        struct standard *standard) {
    int status, severity, attribution;
    bool good = true;
    if (node_choice(node_need(node, "status", reading->problems), status_names, &status,
                    reading->problems))
        standard->status = (enum standard_status)status;
    else
        good = false;
    if (node_choice(node_need(node, "severity", reading->problems), severity_names, &severity,
                    reading->problems))
        standard->severity = (enum severity)severity;
    else
        good = false;
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
        name_unknown(reading, named, LIST_NORMS, standard->norm.text);
        return false;
    }
    standard->value = norm->value;
    return true;
}

static bool offerings_read(struct reading *reading, const struct node *list,
                           struct standard *standard) {
    if (!read_list(reading, list, OFFERINGS_MAX)) return false;
    standard->any_offering = false;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next) {
        size_t place;
        if (read_offering(reading, item, &place))
            standard->offerings |= UINT64_C(1) << place;
        else
            good = false;
    }
    return good;
}

static bool outcomes_read(struct reading *reading, const struct node *list,
                          struct standard *standard) {
    const char *names[OUTCOME_COUNT] = {NULL}; // without "open", which is never judged
    for (int i = OUTCOME_OPEN + 1; i < OUTCOME_COUNT; i++)
        names[i - 1] = outcome_name((enum outcome)i);
    if (!read_list(reading, list, OUTCOME_COUNT - 1)) return false;
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

/// "09:30", or "24:00" for the end of the day, as minutes of the day.
static bool clock_read(struct reading *reading, const struct node *node, uint16_t *minutes) {
    const char *text;
    if (!node_text(node, 1, TEXT_SIZE_MAX, &text, reading->problems)) return false;
    static const char form[] = "00:00";
    bool good = strlen(text) == strlen(form);
    for (size_t i = 0; good && form[i]; i++)
        good = form[i] == ':' ? text[i] == ':' : text[i] >= '0' && text[i] <= '9';
    int hour = good ? (text[0] - '0') * 10 + text[1] - '0' : 0;
    int minute = good ? (text[3] - '0') * 10 + text[4] - '0' : 0;
    if (!good || minute > 59 || hour * 60 + minute > DAY_MINUTES) {
        node_problem(node, reading->problems, ERR_FORMAT,
                     "%.40s is no time of day; write \"00:00\" to \"24:00\"", text);
        return false;
    }
    *minutes = (uint16_t)(hour * 60 + minute);
    return true;
}

/// {days: [mon, tue], from: "09:00", to: "17:00"}; every day if it names none.
static bool hours_entry_read(struct reading *reading, const struct node *node,
                             struct hours *hours) {
    static const char *const keys[] = {"days", "from", "to", NULL};
    if (!node_map(node, keys, reading->problems)) return false;
    const struct node *days = node_find(node, "days");
    hours->days = days ? 0 : 0x7f;
    bool good = !days || read_list(reading, days, 7);
    for (const struct node *day = days && good ? days->first : NULL; day; day = day->next) {
        int place;
        if (node_choice(day, weekday_names, &place, reading->problems))
            hours->days |= (uint8_t)(1u << place);
        else
            good = false;
    }
    good &= clock_read(reading, node_need(node, "from", reading->problems), &hours->from);
    good &= clock_read(reading, node_need(node, "to", reading->problems), &hours->to);
    if (good && hours->from >= hours->to) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "these hours are never: to must lie behind from; over midnight write two "
                     "entries, one until \"24:00\" and one from \"00:00\"");
        return false;
    }
    return good;
}

static bool hours_read(struct reading *reading, const struct node *list,
                       struct standard *standard) {
    if (!node_list(list, 1, HOURS_MAX, reading->problems)) return false;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next)
        good &= hours_entry_read(reading, item, &standard->hours[standard->hours_count++]);
    return good;
}

static bool applies_read(struct reading *reading, const struct node *node, struct rule *rule) {
    static const char *const keys[] = {"offerings", "outcomes", "branches", "regions",
                                       "countries", "hours",    NULL};
    rule->standard.any_offering = true;
    rule->standard.outcomes = UINT32_MAX;
    const struct node *applies = node_find(node, "applies");
    if (!applies) return true;
    bool good = node_map(applies, keys, reading->problems);
    const struct node *offerings = node_find(applies, "offerings");
    const struct node *outcomes = node_find(applies, "outcomes");
    if (offerings) good &= offerings_read(reading, offerings, &rule->standard);
    if (outcomes) good &= outcomes_read(reading, outcomes, &rule->standard);
    const struct node *hours = node_find(applies, "hours");
    if (hours) good &= hours_read(reading, hours, &rule->standard);
    good &= scope_read(reading, applies, &rule->where);
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
        "excuses",  "adaptable", "all",       "any",         "not",     "must_not", "tests",
        "from",     "until",     NULL};
    struct standard *standard = &rule->standard;
    bool good = node_map(node, keys, reading->problems);
    if (!node || node->kind != NODE_MAP) return false;
    standard->parts = calloc(PARTS_MAX, sizeof standard->parts[0]);
    reading->no_memory |= standard->parts == NULL;
    if (!standard->parts) return false;
    good &=
        node_name(node_need(node, "standard", reading->problems), &standard->id, reading->problems);
    good &= norm_read(reading, node, standard);
    good &= dimension_read(reading, node, standard);
    good &= status_read(reading, node, standard);
    good &= texts_read(reading, node, rule);
    int64_t weight = 0;
    good &= node_integer(node_need(node, "weight", reading->problems), 1, WEIGHT_MOST, "", &weight,
                         reading->problems);
    standard->weight = (uint16_t)weight;
    good &= applies_read(reading, node, rule);
    good &= days_read(reading, node, &rule->days);
    const struct node *bound = node_find(node, "bound");
    node_where(bound ? bound : node, rule->place);
    good &= excuses_read(reading, node, standard, rule->excuses);
    return checks_read(reading, node, standard) &&
           figures_read_adaptable(reading, node, standard, &rule->adaptable_least,
                                  &rule->adaptable_most) &&
           live_read(reading, node, rule) && good &&
           sentence_check(reading, node_find(node, "text"), rule);
}

void rule_free(struct rule *rule) {
    words_free(&rule->text);
    for (size_t i = 0; i < EXCUSES_MAX; i++)
        words_free(&rule->excuses[i]);
    free(rule->standard.parts);
    free(rule->source);
}
