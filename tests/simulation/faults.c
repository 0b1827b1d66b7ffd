// What breaks: each seed switches every kind of fault on or off by itself (a swarm), so that rare
// combinations occur; then when, whom and how long.

#include "tests/simulation/simulation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROOMY = 1 << 20 }; // bytes of a branch that no world needs

static const char *const names[FAULT_COUNT] = {
    [FAULT_GATEWAY_CRASH] = "gateway_crash",
    [FAULT_WORKER_CRASH] = "worker_crash",
    [FAULT_BROKER_CRASH] = "broker_crash",
    [FAULT_FREEZE] = "freeze",
    [FAULT_RESET] = "reset",
    [FAULT_PARTITION] = "partition",
    [FAULT_DELAY] = "delay",
    [FAULT_LOSS] = "loss",
    [FAULT_DUPLICATE] = "duplicate",
    [FAULT_REORDER] = "reorder",
    [FAULT_REDIS_AWAY] = "redis_away",
    [FAULT_REDIS_SLOW] = "redis_slow",
    [FAULT_REDIS_LATER] = "redis_later",
    [FAULT_REDIS_ERROR] = "redis_error",
    [FAULT_REDIS_FALLBACK] = "redis_fallback",
    [FAULT_REDIS_EMPTIED] = "redis_emptied",
    [FAULT_FUNCTIONS_MISSING] = "functions_missing",
    [FAULT_STORE_CLOCK] = "store_clock",
    [FAULT_DRAIN] = "drain",
    [FAULT_POWER_LOSS] = "power_loss",
    [FAULT_OLD_SPOOL] = "old_spool",
    [FAULT_LOST_SPOOL] = "lost_spool",
    [FAULT_CLONE] = "clone",
    [FAULT_LOST_GRANT] = "lost_grant",
    [FAULT_POISON] = "poison",
    [FAULT_SMALL_SPOOL] = "small_spool",
    [FAULT_REBUILD] = "rebuild",
    [FAULT_SEAL] = "seal",
    [FAULT_PUT_BACK] = "put_back",
    [FAULT_DISK] = "disk",
    [FAULT_DEADLY] = "deadly",
    [FAULT_CLOCK] = "clock",
    [FAULT_CUT] = "cut",
};

const char *fault_name(enum fault fault) {
    return names[fault];
}

/// Those that happen at a moment, and how often at most in a seed.
static const uint8_t most[FAULT_COUNT] = {
    [FAULT_GATEWAY_CRASH] = 4,
    [FAULT_WORKER_CRASH] = 5,
    [FAULT_BROKER_CRASH] = 3,
    [FAULT_FREEZE] = 4,
    [FAULT_RESET] = 6,
    [FAULT_PARTITION] = 4,
    [FAULT_REDIS_AWAY] = 3,
    [FAULT_REDIS_SLOW] = 3,
    [FAULT_REDIS_LATER] = 3,
    [FAULT_REDIS_ERROR] = 2,
    [FAULT_REDIS_FALLBACK] = 3,
    [FAULT_REDIS_EMPTIED] = 1,
    [FAULT_FUNCTIONS_MISSING] = 2,
    [FAULT_STORE_CLOCK] = 2,
    [FAULT_DRAIN] = 3,
    [FAULT_POWER_LOSS] = 2,
    [FAULT_OLD_SPOOL] = 1,
    [FAULT_LOST_SPOOL] = 1,
    [FAULT_CLONE] = 1,
    [FAULT_LOST_GRANT] = 1,
    [FAULT_REBUILD] = 2,
    [FAULT_SEAL] = 4,
};

/// With chances of its own, so that the other faults of a seed stay what they were.
static void plan_put_back(struct simulation *s) {
    struct chance chance = chance_of(s->seed, 7);
    uint32_t until_ms = (uint32_t)(s->world->pace->length_ms + FAULTS_LATE_MS);
    for (size_t k = chance_permille(&chance, 300) ? chance_range(&chance, 1, 2) : 0; k > 0; k--)
        event_push(s, (struct event){.at_ms = chance_range(&chance, 300, until_ms),
                                     .kind = EVENT_FAULT,
                                     .subject = FAULT_PUT_BACK});
}

/// Those that came later, each with chances of its own, so that a seed's other faults stay the
/// same.
static void plan_more(struct simulation *s, enum fault fault, uint64_t stream, uint32_t share) {
    struct chance chance = chance_of(s->seed, stream);
    uint32_t until_ms = (uint32_t)(s->world->pace->length_ms + FAULTS_LATE_MS);
    for (size_t k = chance_permille(&chance, share) ? chance_range(&chance, 1, 4) : 0; k > 0; k--)
        event_push(s, (struct event){.at_ms = chance_range(&chance, 300, until_ms),
                                     .kind = EVENT_FAULT,
                                     .subject = fault});
}

