#include "worker/shell/worker_shell.h"

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/registry/keys.h"
#include "worker/core/pipeline.h"
#include "worker/shell/judging.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_CONFIGURATION = 78,
    LINGER_MS = 300,
    CALLS = 5,
    WAITS_A_COMMAND = 4, // a call may stand behind another's WAIT, within redis_command_ms
    SYNCS_A_COMMAND = 2, // the same for WAITAOF, which often takes a second
};

struct worker;

/// A broker that this worker serves.
struct connection {
    struct worker *worker;
    uint32_t number;
    struct bus_socket *socket;
    struct buffer out; // messages of this turn, to go in one frame
    uint32_t held;     // jobs that came from there and are not answered
};

/// What came from a broker in one frame; jobs point into it until they are answered.
struct frame {
    struct connection *connection;
    uint32_t holders;
    uint8_t bytes[];
};

/// What a reply of the store belongs to; one a branch and kind of call, but each settle's own.
struct call {
    struct worker *worker;
    uint32_t branch;
    enum pipeline_call kind;
    struct judged_by *judged_by; // settle
};

struct worker {
    const struct worker_settings *settings;
    const struct catalogue *catalogue;
    struct pipeline_branch *branches; // the catalogue's, as the pipeline reads them
    struct loop *loop;
    struct bus *bus;
    struct store *store;
    struct judging *judging;
    struct pipeline *pipeline;
    size_t connection_count;
    struct connection *connections;
    struct call *calls; // CALLS a branch
    bool serving;       // the pipeline has been told that the store is up
    char as[sizeof "worker." + ID_MAX];
    char trouble[REASON_MAX + 1]; // with Redis; empty: none
    char library[REASON_MAX + 1]; // why it keeps an older library; empty: it does not
    enum pipeline_call troubled;  // calls of this kind
    uint64_t now_ms;              // both since the last `wakes`
    int64_t utc_ms;
    uint64_t heartbeat_at_ms;
    bool draining;
    int status;
};

// To the brokers

static void flush(struct connection *connection) {
    if (connection->out.size == 0) return;
    // What is lost with a broken connection comes again: the broker asks another worker.
    enum err err = bus_send(connection->socket, BUS_BROKER, buffer_bytes(&connection->out));
    if (err) log_debug("frame_lost", "broker=%u reason=%s", connection->number, err_name(err));
    buffer_clear(&connection->out);
}

static void send_message(struct connection *connection, struct message *message) {
    if (connection->worker->settings->insecure) message->as = bytes_of_text(connection->worker->as);
    if (message_encode(message, &connection->out) == ERR_NONE) return;
    flush(connection);
    enum err err = message_encode(message, &connection->out);
    assert(!err); // a single message fits into an empty frame
    (void)err;
}

/// What hinders this worker, for the broker's status; empty: nothing.
static const char *hindrance(const struct worker *worker, char text[REASON_MAX + 1]) {
    const char *trouble = worker->trouble[0] ? worker->trouble : worker->library;
    if (!trouble[0]) return judging_trouble(worker->judging);
    snprintf(text, REASON_MAX + 1, "Redis: %.*s", REASON_MAX - 7, trouble);
    return text;
}

static void send_ready(struct worker *worker) {
    char text[REASON_MAX + 1];
    uint32_t brokers = (uint32_t)worker->connection_count;
    for (uint32_t i = 0; i < brokers; i++) {
        struct connection *connection = &worker->connections[i];
        struct message ready = {.type = MESSAGE_READY,
                                .worker = worker->settings->worker,
                                .credit = pipeline_credit(worker->pipeline, i) / brokers,
                                .held = connection->held,
                                .set = bytes_of_text(judging_hash(worker->judging)),
                                .version = bytes_of_text(TRESEN_VERSION),
                                .acknowledge =
                                    bytes_of_text(acknowledge_names[worker->settings->acknowledge]),
                                .brokers = brokers,
                                .reserved = pipeline_reserved(worker->pipeline, i),
                                .library = (uint64_t)store_library_brought(worker->store),
                                .library_run = store_library_run(worker->store),
                                .reason = bytes_of_text(hindrance(worker, text))};
        send_message(connection, &ready);
    }
    worker->heartbeat_at_ms = worker->now_ms + worker->settings->heartbeat_ms;
}

// From the core

