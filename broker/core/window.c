// What is let in: sessions, the window of a gateway, and a branch's share of the memory.

#include "broker/core/state.h"

#include <assert.h>

void window_drop(struct dispatch *dispatch, struct job *job) {
    struct lane *lane = job->lane;
    assert(!job->worker);
    if (job->what == JOB_ASK) {
        if (lane->ask == job) lane->ask = NULL;
        if (lane->ask_queued == job) {
            lane->ask_queued = NULL;
            list_remove(&lane->in_asks);
        }
    } else {
        if (lane->next == job) {
            struct link *after = job->in_lane.next;
            lane->next = after == &lane->jobs ? NULL : LIST_OWNER(struct job, in_lane, after);
        }
        list_remove(&job->in_lane);
        list_remove(&job->in_age);
        lane->held--;
        if (job->life == lane->life) lane->unanswered--;
        dispatch->batches--;
        dispatch->bytes -= job->bytes;
        lane->branch->bytes -= job->bytes;
        lane->branch->queued--;
    }
    job->used = false;
    act(dispatch, (struct dispatch_action){.kind = ACTION_FREE, .slot = job_number(dispatch, job)});
}

/// Older messages of this gateway mean nothing any more: what is queued goes, what a worker has
/// already may finish.
static void life_begin(struct dispatch *dispatch, struct lane *lane, uint64_t session) {
    while (lane->next) {
        dispatch->counters.voided++;
        window_drop(dispatch, lane->next);
    }
    if (lane->ask_queued) {
        dispatch->counters.voided++;
        window_drop(dispatch, lane->ask_queued);
    }
    lane->life++;
    lane->session = session;
    lane->unanswered = 0;
    lane->later_number = 0;
    turns_reset(dispatch, lane);
    lane_place(dispatch, lane);
}

void window_connected(struct dispatch *dispatch, struct lane *lane) {
    life_begin(dispatch, lane, 0);
}

/// false: the message is of a session that is over, and its slot is free again.
static bool session_holds(struct dispatch *dispatch, struct lane *lane,
                          const struct dispatch_input *in) {
    if (in->session < lane->session) {
        dispatch->counters.stale++;
        act(dispatch, (struct dispatch_action){.kind = ACTION_FREE, .slot = in->slot});
        return false;
    }
    if (in->session > lane->session) life_begin(dispatch, lane, in->session);
    return true;
}

/// A branch may hold as much as is still free: one noisy branch gets half, two get a third each,
/// and there is always room for the next one.
static bool share_left(const struct dispatch *dispatch, const struct lane *lane, uint32_t bytes) {
    const struct dispatch_limits *limits = &dispatch->limits;
    const struct branch *branch = lane->branch;
    if (dispatch->batches >= limits->batches || bytes > limits->bytes - dispatch->bytes)
        return false;
    uint32_t held = branch->queued + branch->assigned;
    return held == 0 || (held < limits->batches - dispatch->batches &&
                         branch->bytes + bytes <= limits->bytes - dispatch->bytes);
}

static void later(struct dispatch *dispatch, struct lane *lane, const struct dispatch_input *in,
                  enum dispatch_reason reason) {
    if (reason == REASON_WINDOW)
        dispatch->counters.later_window++;
    else
        dispatch->counters.later_full++;
    // Its successors would only be gaps: they are refused until this one comes again, in silence.
    if (lane->later_number == 0 || in->position.number <= lane->later_number) {
        lane->later_number = in->position.number;
        act(dispatch, (struct dispatch_action){.kind = ACTION_LATER,
                                               .reason = reason,
                                               .gateway = in->gateway,
                                               .session = lane->session});
    }
    act(dispatch, (struct dispatch_action){.kind = ACTION_FREE, .slot = in->slot});
}

static struct job *job_fill(struct dispatch *dispatch, struct lane *lane,
                            const struct dispatch_input *in, enum job_kind what) {
    struct job *job = &dispatch->jobs[in->slot];
    assert(!job->used);
    *job = (struct job){.lane = lane,
                        .branch = lane->branch,
                        .came_ms = in->now_ms,
                        .life = lane->life,
                        .session = lane->session,
                        .position = in->position,
                        .what = what,
                        .used = true};
    list_init(&job->in_lane);
    list_init(&job->in_worker);
    list_init(&job->in_age);
    return job;
}

/// For people only: whether it is one is decided where the position is.
static void count_repeated(struct lane *lane, const struct position *position) {
    if (position->epoch == lane->top.epoch && position->number <= lane->top.number)
        lane->repeated++;
    else
        lane->top = *position;
}

void window_batch(struct dispatch *dispatch, const struct dispatch_input *in) {
    struct lane *lane = &dispatch->lanes[in->gateway];
    const uint32_t window = dispatch->limits.window;
    if (!session_holds(dispatch, lane, in)) return;
    bool after_refused = lane->later_number && in->position.number > lane->later_number;
    if (after_refused || lane->unanswered >= window || lane->held >= 2 * window) {
        later(dispatch, lane, in, REASON_WINDOW);
        return;
    }
    if (!share_left(dispatch, lane, in->bytes)) {
        later(dispatch, lane, in, REASON_FULL);
        return;
    }
    lane->later_number = 0;
    struct job *job = job_fill(dispatch, lane, in, JOB_BATCH);
    job->bytes = in->bytes;
    list_append(&lane->jobs, &job->in_lane);
    list_append(&dispatch->age, &job->in_age);
    lane->held++;
    lane->unanswered++;
    lane->sent++;
    lane->branch->queued++;
    lane->branch->bytes += in->bytes;
    dispatch->batches++;
    dispatch->bytes += in->bytes;
    count_repeated(lane, &in->position);
    dispatch->counters.batches++;
    dispatch->counters.batch_bytes += in->bytes;
    if (!lane->next) {
        lane->next = job;
        lane_place(dispatch, lane);
    }
}

void window_ask(struct dispatch *dispatch, const struct dispatch_input *in) {
    struct lane *lane = &dispatch->lanes[in->gateway];
    if (!session_holds(dispatch, lane, in)) return;
    if (lane->ask_queued) window_drop(dispatch, lane->ask_queued);
    dispatch->counters.asks++;
    lane->ask_queued = job_fill(dispatch, lane, in, JOB_ASK);
    if (!lane->ask) { // one at a time: a gateway that asks without end costs one job
        list_append(&lane->branch->asks, &lane->in_asks);
        fairness_wake(dispatch, lane->branch);
    }
}
