// The pipeline against a hand-written store: jobs go in, calls come out, replies go in.

#include "worker/core/pipeline.h"

#include "common/wire/body.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The world: two branches, two gateways and one counter each, one standard.

static struct id counters[] = {{"desk-1"}};
static uint16_t all_counters[] = {0};
static struct branch_gateway gateways[] = {
    {.id = {"desk"}, .opens = true, .counter_count = 1, .counters = all_counters},
    {.id = {"floor"}, .counter_count = 1, .counters = all_counters}};
static const int64_t utc_from[] = {INT64_MIN};
static const int32_t utc_offset[] = {0};
static struct branch branches[] = {{.id = {"a"},
                                    .counter_count = 1,
                                    .counters = counters,
                                    .gateway_count = 2,
                                    .gateways = gateways},
                                   {.id = {"b"},
                                    .counter_count = 1,
                                    .counters = counters,
                                    .gateway_count = 2,
                                    .gateways = gateways}};

static struct measure measure = {.id = {"distance.client"},
                                 .unit = "m",
                                 .resolution = 0.01,
                                 .least = 0,
                                 .most = 20,
                                 .uncertainty = 0.05};
static struct measures measures = {1, &measure};
static struct standard standard = {.id = {"timing.service"},
                                   .norm = {"prompt"},
                                   .value = {"respect"},
                                   .dimension = DIMENSION_TIMING,
                                   .status = STATUS_ACTIVE,
                                   .weight = 1,
                                   .permitted = true,
                                   .during = {.phase = PHASE_SERVICE},
                                   .statistic = STATISTIC_DURATION,
                                   .unit = "s",
                                   .step = 0.001,
                                   .bound = {BOUND_OPEN_LEAST, 600000},
                                   .any_offering = true,
                                   .outcomes = UINT32_MAX};
static struct standard_set set = {.count = 1, .items = &standard, .hash_text = "cafe"};
static struct standard_set next_set = {.count = 1, .items = &standard, .hash_text = "beef"};
static struct dated_set sets[] = {{0, &set}, {19700102, &next_set}};
static struct standards_plan plan = {2, sets};
static struct pipeline_branch known[2];

// The linker puts this before what buffers grow by.
static bool no_memory;
void *__real_realloc(void *memory, size_t size);  // NOLINT: the linker's name
void *__wrap_realloc(void *memory, size_t size);  // NOLINT
void *__wrap_realloc(void *memory, size_t size) { // NOLINT
    return no_memory ? NULL : __real_realloc(memory, size);
}

static struct pipeline *pipeline;
static struct pipeline_action action;
static uint64_t now_ms;
static uint64_t next_job;
static struct buffer bodies[512]; // kept until the test ends
static size_t body_count;
static int frames;      // held by the pipeline
static uint32_t broker; // whose jobs come

static void set_up(void) {
    for (size_t i = 0; i < 2; i++) {
        branches[i].zone = (struct zone){1, utc_from, utc_offset};
        known[i] = (struct pipeline_branch){&branches[i], &plan, 7};
        gateways[i].key = gateway_key(&gateways[i].id);
    }
    struct pipeline_limits limits = pipeline_limits_default();
    pipeline = pipeline_new(&limits, known, 2, &measures, 1);
    now_ms = 1000;
    next_job = broker = 0;
    frames = 0;
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_STORE_UP, .now_ms = now_ms});
}

static void tear_down(void) {
    pipeline_free(pipeline);
    for (size_t i = 0; i < body_count; i++)
        buffer_fini(&bodies[i]);
    body_count = 0;
}
TestSuite(pipeline, .init = set_up, .fini = tear_down);

static struct bytes body(const char *counter) {
    struct buffer *out = &bodies[body_count++];
    struct batch_series series = {.measure = &measure,
                                  .watched = {1000000, 1060000},
                                  .base_ms = 1000000,
                                  .columns = {.count = 1,
                                              .t_ms = (int32_t[]){0},
                                              .value = (int32_t[]){100},
                                              .confidence = (uint8_t[]){100}}};
    id_set(&series.counter, counter, strlen(counter));
    struct batch batch = {.watermark_ms = 1060000, .series_count = 1, .series = &series};
    buffer_init(out, BATCH_BODY_MAX);
    cr_assert(eq(int, body_encode(&batch, true, out), ERR_NONE));
    return buffer_bytes(out);
}

static void job(struct message message) {
    message.type = MESSAGE_JOB;
    message.job = ++next_job;
    if (message.session == 0) message.session = 1;
    if (!message.branch.text[0]) message.branch = (struct id){"a"};
    if (!message.gateway.text[0]) message.gateway = (struct id){"desk"};
    frames++;
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_JOB,
                                                      .now_ms = now_ms,
                                                      .utc_ms = 2000000,
                                                      .broker = broker,
                                                      .message = &message,
                                                      .frame = &frames});
}

