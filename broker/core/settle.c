// When a branch is asked for encounters that are due: at the start, when an answer of the store
// said so, and at least each settle_probe_ms. One settle job a branch is out at a time.

#include "broker/core/state.h"

enum { SETTLE_RETRY_MS = 2000 }; // after a settle job that failed or was lost with its worker

static void settle_set(struct dispatch *dispatch, struct branch *branch, uint64_t at_ms) {
    if (branch->settle_ms <= at_ms) return;
    branch->settle_ms = at_ms;
    if (!branch->settle_out && !branch->settle_wanted)
        deadlines_set(dispatch->deadlines,
                      dispatch->limits.workers + branch_number(dispatch, branch), at_ms);
}

static uint64_t due_at(const struct dispatch *dispatch, int64_t due_ms) {
    uint64_t probe_ms = dispatch->limits.settle_probe_ms;
    bool sooner = due_ms >= 0 && (uint64_t)due_ms < probe_ms;
    return dispatch->now_ms + (sooner ? (uint64_t)due_ms : probe_ms);
}

void settle_start(struct dispatch *dispatch, struct branch *branch) {
    branch->settle_ms = UINT64_MAX;
    settle_set(dispatch, branch, dispatch->now_ms);
}

void settle_expired(struct dispatch *dispatch, struct branch *branch) {
    branch->settle_ms = UINT64_MAX;
    branch->settle_wanted = true;
    fairness_wake(dispatch, branch);
}

void settle_give(struct dispatch *dispatch, struct branch *branch, struct worker *worker) {
    struct job *job = &dispatch->jobs[dispatch->slot_count + branch_number(dispatch, branch)];
    branch->settle_wanted = false;
    branch->settle_out = true;
    dispatch->counters.settles++;
    assignment_give(dispatch, job, worker);
}

static void settle_again(struct dispatch *dispatch, struct branch *branch, uint64_t at_ms) {
    uint64_t heard_ms = branch->settle_ms; // what an answer said while the job was out
    branch->settle_out = false;
    branch->settle_ms = UINT64_MAX;
    settle_set(dispatch, branch, heard_ms < at_ms ? heard_ms : at_ms);
}

void settle_done(struct dispatch *dispatch, struct branch *branch,
                 const struct dispatch_input *in) {
    bool fine = in->status == ANSWER_APPLIED;
    uint64_t wait_ms = in->wait_ms > SETTLE_RETRY_MS ? in->wait_ms : SETTLE_RETRY_MS;
    settle_again(dispatch, branch,
                 fine ? due_at(dispatch, in->due_ms) : dispatch->now_ms + wait_ms);
}

void settle_lost(struct dispatch *dispatch, struct branch *branch) {
    settle_again(dispatch, branch, dispatch->now_ms + SETTLE_RETRY_MS);
}

void settle_heard(struct dispatch *dispatch, struct branch *branch, int64_t due_ms) {
    if (due_ms >= 0) settle_set(dispatch, branch, due_at(dispatch, due_ms));
}
