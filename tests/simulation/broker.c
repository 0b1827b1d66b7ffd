// A broker: dispatch as it is, between doors that follow broker/shell.

#include "broker/core/dispatch.h"
#include "tests/simulation/simulation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FORMERS = 8 };

static const struct dispatch_limits dispatch_limits_of = {.workers = WORKERS, .deaths = 3};

// Connections: the newest process that speaks for a name is believed -----------------------------

static bool heard(const struct simulation *s, struct connection *connection, uint32_t peer,
                  bool *news) {
    uint64_t now_ms = s->now_ms;
    bool silent = now_ms - connection->heard_ms > 3 * s->world->pace->silence_ms;
    *news = false;
    if (connection->known && connection->peer == peer) {
        connection->heard_ms = now_ms;
        return true;
    }
    for (uint32_t i = 0; !silent && i < FORMERS && i < connection->changes; i++)
        if (connection->former[i] == peer) return false;
    if (connection->known) connection->former[connection->changes++ % FORMERS] = connection->peer;
    buffer_clear(&connection->out);
    connection->known = *news = true;
    connection->peer = peer;
    connection->heard_ms = now_ms;
    return true;
}

static void gather(struct connection *connection, const struct message *message) {
    if (!connection->known) return;
    enum err err = message_encode(message, &connection->out);
    assert(!err); // the little that one turn brings fits into a frame
}

// Actions ----------------------------------------------------------------------------------------

static void give_job(struct simulation *s, struct broker *broker,
                     const struct dispatch_action *action) {
    struct message job = {.type = MESSAGE_JOB,
                          .job = action->job,
                          .what = action->what,
                          .branch = s->world->branches[action->branch].id};
    if (action->what != JOB_SETTLE) {
        struct slot *slot = &broker->slots[action->slot];
        bool again = slot->given;
        slot->given = true;
        if (again && s->plant == PLANT_FORGET_REQUEUE && action->what == JOB_BATCH) return;
        size_t branch = action->branch, place = s->world->gateways[action->gateway].place;
        job.gateway = s->world->branches[branch].gateways[place].id;
        job.session = action->session;
        job.position = slot->message.position;
        job.lost = slot->message.lost;
        job.spool = slot->message.spool;
        job.has_spool = slot->message.has_spool;
        job.body = slot->message.body;
    }
    if (action->what == JOB_SETTLE)
        trace(s, "broker: settle job %llu of branch %u to worker %u",
              (unsigned long long)action->job, action->branch, action->worker);
    else
        trace(s, "broker: %s job %llu of branch %u gateway %u number %llu to worker %u",
              job_kind_name(action->what), (unsigned long long)action->job, action->branch,
              action->gateway, (unsigned long long)job.position.number, action->worker);
    struct dispatch_worker_view view = dispatch_worker(broker->dispatch, action->worker);
    if (view.assigned > view.credit)
        wrong(s, "worker %u got %u jobs although its credit is %u", action->worker, view.assigned,
              view.credit);
    gather(&broker->workers[action->worker], &job);
}

static void answer(struct simulation *s, struct broker *broker,
                   const struct dispatch_action *action) {
    struct message message = *broker->done;
    struct position *last = &broker->last_position[action->gateway];
    bool tells = message.position.epoch > 0 ||
                 (message.status != ANSWER_LATER && message.status != ANSWER_REFUSED);
    if (!tells)
        message.position = *last;
    else
        *last = message.position;
    message.type = MESSAGE_ANSWER;
    message.session = action->session;
    message.window = action->window;
    message.jobs = (struct bytes){0};
    message.job_count = 0;
    trace(s, "broker: answer %s %llu:%llu to gateway %u session %llu",
          answer_status_name(message.status), (unsigned long long)message.position.epoch,
          (unsigned long long)message.position.number, action->gateway,
          (unsigned long long)action->session);
    gather(&broker->gateways[action->gateway], &message);
}

static void tell_window(struct simulation *s, struct broker *broker,
                        const struct dispatch_action *action) {
    const struct message message = {.type = MESSAGE_ANSWER,
                                    .session = action->session,
                                    .position = broker->last_position[action->gateway],
                                    .status = ANSWER_APPLIED,
                                    .window = action->window};
    trace(s, "broker: turn of gateway %u session %llu", action->gateway,
          (unsigned long long)action->session);
    gather(&broker->gateways[action->gateway], &message);
}

static void answer_later(const struct simulation *s, struct broker *broker,
                         const struct dispatch_action *action) {
    const struct message message = {.type = MESSAGE_ANSWER,
                                    .session = action->session,
                                    .position = broker->last_position[action->gateway],
                                    .status = ANSWER_LATER,
                                    .wait_ms = s->world->pace->later_ms};
    gather(&broker->gateways[action->gateway], &message);
}