static struct tag tag_of(uint64_t number) {
    return (struct tag){{(uint8_t)(number - 1), 0, 0, 0, (uint8_t)number}};
}

static void batch(const char *gateway, uint64_t number) {
    struct message message = {
        .what = JOB_BATCH, .position = {1, number, tag_of(number)}, .body = body("desk-1")};
    id_set(&message.gateway, gateway, strlen(gateway));
    job(message);
}

/// The next action must be of this kind.
static void expect(enum pipeline_action_kind kind) {
    cr_assert(pipeline_next(pipeline, &action));
    cr_assert(eq(int, action.kind, kind), "got action %d", action.kind);
    frames -= (int)action.frame_count;
}
static void expect_none(void) {
    bool any = pipeline_next(pipeline, &action);
    cr_assert(not(any), "got action %d", action.kind);
}

static struct buffer reply_buffer;

static void reply_begin(enum store_status status, int64_t due_ms) {
    buffer_fini(&reply_buffer);
    buffer_init(&reply_buffer, 1 << 16);
    buffer_put_u8(&reply_buffer, (uint8_t)status);
    buffer_put_u64(&reply_buffer, (uint64_t)due_ms);
}

static void reply_send(enum pipeline_call call, uint32_t branch) {
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_REPLY,
                                                      .now_ms = now_ms,
                                                      .branch = branch,
                                                      .call = call,
                                                      .class = CALL_OK,
                                                      .reply = buffer_bytes(&reply_buffer)});
}

static void call_failed(enum pipeline_call call, enum call_class class) {
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_REPLY,
                                                      .now_ms = now_ms,
                                                      .call = call,
                                                      .class = class,
                                                      .reason = "because"});
}

struct stands {
    uint8_t gateway, flags;
    uint64_t number;
};
enum { UNFIT = 1, AHEAD = 2 };

static void ingested(enum store_status status, size_t count, const struct stands *stands) {
    reply_begin(status, -1);
    for (int i = 0; i < 3; i++)
        buffer_put_u32(&reply_buffer, 0);
    buffer_put_u8(&reply_buffer, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        buffer_put_u8(&reply_buffer, stands[i].gateway);
        buffer_put_u8(&reply_buffer, stands[i].flags);
        buffer_put_u64(&reply_buffer, 1);
        buffer_put_u64(&reply_buffer, stands[i].number);
        struct tag tag = tag_of(stands[i].number);
        buffer_put(&reply_buffer, tag.bytes, sizeof tag.bytes);
    }
    reply_send(CALL_INGEST, 0);
}
#define INGESTED(status, ...)                                                                      \
    ingested(status, sizeof((struct stands[]){__VA_ARGS__}) / sizeof(struct stands),               \
             (struct stands[]){__VA_ARGS__})

static void tick_at_deadline(void) {
    now_ms = pipeline_deadline_ms(pipeline);
    cr_assert(ne(u64, now_ms, DEADLINE_NEVER));
    pipeline_input(pipeline, &(struct pipeline_input){
                                 .kind = PIPELINE_TICK, .now_ms = now_ms, .utc_ms = 2000000});
}

// Half of what a call costs Redis is the call: what is in hand goes together.
Test(pipeline, batches_of_a_branch_fold_into_one_call) {
    batch("desk", 1);
    batch("floor", 1);
    batch("desk", 2);
    expect(ACTION_INGEST);
    cr_assert(eq(sz, action.fold.gateway_count, 2));
    cr_assert(eq(u64, action.fold.gateways[0].last, 2));
    expect_none();

    INGESTED(STORE_OK, {0, 0, 2}, {1, 0, 1});
    int jobs = 0;
    while (pipeline_next(pipeline, &action)) {
        cr_assert(eq(int, action.kind, ACTION_DONE));
        cr_assert(eq(int, action.done.status, ANSWER_APPLIED));
        frames -= (int)action.frame_count;
        jobs += (int)action.done.job_count;
    }
    cr_assert(eq(int, jobs, 3));
    cr_assert(eq(int, frames, 0));
}

// Two calls on their way could overtake each other after a retry.
Test(pipeline, a_branch_has_one_ingest_call_on_its_way) {
    batch("desk", 1);
    expect(ACTION_INGEST);
    batch("desk", 2);
    batch("desk", 3);
    expect_none();
    INGESTED(STORE_OK, {0, 0, 1});
    expect(ACTION_DONE);
    cr_assert(eq(u64, action.done.position.number, 1));
    expect(ACTION_INGEST);
    cr_assert(eq(u64, action.fold.gateways[0].first, 2));
    cr_assert(eq(u64, action.fold.gateways[0].last, 3));
}