void faults_plan(struct simulation *s) {
    struct chance chance = chance_of(s->seed, 3);
    uint32_t share = chance_range(&chance, 50, 500); // some seeds are calm, some are wild
    bool on[FAULT_COUNT];
    for (size_t i = 0; i < FAULT_PUT_BACK; i++)
        on[i] = chance_permille(&chance, share);
    // A branch without room, to which a gateway sends all it has once more, lets nobody go on: the
    // store counts what came twice as often.
    if (s->world->policy.branch_bytes_max < ROOMY)
        on[FAULT_POWER_LOSS] = on[FAULT_OLD_SPOOL] = on[FAULT_LOST_SPOOL] = on[FAULT_CLONE] =
            on[FAULT_LOST_GRANT] = false;
    else
        plan_put_back(s);
    plan_more(s, FAULT_DISK, 16, 200);
    plan_more(s, FAULT_CLOCK, 18, 200);
    s->last_fault_ms = s->world->pace->length_ms + FAULTS_LATE_MS;
    s->spool_rows_max = ROWS;
    if (on[FAULT_SMALL_SPOOL] && chance_permille(&chance, 300)) {
        s->spool_rows_max = chance_range(&chance, 6, 30);
        s->lossy = true;
    }
    if (on[FAULT_DELAY]) s->delay_permille = chance_range(&chance, 10, 300);
    if (on[FAULT_LOSS]) s->loss_permille = chance_range(&chance, 5, 200);
    if (on[FAULT_DUPLICATE]) s->duplicate_permille = chance_range(&chance, 5, 200);
    struct chance cuts = chance_of(s->seed, 29);
    if (chance_permille(&cuts, 150)) s->cut_permille = chance_range(&cuts, 5, 100);
    s->reorder = on[FAULT_REORDER];
    s->faults[FAULT_DELAY] = on[FAULT_DELAY];
    s->faults[FAULT_REORDER] = on[FAULT_REORDER];
    for (size_t i = 0; i < FAULT_PUT_BACK; i++)
        for (size_t k = on[i] && most[i] ? chance_range(&chance, 1, most[i]) : 0; k > 0; k--)
            event_push(
                s, (struct event){.at_ms = chance_range(&chance, 300, (uint32_t)s->last_fault_ms),
                                  .kind = EVENT_FAULT,
                                  .subject = (uint32_t)i});
    if (on[FAULT_REDIS_FALLBACK] || on[FAULT_OLD_SPOOL])
        event_push(s, (struct event){.at_ms = 1000, .kind = EVENT_SNAPSHOT});
    event_push(
        s, (struct event){.at_ms = s->last_fault_ms, .kind = EVENT_FAULT, .subject = FAULT_COUNT});
}

/// Nothing breaks any more, and messages travel as they should; what is broken heals in its time.
void faults_end(struct simulation *s) {
    trace(s, "no more faults");
    s->delay_permille = s->loss_permille = s->duplicate_permille = s->cut_permille = 0;
    s->reorder = false;
}

/// When something that begins now is over. As long as a clone lives its gateway may be refused, and
/// who is frozen or dead does nothing: only when all of it is over must everything drain.
static uint64_t lasts(struct simulation *s, uint32_t lasts_ms) {
    uint64_t over_ms = s->now_ms + lasts_ms;
    if (over_ms > s->healed_ms) s->healed_ms = over_ms;
    return over_ms;
}

/// The same, of something that takes longer in a world of hours.
static uint64_t lasts_from_to(struct simulation *s, uint32_t shortest, uint32_t longest) {
    uint32_t times = s->world->pace->faults_most;
    uint32_t once_ms = chance_range(&s->chance, shortest, longest);
    return lasts(s, times > 1 ? once_ms * chance_range(&s->chance, 1, times) : once_ms);
}

/// Some process, its kind and number.
static struct process *any_process(struct simulation *s, const char **kind, size_t *number) {
    size_t all = s->world->gateway_count + s->broker_count + s->worker_count;
    *number = chance_below(&s->chance, (uint32_t)all);
    *kind = "gateway";
    if (*number < s->world->gateway_count) return &s->gateways[*number].process;
    *number -= s->world->gateway_count;
    *kind = "broker";
    if (*number < s->broker_count) return &s->brokers[*number].process;
    *number -= s->broker_count;
    *kind = "worker";
    return &s->workers[*number].process;
}

