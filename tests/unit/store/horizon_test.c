// A gateway that is gone for good must not keep a branch from becoming final; one that is away with
// the whole system, or only by a clock that jumped, must.

#include "stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { HORIZON_MS = 300000, STEP_MS = 50000, CALL_MOST_MS = 60000, MET = 0 };

static struct stage stage;
static void open_stage(void) {
    stage_open(&stage);
    stage.policy.horizon_ms = HORIZON_MS;
    stage_configure(&stage);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(horizon, .init = open_stage, .fini = close_stage);

/// desk speaks at the end of each of the steps, floor does not.
static void steps(int count) {
    for (int i = 0; i < count; i++) {
        stage_pass(&stage, STEP_MS);
        stage_ingest(&stage, (struct stage_batch){.gateway = DESK});
    }
}

/// An encounter that desk has passed and floor has not.
static void serve(void) {
    struct encounter encounter = stage_encounter("e1", NOON_MS, NOON_MS + 1000);
    stage_ingest(&stage,
                 (struct stage_batch){.encounter = &encounter, .watermark_ms = NOON_MS + HOUR_MS});
}

static bool is_final(uint8_t lease) {
    struct taken taken;
    return stage_take(&stage, lease, &taken) && stage_settle(&stage, &taken, lease, MET).final;
}

Test(horizon, a_gateway_silent_for_it_holds_nothing_back) {
    stage_ingest(&stage, (struct stage_batch){.gateway = FLOOR, .watermark_ms = NOON_MS});
    serve();
    steps(HORIZON_MS / STEP_MS - 1);
    cr_assert(not(is_final(1)));
    steps(1);
    cr_assert(is_final(2));
}

Test(horizon, one_that_never_spoke_counts_from_when_it_came_into_the_registry) {
    steps(3);
    stage.branch.gateway_count = 1;
    stage.branch.hash++;
    stage_configure(&stage);
    steps(HORIZON_MS / STEP_MS);
    stage.branch.gateway_count = GATEWAYS;
    stage.branch.hash++;
    stage_configure(&stage);
    serve();
    steps(HORIZON_MS / STEP_MS - 1);
    cr_assert(not(is_final(1)));
    steps(1);
    cr_assert(is_final(2));
}

Test(horizon, who_speaks_again_counts_again) {
    steps(HORIZON_MS / STEP_MS);
    stage_ingest(&stage, (struct stage_batch){.gateway = FLOOR, .watermark_ms = NOON_MS});
    serve();
    cr_assert(not(is_final(1)));
    stage_ingest(&stage, (struct stage_batch){.gateway = FLOOR, .watermark_ms = NOON_MS + HOUR_MS});
    cr_assert(is_final(2));
}

Test(horizon, an_outage_of_the_whole_system_counts_as_a_minute) {
    serve();
    for (int i = 0; i < HORIZON_MS / CALL_MOST_MS; i++) {
        cr_assert(not(is_final(1)));
        stage_pass(&stage, 100 * HOUR_MS);
        stage_ingest(&stage, (struct stage_batch){.gateway = DESK});
    }
    cr_assert(is_final(2));
}

Test(horizon, a_clock_that_goes_back_does_not_count) {
    serve();
    for (int i = 0; i < 100; i++) {
        stage_pass(&stage, -100 * HOUR_MS);
        stage_ingest(&stage, (struct stage_batch){.gateway = DESK});
    }
    cr_assert(not(is_final(1)));
    steps(HORIZON_MS / STEP_MS);
    cr_assert(is_final(2));
}

// Calls in quick succession add up, too.
Test(horizon, calls_less_than_a_second_apart_lose_nothing) {
    serve();
    for (int i = 0; i < HORIZON_MS / 600 - 100; i++) {
        stage_pass(&stage, 600);
        stage_ingest(&stage, (struct stage_batch){.gateway = DESK});
    }
    cr_assert(not(is_final(1)));
    steps(2);
    cr_assert(is_final(2));
}

// With floor silent for the horizon, desk is the slowest: over the bytes it goes on.
Test(horizon, a_silent_gateway_is_not_the_one_that_others_have_to_wait_for) {
    struct stage_batch batch = {.chunk = "12345", .chunk_ms = NOON_MS + HOUR_MS};
    stage.policy.branch_bytes_max = 4;
    stage_configure(&stage);
    stage_ingest(&stage, (struct stage_batch){.watermark_ms = NOON_MS});
    cr_assert(eq(int, stage_ingest(&stage, batch).head.status, STORE_LATER));
    steps(HORIZON_MS / STEP_MS);
    cr_assert(eq(int, stage_ingest(&stage, batch).head.status, STORE_OK));
}
