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
    s->broker_count = s->faulty ? chance_range(&s->chance, 1, BROKERS) : 1;
    s->commit_linger_ms = s->faulty ? chance_range(&s->chance, 100, 1500) : 300;
    bool small = s->faulty && chance_permille(&s->chance, 200);
    s->window = small ? chance_range(&s->chance, 1, 2) : chance_range(&s->chance, 3, 6);
    s->queue_ms = chance_permille(&s->chance, 500) ? chance_range(&s->chance, 1, 200) : 0;
    s->broker_batches = s->window + chance_below(&s->chance, small ? 4 : 32);
    s->broker_bytes = small ? 3072 : 4096; // the largest batches have 2,200
    s->quantum = small ? 64 : 512;         // less than any job costs: several rounds for each
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
    s->last_fault_ms = s->world->pace->length_ms;
    if (s->faulty) faults_plan(s);
    s->healed_ms = s->last_fault_ms;
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

static void plan(struct simulation *s, uint64_t value) {
    s->plan = (s->plan ^ value) * UINT64_C(0x100000001b3);
}

/// What the seed has drawn so far: a seed that draws otherwise is another one.
static void sum_up_plan(struct simulation *s) {
    for (size_t i = 0; i < s->world->gateway_count; i++) {
        const struct recording *recording = &s->world->gateways[i].recording;
        for (size_t k = 0; k < recording->count; k++) {
            plan(s, recording->items[k].seen_ms);
            plan(s, recording->items[k].kind);
        }
    }
    bool deadly = false;
    for (size_t i = 0; i < s->world->branch_count; i++) {
        if (s->world->deadly[i]) plan(s, s->world->deadly[i]);
        deadly = deadly || s->world->deadly[i];
    }
    for (size_t i = 0; i < s->event_count; i++) {
        const struct event *event = &s->events[i];
        bool end = event->kind == EVENT_FAULT && event->subject == FAULT_COUNT; // grows with time
        plan(s, event->at_ms);
        plan(s, (uint64_t)event->kind << 32 | (end ? UINT32_MAX : event->subject));
    }
    trace(s,
          "%zu branches, %zu gateways, %zu brokers, %zu workers; window %u, %u jobs a worker%s%s",
          s->world->branch_count, s->world->gateway_count, s->broker_count, s->worker_count,
          s->window, s->jobs_max, s->world->poisoned ? "; some batch kills" : "",
          deadly ? "; some encounter kills" : "");
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        size_t times = 0;
        for (size_t k = 0; k < s->event_count; k++)
            times += s->events[k].kind == EVENT_FAULT && s->events[k].subject == i;
        if (times) trace(s, "planned: %zu times %s", times, fault_name((enum fault)i));
    }
    if (s->delay_permille || s->loss_permille || s->duplicate_permille || s->reorder)
        trace(s, "of 1,000 messages %u are delayed, %u lost, %u come twice%s", s->delay_permille,
              s->loss_permille, s->duplicate_permille, s->reorder ? ", in any order" : "");
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
    for (size_t i = 0; i < PROCESSES; i++)
        free(s->gateways[i].old.data);
    free(s->events);
    free(s->gateways);
    free(s->bodies);
    free(s->redis.branches);
    free(s->redis.snapshots);
    buffer_fini(&s->reply);
    buffer_fini(&s->argument);
}

// Actors: gateways, then brokers, then workers ---------------------------------------------------

enum { NOBODY = -1 };

static int gateway_actor(size_t gateway) {
    return (int)gateway;
}

static int broker_actor(const struct simulation *s, size_t broker) {
    return (int)(s->process_count + broker);
}

static int worker_actor(const struct simulation *s, size_t worker) {
    return (int)(s->process_count + s->broker_count + worker);
}

static size_t actor_count(const struct simulation *s) {
    return s->process_count + s->broker_count + s->worker_count;
}

