// What a worker has: jobs handed out, done, taken back. All assigned batches of a branch are with
// one worker; once there are none, any worker may get the next.

#include "broker/core/state.h"

#include <assert.h>

bool worker_takes(const struct dispatch *dispatch, const struct worker *worker) {
    return worker->ready && !worker->draining && dispatch->trial.worker != worker &&
           worker->ghosts < worker->credit && worker->assigned < worker->credit - worker->ghosts;
}

void lane_place(struct dispatch *dispatch, struct lane *lane) {
    list_remove(&lane->in_branch);
    list_remove(&lane->in_suspects);
    if (!lane->next) return;
    if (!suspects_is(dispatch, lane, lane->next)) {
        list_append(&lane->branch->lanes, &lane->in_branch);
        fairness_wake(dispatch, lane->branch);
    } else if (!lane->resting && dispatch->trial.lane != lane) {
        list_append(&dispatch->suspects, &lane->in_suspects);
    }
}

static void batch_given(struct dispatch *dispatch, struct job *job, struct worker *worker) {
    struct lane *lane = job->lane;
    struct branch *branch = lane->branch;
    assert(lane->next == job && (!branch->worker || branch->worker == worker));
    struct link *after = job->in_lane.next;
    lane->next = after == &lane->jobs ? NULL : LIST_OWNER(struct job, in_lane, after);
    lane->assigned++;
    branch->queued--;
    branch->assigned++;
    branch->worker = worker;
    if (suspects_is_dead(dispatch, lane, job)) job->what = JOB_DEAD;
    // Else it stays in front: what goes together is done, answered and sent together.
    if (!lane->next || suspects_is(dispatch, lane, lane->next)) lane_place(dispatch, lane);
}

/// Numbers stay below 2^53; they come again only after all others did.
static uint64_t assignment_new(struct dispatch *dispatch, const struct job *job) {
    const uint64_t limit = NUMBER_MAX / dispatch->job_count;
    dispatch->assignments = dispatch->assignments % (limit - 1) + 1;
    return dispatch->assignments * dispatch->job_count + (uint64_t)(job - dispatch->jobs);
}

void assignment_give(struct dispatch *dispatch, struct job *job, struct worker *worker) {
    struct lane *lane = job->lane;
    job->worker = worker;
    job->assigned_ms = dispatch->now_ms;
    job->assignment = assignment_new(dispatch, job);
    list_append(&worker->jobs, &job->in_worker);
    worker->assigned++;
    if (job->what == JOB_BATCH) {
        batch_given(dispatch, job, worker);
    } else if (job->what == JOB_ASK) {
        lane->ask = job;
        lane->ask_queued = NULL;
        list_remove(&lane->in_asks);
    }
    roster_offer(dispatch, worker);
    if (worker->assigned == 1) roster_watch(dispatch, worker);
    dispatch->counters.jobs++;
    act(dispatch, (struct dispatch_action){
                      .kind = ACTION_JOB,
                      .what = job->what,
                      .branch = branch_number(dispatch, job->branch),
                      .gateway = lane ? lane_number(dispatch, lane) : UINT32_MAX,
                      .worker = worker_number(dispatch, worker),
                      .slot = lane ? job_number(dispatch, job) : UINT32_MAX,
                      .session = job->session,
                      .job = job->assignment,
                  });
}

/// The job is with nobody; the caller says what becomes of it.
static void job_release(struct job *job) {
    struct branch *branch = job->branch;
    job->worker->assigned--;
    job->worker = NULL;
    job->assignment = 0;
    list_remove(&job->in_worker);
    if (job->what != JOB_BATCH && job->what != JOB_DEAD) return;
    job->what = JOB_BATCH;
    job->lane->assigned--;
    branch->assigned--;
    branch->queued++;
    if (branch->assigned == 0) branch->worker = NULL;
}

static void ask_finished(struct dispatch *dispatch, struct lane *lane) {
    if (!lane->ask_queued) return;
    list_append(&lane->branch->asks, &lane->in_asks);
    fairness_wake(dispatch, lane->branch);
}

