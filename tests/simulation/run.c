// One run: a seed's world, its faults, and the loop that takes event after event.

#include "tests/simulation/simulation.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS_A_WORLD = 8, STEPS_MAX = 1000000, LOOK_AT_END_MS = 100, OPERATOR_MS = 1500 };

// Setting up -------------------------------------------------------------------------------------

static void set_up(struct simulation *s) {
    s->gateways = calloc(PROCESSES, sizeof *s->gateways);
    s->bodies = malloc(BODIES_SIZE);
    for (size_t i = 0; i < GATEWAYS; i++)
        s->truths[i] = malloc(TRUTHS * sizeof(struct truth));
    assert(s->gateways && s->bodies);
    buffer_init(&s->reply, 1 << 22);
    buffer_init(&s->argument, 1 << 20);
    // Who is tried alone at one broker is not alone for another that shares the worker: two brokers
    // and a batch that kills make dead letters of innocent ones. Until that is mended: one broker.
    bool several = s->faulty && !s->world->poisoned;
    s->broker_count = several ? chance_range(&s->chance, 1, BROKERS) : 1;
    s->commit_linger_ms = s->faulty ? chance_range(&s->chance, 100, 1500) : 300;
    bool small = s->faulty && chance_permille(&s->chance, 200);
    s->window = small ? chance_range(&s->chance, 1, 2) : chance_range(&s->chance, 3, 6);
    s->queue_ms = chance_permille(&s->chance, 500) ? chance_range(&s->chance, 1, 200) : 0;
    s->broker_batches = s->window + chance_below(&s->chance, small ? 4 : 32);
    s->quantum = small ? 1 : 512;
    s->jobs_max = (uint32_t)s->broker_count * chance_range(&s->chance, 1, small ? 2 : 8);
    s->worker_count = s->faulty ? chance_range(&s->chance, 1, WORKERS) : 1;
    s->process_count = s->world->gateway_count + 1; // one clone at most
    for (size_t i = 0; i < s->process_count; i++)
        network_add(s, END_GATEWAY, i, chance_below(&s->chance, (uint32_t)s->broker_count));
    for (size_t i = 0; i < s->worker_count; i++)
        for (size_t b = 0; b < s->broker_count; b++)
            network_add(s, END_WORKER, i, b);
    redis_start(s);
    for (size_t i = 0; i < s->world->branch_count; i++)
        oracle_store_changed(s, i);
    s->spool_rows_max = ROWS;
    s->last_fault_ms = WORLD_MS;
    if (s->faulty) faults_plan(s);
    for (size_t i = 0; i < s->broker_count; i++)
        broker_start(s, i);
    for (size_t i = 0; i < s->worker_count; i++)
        worker_start(s, i);
    for (size_t i = 0; i < s->world->gateway_count; i++) {
        s->gateways[i].identity = (uint8_t)i;
        spool_make(s, &s->gateways[i]);
        gateway_start(s, i);
    }
    network_look(s);
}

static void event_free(struct event *event) {
    free(event->data);
    if (event->call) call_free(event->call);
}

static void tear_down(struct simulation *s) {
    for (size_t i = 0; i < s->process_count; i++)
        gateway_kill(s, i);
    for (size_t i = 0; i < s->worker_count; i++)
        worker_kill(s, i);
    for (size_t i = 0; i < s->broker_count; i++)
        broker_kill(s, i);
    struct event event;
    while (event_pop(s, &event))
        event_free(&event);
    for (size_t i = 0; i < GATEWAYS; i++)
        free(s->truths[i]);
    free(s->events);
    free(s->gateways);
    free(s->bodies);
    free(s->redis.branches);
    free(s->redis.snapshots);
    buffer_fini(&s->reply);
    buffer_fini(&s->argument);
}

// Events -----------------------------------------------------------------------------------------

/// The process that an event is for; NULL: none.
static struct process *process_of(struct simulation *s, const struct event *event) {
    switch (event->kind) {
    case EVENT_FRAME_TO_BROKER:
        return &s->brokers[s->links[event->subject].broker].process;
    case EVENT_FRAME_TO_CLIENT:
    case EVENT_LINK_UP:
    case EVENT_LINK_DOWN:
        return s->links[event->subject].end == END_GATEWAY
                   ? &s->gateways[s->links[event->subject].client].process
                   : &s->workers[s->links[event->subject].client].process;
    case EVENT_REPLY:
        return &s->workers[event->call->worker].process;
    default:
        return NULL;
    }
}

