// A whole branch office in one process: gateways that ask, send, time out and restart; workers that
// crash, freeze, thaw and drain; batches that kill. After each step the promises are looked at.

#include "broker/core/dispatch.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

enum {
    BRANCHES = 3,
    GATEWAYS = 8,
    WORKERS = 4,
    CREDIT = 5,
    WINDOW = 6,
    BATCHES = 40, // each gateway has so many
    HELD_MAX = 64,
    FORGOTTEN_MS = 3000, // all gateways could have had a turn by then
    STEPS_MAX = 400000,
    LONE_KILLS = 2,
};

struct work { // as a worker holds it
    uint64_t job, number;
    uint32_t gateway, branch;
    enum job_kind what;
};
struct gateway {
    uint64_t session, position, next, wait_until_ms, quiet_ms;
    uint32_t window; // as told
    bool asking;
    uint64_t poison; // number that kills; 0: none
    uint64_t lone_deaths;
    uint64_t applied; // the store
    uint64_t given;   // last number handed out since it began anew or was taken back
};
struct worker {
    bool alive, frozen, draining;
    uint64_t heartbeat_ms, back_ms;
    bool fresh;
    size_t count; // what it holds, also lost ones
    struct work held[HELD_MAX];
    size_t assigned; // what dispatch must believe
    struct work assignments[HELD_MAX];
};
struct slot {
    bool taken;
    uint32_t gateway;
    uint64_t number;
};

struct simulation {
    uint64_t seed, now_ms, kills_left, lone_kills_left;
    uint64_t busy_ms; // when a batch was held last
    struct dispatch *dispatch;
    struct gateway gateways[GATEWAYS];
    struct worker workers[WORKERS];
    struct slot *slots;
    uint32_t slot_count;
    uint32_t branch_of[GATEWAYS];
    uint64_t dead_letters;
};

static uint64_t chance(struct simulation *s, uint64_t limit) { // xorshift64*
    s->seed ^= s->seed >> 12;
    s->seed ^= s->seed << 25;
    s->seed ^= s->seed >> 27;
    return (s->seed * UINT64_C(2685821657736338717) >> 33) % limit;
}

static struct tag tag_of(uint64_t number) {
    struct tag tag;
    memcpy(tag.bytes, &number, sizeof tag.bytes);
    return tag;
}

static void job_came(struct simulation *s, struct dispatch_action a) {
    struct worker *worker = &s->workers[a.worker];
    struct work work = {.job = a.job, .gateway = a.gateway, .branch = a.branch, .what = a.what};
    if (a.what == JOB_BATCH || a.what == JOB_DEAD) {
        struct gateway *gateway = &s->gateways[a.gateway];
        cr_assert(s->slots[a.slot].taken && s->slots[a.slot].gateway == a.gateway);
        work.number = s->slots[a.slot].number;
        cr_assert(gateway->given == 0 || work.number == gateway->given + 1, "in order");
        gateway->given = work.number;
        if (a.what == JOB_DEAD) cr_assert(eq(u64, work.number, gateway->poison));
        for (size_t w = 0; w < WORKERS; w++)
            for (size_t i = 0; i < s->workers[w].assigned; i++) {
                const struct work *other = &s->workers[w].assignments[i];
                if (other->what != JOB_ASK && other->what != JOB_SETTLE)
                    cr_assert(w == a.worker || other->branch != a.branch, "one worker a branch");
            }
    }
    cr_assert(worker->assigned < CREDIT, "credit");
    worker->assignments[worker->assigned++] = work;
    if (worker->alive && worker->count < HELD_MAX) worker->held[worker->count++] = work;
}

static void answer_came(struct simulation *s, struct gateway *gateway, uint64_t session,
                        uint32_t window) {
    if (session != gateway->session) return;
    cr_assert(window <= WINDOW);
    gateway->window = window;
    gateway->quiet_ms = s->now_ms;
    gateway->position = gateway->applied;
    if (gateway->asking) gateway->next = gateway->position + 1;
    gateway->asking = false;
}

