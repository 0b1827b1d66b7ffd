#include "worker/standards/trial.h"

#include "worker/engine/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS_MAX = 32, MEMBERS_MAX = 4096, SPANS_MAX = 16, SECONDS_MOST = 24 * 3600 };
static const int64_t BASE_MS = INT64_C(1000000000000); // second 0 of every example

/// One example, as the engine wants it.
struct trial {
    struct reading *reading;
    const struct standard *standard;
    struct encounter encounter;
    struct series series;
    struct span spans[SPANS_MAX];
    int32_t t_ms[MEMBERS_MAX], values[MEMBERS_MAX];
    uint8_t confidences[MEMBERS_MAX];
    struct judgement judgement;
};

static bool time_read(struct trial *trial, const struct node *given, const char *key,
                      int64_t *out) {
    const struct node *node = node_find(given, key);
    int64_t ms;
    *out = TIME_NONE;
    if (!node) return true;
    if (!read_seconds(trial->reading, node, 0, SECONDS_MOST, &ms)) return false;
    *out = BASE_MS + ms;
    return true;
}

static bool encounter_read(struct trial *trial, const struct node *given) {
    struct problems *problems = trial->reading->problems;
    struct encounter *encounter = &trial->encounter;
    *encounter = (struct encounter){.id = {"example"}, .outcome = OUTCOME_NORMAL};
    bool good = time_read(trial, given, "issued", &encounter->issued_ms);
    good &= time_read(trial, given, "called", &encounter->called_ms);
    good &= time_read(trial, given, "started", &encounter->started_ms);
    good &= time_read(trial, given, "ended", &encounter->ended_ms);
    const struct node *offering = node_find(given, "offering");
    if (offering) good &= node_id(offering, &encounter->offering, problems);
    const struct node *outcome = node_find(given, "outcome");
    if (outcome &&
        !(outcome->text && outcome_parse(outcome->text, outcome->size, &encounter->outcome))) {
        node_problem(outcome, problems, ERR_FORMAT,
                     "no such outcome; write normal, no_show, transferred, abandoned or timeout");
        return false;
    }
    if (good && (encounter_check(encounter, NULL) || encounter->ended_ms == TIME_NONE)) {
        node_problem(given, problems, ERR_CONFLICT,
                     "the example needs ended, and its times in the order issued, called, started, "
                     "ended");
        return false;
    }
    return good;
}

static bool watched_read(struct trial *trial, const struct node *given) {
    struct problems *problems = trial->reading->problems;
    const struct node *watched = node_find(given, "watched");
    if (!watched) { // all the time
        trial->spans[0] =
            (struct span){encounter_begin_ms(&trial->encounter), trial->encounter.ended_ms};
        trial->series.span_count = 1;
        return true;
    }
    if (!node_list(watched, 0, SPANS_MAX, problems)) return false;
    int64_t last_ms = -1;
    for (const struct node *item = watched->first; item; item = item->next) {
        int64_t from_ms, to_ms;
        if (!node_list(item, 2, 2, problems) ||
            !read_seconds(trial->reading, item->first, 0, SECONDS_MOST, &from_ms) ||
            !read_seconds(trial->reading, item->last, 0, SECONDS_MOST, &to_ms))
            return false;
        if (from_ms <= last_ms || to_ms <= from_ms) {
            node_problem(item, problems, ERR_CONFLICT,
                         "spans must ascend and not touch; sort and join them");
            return false;
        }
        trial->spans[trial->series.span_count++] =
            (struct span){BASE_MS + from_ms, BASE_MS + to_ms};
        last_ms = to_ms;
    }
    return true;
}

static bool member_add(struct trial *trial, const struct node *node, int64_t at_ms, int32_t value,
                       uint8_t confidence) {
    struct columns *columns = &trial->series.columns;
    if (columns->count == MEMBERS_MAX ||
        (columns->count > 0 && columns->t_ms[columns->count - 1] > at_ms)) {
        node_problem(node, trial->reading->problems, ERR_CONFLICT,
                     "at most %d samples or events, in the order of time", MEMBERS_MAX);
        return false;
    }
    columns->t_ms[columns->count] = (int32_t)at_ms;
    columns->value[columns->count] = value;
    columns->confidence[columns->count++] = confidence;
    return true;
}

