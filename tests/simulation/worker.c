// A worker: the pipeline as it is, between brokers and a store; it follows worker/shell and
// worker/store/store.c.

#include "tests/simulation/simulation.h"
#include "worker/core/pipeline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RECONNECT_MS = 300, RESTART_MS = 600 };

static size_t number_of(const struct simulation *s, const struct worker *worker) {
    return (size_t)(worker - s->workers);
}

static struct link *link_to(struct simulation *s, const struct worker *worker, size_t broker) {
    return network_link(s, END_WORKER, number_of(s, worker), broker);
}

// To the brokers ---------------------------------------------------------------------------------

static void gather(struct worker *worker, size_t broker, const struct message *message) {
    enum err err = message_encode(message, &worker->out[broker]);
    assert(!err);
}

static void flush(struct simulation *s, struct worker *worker) {
    for (size_t i = 0; i < s->broker_count; i++) {
        if (worker->out[i].size == 0) continue;
        (void)network_send(s, link_to(s, worker, i), true, buffer_bytes(&worker->out[i]));
        buffer_clear(&worker->out[i]);
    }
}

static struct id name_of(const struct simulation *s, const struct worker *worker) {
    struct id name = {"worker-0"};
    name.text[7] = (char)('0' + number_of(s, worker));
    return name;
}

static void send_ready(struct simulation *s, struct worker *worker) {
    uint32_t brokers = (uint32_t)s->broker_count;
    struct message ready = {.type = MESSAGE_READY,
                            .worker = name_of(s, worker),
                            .brokers = s->plant == PLANT_NOT_RESERVED ? 0 : brokers};
    for (uint32_t i = 0; i < brokers; i++) {
        ready.credit = pipeline_credit(worker->pipeline, i) / brokers;
        ready.held = worker->held[i];
        ready.reserved = pipeline_reserved(worker->pipeline, i);
        gather(worker, i, &ready);
    }
    worker->heartbeat_at_ms = s->now_ms + s->world->pace->heartbeat_ms;
}

// Frames -----------------------------------------------------------------------------------------

static void frame_let_go(struct worker *worker, struct frame *frame) {
    if (--frame->holders > 0) return;
    if (frame->before)
        frame->before->next = frame->next;
    else
        worker->frames = frame->next;
    if (frame->next) frame->next->before = frame->before;
    free(frame);
}

static struct frame *frame_keep(struct worker *worker, size_t broker, struct bytes bytes) {
    struct frame *frame = malloc(sizeof *frame + bytes.size);
    assert(frame);
    *frame = (struct frame){.next = worker->frames, .broker = (uint8_t)broker, .holders = 1};
    memcpy(frame->bytes, bytes.data, bytes.size);
    if (worker->frames) worker->frames->before = frame;
    worker->frames = frame;
    return frame;
}

// Calls of the store -----------------------------------------------------------------------------

static void input(struct simulation *s, struct worker *worker, struct pipeline_input in) {
    in.now_ms = s->now_ms;
    in.utc_ms = redis_utc_ms(s); // as store_clock.c has it
    if (s->plant == PLANT_OWN_CLOCK) in.utc_ms += HOUR_MS;
    pipeline_input(worker->pipeline, &in);
}

static void call_answered(struct simulation *s, struct worker *worker, size_t branch,
                          enum pipeline_call kind, enum call_class class, struct bytes reply) {
    input(s, worker,
          (struct pipeline_input){.kind = PIPELINE_REPLY,
                                  .branch = (uint32_t)branch,
                                  .call = kind,
                                  .class = class,
                                  .reply = reply,
                                  .reason = class == CALL_OK ? "" : "simulated"});
}