static void release(const struct pipeline_action *action) {
    for (size_t i = 0; i < action->frame_count; i++) {
        struct frame *frame = action->frames[i];
        frame->connection->held--;
        if (--frame->holders == 0) free(frame);
    }
}

/// Look at the clocks: first in whatever the loop calls. One look does for all of a frame.
static void wakes(struct worker *worker) {
    worker->now_ms = clock_monotonic_ms();
    // The store has gone when the last jobs are let go of.
    worker->utc_ms = worker->store ? store_utc_ms(worker->store) : clock_utc_ms();
}

static void input(struct worker *worker, struct pipeline_input in) {
    in.now_ms = worker->now_ms;
    in.utc_ms = worker->utc_ms;
    pipeline_input(worker->pipeline, &in);
}

static void replied(void *context, enum redis_class class, struct bytes reply, const char *reason);

/// What judged stays until the answer has come, whatever judges by then.
static enum err start_settle(struct worker *worker, const struct pipeline_action *action) {
    struct call *call = malloc(sizeof *call);
    if (!call) return ERR_NOMEM;
    *call = (struct call){worker, action->branch, CALL_SETTLE, judging_hold(worker->judging)};
    enum err err = store_settle(worker->store, worker->branches[action->branch].branch,
                                &action->settle, action->set, replied, call);
    if (err) {
        judging_release(call->judged_by);
        free(call);
    }
    return err;
}

/// Hand a call to the store; what it does not take is told to the core at once.
static void start_call(struct worker *worker, const struct pipeline_action *action,
                       enum pipeline_call kind) {
    const struct pipeline_branch *branch = &worker->branches[action->branch];
    struct call *call = &worker->calls[CALLS * action->branch + (size_t)kind];
    enum err err = ERR_NONE;
    switch (kind) {
    case CALL_INGEST:
        err = store_ingest(worker->store, branch->branch, &action->fold, replied, call);
        break;
    case CALL_ASK:
        err = store_ask(worker->store, branch->branch, &action->ask, replied, call);
        break;
    case CALL_TAKE:
        err = store_take(worker->store, branch->branch, &action->take, replied, call);
        break;
    case CALL_GIVE_BACK:
        err = store_give_back(worker->store, branch->branch, &action->give_back, replied, call);
        break;
    case CALL_SETTLE:
        err = start_settle(worker, action);
        break;
    }
    if (!err) return;
    log_debug("call_not_taken", "branch=%s reason=%s", branch->branch->id.text, err_name(err));
    input(worker,
          (struct pipeline_input){
              .kind = PIPELINE_REPLY, .branch = action->branch, .call = kind, .class = CALL_RETRY});
}

static void say_goodbye(struct worker *worker) {
    for (size_t i = 0; i < worker->connection_count; i++) {
        struct message goodbye = {.type = MESSAGE_GOODBYE, .worker = worker->settings->worker};
        send_message(&worker->connections[i], &goodbye);
        flush(&worker->connections[i]);
    }
    log_info("stopped", "worker=%s", worker->settings->worker.text);
    loop_stop(worker->loop);
}

static void carry_out(struct worker *worker, struct pipeline_action *action) {
    switch (action->kind) {
    case ACTION_INGEST:
        start_call(worker, action, CALL_INGEST);
        break;
    case ACTION_ASK:
        start_call(worker, action, CALL_ASK);
        break;
    case ACTION_TAKE:
        start_call(worker, action, CALL_TAKE);
        break;
    case ACTION_GIVE_BACK:
        start_call(worker, action, CALL_GIVE_BACK);
        break;
    case ACTION_SETTLE:
        start_call(worker, action, CALL_SETTLE);
        break;
    case ACTION_DONE:
        send_message(&worker->connections[action->broker], &action->done);
        release(action);
        break;
    case ACTION_RELEASE:
        release(action);
        break;
    case ACTION_READY:
        send_ready(worker);
        break;
    case ACTION_NOTICE:
        log_error("pipeline", "branch=%s reason=%s",
                  worker->branches[action->branch].branch->id.text, action->notice);
        break;
    case ACTION_GOODBYE:
        say_goodbye(worker);
        break;
    }
}

static void carry_out_all(struct worker *worker) {
    struct pipeline_action action;
    while (pipeline_next(worker->pipeline, &action))
        carry_out(worker, &action);
}

// Inputs

static enum call_class call_class_of(enum redis_class class) {
    if (class == REDIS_CLASS_OK) return CALL_OK;
    return class == REDIS_CLASS_ERROR ? CALL_ERROR : CALL_RETRY;
}