static void worker_lost(struct simulation *s, const struct dispatch_action *action) {
    trace(s, "broker: worker %u lost, %s, %u jobs", action->worker,
          dispatch_reason_name(action->reason), action->jobs);
    // A job that comes twice, or credit that comes late, may make a worker drop another job that it
    // has no room for.
    bool explained = s->faults[FAULT_LOSS] || s->faults[FAULT_PARTITION] || s->faults[FAULT_CUT] ||
                     s->faults[FAULT_DUPLICATE] || s->faults[FAULT_REORDER] ||
                     s->faults[FAULT_PUT_BACK] || s->faults[FAULT_FREEZE] ||
                     s->now_ms < s->redis.trouble_ms + s->world->pace->job_ms;
    if (action->reason == REASON_OVERDUE && !explained)
        wrong(s, "worker %u is said to have lost a job, but nothing was lost on the way",
              action->worker);
}

static void slot_free(struct broker *broker, uint32_t slot) {
    assert(broker->slots[slot].taken);
    free(broker->slots[slot].body);
    broker->slots[slot] = (struct slot){0};
}

static void input(struct simulation *s, struct broker *broker, struct dispatch_input in) {
    struct dispatch_actions actions;
    in.now_ms = s->now_ms;
    dispatch_step(broker->dispatch, &in, &actions);
    for (size_t i = 0; i < actions.count; i++) {
        const struct dispatch_action *action = &actions.items[i];
        switch (action->kind) {
        case ACTION_JOB:
            give_job(s, broker, action);
            break;
        case ACTION_ANSWER:
            answer(s, broker, action);
            break;
        case ACTION_WINDOW:
            tell_window(s, broker, action);
            break;
        case ACTION_LATER:
            answer_later(s, broker, action);
            break;
        case ACTION_FREE:
            slot_free(broker, action->slot);
            break;
        case ACTION_DRAIN:
            gather(&broker->workers[action->worker],
                   &(struct message){.type = MESSAGE_DRAIN, .worker = {"worker"}});
            break;
        case ACTION_RESERVE:
            trace(s, "broker: wants worker %u alone", action->worker);
            gather(&broker->workers[action->worker],
                   &(struct message){.type = MESSAGE_RESERVE, .worker = {"worker"}});
            break;
        case ACTION_WORKER_LOST:
            worker_lost(s, action);
            break;
        case ACTION_DEAD_LETTER:
            trace(s, "broker: dead letter of gateway %u", action->gateway);
            break;
        }
    }
}

// What comes in ----------------------------------------------------------------------------------

/// What the broker keeps is what its slots hold, whatever it has counted.
static void check_bounds(struct simulation *s, const struct broker *broker, uint32_t gateway) {
    struct dispatch_gateway_view view = dispatch_gateway(broker->dispatch, gateway);
    if (view.queued > s->window || view.queued + view.assigned > 2 * s->window)
        wrong(s, "the broker holds %u + %u batches of gateway %u: over its window", view.queued,
              view.assigned, gateway);
    size_t batches = 0, bytes = 0;
    for (uint32_t i = 0; i < dispatch_slots(broker->dispatch); i++) {
        const struct slot *slot = &broker->slots[i];
        if (!slot->taken || slot->message.type != MESSAGE_BATCH) continue;
        batches++;
        bytes += slot->message.body.size;
    }
    if (batches > s->broker_batches || bytes > s->broker_bytes)
        wrong(s, "the broker holds %zu batches of %zu bytes: over its bounds %u and %u", batches,
              bytes, s->broker_batches, s->broker_bytes);
}

static void ask_or_batch(struct simulation *s, struct broker *broker, uint32_t gateway,
                         const struct message *message) {
    uint32_t slot = 0, slots = dispatch_slots(broker->dispatch);
    while (slot < slots && broker->slots[slot].taken)
        slot++;
    assert(slot < slots); // one is always left for the next message
    uint8_t *body = malloc(message->body.size ? message->body.size : 1);
    assert(body);
    if (message->body.size) memcpy(body, message->body.data, message->body.size);
    broker->slots[slot] = (struct slot){.taken = true, .message = *message, .body = body};
    broker->slots[slot].message.body.data = body;
    struct dispatch_input in = dispatch_heard(message);
    in.gateway = gateway;
    in.slot = slot;
    if (s->plant == PLANT_NO_SIZE) in.bytes = 0;
    input(s, broker, in);
    if (in.kind == INPUT_BATCH) check_bounds(s, broker, gateway);
}

static void refuse(struct simulation *s, uint32_t peer, const char *why) {
    const struct message refused = {.type = MESSAGE_REFUSED, .reason = bytes_of_text(why)};
    buffer_clear(&s->argument);
    enum err err = message_encode(&refused, &s->argument);
    assert(!err);
    (void)network_send(s, network_peer(s, peer), false, buffer_bytes(&s->argument));
}

static void from_gateway(struct simulation *s, struct broker *broker, uint32_t gateway,
                         uint32_t peer, const struct message *message) {
    bool news;
    if (!heard(s, &broker->gateways[gateway], peer, &news)) {
        refuse(s, peer, "another process speaks for it");
        return;
    }
    if (news) input(s, broker, (struct dispatch_input){.kind = INPUT_GATEWAY, .gateway = gateway});
    ask_or_batch(s, broker, gateway, message);
}

