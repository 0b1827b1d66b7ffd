// Judges cases from standard input, one a line of whole numbers, for differential_test.py, which
// writes them in this order:
//   events severity figure
//   n figures of parts, n (kind size part)... of its checks, n excuses (n (kind size part)...)...
//   issued called started ended outcome clock_error times_error opening closing
//   (has_series series_clock_error n (from to)... n (t value confidence)...)*2
// where a figure is
//   other statistic phase (kind offset last own n labels...)*2 percent band_least band_most
//   uncertainty n labels... bound_least bound_most coverage confidence gap n (at millionths)...
// The first series is of samples or (events) of events, the second, of which a figure with `other`
// and an anchor that is not `own` speak, of events. It prints:
//   verdict reason measured limit coverage degree worst_from worst_to points

#include "worker/engine/evaluate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 256, SPANS = 64, LABELS = 8, LINE_SIZE = 1 << 16, OWN_KEY = 1, OTHER_KEY = 2 };
static const double RESOLUTION = 0.5;

static struct measure own = {.key = OWN_KEY, .resolution = RESOLUTION};
static const struct measure other = {.key = OTHER_KEY, .kind = MEASURE_EVENTS, .resolution = 1};

static char *at; // where the line is read

static int64_t number(void) {
    char *end;
    errno = 0;
    long long value = strtoll(at, &end, 10);
    if (end == at || errno) {
        fprintf(stderr, "malformed case at: %s\n", at);
        exit(2);
    }
    at = end;
    return value;
}

static size_t count(size_t most) {
    int64_t value = number();
    if (value < 0 || (uint64_t)value > most) {
        fprintf(stderr, "count %" PRId64 " is more than %zu\n", value, most);
        exit(2);
    }
    return (size_t)value;
}

static double step_of(enum statistic statistic) {
    switch (statistic) {
    case STATISTIC_SHARE:
        return 1e-4;
    case STATISTIC_COUNT_EVENTS:
        return 1;
    case STATISTIC_RATE:
        return 1e-6;
    case STATISTIC_MEAN:
    case STATISTIC_MIN:
    case STATISTIC_MAX:
    case STATISTIC_QUANTILE:
        return RESOLUTION;
    default:
        return 1e-3;
    }
}

static void read_labels(struct name *labels, size_t *label_count, size_t most) {
    *label_count = count(most);
    for (size_t i = 0; i < *label_count; i++)
        snprintf(labels[i].text, sizeof labels[i].text, "label%d", (int)number());
}

static void read_anchor(struct anchor *anchor) {
    anchor->kind = (enum anchor_kind)number();
    anchor->offset_ms = (int32_t)number();
    anchor->last = number() != 0;
    anchor->measure.key = number() ? OWN_KEY : OTHER_KEY;
    read_labels(anchor->labels, &anchor->label_count, ANCHOR_LABELS_MAX);
}

static void read_figure(struct standard *standard) {
    standard->measure = number() ? other : own;
    standard->statistic = (enum statistic)number();
    standard->during.phase = (enum phase)number();
    read_anchor(&standard->during.from);
    read_anchor(&standard->during.to);
    standard->percent = (uint8_t)number();
    standard->band.least = number();
    standard->band.most = number();
    standard->uncertainty = number();
    read_labels(standard->labels, &standard->label_count, STANDARD_LABELS_MAX);
    standard->bound.least = number();
    standard->bound.most = number();
    standard->least_coverage_millionths = (int32_t)number();
    standard->least_confidence = (uint8_t)number();
    standard->largest_gap_ms = (int32_t)number();
    standard->degree_count = count(DEGREE_POINTS_MAX);
    for (size_t i = 0; i < standard->degree_count; i++) {
        standard->degree[i].at = number();
        standard->degree[i].millionths = (int32_t)number();
    }
    standard->step = step_of(standard->statistic);
}

static void read_checks(struct checks *checks) {
    checks->count = (uint8_t)count(CHECKS_MAX);
    for (size_t i = 0; i < checks->count; i++) {
        checks->items[i].kind = (uint8_t)number();
        checks->items[i].size = (uint8_t)number();
        checks->items[i].part = (uint8_t)number();
    }
}

