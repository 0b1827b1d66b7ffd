#include "tests/unit/broker_core/drive.h"

// The first thing a broker does: a batch that is there and a worker that has room find each other.
Test(dispatch, a_batch_goes_to_a_worker_and_its_answer_back) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    uint32_t slot = feed_batch(&d, 2, 7, 1);
    struct dispatch_action job = action(&d, ACTION_JOB, 0);
    cr_assert(eq(u32, job.worker, 0));
    cr_assert(eq(u32, job.slot, slot));
    cr_assert(eq(u32, job.branch, 1));
    cr_assert(eq(u64, job.session, 7));
    feed_done(&d, 0, job.job, 1, -1);
    struct dispatch_action answer = action(&d, ACTION_ANSWER, 0);
    cr_assert(eq(u32, answer.gateway, 2));
    cr_assert(eq(u64, answer.session, 7));
    cr_assert(eq(u32, action(&d, ACTION_FREE, 0).slot, slot));
    cr_assert(eq(u64, dispatch_oldest_ms(d.dispatch), UINT64_MAX));
    drive_free(&d);
}

// Absolute credit: a heartbeat that is repeated must not add up.
Test(dispatch, a_worker_never_holds_more_than_its_credit) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 2);
    for (uint64_t n = 1; n <= 5; n++)
        feed_batch(&d, 0, 1, n);
    feed_ready(&d, 0, 2, false);
    cr_assert(eq(u32, dispatch_worker(d.dispatch, 0).assigned, 2));
    feed_ready(&d, 0, 3, false);
    cr_assert(eq(u32, dispatch_worker(d.dispatch, 0).assigned, 3));
    drive_free(&d);
}

// Folding needs the gateways of a branch in one hand.
Test(dispatch, the_batches_of_a_branch_are_with_one_worker) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 2);
    worker_settled(&d, 1, 2);
    feed_batch(&d, 0, 1, 1);
    struct dispatch_action first = action(&d, ACTION_JOB, 0);
    feed_batch(&d, 1, 1, 1);
    struct dispatch_action second = action(&d, ACTION_JOB, 0);
    cr_assert(eq(u32, second.worker, first.worker));
    feed_batch(&d, 0, 1, 2); // that one is full, the other one idle: it waits
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    feed_batch(&d, 2, 1, 1); // another branch does not
    cr_assert(ne(u32, action(&d, ACTION_JOB, 0).worker, first.worker));
    feed_done(&d, first.worker, first.job, 1, -1);
    cr_assert(eq(u32, action(&d, ACTION_JOB, 0).worker, first.worker));
    drive_free(&d);
}

// A broker may not grow with what a gateway sends; and one refusal is enough for a burst.
Test(dispatch, a_gateway_over_its_window_is_told_once) {
    struct drive d = drive_new(drive_limits);
    for (uint64_t n = 1; n <= 8; n++)
        feed_batch(&d, 0, 1, n);
    feed_batch(&d, 0, 1, 9);
    cr_assert(eq(sz, action_count(&d, ACTION_LATER), 1));
    cr_assert(eq(int, action(&d, ACTION_LATER, 0).reason, REASON_WINDOW));
    feed_batch(&d, 0, 1, 10);
    cr_assert(eq(sz, action_count(&d, ACTION_LATER), 0));
    cr_assert(eq(sz, action_count(&d, ACTION_FREE), 1));
    drive_free(&d);
}

/// Batches that wait for so long until they are done, one answer for all; the window it tells.
static uint32_t answered(struct drive *d, uint32_t gateway, uint64_t first, uint64_t last,
                         uint64_t wait_ms) {
    uint64_t jobs[8];
    size_t count = 0;
    for (uint64_t number = first; number <= last; number++) {
        feed_batch(d, gateway, 1, number);
        jobs[count++] = action(d, ACTION_JOB, 0).job;
    }
    d->now_ms += wait_ms;
    feed(d, (struct dispatch_input){.kind = INPUT_DONE,
                                    .jobs = {(const uint8_t *)jobs, count * sizeof *jobs},
                                    .position = {1, last, tag_of(last)},
                                    .due_ms = -1});
    return action(d, ACTION_ANSWER, 0).window;
}

static struct drive drive_with_turns(void) {
    struct dispatch_limits limits = drive_limits;
    limits.window_least = 2;
    limits.queue_ms = 20;
    struct drive d = drive_new(limits);
    worker_settled(&d, 0, 64);
    return d;
}

