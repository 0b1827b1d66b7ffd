#include "worker/standards/trial.h"

#include "worker/engine/evaluate.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIALS_MAX = 32,
    MEMBERS_MAX = 4096,
    SPANS_MAX = 16,
    LABELS_MAX = 32,
    SERIES_MAX = 3 * (PARTS_MAX + 1), // of each figure: its own, and those that anchor its span
    MEASURED_SIZE = 128,
    SECONDS_MOST = 24 * 3600
};
static const int64_t MONDAY_MS = INT64_C(1000080000000); // 2001-09-10, 0:00 UTC

/// What one measure gave in an example.
struct sensed {
    struct span spans[SPANS_MAX];
    int32_t t_ms[MEMBERS_MAX], values[MEMBERS_MAX];
    uint8_t confidences[MEMBERS_MAX];
    struct name labels[LABELS_MAX];
};

/// One example, as the engine wants it.
struct trial {
    struct reading *reading;
    const struct standard *standard;
    int64_t base_ms; // second 0 of the example
    bool at_an_hour; // the example says of which day and hour it is
    struct encounter encounter;
    size_t series_count;
    struct series series[SERIES_MAX];
    struct judgement judgement;
    struct sensed sensed[SERIES_MAX]; // last: large, and only as far as series say in use
};

static bool time_read(struct trial *trial, const struct node *given, const char *key,
                      int64_t *out) {
    const struct node *node = node_find(given, key);
    int64_t ms;
    *out = TIME_NONE;
    if (!node) return true;
    if (!read_seconds(trial->reading, node, 0, SECONDS_MOST, &ms)) return false;
    *out = trial->base_ms + ms;
    return true;
}

/// at: "tue 09:30", the day and hour of second 0.
static bool hour_read(struct trial *trial, const struct node *node) {
    const char *text;
    int day = 0, hour, minute, read = 0;
    trial->base_ms = MONDAY_MS;
    if (!node) return true;
    if (!node_text(node, 1, TEXT_SIZE_MAX, &text, trial->reading->problems)) return false;
    while (weekday_names[day] && strncmp(weekday_names[day], text, 3) != 0)
        day++;
    if (!weekday_names[day] || sscanf(text + 3, " %2d:%2d%n", &hour, &minute, &read) != 2 ||
        read != 6 || text[3 + read] || hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        node_problem(node, trial->reading->problems, ERR_FORMAT,
                     "%.40s is no day and hour; write such as \"tue 09:30\"", text);
        return false;
    }
    trial->base_ms += day * (int64_t)DAY_MS + hour * HOUR_MS + minute * MINUTE_MS;
    trial->at_an_hour = true;
    return true;
}

static bool encounter_read(struct trial *trial, const struct node *given) {
    struct problems *problems = trial->reading->problems;
    struct encounter *encounter = &trial->encounter;
    *encounter = (struct encounter){.id = {"example"}, .outcome = OUTCOME_NORMAL};
    bool good = hour_read(trial, node_find(given, "at"));
    good &= time_read(trial, given, "issued", &encounter->issued_ms);
    good &= time_read(trial, given, "called", &encounter->called_ms);
    good &= time_read(trial, given, "started", &encounter->started_ms);
    good &= time_read(trial, given, "ended", &encounter->ended_ms);
    const struct node *offering = node_find(given, "offering");
    size_t place;
    if (offering && read_offering(trial->reading, offering, &place))
        encounter->offering = trial->reading->model->offerings[place].offering.id;
    else
        good &= !offering;
    const struct node *outcome = node_find(given, "outcome");
    if (outcome &&
        !(outcome->text && outcome_parse(outcome->text, outcome->size, &encounter->outcome))) {
        node_problem(outcome, problems, ERR_FORMAT,
                     "no such outcome; write normal, no_show, transferred, abandoned or timeout");
        return false;
    }
    if (good && (encounter_check(encounter, NULL) || encounter->ended_ms == TIME_NONE)) {
        node_problem(given, problems, ERR_CONFLICT,
                     "the example's times do not fit; it needs ended, and issued, called, started, "
                     "ended in this order");
        return false;
    }
    return good;
}

static bool watched_read(struct trial *trial, const struct node *given, size_t at) {
    struct series *series = &trial->series[at];
    struct span *spans = trial->sensed[at].spans;
    struct problems *problems = trial->reading->problems;
    const struct node *watched = node_find(given, "watched");
    if (!watched) { // all the time
        spans[0] = (struct span){encounter_begin_ms(&trial->encounter), trial->encounter.ended_ms};
        series->span_count = 1;
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
        spans[series->span_count++] =
            (struct span){trial->base_ms + from_ms, trial->base_ms + to_ms};
        last_ms = to_ms;
    }
    return true;
}