static bool confidence_read(struct trial *trial, const struct node *node, uint8_t *out) {
    int64_t percent = 100;
    if (node && !read_steps(trial->reading, node, 0.01, "", 0, 1, &percent)) return false;
    *out = (uint8_t)percent;
    return true;
}

static bool value_read(struct trial *trial, const struct node *node, int32_t *out) {
    const struct measure *measure = &trial->standard->measure;
    int64_t steps;
    if (!read_steps(trial->reading, node, measure->resolution, measure->unit, measure->least,
                    measure->most, &steps))
        return false;
    *out = (int32_t)steps;
    return true;
}

/// {from: 0, to: 60, every: 1, value: 0.8, confidence: 1}: one value again and again.
static bool repeated_read(struct trial *trial, const struct node *node) {
    static const char *const keys[] = {"from", "to", "every", "value", "confidence", NULL};
    struct reading *reading = trial->reading;
    struct problems *problems = reading->problems;
    int64_t from_ms, to_ms, every_ms;
    int32_t value;
    uint8_t confidence;
    if (!node_map(node, keys, problems) ||
        !read_seconds(reading, node_need(node, "from", problems), 0, SECONDS_MOST, &from_ms) ||
        !read_seconds(reading, node_need(node, "to", problems), 0, SECONDS_MOST, &to_ms) ||
        !read_seconds(reading, node_need(node, "every", problems), 0.001, SECONDS_MOST,
                      &every_ms) ||
        !value_read(trial, node_need(node, "value", problems), &value) ||
        !confidence_read(trial, node_find(node, "confidence"), &confidence))
        return false;
    for (int64_t at_ms = from_ms; at_ms < to_ms; at_ms += every_ms)
        if (!member_add(trial, node, at_ms, value, confidence)) return false;
    return true;
}

/// [seconds, value or label, confidence (default 1)].
static bool member_read(struct trial *trial, const struct node *node) {
    struct problems *problems = trial->reading->problems;
    int64_t at_ms;
    int32_t value = 0;
    uint8_t confidence;
    if (node->kind == NODE_MAP && trial->standard->measure.kind == MEASURE_SAMPLES)
        return repeated_read(trial, node);
    if (!node_list(node, 2, 3, problems)) return false;
    const struct node *what = node->first->next;
    if (!read_seconds(trial->reading, node->first, 0, SECONDS_MOST, &at_ms) ||
        !confidence_read(trial, what->next, &confidence))
        return false;
    if (trial->standard->measure.kind == MEASURE_SAMPLES)
        return value_read(trial, what, &value) && member_add(trial, node, at_ms, value, confidence);

    // Only the standard's own labels count; without any, every label does.
    struct name label;
    if (!node_name(what, &label, problems)) return false;
    const struct standard *standard = trial->standard;
    for (size_t i = 0; i < standard->label_count; i++)
        if (strcmp(standard->labels[i].text, label.text) == 0)
            return member_add(trial, node, at_ms, (int32_t)i, confidence);
    return standard->label_count > 0 || member_add(trial, node, at_ms, 0, confidence);
}

static bool series_read(struct trial *trial, const struct node *given) {
    struct problems *problems = trial->reading->problems;
    bool duration = trial->standard->statistic == STATISTIC_DURATION;
    bool events = !duration && trial->standard->measure.kind == MEASURE_EVENTS;
    const char *key = events ? "events" : "samples";
    for (const struct node *node = given->first; node; node = node->next) {
        bool sensed = strcmp(node->key, "samples") == 0 || strcmp(node->key, "events") == 0 ||
                      strcmp(node->key, "watched") == 0;
        if (!sensed ||
            (!duration && (strcmp(node->key, key) == 0 || strcmp(node->key, "watched") == 0)))
            continue;
        node_problem(node, problems, ERR_CONFLICT, "%s mean nothing to this standard; remove them",
                     node->key);
        return false;
    }
    if (duration) return true;
    trial->series = (struct series){
        .measure = &trial->standard->measure,
        .base_ms = BASE_MS,
        .columns = {0, trial->t_ms, trial->values, trial->confidences},
        .spans = trial->spans,
        .label_count = trial->standard->label_count,
        .labels = trial->standard->labels,
    };
    if (!watched_read(trial, given)) return false;
    const struct node *members = node_find(given, key);
    if (members && !node_list(members, 0, MEMBERS_MAX, problems)) return false;
    for (const struct node *node = members ? members->first : NULL; node; node = node->next)
        if (!member_read(trial, node)) return false;
    return true;
}

