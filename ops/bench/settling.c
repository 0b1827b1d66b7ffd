// Settling on one core, without Redis: what a worker does for an encounter that it has taken. Its
// minute logs are read, it is judged, contribution and verdicts are written; again and again. The
// logs are as folds write them; of late data, what came first stands last.

#include "ops/bench/bench.h"
#include "worker/core/settle.h"

#include <stdlib.h>
#include <string.h>

enum { FOLD_BATCHES = 10, MINUTES_MOST = 250, LOG_MAX = 16 << 20, CHUNKS_MAX = 4096 };

struct settling {
    const struct bench *bench;
    const struct branch *branch;
    struct stream streams[BRANCH_GATEWAYS_MAX];
    uint16_t gateway; // whose batch is taken
    struct minutes_builder *builder;
    struct buffer logs[MINUTES_MOST]; // each a minute's
    struct buffer minutes;            // as a take hands them over
    size_t minute_count;
    struct taken taken;
    uint64_t bytes;
};

static void take_batch(void *context, const struct batch *batch) {
    struct settling *s = context;
    for (size_t i = 0; i < batch->series_count; i++)
        (void)minutes_add(s->builder, &batch->series[i], 0, s->branch->gateways[s->gateway].key, 0,
                          INT64_MAX / 2);
}

/// What a fold appends goes behind, or in front of, what stands there.
static void append(struct buffer *log, struct bytes chunks, bool late) {
    size_t before = log->size;
    buffer_put(log, chunks.data, chunks.size);
    if (!late || log->failed) return;
    memmove(log->data + chunks.size, log->data, before);
    memcpy(log->data, chunks.data, chunks.size);
}

/// As worker/store/KEYS.md has a fold's minutes.
static bool write_fold(struct settling *s, bool late) {
    struct buffer chunks;
    buffer_init(&chunks, LOG_MAX);
    minutes_finish(s->builder, &chunks);
    minutes_builder_clear(s->builder);
    struct reader reader = reader_of(buffer_bytes(&chunks));
    bool fine = !chunks.failed;
    while (fine && reader_left(&reader)) {
        (void)reader_u16(&reader);
        size_t minute = reader_u32(&reader) - WORKLOAD_START_MS / MINUTE_MS;
        (void)reader_u64(&reader);
        struct bytes log = reader_take(&reader, reader_u32(&reader));
        fine = !reader.failed && minute < MINUTES_MOST;
        if (fine) append(&s->logs[minute], log, late);
        if (fine && minute >= s->minute_count) s->minute_count = minute + 1;
    }
    buffer_fini(&chunks);
    return fine;
}

static bool write_logs(struct settling *s, bool late) {
    for (bool more = true; more;) {
        more = false;
        for (s->gateway = 0; s->gateway < s->branch->gateway_count; s->gateway++) {
            struct stream *stream = &s->streams[s->gateway];
            for (int i = 0; i < FOLD_BATCHES && !stream_ended(stream); i++)
                stream_next(stream);
            more = more || !stream_ended(stream);
        }
        if (!write_fold(s, late)) return false;
    }
    return true;
}

static bool settling_init(struct settling *s, const struct bench *bench, bool late) {
    struct workload one = bench->workload;
    one.encounters = 1;
    s->bench = bench;
    s->branch = &bench->catalogue.branches.items[0];
    s->builder = minutes_builder_new((size_t)FOLD_BATCHES * BATCH_OBSERVATIONS_MAX, CHUNKS_MAX, 1);
    if (!s->builder) return false;
    for (size_t i = 0; i < MINUTES_MOST; i++)
        buffer_init(&s->logs[i], LOG_MAX);
    for (size_t i = 0; i < s->branch->gateway_count; i++)
        if (stream_init(&s->streams[i], &one, s->branch, &s->branch->gateways[i], take_batch, s))
            return false;
    if (!write_logs(s, late)) return false;
    buffer_init(&s->minutes, LOG_MAX);
    for (size_t i = 0; i < s->minute_count; i++) {
        buffer_put_u32(&s->minutes, (uint32_t)(WORKLOAD_START_MS / MINUTE_MS + (int64_t)i));
        buffer_put_u32(&s->minutes, (uint32_t)s->logs[i].size);
        buffer_put(&s->minutes, s->logs[i].data, s->logs[i].size);
    }
    int64_t end_ms = WORKLOAD_START_MS + (int64_t)one.samples * WORKLOAD_STEP_MS;
    s->taken = (struct taken){.minute_count = s->minute_count,
                              .encounter = {.outcome = OUTCOME_NORMAL,
                                            .issued_ms = WORKLOAD_START_MS,
                                            .called_ms = WORKLOAD_START_MS,
                                            .started_ms = WORKLOAD_START_MS,
                                            .ended_ms = end_ms}};
    return name_set(&s->taken.encounter.id, "e", 1) && !s->minutes.failed;
}