// All have much to send after a restart; an idle system lets each fill a long line.
Test(dispatch, windows_are_narrow_at_first_and_widen_while_nobody_waits_long) {
    struct drive d = drive_with_turns();
    cr_assert(eq(u32, answered(&d, 0, 1, 1, 1), 2));
    for (uint64_t n = 2; n <= 300; n++)
        answered(&d, 0, n, n, 1);
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).window, drive_limits.window));
    drive_free(&d);
}

// A longer queue makes everybody wait and gets no more done: those with much to send take turns.
Test(dispatch, while_batches_wait_too_long_gateways_take_turns) {
    struct drive d = drive_with_turns();
    feed_batch(&d, 1, 1, 1); // of another gateway, that has little to send
    uint64_t other = action(&d, ACTION_JOB, 0).job;
    cr_assert(eq(u32, answered(&d, 0, 1, 2, 50), 0));
    cr_assert(eq(sz, action_count(&d, ACTION_WINDOW), 0)); // as much must be done first
    cr_assert(eq(u32, answered(&d, 2, 1, 2, 50), 0));
    d.now_ms += 50;
    feed_done(&d, 0, other, 1, -1);
    cr_assert(eq(u32, action(&d, ACTION_ANSWER, 0).window, 2));
    struct dispatch_action turn = action(&d, ACTION_WINDOW, 0); // nothing is left to be done
    cr_assert(eq(u32, turn.gateway, 0));
    cr_assert(eq(u64, turn.session, 1));
    cr_assert(eq(u32, turn.window, drive_limits.window));
    cr_assert(eq(sz, action_count(&d, ACTION_WINDOW), 1));
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 2).window, 0));
    drive_free(&d);
}

// The one whose turn it is may have nothing left: then it is the next one's, soon.
Test(dispatch, a_turn_that_is_not_taken_stops_nobody) {
    struct drive d = drive_with_turns();
    feed_batch(&d, 1, 1, 1);
    uint64_t other = action(&d, ACTION_JOB, 0).job;
    answered(&d, 0, 1, 2, 50);
    answered(&d, 2, 1, 2, 50);
    feed_done(&d, 0, other, 1, -1);
    cr_assert(eq(u32, action(&d, ACTION_WINDOW, 0).gateway, 0));
    uint64_t next_ms = dispatch_deadline_ms(d.dispatch);
    cr_assert(next_ms <= d.now_ms + 20);
    feed_tick(&d, next_ms);
    cr_assert(eq(u32, action(&d, ACTION_WINDOW, 0).gateway, 2));
    drive_free(&d);
}

// Turns that a hiccup brought about must not go on for as long as there are gateways.
Test(dispatch, turns_are_over_when_nobody_waits_long_any_more) {
    struct drive d = drive_with_turns();
    feed_batch(&d, 3, 1, 1); // so that the system is not idle
    for (uint32_t gateway = 0; gateway < 3; gateway++)
        cr_assert(eq(u32, answered(&d, gateway, 1, 2, 50), 0));
    for (uint64_t n = 2; n <= 26; n++) // two periods; the first has some of what waited long
        answered(&d, 3, n, n, 2);
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).window, drive_limits.window));
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 1).window, drive_limits.window));
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 2).window, 2)); // all that are left, a little
    drive_free(&d);
}

// Stepping back is another session, too.
Test(dispatch, a_gateway_that_steps_back_waits_for_no_turn) {
    struct drive d = drive_with_turns();
    feed_batch(&d, 1, 1, 1);
    cr_assert(eq(u32, answered(&d, 0, 1, 2, 50), 0));
    feed_batch(&d, 0, 1, 4); // on its way already
    uint64_t job = action(&d, ACTION_JOB, 0).job;
    feed(&d, (struct dispatch_input){.kind = INPUT_DONE,
                                     .jobs = {(const uint8_t *)&job, sizeof job},
                                     .status = ANSWER_GAP,
                                     .position = {1, 2, tag_of(2)},
                                     .due_ms = -1});
    cr_assert(eq(u32, action(&d, ACTION_ANSWER, 0).window, 2));
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).window, 2));
    drive_free(&d);
}

