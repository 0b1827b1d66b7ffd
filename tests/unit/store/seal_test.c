// Whole days are sealed: what is known of encounters goes, the sums stay and stay right.

#include "stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct stage stage;
static void open_stage(void) {
    stage_open(&stage);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(seal, .init = open_stage, .fini = close_stage);

enum { SERVICE_MS = 90000, MET = 0 };
static const int64_t MIDNIGHT_MS = NOON_MS + 12 * HOUR_MS; // the day is over
static const char day_cell[] = "d:2023-11-15:abc", day[] = "2023-11-15";

static void tell(int64_t end_ms) {
    struct encounter encounter = stage_encounter("e1", NOON_MS, end_ms);
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter});
}

static enum store_status seal(uint32_t *encounters) {
    struct buffer argument;
    struct seal_reply reply;
    buffer_init(&argument, 1 << 10);
    call_seal(stage.configuration, day, MIDNIGHT_MS, &argument);
    enum err err = seal_reply_read(stage_call(&stage, "tresen_v1_seal", &argument), &reply);
    buffer_fini(&argument);
    *encounters = reply.encounters;
    return err ? STORE_STATUS_COUNT : reply.head.status;
}

static void judge(uint8_t lease, bool final) {
    struct taken taken;
    cr_assert(stage_take(&stage, lease, &taken));
    cr_assert(stage_settle(&stage, &taken, lease, MET).final == final);
}

static void make_final(void) {
    tell(NOON_MS + SERVICE_MS);
    stage_watermark(&stage, MIDNIGHT_MS);
    judge(1, true);
}

static uint32_t day_total(void) {
    struct cell_standard standard;
    return stage_cell(&stage, day_cell, &standard).encounters;
}

static int64_t exists(const char *key) {
    return stage_command(&stage, "EXISTS t:{musterstadt}:%s", key)->integer;
}

Test(seal, records_go_and_sums_stay) {
    uint32_t encounters;
    make_final();
    cr_assert(eq(int, seal(&encounters), STORE_OK));
    cr_assert(eq(u32, encounters, 1));
    cr_assert(eq(i64, exists("e:e1"), 0));
    cr_assert(eq(i64, exists("day:2023-11-15"), 0));
    cr_assert(eq(u32, day_total(), 1));
    cr_assert(eq(i64, stage_command(&stage, "SISMEMBER t:{musterstadt}:days %s", day)->integer, 1));
    cr_assert(
        eq(i64, stage_command(&stage, "SISMEMBER t:{musterstadt}:sealed %s", day)->integer, 1));
    cr_assert(eq(i64, stage_count(&stage, "sealed"), 1));
    cr_assert(eq(int, seal(&encounters), STORE_OK));
    cr_assert(eq(u32, encounters, 0));
}

// A spool that is read once more must not count its encounters a second time.
Test(seal, what_arrives_for_a_sealed_day_is_too_late) {
    uint32_t encounters;
    make_final();
    seal(&encounters);
    tell(NOON_MS + SERVICE_MS);
    stage_ingest(&stage, (struct stage_batch){.chunk = "x", .chunk_ms = NOON_MS});
    cr_assert(eq(i64, stage_count(&stage, "too_late_facts"), 1));
    cr_assert(eq(i64, stage_count(&stage, "too_late_observations"), 1));
    cr_assert(eq(i64, exists("e:e1"), 0));
    cr_assert(eq(u32, day_total(), 1));
}

Test(seal, a_day_with_a_provisional_encounter_is_not_sealed) {
    uint32_t encounters;
    char before[41], after[41];
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    tell(NOON_MS + SERVICE_MS);
    judge(1, false);
    stage_digest(&stage, before);
    cr_assert(eq(int, seal(&encounters), STORE_STALE));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
}

// Its end would add to sums that are said to be for good.
Test(seal, a_day_with_an_open_encounter_is_not_sealed) {
    uint32_t encounters;
    struct encounter open = stage_encounter("e0", MIDNIGHT_MS - MINUTE_MS, 0);
    stage_ingest(&stage, (struct stage_batch){.encounter = &open});
    make_final();
    cr_assert(eq(int, seal(&encounters), STORE_STALE));
    cr_assert(eq(i64, exists("e:e1"), 1));
}

// One gateway may still bring an encounter of the evening.
Test(seal, a_day_that_a_gateway_has_not_passed_is_not_sealed) {
    uint32_t encounters;
    tell(NOON_MS + SERVICE_MS);
    stage_watermark(&stage, MIDNIGHT_MS - 1);
    judge(1, true);
    cr_assert(eq(int, seal(&encounters), STORE_STALE));
    stage_watermark(&stage, MIDNIGHT_MS);
    cr_assert(eq(int, seal(&encounters), STORE_OK));
}

// Nobody holds back any more; whoever comes back later brings nothing new for that day.
Test(seal, a_day_that_all_gateways_have_left_is_sealed_to_its_end) {
    uint32_t encounters;
    struct encounter later = stage_encounter("e2", NOON_MS + HOUR_MS, NOON_MS + HOUR_MS + 1000);
    tell(NOON_MS + SERVICE_MS);
    for (int i = 0; i < GATEWAYS; i++)
        stage_ingest(&stage, (struct stage_batch){.gateway = i, .presence = PRESENCE_DEPARTED});
    judge(1, true);
    cr_assert(eq(int, seal(&encounters), STORE_OK));
    stage_ingest(&stage, (struct stage_batch){.encounter = &later, .presence = PRESENCE_HERE});
    cr_assert(eq(i64, stage_count(&stage, "too_late_facts"), 1));
    cr_assert(eq(i64, exists("e:e2"), 0));
}