// Branches do not wait for each other.
Test(pipeline, branches_have_calls_of_their_own) {
    batch("desk", 1);
    job((struct message){.what = JOB_BATCH,
                         .branch = {"b"},
                         .position = {.epoch = 1, .number = 1},
                         .body = body("desk-1")});
    expect(ACTION_INGEST);
    expect(ACTION_INGEST);
    cr_assert(eq(u32, action.branch, 1));
}

// A repeated batch is a success, never an error; what is missing sends its gateway a step back;
// what has nothing to do with it goes on.
Test(pipeline, what_does_not_fit_is_sorted_out_by_the_positions) {
    batch("desk", 4); // applied long ago
    batch("desk", 5);
    batch("floor", 9); // 8 is missing
    expect(ACTION_INGEST);
    INGESTED(STORE_UNFIT, {0, UNFIT, 4}, {1, UNFIT, 7});

    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_APPLIED));
    cr_assert(eq(u64, action.done.position.number, 4));
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_GAP));
    cr_assert(eq(u64, action.done.position.number, 7));
    expect(ACTION_INGEST);
    cr_assert(eq(sz, action.fold.gateway_count, 1));
    cr_assert(eq(u64, action.fold.gateways[0].first, 5));
}

// Behind a gap nothing of that gateway fits, however well it follows itself.
Test(pipeline, batches_behind_a_gap_are_gaps) {
    batch("desk", 5);
    batch("desk", 6);
    expect(ACTION_INGEST);
    INGESTED(STORE_UNFIT, {0, UNFIT, 3});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_GAP));
    cr_assert(eq(sz, action.done.job_count, 2));
    expect_none();
}

Test(pipeline, an_older_epoch_is_fenced) {
    struct message old = {.what = JOB_BATCH, .position = {.number = 1}, .body = body("desk-1")};
    job(old); // epoch 0
    expect(ACTION_INGEST);
    INGESTED(STORE_UNFIT, {0, UNFIT, 0});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_FENCED));
}

/// As batch, but what the spool has before it is another batch.
static void batch_astray(uint64_t number) {
    struct message message = {
        .what = JOB_BATCH, .position = {1, number, tag_of(number)}, .body = body("desk-1")};
    message.position.tag.bytes[1] = 1;
    job(message);
}

// Of a spool that was put back: its number is the next one, but not what lies before it. The answer
// shows the gateway another batch of that number.
Test(pipeline, a_batch_behind_another_than_that_applied_is_a_gap) {
    batch_astray(5);
    batch("desk", 6); // follows it well
    batch("floor", 1);
    expect(ACTION_INGEST);
    INGESTED(STORE_UNFIT, {0, UNFIT, 4}, {1, 0, 0});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_GAP));
    cr_assert(eq(u64, action.done.position.number, 4));
    cr_assert(tag_equal(action.done.position.tag, tag_of(4)));
    cr_assert(eq(sz, action.done.job_count, 2));
    expect(ACTION_INGEST);
    cr_assert(eq(sz, action.fold.gateway_count, 1));
    cr_assert(eq(int, action.fold.gateways[0].gateway, 1));
}

// The store sees of a fold only what its first batch follows.
Test(pipeline, a_fold_ends_where_the_chain_breaks) {
    batch("desk", 5);
    batch_astray(6);
    expect(ACTION_INGEST);
    cr_assert(eq(u64, action.fold.gateways[0].last, 5));
    cr_assert(tag_equal(action.fold.gateways[0].behind, tag_of(4)));
    INGESTED(STORE_OK, {0, 0, 5});
    expect(ACTION_DONE);
    expect(ACTION_INGEST);
    cr_assert(eq(u64, action.fold.gateways[0].first, 6));
    cr_assert(not(tag_equal(action.fold.gateways[0].behind, tag_of(5))));
}

// A full branch must still take what its slowest gateway brings, or it would stay full for ever.
Test(pipeline, only_gateways_ahead_in_event_time_are_put_off) {
    batch("desk", 1);
    batch("floor", 1);
    expect(ACTION_INGEST);
    INGESTED(STORE_LATER, {0, AHEAD, 0}, {1, 0, 0});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_LATER));
    cr_assert(gt(u32, action.done.wait_ms, 0));
    expect(ACTION_INGEST);
    cr_assert(eq(sz, action.fold.gateway_count, 1));
    cr_assert(eq(int, action.fold.gateways[0].gateway, 1));
}

// A lost answer may mean applied or not: the same again is safe, and in the same order.
Test(pipeline, a_lost_call_is_repeated_in_order_after_a_pause) {
    batch("desk", 1);
    expect(ACTION_INGEST);
    batch("desk", 2);
    call_failed(CALL_INGEST, CALL_RETRY);
    expect_none();
    tick_at_deadline();
    expect(ACTION_INGEST);
    cr_assert(eq(u64, action.fold.gateways[0].first, 1));
    cr_assert(eq(u64, action.fold.gateways[0].last, 2));
}