/// What an eager worker would believe: everything was applied.
static void answer_at_once(struct simulation *s, struct worker *worker,
                           const struct pipeline_action *action) {
    struct buffer reply;
    buffer_init(&reply, 4096);
    buffer_put_u8(&reply, STORE_OK);
    buffer_put_u64(&reply, UINT64_MAX);
    for (size_t i = 0; i < 3; i++)
        buffer_put_u32(&reply, 0);
    buffer_put_u8(&reply, (uint8_t)action->fold.gateway_count);
    for (size_t i = 0; i < action->fold.gateway_count; i++) {
        const struct fold_gateway *part = &action->fold.gateways[i];
        buffer_put_u8(&reply, part->gateway);
        buffer_put_u8(&reply, 0);
        buffer_put_u64(&reply, part->epoch);
        buffer_put_u64(&reply, part->last);
        buffer_put(&reply, part->tag.bytes, sizeof part->tag.bytes);
    }
    call_answered(s, worker, action->branch, CALL_INGEST, CALL_OK, buffer_bytes(&reply));
    buffer_fini(&reply);
}

static void forget_future(struct fold *fold) {
    static struct fold_gateway gateways[WORLD_GATEWAYS];
    for (size_t i = 0; i < fold->gateway_count; i++) {
        gateways[i] = fold->gateways[i];
        gateways[i].left_out[FOLD_FUTURE] = 0;
    }
    fold->gateways = gateways;
}

static void start_call(struct simulation *s, struct worker *worker, struct pipeline_action *action,
                       enum pipeline_call kind) {
    struct store_call *call = calloc(1, sizeof *call);
    assert(call);
    *call = (struct store_call){.worker = (uint32_t)number_of(s, worker),
                                .life = worker->process.life,
                                .connection = worker->redis_connection,
                                .branch = action->branch,
                                .kind = kind,
                                .sent_ms = s->now_ms};
    buffer_init(&call->argument, 1 << 22);
    switch (kind) {
    case CALL_INGEST:
        call->goal = MODEL_INGEST;
        if (s->plant == PLANT_SILENT_GAP) action->fold.gap_count = 0;
        if (s->plant == PLANT_SILENT_FUTURE) forget_future(&action->fold);
        call_ingest(&action->fold, &call->argument);
        break;
    case CALL_ASK:
        call->goal = MODEL_ASK;
        call_ask(&action->ask, &call->argument);
        break;
    case CALL_TAKE:
        call->goal = MODEL_TAKE;
        call_take(&action->take, &call->argument);
        break;
    case CALL_GIVE_BACK:
        call->goal = MODEL_GIVE_BACK;
        call_give_back(&action->give_back, &call->argument);
        break;
    case CALL_SETTLE:
        call->goal = MODEL_SETTLE;
        call_settle(&action->settle, &call->argument);
        break;
    }
    assert(!call->argument.failed);
    if (!worker->redis_up) {
        call_free(call);
        call_answered(s, worker, action->branch, kind, CALL_RETRY, (struct bytes){0});
        return;
    }
    call->next = worker->calls;
    worker->calls = call;
    redis_call(s, call);
    if (kind == CALL_INGEST && s->plant == PLANT_ACK_BEFORE_REPLY) {
        call->abandoned = true;
        answer_at_once(s, worker, action);
    }
}

static void call_forget(struct worker *worker, struct store_call *call) {
    for (struct store_call **at = &worker->calls; *at; at = &(*at)->next)
        if (*at == call) {
            *at = call->next;
            return;
        }
}

// Actions ----------------------------------------------------------------------------------------

static void release(struct worker *worker, const struct pipeline_action *action) {
    for (size_t i = 0; i < action->frame_count; i++) {
        struct frame *frame = action->frames[i];
        worker->held[frame->broker]--;
        frame_let_go(worker, frame);
    }
}

static void say_goodbye(struct simulation *s, struct worker *worker) {
    for (size_t i = 0; i < s->broker_count; i++)
        gather(worker, i, &(struct message){.type = MESSAGE_GOODBYE, .worker = name_of(s, worker)});
    worker->goodbye = true;
}

