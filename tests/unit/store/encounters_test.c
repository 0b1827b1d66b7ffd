// From facts and watermarks to contributions and cells.

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
TestSuite(encounters, .init = open_stage, .fini = close_stage);

enum { SERVICE_MS = 90000, MET = 0, NOT_MET = 2 };
static const char day_cell[] = "d:2023-11-15:abc", hour_cell[] = "h:desk-1:2023-11-15T12:abc";

static void tell(const char *id, int64_t start_ms, int64_t end_ms) {
    struct encounter encounter = stage_encounter(id, start_ms, end_ms);
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter});
}

static void see(int gateway, const char *chunk, int64_t at_ms) {
    stage_ingest(&stage,
                 (struct stage_batch){.gateway = gateway, .chunk = chunk, .chunk_ms = at_ms});
}

static uint32_t day_total(void) {
    struct cell_standard standard;
    return stage_cell(&stage, day_cell, &standard).encounters;
}

Test(encounters, one_that_all_gateways_have_passed_is_judged_once_and_final) {
    struct taken taken;
    struct cell_standard standard;
    int64_t minute;
    struct bytes log;
    see(FLOOR, "aa", NOON_MS);
    see(FLOOR, "bbb", NOON_MS);
    see(FLOOR, "later", NOON_MS + 10 * MINUTE_MS);
    tell("e1", NOON_MS, 0);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(not(stage_take(&stage, 1, &taken)));
    stage_watermark(&stage, NOON_MS + SERVICE_MS + 4999);
    cr_assert(not(stage_take(&stage, 1, &taken)));
    stage_watermark(&stage, NOON_MS + SERVICE_MS + 5000);

    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(eq(str, taken.encounter.id.text, "e1"));
    cr_assert(eq(str, taken.encounter.counter.text, "desk-1"));
    cr_assert(eq(str, taken.encounter.gateway.text, "desk"));
    cr_assert(eq(i64, taken.encounter.issued_ms, TIME_NONE));
    cr_assert(eq(i64, taken.encounter.ended_ms, NOON_MS + SERVICE_MS));
    cr_assert(eq(int, taken_minute(&taken, &minute, &log), ERR_NONE));
    cr_assert(eq(i64, minute, NOON_MS / MINUTE_MS));
    cr_assert(bytes_equal(log, bytes_of_text("aabbb")));
    cr_assert(eq(int, taken_minute(&taken, &minute, &log), ERR_END));

    // Readers would see nothing of what is judged by a set of which they have no text, and whoever
    // settled may die before it has published it.
    struct settle_reply settled = stage_settle_once(&stage, &taken, 1, NOT_MET);
    cr_assert(eq(int, settled.head.status, STORE_OK));
    cr_assert(settled.set_missing && !settled.final);
    cr_assert(eq(u32, stage_cell(&stage, hour_cell, &standard).encounters, 0));
    settled = stage_settle(&stage, &taken, 1, NOT_MET); // the lease stands
    cr_assert(eq(int, settled.head.status, STORE_OK));
    cr_assert(settled.final);
    cr_assert(not(settled.set_missing));
    cr_assert(eq(i64, settled.head.due_ms, -1));
    struct cell cell = stage_cell(&stage, hour_cell, &standard);
    cr_assert(eq(u32, cell.encounters, 1));
    cr_assert(eq(u32, cell.provisional, 0));
    cr_assert(eq(u32, cell.outcomes[0], 1));
    cr_assert(eq(i64, cell.score_sum[0], 500000));
    cr_assert(eq(u32, cell.score_count[1], 0));
    cr_assert(eq(i64, cell.score_sum[3], 250000));
    cr_assert(eq(u32, standard.verdicts[NOT_MET], 1));
    cr_assert(eq(u32, standard.degree_count, 1));
    cr_assert(eq(i64, standard.coverage_sum, 900000));
    cr_assert(eq(u32, day_total(), 1));
    cr_assert(not(stage_take(&stage, 2, &taken)));
}