static void freeze(struct simulation *s) {
    const char *kind;
    size_t number;
    struct process *process = any_process(s, &kind, &number);
    process->frozen_until_ms = lasts_from_to(s, 100, 5000);
    trace(s, "%s %zu freezes until %.3f s", kind, number, (double)process->frozen_until_ms / 1000);
}

static void reset(struct simulation *s) {
    struct link *link = &s->links[chance_below(&s->chance, (uint32_t)s->link_count)];
    link->broken_until_ms = lasts_from_to(s, 60, 600);
    trace(s, "the connection of %s %u and broker %u breaks",
          link->end == END_GATEWAY ? "gateway" : "worker", link->client, link->broker);
    network_changed(s);
}

/// The disk of some gateway fails once, or is full for a while.
static void break_disk(struct simulation *s) {
    size_t at = chance_below(&s->chance, (uint32_t)s->world->gateway_count);
    struct disk *disk = &s->gateways[at].disk;
    if (chance_permille(&s->chance, 500))
        disk->fails_next = true;
    else
        disk->full_until_ms = lasts_from_to(s, 100, 5000);
}

static void start_again(struct simulation *s, enum event_kind kind, size_t subject) {
    event_push(s, (struct event){.at_ms = lasts_from_to(s, 50, 2500),
                                 .kind = kind,
                                 .subject = (uint32_t)subject});
}

static void break_gateway(struct simulation *s, enum fault fault) {
    size_t at = chance_below(&s->chance, (uint32_t)s->world->gateway_count);
    struct gateway *g = &s->gateways[at];
    if (!g->process.alive) return;
    trace(s, "%s of gateway %zu", names[fault], at);
    gateway_kill(s, at);
    if (fault == FAULT_POWER_LOSS) g->spool.disk = g->spool.synced;
    if (fault == FAULT_OLD_SPOOL && g->has_copy) spool_copy(&g->spool, &g->copy);
    if (fault == FAULT_LOST_SPOOL) spool_make(s, g);
    if (fault != FAULT_GATEWAY_CRASH) s->tampered[g->identity] = true;
    start_again(s, EVENT_START_GATEWAY, at);
}

/// The gateway of which there is a second one from now on, for a while; NULL: there was one before.
static struct gateway *clone(struct simulation *s, bool renew) {
    size_t at = chance_below(&s->chance, (uint32_t)s->world->gateway_count);
    size_t to = s->world->gateway_count;
    struct gateway *twin = &s->gateways[to];
    if (twin->process.alive || twin->clone) return NULL;
    trace(s, "gateway %zu is cloned%s", at, renew ? ", with a new spool" : "");
    twin->renew = renew;
    twin->identity = s->gateways[at].identity;
    twin->clone = true;
    spool_copy(&twin->spool, &s->gateways[at].spool);
    s->tampered[twin->identity] = true;
    gateway_start(s, to);
    event_push(s, (struct event){.at_ms = lasts_from_to(s, 500, 6000),
                                 .kind = EVENT_END_CLONE,
                                 .subject = (uint32_t)to});
    return &s->gateways[at];
}

/// Both are granted an epoch, and the store falls back in between: then both have the same one.
static void lose_grant(struct simulation *s) {
    redis_snapshot(s);
    struct gateway *g = clone(s, true);
    if (!g) return;
    size_t at = (size_t)(g - s->gateways);
    gateway_kill(s, at);
    g->renew = true;
    start_again(s, EVENT_START_GATEWAY, at);
    event_push(s, (struct event){.at_ms = lasts_from_to(s, 20, 500),
                                 .kind = EVENT_FAULT,
                                 .subject = FAULT_REDIS_FALLBACK});
}

/// What the gateway sends for a while reaches a worker, but no answer comes back.
static void begin_put_back(struct simulation *s) {
    size_t at = chance_below(&s->chance, (uint32_t)s->world->gateway_count);
    struct gateway *g = &s->gateways[at];
    if (!g->process.alive || g->stopped || !g->spool.disk.epoch) return;
    uint64_t until_ms = lasts(s, chance_range(&s->chance, 300, 1400));
    struct link *link = network_link(s, END_GATEWAY, at, 0);
    link->blocked_since_ms = s->now_ms;
    link->blocked_until_ms[0] = link->blocked_until_ms[1] = until_ms;
    network_changed(s);
    g->copy = g->spool;
    g->has_copy = true;
    event_push(s,
               (struct event){.at_ms = until_ms, .kind = EVENT_PUT_BACK, .subject = (uint32_t)at});
}