// Its old session waits no more: told so it would not listen.
Test(dispatch, a_gateway_that_begins_anew_waits_for_no_turn) {
    struct drive d = drive_with_turns();
    feed_batch(&d, 1, 1, 1);
    uint64_t other = action(&d, ACTION_JOB, 0).job;
    cr_assert(eq(u32, answered(&d, 0, 1, 2, 50), 0));
    feed_ask(&d, 0, 2);
    feed_done(&d, 0, action(&d, ACTION_JOB, 0).job, 2, -1);
    cr_assert(eq(u32, action(&d, ACTION_ANSWER, 0).window, 2));
    feed_done(&d, 0, other, 1, -1);
    cr_assert(eq(sz, action_count(&d, ACTION_WINDOW), 0));
    drive_free(&d);
}

// Operations see a gateway that sends again and again; a new spool's numbers are not repeated.
Test(dispatch, batches_that_came_before_are_counted) {
    struct drive d = drive_new(drive_limits);
    static const struct position came[] = {{1, 1, {{0}}}, {1, 2, {{0}}}, {1, 2, {{0}}},
                                           {1, 1, {{0}}}, {2, 1, {{0}}}, {2, 2, {{0}}}};
    for (size_t i = 0; i < sizeof came / sizeof came[0]; i++)
        feed(&d, (struct dispatch_input){.kind = INPUT_BATCH,
                                         .gateway = 0,
                                         .session = 1,
                                         .position = came[i],
                                         .bytes = BATCH_BYTES,
                                         .slot = slot_take(&d)});
    cr_assert(eq(u64, dispatch_gateway(d.dispatch, 0).repeated, 2));
    cr_assert(eq(u64, dispatch_gateway(d.dispatch, 1).repeated, 0));
    drive_free(&d);
}

// A noisy branch must leave memory for the others.
Test(dispatch, a_branch_gets_no_more_than_is_still_free) {
    struct dispatch_limits limits = drive_limits;
    limits.bytes = 10 * BATCH_BYTES;
    struct drive d = drive_new(limits);
    for (uint64_t n = 1; n <= 6; n++)
        feed_batch(&d, 0, 1, n);
    cr_assert(eq(int, action(&d, ACTION_LATER, 0).reason, REASON_FULL));
    cr_assert(eq(u32, dispatch_branch(d.dispatch, 0).queued, 5));
    feed_batch(&d, 2, 1, 1);
    cr_assert(eq(u32, dispatch_branch(d.dispatch, 1).queued, 1));
    drive_free(&d);
}

// What is queued of an older session would only be applied in a wrong order.
Test(dispatch, a_new_session_voids_what_is_queued) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 1);
    for (uint64_t n = 1; n <= 3; n++)
        feed_batch(&d, 0, 1, n);
    feed_ask(&d, 0, 2);
    cr_assert(eq(sz, action_count(&d, ACTION_FREE), 2));
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).assigned, 1));
    feed_batch(&d, 0, 1, 4); // still on its way when the gateway stepped back
    cr_assert(eq(sz, action_count(&d, ACTION_FREE), 1));
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).queued, 0));
    drive_free(&d);
}

// "Any answer sets the cursor" would let a gateway that has just asked believe it is done.
Test(dispatch, an_answer_for_an_older_session_is_kept_back) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 5, 1);
    struct dispatch_action job = action(&d, ACTION_JOB, 0);
    feed(&d, (struct dispatch_input){.kind = INPUT_GATEWAY, .gateway = 0});
    feed_ask(&d, 0, 5); // restarted, its sessions too
    struct dispatch_action ask = action(&d, ACTION_JOB, 0);
    cr_assert(eq(int, ask.what, JOB_ASK));
    feed_done(&d, 0, job.job, 1, -1);
    cr_assert(eq(sz, action_count(&d, ACTION_ANSWER), 0));
    feed_done(&d, 0, ask.job, 1, -1);
    cr_assert(eq(sz, action_count(&d, ACTION_ANSWER), 1));
    drive_free(&d);
}

// A crashed worker must not take its batches with it, and order must survive.
Test(dispatch, a_silent_worker_loses_its_batches_in_order) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    for (uint64_t n = 1; n <= 3; n++)
        feed_batch(&d, 0, 1, n);
    d.now_ms += 4000;
    feed_ready(&d, 1, 4, true);
    feed_tick(&d, dispatch_deadline_ms(d.dispatch));
    cr_assert(eq(int, action(&d, ACTION_WORKER_LOST, 0).reason, REASON_SILENT));
    feed_ready(&d, 1, 4, false); // alive
    for (uint64_t n = 1; n <= 3; n++) {
        struct dispatch_action job = action(&d, ACTION_JOB, 0);
        cr_assert(eq(u32, job.worker, 1));
        cr_assert(eq(u32, job.slot, (uint32_t)n - 1));
        feed_done(&d, 1, job.job, n, -1);
    }
    drive_free(&d);
}