// The mark deletes what lies behind it in the same call, and nothing else.
Test(encounters, the_final_mark_deletes_minutes_and_counts_what_comes_too_late) {
    struct taken taken;
    see(FLOOR, "aa", NOON_MS);
    see(FLOOR, "bb", NOON_MS + 2 * MINUTE_MS);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage_watermark(&stage, NOON_MS + 2 * MINUTE_MS);
    cr_assert(eq(i64, stage_command(&stage, "ZCARD t:{musterstadt}:mi:desk-1")->integer, 2));
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(stage_settle(&stage, &taken, 1, MET).final);
    cr_assert(eq(i64, stage_command(&stage, "ZCARD t:{musterstadt}:mi:desk-1")->integer, 1));
    cr_assert(eq(
        i64,
        stage_command(&stage, "EXISTS t:{musterstadt}:m:desk-1:%d", NOON_MS / MINUTE_MS)->integer,
        0));

    see(FLOOR, "cc", NOON_MS);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS + 1);
    tell("e0", NOON_MS - 1000, NOON_MS);
    cr_assert(eq(i64, stage_count(&stage, "too_late_observations"), 1));
    cr_assert(eq(i64, stage_count(&stage, "too_late_facts"), 2));
    cr_assert(eq(i64, stage_command(&stage, "ZCARD t:{musterstadt}:mi:desk-1")->integer, 1));
    cr_assert(eq(u32, day_total(), 1));
}

Test(encounters, the_settle_timer_judges_provisionally_and_the_watermark_finally) {
    struct taken taken;
    struct cell_standard standard;
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    struct settle_reply reply = stage_settle(&stage, &taken, 1, MET);
    cr_assert(not(reply.final));
    cr_assert(eq(i64, reply.head.due_ms, -1));
    cr_assert(eq(u32, stage_cell(&stage, day_cell, &standard).provisional, 1));
    cr_assert(not(stage_take(&stage, 2, &taken)));

    stage_watermark(&stage, NOON_MS + SERVICE_MS + 5000);
    cr_assert(stage_take(&stage, 3, &taken));
    cr_assert(stage_settle(&stage, &taken, 3, NOT_MET).final);
    struct cell cell = stage_cell(&stage, day_cell, &standard);
    cr_assert(eq(u32, cell.encounters, 1));
    cr_assert(eq(u32, cell.provisional, 0));
    cr_assert(eq(u32, standard.verdicts[MET], 0));
    cr_assert(eq(u32, standard.verdicts[NOT_MET], 1));
}

Test(encounters, late_data_voids_a_lease_and_gives_the_try_back) {
    struct taken taken, again;
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    for (uint8_t lease = 1; lease < 10; lease++) {
        cr_assert(stage_take(&stage, lease, &taken));
        cr_assert(not(taken.crashed));
        see(FLOOR, "late", NOON_MS + MINUTE_MS);
        cr_assert(eq(int, stage_settle(&stage, &taken, lease, MET).head.status, STORE_STALE));
        cr_assert(eq(u32, day_total(), 0));
    }
    cr_assert(stage_take(&stage, 20, &taken));
    see(FLOOR, "elsewhere", NOON_MS + 2 * MINUTE_MS); // does not touch it
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);        // says nothing new
    cr_assert(eq(int, stage_settle(&stage, &taken, 20, MET).head.status, STORE_OK));
    cr_assert(not(stage_take(&stage, 21, &again)));
    see(FLOOR, "late", NOON_MS); // settled, not final: judged anew
    cr_assert(stage_take(&stage, 22, &again));
}

Test(encounters, a_lease_counts_once_and_only_as_long_as_it_stands) {
    struct taken taken;
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(eq(int, stage_settle(&stage, &taken, 2, MET).head.status, STORE_STALE));
    cr_assert(eq(int, stage_settle(&stage, &taken, 1, MET).head.status, STORE_OK));
    cr_assert(eq(int, stage_settle(&stage, &taken, 1, MET).head.status, STORE_STALE));
    cr_assert(eq(u32, day_total(), 1));
}

Test(encounters, after_three_leases_that_ran_out_it_is_handed_out_as_crashed) {
    struct taken taken;
    stage.policy.settle_after_ms = 0;
    stage.policy.lease_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    for (uint8_t lease = 1; lease <= 3; lease++) {
        cr_assert(stage_take(&stage, lease, &taken));
        cr_assert(not(taken.crashed));
    }
    cr_assert(stage_take(&stage, 4, &taken));
    cr_assert(taken.crashed);
    cr_assert(eq(int, stage_settle(&stage, &taken, 3, MET).head.status, STORE_STALE));
    cr_assert(eq(int, stage_settle(&stage, &taken, 4, 6).head.status, STORE_OK));
    cr_assert(eq(i64, stage_count(&stage, "crashed"), 1));
    cr_assert(not(stage_take(&stage, 5, &taken)));
}

