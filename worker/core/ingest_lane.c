// A branch's batches and asks, in order: folded into one call, and answered by what the store says.

#include "worker/core/lanes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { ERRORS_MAX = 3 }; // the same call may fail so often before its gateways are sent away

enum folding { FOLDED, FOLD_CLOSED, FOLD_REFUSED };

static const struct branch *lane_branch(const struct pipeline *pipeline, uint32_t lane) {
    return pipeline->branches[lane].branch;
}

static void set_reason(struct job *job, const char *reason) {
    snprintf(job->reason, sizeof job->reason, "%.*s", REASON_MAX, reason);
}

static struct envelope envelope_of(const struct job *job) {
    return (struct envelope){.gateway = job->gateway,
                             .epoch = job->position.epoch,
                             .number = job->position.number,
                             .lost = job->lost,
                             .tag = job->position.tag};
}

static enum folding fold_dead(struct pipeline *pipeline, struct job *job, const char *reason) {
    struct envelope envelope = envelope_of(job);
    set_reason(job, reason);
    if (ingest_add_dead(pipeline->ingest, &envelope, job->body, job->reason)) return FOLD_CLOSED;
    job->dead = true;
    return FOLDED;
}

static enum folding fold_batch(struct pipeline *pipeline, struct job *job) {
    struct envelope envelope = envelope_of(job);
    struct batch batch;
    struct body_oddities oddities = {0};
    struct problem problem = {0};

    arena_reset(&pipeline->arena);
    enum err err =
        body_decode(job->body, pipeline->measures, &pipeline->arena, &batch, &oddities, &problem);
    if (err) return fold_dead(pipeline, job, problem.text);

    err = ingest_add(pipeline->ingest, &envelope, &batch, &oddities, pipeline->utc_ms, &problem);
    if (err == ERR_FULL || err == ERR_CONFLICT) return FOLD_CLOSED;
    if (err == ERR_REFUSED) {
        set_reason(job, problem.text);
        return FOLD_REFUSED;
    }
    if (err) return fold_dead(pipeline, job, problem.text);
    return FOLDED;
}

static enum folding fold_job(struct pipeline *pipeline, struct job *job) {
    job->dead = false;
    return job->kind == JOB_DEAD ? fold_dead(pipeline, job, "crash") : fold_batch(pipeline, job);
}

/// A refused batch stops its gateway: what it sent behind it cannot be applied either.
static void refuse_gateway(struct pipeline *pipeline, struct lane *lane, uint32_t refused) {
    struct job *first = pipeline_job(pipeline, refused);
    struct job_list rest = JOB_LIST_EMPTY;
    for (uint32_t at; (at = job_list_pop(&pipeline->jobs, &lane->waiting)) != JOB_NONE;) {
        struct job *job = pipeline_job(pipeline, at);
        if (job->kind == JOB_ASK || job->gateway != first->gateway) {
            job_list_append(&pipeline->jobs, &rest, at);
            continue;
        }
        if (job != first) set_reason(job, first->reason);
        job->wait_ms = pipeline->limits.refuse_ms;
        job_finish(pipeline, at, ANSWER_REFUSED, (struct position){0});
    }
    lane->waiting = rest;
}

static void fold_waiting(struct pipeline *pipeline, uint32_t index) {
    struct lane *lane = &pipeline->lanes[index];
    ingest_begin(pipeline->ingest, lane_branch(pipeline, index),
                 pipeline->branches[index].configuration);
    while (lane->waiting.count > 0 && lane->called.count < pipeline->limits.fold_jobs_max) {
        uint32_t at = lane->waiting.first;
        struct job *job = pipeline_job(pipeline, at);
        if (job->kind == JOB_ASK) return;
        switch (fold_job(pipeline, job)) {
        case FOLD_CLOSED:
            return;
        case FOLD_REFUSED:
            refuse_gateway(pipeline, lane, at);
            break;
        case FOLDED:
            job_list_pop(&pipeline->jobs, &lane->waiting);
            job_list_append(&pipeline->jobs, &lane->called, at);
            break;
        }
    }
}

static void start_ask(struct pipeline *pipeline, uint32_t index, struct pipeline_action *action) {
    struct lane *lane = &pipeline->lanes[index];
    uint32_t at = job_list_pop(&pipeline->jobs, &lane->waiting);
    struct job *job = pipeline_job(pipeline, at);
    job_list_append(&pipeline->jobs, &lane->called, at);
    *action =
        (struct pipeline_action){.kind = ACTION_ASK,
                                 .branch = index,
                                 .ask = {.configuration = pipeline->branches[index].configuration,
                                         .gateway = job->gateway,
                                         .spool = job->spool,
                                         .epoch = job->position.epoch}};
}

