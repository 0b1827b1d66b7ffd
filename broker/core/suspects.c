// Who is tried alone. A batch that was in a worker that died is suspect: suspects go one at a time
// to an otherwise idle worker; only a death while alone counts, deaths less than death_apart_ms
// apart count once, and `deaths` of them make a dead letter.
//
// One suspect in the whole broker is tried at a time: a batch that kills can then never take down
// more than one worker at once, and no other batch can be blamed for it. While the candidate waits
// for the rest of its branch to finish, the branch gets no more; a suspect that has just killed
// rests, so that the next death is another one.
//
// A worker that other brokers share may die of theirs. It is asked to be ours alone for one job,
// and gets the suspect only when it says that it is; a death counts unless it took that back
// meanwhile. One that says nothing of other brokers, as older ones do, is believed to have none.

#include "broker/core/state.h"

bool suspects_is_dead(const struct dispatch *dispatch, const struct lane *lane,
                      const struct job *job) {
    const struct suspicion *suspicion = &lane->suspicion;
    return suspicion->deaths >= dispatch->limits.deaths &&
           suspicion->epoch == job->position.epoch && suspicion->number == job->position.number &&
           tag_equal(suspicion->tag, job->position.tag);
}

bool suspects_is(const struct dispatch *dispatch, const struct lane *lane, const struct job *job) {
    return job->position.number <= lane->suspicion.through &&
           job->position.epoch == lane->suspicion.epoch && !suspects_is_dead(dispatch, lane, job);
}

bool suspects_hold(const struct dispatch *dispatch, const struct branch *branch) {
    return dispatch->trial.lane && dispatch->trial.lane->branch == branch;
}

static void suspect(struct job *job) {
    struct suspicion *suspicion = &job->lane->suspicion;
    if (suspicion->epoch != job->position.epoch)
        *suspicion = (struct suspicion){.epoch = job->position.epoch};
    if (suspicion->through < job->position.number) suspicion->through = job->position.number;
}

/// A worker died while it had nothing but this batch.
static void blame(struct dispatch *dispatch, struct job *job) {
    struct suspicion *suspicion = &job->lane->suspicion;
    bool known =
        suspicion->number == job->position.number && tag_equal(suspicion->tag, job->position.tag);
    suspicion->number = job->position.number;
    suspicion->tag = job->position.tag;
    suspicion->deaths = known ? suspicion->deaths + 1 : 1;
    if (suspicion->deaths != dispatch->limits.deaths) return;
    dispatch->counters.dead_letters++;
    act(dispatch, (struct dispatch_action){.kind = ACTION_DEAD_LETTER,
                                           .branch = branch_number(dispatch, job->branch),
                                           .gateway = lane_number(dispatch, job->lane),
                                           .slot = job_number(dispatch, job)});
}

void suspects_death(struct dispatch *dispatch, struct worker *worker, bool counts) {
    const uint64_t now_ms = dispatch->now_ms;
    const uint64_t last_ms = dispatch->trial.death_ms;
    bool another =
        counts && (last_ms == UINT64_MAX || now_ms - last_ms >= dispatch->limits.death_apart_ms);
    if (another) dispatch->trial.death_ms = now_ms;
    for (struct link *at = worker->jobs.next; at != &worker->jobs; at = at->next) {
        struct job *job = LIST_OWNER(struct job, in_worker, at);
        if (job->what == JOB_BATCH) suspect(job);
    }
    if (dispatch->trial.worker != worker) return;
    if (dispatch->trial.running) {
        struct lane *lane = dispatch->trial.lane;
        if (another && dispatch->trial.alone)
            blame(dispatch, LIST_OWNER(struct job, in_worker, worker->jobs.next));
        lane->resting = true;
        deadlines_set(dispatch->deadlines,
                      dispatch->limits.workers + dispatch->branch_count +
                          lane_number(dispatch, lane),
                      now_ms + dispatch->limits.death_apart_ms);
    }
    suspects_over(dispatch);
}

