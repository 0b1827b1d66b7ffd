#pragma once
// The whole delivery path in one process and in virtual time: the real cores of gateway, broker and
// worker between a spool, a network and a store that are simulated. Only tests/simulation reads it.
//
//   gateway.c  session and batching                   network.c  links, frames, the queue of events
//   spool.c    ... what they read and write on disk
//   broker.c   dispatch                               redis.c    the store model, calls and replies
//   worker.c   pipeline                               faults.c   what breaks, and when
//   oracle.c   what must hold                         run.c      one run from its seed to its end
//   leases.c   ... of who died of an encounter        trace.c    what is told of it

#include "common/base/chance.h"
#include "sensors-gw/core/batching.h"
#include "sensors-gw/core/session.h"
#include "tests/simulation/store_model.h"
#include "tests/simulation/world.h"
#include "worker/core/pipeline.h"

enum {
    BROKERS = 2,
    WORKERS = 4,
    GATEWAYS = WORLD_BRANCHES * WORLD_GATEWAYS,
    PROCESSES = GATEWAYS + 2, // of gateways: the last ones are clones
    LINKS = PROCESSES + WORKERS * BROKERS,
    NEVER_MS = 0x7fffffff,  // later than any run
    FAULTS_LATE_MS = 10000, // after the recordings
};

enum fault {
    FAULT_GATEWAY_CRASH,
    FAULT_WORKER_CRASH,
    FAULT_BROKER_CRASH,
    FAULT_FREEZE,
    FAULT_RESET,     // of a connection
    FAULT_PARTITION, // of one, one way or both
    FAULT_DELAY,     // of messages
    FAULT_LOSS,
    FAULT_DUPLICATE,
    FAULT_REORDER,
    FAULT_REDIS_AWAY,
    FAULT_REDIS_SLOW,
    FAULT_REDIS_LATER, // it answers "not now"
    FAULT_REDIS_ERROR, // it answers that the call is wrong
    FAULT_REDIS_FALLBACK,
    FAULT_REDIS_EMPTIED,
    FAULT_FUNCTIONS_MISSING,
    FAULT_STORE_CLOCK,
    FAULT_DRAIN,
    FAULT_POWER_LOSS, // a gateway restarts without what was not synced
    FAULT_OLD_SPOOL,  // ... with a copy of its spool from earlier
    FAULT_LOST_SPOOL, // ... with none
    FAULT_CLONE,      // a second process with a copy of the spool
    FAULT_LOST_GRANT, // two spools replace one, and the store forgets the first one's epoch
    FAULT_POISON,     // a batch that kills its workers
    FAULT_SMALL_SPOOL,
    FAULT_REBUILD,  // an operator empties a branch: its gateways bring all again
    FAULT_SEAL,     // ... or seals a day
    FAULT_PUT_BACK, // as FAULT_OLD_SPOOL, while a worker still has what was sent since
    FAULT_DISK,     // under a spool: a write fails, or all do for a while
    FAULT_DEADLY,   // an encounter that kills who judges it
    FAULT_CLOCK,    // of a gateway: an hour ahead or behind, at the start of time, right again
    FAULT_CUT,      // frames arrive without their end
    FAULT_COUNT
};
const char *fault_name(enum fault fault);

// ------------------------------------------------------------------ network

enum end { END_GATEWAY, END_WORKER };

/// A connection from a process of a gateway or worker to a broker.
struct link {
    enum end end;
    uint8_t client, broker;
    bool wanted, up;
    uint32_t peer;                // number of this connection; a new one each time
    uint32_t lives[2];            // of the client and the broker between which it was made
    uint32_t told;                // the newest one that its client knows of
    uint64_t broken_until_ms;     // cannot connect before
    uint64_t blocked_until_ms[2]; // to the broker, to the client: what is sent is lost
    uint64_t blocked_since_ms;
    uint64_t last_ms[2]; // arrival of the newest frame, so that order is kept
};

enum event_kind {
    EVENT_FRAME_TO_BROKER,
    EVENT_FRAME_TO_CLIENT,
    EVENT_LINK_UP,
    EVENT_LINK_DOWN,
    EVENT_REPLY, // reaches a worker
    EVENT_FAULT,
    EVENT_START_GATEWAY, // again
    EVENT_START_WORKER,
    EVENT_START_BROKER,
    EVENT_END_CLONE,
    EVENT_PUT_BACK,           // a gateway's spool
    EVENT_QUIET,              // those from here on change no process
    EVENT_CALL = EVENT_QUIET, // reaches Redis
    EVENT_NETWORK,            // look at the links
    EVENT_SNAPSHOT,
};

