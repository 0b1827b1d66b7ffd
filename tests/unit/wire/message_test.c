#include "common/wire/message.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct buffer buffer;
static struct problem problem;

static void begin(void) {
    buffer_init(&buffer, FRAME_MAX);
}

static void end(void) {
    buffer_fini(&buffer);
}

TestSuite(message, .init = begin, .fini = end);

static struct id id(const char *text) {
    struct id id;
    cr_assert(id_set(&id, text, strlen(text)));
    return id;
}

static enum err decode(struct message *message) {
    struct reader frame = reader_of(buffer_bytes(&buffer));
    return message_decode(&frame, message, &problem);
}

static struct message sent_and_received(const struct message *message) {
    struct message received;
    cr_assert(eq(int, message_encode(message, &buffer), ERR_NONE));
    cr_assert(eq(int, decode(&received), ERR_NONE), "%s", problem.text);
    return received;
}

/// Write a map by hand: "*" takes the bytes as they are.
static void raw(const char *bytes, size_t size) {
    buffer_clear(&buffer);
    buffer_put(&buffer, bytes, size);
}
#define RAW(literal) raw("" literal, sizeof(literal) - 1)

Test(message, a_batch_arrives_as_it_was_sent) {
    struct message batch = {
        .type = MESSAGE_BATCH,
        .session = 7,
        .position = {.epoch = 3, .number = NUMBER_MAX, .tag = {{1, 2, 3, 4, 5, 6, 7, 8}}},
        .lost = 9,
        .body = bytes_of_text("body"),
        .as = bytes_of_text("gateway.b.g"),
    };
    struct message got = sent_and_received(&batch);
    cr_assert(eq(int, got.type, MESSAGE_BATCH));
    cr_assert(eq(u64, got.session, 7));
    cr_assert(eq(u64, got.position.epoch, 3));
    cr_assert(eq(u64, got.position.number, NUMBER_MAX));
    cr_assert(tag_equal(got.position.tag, batch.position.tag));
    cr_assert(eq(u64, got.lost, 9));
    cr_assert(bytes_equal(got.body, batch.body));
    cr_assert(bytes_equal(got.as, batch.as));
}

Test(message, every_field_of_an_ask_arrives) {
    struct message ask = {.type = MESSAGE_ASK,
                          .session = 1,
                          .spool = {{9, 8, 7}},
                          .held = 5,
                          .spooled = 6,
                          .dropped = 7,
                          .left_out = 4,
                          .oldest_ms = 0,
                          .read_permille = 1000,
                          .ended = true};
    struct message got = sent_and_received(&ask);
    cr_assert(got.has_spool);
    cr_assert(eq(int, memcmp(&got.spool, &ask.spool, sizeof ask.spool), 0));
    cr_assert(eq(u64, got.held, 5));
    cr_assert(eq(u64, got.spooled, 6));
    cr_assert(eq(u64, got.dropped, 7));
    cr_assert(eq(u64, got.left_out, 4));
    cr_assert(eq(i64, got.oldest_ms, 0));
    cr_assert(eq(u32, got.read_permille, 1000));
    cr_assert(got.ended);
}

Test(message, what_is_not_there_reads_as_nothing) {
    struct message ask = {.type = MESSAGE_ASK, .session = 1, .oldest_ms = TIME_NONE};
    struct message got = sent_and_received(&ask);
    cr_assert(eq(i64, got.oldest_ms, TIME_NONE));
    cr_assert(eq(i64, got.due_ms, -1));
    cr_assert(eq(sz, got.as.size, 0));
}

Test(message, done_names_its_jobs) {
    uint8_t jobs[16] = {1, [8] = 2};
    struct message done = {.type = MESSAGE_DONE,
                           .status = ANSWER_LATER,
                           .wait_ms = 250,
                           .due_ms = 0,
                           .job_count = 2,
                           .jobs = {jobs, sizeof jobs}};
    struct message got = sent_and_received(&done);
    cr_assert(eq(sz, got.job_count, 2));
    cr_assert(eq(int, got.status, ANSWER_LATER));
    cr_assert(eq(u32, got.wait_ms, 250));
    cr_assert(eq(i64, got.due_ms, 0));
}

