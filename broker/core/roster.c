// Who is there: workers that are ready, silent, draining or gone, and how much each one takes.

#include "broker/core/state.h"

static void unpark(struct dispatch *dispatch, struct worker *worker) {
    while (!list_empty(&worker->parked)) // at most as many branches as the worker has batches
        fairness_wake(dispatch, LIST_OWNER(struct branch, in_turn, worker->parked.next));
}

void roster_offer(struct dispatch *dispatch, struct worker *worker) {
    bool takes = worker_takes(dispatch, worker);
    if (takes == list_holds(&worker->in_takers)) return;
    if (!takes) {
        list_remove(&worker->in_takers);
        return;
    }
    list_append(&dispatch->takers, &worker->in_takers);
    unpark(dispatch, worker);
}

/// When the worker is lost if nothing happens: by silence, or by a job that takes too long.
static uint64_t expiry_ms(const struct dispatch *dispatch, const struct worker *worker) {
    uint64_t silent = worker->heard_ms + dispatch->limits.worker_silence_ms;
    if (list_empty(&worker->jobs)) return silent;
    const struct job *oldest = LIST_OWNER(struct job, in_worker, worker->jobs.next);
    uint64_t overdue = oldest->assigned_ms + dispatch->limits.job_ms;
    return silent < overdue ? silent : overdue;
}

void roster_watch(struct dispatch *dispatch, struct worker *worker) {
    uint32_t slot = worker_number(dispatch, worker);
    if (worker->ready)
        deadlines_set(dispatch->deadlines, slot, expiry_ms(dispatch, worker));
    else
        deadlines_clear(dispatch->deadlines, slot);
}

void roster_expired(struct dispatch *dispatch, struct worker *worker) {
    if (!worker->ready) return;
    if (expiry_ms(dispatch, worker) > dispatch->now_ms) {
        roster_watch(dispatch, worker);
        return;
    }
    bool silent = worker->heard_ms + dispatch->limits.worker_silence_ms <= dispatch->now_ms;
    roster_lost(dispatch, worker, silent ? REASON_SILENT : REASON_OVERDUE);
}

void roster_ready(struct dispatch *dispatch, const struct dispatch_input *in) {
    struct worker *worker = &dispatch->workers[in->worker];
    if (in->fresh) {
        roster_lost(dispatch, worker, REASON_REPLACED);
        worker->draining = false;
        worker->ghosts = in->held; // whoever gave it them, they need its credit
    }
    // Once nothing that was sent to it can be on its way any more, its own word is the truth.
    if (dispatch->now_ms - worker->lost_ms >= dispatch->limits.job_ms && worker->ghosts > in->held)
        worker->ghosts = in->held;
    if (!worker->ready) dispatch->ready++;
    worker->ready = true;
    worker->credit = in->credit;
    worker->sharing = in->brokers > 1;
    worker->reserved = in->reserved;
    if (worker->sharing && !worker->reserved && dispatch->trial.worker == worker)
        dispatch->trial.alone = false; // it gave up waiting before the suspect came
    dispatch->trial.speaker = worker;
    worker->heard_ms = dispatch->now_ms;
    if (worker->draining) // again: the first one may have been lost
        act(dispatch, (struct dispatch_action){.kind = ACTION_DRAIN, .worker = in->worker});
    roster_offer(dispatch, worker);
    roster_watch(dispatch, worker);
}

void roster_drain(struct dispatch *dispatch, struct worker *worker) {
    if (!worker->ready) return;
    worker->draining = true;
    if (dispatch->trial.worker == worker && !dispatch->trial.running) dispatch->trial.worker = NULL;
    roster_offer(dispatch, worker);
    act(dispatch,
        (struct dispatch_action){.kind = ACTION_DRAIN, .worker = worker_number(dispatch, worker)});
}

void roster_lost(struct dispatch *dispatch, struct worker *worker, enum dispatch_reason reason) {
    if (!worker->ready) return; // has nothing
    act(dispatch, (struct dispatch_action){.kind = ACTION_WORKER_LOST,
                                           .reason = reason,
                                           .worker = worker_number(dispatch, worker),
                                           .jobs = worker->assigned});
    worker->ready = false;
    worker->lost_ms = dispatch->now_ms;
    worker->ghosts = reason == REASON_GOODBYE ? 0 : worker->ghosts + worker->assigned;
    dispatch->ready--;
    if (reason == REASON_GOODBYE) worker->draining = false;
    // A worker that says goodbye, or that still has a heartbeat, did not die of its batches.
    if (reason != REASON_GOODBYE && reason != REASON_OVERDUE) {
        dispatch->counters.deaths++;
        // What the shell could not send killed nobody.
        suspects_death(dispatch, worker, reason != REASON_UNREACHABLE);
    } else if (dispatch->trial.worker == worker) {
        suspects_over(dispatch);
    }
    assignment_take_back(dispatch, worker);
    roster_offer(dispatch, worker);
    unpark(dispatch, worker);
    roster_watch(dispatch, worker);
}