static void read_standard(struct standard *standard, struct standard parts[PARTS_MAX]) {
    *standard = (struct standard){.id = {"differential"},
                                  .dimension = DIMENSION_TIMING,
                                  .status = STATUS_ACTIVE,
                                  .weight = 1,
                                  .permitted = true,
                                  .any_offering = true,
                                  .outcomes = UINT32_MAX,
                                  .parts = parts};
    standard->severity = (enum severity)number();
    read_figure(standard);
    standard->part_count = count(PARTS_MAX);
    for (size_t i = 0; i < standard->part_count; i++) {
        parts[i] = (struct standard){0};
        read_figure(&parts[i]);
    }
    read_checks(&standard->checks);
    standard->excuse_count = count(EXCUSES_MAX);
    for (size_t i = 0; i < standard->excuse_count; i++)
        read_checks(&standard->excuses[i].when);
}

/// What a series is made of.
struct storage {
    int32_t t[SAMPLES], value[SAMPLES];
    uint8_t confidence[SAMPLES];
    struct span spans[SPANS];
};

/// false: nobody watched.
static bool read_series(const struct measure *measure, const struct name *labels,
                        struct storage *storage, struct series *series) {
    bool has = count(1);
    *series = (struct series){.measure = measure, .base_ms = INT64_C(1700000000000)};
    series->clock_error_ms = (uint32_t)number();
    series->span_count = count(SPANS);
    series->spans = storage->spans;
    series->labels = labels;
    series->label_count = LABELS;
    for (size_t i = 0; i < series->span_count; i++) {
        storage->spans[i].from_ms = number();
        storage->spans[i].to_ms = number();
    }
    series->columns =
        (struct columns){count(SAMPLES), storage->t, storage->value, storage->confidence};
    for (size_t i = 0; i < series->columns.count; i++) {
        storage->t[i] = (int32_t)(number() - series->base_ms);
        storage->value[i] = (int32_t)number();
        storage->confidence[i] = (uint8_t)number();
    }
    return has;
}

static void judge_line(void) {
    static struct standard standard, parts[PARTS_MAX];
    static struct storage storage[2];
    static struct name labels[LABELS];
    for (int i = 0; i < LABELS; i++)
        snprintf(labels[i].text, sizeof labels[i].text, "label%d", i);

    own.kind = number() ? MEASURE_EVENTS : MEASURE_SAMPLES;
    read_standard(&standard, parts);
    struct encounter encounter = {.id = {"case"}, .outcome = OUTCOME_NORMAL};
    encounter.issued_ms = number();
    encounter.called_ms = number();
    encounter.started_ms = number();
    encounter.ended_ms = number();
    encounter.outcome = (enum outcome)number();
    struct engine_context context = {0};
    context.clock_error_ms = (uint32_t)number();
    context.times_error_ms = (uint32_t)number();
    struct standard_set set = {.count = 1, .items = &standard};
    set.other_offering.opening_ms = (int32_t)number();
    set.other_offering.closing_ms = (int32_t)number();

    struct series series[2];
    size_t series_count = 0;
    series_count += read_series(&own, labels, &storage[0], &series[0]);
    series_count += read_series(&other, labels, &storage[1], &series[series_count]);

    static struct judgement out;
    struct scores scores;
    engine_evaluate(&set, &encounter, series, series_count, &context, &out, &scores);
    printf("%s %s %.17g %.17g %d %d %" PRId64 " %" PRId64 " %zu\n", verdict_name(out.verdict),
           reason_name(out.reason), out.measured, out.limit, out.coverage_millionths,
           out.degree_millionths, out.worst.from_ms, out.worst.to_ms, out.point_count);
}

int main(void) {
    static char line[LINE_SIZE];
    while (fgets(line, sizeof line, stdin)) {
        at = line;
        judge_line();
    }
    return ferror(stdin) ? 1 : 0;
}
