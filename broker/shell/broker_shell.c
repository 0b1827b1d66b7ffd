#include "broker/shell/broker_shell.h"

#include "broker/shell/broker.h"
#include "common/io/clock.h"
#include "common/io/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// ---- actions

static void give_job(struct broker *broker, const struct dispatch_action *action) {
    struct message job = {
        .type = MESSAGE_JOB,
        .job = action->job,
        .what = action->what,
        .branch = broker->branches->items[action->branch].id,
    };
    if (action->what != JOB_SETTLE) {
        const struct body *body = &broker->bodies.items[action->slot];
        job.gateway = broker->peers.gateways[action->gateway].registered->id;
        job.session = action->session;
        job.position = body->position;
        job.lost = body->lost;
        job.spool = body->spool;
        job.has_spool = body->has_spool;
        job.body = body->bytes;
    }
    // If it cannot be sent, the end of the turn finds the worker unreachable.
    struct connection *connection = &broker->peers.workers[action->worker].connection;
    if (!connection_gather(connection, &broker->to_workers, broker->workers, &job))
        connection->reachable = false;
}

static void send_answer(struct broker *broker, uint32_t number, const struct message *answer) {
    struct connection *connection = &broker->peers.gateways[number].connection;
    if (!connection_gather(connection, &broker->to_gateways, broker->gateways, answer))
        broker->answers_lost++; // the gateway asks again
}

/// A batch that the worker refuses stops its gateway until a person has seen to it: name it.
static void tell_refused(struct broker *broker, const struct gateway *gateway) {
    const struct peer peer = {PEER_GATEWAY, gateway->branch->id, gateway->registered->id};
    char who[KEY_NAME_SIZE], why[REASON_MAX + 1];
    peer_name(&peer, who);
    snprintf(why, sizeof why, "%.*s", (int)broker->done->reason.size,
             (const char *)broker->done->reason.data);
    refusals_add(&broker->refusals, who, why, broker->now_ms);
    log_warning("batch_refused", "who=%s reason=%s", who, why);
}

/// Does it say where the store stands? Number 0 of epoch 0 is a position, too: of an emptied store.
static bool tells_position(const struct message *answer) {
    return answer->position.epoch > 0 ||
           (answer->status != ANSWER_LATER && answer->status != ANSWER_REFUSED);
}

/// Pass on what the store said. Only the store knows positions; what says none gets its last one.
static void pass_answer(struct broker *broker, const struct dispatch_action *action) {
    struct gateway *gateway = &broker->peers.gateways[action->gateway];
    struct message answer = *broker->done;
    if (tells_position(&answer)) {
        gateway->position = answer.position;
        rewind_hear(&gateway->rewind, answer.position);
    }
    answer.type = MESSAGE_ANSWER;
    answer.session = action->session;
    answer.position = gateway->position;
    answer.window = action->window;
    answer.as = answer.jobs = (struct bytes){0};
    answer.job_count = 0;
    if (answer.status == ANSWER_REFUSED) tell_refused(broker, gateway);
    send_answer(broker, action->gateway, &answer);
}

/// It was answered in this session, so that its position is known.
static void tell_window(struct broker *broker, const struct dispatch_action *action) {
    const struct message answer = {.type = MESSAGE_ANSWER,
                                   .session = action->session,
                                   .position = broker->peers.gateways[action->gateway].position,
                                   .status = ANSWER_APPLIED,
                                   .window = action->window};
    send_answer(broker, action->gateway, &answer);
}

static void answer_later(struct broker *broker, const struct dispatch_action *action) {
    const struct message answer = {
        .type = MESSAGE_ANSWER,
        .session = action->session,
        .position = broker->peers.gateways[action->gateway].position,
        .status = ANSWER_LATER,
        .wait_ms = (uint32_t)broker->settings->later_ms,
        .reason =
            bytes_of_text(action->reason == REASON_WINDOW ? "more batches than the window allows"
                                                          : "the broker has no room"),
    };
    send_answer(broker, action->gateway, &answer);
}

/// Something else than a job.
static void tell_worker(struct broker *broker, uint32_t number, enum message_type type) {
    struct worker *worker = &broker->peers.workers[number];
    const struct message message = {.type = type, .worker = worker->name};
    if (!connection_gather(&worker->connection, &broker->to_workers, broker->workers, &message))
        worker->connection.reachable = false;
}

static void tell_lost(const struct broker *broker, const struct dispatch_action *action) {
    enum log_level level = action->reason == REASON_GOODBYE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
    log_event(level, "worker_lost", "worker=%s reason=%s jobs=%u",
              broker->peers.workers[action->worker].name.text, dispatch_reason_name(action->reason),
              action->jobs);
}