static void worker_lost(struct simulation *s, struct worker *worker) {
    for (size_t i = 0; i < worker->assigned; i++)
        if (worker->assignments[i].gateway < GATEWAYS)
            s->gateways[worker->assignments[i].gateway].given = 0;
    worker->assigned = 0;
}

static void promises(const struct simulation *s) {
    for (uint32_t w = 0; w < WORKERS; w++) {
        struct dispatch_worker_view view = dispatch_worker(s->dispatch, w);
        cr_assert(eq(sz, view.assigned, s->workers[w].assigned));
    }
    for (uint32_t g = 0; g < GATEWAYS; g++) {
        struct dispatch_gateway_view view = dispatch_gateway(s->dispatch, g);
        cr_assert(view.queued + view.assigned <= 2 * WINDOW);
    }
}

static void feed(struct simulation *s, struct dispatch_input in) {
    struct dispatch_actions out;
    in.now_ms = s->now_ms;
    dispatch_step(s->dispatch, &in, &out);
    for (size_t i = 0; i < out.count; i++) {
        struct dispatch_action a = out.items[i];
        switch (a.kind) {
        case ACTION_JOB:
            job_came(s, a);
            break;
        case ACTION_ANSWER:
        case ACTION_WINDOW:
            answer_came(s, &s->gateways[a.gateway], a.session, a.window);
            break;
        case ACTION_LATER:
            s->gateways[a.gateway].wait_until_ms = s->now_ms + 500;
            break;
        case ACTION_FREE:
            cr_assert(s->slots[a.slot].taken, "freed once");
            s->slots[a.slot].taken = false;
            break;
        case ACTION_RESERVE: // no worker here says that it has other brokers
        case ACTION_DRAIN:
            s->workers[a.worker].draining = true;
            break;
        case ACTION_WORKER_LOST:
            worker_lost(s, &s->workers[a.worker]);
            break;
        case ACTION_DEAD_LETTER:
            s->dead_letters++;
            cr_assert(eq(u64, s->slots[a.slot].number, s->gateways[a.gateway].poison));
            break;
        }
    }
    if (dispatch_oldest_ms(s->dispatch) != UINT64_MAX) s->busy_ms = s->now_ms;
    promises(s);
}

static uint32_t slot_take(struct simulation *s, uint32_t gateway, uint64_t number) {
    uint32_t slot = 0;
    while (slot < s->slot_count && s->slots[slot].taken)
        slot++;
    cr_assert(slot < s->slot_count, "a slot is always left");
    s->slots[slot] = (struct slot){.taken = true, .gateway = gateway, .number = number};
    return slot;
}

static void ask(struct simulation *s, uint32_t g) {
    struct gateway *gateway = &s->gateways[g];
    gateway->session++;
    gateway->asking = true;
    gateway->quiet_ms = s->now_ms;
    gateway->wait_until_ms = 0;
    gateway->given = 0;
    feed(s, (struct dispatch_input){.kind = INPUT_ASK,
                                    .gateway = g,
                                    .session = gateway->session,
                                    .slot = slot_take(s, g, 0)});
}

static void gateway_move(struct simulation *s, uint32_t g) {
    struct gateway *gateway = &s->gateways[g];
    if (s->kills_left && chance(s, 3000) == 0) { // restarts: session numbers begin again
        gateway->session = chance(s, 2) ? 0 : gateway->session;
        gateway->given = 0;
        feed(s, (struct dispatch_input){.kind = INPUT_GATEWAY, .gateway = g});
        ask(s, g);
        return;
    }
    bool late = s->now_ms - gateway->quiet_ms > 8000 && gateway->applied < BATCHES;
    bool waited = gateway->wait_until_ms && s->now_ms >= gateway->wait_until_ms;
    bool forgotten = late && !gateway->asking && gateway->window == 0 &&
                     gateway->wait_until_ms == 0 && s->now_ms - s->busy_ms > FORGOTTEN_MS;
    cr_assert(not(forgotten), "gateway %u waits for its turn, and nobody else sends", g);
    if (gateway->session == 0 || late || waited) {
        ask(s, g);
        return;
    }
    uint64_t window = gateway->window + (s->kills_left ? chance(s, 2) : 0); // one too many
    if (gateway->asking || gateway->wait_until_ms || gateway->next > BATCHES ||
        gateway->next > gateway->position + window)
        return;
    uint64_t number = gateway->next++;
    feed(s, (struct dispatch_input){.kind = INPUT_BATCH,
                                    .gateway = g,
                                    .session = gateway->session,
                                    .position = {1, number, tag_of(g << 16 | number)},
                                    .bytes = (uint32_t)(100 + chance(s, 900)),
                                    .slot = slot_take(s, g, number)});
}

