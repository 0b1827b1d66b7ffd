// Composition is an algebra; all of it is small enough to try everything.

#include "worker/engine/compose.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static const struct judgement every[] = {
    {.verdict = VERDICT_MET, .degree_millionths = MILLION},
    {.verdict = VERDICT_PARTLY_MET, .degree_millionths = 900000},
    {.verdict = VERDICT_PARTLY_MET, .degree_millionths = 500000},
    {.verdict = VERDICT_PARTLY_MET, .degree_millionths = 100000},
    {.verdict = VERDICT_NOT_MET, .degree_millionths = 0},
    {.verdict = VERDICT_NOT_APPLICABLE, .degree_millionths = -1},
    {.verdict = VERDICT_INSUFFICIENT_EVIDENCE, .degree_millionths = -1},
    {.verdict = VERDICT_ERROR, .degree_millionths = -1},
};
enum { EVERY = sizeof every / sizeof every[0] };
static const enum check_kind kinds[] = {CHECK_ALL, CHECK_ANY};

static struct judgement join(enum check_kind kind, struct judgement a, struct judgement b) {
    return compose_speaks(kind, &a, &b) ? b : a;
}

static struct judgement turned(struct judgement a) {
    compose_turn(&a);
    return a;
}

static bool same(struct judgement a, struct judgement b) {
    return a.verdict == b.verdict && a.degree_millionths == b.degree_millionths;
}

Test(compose, order_and_grouping_of_checks_change_nothing) {
    for (size_t k = 0; k < 2; k++)
        for (size_t a = 0; a < EVERY; a++)
            for (size_t b = 0; b < EVERY; b++) {
                struct judgement ab = join(kinds[k], every[a], every[b]);
                cr_assert(same(ab, join(kinds[k], every[b], every[a])), "%zu %zu", a, b);
                for (size_t c = 0; c < EVERY; c++)
                    cr_assert(same(join(kinds[k], ab, every[c]),
                                   join(kinds[k], every[a], join(kinds[k], every[b], every[c]))),
                              "%zu %zu %zu", a, b, c);
            }
}

Test(compose, not_all_is_any_not_and_the_other_way_round) {
    for (size_t a = 0; a < EVERY; a++) {
        cr_assert(same(turned(turned(every[a])), every[a]));
        for (size_t b = 0; b < EVERY; b++) {
            cr_assert(same(turned(join(CHECK_ALL, every[a], every[b])),
                           join(CHECK_ANY, turned(every[a]), turned(every[b]))));
            cr_assert(same(turned(join(CHECK_ANY, every[a], every[b])),
                           join(CHECK_ALL, turned(every[a]), turned(every[b]))));
        }
    }
}

// The strongest first; of any two, the one further left speaks.
Test(compose, the_stronger_verdict_speaks) {
    static const enum verdict orders[2][6] = {
        {VERDICT_NOT_MET, VERDICT_ERROR, VERDICT_INSUFFICIENT_EVIDENCE, VERDICT_PARTLY_MET,
         VERDICT_MET, VERDICT_NOT_APPLICABLE},
        {VERDICT_MET, VERDICT_ERROR, VERDICT_INSUFFICIENT_EVIDENCE, VERDICT_PARTLY_MET,
         VERDICT_NOT_MET, VERDICT_NOT_APPLICABLE},
    };
    for (size_t k = 0; k < 2; k++)
        for (size_t strong = 0; strong < 6; strong++)
            for (size_t weak = strong + 1; weak < 6; weak++) {
                struct judgement a = {.verdict = orders[k][strong]};
                struct judgement b = {.verdict = orders[k][weak]};
                cr_assert(eq(int, join(kinds[k], a, b).verdict, orders[k][strong]));
            }
}

// Nothing that a sensor could not see becomes an outcome by being turned around.
Test(compose, what_has_no_outcome_stays_when_turned) {
    for (size_t i = 0; i < EVERY; i++)
        if (every[i].degree_millionths < 0) cr_assert(same(turned(every[i]), every[i]));
}

Test(compose, reasons_speak_of_the_standard_not_of_the_check) {
    struct judgement held = {
        .verdict = VERDICT_MET, .reason = REASON_HELD, .degree_millionths = MILLION};
    cr_assert(eq(int, turned(held).reason, REASON_VIOLATED));
    struct judgement silent = {.verdict = VERDICT_NOT_MET, .reason = REASON_NOT_OBSERVED};
    cr_assert(eq(int, turned(silent).reason, REASON_HELD));
}
