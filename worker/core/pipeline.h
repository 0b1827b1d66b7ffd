#pragma once
// The worker's core: jobs of the broker in; calls of the store and finished jobs out. Pure: time,
// replies and jobs go in, actions come out.
//
// A branch has two lanes. In the ingest lane its batches and asks are kept in order; all that is in
// hand is folded into one call, and one call is on its way at a time. In the settle lane due
// encounters are taken, judged and settled. Ingest comes first: what is applied is reported done
// before anything is judged.

#include "common/base/deadlines.h"
#include "common/wire/message.h"
#include "worker/core/ingest.h"
#include "worker/core/settle.h"
#include "worker/standards/plan.h"

struct pipeline_limits {
    uint32_t jobs_max;                      // held at a time: the credit that the broker gets
    uint32_t calls_max;                     // calls on their way, but for those that settle
    uint32_t fold_jobs_max;                 // batches in one call
    uint32_t take_max;                      // encounters taken at a time
    uint32_t take_bytes;                    // of their minutes
    uint32_t evidence_max;                  // observations of one encounter, repeated ones too
    uint32_t retry_least_ms, retry_most_ms; // pause after a call that the store did not take
    uint32_t refuse_ms;  // pause asked of a gateway whose batches the store cannot take
    uint32_t drain_ms;   // calls on their way get so long when draining
    uint32_t reserve_ms; // a broker that this worker is reserved for has so long to send a job
    struct ingest_limits ingest;
};
struct pipeline_limits pipeline_limits_default(void);

/// A branch as this worker knows it. All of it outlives the pipeline, but the plan: it may be
/// another after any action, and lives until what it judged is answered.
struct pipeline_branch {
    const struct branch *branch;
    const struct standards_plan *plan;
    uint64_t configuration; // store_configuration
};

enum pipeline_input_kind {
    PIPELINE_JOB,        // broker, message, frame: a job of the broker; only while held < jobs_max
    PIPELINE_STORE_UP,   // calls are taken
    PIPELINE_STORE_DOWN, // they are not; what was on its way has been answered before
    PIPELINE_REPLY,      // branch, call, class, reply, reason
    PIPELINE_TICK,       // the deadline has come
    PIPELINE_RESERVE,    // broker: wants this worker for itself, for one job
    PIPELINE_DRAIN,      // finish what is on its way, then say goodbye
};

/// Which call a reply belongs to.
enum pipeline_call { CALL_INGEST, CALL_ASK, CALL_TAKE, CALL_GIVE_BACK, CALL_SETTLE };

/// What became of a call, as the core needs to know it.
enum call_class {
    CALL_OK,    // reply holds the store's answer
    CALL_RETRY, // not done, or not known to be done: the same call again, later, is safe
    CALL_ERROR, // the call itself is at fault
};

struct pipeline_input {
    enum pipeline_input_kind kind;
    uint64_t now_ms; // monotonic; never goes back
    int64_t utc_ms;  // by the store's clock: what is stamped later lies in the future
    uint32_t broker; // the shell's number for it
    const struct message *message;
    void *frame;
    uint32_t branch;
    enum pipeline_call call;
    enum call_class class;
    struct bytes reply;
    const char *reason;
};

enum pipeline_action_kind {
    ACTION_INGEST,    // branch, fold
    ACTION_ASK,       // branch, ask
    ACTION_TAKE,      // branch, take
    ACTION_GIVE_BACK, // branch, give_back
    ACTION_SETTLE,    // branch, settle, set
    ACTION_DONE,      // broker, done, frames: tell it, let go of the frames
    ACTION_RELEASE,   // frames: let go of them, tell nobody
    ACTION_READY,     // credit or for whom this worker is reserved has changed: tell all brokers
    ACTION_NOTICE,    // branch, notice: for the log
    ACTION_GOODBYE,   // say goodbye and end
};

struct pipeline_action {
    enum pipeline_action_kind kind;
    uint32_t branch;
    struct fold fold;
    struct ask_call ask;
    struct take_call take;
    struct give_back_call give_back;
    struct settle_call settle;
    const struct standard_set *set; // what was judged by, to be published
    uint32_t broker;
    struct message done; // encode and send
    size_t frame_count;
    void *frames[JOBS_MAX];
    char notice[256];
};

struct pipeline;
/// branches are sorted by id; seed: random, for leases. NULL: out of memory.
struct pipeline *pipeline_new(const struct pipeline_limits *limits,
                              const struct pipeline_branch *branches, size_t branch_count,
                              const struct measures *measures, uint64_t seed);
/// The frames of jobs still held come back by pipeline_next before: drain first, or let them go.
void pipeline_free(struct pipeline *pipeline); // accepts NULL

/// What the shell tells of a job that comes while jobs_max are held, instead of taking it: a broker
/// that was frozen may go by an old word. The result points to id.
struct message pipeline_turn_away(const struct message *job, uint8_t id[8]);

void pipeline_input(struct pipeline *pipeline, const struct pipeline_input *input);
/// The next thing the shell must do; call until false after each input (for jobs: after the last
/// one of a loop's turn, so that they fold). A reply must live until then. What an action points to
/// lives until the next call.
bool pipeline_next(struct pipeline *pipeline, struct pipeline_action *action);
/// When PIPELINE_TICK is due; DEADLINE_NEVER: not before another input.
uint64_t pipeline_deadline_ms(const struct pipeline *pipeline);

/// How many jobs the brokers together may let this worker hold, as that one is told: 0 while the
/// store is away, when draining, and while another broker wants the worker for itself.
uint32_t pipeline_credit(const struct pipeline *pipeline, uint32_t broker);
/// Whether nothing but the next job of that broker is taken up. Jobs of others that were under way
/// wait, unread.
bool pipeline_reserved(const struct pipeline *pipeline, uint32_t broker);
uint32_t pipeline_waiting(const struct pipeline *pipeline); // how many of those
uint32_t pipeline_held(const struct pipeline *pipeline);
