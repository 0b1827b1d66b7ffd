#include "worker/core/pipeline.h"

#include "worker/core/lanes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTRIBUTION_MAX = 8 * 1024, VERDICTS_MAX = 2 * 1024 * 1024 };
enum {
    TURNED_AWAY_MS = 500, // until its gateway brings it again: as where a broker is full
    BUSY_MS = 1000,       // until a broker asks again for what is being settled for another
};

struct pipeline_limits pipeline_limits_default(void) {
    return (struct pipeline_limits){.jobs_max = 1024,
                                    .calls_max = 64,
                                    .fold_jobs_max = 64,
                                    .take_max = 16,
                                    .take_bytes = 1 << 20,
                                    .evidence_max = 1 << 20, // 4 h of 7 measures at 10 Hz
                                    .retry_least_ms = 50,
                                    .retry_most_ms = 2000,
                                    .refuse_ms = 5000,
                                    .drain_ms = 3000,
                                    .reserve_ms = 2000,
                                    .ingest = ingest_limits_default()};
}

static bool new_parts(struct pipeline *pipeline) {
    const struct pipeline_limits *limits = &pipeline->limits;
    size_t branches = pipeline->branch_count ? pipeline->branch_count : 1;
    buffer_init(&pipeline->contribution, CONTRIBUTION_MAX);
    buffer_init(&pipeline->verdicts, VERDICTS_MAX);
    pipeline->lanes = calloc(branches, sizeof *pipeline->lanes);
    pipeline->ready = ring_new(branches);
    pipeline->retries = deadlines_new(branches);
    pipeline->ingest = ingest_new(&limits->ingest);
    pipeline->minutes = minutes_reader_new(limits->evidence_max);
    pipeline->judgements = calloc(STANDARDS_MAX, sizeof *pipeline->judgements);
    return pipeline->lanes && pipeline->ready && pipeline->retries && pipeline->ingest &&
           pipeline->minutes && pipeline->judgements &&
           !jobs_init(&pipeline->jobs, limits->jobs_max) &&
           !arena_init(&pipeline->arena, BODY_ARENA_SIZE);
}

struct pipeline *pipeline_new(const struct pipeline_limits *limits,
                              const struct pipeline_branch *branches, size_t branch_count,
                              const struct measures *measures, uint64_t seed) {
    assert(limits->take_max <= UINT8_MAX && branch_count < UINT32_MAX);
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline) return NULL;
    pipeline->limits = *limits;
    pipeline->branches = branches;
    pipeline->branch_count = branch_count;
    pipeline->measures = measures;
    pipeline->seed = seed;
    pipeline->taken_lane = UINT32_MAX;
    pipeline->finished = pipeline->freed = JOB_LIST_EMPTY;
    pipeline->reservation = (struct reservation){
        .broker = BROKER_NONE, .until_ms = DEADLINE_NEVER, .waiting = JOB_LIST_EMPTY};
    if (!new_parts(pipeline)) {
        pipeline_free(pipeline);
        return NULL;
    }
    for (size_t i = 0; i < branch_count; i++)
        pipeline->lanes[i] = (struct lane){
            .waiting = JOB_LIST_EMPTY, .called = JOB_LIST_EMPTY, .settle_job = JOB_NONE};
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline) {
    if (!pipeline) return;
    jobs_fini(&pipeline->jobs);
    arena_fini(&pipeline->arena);
    buffer_fini(&pipeline->contribution);
    buffer_fini(&pipeline->verdicts);
    free(pipeline->judgements);
    minutes_reader_free(pipeline->minutes);
    ingest_free(pipeline->ingest);
    deadlines_free(pipeline->retries);
    ring_free(pipeline->ready);
    free(pipeline->lanes);
    free(pipeline);
}

struct job *pipeline_job(struct pipeline *pipeline, uint32_t job) {
    assert(job < pipeline->jobs.capacity);
    return &pipeline->jobs.items[job];
}

void lane_queue(struct pipeline *pipeline, uint32_t index) {
    struct lane *lane = &pipeline->lanes[index];
    if (lane->queued) return;
    lane->queued = ring_push(pipeline->ready, index);
    assert(lane->queued); // there is a place for each
}