static void from_worker(struct simulation *s, struct broker *broker, uint32_t worker, uint32_t peer,
                        const struct message *message) {
    struct connection *connection = &broker->workers[worker];
    struct dispatch_input in = dispatch_heard(message);
    in.worker = worker;
    if (message->type == MESSAGE_READY) {
        if (heard(s, connection, peer, &in.fresh)) input(s, broker, in);
        return;
    }
    if (!connection->known || connection->peer != peer) return;
    broker->done = message;
    input(s, broker, in);
    broker->done = NULL;
}

void broker_frame(struct simulation *s, size_t number, const struct link *link, uint32_t peer,
                  struct bytes frame) {
    struct broker *broker = &s->brokers[number];
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    enum err err;
    while ((err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (err) {
            not_understood(s, "broker", number, problem.text);
            refuse(s, peer, problem.text);
        } else if (link->end == END_GATEWAY)
            from_gateway(s, broker, s->gateways[link->client].identity, peer, &message);
        else
            from_worker(s, broker, link->client, peer, &message);
    }
}

// Its life ---------------------------------------------------------------------------------------

void broker_start(struct simulation *s, size_t number) {
    struct broker *broker = &s->brokers[number];
    uint32_t branch_of[GATEWAYS];
    for (size_t i = 0; i < s->world->gateway_count; i++)
        branch_of[i] = (uint32_t)s->world->gateways[i].branch;
    struct dispatch_limits limits = dispatch_limits_of;
    limits.worker_silence_ms = s->world->pace->silence_ms;
    limits.job_ms = s->world->pace->job_ms;
    limits.settle_probe_ms = s->world->pace->probe_ms;
    limits.death_apart_ms = s->world->pace->death_apart_ms;
    limits.window = s->window;
    limits.queue_ms = s->queue_ms;
    limits.batches = s->broker_batches;
    limits.bytes = s->broker_bytes;
    limits.quantum = s->quantum;
    limits.first_assignment = chance_u64(&s->chance) >> 32;
    uint32_t life = broker->process.life;
    *broker = (struct broker){.process = {.alive = true, .life = life + 1}};
    broker->dispatch = dispatch_new(&limits, (uint32_t)s->world->branch_count, branch_of,
                                    (uint32_t)s->world->gateway_count, s->now_ms);
    assert(broker->dispatch);
    broker->slots = calloc(dispatch_slots(broker->dispatch), sizeof *broker->slots);
    assert(broker->slots);
    for (size_t i = 0; i < GATEWAYS; i++)
        buffer_init(&broker->gateways[i].out, FRAME_MAX);
    for (size_t i = 0; i < WORKERS; i++)
        buffer_init(&broker->workers[i].out, FRAME_MAX);
    network_changed(s);
}

void broker_kill(struct simulation *s, size_t number) {
    struct broker *broker = &s->brokers[number];
    if (!broker->process.alive) return;
    broker->process.alive = false;
    for (uint32_t i = 0; i < dispatch_slots(broker->dispatch); i++)
        free(broker->slots[i].body);
    free(broker->slots);
    dispatch_free(broker->dispatch);
    for (size_t i = 0; i < GATEWAYS; i++)
        buffer_fini(&broker->gateways[i].out);
    for (size_t i = 0; i < WORKERS; i++)
        buffer_fini(&broker->workers[i].out);
    network_changed(s);
}

uint64_t broker_deadline_ms(const struct simulation *s, size_t number) {
    return dispatch_deadline_ms(s->brokers[number].dispatch);
}

/// Send what was gathered. A worker that cannot be sent to gives its jobs to others, for whom
/// something is gathered then: until there is nothing left.
static void flush_workers(struct simulation *s, struct broker *broker) {
    for (size_t i = 0; i < WORKERS; i++) {
        struct connection *connection = &broker->workers[i];
        if (connection->out.size == 0) continue;
        bool sent = network_send(s, network_peer(s, connection->peer), false,
                                 buffer_bytes(&connection->out));
        buffer_clear(&connection->out);
        if (sent) continue;
        input(s, broker, (struct dispatch_input){.kind = INPUT_UNREACHABLE, .worker = (uint32_t)i});
        i = (size_t)-1;
    }
}

void broker_turn(struct simulation *s, size_t number) {
    struct broker *broker = &s->brokers[number];
    if (s->now_ms >= dispatch_deadline_ms(broker->dispatch))
        input(s, broker, (struct dispatch_input){.kind = INPUT_TICK});
    flush_workers(s, broker);
    for (size_t i = 0; i < GATEWAYS; i++) {
        struct connection *connection = &broker->gateways[i];
        if (connection->out.size == 0) continue;
        (void)network_send(s, network_peer(s, connection->peer), false,
                           buffer_bytes(&connection->out));
        buffer_clear(&connection->out);
    }
}

bool broker_idle(const struct simulation *s, size_t number) {
    const struct broker *broker = &s->brokers[number];
    return !broker->process.alive || dispatch_oldest_ms(broker->dispatch) == UINT64_MAX;
}

void broker_drain(struct simulation *s, size_t number, size_t worker) {
    input(s, &s->brokers[number],
          (struct dispatch_input){.kind = INPUT_DRAIN, .worker = (uint32_t)worker});
}
