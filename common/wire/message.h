#pragma once
// Every message between gateway, broker, worker and tresenctl: one MessagePack map each.
// PROTOCOL.md beside this file gives every message with example bytes.

#include "common/base/bytes.h"
#include "common/domain/ids.h"
#include "common/domain/position.h"
#include "common/domain/time.h"

enum {
    PROTOCOL_VERSION = 1,
    FRAME_MAX = 256 * 1024, // bytes
    STATUS_BODY_MAX = FRAME_MAX - 1024,
    REASON_MAX = 200, // bytes; a longer one is cut when written
    AS_MAX = 80,
    SET_MAX = 64,     // bytes
    LEVEL_MAX = 16,   // bytes
    VERSION_MAX = 32, // bytes
    JOBS_MAX = 256,   // in one `done`
    CREDIT_MAX = 65536,
    BROKERS_MAX = 65536,
    WINDOW_MAX = 65536,
};

enum message_type {
    MESSAGE_ASK,     // gateway -> broker: where does the store stand with my spool?
    MESSAGE_BATCH,   // gateway -> broker
    MESSAGE_ANSWER,  // broker -> gateway: to ask and batch
    MESSAGE_REFUSED, // broker -> anyone: what was not understood, and why
    MESSAGE_READY, // worker -> broker: I am here and hold at most `credit` jobs; also the heartbeat
    MESSAGE_JOB,   // broker -> worker
    MESSAGE_DONE,  // worker -> broker: jobs finished
    MESSAGE_GOODBYE, // worker -> broker: no more work, I leave
    MESSAGE_DRAIN,   // broker -> worker: finish and leave; tresenctl -> broker: drain this worker
    MESSAGE_STATUS,  // tresenctl -> broker, and its answer (body: JSON)
    MESSAGE_RESERVE, // broker -> worker: be mine alone for one job
    MESSAGE_TYPE_COUNT
};

enum job_kind { JOB_BATCH, JOB_ASK, JOB_SETTLE, JOB_DEAD, JOB_KIND_COUNT };

enum answer_status {
    ANSWER_APPLIED, // the position says how far (also the answer to a duplicate and to ask)
    ANSWER_GAP,     // something between the position and this batch is missing: step back
    ANSWER_FENCED,  // a newer spool of this gateway has taken over
    ANSWER_LATER,   // not now: send again after wait_ms
    ANSWER_DEAD,    // this batch went to the dead letters; the position has moved over it
    ANSWER_REFUSED, // nothing was applied; reason says why
    ANSWER_STATUS_COUNT
};

/// One message, all fields flat; which ones a type carries is one table in message.c.
/// Views point into the frame it was decoded from.
struct message {
    enum message_type type;
    uint64_t session;         // ask, batch, answer, job, done
    struct position position; // batch, job: its epoch, number, tag; answer, done: the store's
    uint64_t lost;            // batch, job: first number gone for good; 0: none
    struct spool_id spool;    // ask, job
    bool has_spool;
    struct bytes body;         // batch, job; status: JSON
    struct bytes as;           // "gateway.BRANCH.NAME" or "worker.NAME": only on plain sockets
    enum answer_status status; // answer, done
    struct bytes reason;       // ask, answer, done, refused, ready; at most REASON_MAX
    uint32_t window;           // answer: batches the gateway may have unanswered
    uint32_t wait_ms;          // answer, done: for ANSWER_LATER
    struct id branch, gateway, worker; // job; job; ready, goodbye, drain
    enum job_kind what;                // job
    uint64_t job;                      // job
    size_t job_count; // done: jobs finished, at most 256, as 8 bytes little-endian each
    struct bytes jobs;
    uint32_t credit;          // ready: absolute
    uint32_t brokers;         // ready: that it serves; 0: of a version that does not say
    bool reserved;            // ready: holds nothing, and takes nothing up but this broker's
    int64_t due_ms;           // done: until the branch's next encounter is due; -1: none
    struct bytes set;         // ready: hash of the standards it judges by
    struct bytes version;     // ready: of its program
    struct bytes acknowledge; // ready: how safe a batch is when it is acknowledged
    uint64_t library;         // ready: revision of the function library it brings; 0: does not say
    int64_t library_run;      // ready: of the one that Redis runs; -1: not known
    // ask: what the gateway reports of itself, for status and audit
    uint64_t held;          // batches in the spool that are not applied yet; ready: jobs it holds
    uint64_t spooled;       // batches ever written to this spool, and those left out
    uint64_t dropped;       // batches dropped because the spool was full, and not applied
    uint64_t left_out;      // of those dropped: never written, so they have no number
    int64_t oldest_ms;      // event time of the oldest batch held; TIME_NONE: none
    uint32_t read_permille; // how far the drivers have read their recording; 0 for live sensors
    bool ended;             // the drivers have nothing more to read
};

/// Append one message. Fields out of bounds are a bug of the caller.
/// ERR_FULL   the body is too large for its type, or the buffer's limit
/// ERR_NOMEM  in both cases the buffer holds what it held before
MUST_CHECK enum err message_encode(const struct message *message, struct buffer *out);

/// Take one message from the front of a frame. Checks bounds, types, required keys and the
/// version before anything is believed; allocates nothing; unknown keys are skipped.
/// After an error the frame stands behind that message, so that the next one can still be read;
/// if even its end could not be found, the frame is empty.
///
/// ERR_END      the frame is empty
/// ERR_FORMAT   not a message; ERR_RANGE a field is out of bounds
/// ERR_VERSION  another protocol version (the type may be unknown then)
/// *problem     says which key and why
MUST_CHECK enum err message_decode(struct reader *frame, struct message *message,
                                   struct problem *problem);

const char *message_type_name(enum message_type type);
const char *answer_status_name(enum answer_status status);
const char *job_kind_name(enum job_kind kind);
