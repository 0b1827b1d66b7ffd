// Dead letters: what a person decides about them is one call, and no position moves.

#include "stage.h"
#include "worker/store/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct stage stage;
static const char letter[] = "desk:1:2";

/// The second batch of desk is a dead letter.
static void open_stage(void) {
    struct buffer argument;
    stage_open(&stage);
    buffer_init(&argument, 1 << 16);
    struct fold_gateway gateway = {
        .epoch = 1,
        .first = 1,
        .last = 2,
        .behind = stage_tag(0),
        .tag = stage_tag(2),
        .watermark_ms = TIME_NONE,
        .applied = 1,
        .dead = 1,
    };
    struct fold_dead dead = {
        .number = 2,
        .tag = stage_tag(2),
        .reason = bytes_of_text("torn"),
        .body = bytes_of_text("body"),
    };
    struct fold fold = {.configuration = stage.configuration,
                        .gateway_count = 1,
                        .gateways = &gateway,
                        .dead_count = 1,
                        .dead = &dead};
    call_ingest(&fold, &argument);
    cr_assert(gt(sz, stage_call(&stage, "tresen_v1_ingest", &argument).size, 0));
    stage.numbers[DESK] = 2;
    buffer_fini(&argument);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(dead, .init = open_stage, .fini = close_stage);

/// As if the letter said that an encounter began.
static struct replay_reply replay(const char *entry) {
    struct encounter encounter = stage_encounter("e1", NOON_MS, 0);
    struct fold_fact fact = {.encounter = &encounter};
    struct fold fold = {.configuration = stage.configuration, .fact_count = 1, .facts = &fact};
    struct replay_reply reply = {.head = {.status = STORE_STATUS_COUNT}};
    struct buffer argument;
    buffer_init(&argument, 1 << 16);
    call_replay(entry, &fold, &argument);
    if (replay_reply_read(stage_call(&stage, "tresen_v1_replay", &argument), &reply))
        reply.head.status = STORE_STATUS_COUNT;
    buffer_fini(&argument);
    return reply;
}

static enum store_status drop(const char *entry) {
    struct buffer argument;
    struct reply head = {.status = STORE_STATUS_COUNT};
    buffer_init(&argument, 1 << 10);
    call_drop(stage.configuration, entry, &argument);
    struct reader reader = reader_of(stage_call(&stage, "tresen_v1_drop", &argument));
    enum err err = reply_read(&reader, &head);
    buffer_fini(&argument);
    return err ? STORE_STATUS_COUNT : head.status;
}

static int64_t exists(const char *key) {
    return stage_command(&stage, "EXISTS t:{musterstadt}:%s", key)->integer;
}

Test(dead, a_letter_keeps_reason_tag_and_body) {
    struct dead_letter read;
    const redisReply *reply = stage_command(&stage, "HGET t:{musterstadt}:dead %s", letter);
    struct bytes bytes = {(const uint8_t *)reply->str, reply->len};
    cr_assert(eq(int, dead_letter_read(bytes, &read), ERR_NONE));
    cr_assert(bytes_equal(read.reason, bytes_of_text("torn")));
    cr_assert(bytes_equal(read.body, bytes_of_text("body")));
    cr_assert(eq(u8, read.tag.bytes[4], 2));
    cr_assert(gt(i64, read.at_ms, 0));
    bytes.size--;
    cr_assert(eq(int, dead_letter_read(bytes, &read), ERR_FORMAT));
}

Test(dead, a_replayed_letter_is_applied_and_gone_and_no_position_moves) {
    cr_assert(eq(int, replay(letter).head.status, STORE_OK));
    cr_assert(eq(i64, exists("e:e1"), 1));
    cr_assert(eq(i64, exists("dead"), 0));
    cr_assert(eq(i64, stage_count(&stage, "dead_replayed"), 1));
    struct ask_reply position = stage_ask(&stage, DESK, 1, 1);
    cr_assert(eq(u64, position.position.number, 2));
    cr_assert(eq(int, stage_ingest(&stage, (struct stage_batch){0}).head.status, STORE_OK));
}

// Two people at once: the second changes nothing.
Test(dead, a_letter_that_is_gone_cannot_be_replayed_or_dropped) {
    char before[41], after[41];
    replay(letter);
    stage_digest(&stage, before);
    cr_assert(eq(int, replay(letter).head.status, STORE_STALE));
    cr_assert(eq(int, drop(letter), STORE_STALE));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
}

Test(dead, what_a_letter_brings_behind_the_final_mark_is_counted_too_late) {
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    struct replay_reply reply = replay(letter);
    cr_assert(eq(int, reply.head.status, STORE_OK));
    cr_assert(eq(u32, reply.too_late_facts, 1));
    cr_assert(eq(i64, stage_count(&stage, "too_late_facts"), 1));
    cr_assert(eq(i64, exists("e:e1"), 0));
}

Test(dead, a_dropped_letter_is_gone_and_counted) {
    cr_assert(eq(int, drop(letter), STORE_OK));
    cr_assert(eq(i64, exists("dead"), 0));
    cr_assert(eq(i64, exists("e:e1"), 0));
    cr_assert(eq(i64, stage_count(&stage, "dead_discarded"), 1));
    cr_assert(eq(u64, stage_ask(&stage, DESK, 1, 1).position.number, 2));
}

// Checked before the first write, as everywhere.
Test(dead, a_key_of_a_wrong_type_refuses_the_letter_and_keeps_it) {
    static const char *const keys[] = {"open:desk-1", "wait:desk-1", "due", "e:e1", "counters"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char before[41], after[41];
        stage_command(&stage, "RENAME t:{musterstadt}:counters t:{musterstadt}:away");
        stage_command(&stage, "SET t:{musterstadt}:%s wrong", keys[i]);
        stage_digest(&stage, before);
        cr_assert(eq(int, replay(letter).head.status, STORE_STATUS_COUNT), "%s", keys[i]);
        stage_digest(&stage, after);
        cr_assert(eq(str, before, after));
        stage_command(&stage, "DEL t:{musterstadt}:%s", keys[i]);
        stage_command(&stage, "RENAME t:{musterstadt}:away t:{musterstadt}:counters");
    }
}
