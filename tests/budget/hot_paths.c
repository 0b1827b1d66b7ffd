// The hot paths on fixed inputs, one a run, for budget.py to count their instructions.
// usage: hot_paths CONFIG_DIR PATH   What is counted happens inside the functions counted_*.

#include "broker/core/dispatch.h"
#include "common/wire/body.h"
#include "ops/bench/workload.h"
#include "worker/core/ingest.h"
#include "worker/core/settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTED __attribute__((noinline, noclone, used))
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) must_failed(#condition, __LINE__);                                       \
    } while (0)

static _Noreturn void must_failed(const char *condition, int line) {
    fprintf(stderr, "hot_paths: line %d: %s\n", line, condition);
    exit(1);
}

enum { BATCH = 32, BATCHES = 94, BODIES_MAX = 1 << 20 };

struct bodies {
    struct buffer bytes;
    size_t count, ends[BATCHES + 8];
};
struct setting_up {
    struct catalogue catalogue;
    struct workload workload;
    const struct branch *branch;
    struct stream stream;
    struct bodies bodies;
};

static void take(void *context, const struct batch *batch) {
    struct bodies *bodies = context;
    MUST(bodies->count < sizeof bodies->ends / sizeof bodies->ends[0]);
    MUST(!body_encode(batch, true, &bodies->bytes));
    bodies->ends[bodies->count++] = bodies->bytes.size;
}

static struct bytes body_at(const struct bodies *bodies, size_t i) {
    size_t from = i ? bodies->ends[i - 1] : 0;
    return (struct bytes){bodies->bytes.data + from, bodies->ends[i] - from};
}

// ------------------------------------------------------------------ what is counted

/// One encounter of one gateway: from samples to encoded batches.
COUNTED static void counted_batching(struct setting_up *up) {
    while (!stream_ended(&up->stream))
        stream_next(&up->stream);
}

/// Those batches as messages, written and read.
COUNTED static void counted_messages(struct setting_up *up) {
    struct buffer frame;
    struct message message;
    struct problem problem;
    buffer_init(&frame, FRAME_MAX);
    for (size_t i = 0; i < up->bodies.count; i++) {
        struct message batch = {.type = MESSAGE_BATCH,
                                .session = 1,
                                .position = {.epoch = 1, .number = i + 1},
                                .body = body_at(&up->bodies, i)};
        MUST(!message_encode(&batch, &frame));
    }
    struct reader reader = reader_of(buffer_bytes(&frame));
    for (size_t i = 0; i < up->bodies.count; i++)
        MUST(!message_decode(&reader, &message, &problem));
    buffer_fini(&frame);
}

/// Those batches through a worker: read, folded, written as one call.
COUNTED static void counted_ingest(struct setting_up *up, struct ingest *ingest,
                                   struct arena *arena, struct buffer *argument) {
    struct problem problem;
    struct batch batch;
    struct body_oddities oddities;
    struct fold fold;
    ingest_begin(ingest, up->branch, 1);
    for (size_t i = 0; i < up->bodies.count; i++) {
        const struct envelope envelope = {.gateway = 0, .epoch = 1, .number = i + 1};
        arena_reset(arena);
        MUST(!body_decode(body_at(&up->bodies, i), &up->catalogue.measures.measures, arena, &batch,
                          &oddities, &problem));
        MUST(!ingest_add(ingest, &envelope, &batch, &oddities, INT64_MAX / 2, &problem));
    }
    MUST(!ingest_fold(ingest, &fold));
    call_ingest(&fold, argument);
    MUST(!argument->failed);
}

/// One encounter: its minute logs read.
COUNTED static void counted_minutes(struct setting_up *up, struct reader chunks,
                                    struct minutes_reader *reader, const struct series **series,
                                    size_t *count) {
    const struct span span = {WORKLOAD_START_MS,
                              WORKLOAD_START_MS + (int64_t)WORKLOAD_SAMPLES * WORKLOAD_STEP_MS};
    minutes_reader_begin(reader, span, &up->catalogue.measures.measures);
    while (reader_left(&chunks)) { // as worker/store/KEYS.md has them
        (void)reader_u16(&chunks);
        int64_t minute = reader_u32(&chunks);
        (void)reader_u64(&chunks);
        struct bytes log = reader_take(&chunks, reader_u32(&chunks));
        MUST(!chunks.failed && !minutes_reader_add(reader, minute, log));
    }
    MUST(!minutes_reader_end(reader, series, count));
}

/// That encounter judged by every standard.
COUNTED static void counted_judging(const struct standard_set *set,
                                    const struct encounter *encounter, const struct series *series,
                                    size_t count, struct judgement *judgements) {
    struct scores scores;
    engine_evaluate(set, encounter, series, count, &(struct engine_context){0}, judgements,
                    &scores);
}

/// Batches of one gateway through the broker's core, each handed out and done.
COUNTED static void counted_dispatch(struct dispatch *dispatch, size_t batches) {
    struct dispatch_actions out;
    for (uint64_t number = 1; number <= batches; number++) {
        uint8_t job[8];
        bool handed_out = false;
        dispatch_step(dispatch,
                      &(struct dispatch_input){.kind = INPUT_BATCH,
                                               .session = 1,
                                               .bytes = 100,
                                               .slot = (uint32_t)(number % 2),
                                               .position = {.epoch = 1, .number = number}},
                      &out);
        for (size_t i = 0; i < out.count; i++)
            if (out.items[i].kind == ACTION_JOB && out.items[i].what == JOB_BATCH) {
                handed_out = true;
                memcpy(job, &out.items[i].job, sizeof job);
            }
        MUST(handed_out);
        dispatch_step(dispatch,
                      &(struct dispatch_input){.kind = INPUT_DONE,
                                               .jobs = {job, sizeof job},
                                               .status = ANSWER_APPLIED,
                                               .due_ms = -1,
                                               .position = {.epoch = 1, .number = number}},
                      &out);
    }
}