// A worker that was silent for a moment still holds what it had: more than its credit would not
// find room, and be lost until job_ms. The same holds no longer than job_ms.
Test(dispatch, what_a_silent_worker_may_still_hold_needs_its_credit) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 2);
    feed_ask(&d, 0, 1);
    struct dispatch_action first = action(&d, ACTION_JOB, 0);
    feed_ask(&d, 1, 1);
    feed_tick(&d, d.now_ms + drive_limits.worker_silence_ms);
    cr_assert(eq(int, action(&d, ACTION_WORKER_LOST, 0).reason, REASON_SILENT));
    feed_ready(&d, 0, 2, false);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    feed_done(&d, 0, first.job, 0, -1); // late, but there is room again
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
    feed_done(&d, 0, action(&d, ACTION_JOB, 0).job, 0, -1);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1)); // the other ask
    feed_done(&d, 0, action(&d, ACTION_JOB, 0).job, 0, -1);
    feed_ready(&d, 0, 1, false); // it still holds the second of the first two
    feed_ask(&d, 0, 2);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    for (uint64_t end_ms = d.now_ms + drive_limits.job_ms; d.now_ms < end_ms;) {
        cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
        d.now_ms += 1000;
        feed_ready(&d, 0, 1, false);
    }
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
    drive_free(&d);
}

// A connection breaks and is made anew, or the broker restarts: the jobs from before are still in
// the worker, and only the worker knows.
Test(dispatch, what_a_worker_holds_from_a_former_connection_needs_its_credit) {
    struct drive d = drive_new(drive_limits);
    feed_reconnected(&d, 0, 2, 2);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    feed_done(&d, 0, 12345, 0, -1); // of a job that this broker never gave
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
    feed_done(&d, 0, 12346, 0, -1);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 1));
    drive_free(&d);
}

// It may have been frozen, and thaw: Redis knows the number, the broker only has to ignore it.
Test(dispatch, a_late_answer_changes_nothing) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    struct dispatch_action lost = action(&d, ACTION_JOB, 0);
    feed_tick(&d, d.now_ms + 5000);
    feed_done(&d, 0, lost.job, 1, -1);
    cr_assert(eq(sz, d.out.count, 0));
    feed_ready(&d, 0, 4, false);
    struct dispatch_action job = action(&d, ACTION_JOB, 0);
    cr_assert(ne(u64, job.job, lost.job));
    feed_done(&d, 0, lost.job, 1, -1);
    cr_assert(eq(sz, d.out.count, 0));
    cr_assert(eq(u64, dispatch_counters(d.dispatch)->late, 2));
    drive_free(&d);
}

// Operations restart workers in the middle of the day.
Test(dispatch, a_draining_worker_finishes_and_gets_no_more) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    struct dispatch_action job = action(&d, ACTION_JOB, 0);
    feed_worker(&d, INPUT_DRAIN, 0);
    cr_assert(eq(sz, action_count(&d, ACTION_DRAIN), 1));
    feed_batch(&d, 0, 1, 2);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    feed_ready(&d, 1, 4, true); // the branch is still with the first one
    for (size_t i = 0; i < action_count(&d, ACTION_JOB); i++)
        cr_assert(eq(int, action(&d, ACTION_JOB, i).what, JOB_SETTLE));
    feed_done(&d, 0, job.job, 1, -1);
    cr_assert(eq(u32, action(&d, ACTION_JOB, 0).worker, 1));
    feed_worker(&d, INPUT_GOODBYE, 0);
    feed_ready(&d, 0, 4, true); // started again: no longer draining
    cr_assert(not(dispatch_worker(d.dispatch, 0).draining));
    drive_free(&d);
}

// What a worker gives back was not its death.
Test(dispatch, a_goodbye_gives_back_without_suspicion) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    for (uint64_t n = 1; n <= 3; n++)
        feed_batch(&d, 0, 1, n);
    feed_worker(&d, INPUT_GOODBYE, 0);
    feed_ready(&d, 1, 4, true);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 3));
    cr_assert(eq(u64, dispatch_gateway(d.dispatch, 0).suspect_through, 0));
    drive_free(&d);
}

