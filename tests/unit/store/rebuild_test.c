// A branch is emptied from a day on, and its gateways begin anew: nothing may be counted twice.

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
TestSuite(rebuild, .init = open_stage, .fini = close_stage);

enum { SERVICE_MS = 90000, MET = 0 };
static const char day_cell[] = "d:2023-11-15:abc", day[] = "2023-11-15";
static const int64_t MIDNIGHT_MS = NOON_MS - 12 * HOUR_MS;

static enum store_status rebuild(int64_t from_ms, uint32_t *encounters) {
    struct buffer argument;
    struct seal_reply reply;
    buffer_init(&argument, 1 << 10);
    call_rebuild(stage.configuration, day, from_ms, &argument);
    enum err err = seal_reply_read(stage_call(&stage, "tresen_v1_rebuild", &argument), &reply);
    buffer_fini(&argument);
    *encounters = reply.encounters;
    if (!err && reply.head.status == STORE_OK) stage.numbers[DESK] = stage.numbers[FLOOR] = 0;
    return err ? STORE_STATUS_COUNT : reply.head.status;
}

static void judge(void) {
    struct taken taken;
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(stage_settle(&stage, &taken, 1, MET).final);
}

/// What the spools hold: two encounters an hour apart, with readings, and then quiet.
static void send_all(void) {
    for (int i = 0; i < 2; i++) {
        int64_t at_ms = NOON_MS + i * HOUR_MS;
        struct encounter encounter = stage_encounter(i ? "e2" : "e1", at_ms, at_ms + SERVICE_MS);
        stage_ingest(
            &stage, (struct stage_batch){.encounter = &encounter, .chunk = "x", .chunk_ms = at_ms});
    }
    stage_watermark(&stage, NOON_MS + 2 * HOUR_MS);
}

static uint32_t day_total(void) {
    struct cell_standard standard;
    return stage_cell(&stage, day_cell, &standard).encounters;
}

static int64_t exists(const char *key) {
    return stage_command(&stage, "EXISTS t:{musterstadt}:%s", key)->integer;
}

Test(rebuild, what_the_gateways_bring_again_is_counted_once) {
    uint32_t encounters;
    send_all();
    judge();
    judge();
    cr_assert(eq(u32, day_total(), 2));
    cr_assert(eq(int, rebuild(MIDNIGHT_MS, &encounters), STORE_OK));
    cr_assert(eq(u32, encounters, 2));
    cr_assert(eq(i64, exists(day_cell), 0));
    cr_assert(eq(i64, exists("e:e1"), 0));
    cr_assert(eq(i64, exists("day:2023-11-15"), 0));
    cr_assert(eq(u64, stage_ask(&stage, DESK, 1, 1).position.number, 0));
    send_all();
    cr_assert(eq(i64, stage_count(&stage, "too_late_facts"), 0));
    judge();
    judge();
    cr_assert(eq(u32, day_total(), 2));
    cr_assert(eq(i64, stage_count(&stage, "rebuilt"), 2));
}

// One that does not come again would be shown for ever as waiting for a person.
Test(rebuild, nobody_waits_for_a_person_because_of_what_is_gone) {
    uint32_t encounters;
    send_all();
    judge();
    stage_command(&stage, "SADD t:{musterstadt}:undecided e1");
    cr_assert(eq(int, rebuild(MIDNIGHT_MS, &encounters), STORE_OK));
    cr_assert(eq(i64, exists("undecided"), 0));
}

// Before the moment nothing changes, whatever comes again.
Test(rebuild, what_began_before_stays_and_is_too_late) {
    uint32_t encounters;
    send_all();
    judge();
    judge();
    cr_assert(eq(int, rebuild(NOON_MS + HOUR_MS, &encounters), STORE_OK));
    cr_assert(eq(u32, encounters, 1));
    cr_assert(eq(u32, day_total(), 1));
    send_all();
    cr_assert(eq(i64, stage_count(&stage, "too_late_facts"), 1));
    judge();
    cr_assert(eq(u32, day_total(), 2));
}

Test(rebuild, one_that_is_open_leased_or_due_goes_with_its_minutes) {
    uint32_t encounters;
    struct taken taken;
    struct encounter open = stage_encounter("e3", NOON_MS, 0);
    struct encounter ended = stage_encounter("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    stage_ingest(&stage, (struct stage_batch){.encounter = &open});
    stage_ingest(&stage,
                 (struct stage_batch){.encounter = &ended, .chunk = "x", .chunk_ms = NOON_MS});
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(eq(int, rebuild(MIDNIGHT_MS, &encounters), STORE_OK));
    cr_assert(eq(u32, encounters, 2));
    cr_assert(eq(int, stage_settle(&stage, &taken, 1, MET).head.status, STORE_STALE));
    static const char *const gone[] = {"open:desk-1", "wait:desk-1", "due", "mi:desk-1", "e:e3"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        cr_assert(eq(i64, exists(gone[i]), 0), "%s", gone[i]);
    cr_assert(eq(int, stage_ingest(&stage, (struct stage_batch){0}).head.status, STORE_OK));
}

// Of a sealed day nothing but the sums is known: they must not be lost.
Test(rebuild, a_sealed_day_is_never_emptied) {
    uint32_t encounters;
    char before[41], after[41];
    struct buffer argument;
    send_all();
    judge();
    judge();
    stage_watermark(&stage, NOON_MS + 12 * HOUR_MS);
    buffer_init(&argument, 1 << 10);
    call_seal(stage.configuration, day, NOON_MS + 12 * HOUR_MS, &argument);
    stage_call(&stage, "tresen_v1_seal", &argument);
    buffer_fini(&argument);
    stage_digest(&stage, before);
    cr_assert(eq(int, rebuild(MIDNIGHT_MS, &encounters), STORE_STALE));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
}

/// e1 as it was told at first, and as it was corrected since.
static void tell_twice(bool corrected) {
    struct encounter encounter = stage_encounter("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter});
    if (!corrected) return;
    encounter.ended_ms -= 1000;
    encounter.outcome = OUTCOME_ABANDONED;
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter});
}

/// It is told from the start again: what was wrong at first must not become final before the
/// correction has come once more.
static void tell_again(void) {
    struct taken taken;
    tell_twice(false);
    cr_assert(stage_take(&stage, 1, &taken)); // it is due since before
    cr_assert(not(stage_settle(&stage, &taken, 1, MET).final), "nothing is promised again yet");
    tell_twice(true);
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    cr_assert(stage_take(&stage, 2, &taken));
    cr_assert(eq(int, taken.encounter.outcome, OUTCOME_ABANDONED));
    cr_assert(stage_settle(&stage, &taken, 2, MET).final);
    cr_assert(eq(i64, stage_count(&stage, "too_late_facts"), 0));
}

Test(rebuild, what_is_due_waits_until_all_was_told_again) {
    uint32_t encounters;
    tell_twice(true);
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    cr_assert(eq(int, rebuild(MIDNIGHT_MS + 24 * HOUR_MS, &encounters), STORE_OK));
    cr_assert(eq(u32, encounters, 0));
    tell_again();
}

// The same where a spool is sent once more under a new epoch.
Test(rebuild, what_is_due_waits_until_a_spool_of_a_new_epoch_was_told) {
    tell_twice(true);
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    cr_assert(eq(u64, stage_ask(&stage, DESK, 1, 2).position.epoch, 2));
    stage.epochs[DESK] = 2;
    stage.numbers[DESK] = 0;
    tell_again();
}