Test(message, what_a_job_needs_depends_on_what_it_is) {
    struct message settle = {
        .type = MESSAGE_JOB, .what = JOB_SETTLE, .job = 4, .branch = id("b"), .due_ms = -1};
    cr_assert(eq(str, sent_and_received(&settle).branch.text, "b"));
    // {v:1, type:"job", job:4, what:"batch", branch:"b"}
    RAW("\x85\xa1v\x01\xa4type\xa3job\xa3job\x04\xa4what\xa5"
        "batch\xa6"
        "branch\xa1"
        "b");
    struct message got;
    cr_assert(eq(int, decode(&got), ERR_FORMAT));
    cr_assert(eq(str, problem.text, "job: key gateway is missing"));
}

Test(message, a_frame_is_a_sequence_of_messages) {
    struct message ready = {.type = MESSAGE_READY, .worker = id("w1"), .credit = 8};
    struct message bye = {.type = MESSAGE_GOODBYE, .worker = id("w1")};
    cr_assert(eq(int, message_encode(&ready, &buffer), ERR_NONE));
    cr_assert(eq(int, message_encode(&bye, &buffer), ERR_NONE));
    struct reader frame = reader_of(buffer_bytes(&buffer));
    struct message got;
    cr_assert(eq(int, message_decode(&frame, &got, NULL), ERR_NONE));
    cr_assert(eq(int, got.type, MESSAGE_READY));
    cr_assert(eq(int, message_decode(&frame, &got, NULL), ERR_NONE));
    cr_assert(eq(int, got.type, MESSAGE_GOODBYE));
    cr_assert(eq(int, message_decode(&frame, &got, NULL), ERR_END));
}

Test(message, another_version_is_told_so_whatever_else_it_holds) {
    // {type:"dance", v:2}, then a goodbye: the frame goes on behind it.
    RAW("\x82\xa4type\xa5"
        "dance\xa1v\x02");
    struct message bye = {.type = MESSAGE_GOODBYE, .worker = id("w1")}, got;
    cr_assert(eq(int, message_encode(&bye, &buffer), ERR_NONE));
    struct reader frame = reader_of(buffer_bytes(&buffer));
    cr_assert(eq(int, message_decode(&frame, &got, &problem), ERR_VERSION));
    cr_assert(eq(str, problem.text, "protocol version 2 is not spoken here: send version 1"));
    cr_assert(eq(int, message_decode(&frame, &got, &problem), ERR_NONE));
}

Test(message, unknown_keys_are_ignored_in_any_order) {
    // {colour:[{x:nil}], worker:"w", type:"goodbye", session:"not for this type", v:1}
    RAW("\x85\xa6"
        "colour\x91\x81\xa1x\xc0\xa6worker\xa1w\xa4type\xa7goodbye\xa7session\xa3not\xa1v\x01");
    struct message got;
    cr_assert(eq(int, decode(&got), ERR_NONE), "%s", problem.text);
    cr_assert(eq(str, got.worker.text, "w"));
    cr_assert(eq(u64, got.session, 0));
}

Test(message, errors_name_the_key) {
    struct message got;
    RAW("\x81\xa1v\xa1x");
    cr_assert(eq(int, decode(&got), ERR_FORMAT));
    cr_assert(eq(str, problem.text, "key v: missing, or not an integer"));
    RAW("\x83\xa1v\x01\xa4type\xa7goodbye\xa6worker\xa2W!");
    cr_assert(eq(int, decode(&got), ERR_FORMAT));
    cr_assert(eq(str, problem.text, "key worker: not an id: [a-z0-9-]{1,32}"));
    RAW("\x84\xa1v\x01\xa4type\xa5ready\xa6worker\xa1w\xa6"
        "credit\xd0\xff");
    cr_assert(eq(int, decode(&got), ERR_RANGE));
    cr_assert(eq(str, problem.text, "key credit: outside 0..65536"));
    RAW("\x83\xa1v\x01\xa1v\x01\xa4type\xa7goodbye"); // a key twice
    cr_assert(eq(int, decode(&got), ERR_FORMAT));
}