// What kills its worker would otherwise make those that were only beside it crash, too.
// A store whose clock was ahead, perhaps by years, must not keep an encounter waiting for as long.
Test(encounters, what_only_another_clock_can_have_put_off_is_judged_now) {
    struct taken taken;
    stage.policy.settle_after_ms = HOUR_MS;
    stage.policy.lease_ms = MINUTE_MS;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(not(stage_take(&stage, 1, &taken)));
    stage_command(&stage, "ZINCRBY t:{musterstadt}:due %d e1", MINUTE_MS);
    cr_assert(stage_take(&stage, 2, &taken));
    cr_assert(not(stage_take(&stage, 3, &taken)));
    stage_command(&stage, "ZINCRBY t:{musterstadt}:due %d e1", HOUR_MS);
    cr_assert(stage_take(&stage, 4, &taken));
    cr_assert(eq(int, stage_settle(&stage, &taken, 4, MET).head.status, STORE_OK));
    cr_assert(not(stage_take(&stage, 5, &taken)));
}

Test(encounters, whoever_was_taken_in_vain_is_taken_alone) {
    struct taken taken;
    stage.policy.settle_after_ms = 0;
    stage.policy.lease_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    tell("e2", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(eq(sz, stage_take_up_to(&stage, 1, 16, &taken), 2));
    tell("e3", NOON_MS, NOON_MS + SERVICE_MS);
    for (uint8_t lease = 2; lease <= 3; lease++) {
        cr_assert(eq(sz, stage_take_up_to(&stage, lease, 16, &taken), 1));
        cr_assert(not(eq(str, taken.encounter.id.text, "e3")));
        cr_assert(eq(int, stage_settle(&stage, &taken, lease, MET).head.status, STORE_OK));
    }
    cr_assert(eq(sz, stage_take_up_to(&stage, 4, 16, &taken), 1));
    cr_assert(eq(str, taken.encounter.id.text, "e3"));
}

static int64_t alone(void) {
    return stage_command(&stage, "HLEN t:{musterstadt}:alone")->integer;
}
static void leases_run_out(void) {
    stage.policy.settle_after_ms = 0;
    stage.policy.lease_ms = 0;
    stage_configure(&stage);
}

// A store that stalls longer than a call may take does it nevertheless: a try, and nobody has it.
Test(encounters, leases_that_are_given_back_make_nobody_crash) {
    struct taken taken;
    leases_run_out();
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    for (uint8_t lease = 1; lease < 20; lease++) {
        cr_assert(stage_take(&stage, lease, &taken));
        cr_assert(not(taken.crashed));
        stage_give_back(&stage, lease);
        cr_assert(eq(i64, alone(), 0));
    }
    cr_assert(stage_take(&stage, 20, &taken));
    cr_assert(eq(int, stage_settle(&stage, &taken, 20, MET).head.status, STORE_OK));
    cr_assert(eq(i64, stage_count(&stage, "crashed"), 0));
    cr_assert(eq(i64, alone(), 0));
}

// They are most of them: no command more for what seldom happens.
Test(encounters, taken_for_the_first_time_and_settled_nobody_asks_who_is_alone) {
    struct taken taken;
    leases_run_out();
    stage_command(&stage, "SET t:{musterstadt}:alone anything");
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(eq(int, stage_settle(&stage, &taken, 1, MET).head.status, STORE_OK));
    see(FLOOR, "late", NOON_MS);
    cr_assert(stage_take(&stage, 2, &taken));
    see(FLOOR, "later", NOON_MS);
    cr_assert(stage_take(&stage, 3, &taken));
    cr_assert(not(stage_take(&stage, 4, &taken))); // alone: refused, it is no hash
    cr_assert(eq(int, stage.reply->type, REDIS_REPLY_ERROR));
}

// Each says so only when it has its store again; meanwhile others have taken it.
Test(encounters, a_lease_may_be_given_back_when_others_have_followed) {
    struct taken taken;
    leases_run_out();
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    for (uint8_t lease = 1; lease <= 3; lease++)
        cr_assert(stage_take(&stage, lease, &taken));
    cr_assert(eq(i64, alone(), 2)); // the first may have died of another beside it
    stage_give_back(&stage, 2);
    stage_give_back(&stage, 2); // again: nothing
    stage_give_back(&stage, 1);
    stage_give_back(&stage, 77); // of nobody
    cr_assert(eq(i64, alone(), 1));
    cr_assert(stage_take(&stage, 4, &taken));
    cr_assert(not(taken.crashed));
    cr_assert(stage_take(&stage, 5, &taken));
    cr_assert(taken.crashed);
    stage_give_back(&stage, 3);
    stage_give_back(&stage, 5);
    cr_assert(stage_take(&stage, 6, &taken));
    cr_assert(not(taken.crashed));
    cr_assert(eq(int, stage_settle(&stage, &taken, 6, MET).head.status, STORE_OK));
    cr_assert(eq(i64, alone(), 0));
}

// Due at once, and whoever still has the lease has it no more.
Test(encounters, a_lease_that_is_given_back_does_not_stand) {
    struct taken taken;
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    stage_command(&stage, "ZADD t:{musterstadt}:due 1 e1");
    cr_assert(stage_take(&stage, 2, &taken));
    cr_assert(not(stage_take(&stage, 3, &taken)));
    stage_give_back(&stage, 2);
    cr_assert(eq(int, stage_settle(&stage, &taken, 2, MET).head.status, STORE_STALE));
    cr_assert(stage_take(&stage, 4, &taken));
    cr_assert(eq(int, stage_settle(&stage, &taken, 4, MET).head.status, STORE_OK));
}

// It froze and lost its lease, but did not die of what it judged.
Test(encounters, whoever_settles_too_late_has_not_crashed) {
    struct taken taken;
    leases_run_out();
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    for (uint8_t lease = 2; lease < 20; lease++) {
        cr_assert(stage_take(&stage, lease, &taken));
        cr_assert(not(taken.crashed));
        if (lease > 2)
            cr_assert(eq(int, stage_settle(&stage, &taken, (uint8_t)(lease - 1), MET).head.status,
                         STORE_STALE));
        cr_assert(eq(i64, alone(), 1));
    }
}

// What really kills is an error after as many leases as died of it, whatever is lost in between.
Test(encounters, a_killer_crashes_although_leases_between_were_given_back) {
    struct taken taken;
    leases_run_out();
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    for (uint8_t death = 0; death < 3; death++) {
        for (uint8_t lost = 1; death > 0 && lost <= 5; lost++) {
            cr_assert(stage_take(&stage, (uint8_t)(10 * death + lost), &taken));
            cr_assert(not(taken.crashed));
            stage_give_back(&stage, (uint8_t)(10 * death + lost));
        }
        cr_assert(stage_take(&stage, (uint8_t)(100 + death), &taken));
        cr_assert(not(taken.crashed));
    }
    cr_assert(stage_take(&stage, 200, &taken));
    cr_assert(taken.crashed);
}

// A try is given back once: by the change, or by the lease.
Test(encounters, late_data_forgets_whose_lease_it_voids) {
    struct taken taken;
    leases_run_out();
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage_take(&stage, 1, &taken);
    stage_take(&stage, 2, &taken);
    cr_assert(eq(i64, alone(), 1));
    see(FLOOR, "late", NOON_MS + MINUTE_MS);
    cr_assert(eq(i64, alone(), 0));
}

Test(encounters, too_many_lone_leases_are_forgotten_and_count) {
    struct taken taken;
    leases_run_out();
    stage.policy.tries_max = 255;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    for (uint8_t lease = 1; lease <= 65; lease++)
        cr_assert(stage_take(&stage, lease, &taken));
    cr_assert(eq(i64, alone(), 64));
    cr_assert(stage_take(&stage, 66, &taken));
    cr_assert(eq(i64, alone(), 1));
}

Test(encounters, a_withdrawn_one_takes_its_contribution_back) {
    struct taken taken;
    struct encounter encounter = stage_encounter("e1", 0, 0);
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    stage_settle(&stage, &taken, 1, MET);
    cr_assert(eq(u32, day_total(), 1));
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter, .withdrawn = true});
    cr_assert(stage_take(&stage, 2, &taken));
    cr_assert(taken.withdrawn);
    cr_assert(stage_settle(&stage, &taken, 2, MET).final);
    cr_assert(eq(i64, stage_command(&stage, "EXISTS t:{musterstadt}:%s", day_cell)->integer, 0));
    cr_assert(eq(i64, stage_command(&stage, "EXISTS t:{musterstadt}:%s", hour_cell)->integer, 0));
}