// A job whose message was lost on the way would otherwise be waited for without end.
Test(dispatch, a_job_that_takes_too_long_is_taken_back) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 4);
    feed_batch(&d, 0, 1, 1);
    uint64_t begin_ms = d.now_ms;
    while (d.now_ms < begin_ms + 59000) {
        d.now_ms += 1000;
        feed_ready(&d, 0, 4, false);
        while (action_count(&d, ACTION_JOB)) // probes
            feed_done(&d, 0, action(&d, ACTION_JOB, 0).job, 0, -1);
    }
    feed_tick(&d, begin_ms + 60000);
    cr_assert(eq(int, action(&d, ACTION_WORKER_LOST, 0).reason, REASON_OVERDUE));
    cr_assert(eq(u32, dispatch_gateway(d.dispatch, 0).queued, 1));
    drive_free(&d);
}

// Turn by turn, by bytes: a branch with a long queue does not make another wait for all of it.
Test(dispatch, branches_take_turns) {
    struct dispatch_limits limits = drive_limits;
    limits.window = 32;
    struct drive d = drive_new(limits);
    for (uint64_t n = 1; n <= 20; n++)
        feed_batch(&d, 0, 1, n);
    for (uint64_t n = 1; n <= 4; n++)
        feed_batch(&d, 2, 1, n);
    feed_ready(&d, 0, 12, true);
    uint32_t quiet = 0;
    for (size_t i = 0; i < action_count(&d, ACTION_JOB); i++)
        quiet += action(&d, ACTION_JOB, i).gateway == 2;
    cr_assert(eq(u32, quiet, 4));
    drive_free(&d);
}

// What goes together is folded, answered and sent together; but no longer than a turn, so that a
// busy gateway does not hold back its branch.
Test(dispatch, batches_of_a_gateway_go_together) {
    struct drive d = drive_new(drive_limits);
    for (uint64_t n = 1; n <= 5; n++) {
        feed_batch(&d, 0, 1, n);
        feed_batch(&d, 1, 1, n);
    }
    feed_ready(&d, 0, 16, true);
    char order[16] = "";
    for (size_t i = 0, jobs = 0; i < action_count(&d, ACTION_JOB); i++) {
        struct dispatch_action job = action(&d, ACTION_JOB, i);
        if (job.what == JOB_BATCH) order[jobs++] = job.gateway == 0 ? 'a' : 'b';
    }
    cr_assert(eq(str, order, "aaabbbaabb")); // three fit into drive_limits.quantum
    drive_free(&d);
}

// Encounters become due without a batch coming in.
Test(dispatch, a_branch_is_settled_at_the_start_when_due_and_at_intervals) {
    struct drive d = drive_new(drive_limits);
    feed_ready(&d, 0, 4, true);
    cr_assert(eq(sz, action_count(&d, ACTION_JOB), 2));
    uint64_t first = action(&d, ACTION_JOB, 0).job, second = action(&d, ACTION_JOB, 1).job;
    feed_done(&d, 0, first, 0, 700);
    feed_done(&d, 0, second, 0, -1);
    uint64_t start_ms = d.now_ms;
    cr_assert(eq(u64, dispatch_branch(d.dispatch, 0).settle_ms, start_ms + 700));
    cr_assert(eq(u64, dispatch_branch(d.dispatch, 1).settle_ms, start_ms + 30000));
    feed_batch(&d, 2, 1, 1);
    feed_done(&d, 0, action(&d, ACTION_JOB, 0).job, 1, 400);
    cr_assert(eq(u64, dispatch_branch(d.dispatch, 1).settle_ms, start_ms + 400));
    feed_tick(&d, start_ms + 400);
    cr_assert(eq(u32, action(&d, ACTION_JOB, 0).branch, 1));
    cr_assert(eq(u64, dispatch_branch(d.dispatch, 1).settle_ms, UINT64_MAX));
    drive_free(&d);
}

// A gateway that asks without end costs one job at a time.
Test(dispatch, one_ask_of_a_gateway_is_out_at_a_time) {
    struct drive d = drive_new(drive_limits);
    worker_settled(&d, 0, 8);
    feed_ask(&d, 0, 1);
    uint64_t first = action(&d, ACTION_JOB, 0).job;
    for (uint64_t session = 2; session < 50; session++) {
        feed_ask(&d, 0, session);
        cr_assert(eq(sz, action_count(&d, ACTION_JOB), 0));
    }
    feed_done(&d, 0, first, 0, -1);
    cr_assert(eq(sz, action_count(&d, ACTION_ANSWER), 0));
    cr_assert(eq(u64, action(&d, ACTION_JOB, 0).session, 49));
    drive_free(&d);
}