/// What Redis refuses or lacks, for the log and the broker's status.
static void trouble(struct worker *worker, enum redis_class class, const char *reason) {
    snprintf(worker->trouble, sizeof worker->trouble, "%s", reason);
    if (class != REDIS_CLASS_CONFIGURATION) return;
    log_error("store_configuration",
              "reason=%s way_out=\"see redis_user, redis_password_file and acknowledge\"", reason);
    worker->status = EXIT_CONFIGURATION;
    loop_stop(worker->loop);
}

static void replied(void *context, enum redis_class class, struct bytes reply, const char *reason) {
    struct call *call = context;
    struct worker *worker = call->worker;
    wakes(worker);
    // What is given back is so only once in a while: it is as well with it as with taking.
    enum pipeline_call kind = call->kind == CALL_GIVE_BACK ? CALL_TAKE : call->kind;
    if (class == REDIS_CLASS_OK) {
        if (kind == worker->troubled) worker->trouble[0] = '\0';
    } else {
        worker->troubled = kind;
        log_warning("store_call", "branch=%s class=%s reason=%s",
                    worker->branches[call->branch].branch->id.text, redis_class_name(class),
                    reason);
        trouble(worker, class, reason);
    }
    input(worker, (struct pipeline_input){.kind = PIPELINE_REPLY,
                                          .branch = call->branch,
                                          .call = call->kind,
                                          .class = call_class_of(class),
                                          .reply = reply,
                                          .reason = reason});
    carry_out_all(worker); // the reply lives no longer than this
    if (call->kind != CALL_SETTLE) return;
    judging_release(call->judged_by);
    free(call);
}

/// Work begins when the store is there and it is known what judges.
static void serve(struct worker *worker) {
    if (worker->serving || !store_is_up(worker->store) || !judging_known(worker->judging)) return;
    worker->serving = true;
    input(worker, (struct pipeline_input){.kind = PIPELINE_STORE_UP});
}

/// Between two jobs: what is judged from now on is judged by these.
static void judging_changed(void *context) {
    struct worker *worker = context;
    wakes(worker);
    const struct standards_plan *plans = judging_plans(worker->judging);
    for (size_t i = 0; i < worker->catalogue->branches.count; i++)
        worker->branches[i].plan = &plans[i];
    serve(worker);
    send_ready(worker);
}

static void reload(void *context) {
    struct worker *worker = context;
    judging_reload(worker->judging);
}

static void store_up(void *context) {
    struct worker *worker = context;
    wakes(worker);
    log_info("store_up", "acknowledge=%s", acknowledge_names[worker->settings->acknowledge]);
    worker->trouble[0] = '\0';
    judging_store_up(worker->judging, worker->store);
    serve(worker);
    send_ready(worker);
}

/// The rights that loading takes, for the user that this worker is.
static void log_library_refused(const struct worker *worker, const struct library_state *state) {
    const char *user = worker->settings->redis_user[0] ? worker->settings->redis_user : "default";
    char way_out[160] = "";
    bool key = strstr(state->refusal, " key"); // Redis refuses a pattern behind `~*`
    if (state->refused == REDIS_CLASS_CONFIGURATION)
        snprintf(way_out, sizeof way_out, "redis-cli ACL SETUSER %s %s", user,
                 key ? "'~" LIBRARY_KEY "'" : "+function|load +@transaction +set +del");
    log_error("library_not_loaded", "redis=%" PRId64 " worker=%" PRId64 " reason=%s way_out=%s",
              state->runs, state->brings, state->refusal, way_out);
}

static void library_news(void *context, const struct library_state *state, int64_t found) {
    struct worker *worker = context;
    worker->library[0] = '\0';
    if (state->refused != REDIS_CLASS_OK) {
        snprintf(worker->library, sizeof worker->library,
                 "the function library stays at revision %" PRId64 ", this worker brings %" PRId64
                 ": %.100s",
                 state->runs, state->brings, state->refusal);
        log_library_refused(worker, state);
    } else if (found < state->runs) {
        log_info("library_loaded", "from=%" PRId64 " to=%" PRId64, found, state->runs);
    } else if (state->runs > state->brings) {
        log_info("library_newer", "redis=%" PRId64 " worker=%" PRId64, state->runs, state->brings);
    }
}