static void crash(struct simulation *s, struct worker *worker) {
    worker->alive = worker->frozen = worker->draining = false;
    worker->count = 0;
    worker->back_ms = s->now_ms + 50 + chance(s, 8000);
}

static void work_do(struct simulation *s, uint32_t w) {
    struct worker *worker = &s->workers[w];
    struct work work = worker->held[0];
    struct gateway *gateway = work.gateway < GATEWAYS ? &s->gateways[work.gateway] : NULL;
    if (work.what == JOB_BATCH && work.number == gateway->poison) {
        struct dispatch_worker_view view = dispatch_worker(s->dispatch, w);
        if (view.alone && view.assigned == 1) gateway->lone_deaths++;
        crash(s, worker);
        return;
    }
    memmove(worker->held, worker->held + 1, --worker->count * sizeof work);
    if (gateway && work.number == gateway->applied + 1) gateway->applied++;
    for (size_t i = 0; i < worker->assigned; i++)
        if (worker->assignments[i].job == work.job) {
            worker->assigned--;
            memmove(&worker->assignments[i], &worker->assignments[i + 1],
                    (worker->assigned - i) * sizeof work);
            break;
        }
    uint64_t number = gateway ? gateway->applied : 0;
    feed(s, (struct dispatch_input){
                .kind = INPUT_DONE,
                .worker = w,
                .jobs = {(const uint8_t *)&work.job, 8},
                .status = work.what == JOB_DEAD ? ANSWER_DEAD : ANSWER_APPLIED,
                .position = {1, number, tag_of(work.gateway << 16 | number)},
                .due_ms = chance(s, 3) ? -1 : (int64_t)chance(s, 5000),
            });
}

/// Whether chaos may strike here: an innocent batch must not be alone in three killed workers.
static bool may_strike(struct simulation *s, uint32_t w) {
    if (s->kills_left == 0) return false;
    if (dispatch_worker(s->dispatch, w).alone) {
        if (s->lone_kills_left == 0) return false;
        s->lone_kills_left--;
    }
    s->kills_left--;
    return true;
}

static void worker_move(struct simulation *s, uint32_t w) {
    struct worker *worker = &s->workers[w];
    if (!worker->alive) {
        if (s->now_ms < worker->back_ms) return;
        worker->alive = worker->fresh = true;
        worker->heartbeat_ms = 0;
    }
    if (worker->frozen) {
        if (s->now_ms >= worker->back_ms) worker->frozen = false;
        return;
    }
    uint64_t fate = chance(s, 400);
    if (fate == 0 && may_strike(s, w)) {
        crash(s, worker);
    } else if (fate == 1 && may_strike(s, w)) {
        worker->frozen = true;
        worker->back_ms = s->now_ms + chance(s, 9000);
    } else if (fate == 2 && s->kills_left) {
        s->kills_left--;
        feed(s, (struct dispatch_input){.kind = INPUT_DRAIN, .worker = w});
    } else if (s->now_ms >= worker->heartbeat_ms) {
        bool fresh = worker->fresh;
        worker->fresh = false;
        worker->heartbeat_ms = s->now_ms + 1000;
        feed(s, (struct dispatch_input){
                    .kind = INPUT_READY, .worker = w, .credit = CREDIT, .fresh = fresh});
    } else if (worker->count) {
        work_do(s, w);
    } else if (worker->draining) {
        feed(s, (struct dispatch_input){.kind = INPUT_GOODBYE, .worker = w});
        crash(s, worker);
    }
}