static void die(struct simulation *s, size_t number) {
    worker_kill(s, number);
    event_push(s, (struct event){.at_ms = s->now_ms + RESTART_MS,
                                 .kind = EVENT_START_WORKER,
                                 .subject = (uint32_t)number});
}

static void die_of_encounter(struct simulation *s, struct worker *worker,
                             const struct pipeline_action *action) {
    trace(s, "worker %zu dies of encounter %s", number_of(s, worker),
          action->settle.encounter.text);
    s->faults[FAULT_DEADLY]++;
    leases_killed(s, action->branch, &action->settle);
    die(s, number_of(s, worker));
}

static void carry_out(struct simulation *s, struct worker *worker, struct pipeline_action *action) {
    switch (action->kind) {
    case ACTION_INGEST:
        start_call(s, worker, action, CALL_INGEST);
        break;
    case ACTION_ASK:
        start_call(s, worker, action, CALL_ASK);
        break;
    case ACTION_TAKE:
        start_call(s, worker, action, CALL_TAKE);
        break;
    case ACTION_GIVE_BACK:
        start_call(s, worker, action, CALL_GIVE_BACK);
        break;
    case ACTION_SETTLE: // it has just been judged; nothing came between
        if (leases_kills(s, action->branch, &action->settle))
            die_of_encounter(s, worker, action);
        else
            start_call(s, worker, action, CALL_SETTLE);
        break;
    case ACTION_DONE:
        gather(worker, action->broker, &action->done);
        release(worker, action);
        break;
    case ACTION_RELEASE:
        release(worker, action);
        break;
    case ACTION_READY:
        send_ready(s, worker);
        break;
    case ACTION_NOTICE:
        trace(s, "worker %zu: %s", number_of(s, worker), action->notice);
        break;
    case ACTION_GOODBYE:
        say_goodbye(s, worker);
        break;
    }
}

static void carry_out_all(struct simulation *s, struct worker *worker) {
    struct pipeline_action action;
    while (worker->process.alive && !worker->goodbye && pipeline_next(worker->pipeline, &action))
        carry_out(s, worker, &action);
}

// Inputs -----------------------------------------------------------------------------------------

void worker_reply(struct simulation *s, struct store_call *call, struct bytes reply,
                  enum call_class class) {
    struct worker *worker = &s->workers[call->worker];
    call_forget(worker, call);
    if (!call->abandoned) call_answered(s, worker, call->branch, call->kind, class, reply);
    carry_out_all(s, worker); // the reply lives no longer than this
}

static bool kills(const struct message *job) {
    return job->what == JOB_BATCH &&
           memmem(job->body.data, job->body.size, WORLD_POISON, strlen(WORLD_POISON));
}

static void die_of_batch(struct simulation *s, size_t number) {
    trace(s, "worker %zu dies of a batch", number);
    s->faults[FAULT_POISON]++;
    die(s, number);
}