/// Put what was called back to the front of the line, to be tried again after a growing pause.
static void retry(struct pipeline *pipeline, uint32_t index) {
    struct lane *lane = &pipeline->lanes[index];
    if (pipeline->draining) { // no more calls: back to the broker, unanswered
        jobs_release(pipeline, &lane->called);
        return;
    }
    uint64_t pause_ms = pipeline->limits.retry_least_ms;
    for (uint32_t i = 0; i < lane->retries && pause_ms < pipeline->limits.retry_most_ms; i++)
        pause_ms *= 2;
    if (pause_ms > pipeline->limits.retry_most_ms) pause_ms = pipeline->limits.retry_most_ms;
    lane->retries++;
    lane->retry_at_ms = pipeline->now_ms + pause_ms;
    deadlines_set(pipeline->retries, index, lane->retry_at_ms);
    job_list_prepend(&pipeline->jobs, &lane->waiting, &lane->called);
}

bool ingest_lane_start(struct pipeline *pipeline, uint32_t index, struct pipeline_action *action) {
    struct lane *lane = &pipeline->lanes[index];
    if (lane->called.count > 0 || lane->retry_at_ms > pipeline->now_ms) return false;

    while (lane->waiting.count > 0) {
        if (pipeline_job(pipeline, lane->waiting.first)->kind == JOB_ASK) {
            start_ask(pipeline, index, action);
            pipeline->calls++;
            return true;
        }
        fold_waiting(pipeline, index);
        if (lane->called.count == 0) continue; // all of it was refused
        *action = (struct pipeline_action){.kind = ACTION_INGEST, .branch = index};
        if (ingest_fold(pipeline->ingest, &action->fold)) {
            pipeline_notice(pipeline, index, "no memory to write a call with");
            retry(pipeline, index);
            return false;
        }
        pipeline->calls++;
        return true;
    }
    return false;
}

/// Send all that was called away: nothing of it is applied, the gateways come again later.
static void send_away(struct pipeline *pipeline, struct lane *lane, const char *reason) {
    for (uint32_t at; (at = job_list_pop(&pipeline->jobs, &lane->called)) != JOB_NONE;) {
        struct job *job = pipeline_job(pipeline, at);
        set_reason(job, reason);
        job->wait_ms = pipeline->limits.refuse_ms;
        job_finish(pipeline, at, ANSWER_LATER, (struct position){0});
    }
}

/// A call that got no answer of the store's function.
static void failed(struct pipeline *pipeline, uint32_t index, enum call_class class,
                   const char *reason) {
    struct lane *lane = &pipeline->lanes[index];
    if (class == CALL_ERROR && ++lane->errors >= ERRORS_MAX) {
        pipeline_notice(pipeline, index, "the store cannot take it: %s", reason ? reason : "");
        lane->errors = 0;
        send_away(pipeline, lane, reason ? reason : "the store cannot take it");
        return;
    }
    retry(pipeline, index);
}

static void succeeded(struct lane *lane) {
    lane->retries = lane->errors = 0;
}

static const struct store_position *position_of(const struct ingest_reply *reply, uint8_t gateway) {
    for (size_t i = 0; i < reply->position_count; i++)
        if (reply->positions[i].gateway == gateway) return &reply->positions[i];
    return NULL;
}

static void finish_applied(struct pipeline *pipeline, struct lane *lane,
                           const struct ingest_reply *reply) {
    for (uint32_t at; (at = job_list_pop(&pipeline->jobs, &lane->called)) != JOB_NONE;) {
        struct job *job = pipeline_job(pipeline, at);
        const struct store_position *stands = position_of(reply, job->gateway);
        job->due_ms = reply->head.due_ms;
        job_finish(pipeline, at, job->dead ? ANSWER_DEAD : ANSWER_APPLIED,
                   stands ? stands->position : job->position);
    }
}

/// The first of a job's numbers: what must follow the position.
static uint64_t first_number(const struct job *job) {
    return job->lost ? job->lost : job->position.number;
}

static bool follows(const struct job *job, const struct position *position) {
    return job->position.epoch == position->epoch && first_number(job) == position->number + 1 &&
           tag_follows(job->position.tag, position->tag);
}