static void settling_fini(struct settling *s) {
    for (size_t i = 0; i < s->branch->gateway_count; i++)
        stream_fini(&s->streams[i]);
    for (size_t i = 0; i < MINUTES_MOST; i++)
        buffer_fini(&s->logs[i]);
    buffer_fini(&s->minutes);
    minutes_builder_free(s->builder);
}

/// All encounters of the workload, one like the other.
static int settle_all(const struct settling *s, struct bench_result *result) {
    const struct zone *zone = &s->branch->zone;
    struct local_time local = zone_local(zone, WORKLOAD_START_MS);
    const struct standard_set *set = standards_plan_at(
        &s->bench->catalogue.plans[0], local.year * 10000 + local.month * 100 + local.day);
    struct minutes_reader *reader =
        minutes_reader_new((size_t)s->bench->workload.samples * s->branch->gateway_count);
    struct judgement *judgements = calloc(set->count, sizeof judgements[0]);
    struct buffer contribution, verdicts;
    buffer_init(&contribution, 1 << 20);
    buffer_init(&verdicts, 1 << 20);
    int status = reader && judgements ? 0 : bench_fail("out of memory");
    result->started_ns = bench_ready();
    for (uint64_t i = 0; !status && i < workload_encounters(&s->bench->workload); i++) {
        struct taken taken = s->taken;
        struct scores scores;
        struct settle_call call;
        const struct series *series;
        size_t count;
        taken.minutes = reader_of(buffer_bytes(&s->minutes));
        if (settle_series(&taken, &s->bench->catalogue.measures.measures, reader, &series, &count))
            status = bench_fail("the minute logs cannot be read");
        engine_evaluate(set, &taken.encounter, series, count, &(struct engine_context){0},
                        judgements, &scores);
        if (settle_write(&taken, zone, set, judgements, &scores, &contribution, &verdicts, &call))
            status = bench_fail("a settlement is too long");
        result->wire_bytes += s->minutes.size + contribution.size + verdicts.size;
    }
    result->ended_ns = bench_now_ns();
    for (size_t i = 0; i < set->count && !status; i++)
        if (judgements[i].coverage_millionths < 1000000)
            status = bench_fail("%s saw only part of it", set->items[i].id.text);
    buffer_fini(&contribution);
    buffer_fini(&verdicts);
    free(judgements);
    minutes_reader_free(reader);
    return status;
}

static int run_settling(const struct bench *bench, bool late) {
    static struct settling settling;
    struct bench_result result = {.observations = workload_observations(&bench->workload)};
    int status = settling_init(&settling, bench, late) ? settle_all(&settling, &result)
                                                       : bench_fail("settling: no memory");
    if (!status) bench_result(&result);
    settling_fini(&settling);
    return status;
}

static int run(const struct bench *bench) {
    return run_settling(bench, false);
}

static int run_late(const struct bench *bench) {
    return run_settling(bench, true);
}

const struct bench_path bench_settling = {
    .name = "settling", .summary = "one core settling: logs read, judged, written", .run = run};
const struct bench_path bench_settling_late = {
    .name = "settling-late", .summary = "the same once more after late data", .run = run_late};
