#pragma once
// Inside the pipeline: the two lanes of each branch and what they share. Only worker/core reads it.

#include "common/base/deadlines.h"
#include "common/base/ring.h"
#include "worker/core/jobs.h"
#include "worker/core/pipeline.h"
#include "worker/store/decisions.h"

enum settle_state {
    SETTLE_IDLE,
    SETTLE_WANTED,
    SETTLE_GIVING_BACK, // perhaps without a job
    SETTLE_TAKING,
    SETTLE_JUDGING
};

struct lane {
    // ingest: called is the front of the line, on its way in one call
    struct job_list waiting, called;
    uint64_t retry_at_ms;
    uint32_t retries, errors; // in a row
    // settle
    enum settle_state settle;
    uint32_t settle_job;
    uint32_t settle_calls; // on their way
    uint32_t rounds;       // takes for this job
    int64_t due_ms;        // as last heard
    struct lease lease;
    // What became of these is not known, but that nobody died of them; the newest last.
    struct lease lost[GIVE_BACK_MAX];
    uint8_t lost_count;
    bool gives_back; // they are to go back before anything else is taken
    bool queued;     // in ready
};

enum { BROKER_NONE = UINT32_MAX };

/// A broker tries a batch that may kill: nobody else's may be in hand then, or be blamed.
struct reservation {
    uint32_t broker; // BROKER_NONE: there is none
    bool granted;    // what was held before is done
    bool changed;    // the brokers do not know yet
    // Granted: its end if nothing comes. Over: when the jobs that wait are taken up.
    uint64_t until_ms;
    struct job_list waiting; // of others, come meanwhile
};

struct pipeline {
    struct pipeline_limits limits;
    const struct pipeline_branch *branches;
    size_t branch_count, recent_branch; // recent: whose job came last, as the next will mostly be
    const struct measures *measures;
    uint64_t seed;

    uint64_t now_ms;
    int64_t utc_ms;
    bool store_up, draining, goodbye;
    uint64_t drain_at_ms;
    uint32_t calls;        // ingest, ask, take, give_back
    uint32_t settle_calls; // settle

    struct reservation reservation;
    struct jobs jobs;
    struct lane *lanes;              // one a branch
    struct ring *ready;              // lanes that may have something to start
    struct deadlines *retries;       // lanes that wait
    struct job_list finished, freed; // to be told; to be let go of silently

    struct ingest *ingest;
    struct arena arena;
    struct minutes_reader *minutes;
    struct buffer contribution, verdicts;
    struct judgement *judgements;
    struct decision decisions[DECISIONS_MAX]; // of the encounter being judged
    size_t decision_count;
    uint8_t done_jobs[JOBS_MAX * 8];

    uint32_t taken_lane; // whose take_reply is being judged; UINT32_MAX: none
    struct take_reply taken;
    char notice[256]; // empty: none
    uint32_t notice_branch;
};

struct job *pipeline_job(struct pipeline *pipeline, uint32_t job);
void job_enqueue(struct pipeline *pipeline, uint32_t job); // in its branch's lane
void lane_queue(struct pipeline *pipeline, uint32_t lane);
void job_finish(struct pipeline *pipeline, uint32_t job, enum answer_status status,
                struct position answer);
/// Let go of jobs without a word: the broker gives them to another worker.
void jobs_release(struct pipeline *pipeline, struct job_list *list);
void pipeline_notice(struct pipeline *pipeline, uint32_t lane, const char *format, ...)
    PRINTF_LIKE(3, 4);

void reservation_ask(struct pipeline *pipeline, uint32_t broker);
/// A job has come; true: it waits.
bool reservation_job(struct pipeline *pipeline, uint32_t job);
void reservation_gone(struct pipeline *pipeline, const struct job *job); // told or let go of
void reservation_tick(struct pipeline *pipeline);
void reservation_drop(struct pipeline *pipeline); // jobs that wait go back
/// Grant it if nothing is held any more; true: the brokers must be told.
bool reservation_look(struct pipeline *pipeline);

/// Start a call if the lane can: true, and *action is it.
bool ingest_lane_start(struct pipeline *pipeline, uint32_t lane, struct pipeline_action *action);
void ingest_lane_replied(struct pipeline *pipeline, uint32_t lane, enum call_class class,
                         struct bytes reply, const char *reason);
void ask_replied(struct pipeline *pipeline, uint32_t lane, enum call_class class,
                 struct bytes reply, const char *reason);

bool settle_lane_wants(const struct lane *lane); // a call
bool settle_lane_start(struct pipeline *pipeline, uint32_t lane, struct pipeline_action *action);
void settle_lane_taken(struct pipeline *pipeline, uint32_t lane, enum call_class class,
                       struct bytes reply);
void settle_lane_given_back(struct pipeline *pipeline, uint32_t lane, enum call_class class,
                            struct bytes reply);
/// Judge the next encounter of the take reply at hand: true, and *action settles it.
bool settle_lane_judge(struct pipeline *pipeline, struct pipeline_action *action);
void settle_lane_settled(struct pipeline *pipeline, uint32_t lane, enum call_class class,
                         struct bytes reply);
