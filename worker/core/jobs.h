#pragma once
// The jobs that a worker holds: a fixed pool, and the lists they wait in. Pure.

#include "common/base/bytes.h"
#include "common/wire/message.h"

enum { JOB_NONE = UINT32_MAX };

/// One job as the broker handed it out, then how it ended.
struct job {
    uint64_t id;     // as its broker counts
    uint32_t broker; // which of the shell's brokers it came from
    enum job_kind kind;
    uint32_t branch; // place in the pipeline's branches
    uint8_t gateway; // place in the branch's gateways; not for JOB_SETTLE
    uint64_t session;
    struct position position; // of the batch; of an ask: its epoch
    uint64_t lost;
    struct spool_id spool;
    struct bytes body;
    void *frame; // what keeps body alive; handed back when the job is answered

    bool dead;                 // goes, or went, to the dead letters for `reason`
    enum answer_status status; // how it ended
    struct position answer;    // where the store stands
    uint32_t wait_ms;
    int64_t due_ms;
    uint32_t next;               // in its list
    char reason[REASON_MAX + 1]; // last: a cleared job's ends at its first byte
};

/// First in, first out.
struct job_list {
    uint32_t first, last, count;
};
#define JOB_LIST_EMPTY ((struct job_list){JOB_NONE, JOB_NONE, 0})

struct jobs {
    uint32_t capacity;
    struct job_list idle;
    struct job *items;
};

MUST_CHECK enum err jobs_init(struct jobs *jobs, uint32_t capacity);
void jobs_fini(struct jobs *jobs);
/// A cleared job out of the pool, JOB_NONE: all are taken.
uint32_t jobs_take(struct jobs *jobs);
void jobs_give_back(struct jobs *jobs, uint32_t job);
uint32_t jobs_held(const struct jobs *jobs);

void job_list_append(struct jobs *jobs, struct job_list *list, uint32_t job);
uint32_t job_list_pop(struct jobs *jobs, struct job_list *list); // JOB_NONE: empty
/// All of `front`, then all of `list`; front is empty afterwards.
void job_list_prepend(struct jobs *jobs, struct job_list *list, struct job_list *front);