// Where the machine has no memory to write the call, there will be some later.
Test(pipeline, a_fold_that_cannot_be_written_is_tried_again) {
    pipeline_free(pipeline);
    struct pipeline_limits limits = pipeline_limits_default();
    limits.ingest.bytes = 1;
    pipeline = pipeline_new(&limits, known, 2, &measures, 1);
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_STORE_UP, .now_ms = now_ms});
    batch("desk", 1);
    for (int i = 0; i < 3; i++) {
        expect(ACTION_NOTICE);
        cr_assert(strstr(action.notice, "no memory") != NULL);
        expect_none();
        cr_assert(eq(int, frames, 1));
        tick_at_deadline();
    }
}

Test(pipeline, pauses_grow_to_a_bound) {
    uint64_t pause_ms = 0, before_ms = 0;
    batch("desk", 1);
    for (int i = 0; i < 12; i++) {
        expect(ACTION_INGEST);
        call_failed(CALL_INGEST, CALL_RETRY);
        expect_none();
        before_ms = now_ms;
        tick_at_deadline();
        cr_assert(ge(u64, now_ms - before_ms, pause_ms));
        pause_ms = now_ms - before_ms;
    }
    cr_assert(eq(u64, pause_ms, pipeline_limits_default().retry_most_ms));
}

// A store that cannot take a call must not block the branch's worker for ever, nor lose anything.
Test(pipeline, what_the_store_cannot_take_is_sent_away_not_acknowledged) {
    batch("desk", 1);
    for (int i = 0; i < 3; i++) {
        if (i > 0) tick_at_deadline();
        expect(ACTION_INGEST);
        call_failed(CALL_INGEST, CALL_ERROR);
    }
    expect(ACTION_NOTICE);
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_LATER));
    cr_assert(eq(int, frames, 0));
}

// A batch that nobody can read would come again for ever: it is kept aside, and told.
Test(pipeline, an_unreadable_batch_becomes_a_dead_letter) {
    job((struct message){
        .what = JOB_BATCH, .position = {1, 1, tag_of(1)}, .body = bytes_of_text("\xc1")});
    batch("desk", 2);
    expect(ACTION_INGEST);
    cr_assert(eq(sz, action.fold.dead_count, 1));
    cr_assert(eq(u64, action.fold.gateways[0].last, 2));
    INGESTED(STORE_OK, {0, 0, 2});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_DEAD));
    cr_assert(gt(sz, action.done.reason.size, 0));
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_APPLIED));
}

// Nothing of a gateway that speaks for a counter it does not serve is applied, and nothing lost.
Test(pipeline, a_foreign_counter_stops_its_gateway_only) {
    batch("floor", 1);
    job((struct message){
        .what = JOB_BATCH, .position = {.epoch = 1, .number = 1}, .body = body("desk-9")});
    batch("desk", 2);
    expect(ACTION_INGEST);
    cr_assert(eq(sz, action.fold.gateway_count, 1));
    cr_assert(eq(int, action.fold.gateways[0].gateway, 1));
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_REFUSED));
    cr_assert(eq(sz, action.done.job_count, 2));
    char reason[REASON_MAX + 1] = {0};
    memcpy(reason, action.done.reason.data, action.done.reason.size);
    cr_assert(strstr(reason, "desk-9") != NULL, "%s", reason);
}

// Even when nothing else is in hand, the refusal is told at once.
Test(pipeline, a_refusal_alone_is_told) {
    job((struct message){
        .what = JOB_BATCH, .position = {.epoch = 1, .number = 1}, .body = body("desk-9")});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_REFUSED));
    expect_none();
    cr_assert(eq(int, frames, 0));
}

// The answer to a question must know of all that was sent before it.
Test(pipeline, an_ask_keeps_its_place_between_batches) {
    batch("desk", 1);
    job((struct message){.what = JOB_ASK, .position = {.epoch = 1}});
    batch("desk", 2);
    expect(ACTION_INGEST);
    cr_assert(eq(u64, action.fold.gateways[0].last, 1));
    INGESTED(STORE_OK, {0, 0, 1});
    expect(ACTION_DONE);
    expect(ACTION_ASK);
    expect_none();
    reply_begin(STORE_OK, 500);
    buffer_put_u64(&reply_buffer, 1);
    buffer_put_u64(&reply_buffer, 1);
    buffer_put(&reply_buffer, tag_of(1).bytes, sizeof(struct tag));
    reply_send(CALL_ASK, 0);
    expect(ACTION_DONE);
    cr_assert(eq(i64, action.done.due_ms, 500));
    expect(ACTION_INGEST);
}

Test(pipeline, strangers_are_refused_by_name) {
    job((struct message){.what = JOB_BATCH, .branch = {"x"}, .body = body("desk-1")});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_REFUSED));
    job((struct message){.what = JOB_BATCH, .gateway = {"x"}, .body = body("desk-1")});
    expect(ACTION_DONE);
    cr_assert(eq(int, action.done.status, ANSWER_REFUSED));
}

