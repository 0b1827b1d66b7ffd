// The switch that feeds inputs to the parts, and the memory they share.

#include "broker/core/state.h"

#include <assert.h>
#include <stdlib.h>

enum { JOBS_PER_DONE = 256 };

void act(struct dispatch *dispatch, struct dispatch_action action) {
    assert(dispatch->action_count < dispatch->action_limit);
    dispatch->actions[dispatch->action_count++] = action;
}

uint32_t branch_number(const struct dispatch *dispatch, const struct branch *branch) {
    return (uint32_t)(branch - dispatch->branches);
}

uint32_t lane_number(const struct dispatch *dispatch, const struct lane *lane) {
    return (uint32_t)(lane - dispatch->lanes);
}

uint32_t worker_number(const struct dispatch *dispatch, const struct worker *worker) {
    return (uint32_t)(worker - dispatch->workers);
}

uint32_t job_number(const struct dispatch *dispatch, const struct job *job) {
    return (uint32_t)(job - dispatch->jobs);
}

static bool limits_hold(const struct dispatch_limits *limits, uint32_t gateway_count) {
    return limits->workers > 0 && limits->workers <= DISPATCH_WORKERS_MAX && limits->batches > 0 &&
           limits->bytes > 0 && limits->window > 0 && limits->window <= limits->batches &&
           limits->quantum > 0 && limits->deaths > 0 && limits->worker_silence_ms > 0 &&
           limits->job_ms > 0 && limits->settle_probe_ms > 0 &&
           limits->first_assignment <= UINT32_MAX && limits->batches <= DISPATCH_JOBS_MAX &&
           gateway_count <= DISPATCH_JOBS_MAX;
}

static void lanes_init(struct dispatch *dispatch, const uint32_t *gateway_branch) {
    for (uint32_t i = 0; i < dispatch->lane_count; i++) {
        struct lane *lane = &dispatch->lanes[i];
        assert(gateway_branch[i] < dispatch->branch_count);
        lane->branch = &dispatch->branches[gateway_branch[i]];
        list_init(&lane->in_branch);
        list_init(&lane->in_suspects);
        list_init(&lane->in_asks);
        list_init(&lane->jobs);
    }
}

static void branches_init(struct dispatch *dispatch) {
    for (uint32_t i = 0; i < dispatch->branch_count; i++) {
        struct branch *branch = &dispatch->branches[i];
        list_init(&branch->in_turn);
        list_init(&branch->lanes);
        list_init(&branch->asks);
        struct job *settle = &dispatch->jobs[dispatch->slot_count + i];
        *settle = (struct job){.branch = branch, .what = JOB_SETTLE, .used = true};
        list_init(&settle->in_worker);
        settle_start(dispatch, branch);
    }
}

static void workers_init(struct dispatch *dispatch) {
    for (uint32_t i = 0; i < dispatch->limits.workers; i++) {
        struct worker *worker = &dispatch->workers[i];
        list_init(&worker->in_takers);
        list_init(&worker->jobs);
        list_init(&worker->parked);
    }
}

struct dispatch *dispatch_new(const struct dispatch_limits *limits, uint32_t branch_count,
                              const uint32_t *gateway_branch, uint32_t gateway_count,
                              uint64_t now_ms) {
    if (!limits_hold(limits, gateway_count) || branch_count > DISPATCH_JOBS_MAX) return NULL;
    struct dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (!dispatch) return NULL;
    dispatch->limits = *limits;
    dispatch->branch_count = branch_count;
    dispatch->lane_count = gateway_count;
    // Two asks a gateway (one handed out, one queued), and one slot for what is just coming in.
    dispatch->slot_count = limits->batches + 2 * gateway_count + 1;
    dispatch->job_count = dispatch->slot_count + branch_count;
    // In one step a job is freed at most once and handed out at most once, a worker lost once, a
    // gateway told to send once.
    dispatch->action_limit =
        2 * (size_t)dispatch->job_count + 2 * (size_t)limits->workers + gateway_count + 8;
    dispatch->jobs = calloc(dispatch->job_count, sizeof *dispatch->jobs);
    dispatch->lanes = calloc(gateway_count ? gateway_count : 1, sizeof *dispatch->lanes);
    dispatch->branches = calloc(branch_count ? branch_count : 1, sizeof *dispatch->branches);
    dispatch->workers = calloc(limits->workers, sizeof *dispatch->workers);
    dispatch->actions = calloc(dispatch->action_limit, sizeof *dispatch->actions);
    dispatch->deadlines = deadlines_new((size_t)limits->workers + branch_count + gateway_count);
    if (!dispatch->jobs || !dispatch->lanes || !dispatch->branches || !dispatch->workers ||
        !dispatch->actions || !dispatch->deadlines) {
        dispatch_free(dispatch);
        return NULL;
    }
    dispatch->now_ms = now_ms;
    dispatch->assignments = limits->first_assignment;
    dispatch->trial.death_ms = UINT64_MAX;
    list_init(&dispatch->active);
    list_init(&dispatch->takers);
    list_init(&dispatch->suspects);
    list_init(&dispatch->age);
    lanes_init(dispatch, gateway_branch);
    turns_begin(dispatch, now_ms);
    branches_init(dispatch);
    workers_init(dispatch);
    return dispatch;
}