void worker_frame(struct simulation *s, size_t number, size_t broker, struct bytes bytes) {
    struct worker *worker = &s->workers[number];
    struct frame *frame = frame_keep(worker, broker, bytes);
    struct reader reader = reader_of((struct bytes){frame->bytes, bytes.size});
    struct message message;
    struct problem problem;
    enum err err;
    bool killed = false;
    while (!killed && (err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (err) {
            not_understood(s, "worker", number, problem.text);
        } else if (message.type == MESSAGE_DRAIN) {
            worker_drain(s, number);
        } else if (message.type == MESSAGE_RESERVE) {
            input(s, worker,
                  (struct pipeline_input){.kind = PIPELINE_RESERVE, .broker = (uint32_t)broker});
        } else if (message.type == MESSAGE_JOB) {
            if (pipeline_held(worker->pipeline) >= s->jobs_max) {
                // Credit is absolute: an older word of it that comes later, or was under way when
                // the worker froze, may promise too much. The worker's own limit holds even then:
                // its broker is told, and its gateway brings it again.
                if (!s->faults[FAULT_DUPLICATE] && !s->faults[FAULT_REORDER] &&
                    !s->faults[FAULT_FREEZE] && !s->faults[FAULT_PUT_BACK])
                    wrong(s, "worker %zu is given more jobs than it has credit for", number);
                uint8_t id[8];
                message = pipeline_turn_away(&message, id);
                gather(worker, broker, &message);
                continue;
            }
            frame->holders++;
            worker->held[broker]++;
            uint32_t waiting = pipeline_waiting(worker->pipeline);
            input(s, worker,
                  (struct pipeline_input){.kind = PIPELINE_JOB,
                                          .broker = (uint32_t)broker,
                                          .message = &message,
                                          .frame = frame});
            bool killer = s->faulty && kills(&message);
            bool waits = pipeline_waiting(worker->pipeline) > waiting;
            killed = killer && !waits; // else nobody has looked into it yet
            if (killer && waits) worker->killer = true;
        }
    }
    frame_let_go(worker, frame);
    if (killed) die_of_batch(s, number);
}

void worker_connected(struct simulation *s, size_t number, size_t broker, bool up) {
    (void)broker;
    if (up) send_ready(s, &s->workers[number]);
}

void worker_drain(struct simulation *s, size_t number) {
    struct worker *worker = &s->workers[number];
    if (worker->draining) return;
    trace(s, "worker %zu is to stop", number);
    worker->draining = true;
    input(s, worker, (struct pipeline_input){.kind = PIPELINE_DRAIN});
    send_ready(s, worker);
}

// Its connection to Redis ------------------------------------------------------------------------

void worker_redis_lost(struct simulation *s, size_t number) {
    struct worker *worker = &s->workers[number];
    if (!worker->process.alive || !worker->redis_up) return;
    trace(s, "worker %zu loses its store", number);
    worker->redis_up = false;
    worker->redis_connection++;
    worker->redis_retry_ms = s->now_ms + RECONNECT_MS;
    while (worker->calls) { // not known to be done
        struct store_call *call = worker->calls;
        worker->calls = call->next;
        bool told = call->abandoned;
        call->abandoned = true;
        if (!told)
            call_answered(s, worker, call->branch, call->kind, CALL_RETRY, (struct bytes){0});
    }
    input(s, worker, (struct pipeline_input){.kind = PIPELINE_STORE_DOWN});
    send_ready(s, worker);
}

static void redis_look(struct simulation *s, struct worker *worker) {
    if (worker->redis_up) {
        for (const struct store_call *call = worker->calls; call; call = call->next)
            if (s->now_ms >= call->sent_ms + s->world->pace->command_ms) {
                worker_redis_lost(s, number_of(s, worker));
                return;
            }
    } else if (s->now_ms >= worker->redis_retry_ms) {
        worker->redis_retry_ms = s->now_ms + RECONNECT_MS;
        if (s->redis.away || s->redis.slow_until_ms > s->now_ms) return;
        worker->redis_up = true;
        input(s, worker, (struct pipeline_input){.kind = PIPELINE_STORE_UP});
        send_ready(s, worker);
    }
}

// Its life ---------------------------------------------------------------------------------------

static int by_id(const void *a, const void *b) {
    const struct pipeline_branch *left = a, *right = b;
    return strcmp(left->branch->id.text, right->branch->id.text);
}

void worker_start(struct simulation *s, size_t number) {
    struct worker *worker = &s->workers[number];
    if (worker->process.alive) return;
    struct pipeline_limits limits = pipeline_limits_default();
    limits.jobs_max = s->jobs_max;
    limits.fold_jobs_max = 1 + chance_below(&s->chance, 6);
    limits.take_max = 1 + chance_below(&s->chance, 4);
    limits.retry_most_ms = s->world->pace->retry_most_ms;
    limits.refuse_ms = s->world->pace->refuse_ms;
    limits.drain_ms = 3000;
    limits.reserve_ms = 2 * s->world->pace->heartbeat_ms;
    limits.evidence_max = 1 << 12;
    limits.ingest = (struct ingest_limits){.observations = 4096,
                                           .decisions = BATCH_FACTS_MAX,
                                           .chunks = 4096,
                                           .labels = 4096,
                                           .facts = 512,
                                           .dead = 2,
                                           .bytes = 1 << 20};
    uint32_t life = worker->process.life, connection = worker->redis_connection;
    *worker = (struct worker){.process = {.alive = true, .life = life + 1},
                              .redis_connection = connection + 1};
    for (size_t i = 0; i < s->world->branch_count; i++)
        worker->branches[i] = (struct pipeline_branch){
            .branch = &s->world->branches[i],
            .plan = world_plan(s->world),
            .configuration = store_configuration(&s->world->branches[i], &s->world->policy)};
    qsort(worker->branches, s->world->branch_count, sizeof *worker->branches, by_id);
    worker->pipeline = pipeline_new(&limits, worker->branches, s->world->branch_count,
                                    world_measures(), chance_u64(&s->chance));
    assert(worker->pipeline);
    for (size_t i = 0; i < BROKERS; i++)
        buffer_init(&worker->out[i], FRAME_MAX);
    worker->heartbeat_at_ms = s->now_ms + s->world->pace->heartbeat_ms;
    for (size_t i = 0; i < s->broker_count; i++)
        link_to(s, worker, i)->wanted = true;
    network_changed(s);
}

void worker_kill(struct simulation *s, size_t number) {
    struct worker *worker = &s->workers[number];
    if (!worker->process.alive) return;
    worker->process.alive = false;
    for (struct store_call *call = worker->calls; call; call = call->next)
        call->abandoned = true;
    worker->calls = NULL;
    pipeline_free(worker->pipeline);
    worker->pipeline = NULL;
    while (worker->frames) {
        struct frame *frame = worker->frames;
        worker->frames = frame->next;
        free(frame);
    }
    for (size_t i = 0; i < BROKERS; i++)
        buffer_fini(&worker->out[i]);
    for (size_t i = 0; i < s->broker_count; i++)
        link_to(s, worker, i)->wanted = false;
    network_changed(s);
}

uint64_t worker_deadline_ms(const struct simulation *s, size_t number) {
    const struct worker *worker = &s->workers[number];
    uint64_t at_ms = pipeline_deadline_ms(worker->pipeline);
    if (worker->heartbeat_at_ms < at_ms) at_ms = worker->heartbeat_at_ms;
    if (!worker->redis_up && worker->redis_retry_ms < at_ms) at_ms = worker->redis_retry_ms;
    for (const struct store_call *call = worker->calls; call; call = call->next)
        if (call->sent_ms + s->world->pace->command_ms < at_ms)
            at_ms = call->sent_ms + s->world->pace->command_ms;
    return at_ms;
}

void worker_turn(struct simulation *s, size_t number) {
    struct worker *worker = &s->workers[number];
    redis_look(s, worker);
    if (s->now_ms >= pipeline_deadline_ms(worker->pipeline))
        input(s, worker, (struct pipeline_input){.kind = PIPELINE_TICK});
    if (worker->killer && !worker->draining && pipeline_waiting(worker->pipeline) == 0) {
        die_of_batch(s, number);
        return;
    }
    carry_out_all(s, worker);
    if (!worker->process.alive) return;
    if (!worker->goodbye && s->now_ms >= worker->heartbeat_at_ms) send_ready(s, worker);
    flush(s, worker);
    if (!worker->goodbye) return;
    trace(s, "worker %zu has said goodbye", number);
    worker_kill(s, number);
    event_push(s, (struct event){.at_ms = s->now_ms + RESTART_MS,
                                 .kind = EVENT_START_WORKER,
                                 .subject = (uint32_t)number});
}