static void tell_dead_letter(const struct broker *broker, const struct dispatch_action *action) {
    const struct gateway *gateway = &broker->peers.gateways[action->gateway];
    log_error("dead_letter", "branch=%s gateway=%s number=%llu reason=\"kills its workers\"",
              gateway->branch->id.text, gateway->registered->id.text,
              (unsigned long long)broker->bodies.items[action->slot].position.number);
}

static void carry_out(struct broker *broker, const struct dispatch_action *action) {
    switch (action->kind) {
    case ACTION_JOB:
        give_job(broker, action);
        break;
    case ACTION_ANSWER:
        pass_answer(broker, action);
        break;
    case ACTION_WINDOW:
        tell_window(broker, action);
        break;
    case ACTION_LATER:
        answer_later(broker, action);
        break;
    case ACTION_FREE:
        bodies_drop(&broker->bodies, action->slot);
        break;
    case ACTION_DRAIN:
        tell_worker(broker, action->worker, MESSAGE_DRAIN);
        break;
    case ACTION_RESERVE:
        tell_worker(broker, action->worker, MESSAGE_RESERVE);
        break;
    case ACTION_WORKER_LOST:
        tell_lost(broker, action);
        break;
    case ACTION_DEAD_LETTER:
        tell_dead_letter(broker, action);
        break;
    }
}

// ---- inputs

void broker_wakes(struct broker *broker) {
    broker->now_ms = clock_monotonic_ms();
}

void broker_input(struct broker *broker, struct dispatch_input in) {
    struct dispatch_actions actions;
    in.now_ms = broker->now_ms;
    dispatch_step(broker->dispatch, &in, &actions);
    for (size_t i = 0; i < actions.count; i++)
        carry_out(broker, &actions.items[i]);
}

void broker_refuse(struct broker *broker, struct bus_socket *socket, struct bus_peer peer,
                   const char *who, const char *why) {
    const struct message refused = {.type = MESSAGE_REFUSED, .reason = bytes_of_text(why)};
    struct buffer out;
    buffer_init(&out, FRAME_MAX);
    refusals_add(&broker->refusals, who, why, broker->now_ms);
    log_warning("refused", "who=%s reason=%s", who, why);
    enum err err = message_encode(&refused, &out);
    if (!err) err = bus_send(socket, peer, buffer_bytes(&out));
    if (err) broker->answers_lost++;
    buffer_fini(&out);
}

static void handshake_refused(void *context, const struct bus_refusal *refusal) {
    struct broker *broker = context;
    char who[REFUSAL_WHO_SIZE];
    broker_wakes(broker);
    snprintf(who, sizeof who, "%s %s", refusal->address, refusal->key ? refusal->key : "");
    refusals_add(&broker->refusals, who, refusal->reason, broker->now_ms);
    log_warning("handshake_refused", "address=%s key=%s reason=%s", refusal->address, refusal->key,
                refusal->reason);
}

static void stop(void *context, int signal) {
    struct broker *broker = context;
    log_info("stopping", "signal=%d", signal);
    loop_stop(broker->loop);
}

static void timer(void *context) {
    broker_wakes(context);
    broker_input(context, (struct dispatch_input){.kind = INPUT_TICK});
}

/// Send what was gathered for workers. A worker that cannot be sent to gives its jobs to others,
/// for whom something is gathered then: until there is nothing left.
static void flush_workers(struct broker *broker) {
    while (broker->to_workers.count > 0) {
        struct connection *connection = broker->to_workers.items[--broker->to_workers.count];
        struct worker *worker = (struct worker *)(void *)connection;
        connection->waiting = false;
        bool reachable = connection->reachable;
        if (connection_flush(connection, broker->workers) && reachable) continue;
        broker_input(broker,
                     (struct dispatch_input){.kind = INPUT_UNREACHABLE,
                                             .worker = (uint32_t)(worker - broker->peers.workers)});
    }
}

static void flush_gateways(struct broker *broker) {
    while (broker->to_gateways.count > 0) {
        struct connection *connection = broker->to_gateways.items[--broker->to_gateways.count];
        connection->waiting = false;
        if (!connection_flush(connection, broker->gateways)) broker->answers_lost++;
    }
}

/// The end of a turn: everything that was produced in it for one peer goes in one frame.
static void turn(void *context) {
    struct broker *broker = context;
    broker_wakes(broker);
    keys_check(broker, broker->now_ms);
    flush_workers(broker);
    flush_gateways(broker);
    uint64_t at_ms = dispatch_deadline_ms(broker->dispatch);
    bool keys_first = !broker->settings->insecure && broker->keys_check_ms < at_ms;
    loop_timer_set(broker->loop, keys_first ? broker->keys_check_ms : at_ms);
}

