// Who may write, and what is applied: epochs, positions, duplicates, gaps.

#include "stage.h"
#include "worker/store/state.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct stage stage;
static void open_stage(void) {
    stage_open(&stage);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(positions, .init = open_stage, .fini = close_stage);

Test(positions, another_configuration_is_answered_unconfigured_and_changes_nothing) {
    char before[41], after[41];
    stage_digest(&stage, before);
    stage.configuration++;
    cr_assert(
        eq(int, stage_ingest(&stage, (struct stage_batch){0}).head.status, STORE_UNCONFIGURED));
    cr_assert(eq(int, stage_ask(&stage, DESK, 1, 1).head.status, STORE_UNCONFIGURED));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
}

// A worker with a newer registry must not make gateways begin anew.
Test(positions, a_new_configuration_keeps_positions_and_former_gateways) {
    stage_ingest(&stage, (struct stage_batch){.gateway = FLOOR});
    stage.branch.gateway_count = 1;
    stage.branch.hash++;
    stage_configure(&stage);
    cr_assert(eq(u64, stage_ask(&stage, DESK, 1, 1).position.epoch, 1));
    stage.branch.gateway_count = GATEWAYS;
    stage.branch.hash++;
    stage_configure(&stage);
    struct ask_reply reply = stage_ask(&stage, FLOOR, 1, 1);
    cr_assert(eq(int, reply.head.status, STORE_OK));
    cr_assert(eq(u64, reply.position.number, 1));
}

Test(positions, a_spool_that_asks_twice_gets_one_epoch) {
    cr_assert(eq(u64, stage_ask(&stage, DESK, 1, 0).position.epoch, 1));
    cr_assert(eq(u64, stage_ask(&stage, DESK, 1, 1).position.epoch, 1));
}

Test(positions, a_new_spool_fences_the_old_one_and_begins_anew) {
    stage_ingest(&stage, (struct stage_batch){0});
    struct ask_reply reply = stage_ask(&stage, DESK, 2, 0);
    cr_assert(eq(u64, reply.position.epoch, 2));
    cr_assert(eq(u64, reply.position.number, 0));
    cr_assert(eq(int, stage_ask(&stage, DESK, 1, 1).head.status, STORE_FENCED));
    struct ingest_reply old = stage_ingest(&stage, (struct stage_batch){0});
    cr_assert(eq(int, old.head.status, STORE_UNFIT));
    cr_assert(eq(u64, old.positions[0].position.epoch, 2));
}

// The flow balance is one of spools: what the old one brought is not the new one's.
Test(positions, a_new_spool_begins_its_counts_anew) {
    struct store_state state;
    stage_ingest(&stage, (struct stage_batch){0});
    for (uint64_t applied = 1;; applied--) {
        char registry[4096];
        const redisReply *reply = stage_command(&stage, "GET t:{musterstadt}:registry");
        size_t size = (size_t)reply->len;
        cr_assert(lt(sz, size, sizeof registry));
        memcpy(registry, reply->str, size);
        reply = stage_command(&stage, "GET t:{musterstadt}:state");
        struct bytes bytes = {(const uint8_t *)reply->str, (size_t)reply->len};
        cr_assert(eq(int,
                     store_state_read((struct bytes){(uint8_t *)registry, size}, bytes, &state),
                     ERR_NONE));
        cr_assert(eq(str, state.gateways[DESK].id.text, "desk"));
        cr_assert(eq(u64, state.gateways[DESK].applied, applied));
        store_state_free(&state);
        if (applied == 0) break;
        stage_ask(&stage, DESK, 2, 0);
    }
}

// After the store fell back the spool knows more than it does.
Test(positions, a_higher_epoch_is_taken_over) {
    cr_assert(eq(u64, stage_ask(&stage, DESK, 7, 9).position.epoch, 9));
    cr_assert(eq(int, stage_ask(&stage, DESK, 8, 9).head.status, STORE_FENCED));
}

// A spool that was put back from a copy, while what it had sent since was still on its way; a
// second spool of the same epoch, after a failover that lost its grant. The first batch must be the
// spool's own, too: what it follows is the spool's id.
Test(positions, only_the_batch_that_follows_the_one_applied_goes_on) {
    char before[41], after[41];
    for (uint64_t number = 0; number < 2; number++) {
        stage_digest(&stage, before);
        struct ingest_reply other = stage_ingest(&stage, (struct stage_batch){.astray = true});
        cr_assert(eq(int, other.head.status, STORE_UNFIT));
        cr_assert(other.positions[0].unfit);
        cr_assert(eq(u64, other.positions[0].position.number, number));
        cr_assert(tag_equal(other.positions[0].position.tag, stage_tag(number)));
        stage_digest(&stage, after);
        cr_assert(eq(str, before, after));
        cr_assert(eq(int, stage_ingest(&stage, (struct stage_batch){0}).head.status, STORE_OK));
    }
}

// A new spool, and one that asks again, learn what their first batch follows.
Test(positions, the_tag_of_nothing_is_that_which_the_first_batch_follows) {
    struct spool_id id;
    memset(id.bytes, 2, sizeof id.bytes);
    struct position position = stage_ask(&stage, DESK, 2, 0).position;
    cr_assert(eq(u64, position.number, 0));
    cr_assert(tag_equal(position.tag, tag_start(&id)));
}

Test(positions, only_the_next_number_is_applied) {
    char before[41], after[41];
    cr_assert(eq(int, stage_ingest(&stage, (struct stage_batch){0}).head.status, STORE_OK));
    stage_digest(&stage, before);
    for (uint64_t number = 1; number <= 4; number++) {
        if (number == 2) continue;
        struct ingest_reply reply =
            stage_ingest(&stage, (struct stage_batch){.number = number, .watermark_ms = NOON_MS});
        cr_assert(eq(int, reply.head.status, STORE_UNFIT));
        cr_assert(reply.positions[0].unfit);
        cr_assert(eq(u64, reply.positions[0].position.number, 1));
        cr_assert(eq(u8, reply.positions[0].position.tag.bytes[0], 1));
    }
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
}

Test(positions, a_torn_argument_changes_nothing) {
    char before[41], after[41];
    struct encounter encounter = stage_encounter("e", NOON_MS, NOON_MS + 1000);
    struct buffer argument;
    buffer_init(&argument, 1 << 16);
    stage_pack(&stage,
               &(struct stage_batch){.encounter = &encounter, .chunk = "x", .chunk_ms = NOON_MS},
               &argument);
    stage_digest(&stage, before);
    size_t size = argument.size;
    for (argument.size = 0; argument.size < size; argument.size++) {
        struct bytes reply = stage_call(&stage, "tresen_v1_ingest", &argument);
        bool unconfigured = reply.size == 9 && reply.data[0] == STORE_UNCONFIGURED;
        cr_assert(reply.size == 0 || unconfigured);
    }
    buffer_put_u8(&argument, 0);
    cr_assert(eq(sz, stage_call(&stage, "tresen_v1_ingest", &argument).size, 0));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
    buffer_fini(&argument);
}

/// The event times between which the newest gap lies.
static void gap_times(int64_t *since_ms, int64_t *until_ms) {
    const redisReply *reply = stage_command(&stage, "LINDEX t:{musterstadt}:gaps -1");
    cr_assert(eq(int, reply->type, REDIS_REPLY_STRING));
    struct reader reader = reader_of((struct bytes){(const uint8_t *)reply->str, reply->len});
    reader_take(&reader, 1 + 3 * 8);
    for (int i = 0; i < 3; i++) // gateway, counter, reason
        reader_short(&reader);
    *since_ms = (int64_t)reader_u64(&reader);
    *until_ms = (int64_t)reader_u64(&reader);
    cr_assert(not(reader.failed));
}

// Numbers tell a person nothing: when was it that nothing is known of?
Test(positions, lost_numbers_are_told_with_their_event_times) {
    int64_t since_ms, until_ms;
    stage_ingest(&stage, (struct stage_batch){.watermark_ms = NOON_MS});
    struct stage_batch behind = {.lost = 3, .watermark_ms = NOON_MS + HOUR_MS};
    cr_assert(eq(int, stage_ingest(&stage, behind).head.status, STORE_OK));
    gap_times(&since_ms, &until_ms);
    cr_assert(eq(i64, since_ms, NOON_MS));
    cr_assert(eq(i64, until_ms, NOON_MS + HOUR_MS));
}

// The store that was emptied does not know what it had been promised.
Test(positions, lost_numbers_at_the_begin_are_told_without_one) {
    int64_t since_ms, until_ms;
    struct stage_batch behind = {.lost = 3, .watermark_ms = NOON_MS};
    cr_assert(eq(int, stage_ingest(&stage, behind).head.status, STORE_OK));
    gap_times(&since_ms, &until_ms);
    cr_assert(eq(i64, since_ms, -1));
    cr_assert(eq(i64, until_ms, NOON_MS));
}