// A broker that was frozen may hand out more than this worker has room for. Left unsaid, that would
// hold up its branch's settling, or a suspect's trial, until the broker's job_ms is over.
Test(pipeline, a_job_too_many_is_told_at_once) {
    uint8_t id[8];
    struct message settle = {.type = MESSAGE_JOB, .what = JOB_SETTLE, .job = 0x0102030405};
    struct message done = pipeline_turn_away(&settle, id);
    cr_assert(eq(int, done.type, MESSAGE_DONE));
    cr_assert(eq(int, done.status, ANSWER_LATER));
    cr_assert(gt(u32, done.wait_ms, 0));
    cr_assert(eq(sz, done.job_count, 1));
    cr_assert(eq(int, memcmp(done.jobs.data, "\5\4\3\2\1\0\0\0", 8), 0));
    struct buffer frame; // it must be a message that the protocol allows
    buffer_init(&frame, FRAME_MAX);
    cr_assert(eq(int, message_encode(&done, &frame), ERR_NONE));
    struct reader reader = reader_of(buffer_bytes(&frame));
    struct message read;
    struct problem problem;
    cr_assert(eq(int, message_decode(&reader, &read, &problem), ERR_NONE));
    cr_assert(eq(int, read.status, ANSWER_LATER));
    buffer_fini(&frame);
}

// Without the store a worker is of no use: the broker must know, and give work to others.
Test(pipeline, without_the_store_there_is_no_credit_and_no_call) {
    cr_assert(gt(u32, pipeline_credit(pipeline, 0), 0));
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_STORE_DOWN});
    cr_assert(eq(u32, pipeline_credit(pipeline, 0), 0));
    batch("desk", 1);
    expect_none();
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_STORE_UP});
    expect(ACTION_INGEST);
}

// Operations stop workers in the middle of the day.
Test(pipeline, draining_finishes_the_call_and_gives_back_the_rest) {
    batch("desk", 1);
    expect(ACTION_INGEST);
    batch("desk", 2);
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_DRAIN, .now_ms = now_ms});
    cr_assert(eq(u32, pipeline_credit(pipeline, 0), 0));
    expect(ACTION_RELEASE);
    expect_none();
    INGESTED(STORE_OK, {0, 0, 1});
    expect(ACTION_DONE);
    expect(ACTION_GOODBYE);
    expect_none();
    cr_assert(eq(int, frames, 0));
    cr_assert(eq(u64, pipeline_deadline_ms(pipeline), DEADLINE_NEVER));
}

Test(pipeline, draining_does_not_wait_for_a_silent_store) {
    batch("desk", 1);
    expect(ACTION_INGEST);
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_DRAIN, .now_ms = now_ms});
    expect_none();
    tick_at_deadline();
    expect(ACTION_GOODBYE);
    call_failed(CALL_INGEST, CALL_RETRY); // the connection is closed
    expect(ACTION_RELEASE);
    cr_assert(eq(int, frames, 0));
}

// Reserving

static void reserve(uint32_t number) {
    pipeline_input(pipeline, &(struct pipeline_input){
                                 .kind = PIPELINE_RESERVE, .now_ms = now_ms, .broker = number});
}

// A batch that may kill must not take another broker's along, nor be blamed for theirs.
Test(pipeline, is_reserved_once_it_holds_nothing_and_until_that_job_is_done) {
    batch("desk", 1);
    expect(ACTION_INGEST);
    reserve(1);
    expect(ACTION_READY);
    cr_assert(not(pipeline_reserved(pipeline, 1)));
    cr_assert(eq(u32, pipeline_credit(pipeline, 0), 0));
    cr_assert(gt(u32, pipeline_credit(pipeline, 1), 0));
    expect_none();
    INGESTED(STORE_OK, {0, 0, 1});
    expect(ACTION_DONE);
    expect(ACTION_READY);
    cr_assert(pipeline_reserved(pipeline, 1));

    batch("desk", 2); // was under way: waits
    expect_none();
    cr_assert(eq(u32, pipeline_waiting(pipeline), 1));
    broker = 1;
    batch("floor", 1);
    expect(ACTION_INGEST);
    cr_assert(eq(sz, action.fold.gateway_count, 1));
    cr_assert(eq(u64, pipeline_deadline_ms(pipeline), DEADLINE_NEVER)); // as long as it takes
    INGESTED(STORE_OK, {1, 0, 1});
    expect(ACTION_DONE);
    cr_assert(eq(u32, action.broker, 1));
    expect(ACTION_READY);
    cr_assert(not(pipeline_reserved(pipeline, 1)));
    cr_assert(gt(u32, pipeline_credit(pipeline, 0), 0));
    expect_none(); // if what waited kills, these words must have left
    broker = 0;
    batch("desk", 3); // not before it
    expect_none();
    tick_at_deadline();
    expect(ACTION_INGEST);
    cr_assert(eq(u64, action.fold.gateways[0].last, 3));
}