static void to_client(struct simulation *s, const struct event *event) {
    struct link *link = &s->links[event->subject];
    struct bytes frame = {event->data, event->size};
    bool gateway = link->end == END_GATEWAY;
    if (event->kind == EVENT_FRAME_TO_CLIENT) {
        if (!link->up || link->peer != event->peer) return;
        if (gateway)
            gateway_frame(s, link->client, frame);
        else
            worker_frame(s, link->client, link->broker, frame);
        return;
    }
    bool up = event->kind == EVENT_LINK_UP;
    if (up ? !link->up || link->peer != event->peer : event->peer < link->told) return;
    link->told = event->peer;
    if (gateway)
        gateway_connected(s, link->client, up);
    else
        worker_connected(s, link->client, link->broker, up);
}

static void turn_of(struct simulation *s, const struct process *process) {
    for (size_t i = 0; i < s->process_count; i++)
        if (process == &s->gateways[i].process && process->alive) gateway_turn(s, i);
    for (size_t i = 0; i < s->broker_count; i++)
        if (process == &s->brokers[i].process && process->alive) broker_turn(s, i);
    for (size_t i = 0; i < s->worker_count; i++)
        if (process == &s->workers[i].process && process->alive) worker_turn(s, i);
}

static void start(struct simulation *s, const struct event *event) {
    size_t at = event->subject;
    if (event->kind == EVENT_START_GATEWAY && !s->gateways[at].process.alive) gateway_start(s, at);
    if (event->kind == EVENT_START_WORKER) worker_start(s, at);
    if (event->kind == EVENT_START_BROKER && !s->brokers[at].process.alive) broker_start(s, at);
    trace(s, "start of kind %d number %zu", (int)event->kind, at);
}

static void snapshot(struct simulation *s) {
    redis_snapshot(s);
    struct gateway *g = &s->gateways[chance_below(&s->chance, (uint32_t)s->world->gateway_count)];
    g->copy = g->spool;
    g->copy.disk = g->copy.synced = g->spool.disk;
    g->has_copy = true;
    if (s->now_ms < FAULTS_END_MS)
        event_push(s, (struct event){.at_ms = s->now_ms + chance_range(&s->chance, 500, 3000),
                                     .kind = EVENT_SNAPSHOT});
}

static void happen(struct simulation *s, struct event *event) {
    struct process *process = process_of(s, event);
    if (process && process->alive && process->frozen_until_ms > s->now_ms) {
        event->at_ms = process->frozen_until_ms;
        event_push(s, *event);
        return;
    }
    struct store_call *call = event->call;
    event->call = NULL; // whoever takes it lets go of it
    switch (event->kind) {
    case EVENT_FRAME_TO_BROKER:
        if (process->alive && process->life == event->life)
            broker_frame(s, s->links[event->subject].broker, &s->links[event->subject], event->peer,
                         (struct bytes){event->data, event->size});
        break;
    case EVENT_FRAME_TO_CLIENT:
    case EVENT_LINK_UP:
    case EVENT_LINK_DOWN:
        if (process->alive &&
            (event->kind == EVENT_FRAME_TO_CLIENT || process->life == event->life))
            to_client(s, event);
        break;
    case EVENT_CALL:
        redis_arrived(s, call);
        break;
    case EVENT_REPLY:
        redis_replied(s, call, (struct bytes){event->data, event->size}, event->subject);
        break;
    case EVENT_FAULT:
        if (event->subject == FAULT_COUNT)
            faults_end(s);
        else
            fault_happen(s, (enum fault)event->subject);
        break;
    case EVENT_START_GATEWAY:
    case EVENT_START_WORKER:
    case EVENT_START_BROKER:
        start(s, event);
        break;
    case EVENT_END_CLONE:
        gateway_kill(s, event->subject);
        break;
    case EVENT_NETWORK:
        network_look(s);
        break;
    case EVENT_SNAPSHOT:
        snapshot(s);
        break;
    }
    if (process) turn_of(s, process);
    event_free(event);
}

// The loop ---------------------------------------------------------------------------------------

static uint64_t wake_ms(const struct process *process, uint64_t deadline_ms) {
    return deadline_ms < process->frozen_until_ms ? process->frozen_until_ms : deadline_ms;
}