// Whoever writes the keys in another order is read alike, and told alike what is wrong.
Test(message, version_and_type_may_come_last) {
    struct message bye = {.type = MESSAGE_GOODBYE, .worker = id("w1")}, got;
    // {credit:-1, worker:"w", type:"ready", v:1}, then a goodbye: the frame goes on behind it.
    RAW("\x84\xa6"
        "credit\xff\xa6worker\xa1w\xa4type\xa5ready\xa1v\x01");
    cr_assert(eq(int, message_encode(&bye, &buffer), ERR_NONE));
    struct reader frame = reader_of(buffer_bytes(&buffer));
    cr_assert(eq(int, message_decode(&frame, &got, &problem), ERR_RANGE));
    cr_assert(eq(str, problem.text, "key credit: outside 0..65536"));
    cr_assert(eq(int, message_decode(&frame, &got, &problem), ERR_NONE));
    RAW("\x84\xa6"
        "credit\x09\xa6worker\xa1w\xa4type\xa5ready\xa1v\x01");
    cr_assert(eq(int, decode(&got), ERR_NONE), "%s", problem.text);
    cr_assert(eq(u32, got.credit, 9));
}

// The broker keeps only what a spool may number: 2^53 would not survive Redis' doubles.
Test(message, numbers_stay_exact_in_a_double) {
    struct message batch = {.type = MESSAGE_BATCH, .position = {.number = NUMBER_MAX}};
    cr_assert(eq(int, message_encode(&batch, &buffer), ERR_NONE));
    uint8_t *number = memmem(buffer.data, buffer.size, "\xa6number\xcf", 8);
    memcpy(number + 8, "\x00\x20\x00\x00\x00\x00\x00\x00", 8);
    struct message got;
    cr_assert(eq(int, decode(&got), ERR_RANGE));
}

Test(message, a_long_reason_is_cut_between_characters) {
    char text[REASON_MAX + 2];
    memset(text, 'a', sizeof text);
    memcpy(text + REASON_MAX - 1, "\xc3\xa4", 3);
    struct message refused = {.type = MESSAGE_REFUSED, .reason = bytes_of_text(text)};
    cr_assert(eq(sz, sent_and_received(&refused).reason.size, REASON_MAX - 1));
}

Test(message, a_full_buffer_holds_what_it_held) {
    struct buffer small;
    buffer_init(&small, 40);
    struct message bye = {.type = MESSAGE_GOODBYE, .worker = id("w1")};
    cr_assert(eq(int, message_encode(&bye, &small), ERR_NONE));
    size_t size = small.size;
    cr_assert(eq(int, message_encode(&bye, &small), ERR_FULL));
    cr_assert(eq(sz, small.size, size));
    cr_assert(not(small.failed));
    buffer_fini(&small);
}

// A status grows with the number of gateways: too much of it is no reason to fall over.
Test(message, a_body_too_large_for_its_type_is_told) {
    static const uint8_t large[STATUS_BODY_MAX + 1];
    struct message status = {.type = MESSAGE_STATUS, .body = {large, sizeof large}};
    cr_assert(eq(int, message_encode(&status, &buffer), ERR_FULL));
    cr_assert(eq(sz, buffer.size, 0));
    status.body.size--;
    cr_assert(eq(int, message_encode(&status, &buffer), ERR_NONE));
    struct message got;
    cr_assert(eq(int, decode(&got), ERR_NONE));
    cr_assert(eq(sz, got.body.size, STATUS_BODY_MAX));
}