/// What a worker has, which its broker took for dead, and goes on with.
static void still_there(struct simulation *s, struct gateway *g, uint64_t from, uint64_t to) {
    struct link *link =
        network_link(s, END_WORKER, chance_below(&s->chance, (uint32_t)s->worker_count),
                     chance_below(&s->chance, (uint32_t)s->broker_count));
    size_t branch = s->world->gateways[g->identity].branch;
    struct buffer frame;
    buffer_init(&frame, FRAME_MAX);
    for (uint64_t n = from; n <= to; n++) {
        const struct row *row = &g->spool.rows[n - 1];
        const struct message job = {
            .type = MESSAGE_JOB,
            .job = chance_u64(&s->chance) >> 16, // as of another life of the broker
            .what = JOB_BATCH,
            .branch = s->world->branches[branch].id,
            .gateway =
                s->world->branches[branch].gateways[s->world->gateways[g->identity].place].id,
            .session = g->session.number,
            .position = {g->spool.disk.epoch, n, row->tag},
            .body = {row->body, row->size}};
        enum err err = row->poison ? ERR_NONE : message_encode(&job, &frame);
        assert(!err);
    }
    free(g->old.data);
    g->old = (struct event){.kind = EVENT_FRAME_TO_CLIENT,
                            .subject = (uint32_t)(link - s->links),
                            .peer = link->peer,
                            .data = frame.data, // goes with the event
                            .size = frame.size};
}

/// Now that it knows the store's position and goes on from there: that moves by what is old, and
/// the answers that would tell are lost.
void put_back_over(struct simulation *s, struct gateway *g) {
    if (!g->old.data) return;
    struct link *link = network_link(s, END_GATEWAY, (size_t)(g - s->gateways), 0);
    link->blocked_since_ms = s->now_ms;
    link->blocked_until_ms[1] = s->now_ms + chance_range(&s->chance, 1, 60);
    network_changed(s);
    g->old.at_ms = s->now_ms + chance_range(&s->chance, 1, 6);
    event_push(s, g->old);
    g->old = (struct event){0};
}

void put_back(struct simulation *s, size_t at) {
    struct gateway *g = &s->gateways[at];
    uint64_t from = g->copy.disk.last + 1, to = g->session.next - 1;
    bool same = g->process.alive && !g->stopped &&
                !memcmp(&g->copy.disk.id, &g->spool.disk.id, sizeof g->copy.disk.id);
    if (!same || to < from || to > g->spool.disk.last) return;
    trace(s, "the spool of gateway %u is put back to %llu", g->identity,
          (unsigned long long)g->copy.disk.last);
    gateway_kill(s, at);
    still_there(s, g, from, to);
    g->spool = g->copy;
    s->tampered[g->identity] = true;
    event_push(s, (struct event){.at_ms = lasts(s, chance_range(&s->chance, 20, 100)),
                                 .kind = EVENT_START_GATEWAY,
                                 .subject = (uint32_t)at});
}

static void partition(struct simulation *s) {
    struct link *link = &s->links[chance_below(&s->chance, (uint32_t)s->link_count)];
    uint64_t until_ms = lasts_from_to(s, 200, 6000);
    uint32_t ways = chance_range(&s->chance, 1, 3);
    trace(s, "%s %u and broker %u are cut off for %.1f s%s",
          link->end == END_GATEWAY ? "gateway" : "worker", link->client, link->broker,
          (double)(until_ms - s->now_ms) / 1000,
          ways == 3   ? ""
          : ways == 1 ? ", to the broker only"
                      : ", from the broker only");
    link->blocked_since_ms = s->now_ms;
    if (ways & 1) link->blocked_until_ms[0] = until_ms;
    if (ways & 2) link->blocked_until_ms[1] = until_ms;
    network_changed(s);
}

/// Up to an hour ahead, or back to about what it should be: what lies further in the future than a
/// few seconds is left out for good.
static void store_clock_jumps(struct simulation *s) {
    uint32_t jump_ms = chance_below(&s->chance, HOUR_MS);
    s->redis.clock_ahead_ms =
        jump_ms % 2 ? s->redis.clock_ahead_ms + jump_ms : (int64_t)(jump_ms % 6000) - 4000;
    trace(s, "the store's clock is %.3f s ahead", (double)s->redis.clock_ahead_ms / 1000);
}

