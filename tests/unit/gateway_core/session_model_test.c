// A session against a small store that follows the rule of the position, over a line that loses,
// repeats and reorders, with a store that falls back, a link that breaks and a spool that trims.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/core/session.h"

#include <string.h>

enum { BATCHES = 300, LINE = 64, SEEDS = 400 };

static uint64_t seed;
static uint64_t roll(uint64_t limit) { // xorshift64*: a seed is a run
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (seed * 2685821657736338717U >> 33) % limit;
}

static struct tag tag_of(uint64_t number) {
    uint32_t own[2] = {number ? (uint32_t)number - 1 : 0, (uint32_t)number};
    struct tag tag;
    memcpy(tag.bytes, own, sizeof tag.bytes);
    return tag;
}

struct frame {
    bool to_store, is_ask;
    uint64_t session, number, lost; // to the store
    struct session_input answer;    // to the gateway
};

struct run {
    struct session session;
    uint64_t now_ms, first, last;
    bool linked;
    uint64_t epoch, position, base; // the store's; base: the oldest position it may fall back to
    uint64_t gone;                  // numbers the store was told are lost
    bool applied[BATCHES + 1];
    struct frame line[LINE];
    size_t count;
};

static void put(struct run *r, struct frame frame, bool faults) {
    size_t copies = faults && roll(10) == 0 ? 0 : faults && roll(10) == 0 ? 2 : 1;
    for (; copies && r->count < LINE; copies--)
        r->line[r->count++] = frame;
}

static void answer(struct run *r, uint64_t session, enum answer_status status, bool faults) {
    uint64_t n = r->position;
    struct session_input in = {.kind = SESSION_INPUT_ANSWER,
                               .session = session,
                               .status = status,
                               .position = {r->epoch, n, tag_of(n)},
                               .window = (uint32_t)(1 + roll(8)),
                               .wait_ms = (uint32_t)roll(500)};
    put(r, (struct frame){.answer = in}, faults);
}

static void store(struct run *r, const struct frame *f, bool faults) {
    if (f->is_ask) {
        if (!r->epoch) r->epoch = 1;
        answer(r, f->session, ANSWER_APPLIED, faults);
        return;
    }
    if (faults && roll(20) == 0) {
        answer(r, f->session, ANSWER_LATER, faults);
        return;
    }
    bool next = f->number == r->position + 1;
    bool over = f->lost && f->lost == r->position + 1 && f->number > f->lost;
    if (next || over) {
        if (over) r->gone += f->number - f->lost;
        cr_assert(f->number > r->position, "the position never goes back by a batch");
        r->position = f->number;
        r->applied[f->number] = true;
    }
    bool gap = f->number > r->position;
    answer(r, f->session, gap ? ANSWER_GAP : ANSWER_APPLIED, faults);
}

static void gateway(struct run *r, struct session_input in, bool faults) {
    struct session_actions out;
    in.now_ms = r->now_ms;
    if (in.kind == SESSION_INPUT_ANSWER) {
        uint64_t n = in.position.number;
        in.own_held = n >= r->first && n <= r->last;
        in.own_tag = tag_of(n);
    }
    session_step(&r->session, &in, &out);
    for (size_t i = 0; i < out.count; i++) {
        const struct session_action *a = &out.items[i];
        cr_assert(ne(int, a->kind, SESSION_STOP));
        if (a->kind == SESSION_ASK)
            put(r, (struct frame){.to_store = true, .is_ask = true, .session = a->session}, faults);
        if (a->kind != SESSION_SEND) continue;
        cr_assert(le(u64, a->to - a->from, 63));
        if (a->lost) cr_assert(tag_equal(a->position.tag, tag_of(a->lost - 1)));
        for (uint64_t n = a->from; n <= a->to; n++) {
            cr_assert(n >= r->first && n <= r->last, "only what the spool holds is sent");
            put(r,
                (struct frame){.to_store = true,
                               .session = a->session,
                               .number = n,
                               .lost = n == a->from ? a->lost : 0},
                faults);
        }
    }
}

static void deliver(struct run *r, bool faults) {
    size_t at = faults ? roll(r->count) : 0;
    struct frame f = r->line[at];
    memmove(&r->line[at], &r->line[at + 1], (--r->count - at) * sizeof f);
    if (!r->linked) return;
    if (f.to_store)
        store(r, &f, faults);
    else
        gateway(r, f.answer, faults);
}

static void fault(struct run *r) {
    switch (roll(12)) {
    case 0:
        r->linked = !r->linked;
        r->count = 0;
        gateway(r,
                (struct session_input){.kind = r->linked ? SESSION_INPUT_CONNECTED
                                                         : SESSION_INPUT_DISCONNECTED},
                true);
        break;
    case 1: // failover: the store falls back, but not behind what the spool retains
        if (r->position > r->base) r->position -= roll(r->position - r->base + 1);
        break;
    case 2: // the retention ends for what was applied
        if (roll(4) == 0 && r->first <= r->base) r->first += roll(r->base - r->first + 2);
        break;
    default:
        break;
    }
    if (roll(20) == 0) r->base = r->position; // a dump: never behind this again
}

static void turn(struct run *r, bool faults) {
    if (faults) fault(r);
    if (r->last < BATCHES && roll(3) == 0) r->last++;
    gateway(r,
            (struct session_input){.kind = SESSION_INPUT_SPOOL, .first = r->first, .last = r->last},
            faults);
    r->now_ms += roll(200);
    if (r->count && roll(4)) deliver(r, faults);
    if (r->now_ms >= session_deadline_ms(&r->session))
        gateway(r, (struct session_input){.kind = SESSION_INPUT_TICK}, faults);
}

Test(session_model, whatever_the_line_and_the_store_do_all_is_applied_in_the_end) {
    static const struct session_limits limits = {.answer_timeout_ms = 2000,
                                                 .idle_ask_ms = 3000,
                                                 .idle_soon_ms = 500,
                                                 .refused_wait_ms = 5000,
                                                 .backoff_most_ms = 5000,
                                                 .window_most = 16};
    static struct run r;
    for (uint64_t run = 1; run <= SEEDS; run++) {
        seed = run * 0x9e3779b97f4a7c15U;
        memset(&r, 0, sizeof r);
        r.first = 1;
        session_init(&r.session, &limits, 0, 0, r.first, r.last, STOP_NONE);
        for (int i = 0; i < 3000; i++)
            turn(&r, true);
        if (!r.linked) {
            r.linked = true;
            gateway(&r, (struct session_input){.kind = SESSION_INPUT_CONNECTED}, false);
        }
        for (int i = 0; i < 20000 && (r.last < BATCHES || r.position < BATCHES); i++)
            turn(&r, false);

        cr_assert(eq(u64, r.position, BATCHES), "seed %lu: all is applied", (unsigned long)run);
        for (uint64_t n = 1; n <= BATCHES; n++)
            cr_assert(r.applied[n], "seed %lu: batch %lu", (unsigned long)run, (unsigned long)n);
        cr_assert(eq(u64, r.gone, 0), "seed %lu: nothing held is called lost", (unsigned long)run);
        for (int i = 0; i < 2000 && session_state(&r.session) != SESSION_IDLE; i++)
            turn(&r, false);
        cr_assert(eq(int, session_state(&r.session), SESSION_IDLE));
    }
}