Test(encounters, one_that_nobody_ends_is_closed_after_encounter_max) {
    struct taken taken;
    tell("e1", NOON_MS, 0);
    stage_watermark(&stage, NOON_MS + (int64_t)stage.policy.encounter_max_ms - 1);
    cr_assert(eq(i64, stage_count(&stage, "timeouts"), 0));
    stage_watermark(&stage, NOON_MS + (int64_t)stage.policy.encounter_max_ms + 5000);
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(eq(int, taken.encounter.outcome, OUTCOME_TIMEOUT));
    cr_assert(eq(i64, taken.encounter.ended_ms, NOON_MS + (int64_t)stage.policy.encounter_max_ms));
    cr_assert(stage_settle(&stage, &taken, 1, MET).final);
}

Test(encounters, a_departed_gateway_holds_nothing_back_and_a_silent_one_does) {
    struct taken taken;
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage_ingest(&stage, (struct stage_batch){.watermark_ms = NOON_MS + HOUR_MS});
    cr_assert(not(stage_take(&stage, 1, &taken)));
    stage_ingest(&stage, (struct stage_batch){.gateway = FLOOR, .presence = PRESENCE_DEPARTED});
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(stage_settle(&stage, &taken, 1, MET).final);
}

Test(encounters, when_all_have_departed_everything_is_final) {
    struct taken taken;
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    tell("e2", NOON_MS, 0);
    for (int gateway = 0; gateway < GATEWAYS; gateway++)
        stage_ingest(&stage, (struct stage_batch){.gateway = gateway,
                                                  .watermark_ms = NOON_MS + 2 * MINUTE_MS,
                                                  .presence = PRESENCE_DEPARTED});
    for (uint8_t lease = 1; lease <= 2; lease++) {
        cr_assert(stage_take(&stage, lease, &taken));
        cr_assert(stage_settle(&stage, &taken, lease, MET).final);
    }
    cr_assert(not(stage_take(&stage, 3, &taken)));
    cr_assert(eq(u32, day_total(), 2));
}