static void redis_trouble(struct simulation *s, enum fault fault) {
    uint64_t until_ms = lasts_from_to(s, 100, 6000);
    trace(s, "%s until %.3f s", names[fault], (double)until_ms / 1000);
    if (fault == FAULT_REDIS_AWAY) redis_go_away(s, until_ms);
    if (fault == FAULT_REDIS_SLOW) s->redis.slow_until_ms = until_ms;
    if (fault == FAULT_REDIS_LATER) s->redis.later_until_ms = until_ms;
    if (fault == FAULT_REDIS_ERROR) s->redis.error_until_ms = until_ms;
    if (fault == FAULT_REDIS_FALLBACK) redis_fall_back(s);
    if (fault == FAULT_REDIS_EMPTIED) redis_empty(s);
    if (fault == FAULT_FUNCTIONS_MISSING) s->redis.functions = false;
    if (fault == FAULT_STORE_CLOCK) store_clock_jumps(s);
    if (until_ms > s->redis.trouble_ms) s->redis.trouble_ms = until_ms;
}

/// An hour ahead or behind, as after a battery that is empty, or right.
static void clock_jumps(struct simulation *s) {
    size_t at = chance_below(&s->chance, (uint32_t)s->world->gateway_count);
    const int64_t ahead_ms[] = {HOUR_MS, -HOUR_MS, -s->world->begin_ms, 0};
    s->gateways[at].clock_ahead_ms = ahead_ms[chance_below(&s->chance, 4)];
    if (s->gateways[at].clock_ahead_ms) s->skewed[at] = true;
    trace(s, "the clock of gateway %zu is %.3f s ahead", at,
          (double)s->gateways[at].clock_ahead_ms / 1000);
}

/// tresenctl rebuild, tresenctl seal: of some branch, the first day or the one after it.
static void operate(struct simulation *s, enum fault fault) {
    size_t branch = chance_below(&s->chance, (uint32_t)s->world->branch_count);
    bool later = chance_permille(&s->chance, 400);
    // Without enough room nothing may be brought twice: only a branch that is empty has it.
    if (s->world->policy.branch_bytes_max < ROOMY) later = false;
    int64_t midnight_ms = WORLD_MIDNIGHT_MS - (later ? 0 : DAY_MS);
    // A decision that comes later would be too late.
    bool done = fault == FAULT_REBUILD ? redis_operate(s, branch, MODEL_REBUILD, midnight_ms)
                                       : oracle_decided(s, branch, midnight_ms + DAY_MS) &&
                                             redis_operate(s, branch, MODEL_SEAL, midnight_ms);
    if (!done) s->faults[fault]--; // nothing has happened
}

void fault_happen(struct simulation *s, enum fault fault) {
    size_t worker = chance_below(&s->chance, (uint32_t)s->worker_count);
    size_t broker = chance_below(&s->chance, (uint32_t)s->broker_count);
    s->faults[fault]++;
    switch (fault) {
    case FAULT_WORKER_CRASH:
        trace(s, "worker %zu dies", worker);
        worker_kill(s, worker);
        start_again(s, EVENT_START_WORKER, worker);
        break;
    case FAULT_BROKER_CRASH:
        trace(s, "broker %zu dies", broker);
        broker_kill(s, broker);
        start_again(s, EVENT_START_BROKER, broker);
        break;
    case FAULT_FREEZE:
        freeze(s);
        break;
    case FAULT_RESET:
        reset(s);
        break;
    case FAULT_PARTITION:
        partition(s);
        break;
    case FAULT_DRAIN:
        if (!s->workers[worker].process.alive)
            break;
        else if (s->brokers[broker].process.alive && chance_permille(&s->chance, 500))
            broker_drain(s, broker, worker);
        else
            worker_drain(s, worker);
        break;
    case FAULT_CLONE:
        (void)clone(s, false);
        break;
    case FAULT_LOST_GRANT:
        lose_grant(s);
        break;
    case FAULT_PUT_BACK:
        begin_put_back(s);
        break;
    case FAULT_CLOCK:
        clock_jumps(s);
        break;
    case FAULT_DISK:
        s->faults[fault]--; // writes that fail count
        break_disk(s);
        break;
    case FAULT_GATEWAY_CRASH:
    case FAULT_POWER_LOSS:
    case FAULT_OLD_SPOOL:
    case FAULT_LOST_SPOOL:
        break_gateway(s, fault);
        break;
    case FAULT_REBUILD:
    case FAULT_SEAL:
        operate(s, fault);
        break;
    default:
        redis_trouble(s, fault);
    }
}