static void store_down(void *context, enum redis_class class, const char *reason) {
    struct worker *worker = context;
    wakes(worker);
    log_warning("store_down", "class=%s reason=%s", redis_class_name(class), reason);
    trouble(worker, class, reason);
    worker->serving = false;
    input(worker, (struct pipeline_input){.kind = PIPELINE_STORE_DOWN});
    send_ready(worker);
}

/// Once: the broker says drain with each ready of a worker that drains, and drain says ready.
static void drain(struct worker *worker) {
    if (worker->draining) return;
    worker->draining = true;
    log_info("draining", "held=%u", pipeline_held(worker->pipeline));
    input(worker, (struct pipeline_input){.kind = PIPELINE_DRAIN});
    send_ready(worker);
}

static void job_came(struct worker *worker, uint32_t broker, const struct message *message,
                     struct frame *frame) {
    if (pipeline_held(worker->pipeline) >= worker->settings->jobs_max) {
        uint8_t id[8];
        struct message done = pipeline_turn_away(message, id);
        log_warning("too_many_jobs", "broker=%u held=%u", broker, pipeline_held(worker->pipeline));
        send_message(&worker->connections[broker], &done);
        return;
    }
    frame->holders++;
    frame->connection->held++;
    input(worker, (struct pipeline_input){
                      .kind = PIPELINE_JOB, .broker = broker, .message = message, .frame = frame});
}

static void broker_said(void *context, struct bus_peer peer, const char *user, struct bytes bytes) {
    struct connection *connection = context;
    struct worker *worker = connection->worker;
    wakes(worker);
    (void)peer;
    (void)user;
    struct frame *frame = malloc(sizeof *frame + bytes.size);
    if (!frame) {
        log_error("out_of_memory", "frame=%zu", bytes.size);
        return;
    }
    frame->connection = connection;
    frame->holders = 1;
    memcpy(frame->bytes, bytes.data, bytes.size);

    struct reader reader = reader_of((struct bytes){frame->bytes, bytes.size});
    struct message message;
    struct problem problem;
    enum err err;
    while ((err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (err)
            log_warning("not_understood", "broker=%u reason=%s", connection->number, problem.text);
        else if (message.type == MESSAGE_JOB)
            job_came(worker, connection->number, &message, frame);
        else if (message.type == MESSAGE_DRAIN)
            drain(worker);
        else if (message.type == MESSAGE_RESERVE)
            input(worker,
                  (struct pipeline_input){.kind = PIPELINE_RESERVE, .broker = connection->number});
        else if (message.type == MESSAGE_REFUSED)
            log_warning("refused", "broker=%u reason=%.*s", connection->number,
                        (int)message.reason.size, (const char *)message.reason.data);
    }
    if (--frame->holders == 0) free(frame);
}

static void broker_up(void *context) {
    struct connection *connection = context;
    wakes(connection->worker);
    log_info("broker_up", "endpoint=%s",
             connection->worker->settings->brokers.items[connection->number]);
    send_ready(connection->worker);
}

static void broker_down(void *context) {
    struct connection *connection = context;
    log_warning("broker_down", "endpoint=%s",
                connection->worker->settings->brokers.items[connection->number]);
}

static void broker_refused(void *context, const struct bus_refusal *refusal) {
    const struct connection *connection = context;
    log_error("broker_refused", "endpoint=%s reason=%s",
              connection->worker->settings->brokers.items[connection->number], refusal->reason);
}

static void stop(void *context, int signal) {
    (void)signal;
    wakes(context);
    drain(context);
}

static void timer(void *context) {
    struct worker *worker = context;
    wakes(worker);
    input(worker, (struct pipeline_input){.kind = PIPELINE_TICK});
    if (worker->now_ms < worker->heartbeat_at_ms) return;
    store_look(worker->store);
    send_ready(worker);
}

/// The end of a turn: all jobs that came in it are in hand, so that they fold.
static void turn(void *context) {
    struct worker *worker = context;
    carry_out_all(worker);
    judging_step(worker->judging);
    for (size_t i = 0; i < worker->connection_count; i++)
        flush(&worker->connections[i]);
    uint64_t times_ms[] = {pipeline_deadline_ms(worker->pipeline), worker->heartbeat_at_ms,
                           judging_deadline_ms(worker->judging)};
    uint64_t at_ms = DEADLINE_NEVER;
    for (size_t i = 0; i < sizeof times_ms / sizeof *times_ms; i++)
        if (times_ms[i] < at_ms) at_ms = times_ms[i];
    loop_timer_set(worker->loop, at_ms);
}

// Setting up

static struct store_policy policy_of(const struct worker_settings *settings) {
    struct store_policy policy = store_policy_default();
    policy.grace_ms = settings->grace_ms;
    policy.settle_after_ms = settings->settle_after_ms;
    policy.settle_pause_ms = settings->settle_pause_ms;
    policy.lease_ms = settings->lease_ms;
    policy.encounter_max_ms = settings->encounter_max_ms;
    policy.horizon_ms = settings->horizon_ms;
    policy.branch_bytes_max = settings->branch_bytes_max;
    policy.dead_max = (uint32_t)settings->dead_max;
    return policy;
}

static bool new_judging(struct worker *worker) {
    struct judging_handlers handlers = {worker, judging_changed};
    worker->judging = judging_new(worker->settings, worker->catalogue, &handlers);
    return worker->judging != NULL;
}

static bool new_branches(struct worker *worker) {
    const struct branches *branches = &worker->catalogue->branches;
    struct store_policy policy = policy_of(worker->settings);
    worker->branches = calloc(branches->count ? branches->count : 1, sizeof *worker->branches);
    if (!worker->branches) return false;
    for (size_t i = 0; i < branches->count; i++)
        worker->branches[i] = (struct pipeline_branch){
            .branch = &branches->items[i],
            .plan = &judging_plans(worker->judging)[i],
            .configuration = store_configuration(&branches->items[i], &policy)};
    return true;
}

static bool new_pipeline(struct worker *worker) {
    const struct worker_settings *settings = worker->settings;
    struct pipeline_limits limits = pipeline_limits_default();
    limits.jobs_max = (uint32_t)settings->jobs_max;
    limits.fold_jobs_max = (uint32_t)settings->fold_jobs_max;
    limits.take_max = (uint32_t)settings->take_max;
    limits.drain_ms = (uint32_t)settings->drain_ms;
    uint64_t seed = 0;
    random_fill(&seed, sizeof seed);
    worker->pipeline = pipeline_new(&limits, worker->branches, worker->catalogue->branches.count,
                                    &worker->catalogue->measures.measures, seed);
    return worker->pipeline != NULL;
}

static bool new_calls(struct worker *worker) {
    size_t count = worker->catalogue->branches.count;
    worker->calls = calloc(CALLS * (count ? count : 1), sizeof *worker->calls);
    if (!worker->calls) return false;
    for (size_t i = 0; i < CALLS * count; i++)
        worker->calls[i] =
            (struct call){worker, (uint32_t)(i / CALLS), (enum pipeline_call)(i % CALLS), NULL};
    return true;
}

/// The first line of the file; false: it cannot be read.
static bool read_password(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "re");
    bool done = file && fgets(text, (int)size, file);
    if (file) fclose(file);
    if (done) text[strcspn(text, "\r\n")] = '\0';
    return done;
}