// The broker may have died, or found another worker.
Test(pipeline, a_reservation_without_a_job_ends) {
    reserve(1);
    expect(ACTION_READY);
    cr_assert(pipeline_reserved(pipeline, 1));
    reserve(0); // asks again when it has credit
    expect_none();
    batch("desk", 1);
    tick_at_deadline();
    expect(ACTION_READY);
    cr_assert(not(pipeline_reserved(pipeline, 1)));
    expect_none();
    tick_at_deadline();
    expect(ACTION_INGEST);
    reserve(0);
    expect(ACTION_READY);
    cr_assert(eq(u32, pipeline_credit(pipeline, 1), 0));
}

Test(pipeline, what_waits_for_the_end_of_a_reservation_goes_back_when_draining) {
    reserve(1);
    expect(ACTION_READY);
    batch("desk", 1);
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_DRAIN, .now_ms = now_ms});
    cr_assert(not(pipeline_reserved(pipeline, 1)));
    expect(ACTION_RELEASE);
    expect(ACTION_GOODBYE);
    cr_assert(eq(int, frames, 0));
}

// Settling

static void put_short(const char *text) {
    buffer_put_short(&reply_buffer, bytes_of_text(text));
}

static void put_taken(const char *id, bool crashed, int64_t started_ms, int64_t ended_ms) {
    buffer_put_u8(&reply_buffer, 0); // not withdrawn
    buffer_put_u8(&reply_buffer, 0); // one clock
    buffer_put_u8(&reply_buffer, crashed);
    buffer_put_u8(&reply_buffer, 0);  // not final
    buffer_put_u32(&reply_buffer, 0); // clock error
    buffer_put_u8(&reply_buffer, OUTCOME_NORMAL);
    buffer_put_u64(&reply_buffer, (uint64_t)-1);
    buffer_put_u64(&reply_buffer, (uint64_t)-1);
    buffer_put_u64(&reply_buffer, (uint64_t)started_ms);
    buffer_put_u64(&reply_buffer, (uint64_t)ended_ms);
    put_short(id);
    put_short("desk-1");
    put_short("desk");
    put_short("cash");
    put_short("e1");
    put_short("de");
    buffer_put_u32(&reply_buffer, 0); // decisions
    buffer_put_u32(&reply_buffer, 0); // verdicts
    buffer_put_u32(&reply_buffer, 0); // minutes
}

static void settled(int64_t due_ms) {
    reply_begin(STORE_OK, due_ms);
    buffer_put_u8(&reply_buffer, 1);
    buffer_put_u8(&reply_buffer, 0);
    reply_send(CALL_SETTLE, 0);
}

static void wants_settling(void) {
    job((struct message){.what = JOB_SETTLE});
    expect(ACTION_TAKE);
}

static void one_is_taken(bool crashed) {
    reply_begin(STORE_OK, -1);
    buffer_put_u8(&reply_buffer, 1);
    put_taken("e-1", crashed, 1000000, 1300000);
    reply_send(CALL_TAKE, 0);
}

// A new set holds for encounters that start in its time, however late the old ones are judged.
Test(pipeline, an_encounter_is_judged_by_the_set_of_its_day) {
    wants_settling();
    reply_begin(STORE_OK, -1);
    buffer_put_u8(&reply_buffer, 2);
    put_taken("e-1", false, DAY_MS - 1, DAY_MS + 300000);
    put_taken("e-2", false, DAY_MS, DAY_MS + 300000);
    reply_send(CALL_TAKE, 0);
    expect(ACTION_SETTLE);
    cr_assert(eq(str, action.settle.set.text, "cafe"));
    cr_assert(eq(ptr, (void *)action.set, &set));
    expect(ACTION_SETTLE);
    cr_assert(eq(str, action.settle.set.text, "beef"));
    cr_assert(eq(ptr, (void *)action.set, &next_set));
    settled(-1);
    settled(-1);
    expect(ACTION_DONE);
}

// The whole way of a due encounter: taken, judged by the engine, settled, told.
Test(pipeline, due_encounters_are_taken_judged_and_settled) {
    wants_settling();
    struct lease lease = action.take.lease;
    expect_none();
    reply_begin(STORE_OK, -1);
    buffer_put_u8(&reply_buffer, 2);
    put_taken("e-1", false, 1000000, 1300000);
    put_taken("e-2", false, 2000000, 2700000);
    reply_send(CALL_TAKE, 0);

    expect(ACTION_SETTLE);
    cr_assert(eq(str, action.settle.encounter.text, "e-1"));
    cr_assert(eq(int, memcmp(&action.settle.lease, &lease, sizeof lease), 0));
    cr_assert(eq(int, action.settle.contribution.data[CONTRIBUTION_HEAD_SIZE], VERDICT_MET));
    cr_assert(eq(str, action.settle.day, "1970-01-01"));
    expect(ACTION_SETTLE);
    cr_assert(eq(int, action.settle.contribution.data[CONTRIBUTION_HEAD_SIZE], VERDICT_NOT_MET));
    expect_none();
    settled(-1);
    expect_none();
    settled(250);
    expect(ACTION_DONE);
    cr_assert(eq(i64, action.done.due_ms, 250));
    expect_none();
    cr_assert(eq(int, frames, 0));
}

