#pragma once
// Which batch goes to which worker, and which answer to which gateway: the broker without its
// sockets. Inputs in, actions out; no clock, no socket, no allocation after new. It holds nothing
// that matters: whatever it loses, the gateways send again.
//
// Branches, gateways and workers are small numbers that the shell gives out: 0 .. limit-1.

#include "common/base/err.h"
#include "common/domain/position.h"
#include "common/wire/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DISPATCH_WORKERS_MAX = 1024, DISPATCH_JOBS_MAX = 1 << 20 };

struct dispatch_limits {
    uint32_t workers;           // at most DISPATCH_WORKERS_MAX
    uint32_t batches;           // held at once, all gateways together
    uint64_t bytes;             // of bodies held at once
    uint32_t window;            // batches of one gateway that may be unanswered, at most
    uint32_t window_least;      // whoever sends fewer at a time never waits; 0 is as 1
    uint32_t queue_ms;          // gateways take turns while batches wait longer; 0: never
    uint32_t quantum;           // bytes a branch may hand out before the next has its turn
    uint64_t worker_silence_ms; // without a word for so long: dead
    uint64_t job_ms;            // a worker that holds one job for so long has lost it
    uint64_t settle_probe_ms;   // every branch is asked for due encounters at least this often
    uint64_t death_apart_ms;    // deaths closer together count once
    uint32_t deaths;            // lone deaths that make a dead letter
    uint64_t first_assignment;  // random, < 2^32: job numbers of an earlier life never come again
};

enum dispatch_input_kind {
    INPUT_BATCH,       // gateway, session, position (the batch's own), bytes, slot
    INPUT_ASK,         // gateway, session, slot
    INPUT_GATEWAY,     // gateway: connected anew; its session numbers begin again
    INPUT_READY,       // worker, credit (absolute), held, brokers, reserved; fresh: over another
                       // connection than before
    INPUT_DONE,        // worker, jobs, status, position (the store's), wait_ms, due_ms
    INPUT_GOODBYE,     // worker: gives back what it holds
    INPUT_DRAIN,       // worker: the operator wants it to leave
    INPUT_UNREACHABLE, // worker: the shell could not send to it
    INPUT_TICK,
};

/// A slot is the shell's number for what it keeps of a batch or an ask: below
/// dispatch_slots(). Each slot that is handed in comes back once, by ACTION_FREE.
struct dispatch_input {
    enum dispatch_input_kind kind;
    uint64_t now_ms; // monotonic; never goes back
    uint32_t gateway, worker, slot, bytes, credit, held, brokers;
    uint64_t session;
    struct position position;
    bool fresh, reserved;
    struct bytes jobs; // INPUT_DONE: job numbers, 8 bytes little-endian each, of one gateway
    enum answer_status status;
    uint32_t wait_ms;
    int64_t due_ms; // until the branch's next encounter is due; -1: none
};

enum dispatch_action_kind {
    ACTION_JOB,         // worker, job, what, branch; gateway, session and slot unless a settle job
    ACTION_ANSWER,      // gateway, session, window: pass on the answer that came with INPUT_DONE
    ACTION_WINDOW,      // gateway, session, window: answer once more, as it stands
    ACTION_LATER,       // gateway, session, reason: not now, send again
    ACTION_FREE,        // slot
    ACTION_DRAIN,       // worker: tell it to finish and leave
    ACTION_RESERVE,     // worker: ask it to be ours alone for one job
    ACTION_WORKER_LOST, // worker, reason, jobs it took along: for the log
    ACTION_DEAD_LETTER, // gateway, slot: it killed its workers: for the log
};

enum dispatch_reason {
    REASON_NONE,
    REASON_WINDOW,      // the gateway sent more than its window
    REASON_FULL,        // the broker, or the branch's share of it, is full
    REASON_SILENT,      // no heartbeat
    REASON_REPLACED,    // another process has the worker's name
    REASON_UNREACHABLE, // its socket is gone or takes nothing
    REASON_OVERDUE,     // alive, but a job was not done in time
    REASON_GOODBYE,
};

struct dispatch_action {
    enum dispatch_action_kind kind;
    enum dispatch_reason reason;
    enum job_kind what;
    uint32_t branch, gateway, worker, slot, jobs, window;
    uint64_t session, job;
};

struct dispatch_actions { // valid until the next step
    const struct dispatch_action *items;
    size_t count;
};

struct dispatch_counters {
    uint64_t batches, batch_bytes, asks, answers; // accepted; answered
    uint64_t later_window, later_full;            // not accepted
    uint64_t stale;                               // of an older session
    uint64_t voided;                              // queued when their gateway began a new session
    uint64_t jobs;                                // handed to workers
    uint64_t done;                                // jobs that came back done
    uint64_t late;       // done by somebody who no longer had them: nothing changed
    uint64_t given_back; // taken from a worker and queued again
    uint64_t deaths;     // workers lost without a goodbye
    uint64_t trials;     // suspects handed to a worker alone
    uint64_t dead_letters;
    uint64_t settles;
};

struct dispatch;
/// gateway_branch[i] is the branch of gateway i, below branch_count.
/// NULL: out of memory, or a limit is 0 or too large.
struct dispatch *dispatch_new(const struct dispatch_limits *limits, uint32_t branch_count,
                              const uint32_t *gateway_branch, uint32_t gateway_count,
                              uint64_t now_ms);
void dispatch_free(struct dispatch *dispatch); // accepts NULL

/// How many slots the shell needs, so that one is always left for the next message.
uint32_t dispatch_slots(const struct dispatch *dispatch);

/// What a message of a gateway or a worker says; the caller adds which of them it is, and slot or
/// fresh.
struct dispatch_input dispatch_heard(const struct message *message);

/// Feed one input; *out then lists what the shell must do, in order. Cannot fail: a full broker is
/// an action (ACTION_LATER), and dispatch_new took all memory.
void dispatch_step(struct dispatch *dispatch, const struct dispatch_input *in,
                   struct dispatch_actions *out);

/// When the shell must next feed INPUT_TICK; UINT64_MAX: not before another input.
uint64_t dispatch_deadline_ms(const struct dispatch *dispatch);

// What the status shows.
struct dispatch_worker_view {
    bool ready, draining, alone; // alone: kept for, or busy with, a suspect
    uint32_t credit, assigned;
    uint64_t heard_ms; // 0: never
};
struct dispatch_gateway_view {
    uint64_t session;
    uint32_t window; // as told last
    uint32_t queued, assigned;
    uint64_t repeated;        // batches that had come before
    uint64_t suspect_through; // numbers up to this one go alone; 0: none
    uint32_t deaths;          // of workers alone with the first of them
};
struct dispatch_branch_view {
    uint32_t queued, assigned; // batches
    uint64_t bytes, settle_ms; // settle_ms: when next due, UINT64_MAX while one is out
    uint32_t worker;           // that has the assigned ones
};
struct dispatch_worker_view dispatch_worker(const struct dispatch *dispatch, uint32_t worker);
struct dispatch_gateway_view dispatch_gateway(const struct dispatch *dispatch, uint32_t gateway);
struct dispatch_branch_view dispatch_branch(const struct dispatch *dispatch, uint32_t branch);
const struct dispatch_counters *dispatch_counters(const struct dispatch *dispatch);
/// When the oldest batch that is not answered yet came in; UINT64_MAX: there is none.
uint64_t dispatch_oldest_ms(const struct dispatch *dispatch);
const char *dispatch_reason_name(enum dispatch_reason reason);