void dispatch_free(struct dispatch *dispatch) {
    if (!dispatch) return;
    deadlines_free(dispatch->deadlines);
    free(dispatch->actions);
    free(dispatch->workers);
    free(dispatch->branches);
    free(dispatch->lanes);
    free(dispatch->jobs);
    free(dispatch);
}

uint32_t dispatch_slots(const struct dispatch *dispatch) {
    return dispatch->slot_count;
}

static void deadlines_pass(struct dispatch *dispatch) {
    const uint32_t workers = dispatch->limits.workers, branches = dispatch->branch_count;
    uint32_t slot;
    while (deadlines_take(dispatch->deadlines, dispatch->now_ms, &slot)) {
        if (slot < workers)
            roster_expired(dispatch, &dispatch->workers[slot]);
        else if (slot - workers < branches)
            settle_expired(dispatch, &dispatch->branches[slot - workers]);
        else
            suspects_rested(dispatch, &dispatch->lanes[slot - workers - branches]);
    }
}

static void input_take(struct dispatch *dispatch, const struct dispatch_input *in) {
    struct worker *worker = &dispatch->workers[in->worker];
    switch (in->kind) {
    case INPUT_BATCH:
        window_batch(dispatch, in);
        break;
    case INPUT_ASK:
        window_ask(dispatch, in);
        break;
    case INPUT_GATEWAY:
        window_connected(dispatch, &dispatch->lanes[in->gateway]);
        break;
    case INPUT_READY:
        roster_ready(dispatch, in);
        break;
    case INPUT_DONE:
        assignment_done(dispatch, in);
        break;
    case INPUT_GOODBYE:
        roster_lost(dispatch, worker, REASON_GOODBYE);
        break;
    case INPUT_DRAIN:
        roster_drain(dispatch, worker);
        break;
    case INPUT_UNREACHABLE:
        roster_lost(dispatch, worker, REASON_UNREACHABLE);
        break;
    case INPUT_TICK:
        break; // deadlines pass at every input
    }
}

void dispatch_step(struct dispatch *dispatch, const struct dispatch_input *in,
                   struct dispatch_actions *out) {
    assert(in->now_ms >= dispatch->now_ms && in->worker < dispatch->limits.workers);
    assert(in->gateway < dispatch->lane_count || dispatch->lane_count == 0);
    assert(in->jobs.size <= 8 * JOBS_PER_DONE);
    dispatch->now_ms = in->now_ms;
    dispatch->action_count = 0;
    dispatch->trial.speaker = NULL;
    input_take(dispatch, in); // first: a heartbeat that is just coming in still counts
    deadlines_pass(dispatch);
    suspects_serve(dispatch);
    fairness_serve(dispatch);
    turns_pass(dispatch);
    *out = (struct dispatch_actions){.items = dispatch->actions, .count = dispatch->action_count};
}

uint64_t dispatch_deadline_ms(const struct dispatch *dispatch) {
    uint64_t next_ms = deadlines_next_ms(dispatch->deadlines);
    uint64_t turns_ms = turns_deadline_ms(dispatch);
    return turns_ms < next_ms ? turns_ms : next_ms;
}

struct dispatch_worker_view dispatch_worker(const struct dispatch *dispatch, uint32_t number) {
    const struct worker *worker = &dispatch->workers[number];
    return (struct dispatch_worker_view){
        .ready = worker->ready,
        .draining = worker->draining,
        .alone = dispatch->trial.worker == worker,
        .credit = worker->credit,
        .assigned = worker->assigned,
        .heard_ms = worker->heard_ms,
    };
}

struct dispatch_gateway_view dispatch_gateway(const struct dispatch *dispatch, uint32_t number) {
    const struct lane *lane = &dispatch->lanes[number];
    return (struct dispatch_gateway_view){
        .session = lane->session,
        .window = lane->window,
        .queued = lane->held - lane->assigned,
        .assigned = lane->assigned,
        .repeated = lane->repeated,
        .suspect_through = lane->suspicion.through,
        .deaths = lane->suspicion.deaths,
    };
}

struct dispatch_branch_view dispatch_branch(const struct dispatch *dispatch, uint32_t number) {
    const struct branch *branch = &dispatch->branches[number];
    return (struct dispatch_branch_view){
        .queued = branch->queued,
        .assigned = branch->assigned,
        .bytes = branch->bytes,
        .settle_ms = branch->settle_ms,
        .worker = branch->worker ? worker_number(dispatch, branch->worker) : UINT32_MAX,
    };
}

const struct dispatch_counters *dispatch_counters(const struct dispatch *dispatch) {
    return &dispatch->counters;
}

uint64_t dispatch_oldest_ms(const struct dispatch *dispatch) {
    if (list_empty(&dispatch->age)) return UINT64_MAX;
    return LIST_OWNER(const struct job, in_age, dispatch->age.next)->came_ms;
}

const char *dispatch_reason_name(enum dispatch_reason reason) {
    static const char *const names[] = {
        [REASON_NONE] = "none",         [REASON_WINDOW] = "window",
        [REASON_FULL] = "full",         [REASON_SILENT] = "silent",
        [REASON_REPLACED] = "replaced", [REASON_UNREACHABLE] = "unreachable",
        [REASON_OVERDUE] = "overdue",   [REASON_GOODBYE] = "goodbye",
    };
    return names[reason];
}
