#include "sensors-gw/core/presence.h"

#include "common/base/chance.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const struct presence_rules rules = {
    .enter_m = 1.5, .leave_m = 2.5, .enter_ms = 3000, .leave_ms = 10000, .least_confidence = 50};

struct sample {
    int64_t t_s;
    double distance_m;
    uint8_t confidence;
};

enum { CHANGES_MOST = 512, SAMPLES_MOST = 400 };

/// What became known, in order.
struct told {
    int count;
    struct presence_change changes[CHANGES_MOST];
};

static void take(struct told *told, const struct presence_change *changes, int count) {
    for (int i = 0; i < count; i++) {
        cr_assert(lt(int, told->count, CHANGES_MOST));
        told->changes[told->count++] = changes[i];
    }
}

static void step(struct presence *p, const struct presence_rules *by, int64_t t_ms, double distance,
                 uint8_t confidence, struct told *told) {
    struct presence_change changes[PRESENCE_CHANGES_MAX];
    take(told, changes, presence_sample(p, by, t_ms, distance, confidence, changes));
}

static void pass(struct presence *p, const struct presence_rules *by, int64_t t_ms,
                 struct told *told) {
    struct presence_change changes[PRESENCE_CHANGES_MAX];
    take(told, changes, presence_pass(p, by, t_ms, changes));
}

static struct told play(const struct sample *samples, size_t count, int64_t until_s) {
    struct presence p = {0};
    struct told told = {0};
    for (size_t i = 0; i < count; i++)
        step(&p, &rules, samples[i].t_s * 1000, samples[i].distance_m, samples[i].confidence,
             &told);
    pass(&p, &rules, until_s * 1000, &told);
    return told;
}

#define PLAY(until_s, ...)                                                                         \
    play((const struct sample[]){__VA_ARGS__},                                                     \
         sizeof((const struct sample[]){__VA_ARGS__}) / sizeof(struct sample), until_s)

static void expect(const struct told *told, int at, int64_t started_s, int64_t ended_s) {
    cr_assert(lt(int, at, told->count));
    cr_assert(eq(i64, told->changes[at].started_ms, started_s * 1000));
    cr_assert(eq(i64, told->changes[at].ended_ms, ended_s < 0 ? TIME_NONE : ended_s * 1000));
}

Test(presence, begins_when_they_came_and_ends_when_they_were_seen_last) {
    struct told told = PLAY(100, {10, 1.2, 90}, {12, 1.0, 90}, {13, 1.1, 90}, {20, 1.0, 90});
    cr_assert(eq(int, told.count, 2));
    expect(&told, 0, 10, -1);
    expect(&told, 1, 10, 20);
}

Test(presence, does_not_begin_with_who_passes_by) {
    struct told told = PLAY(100, {10, 1.2, 90}, {12, 1.3, 90}, {13, 4.0, 90}, {14, 1.2, 90});
    cr_assert(eq(int, told.count, 0));
}

// A step back, a sample that jumps, somebody out of sight for a moment: still the same encounter.
Test(presence, does_not_end_with_a_step_back) {
    struct told told = PLAY(100, {10, 1.2, 90}, {13, 1.3, 90}, {20, 2.4, 90}, {25, 6.0, 90},
                            {28, 2.4, 90}, {38, 1.2, 90}, {45, 9.0, 90});
    cr_assert(eq(int, told.count, 2));
    expect(&told, 1, 10, 38);
}

Test(presence, needs_somebody_nearer_than_enter_to_begin) {
    struct told told = PLAY(100, {10, 2.0, 90}, {13, 2.0, 90}, {16, 2.0, 90}, {19, 2.0, 90});
    cr_assert(eq(int, told.count, 0));
}

Test(presence, does_not_look_at_what_is_not_sure) {
    struct told told = PLAY(100, {10, 1.2, 49}, {13, 1.3, 49}, {14, 1.2, 50}, {18, 1.2, 50});
    cr_assert(eq(int, told.count, 2));
    expect(&told, 1, 14, 18);
}

Test(presence, ends_and_begins_in_one_sample_without_a_time_to_enter) {
    const struct presence_rules at_once = {1.5, 2.5, 0, 10000, 50};
    struct presence p = {0};
    struct told told = {0};
    step(&p, &at_once, 1000, 1, 100, &told);
    step(&p, &at_once, 20000, 1, 100, &told);
    cr_assert(eq(int, told.count, 3));
    expect(&told, 1, 1, 1);
    expect(&told, 2, 20, -1);
}