// ---- life

static enum err bind_all(struct broker *broker, struct problem *problem) {
    const struct broker_settings *settings = broker->settings;
    const struct bus_settings bus = bus_settings_default();
    struct bus_security security = {.insecure = settings->insecure}, local = {0};
    struct bus_handlers handlers = {.context = broker, .refused = handshake_refused};
    enum err err = settings->insecure ? ERR_NONE : keys_start(broker, &security, problem);
    handlers.message = workers_door; // first: whoever sends batches finds somebody to do them
    if (!err)
        err = bus_bind(broker->bus, settings->workers_endpoint, &security, &bus, &handlers,
                       &broker->workers, problem);
    handlers.message = control_door;
    if (!err)
        err = bus_bind(broker->bus, settings->control_endpoint, &local, &bus, &handlers,
                       &broker->control, problem);
    handlers.message = gateways_door;
    if (!err)
        err = bus_bind(broker->bus, settings->gateways_endpoint, &security, &bus, &handlers,
                       &broker->gateways, problem);
    return err;
}

enum { WINDOW_LEAST = 8 }; // so much at a time waits for no turn

static bool dispatch_start(struct broker *broker) {
    const struct broker_settings *settings = broker->settings;
    const struct dispatch_limits limits = {
        .workers = (uint32_t)settings->workers_max,
        .batches = (uint32_t)settings->batches_max,
        .bytes = settings->bytes_max,
        .window = (uint32_t)settings->window,
        .window_least = WINDOW_LEAST,
        .queue_ms = (uint32_t)settings->queue_ms,
        .quantum = (uint32_t)settings->quantum,
        .worker_silence_ms = settings->worker_silence_ms,
        .job_ms = settings->job_ms,
        .settle_probe_ms = settings->settle_probe_ms,
        .death_apart_ms = settings->death_apart_ms,
        .deaths = (uint32_t)settings->deaths,
        .first_assignment = random_below(UINT64_C(1) << 32),
    };
    uint32_t count = broker->peers.gateway_count;
    uint32_t *branch_of = calloc(count ? count : 1, sizeof *branch_of);
    if (!branch_of) return false;
    for (uint32_t i = 0; i < count; i++)
        branch_of[i] = broker->peers.gateways[i].branch_number;
    broker->dispatch = dispatch_new(&limits, (uint32_t)broker->branches->count, branch_of, count,
                                    broker->start_ms);
    free(branch_of);
    return broker->dispatch && !bodies_init(&broker->bodies, dispatch_slots(broker->dispatch));
}

enum err broker_new(struct loop *loop, const struct broker_settings *settings,
                    const struct branches *branches, struct broker **broker_out,
                    struct problem *problem) {
    struct broker *broker = calloc(1, sizeof *broker);
    if (!broker) return problem_set(problem, ERR_NOMEM, "out of memory");
    broker->settings = settings;
    broker->branches = branches;
    broker->loop = loop;
    broker_wakes(broker);
    broker->start_ms = broker->now_ms;
    enum err err;
    if (settings->window > settings->batches_max)
        err = problem_set(problem, ERR_RANGE, "window must not be above batches_max");
    else if (peers_init(&broker->peers, branches, (uint32_t)settings->workers_max) ||
             outbox_init(&broker->to_gateways, broker->peers.gateway_count) ||
             outbox_init(&broker->to_workers, settings->workers_max) || !dispatch_start(broker))
        err = problem_set(problem, ERR_NOMEM,
                          "out of memory: lower batches_max, or give the broker more");
    else if ((err = bus_new(loop, &broker->bus)))
        problem_set(problem, err, "ZeroMQ does not start: %s", err_name(err));
    else
        err = bind_all(broker, problem);
    if (err) {
        broker_free(broker);
        return err;
    }
    const struct loop_handlers handlers = {
        .context = broker, .stop = stop, .timer = timer, .turn = turn};
    loop_handle(loop, &handlers);
    *broker_out = broker;
    return ERR_NONE;
}

void broker_free(struct broker *broker) {
    if (!broker) return;
    bus_free(broker->bus);
    dispatch_free(broker->dispatch);
    bodies_fini(&broker->bodies);
    peers_fini(&broker->peers);
    outbox_fini(&broker->to_gateways);
    outbox_fini(&broker->to_workers);
    free(broker);
}

const char *broker_gateways_endpoint(const struct broker *broker) {
    return bus_socket_endpoint(broker->gateways);
}

const char *broker_workers_endpoint(const struct broker *broker) {
    return bus_socket_endpoint(broker->workers);
}
