#include "tests/unit/broker_core/drive.h"

static void die(struct drive *d, uint32_t worker) {
    feed_ready(d, worker, 4, true); // the same name, another process
}

/// Let the suspect that is out alone kill its worker.
static void die_alone(struct drive *d) {
    struct dispatch_action job = action(d, ACTION_JOB, 0);
    cr_assert(eq(u32, dispatch_worker(d->dispatch, job.worker).assigned, 1));
    d->now_ms += 10;
    die(d, job.worker);
    feed_tick(d, d->now_ms + 2000); // its rest
    feed_ready(d, job.worker, 4, false);
}

// Among twenty batches that were in a crashed worker, one is the cause: each goes alone.
Test(suspects, go_one_at_a_time) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    feed_batch(&d, 1, 1, 1);
    feed_batch(&d, 0, 1, 2);
    die(&d, 0);
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
        cr_assert(dispatch_worker(d.dispatch, 0).alone);
        struct dispatch_action job = action(&d, ACTION_JOB, 0);
        feed_batch(&d, 2, 1, (uint64_t)i + 1); // others wait: there is no second worker
        cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
        feed_done(&d, 0, job.job, job.gateway == 0 && i == 2 ? 2 : 1, -1);
    }
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 3)); // now those others, together
    cr_assert(eq(u64, dispatch_gateway(d.dispatch, 0).suspect_through, 0));
    cr_assert(eq(u64, dispatch_counters(d.dispatch)->dead_letters, 0));
    drive_free(&d);
}

// The first death was in company; three alone are proof.
Test(suspects, three_lone_deaths_make_a_dead_letter) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    die(&d, 0);
    for (int i = 0; i < 3; i++) {
        d.now_ms += 3000;
        feed_ready(&d, 0, 4, false);
        cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).deaths, (uint32_t)i));
        if (i == 0) {
            struct dispatch_gateway_view view = dispatch_gateway(d.dispatch, 0);
            cr_assert(eq(u32, view.assigned, 1));
        }
        d.now_ms += 10;
        die(&d, 0);
        if (i < 2) feed_tick(&d, d.now_ms + 2000);
    }
    cr_assert(eq(sz, action_count(&d, ACTION_DEAD_LETTER), 1));
    struct dispatch_action job = action(&d, ACTION_JOB, 0);
    cr_assert(eq(int, job.what, JOB_DEAD));
    feed(&d, (struct dispatch_input){.kind = INPUT_DONE,
                                     .worker = 0,
                                     .jobs = {(const uint8_t *)&job.job, 8},
                                     .status = ANSWER_DEAD,
                                     .position = {1, 1, tag_of(1)},
                                     .due_ms = -1});
    cr_assert(eq(sz, action_count(&d, ACTION_ANSWER), 1));
    cr_assert(eq(u64, dispatch_gateway(d.dispatch, 0).suspect_through, 0));
    drive_free(&d);
}

// A host that goes down kills many workers at once; that is one death.
Test(suspects, deaths_close_together_count_once) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    die(&d, 0);
    d.now_ms += 500;
    die(&d, 0); // alone, but half a second after the first
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).deaths, 0));
    feed_tick(&d, d.now_ms + 2000);
    feed_ready(&d, 0, 4, false);
    die_alone(&d);
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).deaths, 1));
    drive_free(&d);
}

// Its gateway steps back while it waits: a batch that kills must not begin afresh.
Test(suspects, suspicion_outlives_the_session) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    feed_batch(&d, 0, 1, 2);
    die(&d, 0);
    d.now_ms += 3000;
    die(&d, 0);
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).deaths, 1));
    feed_ask(&d, 0, 2);
    uint64_t ask = action(&d, ACTION_JOB, 0).job;
    feed_done(&d, 0, ask, 0, -1);
    feed_batch(&d, 0, 2, 1);
    feed_batch(&d, 0, 2, 2);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0)); // rests
    feed_tick(&d, d.now_ms + 2000);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    feed_ready(&d, 0, 4, false); // only now is it known to be alive
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
    cr_assert(dispatch_worker(d.dispatch, 0).alone);
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).deaths, 1));
    drive_free(&d);
}