static bool member_add(struct trial *trial, struct series *series, const struct node *node,
                       int64_t at_ms, int32_t value, uint8_t confidence) {
    struct columns *columns = &series->columns;
    if (columns->count == MEMBERS_MAX) {
        node_problem(node, trial->reading->problems, ERR_FULL,
                     "an example has room for %d samples or events of a measure; shorten it",
                     MEMBERS_MAX);
        return false;
    }
    if (columns->count > 0 && columns->t_ms[columns->count - 1] > at_ms) {
        node_problem(node, trial->reading->problems, ERR_CONFLICT,
                     "this lies before what stands in front of it; sort them by time");
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

static bool value_read(struct trial *trial, const struct measure *measure, const struct node *node,
                       int32_t *out) {
    int64_t steps;
    if (!read_steps(trial->reading, node, measure->resolution, measure->unit, measure->least,
                    measure->most, &steps))
        return false;
    *out = (int32_t)steps;
    return true;
}

/// {from: 0, to: 60, every: 1, value: 0.8, confidence: 1}: one value again and again.
static bool repeated_read(struct trial *trial, struct series *series, const struct node *node) {
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
        !value_read(trial, series->measure, node_need(node, "value", problems), &value) ||
        !confidence_read(trial, node_find(node, "confidence"), &confidence))
        return false;
    for (int64_t at_ms = from_ms; at_ms < to_ms; at_ms += every_ms)
        if (!member_add(trial, series, node, at_ms, value, confidence)) return false;
    return true;
}

/// The place of a label among those of the example; a new one is added.
static bool label_read(struct trial *trial, size_t at, const struct node *node, int32_t *place) {
    struct series *series = &trial->series[at];
    struct name label, *labels = trial->sensed[at].labels;
    if (!node_name(node, &label, trial->reading->problems)) return false;
    size_t i = 0;
    while (i < series->label_count && strcmp(labels[i].text, label.text) != 0)
        i++;
    if (i == LABELS_MAX) {
        node_problem(node, trial->reading->problems, ERR_FULL,
                     "an example has room for %d labels; use fewer", LABELS_MAX);
        return false;
    }
    labels[i] = label;
    if (i == series->label_count) series->label_count++;
    *place = (int32_t)i;
    return true;
}

/// [seconds, value or label, confidence (default 1)].
static bool member_read(struct trial *trial, size_t at, const struct node *node) {
    struct problems *problems = trial->reading->problems;
    struct series *series = &trial->series[at];
    bool samples = series->measure->kind == MEASURE_SAMPLES;
    int64_t at_ms;
    int32_t value = 0;
    uint8_t confidence;
    if (node->kind == NODE_MAP && samples) return repeated_read(trial, series, node);
    if (!node_list(node, 2, 3, problems)) return false;
    const struct node *what = node->first->next;
    if (!read_seconds(trial->reading, node->first, 0, SECONDS_MOST, &at_ms) ||
        !confidence_read(trial, what->next, &confidence))
        return false;
    bool good = samples ? value_read(trial, series->measure, what, &value)
                        : label_read(trial, at, what, &value);
    return good && member_add(trial, series, node, at_ms, value, confidence);
}

/// Keys that say what a sensor of another kind, or none, saw.
static bool only_fitting(struct trial *trial, const struct node *given, const char *members) {
    static const char *const sensed[] = {"samples", "events", "watched", NULL};
    bool good = true;
    for (size_t i = 0; sensed[i]; i++) {
        const struct node *node = node_find(given, sensed[i]);
        bool fits =
            members && (strcmp(sensed[i], members) == 0 || strcmp(sensed[i], "watched") == 0);
        if (!node || fits) continue;
        node_problem(node, trial->reading->problems, ERR_CONFLICT,
                     "%s mean nothing to this standard; remove them", node->key);
        good = false;
    }
    return good;
}

/// What one measure gave: watched, and samples or events.
static bool series_read(struct trial *trial, const struct measure *measure,
                        const struct node *given) {
    struct problems *problems = trial->reading->problems;
    const char *key = measure->kind == MEASURE_EVENTS ? "events" : "samples";
    size_t at = trial->series_count++;
    struct sensed *sensed = &trial->sensed[at];
    trial->series[at] = (struct series){
        .measure = measure,
        .base_ms = trial->base_ms,
        .columns = {0, sensed->t_ms, sensed->values, sensed->confidences},
        .spans = sensed->spans,
        .labels = sensed->labels,
    };
    if (!only_fitting(trial, given, key) || !watched_read(trial, given, at)) return false;
    const struct node *members = node_find(given, key);
    if (members && !node_list(members, 0, MEMBERS_MAX, problems)) return false;
    for (const struct node *node = members ? members->first : NULL; node; node = node->next)
        if (!member_read(trial, at, node)) return false;
    return true;
}

/// The measure of this id that the standard looks at; NULL: none.
static const struct measure *measure_of(const struct standard *standard, const char *id) {
    const struct measure *measure;
    for (size_t at = 0; (measure = standard_next_measure(standard, &at));)
        if (strcmp(measure->id.text, id) == 0) return measure;
    return NULL;
}

/// measures: {distance.client: {samples: ...}, audio.phrase: {watched: ..., events: ...}}.
static bool measures_read(struct trial *trial, const struct node *map) {
    static const char *const keys[] = {"watched", "samples", "events", NULL};
    struct problems *problems = trial->reading->problems;
    if (!map) return true;
    if (!node_any_map(map, problems)) return false;
    for (const struct node *node = map->first; node; node = node->next) {
        const struct measure *measure = measure_of(trial->standard, node->key);
        if (!measure) {
            node_problem(node, problems, ERR_MISSING,
                         "the standard does not look at %s; remove it or correct the name",
                         node->key);
            return false;
        }
        for (size_t i = 0; i < trial->series_count; i++)
            if (trial->series[i].measure->key == measure->key) {
                node_problem(node, problems, ERR_CONFLICT, "%s is there twice; remove one",
                             node->key);
                return false;
            }
        if (!node_map(node, keys, problems) || !series_read(trial, measure, node)) return false;
    }
    return true;
}

/// The standard's own measure beside the times, others under `measures`.
static bool sensed_read(struct trial *trial, const struct node *given) {
    const struct standard *standard = trial->standard;
    bool own = standard->checks.count == 0 && standard->statistic != STATISTIC_DURATION;
    bool good =
        own ? series_read(trial, &standard->measure, given) : only_fitting(trial, given, NULL);
    return good && measures_read(trial, node_find(given, "measures"));
}

/// As if the standard were permitted: an example is about its figures.
static void judge(struct trial *trial) {
    struct standard standard = *trial->standard;
    standard.permitted = true;
    struct standard_set set = {.count = 1, .items = &standard};
    offerings_copy(trial->reading->model, &set);
    // The hours of an example are those of the branch.
    static const int64_t always = INT64_MIN;
    static const int32_t no_offset = 0;
    static const struct zone zone = {1, &always, &no_offset};
    struct engine_context context = {.zone = trial->at_an_hour ? &zone : NULL};
    struct scores scores;
    engine_evaluate(&set, &trial->encounter, trial->series, trial->series_count, &context,
                    &trial->judgement, &scores);
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
    char measured[MEASURED_SIZE] = "";
    if (isfinite(got->measured))
        snprintf(measured, sizeof measured, " measured %.6g %s, limit %.6g %s,", got->measured,
                 trial->standard->unit, got->limit, trial->standard->unit);
    node_problem(expect, problems, ERR_CONFLICT,
                 "standard %s: this example is %s (%s;%s coverage %.1f %%), not %s; correct the "
                 "example or the standard",
                 trial->standard->id.text, verdict_name(got->verdict), reason_name(got->reason),
                 measured, fmax(0, got->coverage_millionths) / 1e4, expect->text);
    return false;
}

static bool run_one(struct trial *trial, const struct node *node) {
    static const char *const keys[] = {"given", "expect", NULL};
    static const char *const given_keys[] = {"at",      "issued",   "called",   "started",
                                             "ended",   "offering", "outcome",  "watched",
                                             "samples", "events",   "measures", NULL};
    struct problems *problems = trial->reading->problems;
    if (!node_map(node, keys, problems)) return false;
    const struct node *given = node_need(node, "given", problems);
    const struct node *expect = node_need(node, "expect", problems);
    if (!expect || !node_map(given, given_keys, problems) || !encounter_read(trial, given) ||
        !sensed_read(trial, given))
        return false;
    judge(trial);
    return expected(trial, expect);
}

/// What the examples must show at least.
static bool enough(struct reading *reading, const struct rule *rule, const struct node *tests) {
    const struct standard *standard = &rule->standard;
    const unsigned *seen = rule->examples;
    const char *missing = NULL;
    if (seen[VERDICT_NOT_MET] + seen[VERDICT_PARTLY_MET] == 0) missing = "not_met (or partly_met)";
    if (seen[VERDICT_MET] == 0) missing = "met";
    if (seen[VERDICT_INSUFFICIENT_EVIDENCE] == 0 && standard_senses(standard))
        missing = "insufficient_evidence";
    if (seen[VERDICT_EXCUSED] == 0 && standard->excuse_count > 0) missing = "excused";
    if (missing)
        node_problem(tests, reading->problems, ERR_MISSING,
                     "standard %s has no example that is %s; add one", standard->id.text, missing);
    return !missing;
}

bool trial_run(struct reading *reading, struct rule *rule, const struct node *node) {
    const struct standard *standard = &rule->standard;
    const struct node *tests = node_need(node, "tests", reading->problems);
    if (!tests || !node_list(tests, 1, TRIALS_MAX, reading->problems)) return false;
    struct trial *trial = malloc(sizeof *trial);
    if (!trial) {
        reading->no_memory = true;
        return false;
    }
    bool good = true;
    for (const struct node *test = tests->first; test; test = test->next) {
        memset(trial, 0, offsetof(struct trial, sensed));
        trial->reading = reading;
        trial->standard = standard;
        if (run_one(trial, test))
            rule->examples[trial->judgement.verdict]++;
        else
            good = false;
    }
    free(trial);
    return good && enough(reading, rule, tests);
}