static bool finished(const struct simulation *s) {
    for (uint32_t g = 0; g < GATEWAYS; g++)
        if (s->gateways[g].applied < BATCHES) return false;
    return dispatch_oldest_ms(s->dispatch) == UINT64_MAX;
}

static struct simulation simulate(uint64_t seed, uint64_t kills, uint32_t poisons) {
    const struct dispatch_limits limits = {
        .workers = WORKERS,
        .batches = 40,
        .bytes = 16000,
        .window = WINDOW,
        .window_least = (uint32_t)(seed % WINDOW),
        .queue_ms = (uint32_t)(seed % 4 * 100), // 0: no turns
        .quantum = 2000,
        .worker_silence_ms = 5000,
        .job_ms = 60000,
        .settle_probe_ms = 10000,
        .death_apart_ms = 2000,
        .deaths = 3,
        .first_assignment = seed & UINT32_MAX,
    };
    struct simulation s = {.seed = seed * 2654435761U + 1,
                           .now_ms = 1,
                           .kills_left = kills,
                           .lone_kills_left = LONE_KILLS};
    for (uint32_t g = 0; g < GATEWAYS; g++)
        s.branch_of[g] = g % BRANCHES;
    for (uint32_t i = 0; i < poisons; i++)
        s.gateways[chance(&s, GATEWAYS)].poison = 1 + chance(&s, BATCHES);
    s.dispatch = dispatch_new(&limits, BRANCHES, s.branch_of, GATEWAYS, s.now_ms);
    cr_assert(s.dispatch != NULL);
    s.slot_count = dispatch_slots(s.dispatch);
    s.slots = calloc(s.slot_count, sizeof *s.slots);
    uint64_t steps = 0;
    while (!finished(&s)) {
        steps++;
        cr_assert(steps < STEPS_MAX, "seed %lu does not come to an end", (unsigned long)seed);
        s.now_ms += chance(&s, 10);
        if (dispatch_deadline_ms(s.dispatch) <= s.now_ms)
            feed(&s, (struct dispatch_input){.kind = INPUT_TICK});
        if (chance(&s, 2))
            gateway_move(&s, (uint32_t)chance(&s, GATEWAYS));
        else
            worker_move(&s, (uint32_t)chance(&s, WORKERS));
    }
    for (uint32_t g = 0; g < GATEWAYS; g++)
        cr_assert(eq(u64, s.gateways[g].applied, BATCHES));
    dispatch_free(s.dispatch);
    free(s.slots);
    return s;
}

// Kill, freeze, drain and restart anything: every batch is applied, no innocent is condemned.
Test(simulation, everything_is_applied_whatever_dies) {
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct simulation s = simulate(seed, 40, 0);
        cr_assert(eq(u64, s.dead_letters, 0));
    }
}

// A batch that kills its workers stops nobody for ever, and no other batch is blamed for it.
Test(simulation, batches_that_kill_become_dead_letters_and_no_others) {
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct simulation s = simulate(seed, 20, 2);
        uint64_t poisons = 0;
        for (uint32_t g = 0; g < GATEWAYS; g++)
            poisons += s.gateways[g].poison != 0;
        cr_assert(eq(u64, s.dead_letters, poisons));
    }
}

// Not many deaths more than it takes: three alone, one that may come too soon after the first,
// which was in company, and one of a worker that is just being kept free for another suspect.
Test(simulation, a_batch_that_kills_is_dead_after_three_lone_deaths) {
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct simulation s = simulate(seed, 0, 1);
        for (uint32_t g = 0; g < GATEWAYS; g++)
            if (s.gateways[g].poison)
                cr_assert(s.gateways[g].lone_deaths >= 3 && s.gateways[g].lone_deaths <= 5);
    }
}