// While one suspect rests, its branch and the others go on.
Test(suspects, a_resting_suspect_holds_up_nobody_else) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    die(&d, 0);
    d.now_ms += 3000;
    die(&d, 0);
    feed_batch(&d, 1, 1, 1);
    cr_assert(eq(u32, action(&d, ACTION_JOB, 0).gateway, 1));
    feed_batch(&d, 2, 1, 1);
    cr_assert(eq(u32, action(&d, ACTION_JOB, 0).gateway, 2));
    drive_free(&d);
}

// What the shell could not send killed nobody.
Test(suspects, a_worker_that_cannot_be_reached_counts_no_death) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    die(&d, 0);
    d.now_ms += 3000;
    feed_worker(&d, INPUT_UNREACHABLE, 0);
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).deaths, 0));
    drive_free(&d);
}

static void feed_shared(struct drive *d, uint32_t worker, bool reserved, bool fresh) {
    feed(d, (struct dispatch_input){.kind = INPUT_READY,
                                    .worker = worker,
                                    .credit = 4,
                                    .brokers = 2,
                                    .reserved = reserved,
                                    .fresh = fresh});
}

static struct drive drive_with_suspects(uint64_t count) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    for (uint64_t n = 1; n <= count; n++)
        feed_batch(&d, 0, 1, n);
    d.now_ms += 10;
    feed_shared(&d, 0, false, true);
    return d;
}

// Another broker's batch may be what kills it.
Test(suspects, go_to_a_shared_worker_only_when_it_is_reserved) {
    struct drive d = drive_with_suspects(2);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    cr_assert(eq(u32, action(&d, ACTION_RESERVE, 0).worker, 0));
    feed_shared(&d, 0, false, false); // busy with others: the first word may have been lost
    cr_assert(eq(sz, action_count(&d, ACTION_RESERVE), 1));
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    feed_shared(&d, 0, true, false);
    cr_assert(eq(sz, action_count(&d, ACTION_RESERVE), 0));
    struct dispatch_action job = action(&d, ACTION_JOB, 0);
    feed_shared(&d, 0, true, false); // its heartbeat
    feed_done(&d, 0, job.job, 1, -1);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0)); // one job only
    cr_assert(eq(sz, action_count(&d, ACTION_RESERVE), 1));
    feed_shared(&d, 0, true, false);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
    drive_free(&d);
}

Test(suspects, a_death_after_the_reservation_was_taken_back_does_not_count) {
    struct drive d = drive_with_suspects(1);
    for (uint32_t taken_back = 0; taken_back < 2; taken_back++) {
        d.now_ms += 3000;
        feed_shared(&d, 0, true, false);
        cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
        if (taken_back == 0) feed_shared(&d, 0, false, false); // before the suspect had come
        d.now_ms += 3000;
        feed_shared(&d, 0, false, true);
        cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).deaths, taken_back));
        feed_tick(&d, d.now_ms + 2000);
    }
    drive_free(&d);
}

// Who is idle and nobody else's needs no reservation; who keeps a worker that fails asks another.
Test(suspects, another_worker_is_asked_when_the_first_has_no_credit) {
    struct drive d = drive_with_suspects(1);
    feed(&d, (struct dispatch_input){.kind = INPUT_READY, .worker = 1, .credit = 4, .brokers = 2});
    cr_assert(eq(sz, action_count(&d, ACTION_RESERVE), 0)); // the first was asked
    feed(&d, (struct dispatch_input){.kind = INPUT_READY, .worker = 0, .credit = 0, .brokers = 2});
    cr_assert(eq(u32, action(&d, ACTION_RESERVE, 0).worker, 1));
    feed_ready(&d, 2, 4, false); // an older version
    cr_assert(eq(u32, action(&d, ACTION_JOB, 0).worker, 2));
    drive_free(&d);
}