static enum err new_store(struct worker *worker, struct problem *problem) {
    const struct worker_settings *settings = worker->settings;
    struct redis_settings redis = redis_settings_default();
    char password[256];
    if (settings->redis_path[0])
        redis.path = settings->redis_path;
    else
        redis.host = settings->redis_host;
    redis.port = (uint16_t)settings->redis_port;
    redis.user = settings->redis_user[0] ? settings->redis_user : NULL;
    redis.command_ms = (uint32_t)settings->redis_command_ms;
    if (settings->redis_password_file[0]) {
        if (!read_password(settings->redis_password_file, password, sizeof password))
            return problem_set(problem, ERR_IO, "%s: cannot be read; see redis_password_file",
                               settings->redis_password_file);
        redis.password = password;
    }
    struct store_policy policy = policy_of(settings);
    struct store_handlers handlers = {worker, store_up, store_down, library_news};
    struct acknowledge_settings acknowledge = {
        .level = (enum acknowledge)settings->acknowledge,
        .replicas = (uint32_t)settings->replicas,
        .wait_ms = redis.command_ms /
                   (settings->acknowledge == ACKNOWLEDGE_FSYNC ? SYNCS_A_COMMAND : WAITS_A_COMMAND),
    };
    enum err err =
        store_new(worker->loop, &redis, &acknowledge, &policy, &handlers, &worker->store);
    return err ? problem_set(problem, err, "the store's client cannot be made: %s", err_name(err))
               : ERR_NONE;
}