// ------------------------------------------------------------------ what leads there

static void run_batching(struct setting_up *up) {
    counted_batching(up);
}

static void run_messages(struct setting_up *up) {
    counted_batching(up);
    counted_messages(up);
}

static void ingest_all(struct setting_up *up, struct buffer *argument) {
    const struct ingest_limits limits = ingest_limits_default();
    struct ingest *ingest = ingest_new(&limits);
    struct arena arena;
    MUST(ingest && !arena_init(&arena, BODY_ARENA_SIZE));
    buffer_init(argument, BODIES_MAX);
    counted_batching(up);
    counted_ingest(up, ingest, &arena, argument);
    arena_fini(&arena);
    ingest_free(ingest);
}

static void run_ingest(struct setting_up *up) {
    struct buffer argument;
    ingest_all(up, &argument);
    buffer_fini(&argument);
}

/// The chunks of the branch's first gateway, from its samples.
static void chunks_of(struct setting_up *up, struct buffer *chunks) {
    struct minutes_builder *builder = minutes_builder_new(WORKLOAD_SAMPLES + 1, 1024, 1);
    struct arena arena;
    MUST(builder && !arena_init(&arena, BODY_ARENA_SIZE));
    counted_batching(up);
    for (size_t i = 0; i < up->bodies.count; i++) {
        struct batch batch;
        struct body_oddities oddities;
        struct problem problem;
        arena_reset(&arena);
        MUST(!body_decode(body_at(&up->bodies, i), &up->catalogue.measures.measures, &arena, &batch,
                          &oddities, &problem));
        for (size_t k = 0; k < batch.series_count; k++)
            MUST(!minutes_add(builder, &batch.series[k], 0, up->branch->gateways[0].key, 0,
                              INT64_MAX / 2));
    }
    buffer_init(chunks, BODIES_MAX);
    MUST(minutes_finish(builder, chunks));
    arena_fini(&arena);
    minutes_builder_free(builder);
}

static void run_judging(struct setting_up *up) {
    struct minutes_reader *reader = minutes_reader_new(WORKLOAD_SAMPLES + 1);
    struct buffer chunks;
    const struct series *series;
    size_t count;
    MUST(reader);
    chunks_of(up, &chunks);
    counted_minutes(up, reader_of(buffer_bytes(&chunks)), reader, &series, &count);
    MUST(count == 1 && series->columns.count == WORKLOAD_SAMPLES);

    const struct standard_set *set = standards_plan_at(&up->catalogue.plans[0], 20250101);
    struct judgement *judgements = calloc(set->count, sizeof judgements[0]);
    struct encounter encounter = {.outcome = OUTCOME_NORMAL,
                                  .issued_ms = WORKLOAD_START_MS,
                                  .called_ms = WORKLOAD_START_MS,
                                  .started_ms = WORKLOAD_START_MS,
                                  .ended_ms = WORKLOAD_START_MS +
                                              (int64_t)WORKLOAD_SAMPLES * WORKLOAD_STEP_MS};
    MUST(judgements && name_set(&encounter.id, "e", 1));
    counted_judging(set, &encounter, series, count, judgements);
    free(judgements);
    buffer_fini(&chunks);
    minutes_reader_free(reader);
}

static void run_dispatch(struct setting_up *up) {
    const struct dispatch_limits limits = {.workers = 1,
                                           .batches = 64,
                                           .bytes = 1 << 20,
                                           .window = 16,
                                           .quantum = 65536,
                                           .worker_silence_ms = 1000,
                                           .job_ms = 1000,
                                           .settle_probe_ms = 1000,
                                           .deaths = 3};
    const uint32_t branch = 0;
    struct dispatch_actions out;
    struct dispatch *dispatch = dispatch_new(&limits, 1, &branch, 1, 0);
    (void)up;
    MUST(dispatch);
    dispatch_step(dispatch,
                  &(struct dispatch_input){.kind = INPUT_READY, .credit = 64, .fresh = true}, &out);
    counted_dispatch(dispatch, 1000);
    MUST(dispatch_counters(dispatch)->done >= 1000);
    dispatch_free(dispatch);
}

static const struct {
    const char *name;
    void (*run)(struct setting_up *up);
} paths[] = {{"batching", run_batching}, {"messages", run_messages}, {"ingest", run_ingest},
             {"minutes", run_judging},   {"judging", run_judging},   {"dispatch", run_dispatch}};

int main(int argc, char **argv) {
    static struct setting_up up;
    static struct problems problems;
    if (argc != 3 || !catalogue_load(argv[1], &up.catalogue, &problems)) {
        problems_print(&problems, stderr);
        fputs("usage: hot_paths CONFIG_DIR PATH\n", stderr);
        return 2;
    }
    up.workload = (struct workload){.branches = &up.catalogue.branches,
                                    .measures = &up.catalogue.measures.measures,
                                    .encounters = 1,
                                    .samples = WORKLOAD_SAMPLES,
                                    .batch = BATCH};
    up.branch = &up.catalogue.branches.items[0];
    buffer_init(&up.bodies.bytes, BODIES_MAX);
    MUST(!stream_init(&up.stream, &up.workload, up.branch, &up.branch->gateways[0], take,
                      &up.bodies));
    bool found = false;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (!strcmp(paths[i].name, argv[2])) {
            found = true;
            paths[i].run(&up);
        }
    MUST(found);
    stream_fini(&up.stream);
    buffer_fini(&up.bodies.bytes);
    catalogue_free(&up.catalogue);
    return 0;
}