static struct process *process_of(struct simulation *s, int actor) {
    size_t at = (size_t)actor;
    if (at < s->process_count) return &s->gateways[at].process;
    at -= s->process_count;
    if (at < s->broker_count) return &s->brokers[at].process;
    return &s->workers[at - s->broker_count].process;
}

static void turn_of(struct simulation *s, int actor) {
    size_t at = (size_t)actor;
    if (!process_of(s, actor)->alive) return;
    if (at < s->process_count)
        gateway_turn(s, at);
    else if ((at -= s->process_count) < s->broker_count)
        broker_turn(s, at);
    else
        worker_turn(s, at - s->broker_count);
}

/// When it must run; UINT64_MAX: not before something happens to it.
static uint64_t wakes_ms(struct simulation *s, int actor) {
    const struct process *process = process_of(s, actor);
    size_t at = (size_t)actor;
    if (!process->alive) return UINT64_MAX;
    uint64_t deadline_ms;
    if (at < s->process_count)
        deadline_ms = gateway_deadline_ms(s, at);
    else if ((at -= s->process_count) < s->broker_count)
        deadline_ms = broker_deadline_ms(s, at);
    else
        deadline_ms = worker_deadline_ms(s, at - s->broker_count);
    return deadline_ms < process->frozen_until_ms ? process->frozen_until_ms : deadline_ms;
}

/// Whom an event is for; NOBODY: the network, the store, or several.
static int actor_of(const struct simulation *s, const struct event *event) {
    const struct link *link;
    switch (event->kind) {
    case EVENT_FRAME_TO_BROKER:
        return broker_actor(s, s->links[event->subject].broker);
    case EVENT_FRAME_TO_CLIENT:
    case EVENT_LINK_UP:
    case EVENT_LINK_DOWN:
        link = &s->links[event->subject];
        return link->end == END_GATEWAY ? gateway_actor(link->client)
                                        : worker_actor(s, link->client);
    case EVENT_REPLY:
        return worker_actor(s, event->call->worker);
    default:
        return NOBODY;
    }
}

// Events -----------------------------------------------------------------------------------------

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

static void start(struct simulation *s, const struct event *event) {
    size_t at = event->subject;
    if (event->kind == EVENT_START_GATEWAY && !s->gateways[at].process.alive) gateway_start(s, at);
    if (event->kind == EVENT_START_WORKER) worker_start(s, at);
    if (event->kind == EVENT_START_BROKER && !s->brokers[at].process.alive) broker_start(s, at);
    trace(s, "%s %zu is there again",
          event->kind == EVENT_START_GATEWAY  ? "gateway"
          : event->kind == EVENT_START_WORKER ? "worker"
                                              : "broker",
          at);
}

static void snapshot(struct simulation *s) {
    redis_snapshot(s);
    struct gateway *g = &s->gateways[chance_below(&s->chance, (uint32_t)s->world->gateway_count)];
    spool_copy(&g->copy, &g->spool);
    g->copy.synced = g->copy.disk;
    g->has_copy = true;
    uint32_t seldom = s->world->pace->faults_most;
    if (s->now_ms < s->last_fault_ms)
        event_push(s,
                   (struct event){.at_ms = s->now_ms + chance_range(&s->chance, 500, 3000) * seldom,
                                  .kind = EVENT_SNAPSHOT});
}

static void happen(struct simulation *s, struct event *event, int actor) {
    const struct process *process = actor == NOBODY ? NULL : process_of(s, actor);
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
    case EVENT_PUT_BACK:
        put_back(s, event->subject);
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
    if (process) turn_of(s, actor);
    event_free(event);
}

// The loop ---------------------------------------------------------------------------------------

/// Who must run next.
static int next_timer(const struct simulation *s) {
    int next = 0;
    for (size_t i = 1; i < actor_count(s); i++)
        if (s->wakes_ms[i] < s->wakes_ms[next]) next = (int)i;
    return next;
}