struct event {
    uint64_t at_ms, order;
    enum event_kind kind;
    uint32_t subject; // link, fault, process ...
    uint32_t peer, life;
    uint8_t *data;
    size_t size;
    struct store_call *call;
};

// ------------------------------------------------------------------ processes

struct process {
    bool alive;
    uint64_t frozen_until_ms;
    uint32_t life; // counts its starts
};

struct row {
    struct tag tag;
    const uint8_t *body;
    size_t size;
    size_t from, to; // items of the recording in it
    int64_t watermark_ms;
    bool poison, told_lost; // told_lost: to the store
};

/// What a commit makes durable.
struct spool_head {
    struct spool_id id;
    uint64_t epoch, first, last, applied, session, dropped;
    struct tag tag; // of the last
    size_t cursor;  // items of the recording read
    int64_t watermark_ms;
    bool birth, departed, fenced;
};

enum { ROWS = 4096 };

struct spool {
    struct spool_head disk, synced; // synced: what survives the loss of power
    struct row rows[ROWS];          // number - 1
};

/// What becomes of what a spool writes.
struct disk {
    bool fails_next;        // one write fails
    uint64_t full_until_ms; // ... or all of them
};

struct gateway {
    struct process process;
    uint8_t identity;            // place in the world's gateways
    bool clone, stopped, failed; // failed: a write of its spool did, so it ends
    struct disk disk;
    enum session_stop stop;
    struct spool spool, copy; // copy: for FAULT_OLD_SPOOL
    bool has_copy;
    struct event old;       // FAULT_PUT_BACK: what a worker still has of it, until it sends again
    struct spool_head head; // with what is not committed yet
    uint64_t first_written, last_written; // since it started, as far as it knows
    struct session session;
    uint64_t session_since_ms; // when the current session number began
    uint64_t session_seen;
    struct batching *batching;
    size_t items_cut;       // items in batches so far
    int64_t clock_ahead_ms; // it stamps what it reads
    uint64_t commit_at_ms, idle_at_ms;
    uint8_t endpoint; // which broker
    uint64_t endpoint_since_ms;
    bool renew;    // start with --new-spool
    bool announce; // the session does not know yet what the spool holds
};

struct connection {
    bool known;
    uint32_t peer;
    uint32_t former[8], changes;
    uint64_t heard_ms;
    struct buffer out;
};

struct slot {
    bool taken, given; // given: handed to a worker once
    struct message message;
    uint8_t *body;
};

struct broker {
    struct process process;
    struct dispatch *dispatch;
    struct slot *slots;
    struct connection gateways[GATEWAYS], workers[WORKERS];
    struct position last_position[GATEWAYS];
    const struct message *done;
};

struct frame {
    struct frame *next, *before; // of this worker
    uint8_t broker;
    uint32_t holders;
    uint8_t bytes[];
};

struct worker {
    struct process process;
    struct pipeline *pipeline;
    struct pipeline_branch branches[WORLD_BRANCHES];
    uint64_t heartbeat_at_ms;
    struct buffer out[BROKERS];
    uint32_t held[BROKERS]; // jobs that came from each and are not answered
    struct frame *frames;
    // Its connection to Redis.
    bool redis_up;
    uint32_t redis_connection;
    uint64_t redis_retry_ms, redis_last_ms[2];
    struct store_call *calls; // on their way
    bool draining, goodbye;
    bool killer; // among the jobs that wait for the end of a reservation
};

/// A call of the store on its way: as worker/store/store.c carries it.
struct store_call {
    struct store_call *next; // of this worker
    uint32_t worker, life, connection;
    size_t branch;
    enum pipeline_call kind;
    enum model_call goal;
    enum { STAGE_GOAL, STAGE_LOAD, STAGE_CONFIGURE, STAGE_PUBLISH } stage;
    bool configured, loaded, published;
    uint64_t sent_ms;
    struct buffer argument;
    bool abandoned; // nobody waits for it
};

/// Which positions were the store's, and when.
struct truth {
    uint64_t since_ms, until_ms;
    struct position position;
};
enum { TRUTHS = 1 << 16 };

struct redis {
    bool away, functions;
    uint64_t answered_ms[WORKERS];
    uint64_t away_until_ms, slow_until_ms, later_until_ms, error_until_ms, trouble_ms;
    int64_t clock_ahead_ms, latest_ms;     // latest_ms: that its clock ever showed
    struct model *branches;                // of now
    struct model *snapshots;               // SNAPSHOTS rounds of branches
    size_t snapshot_first, snapshot_count; // a ring
    uint64_t fallbacks;
};
enum { SNAPSHOTS = 8, BODIES_SIZE = 64 << 20 };