Test(pipeline, what_is_still_due_is_taken_in_the_same_job) {
    wants_settling();
    reply_begin(STORE_OK, 0);
    buffer_put_u8(&reply_buffer, 1);
    put_taken("e-1", false, 1000000, 1300000);
    reply_send(CALL_TAKE, 0);
    expect(ACTION_SETTLE);
    settled(0);
    expect(ACTION_TAKE);
}

// Where the machine has no memory to write what was judged, the lease runs out, and it is judged
// again.
Test(pipeline, what_cannot_be_written_is_told_and_left_to_its_lease) {
    wants_settling();
    reply_begin(STORE_OK, 250);
    buffer_put_u8(&reply_buffer, 2);
    put_taken("e-1", false, 1000000, 1300000);
    put_taken("e-2", false, 2000000, 2700000);
    no_memory = true;
    reply_send(CALL_TAKE, 0);
    expect(ACTION_NOTICE);
    cr_assert(strstr(action.notice, "no memory") != NULL);
    expect(ACTION_DONE);
    cr_assert(eq(i64, action.done.due_ms, 250));
    expect_none();

    no_memory = false;
    wants_settling();
    one_is_taken(false);
    expect(ACTION_SETTLE);
    cr_assert(eq(str, action.settle.encounter.text, "e-1"));
}

// Another worker has brought another registry meanwhile: what is due is not known, not nothing.
Test(pipeline, a_settle_without_a_registry_asks_again) {
    wants_settling();
    one_is_taken(false);
    expect(ACTION_SETTLE);
    reply_begin(STORE_UNCONFIGURED, -1);
    reply_send(CALL_SETTLE, 0);
    expect(ACTION_DONE);
    cr_assert(eq(i64, action.done.due_ms, 1000));
}

// An encounter that kills workers must not do so for ever.
Test(pipeline, a_crashing_encounter_is_settled_as_error_unjudged) {
    wants_settling();
    one_is_taken(true);
    expect(ACTION_SETTLE);
    cr_assert(eq(int, action.settle.contribution.data[CONTRIBUTION_HEAD_SIZE], VERDICT_ERROR));
    expect(ACTION_NOTICE);
}

// What is applied is reported before anything is judged.
Test(pipeline, ingest_comes_before_settling) {
    job((struct message){.what = JOB_SETTLE});
    batch("desk", 1);
    expect(ACTION_INGEST);
    expect(ACTION_TAKE);
}

Test(pipeline, a_lost_take_ends_the_job_and_asks_for_another) {
    wants_settling();
    call_failed(CALL_TAKE, CALL_RETRY);
    expect(ACTION_DONE);
    cr_assert(gt(i64, action.done.due_ms, 0));
}

static void store(enum pipeline_input_kind kind) {
    pipeline_input(pipeline, &(struct pipeline_input){.kind = kind, .now_ms = now_ms});
}

static void gave_back(enum store_status status) {
    reply_begin(status, 0);
    reply_send(CALL_GIVE_BACK, 0);
}

/// As when the connection is lost: what was on its way is answered first.
static void connection_lost(enum pipeline_call call) {
    call_failed(call, CALL_RETRY);
    store(PIPELINE_STORE_DOWN);
}

// The store may have done it: then an encounter waits under a lease that nobody has, and with every
// such lease it comes nearer to being called a killer. No job may come here that would tell.
Test(pipeline, a_lease_whose_take_was_not_answered_is_given_back_when_the_store_is_there) {
    wants_settling();
    struct lease lost = action.take.lease;
    connection_lost(CALL_TAKE);
    expect(ACTION_DONE);
    expect_none();
    store(PIPELINE_STORE_UP);
    expect(ACTION_GIVE_BACK);
    cr_assert(eq(u8, action.give_back.count, 1));
    cr_assert(eq(u64, action.give_back.configuration, 7));
    cr_assert(eq(int, memcmp(action.give_back.leases, &lost, sizeof lost), 0));
    gave_back(STORE_OK);
    expect_none();
    store(PIPELINE_STORE_DOWN);
    store(PIPELINE_STORE_UP);
    expect_none(); // once is enough
    wants_settling();
}