/// NOBODY: of all.
static void look_at_timers(struct simulation *s, int actor) {
    if (actor != NOBODY) {
        s->wakes_ms[actor] = wakes_ms(s, actor);
        return;
    }
    for (size_t i = 0; i < actor_count(s); i++)
        s->wakes_ms[i] = wakes_ms(s, (int)i);
}

/// Whoever looks after the branches: a gateway that has stopped is started with a new spool.
static void operate(struct simulation *s) {
    if (!s->any_stopped) return;
    s->any_stopped = false;
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
    look_at_timers(s, NOBODY);
}

static void step(struct simulation *s) {
    int actor = next_timer(s);
    uint64_t timer_ms = s->wakes_ms[actor], event_ms = event_next_ms(s);
    uint64_t at_ms = timer_ms < event_ms ? timer_ms : event_ms;
    if (at_ms > s->now_ms) s->now_ms = at_ms;
    if (s->redis.away && s->now_ms >= s->redis.away_until_ms) s->redis.away = false;
    uint64_t what = timer_ms;
    if (timer_ms < event_ms) {
        turn_of(s, actor);
    } else {
        struct event event;
        (void)event_pop(s, &event);
        what = (uint64_t)event.kind << 32 | event.subject;
        actor = actor_of(s, &event);
        happen(s, &event, actor);
    }
    // The network and the store touch nobody by themselves, faults and starts anybody.
    if (actor != NOBODY || what >> 32 < EVENT_QUIET) look_at_timers(s, actor);
    s->hash = (s->hash ^ s->now_ms ^ what << 20) * UINT64_C(0x100000001b3);
    operate(s);
    if (++s->steps > STEPS_MAX) wrong(s, "does not come to rest");
}

/// Until all must be settled once nothing breaks any more. What kills does so until it is given up:
/// when it is first judged, and once more when it becomes final.
static uint64_t drain_ms(const struct world *world) {
    uint64_t deadly = 0;
    for (size_t i = 0; i < world->branch_count; i++)
        deadly += (uint64_t)__builtin_popcount(world->deadly[i]);
    return world->pace->drain_ms +
           deadly * 2 * world->policy.tries_max * 2 * world->policy.lease_ms;
}

static void go(struct simulation *s) {
    char why[256] = "";
    look_at_timers(s, NOBODY);
    for (uint64_t look_ms = 0; !s->failure[0]; step(s)) {
        if (s->now_ms < s->healed_ms || s->now_ms < look_ms) continue;
        look_ms = s->now_ms + LOOK_AT_END_MS;
        if (oracle_drained(s, why, sizeof why)) {
            oracle_end(s);
            return;
        }
        if (s->now_ms > s->healed_ms + drain_ms(s->world)) wrong(s, "not drained: %s", why);
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
    s->telling = run->telling;
    s->chance = chance_of(run->seed, 2);
    s->now_ms = 1;
    set_up(s);
    sum_up_plan(s);
    go(s);
    struct finding outcome = {.clean = !s->failure[0],
                              .simulated_ms = s->now_ms,
                              .steps = s->steps,
                              .hash = s->hash,
                              .plan = s->plan,
                              .most_bytes = s->most_bytes};
    for (size_t i = 0; i < s->world->branch_count; i++) {
        outcome.encounters += s->world->encounters[i];
        outcome.blamed = outcome.blamed || s->blamed[i];
    }
    for (size_t i = 0; i < s->world->gateway_count; i++)
        outcome.batches += s->gateways[i].head.last;
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
    // Sometimes a branch has less room than it needs: who is ahead has to wait. If all that it ever
    // takes does not fit into twice its room, some may go on without its minutes.
    struct chance chance = chance_of(number, 4);
    if (chance_permille(&chance, 200)) {
        uint64_t percent = chance_range(&chance, 65, 85);
        if (chance_permille(&chance, 400)) percent = chance_range(&chance, 10, 50);
        stage->world.policy.branch_bytes_max = calm.most_bytes * percent / 100;
    }
    return stage->sound;
}