void job_finish(struct pipeline *pipeline, uint32_t at, enum answer_status status,
                struct position answer) {
    struct job *job = pipeline_job(pipeline, at);
    job->status = status;
    job->answer = answer;
    if (status == ANSWER_APPLIED) job->reason[0] = '\0';
    job_list_append(&pipeline->jobs, &pipeline->finished, at);
}

void pipeline_notice(struct pipeline *pipeline, uint32_t lane, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(pipeline->notice, sizeof pipeline->notice, format, arguments);
    va_end(arguments);
    pipeline->notice_branch = lane;
}

// Inputs

static int compare_branch(const void *key, const void *item) {
    const struct pipeline_branch *branch = item;
    return strcmp(((const struct id *)key)->text, branch->branch->id.text);
}

static const struct pipeline_branch *find_branch(struct pipeline *pipeline, const struct id *id) {
    if (pipeline->recent_branch < pipeline->branch_count) {
        const struct pipeline_branch *recent = &pipeline->branches[pipeline->recent_branch];
        if (id_equal(&recent->branch->id, id)) return recent;
    }
    const struct pipeline_branch *found = bsearch(id, pipeline->branches, pipeline->branch_count,
                                                  sizeof *pipeline->branches, compare_branch);
    if (found) pipeline->recent_branch = (size_t)(found - pipeline->branches);
    return found;
}

static void refuse(struct pipeline *pipeline, uint32_t at, const char *what, const char *name) {
    struct job *job = pipeline_job(pipeline, at);
    snprintf(job->reason, sizeof job->reason, "this worker knows no %s %s: see config/branches",
             what, name);
    job->wait_ms = pipeline->limits.refuse_ms;
    job_finish(pipeline, at, ANSWER_REFUSED, (struct position){0});
}

void job_enqueue(struct pipeline *pipeline, uint32_t at) {
    uint32_t index = pipeline_job(pipeline, at)->branch;
    struct lane *lane = &pipeline->lanes[index];
    if (pipeline_job(pipeline, at)->kind != JOB_SETTLE) {
        job_list_append(&pipeline->jobs, &lane->waiting, at);
    } else if (lane->settle_job != JOB_NONE) { // it is being done, for another broker
        pipeline_job(pipeline, at)->due_ms = BUSY_MS;
        job_finish(pipeline, at, ANSWER_APPLIED, (struct position){0});
        return;
    } else {
        if (lane->settle == SETTLE_IDLE) lane->settle = SETTLE_WANTED;
        lane->settle_job = at;
    }
    lane_queue(pipeline, index);
}

static void job_came(struct pipeline *pipeline, const struct pipeline_input *input) {
    const struct message *message = input->message;
    uint32_t at = jobs_take(&pipeline->jobs);
    assert(at != JOB_NONE); // the shell lets in no more than pipeline_held allows
    struct job *job = pipeline_job(pipeline, at);
    job->id = message->job;
    job->kind = message->what;
    job->session = message->session;
    job->position = message->position;
    job->lost = message->lost;
    job->spool = message->spool;
    job->body = message->body;
    job->frame = input->frame;
    job->broker = input->broker;
    job->due_ms = -1;
    if (pipeline->draining) { // sent before the broker knew
        job_list_append(&pipeline->jobs, &pipeline->freed, at);
        return;
    }

    const struct pipeline_branch *known = find_branch(pipeline, &message->branch);
    if (!known) {
        refuse(pipeline, at, "branch", message->branch.text);
        return;
    }
    job->branch = (uint32_t)(known - pipeline->branches);
    if (job->kind != JOB_SETTLE) {
        const struct branch_gateway *gateway = branch_gateway(known->branch, &message->gateway);
        if (!gateway) {
            refuse(pipeline, at, "gateway", message->gateway.text);
            return;
        }
        job->gateway = (uint8_t)(gateway - known->branch->gateways);
    }
    if (!reservation_job(pipeline, at)) job_enqueue(pipeline, at);
}

static void replied(struct pipeline *pipeline, const struct pipeline_input *input) {
    switch (input->call) {
    case CALL_INGEST:
        ingest_lane_replied(pipeline, input->branch, input->class, input->reply, input->reason);
        break;
    case CALL_ASK:
        ask_replied(pipeline, input->branch, input->class, input->reply, input->reason);
        break;
    case CALL_TAKE:
        settle_lane_taken(pipeline, input->branch, input->class, input->reply);
        break;
    case CALL_GIVE_BACK:
        settle_lane_given_back(pipeline, input->branch, input->class, input->reply);
        break;
    case CALL_SETTLE:
        settle_lane_settled(pipeline, input->branch, input->class, input->reply);
        break;
    }
}