static enum err read_keys(const struct worker_settings *settings, const char *name,
                          struct bus_security *security, struct problem *problem) {
    char secret[KEY_TEXT_SIZE], own_public[KEY_TEXT_SIZE], broker[KEY_TEXT_SIZE];
    if (settings->insecure) return ERR_NONE;
    enum err err = key_read_secret(settings->keys_dir, name, secret, own_public, problem);
    if (!err) err = key_read_public(settings->keys_dir, "broker", broker, problem);
    if (err) return err;
    curve_key_set(&security->secret_key, secret, CURVE_KEY_LENGTH);
    curve_key_set(&security->server_key, broker, CURVE_KEY_LENGTH);
    return ERR_NONE;
}

static enum err connect_brokers(struct worker *worker, struct problem *problem) {
    const struct worker_settings *settings = worker->settings;
    struct bus_security security = {.insecure = settings->insecure};
    enum err err = read_keys(settings, worker->as, &security, problem);
    if (err) return err;
    struct bus_settings bus = bus_settings_default();
    bus.linger_ms = LINGER_MS; // for the goodbye

    worker->connections = calloc(settings->brokers.count, sizeof *worker->connections);
    if (!worker->connections) return problem_set(problem, ERR_NOMEM, "out of memory");
    worker->connection_count = settings->brokers.count;
    for (size_t i = 0; i < worker->connection_count && !err; i++) {
        struct connection *connection = &worker->connections[i];
        *connection = (struct connection){.worker = worker, .number = (uint32_t)i};
        buffer_init(&connection->out, FRAME_MAX);
        struct bus_handlers handlers = {.context = connection,
                                        .message = broker_said,
                                        .connected = broker_up,
                                        .disconnected = broker_down,
                                        .refused = broker_refused};
        err = bus_connect(worker->bus, settings->brokers.items[i], &security, &bus, &handlers,
                          &connection->socket, problem);
    }
    return err;
}

static enum err set_up(struct worker *worker, struct problem *problem) {
    struct loop_handlers handlers = {
        .context = worker, .stop = stop, .reload = reload, .timer = timer, .turn = turn};
    if (loop_new(&worker->loop) || bus_new(worker->loop, &worker->bus) || !new_judging(worker) ||
        !new_branches(worker) || !new_calls(worker) || !new_pipeline(worker))
        return problem_set(problem, ERR_NOMEM, "out of memory or descriptors");
    loop_handle(worker->loop, &handlers);
    enum err err = connect_brokers(worker, problem);
    return err ? err : new_store(worker, problem);
}

/// Frames of jobs that no one answered any more, when the loop has ended by force.
static void let_go_of_jobs(struct worker *worker) {
    struct pipeline_action action;
    struct pipeline_input drained = {// the store, whose clock input asks, is gone
                                     .kind = PIPELINE_DRAIN,
                                     .now_ms = clock_monotonic_ms(),
                                     .utc_ms = clock_utc_ms()};
    pipeline_input(worker->pipeline, &drained);
    while (pipeline_next(worker->pipeline, &action))
        if (action.kind == ACTION_DONE || action.kind == ACTION_RELEASE) release(&action);
}

static void tear_down(struct worker *worker) {
    store_free(worker->store); // tells the pipeline and judging of their outstanding calls
    worker->store = NULL;
    judging_free(worker->judging);
    if (worker->pipeline) let_go_of_jobs(worker);
    for (size_t i = 0; i < worker->connection_count; i++)
        buffer_fini(&worker->connections[i].out);
    bus_free(worker->bus);
    loop_free(worker->loop);
    pipeline_free(worker->pipeline);
    free(worker->connections);
    free(worker->calls);
    free(worker->branches);
}

int worker_run(const struct worker_settings *settings, const struct catalogue *catalogue) {
    struct worker worker = {.settings = settings, .catalogue = catalogue};
    struct problem problem = {0};
    snprintf(worker.as, sizeof worker.as, "worker.%s", settings->worker.text);
    enum err err = set_up(&worker, &problem);
    if (err) {
        log_error("not_started", "reason=%s", problem.text);
        worker.status = err == ERR_NOMEM ? EXIT_FAILURE : EXIT_CONFIGURATION;
    } else {
        log_info("started", "worker=%s version=%s branches=%zu standards=%s", settings->worker.text,
                 TRESEN_VERSION, catalogue->branches.count, catalogue->hash_text);
        loop_run(worker.loop);
    }
    tear_down(&worker);
    return worker.status;
}