/// Queue it again where it was, or drop it if its gateway has begun anew.
static void job_give_back(struct dispatch *dispatch, struct job *job) {
    struct lane *lane = job->lane;
    dispatch->counters.given_back++;
    job_release(job);
    if (job->what == JOB_SETTLE) {
        settle_lost(dispatch, job->branch);
    } else if (job->what == JOB_ASK) {
        lane->ask = NULL;
        bool current = job->life == lane->life && !lane->ask_queued;
        if (current)
            lane->ask_queued = job;
        else
            window_drop(dispatch, job);
        ask_finished(dispatch, lane);
    } else if (job->life != lane->life) {
        window_drop(dispatch, job);
    } else {
        // All that the lane has handed out comes back now, so its first one is next.
        lane->next = LIST_OWNER(struct job, in_lane, lane->jobs.next);
    }
}

void assignment_take_back(struct dispatch *dispatch, struct worker *worker) {
    while (!list_empty(&worker->jobs)) {
        struct job *job = LIST_OWNER(struct job, in_worker, worker->jobs.next);
        struct lane *lane = job->lane;
        job_give_back(dispatch, job);
        if (lane && lane->assigned == 0) lane_place(dispatch, lane);
        if (job->branch->assigned == 0) fairness_wake(dispatch, job->branch);
    }
}

static uint64_t job_id_at(struct bytes jobs, size_t index) {
    uint64_t id = 0;
    for (size_t i = 0; i < 8; i++)
        id |= (uint64_t)jobs.data[8 * index + i] << (8 * i);
    return id;
}

static void job_finish(struct dispatch *dispatch, struct job *job,
                       const struct dispatch_input *in) {
    struct lane *lane = job->lane;
    bool tried = dispatch->trial.running && dispatch->trial.worker == job->worker;
    dispatch->counters.done++;
    job_release(job);
    if (job->what == JOB_SETTLE) {
        settle_done(dispatch, job->branch, in);
        return;
    }
    bool ask = job->what == JOB_ASK;
    if (!ask) turns_waited(dispatch, dispatch->now_ms - job->came_ms);
    window_drop(dispatch, job);
    if (ask) {
        ask_finished(dispatch, lane);
    } else {
        suspects_passed(lane, in);
        if (tried) suspects_over(dispatch);
        lane_place(dispatch, lane);
        if (lane->branch->assigned == 0) fairness_wake(dispatch, lane->branch);
    }
}

void assignment_done(struct dispatch *dispatch, const struct dispatch_input *in) {
    struct worker *worker = &dispatch->workers[in->worker];
    struct branch *branch = NULL;
    struct lane *lane = NULL;
    bool answer = false;
    worker->heard_ms = dispatch->now_ms;
    worker->reserved = false; // until it says so again
    if (worker->ready) dispatch->trial.speaker = worker;
    for (size_t i = 0; i < in->jobs.size / 8; i++) {
        uint64_t id = job_id_at(in->jobs, i);
        struct job *job = &dispatch->jobs[id % dispatch->job_count];
        bool has = id != 0 && job->used && job->assignment == id && job->worker == worker;
        if (has && !branch) {
            branch = job->branch;
            lane = job->lane;
        }
        if (!has || job->branch != branch || job->lane != lane) {
            dispatch->counters.late++;
            if (worker->ghosts > 0) worker->ghosts--;
            continue;
        }
        if (lane && job->life == lane->life) answer = true;
        job_finish(dispatch, job, in);
    }
    roster_offer(dispatch, worker);
    if (!branch) return;
    if (lane) settle_heard(dispatch, branch, in->due_ms);
    if (answer) {
        bool goes_on = in->status == ANSWER_APPLIED || in->status == ANSWER_DEAD;
        dispatch->counters.answers++;
        act(dispatch, (struct dispatch_action){.kind = ACTION_ANSWER,
                                               .gateway = lane_number(dispatch, lane),
                                               .session = lane->session,
                                               .window = turns_window(dispatch, lane, goes_on)});
    }
}