void jobs_release(struct pipeline *pipeline, struct job_list *list) {
    for (uint32_t at; (at = job_list_pop(&pipeline->jobs, list)) != JOB_NONE;)
        job_list_append(&pipeline->jobs, &pipeline->freed, at);
}

/// What no call has taken up yet goes back to the broker, by silence and the goodbye.
static void drain(struct pipeline *pipeline) {
    if (pipeline->draining) return;
    pipeline->draining = true;
    pipeline->drain_at_ms = pipeline->now_ms + pipeline->limits.drain_ms;
    reservation_drop(pipeline);
    for (size_t i = 0; i < pipeline->branch_count; i++) {
        struct lane *lane = &pipeline->lanes[i];
        jobs_release(pipeline, &lane->waiting);
        if (lane->settle == SETTLE_WANTED) {
            job_list_append(&pipeline->jobs, &pipeline->freed, lane->settle_job);
            lane->settle = SETTLE_IDLE;
            lane->settle_job = JOB_NONE;
        }
    }
}

/// What was on its way when it went down may have left leases behind.
static void store_up(struct pipeline *pipeline) {
    pipeline->store_up = true;
    for (size_t i = 0; i < pipeline->branch_count; i++) {
        struct lane *lane = &pipeline->lanes[i];
        lane->gives_back = lane->lost_count > 0;
        if (settle_lane_wants(lane)) lane_queue(pipeline, (uint32_t)i);
    }
}

static void tick(struct pipeline *pipeline) {
    uint32_t lane;
    while (deadlines_take(pipeline->retries, pipeline->now_ms, &lane))
        lane_queue(pipeline, lane);
    reservation_tick(pipeline);
}

void pipeline_input(struct pipeline *pipeline, const struct pipeline_input *input) {
    if (input->now_ms > pipeline->now_ms) pipeline->now_ms = input->now_ms;
    pipeline->utc_ms = input->utc_ms;
    switch (input->kind) {
    case PIPELINE_JOB:
        job_came(pipeline, input);
        break;
    case PIPELINE_STORE_UP:
        store_up(pipeline);
        break;
    case PIPELINE_STORE_DOWN:
        pipeline->store_up = false;
        break;
    case PIPELINE_REPLY:
        replied(pipeline, input);
        break;
    case PIPELINE_TICK:
        tick(pipeline);
        break;
    case PIPELINE_RESERVE:
        reservation_ask(pipeline, input->broker);
        break;
    case PIPELINE_DRAIN:
        drain(pipeline);
        break;
    }
}

// Actions

static bool same_answer(const struct job *a, const struct job *b) {
    return a->broker == b->broker && a->branch == b->branch && a->gateway == b->gateway &&
           a->session == b->session && a->status == b->status && a->wait_ms == b->wait_ms &&
           a->due_ms == b->due_ms && (a->kind == JOB_SETTLE) == (b->kind == JOB_SETTLE) &&
           a->answer.epoch == b->answer.epoch && a->answer.number == b->answer.number &&
           tag_equal(a->answer.tag, b->answer.tag) && strcmp(a->reason, b->reason) == 0;
}

static void put_id(uint8_t to[8], uint64_t id) {
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(id >> (8 * i));
}

struct message pipeline_turn_away(const struct message *job, uint8_t id[8]) {
    put_id(id, job->job);
    return (struct message){.type = MESSAGE_DONE,
                            .session = job->session,
                            .status = ANSWER_LATER,
                            .reason = bytes_of_text("the worker holds as many jobs as it may"),
                            .wait_ms = TURNED_AWAY_MS,
                            .due_ms = -1,
                            .job_count = 1,
                            .jobs = {id, 8}};
}