Test(pipeline, a_job_waits_for_what_is_given_back) {
    wants_settling();
    connection_lost(CALL_TAKE);
    expect(ACTION_DONE);
    store(PIPELINE_STORE_UP);
    expect(ACTION_GIVE_BACK);
    job((struct message){.what = JOB_SETTLE});
    expect_none();
    gave_back(STORE_OK);
    expect(ACTION_TAKE);
}

// The engine has lived through it, whatever the store knows of it.
Test(pipeline, a_lease_whose_settle_was_not_answered_is_given_back) {
    wants_settling();
    struct lease lost = action.take.lease;
    reply_begin(STORE_OK, -1);
    buffer_put_u8(&reply_buffer, 2);
    put_taken("e-1", false, 1000000, 1300000);
    put_taken("e-2", false, 1000000, 1300000);
    reply_send(CALL_TAKE, 0);
    expect(ACTION_SETTLE);
    expect(ACTION_SETTLE);
    call_failed(CALL_SETTLE, CALL_RETRY);
    connection_lost(CALL_SETTLE);
    expect(ACTION_DONE);
    store(PIPELINE_STORE_UP);
    expect(ACTION_GIVE_BACK);
    cr_assert(eq(u8, action.give_back.count, 1));
    cr_assert(eq(int, memcmp(action.give_back.leases, &lost, sizeof lost), 0));
}

// Say a library of before, which does not know the call: that must not end settling.
Test(pipeline, what_cannot_be_given_back_holds_nothing_up) {
    wants_settling();
    connection_lost(CALL_TAKE);
    expect(ACTION_DONE);
    store(PIPELINE_STORE_UP);
    expect(ACTION_GIVE_BACK);
    call_failed(CALL_GIVE_BACK, CALL_RETRY);
    expect_none();
    wants_settling();
    reply_begin(STORE_OK, -1);
    buffer_put_u8(&reply_buffer, 0);
    reply_send(CALL_TAKE, 0);
    expect(ACTION_DONE);
    store(PIPELINE_STORE_DOWN);
    store(PIPELINE_STORE_UP);
    expect(ACTION_GIVE_BACK); // perhaps now
    job((struct message){.what = JOB_SETTLE});
    call_failed(CALL_GIVE_BACK, CALL_ERROR);
    expect(ACTION_DONE);
    cr_assert(gt(i64, action.done.due_ms, 0));
    wants_settling();
    cr_assert(eq(int, frames, 1));
}

Test(pipeline, of_many_lost_leases_the_newest_are_given_back) {
    struct lease lost[GIVE_BACK_MAX + 1];
    for (size_t i = 0; i <= GIVE_BACK_MAX; i++) {
        wants_settling();
        lost[i] = action.take.lease;
        connection_lost(CALL_TAKE);
        expect(ACTION_DONE);
        store(PIPELINE_STORE_UP);
        expect(ACTION_GIVE_BACK);
        call_failed(CALL_GIVE_BACK, CALL_RETRY);
    }
    store(PIPELINE_STORE_UP);
    expect(ACTION_GIVE_BACK);
    cr_assert(eq(u8, action.give_back.count, GIVE_BACK_MAX));
    cr_assert(
        eq(int, memcmp(action.give_back.leases, lost + 1, sizeof action.give_back.leases), 0));
}

Test(pipeline, a_drain_waits_for_what_is_given_back_and_lets_its_job_go) {
    wants_settling();
    connection_lost(CALL_TAKE);
    expect(ACTION_DONE);
    store(PIPELINE_STORE_UP);
    expect(ACTION_GIVE_BACK);
    job((struct message){.what = JOB_SETTLE});
    pipeline_input(pipeline, &(struct pipeline_input){.kind = PIPELINE_DRAIN, .now_ms = now_ms});
    expect_none();
    gave_back(STORE_OK);
    expect(ACTION_DONE);
    expect(ACTION_GOODBYE);
    cr_assert(eq(int, frames, 0));
}

// It would ask again and again, as fast as messages travel, as long as the first one takes.
Test(pipeline, a_second_broker_that_wants_the_same_settled_asks_again_later) {
    wants_settling();
    broker = 1;
    job((struct message){.what = JOB_SETTLE});
    expect(ACTION_DONE);
    cr_assert(eq(u32, action.broker, 1));
    cr_assert(eq(int, action.done.status, ANSWER_APPLIED));
    cr_assert(ge(i64, action.done.due_ms, 100));
    expect_none();
}

Test(pipeline, leases_are_never_equal) {
    wants_settling();
    struct lease first = action.take.lease;
    reply_begin(STORE_OK, -1);
    buffer_put_u8(&reply_buffer, 0);
    reply_send(CALL_TAKE, 0);
    expect(ACTION_DONE);
    wants_settling();
    cr_assert(ne(int, memcmp(&action.take.lease, &first, sizeof first), 0));
}