Test(encounters, over_its_bytes_only_the_slowest_gateway_of_a_branch_goes_on) {
    char before[41], after[41];
    stage.policy.branch_bytes_max = 4;
    stage_configure(&stage);
    stage_ingest(&stage, (struct stage_batch){.gateway = FLOOR, .watermark_ms = NOON_MS});
    stage_ingest(&stage, (struct stage_batch){.watermark_ms = NOON_MS + 1});
    see(DESK, "1234", NOON_MS + MINUTE_MS);
    stage_digest(&stage, before);
    struct ingest_reply reply =
        stage_ingest(&stage, (struct stage_batch){.chunk = "5", .chunk_ms = NOON_MS + MINUTE_MS});
    cr_assert(eq(int, reply.head.status, STORE_LATER));
    cr_assert(reply.positions[0].later);
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
    struct stage_batch slow = {.gateway = FLOOR, .chunk = "678", .chunk_ms = NOON_MS};
    cr_assert(eq(int, stage_ingest(&stage, slow).head.status, STORE_OK));
}

/// Twice the bound is full of what an open encounter holds; floor is the slowest.
static void fill_up(void) {
    stage.policy.branch_bytes_max = 4;
    stage_configure(&stage);
    tell("e1", NOON_MS, 0);
    stage_ingest(&stage, (struct stage_batch){.gateway = FLOOR, .watermark_ms = NOON_MS});
    stage_ingest(&stage, (struct stage_batch){.watermark_ms = NOON_MS + 1});
    see(FLOOR, "12345678", NOON_MS);
}