/// As if the standard were active and permitted: an example is about its figures.
static void judge(struct trial *trial) {
    struct standard standard = *trial->standard;
    standard.status = STATUS_ACTIVE;
    standard.permitted = true;
    struct standard_set set = {.count = 1, .items = &standard};
    offerings_copy(trial->reading->model, &set);
    struct engine_context context = {0};
    struct scores scores;
    engine_evaluate(&set, &trial->encounter, &trial->series,
                    standard.statistic == STATISTIC_DURATION ? 0 : 1, &context, &trial->judgement,
                    &scores);
}

static bool expected(struct trial *trial, const struct node *expect) {
    struct problems *problems = trial->reading->problems;
    const struct judgement *got = &trial->judgement;
    const char *names[VERDICT_COUNT + 1] = {NULL};
    for (int i = 0; i < VERDICT_COUNT; i++)
        names[i] = verdict_name((enum verdict)i);
    int want;
    if (!node_choice(expect, names, &want, problems)) return false;
    if ((enum verdict)want == got->verdict) return true;
    node_problem(expect, problems, ERR_CONFLICT,
                 "standard %s: this example is %s (%s; measured %.6g %s, limit %.6g %s, coverage "
                 "%.1f %%), not %s; correct the example or the standard",
                 trial->standard->id.text, verdict_name(got->verdict), reason_name(got->reason),
                 got->measured, trial->standard->unit, got->limit, trial->standard->unit,
                 fmax(0, got->coverage_millionths) / 1e4, expect->text);
    return false;
}

static bool run_one(struct trial *trial, const struct node *node) {
    static const char *const keys[] = {"given", "expect", NULL};
    static const char *const given_keys[] = {"issued",  "called",  "started", "ended",  "offering",
                                             "outcome", "watched", "samples", "events", NULL};
    struct problems *problems = trial->reading->problems;
    if (!node_map(node, keys, problems)) return false;
    const struct node *given = node_need(node, "given", problems);
    const struct node *expect = node_need(node, "expect", problems);
    if (!expect || !node_map(given, given_keys, problems) || !encounter_read(trial, given) ||
        !series_read(trial, given))
        return false;
    judge(trial);
    return expected(trial, expect);
}

/// What the examples must show at least.
static bool enough(struct reading *reading, const struct standard *standard,
                   const struct node *tests, unsigned seen) {
    const char *missing = NULL;
    if (!(seen & (1u << VERDICT_NOT_MET | 1u << VERDICT_PARTLY_MET)))
        missing = "not_met (or partly_met)";
    if (!(seen & 1u << VERDICT_MET)) missing = "met";
    if (!(seen & 1u << VERDICT_INSUFFICIENT_EVIDENCE) && standard->statistic != STATISTIC_DURATION)
        missing = "insufficient_evidence";
    if (missing)
        node_problem(tests, reading->problems, ERR_MISSING,
                     "standard %s has no example that is %s; add one", standard->id.text, missing);
    return !missing;
}

bool trial_run(struct reading *reading, const struct standard *standard, const struct node *node) {
    const struct node *tests = node_need(node, "tests", reading->problems);
    if (!tests || !node_list(tests, 1, TRIALS_MAX, reading->problems)) return false;
    struct trial *trial = malloc(sizeof *trial);
    if (!trial) {
        reading->no_memory = true;
        return false;
    }
    bool good = true;
    unsigned seen = 0;
    for (const struct node *test = tests->first; test; test = test->next) {
        memset(trial, 0, sizeof *trial);
        trial->reading = reading;
        trial->standard = standard;
        if (run_one(trial, test))
            seen |= 1u << trial->judgement.verdict;
        else
            good = false;
    }
    free(trial);
    return good && enough(reading, standard, tests, seen);
}