// What may still be told holds the watermark back, and nothing else does.
Test(presence, is_pending_until_it_is_told) {
    struct presence p = {0};
    struct told told = {0};
    cr_assert(eq(i64, presence_pending_ms(&p), TIME_NONE));
    step(&p, &rules, 1000, 1, 100, &told);
    cr_assert(eq(i64, presence_pending_ms(&p), 1000));
    step(&p, &rules, 5000, 1, 100, &told);
    cr_assert(eq(i64, presence_pending_ms(&p), TIME_NONE));
    cr_assert(eq(int, told.count, 1));
}

// ------------------------------------------------------------------ whatever comes

struct trace {
    struct presence_rules rules;
    int count;
    struct sample samples[SAMPLES_MOST]; // t_s is in ms here
};

static void any_trace(struct chance *chance, struct trace *trace) {
    trace->rules = (struct presence_rules){.enter_m = 1.5,
                                           .leave_m = 1.5 + chance_below(chance, 20) / 10.0,
                                           .enter_ms = chance_below(chance, 4000),
                                           .leave_ms = 1000 + chance_below(chance, 9000),
                                           .least_confidence = 50};
    int64_t t_ms = 1000;
    trace->count = (int)chance_range(chance, 1, SAMPLES_MOST);
    for (int i = 0; i < trace->count; i++) {
        t_ms +=
            chance_permille(chance, 50) ? chance_below(chance, 30000) : chance_below(chance, 1000);
        trace->samples[i] = (struct sample){t_ms, 0.5 + chance_below(chance, 35) / 10.0,
                                            (uint8_t)chance_range(chance, 30, 100)};
    }
}

/// Told one by one, with time passing in between as chance will, and restarts from what was kept.
static struct told played(const struct trace *trace, struct chance *chance) {
    struct presence p = {0};
    struct told told = {0};
    int64_t now_ms = 0;
    for (int i = 0; i < trace->count; i++) {
        const struct sample *s = &trace->samples[i];
        while (chance && chance_permille(chance, 400)) {
            now_ms += chance_below(chance, (uint32_t)(s->t_s - now_ms) + 1);
            pass(&p, &trace->rules, now_ms, &told);
        }
        step(&p, &trace->rules, s->t_s, s->distance_m, s->confidence, &told);
        now_ms = s->t_s;
        if (chance && chance_permille(chance, 200)) {
            uint8_t packed[PRESENCE_PACKED];
            presence_pack(&p, packed);
            memset(&p, 0xff, sizeof p);
            cr_assert(presence_unpack(packed, &p));
        }
    }
    pass(&p, &trace->rules, now_ms + 100000, &told);
    return told;
}

Test(presence, is_the_same_however_it_is_told) {
    static struct trace trace;
    int encounters = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct chance chance = chance_of(seed, 1);
        any_trace(&chance, &trace);
        struct told whole = played(&trace, NULL), pieces = played(&trace, &chance);
        cr_assert(eq(int, whole.count, pieces.count), "seed %d", (int)seed);
        int64_t before_ms = -1;
        for (int i = 0; i < whole.count; i++) {
            const struct presence_change *is = &whole.changes[i], *was = &pieces.changes[i];
            cr_assert(eq(i64, is->started_ms, was->started_ms), "seed %d", (int)seed);
            cr_assert(eq(i64, is->ended_ms, was->ended_ms), "seed %d", (int)seed);
            // Comes, goes, comes, goes; never two at a time.
            cr_assert(eq(int, is->ended_ms == TIME_NONE, i % 2 == 0));
            if (i % 2 == 0) cr_assert(gt(i64, is->started_ms, before_ms));
            if (i % 2 == 0) continue;
            cr_assert(eq(i64, is->started_ms, whole.changes[i - 1].started_ms));
            cr_assert(ge(i64, is->ended_ms, is->started_ms + trace.rules.enter_ms));
            before_ms = is->ended_ms + trace.rules.leave_ms;
            encounters++;
        }
        cr_assert(eq(int, whole.count % 2, 0)); // in the end everybody has gone
    }
    cr_assert(gt(int, encounters, 2000));
}

Test(presence, does_not_believe_a_damaged_state) {
    uint8_t packed[PRESENCE_PACKED] = {PRESENCE_HERE + 1};
    struct presence p;
    cr_assert(not(presence_unpack(packed, &p)));
}