// Only what the slowest gateway promises makes room: if it waited, nothing would ever go on.
Test(encounters, at_twice_its_bytes_the_slowest_gateway_goes_on_without_its_minutes) {
    fill_up();
    struct stage_batch slow = {
        .gateway = FLOOR, .chunk = "9", .chunk_ms = NOON_MS, .watermark_ms = NOON_MS + HOUR_MS};
    struct ingest_reply reply = stage_ingest(&stage, slow);
    cr_assert(eq(int, reply.head.status, STORE_OK));
    cr_assert(eq(u64, reply.positions[0].position.number, stage.numbers[FLOOR]));
    cr_assert(eq(i64, stage_count(&stage, "no_room"), 1));
    cr_assert(eq(i64, stage_count(&stage, "gaps"), 1));
    const redisReply *gap = stage_command(&stage, "LINDEX t:{musterstadt}:gaps 0");
    struct reader reader = reader_of((struct bytes){(const uint8_t *)gap->str, gap->len});
    cr_assert(eq(u8, reader_u8(&reader), GAP_TIME));
    reader_u64(&reader); // the store's time
    cr_assert(eq(u64, reader_u64(&reader), NOON_MS));
    cr_assert(eq(u64, reader_u64(&reader), NOON_MS + MINUTE_MS));
    cr_assert(bytes_equal(reader_short(&reader), bytes_of_text("floor")));
    cr_assert(bytes_equal(reader_short(&reader), bytes_of_text("")));
    cr_assert(bytes_equal(reader_short(&reader), bytes_of_text("no-room")));
    cr_assert(eq(u64, reader_u64(&reader), NOON_MS)); // since, until: as of any gap of time
    cr_assert(eq(u64, reader_u64(&reader), NOON_MS + MINUTE_MS));
    cr_assert(eq(sz, reader_left(&reader), 0));
    cr_assert(not(reader.failed));
    // The fast one still waits.
    struct stage_batch fast = {.chunk = "9", .chunk_ms = NOON_MS, .watermark_ms = NOON_MS + 2};
    stage_ingest(&stage, (struct stage_batch){.watermark_ms = NOON_MS + 2 * HOUR_MS});
    cr_assert(eq(int, stage_ingest(&stage, fast).head.status, STORE_LATER));
}

// Nothing is given up for want of room that comes by itself.
Test(encounters, at_twice_its_bytes_all_wait_for_what_is_being_judged) {
    struct taken taken;
    fill_up();
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    struct stage_batch slow = {.gateway = FLOOR, .chunk = "9", .chunk_ms = NOON_MS + HOUR_MS};
    cr_assert(eq(int, stage_ingest(&stage, slow).head.status, STORE_LATER));
    cr_assert(stage_take(&stage, 1, &taken));
    cr_assert(eq(int, stage_ingest(&stage, slow).head.status, STORE_LATER));
    cr_assert(stage_settle(&stage, &taken, 1, MET).final);
    cr_assert(eq(int, stage_ingest(&stage, slow).head.status, STORE_OK));
    cr_assert(eq(i64, stage_count(&stage, "no_room"), 0));
}

Test(encounters, a_fact_without_counter_or_time_about_an_unknown_one_is_an_orphan) {
    struct encounter encounter = stage_encounter("e1", NOON_MS, 0);
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter, .counter = -1});
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter, .withdrawn = true});
    cr_assert(eq(i64, stage_count(&stage, "orphan_facts"), 2));
    cr_assert(eq(i64, stage_command(&stage, "EXISTS t:{musterstadt}:e:e1")->integer, 0));
}

Test(encounters, one_moved_to_another_counter_leaves_nothing_behind) {
    struct taken taken;
    struct encounter encounter = stage_encounter("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    tell("e1", NOON_MS, NOON_MS + SERVICE_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    stage_settle(&stage, &taken, 1, MET);
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter, .counter = 1});
    static const char *const places[] = {"open", "wait"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        cr_assert(eq(
            i64, stage_command(&stage, "EXISTS t:{musterstadt}:%s:desk-1", places[i])->integer, 0));
        cr_assert(eq(
            i64, stage_command(&stage, "ZCARD t:{musterstadt}:%s:desk-2", places[i])->integer, 1));
    }
    cr_assert(stage_take(&stage, 2, &taken));
    stage_settle(&stage, &taken, 2, MET);
    cr_assert(eq(i64, stage_command(&stage, "EXISTS t:{musterstadt}:%s", hour_cell)->integer, 0));
    cr_assert(eq(u32, day_total(), 1));
}