/// Jobs of one gateway and session that ended alike are told in one message.
static bool next_done(struct pipeline *pipeline, struct pipeline_action *action) {
    if (pipeline->finished.count == 0) return false;
    // Given back, it keeps what it says until the next job comes.
    const struct job *first = pipeline_job(pipeline, pipeline->finished.first);
    size_t count = 0;
    *action = (struct pipeline_action){
        .kind = ACTION_DONE, .branch = first->branch, .broker = first->broker};
    while (pipeline->finished.count > 0 && count < JOBS_MAX) {
        struct job *job = pipeline_job(pipeline, pipeline->finished.first);
        if (!same_answer(first, job)) break;
        put_id(&pipeline->done_jobs[8 * count], job->id);
        action->frames[count++] = job->frame;
        reservation_gone(pipeline, job);
        jobs_give_back(&pipeline->jobs, job_list_pop(&pipeline->jobs, &pipeline->finished));
    }
    action->frame_count = count;
    action->done = (struct message){.type = MESSAGE_DONE,
                                    .session = first->session,
                                    .position = first->answer,
                                    .status = first->status,
                                    .reason = bytes_of_text(first->reason),
                                    .wait_ms = first->wait_ms,
                                    .due_ms = first->due_ms,
                                    .job_count = count,
                                    .jobs = {pipeline->done_jobs, 8 * count}};
    return true;
}

static bool next_release(struct pipeline *pipeline, struct pipeline_action *action) {
    if (pipeline->freed.count == 0) return false;
    *action = (struct pipeline_action){.kind = ACTION_RELEASE};
    while (pipeline->freed.count > 0 && action->frame_count < JOBS_MAX) {
        uint32_t at = job_list_pop(&pipeline->jobs, &pipeline->freed);
        reservation_gone(pipeline, pipeline_job(pipeline, at));
        action->frames[action->frame_count++] = pipeline_job(pipeline, at)->frame;
        jobs_give_back(&pipeline->jobs, at);
    }
    return true;
}

static bool next_ready(struct pipeline *pipeline, struct pipeline_action *action) {
    if (!reservation_look(pipeline)) return false;
    *action = (struct pipeline_action){.kind = ACTION_READY};
    return true;
}

static bool next_notice(struct pipeline *pipeline, struct pipeline_action *action) {
    if (!pipeline->notice[0]) return false;
    *action = (struct pipeline_action){.kind = ACTION_NOTICE, .branch = pipeline->notice_branch};
    memcpy(action->notice, pipeline->notice, sizeof action->notice);
    pipeline->notice[0] = '\0';
    return true;
}

static bool next_call(struct pipeline *pipeline, struct pipeline_action *action) {
    if (!pipeline->store_up || pipeline->draining) return false;
    uint64_t index;
    while (pipeline->calls < pipeline->limits.calls_max && ring_pop(pipeline->ready, &index)) {
        uint32_t lane = (uint32_t)index;
        pipeline->lanes[lane].queued = false;
        if (ingest_lane_start(pipeline, lane, action)) {
            if (settle_lane_wants(&pipeline->lanes[lane])) lane_queue(pipeline, lane);
            return true;
        }
        if (settle_lane_start(pipeline, lane, action)) return true;
        if (pipeline->finished.count > 0) return next_done(pipeline, action); // all was refused
    }
    return false;
}

static bool next_goodbye(struct pipeline *pipeline, struct pipeline_action *action) {
    if (!pipeline->draining || pipeline->goodbye) return false;
    bool idle = pipeline->calls == 0 && pipeline->settle_calls == 0;
    if (!idle && pipeline->now_ms < pipeline->drain_at_ms) return false;
    pipeline->goodbye = true;
    *action = (struct pipeline_action){.kind = ACTION_GOODBYE};
    return true;
}

bool pipeline_next(struct pipeline *pipeline, struct pipeline_action *action) {
    return next_notice(pipeline, action) || next_done(pipeline, action) ||
           next_release(pipeline, action) || next_ready(pipeline, action) ||
           settle_lane_judge(pipeline, action) || next_notice(pipeline, action) ||
           next_done(pipeline, action) || next_call(pipeline, action) ||
           next_notice(pipeline, action) || next_goodbye(pipeline, action);
}

uint64_t pipeline_deadline_ms(const struct pipeline *pipeline) {
    if (pipeline->draining) return pipeline->goodbye ? DEADLINE_NEVER : pipeline->drain_at_ms;
    uint64_t retry_ms = deadlines_next_ms(pipeline->retries);
    uint64_t reserved_ms = pipeline->reservation.until_ms;
    return reserved_ms < retry_ms ? reserved_ms : retry_ms;
}

uint32_t pipeline_held(const struct pipeline *pipeline) {
    return jobs_held(&pipeline->jobs);
}