/// Some batches do not follow their gateway's position: answer those, fold the others again.
static void sort_out_unfit(struct pipeline *pipeline, uint32_t index,
                           const struct ingest_reply *reply) {
    struct lane *lane = &pipeline->lanes[index];
    struct job_list again = JOB_LIST_EMPTY;
    struct position reached[BRANCH_GATEWAYS_MAX]; // where the jobs kept so far lead to
    for (size_t i = 0; i < reply->position_count; i++)
        reached[i] = reply->positions[i].position;

    for (uint32_t at; (at = job_list_pop(&pipeline->jobs, &lane->called)) != JOB_NONE;) {
        struct job *job = pipeline_job(pipeline, at);
        const struct store_position *stands = position_of(reply, job->gateway);
        if (!stands) { // not in the answer: nothing is known against it
            job_list_append(&pipeline->jobs, &again, at);
            continue;
        }
        struct position position = stands->position, *next = &reached[stands - reply->positions];
        if (job->position.epoch < position.epoch) {
            job_finish(pipeline, at, ANSWER_FENCED, position);
        } else if (job->position.epoch == position.epoch &&
                   job->position.number <= position.number) {
            job_finish(pipeline, at, ANSWER_APPLIED, position); // a duplicate
        } else if (follows(job, next)) {
            *next = job->position;
            job_list_append(&pipeline->jobs, &again, at);
        } else {
            job_finish(pipeline, at, ANSWER_GAP, position);
        }
    }
    job_list_prepend(&pipeline->jobs, &lane->waiting, &again);
}

/// No room for what is ahead in event time: those gateways wait, the others are folded again.
static void put_off(struct pipeline *pipeline, uint32_t index, const struct ingest_reply *reply) {
    struct lane *lane = &pipeline->lanes[index];
    struct job_list again = JOB_LIST_EMPTY;
    for (uint32_t at; (at = job_list_pop(&pipeline->jobs, &lane->called)) != JOB_NONE;) {
        struct job *job = pipeline_job(pipeline, at);
        const struct store_position *stands = position_of(reply, job->gateway);
        if (stands && !stands->later) {
            job_list_append(&pipeline->jobs, &again, at);
            continue;
        }
        set_reason(job, "ahead in event time while the branch has no room left");
        job->wait_ms = pipeline->limits.retry_most_ms;
        job_finish(pipeline, at, ANSWER_LATER,
                   stands ? stands->position : (struct position){.epoch = job->position.epoch});
    }
    job_list_prepend(&pipeline->jobs, &lane->waiting, &again);
}

void ingest_lane_replied(struct pipeline *pipeline, uint32_t index, enum call_class class,
                         struct bytes bytes, const char *reason) {
    struct lane *lane = &pipeline->lanes[index];
    struct ingest_reply reply;
    assert(pipeline->calls > 0);
    pipeline->calls--;

    if (class == CALL_OK && ingest_reply_read(bytes, &reply)) {
        class = CALL_ERROR;
        reason = "the store's answer to ingest cannot be read";
    }
    uint32_t called = lane->called.count;
    if (class != CALL_OK) {
        failed(pipeline, index, class, reason);
    } else if (reply.head.status == STORE_OK) {
        succeeded(lane);
        finish_applied(pipeline, lane, &reply);
    } else if (reply.head.status == STORE_UNFIT || reply.head.status == STORE_LATER) {
        uint32_t held = lane->waiting.count;
        if (reply.head.status == STORE_UNFIT)
            sort_out_unfit(pipeline, index, &reply);
        else
            put_off(pipeline, index, &reply);
        bool none_answered = lane->waiting.count == held + called;
        if (none_answered) retry(pipeline, index);
    } else {
        retry(pipeline, index); // unconfigured: another worker's registry was faster
    }
    lane_queue(pipeline, index);
}

void ask_replied(struct pipeline *pipeline, uint32_t index, enum call_class class,
                 struct bytes bytes, const char *reason) {
    struct lane *lane = &pipeline->lanes[index];
    struct ask_reply reply;
    assert(pipeline->calls > 0 && lane->called.count == 1);
    pipeline->calls--;

    if (class == CALL_OK && ask_reply_read(bytes, &reply)) {
        class = CALL_ERROR;
        reason = "the store's answer to ask cannot be read";
    }
    if (class != CALL_OK) {
        failed(pipeline, index, class, reason);
    } else if (reply.head.status == STORE_OK || reply.head.status == STORE_FENCED) {
        succeeded(lane);
        uint32_t at = job_list_pop(&pipeline->jobs, &lane->called);
        pipeline_job(pipeline, at)->due_ms = reply.head.due_ms;
        job_finish(pipeline, at, reply.head.status == STORE_OK ? ANSWER_APPLIED : ANSWER_FENCED,
                   reply.position);
    } else {
        retry(pipeline, index);
    }
    lane_queue(pipeline, index);
}