void suspects_over(struct dispatch *dispatch) {
    struct worker *worker = dispatch->trial.worker;
    struct lane *lane = dispatch->trial.lane;
    dispatch->trial.running = false;
    dispatch->trial.worker = NULL;
    dispatch->trial.lane = NULL;
    if (worker) roster_offer(dispatch, worker);
    if (!lane) return;
    lane_place(dispatch, lane);
    fairness_wake(dispatch, lane->branch);
}

void suspects_passed(struct lane *lane, const struct dispatch_input *done) {
    if (done->status != ANSWER_APPLIED && done->status != ANSWER_DEAD) return;
    bool beyond = done->position.epoch > lane->suspicion.epoch ||
                  (done->position.epoch == lane->suspicion.epoch &&
                   done->position.number >= lane->suspicion.through);
    if (beyond) lane->suspicion = (struct suspicion){0};
}

void suspects_rested(struct dispatch *dispatch, struct lane *lane) {
    lane->resting = false;
    lane_place(dispatch, lane);
}

static bool fit(const struct worker *worker) {
    return worker->ready && !worker->draining && worker->credit > 0;
}

/// No other broker's jobs are, or come, between.
static bool ours(const struct worker *worker) {
    return !worker->sharing || worker->reserved;
}

/// Better for a trial: has fewest jobs that only it knows of (it may die of those), is idle
/// soonest.
static bool calmer(const struct worker *a, const struct worker *b) {
    return a->ghosts != b->ghosts ? a->ghosts < b->ghosts : a->assigned < b->assigned;
}

/// Looks at all workers, but only once a trial.
static struct worker *calmest(struct dispatch *dispatch) {
    struct worker *best = NULL;
    for (uint32_t i = 0; i < dispatch->limits.workers; i++) {
        struct worker *worker = &dispatch->workers[i];
        if (fit(worker) && (!best || calmer(worker, best))) best = worker;
    }
    return best;
}

static void keep(struct dispatch *dispatch, struct worker *worker) {
    struct worker *before = dispatch->trial.worker;
    dispatch->trial.worker = worker;
    if (before && before != worker) roster_offer(dispatch, before); // takes again
    if (worker) roster_offer(dispatch, worker);                     // takes no more
}

/// Whose suspect is next; NULL: there is none that may be tried now.
static struct lane *candidate(struct dispatch *dispatch) {
    struct lane *lane = dispatch->trial.lane;
    if (lane && (!lane->next || !suspects_is(dispatch, lane, lane->next))) {
        suspects_over(dispatch); // its gateway has begun anew meanwhile
        lane = NULL;
    }
    if (!lane && !list_empty(&dispatch->suspects)) {
        lane = LIST_OWNER(struct lane, in_suspects, dispatch->suspects.next);
        list_remove(&lane->in_suspects);
        dispatch->trial.lane = lane;
    }
    return lane;
}

void suspects_serve(struct dispatch *dispatch) {
    if (dispatch->trial.running || dispatch->ready == 0) return;
    struct lane *lane = candidate(dispatch);
    if (!lane || lane->branch->assigned > 0) return; // held: its branch gets no more until then
    struct worker *speaker = dispatch->trial.speaker, *before = dispatch->trial.worker;
    if (speaker && fit(speaker) && speaker->assigned == 0 && speaker->ghosts == 0 && ours(speaker))
        keep(dispatch, speaker);
    else if (!before || !fit(before))
        keep(dispatch, calmest(dispatch));
    struct worker *worker = dispatch->trial.worker;
    if (worker && !ours(worker)) {
        // Again whenever it speaks: the worker may have been another broker's, or have given up.
        if (worker->assigned == 0 && (worker != before || worker == speaker))
            act(dispatch, (struct dispatch_action){.kind = ACTION_RESERVE,
                                                   .worker = worker_number(dispatch, worker)});
        return;
    }
    // It must have spoken just now: a worker that was dead already would be blamed on the batch.
    if (!worker || worker != speaker || worker->assigned > 0) return;
    if (worker->ghosts >= worker->credit) return; // it may have no room yet
    dispatch->trial.running = dispatch->trial.alone = true;
    dispatch->counters.trials++;
    assignment_give(dispatch, lane->next, worker);
}
