// The engine alone, on one core: the workload's encounter judged again and again; and the plainest
// loops over the same values that compute the same statistics, without evidence, guard bands,
// reasons and points.

#include "ops/bench/bench.h"
#include "worker/engine/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURES = BRANCH_GATEWAYS_MAX, PLAIN_VALUES = 1 << 16 };

struct collected {
    int32_t t_ms[WORKLOAD_SAMPLES], value[WORKLOAD_SAMPLES];
    uint8_t confidence[WORKLOAD_SAMPLES];
    size_t count;
};
struct subject {
    struct series series[MEASURES];
    struct collected collected[MEASURES];
    struct span span;
    size_t count;
    struct encounter encounter;
    const struct standard_set *set;
    const struct zone *zone;
};

static void take(void *context, const struct batch *batch) {
    struct collected *to = context;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct batch_series *series = &batch->series[i];
        for (size_t k = 0; k < series->columns.count && to->count < WORKLOAD_SAMPLES; k++) {
            to->t_ms[to->count] =
                (int32_t)(series->base_ms + series->columns.t_ms[k] - WORKLOAD_START_MS);
            to->value[to->count] = series->columns.value[k];
            to->confidence[to->count++] = series->columns.confidence[k];
        }
    }
}

/// The first encounter of the first branch.
static bool subject_init(struct subject *subject, const struct bench *bench) {
    struct workload one = bench->workload;
    const struct branch *branch = &bench->catalogue.branches.items[0];
    int64_t end_ms = WORKLOAD_START_MS + (int64_t)WORKLOAD_SAMPLES * WORKLOAD_STEP_MS;
    one.encounters = 1;
    subject->span = (struct span){WORKLOAD_START_MS, end_ms};
    subject->count = branch->gateway_count;
    for (size_t i = 0; i < subject->count; i++) {
        struct collected *collected = &subject->collected[i];
        struct stream stream;
        if (stream_init(&stream, &one, branch, &branch->gateways[i], take, collected)) return false;
        while (!stream_ended(&stream))
            stream_next(&stream);
        subject->series[i] = (struct series){
            .measure = stream.measure,
            .base_ms = WORKLOAD_START_MS,
            .columns = {collected->count, collected->t_ms, collected->value, collected->confidence},
            .span_count = 1,
            .spans = &subject->span};
        stream_fini(&stream);
    }
    subject->encounter = (struct encounter){.outcome = OUTCOME_NORMAL,
                                            .issued_ms = WORKLOAD_START_MS,
                                            .called_ms = WORKLOAD_START_MS,
                                            .started_ms = WORKLOAD_START_MS,
                                            .ended_ms = end_ms};
    struct local_time local = zone_local(&branch->zone, WORKLOAD_START_MS);
    subject->zone = &branch->zone;
    subject->set = standards_plan_at(&bench->catalogue.plans[0],
                                     local.year * 10000 + local.month * 100 + local.day);
    return true;
}

static int finish(const struct bench *bench, uint64_t started_ns) {
    const struct bench_result result = {.started_ns = started_ns,
                                        .ended_ns = bench_now_ns(),
                                        .observations = workload_observations(&bench->workload)};
    bench_result(&result);
    return 0;
}

static int run(const struct bench *bench) {
    static struct subject subject;
    if (!subject_init(&subject, bench)) return bench_fail("engine: no memory or no measure");
    struct judgement *judgements = calloc(subject.set->count, sizeof judgements[0]);
    if (!judgements) return bench_fail("out of memory");
    const struct engine_context context = {.zone = subject.zone};
    struct scores scores;
    uint64_t started_ns = bench_ready();
    for (uint64_t i = 0; i < workload_encounters(&bench->workload); i++)
        engine_evaluate(subject.set, &subject.encounter, subject.series, subject.count, &context,
                        judgements, &scores);
    int status = finish(bench, started_ns);
    for (size_t i = 0; i < subject.set->count; i++)
        if (judgements[i].verdict == VERDICT_ERROR ||
            judgements[i].verdict == VERDICT_INSUFFICIENT_EVIDENCE)
            status = bench_fail("engine: %s was not judged", subject.set->items[i].id.text);
    free(judgements);
    return status;
}

// ------------------------------------------------------------------ the plain loops

static bool inside(struct bounds band, int32_t value) {
    return band.least <= value && value <= band.most;
}

static int64_t quantile(const struct collected *samples, int percent) {
    static uint32_t counts[PLAIN_VALUES];
    int64_t rank = ((int64_t)samples->count * percent + 99) / 100, up_to = 0;
    int32_t least = INT32_MAX, most = INT32_MIN;
    for (size_t i = 0; i < samples->count; i++) {
        if (samples->value[i] < least) least = samples->value[i];
        if (samples->value[i] > most) most = samples->value[i];
    }
    memset(counts, 0, (size_t)(most - least + 1) * sizeof counts[0]);
    for (size_t i = 0; i < samples->count; i++)
        counts[samples->value[i] - least]++;
    for (int32_t value = least; value <= most; value++)
        if ((up_to += counts[value - least]) >= rank) return value;
    return 0;
}

static int64_t statistic(const struct standard *standard, const struct collected *samples) {
    int64_t figure = 0, stretch = 0;
    switch (standard->statistic) {
    case STATISTIC_MEAN:
        for (size_t i = 0; i < samples->count; i++)
            figure += samples->value[i];
        return figure / (int64_t)samples->count;
    case STATISTIC_MIN:
        figure = INT32_MAX;
        for (size_t i = 0; i < samples->count; i++)
            if (samples->value[i] < figure) figure = samples->value[i];
        return figure;
    case STATISTIC_MAX:
        figure = INT32_MIN;
        for (size_t i = 0; i < samples->count; i++)
            if (samples->value[i] > figure) figure = samples->value[i];
        return figure;
    case STATISTIC_QUANTILE:
        return quantile(samples, standard->percent);
    case STATISTIC_SHARE:
        for (size_t i = 0; i < samples->count; i++)
            figure += inside(standard->band, samples->value[i]);
        return figure * 100 / (int64_t)samples->count;
    case STATISTIC_LONGEST_OUTSIDE:
        for (size_t i = 0; i < samples->count; i++) {
            stretch = inside(standard->band, samples->value[i]) ? 0 : stretch + 1;
            if (stretch > figure) figure = stretch;
        }
        return figure * WORKLOAD_STEP_MS;
    default:
        exit(bench_fail("engine-plain: no loop for %s", standard->id.text));
    }
}

static int run_plain(const struct bench *bench) {
    static struct subject subject;
    if (!subject_init(&subject, bench)) return bench_fail("engine: no memory or no measure");
    const struct standard_set *set = subject.set;
    uint64_t started_ns = bench_ready();
    for (uint64_t i = 0; i < workload_encounters(&bench->workload); i++)
        for (size_t k = 0; k < set->count; k++)
            for (size_t m = 0; m < subject.count; m++)
                if (subject.series[m].measure->key == set->items[k].measure.key) {
                    int64_t figure = statistic(&set->items[k], &subject.collected[m]);
                    __asm__ volatile("" : : "r"(figure) : "memory"); // it is needed, each time
                }
    return finish(bench, started_ns);
}

const struct bench_path bench_engine = {
    .name = "engine", .summary = "the engine alone on one core: encounters judged", .run = run};
const struct bench_path bench_engine_plain = {
    .name = "engine-plain",
    .summary = "plain loops for the same statistics over the same values",
    .run = run_plain};