/// The cells of each branch at the end.
struct expectation {
    struct model_cell cells[WORLD_BRANCHES][MODEL_CELLS];
    size_t counts[WORLD_BRANCHES];
};

/// TELL_LAST: the last lines, and only if it fails.
enum telling { TELL_NOTHING, TELL_LAST, TELL_ALL };
enum { TRACE_LINES = 24, TRACE_LINE = 200 };

/// A second store that is told every call, too, and must answer the same.
struct store_shadow {
    void *context;
    /// model: after the call. NULL: the same, else what differs.
    const char *(*call)(void *context, const struct branch *branch, enum model_call what,
                        struct bytes argument, int64_t now_ms, const struct model *model,
                        const char *error, struct bytes reply);
    void (*empty)(void *context);
};

struct simulation {
    uint64_t seed;
    const struct store_shadow *shadow; // NULL: none, or not any more
    bool faulty;
    enum telling telling;
    enum plant plant;
    struct chance chance; // of the network and the processes
    uint64_t now_ms, order, steps;
    size_t broker_count, worker_count, process_count;
    const struct world *world;
    uint64_t wakes_ms[PROCESSES + BROKERS + WORKERS]; // when each must run
    bool any_stopped;                                 // a gateway, for an operator to look at
    struct event *events;                             // a heap
    size_t event_count;
    struct link links[LINKS];
    size_t link_count;
    uint32_t peers;
    uint64_t look_ms;         // at the links; 0: not before something changes
    struct gateway *gateways; // PROCESSES
    struct broker brokers[BROKERS];
    struct worker workers[WORKERS];
    struct redis redis;
    struct buffer reply, argument;
    uint8_t *bodies; // of spools: never move, go with the run
    size_t bodies_used;
    // Settings of this seed, sometimes as small as they may be.
    uint32_t commit_linger_ms, window, queue_ms, broker_batches, broker_bytes, quantum, jobs_max;
    // The faults of this seed.
    uint32_t delay_permille, loss_permille, duplicate_permille, cut_permille;
    uint64_t refused;                        // frames that were not understood
    bool reorder, tampered[GATEWAYS], lossy; // lossy: some data is gone for good, and counted
    bool rebuilt[WORLD_BRANCHES]; // from a later day: what comes again of earlier ones is too late
    bool skewed[GATEWAYS];        // its clock was wrong at some time
    size_t spool_rows_max;
    uint64_t last_fault_ms, healed_ms; // when the last fault begins, when all are over
    uint64_t faults[FAULT_COUNT];
    // The oracle.
    struct truth *truths[GATEWAYS];
    size_t truth_count[GATEWAYS];
    const struct expectation *expected; // NULL: this is the run without faults
    struct expectation *become;
    bool blamed[WORLD_BRANCHES]; // for what they did not do: some of its encounters
    uint64_t hash, plan;         // of all that happened, and of all that was planned
    uint64_t most_bytes;         // that any branch ever took
    char failure[512], last_lines[TRACE_LINES][TRACE_LINE];
    size_t line_count;
};

// network.c
void network_add(struct simulation *s, enum end end, size_t client, size_t broker);
struct link *network_link(struct simulation *s, enum end end, size_t client, size_t broker);
struct link *network_peer(struct simulation *s, uint32_t peer); // NULL: gone
void network_look(struct simulation *s);
void network_changed(struct simulation *s); // a process, or what a link is told: look soon
/// false: the peer cannot be sent to.
bool network_send(struct simulation *s, struct link *link, bool to_broker, struct bytes frame);
void event_push(struct simulation *s, struct event event);
bool event_pop(struct simulation *s, struct event *event);
uint64_t event_next_ms(const struct simulation *s);

// gateway.c
void gateway_start(struct simulation *s, size_t process);
void gateway_kill(struct simulation *s, size_t process);
void gateway_connected(struct simulation *s, size_t process, bool up);
void gateway_frame(struct simulation *s, size_t process, struct bytes frame);
uint64_t gateway_deadline_ms(const struct simulation *s, size_t process);
void gateway_turn(struct simulation *s, size_t process);
bool gateway_done(const struct simulation *s, size_t process);

// spool.c
void spool_make(struct simulation *s, struct gateway *g); // an empty one with a new id
void spool_copy(struct spool *to, const struct spool *from);
void spool_renew(struct simulation *s, struct gateway *g);
// false: the disk refuses, and the gateway has failed.
bool spool_write(struct simulation *s, struct gateway *g, const char *what);
bool spool_append(struct simulation *s, struct gateway *g, struct bytes body, size_t to,
                  bool poison);
bool spool_commit(struct simulation *s, struct gateway *g);
void spool_applied(const struct simulation *s, struct gateway *g, uint64_t number,
                   uint64_t passed_over);