/// The process that must run next, and when.
static const struct process *next_timer(const struct simulation *s, uint64_t *at_ms) {
    const struct process *next = NULL;
    *at_ms = UINT64_MAX;
#define CONSIDER(item, deadline)                                                                   \
    do {                                                                                           \
        if (!(item).process.alive) break;                                                          \
        uint64_t wakes_ms = wake_ms(&(item).process, deadline);                                    \
        if (wakes_ms >= *at_ms) break;                                                             \
        *at_ms = wakes_ms;                                                                         \
        next = &(item).process;                                                                    \
    } while (0)
    for (size_t i = 0; i < s->process_count; i++)
        CONSIDER(s->gateways[i], gateway_deadline_ms(s, i));
    for (size_t i = 0; i < s->broker_count; i++)
        CONSIDER(s->brokers[i], broker_deadline_ms(s, i));
    for (size_t i = 0; i < s->worker_count; i++)
        CONSIDER(s->workers[i], worker_deadline_ms(s, i));
#undef CONSIDER
    return next;
}

/// Whoever looks after the branches: a gateway that has stopped is started with a new spool.
static void operate(struct simulation *s) {
    for (size_t i = 0; i < s->process_count; i++) {
        struct gateway *g = &s->gateways[i];
        if (!g->process.alive || !g->stopped) continue;
        gateway_kill(s, i);
        if (g->clone) continue;
        g->renew = true;
        event_push(s, (struct event){.at_ms = s->now_ms + OPERATOR_MS,
                                     .kind = EVENT_START_GATEWAY,
                                     .subject = (uint32_t)i});
    }
}

static void step(struct simulation *s) {
    uint64_t timer_ms, event_ms = event_next_ms(s);
    const struct process *process = next_timer(s, &timer_ms);
    uint64_t at_ms = timer_ms < event_ms ? timer_ms : event_ms;
    if (at_ms > s->now_ms) s->now_ms = at_ms;
    if (s->redis.away && s->now_ms >= s->redis.away_until_ms) s->redis.away = false;
    uint64_t what = timer_ms;
    if (timer_ms < event_ms) {
        turn_of(s, process);
    } else {
        struct event event;
        (void)event_pop(s, &event);
        what = (uint64_t)event.kind << 32 | event.subject;
        happen(s, &event);
    }
    s->hash = (s->hash ^ s->now_ms ^ what << 20) * UINT64_C(0x100000001b3);
    operate(s);
    if (++s->steps > STEPS_MAX) wrong(s, "does not come to rest");
}

static void go(struct simulation *s) {
    char why[256] = "";
    for (uint64_t look_ms = s->last_fault_ms; !s->failure[0]; step(s)) {
        if (s->now_ms < look_ms) continue;
        look_ms = s->now_ms + LOOK_AT_END_MS;
        if (oracle_drained(s, why, sizeof why)) {
            oracle_end(s);
            return;
        }
        if (s->now_ms > s->last_fault_ms + DRAIN_MS) wrong(s, "not drained: %s", why);
    }
}

struct finding simulate_run(const struct run *run) {
    struct simulation *s = calloc(1, sizeof *s);
    assert(s);
    s->seed = run->seed;
    s->world = run->world;
    s->expected = run->expected;
    s->become = run->become;
    s->faulty = run->expected != NULL;
    s->shadow = run->shadow;
    s->plant = run->plant;
    s->trace = run->trace;
    s->chance = chance_of(run->seed, 2);
    s->now_ms = 1;
    set_up(s);
    go(s);
    struct finding outcome = {.clean = !s->failure[0],
                              .simulated_ms = s->now_ms,
                              .steps = s->steps,
                              .hash = s->hash,
                              .most_bytes = s->most_bytes};
    memcpy(outcome.failure, s->failure, sizeof outcome.failure);
    memcpy(outcome.faults, s->faults, sizeof outcome.faults);
    tear_down(s);
    free(s);
    return outcome;
}

bool stage_make(struct stage *stage, uint64_t seed) {
    uint64_t number = seed / SEEDS_A_WORLD;
    if (stage->made && stage->number == number) return stage->sound;
    stage->number = number;
    stage->made = true;
    world_make(&stage->world, number);
    memset(&stage->expected, 0, sizeof stage->expected);
    struct finding calm = simulate_run(
        &(struct run){.seed = number, .world = &stage->world, .become = &stage->expected});
    if (!calm.clean) printf("world of seed %" PRIu64 " without faults: %s\n", seed, calm.failure);
    stage->sound = calm.clean;
    // Sometimes a branch has less room than it needs: who is ahead has to wait. Nobody goes on when
    // twice its room is full, so that all it ever takes must fit into that.
    struct chance chance = chance_of(number, 4);
    if (chance_permille(&chance, 200))
        stage->world.policy.branch_bytes_max =
            calm.most_bytes * chance_range(&chance, 65, 85) / 100;
    return stage->sound;
}