// broker.c
void broker_start(struct simulation *s, size_t broker);
void broker_kill(struct simulation *s, size_t broker);
void broker_frame(struct simulation *s, size_t broker, const struct link *link, uint32_t peer,
                  struct bytes frame);
uint64_t broker_deadline_ms(const struct simulation *s, size_t broker);
void broker_turn(struct simulation *s, size_t broker);
bool broker_idle(const struct simulation *s, size_t broker);
void broker_drain(struct simulation *s, size_t broker, size_t worker);

// worker.c
void worker_start(struct simulation *s, size_t worker);
void worker_kill(struct simulation *s, size_t worker);
void worker_connected(struct simulation *s, size_t worker, size_t broker, bool up);
void worker_frame(struct simulation *s, size_t worker, size_t broker, struct bytes frame);
void worker_reply(struct simulation *s, struct store_call *call, struct bytes reply,
                  enum call_class class);
uint64_t worker_deadline_ms(const struct simulation *s, size_t worker);
void worker_turn(struct simulation *s, size_t worker);
void worker_drain(struct simulation *s, size_t worker);
void worker_redis_lost(struct simulation *s, size_t worker); // its connection broke

// redis.c
void redis_call(struct simulation *s, struct store_call *call);
void redis_arrived(struct simulation *s, struct store_call *call);
void redis_replied(struct simulation *s, struct store_call *call, struct bytes reply, bool failed);
void redis_start(struct simulation *s);
int64_t redis_utc_ms(struct simulation *s); // its wall clock
void redis_go_away(struct simulation *s, uint64_t until_ms);
void redis_snapshot(struct simulation *s);
void redis_fall_back(struct simulation *s);
void redis_empty(struct simulation *s);
/// What an operator asks of it: MODEL_SEAL or MODEL_REBUILD of the day that begins at from_ms.
/// false: not now.
bool redis_operate(struct simulation *s, size_t branch, enum model_call what, int64_t from_ms);
void call_free(struct store_call *call);

// faults.c
void faults_plan(struct simulation *s);
void faults_end(struct simulation *s);
void fault_happen(struct simulation *s, enum fault fault);
void put_back(struct simulation *s, size_t gateway); // what FAULT_PUT_BACK began
void put_back_over(struct simulation *s, struct gateway *g);

// trace.c
void trace(struct simulation *s, const char *format, ...) PRINTF_LIKE(2, 3);
/// Whoever it came to says no more of it than that: the rest of the frame is gone.
void not_understood(struct simulation *s, const char *whom, size_t number, const char *why);
/// The first one is the run's failure.
void wrong(struct simulation *s, const char *format, ...) PRINTF_LIKE(2, 3);

// oracle.c
void oracle_store_changed(struct simulation *s, size_t branch);
void oracle_position_taken(struct simulation *s, const struct gateway *g, struct position position);
void oracle_before(struct simulation *s, const struct store_call *call);
void oracle_after(struct simulation *s, const struct store_call *call, struct bytes reply);
void oracle_operated(struct simulation *s, size_t branch); // after redis_operate
/// Whether the store has applied all that the branch's office decides about that day.
bool oracle_decided(const struct simulation *s, size_t branch, int64_t over_ms);
bool oracle_drained(struct simulation *s, char *why, size_t size);
void oracle_end(struct simulation *s);

// leases.c
void leases_before(struct simulation *s, const struct store_call *call);
void leases_after(struct simulation *s, const struct store_call *call, struct bytes reply);
/// Whoever settles this would have died while it judged it.
bool leases_kills(const struct simulation *s, size_t branch, const struct settle_call *settle);
void leases_killed(struct simulation *s, size_t branch, const struct settle_call *settle);
void leases_end(struct simulation *s, size_t branch);

// run.c
struct finding {
    bool clean;
    char failure[512];
    uint64_t simulated_ms, steps, hash, plan, most_bytes, encounters, batches;
    bool blamed; // some encounter, for deaths of another cause
    uint64_t faults[FAULT_COUNT];
};
/// What is not needed is NULL or 0.
struct run {
    uint64_t seed;
    const struct world *world;
    const struct expectation *expected; // NULL: nothing breaks
    struct expectation *become;         // then the cells go there
    const struct store_shadow *shadow;
    enum plant plant;
    enum telling telling;
};
struct finding simulate_run(const struct run *run);

/// The world of a seed and what becomes of it without faults; neighbours share one.
struct stage {
    uint64_t number;
    bool made, sound; // sound: the run without faults was clean
    struct world world;
    struct expectation expected;
};
/// false: not even the run without faults is clean.
bool stage_make(struct stage *stage, uint64_t seed);
