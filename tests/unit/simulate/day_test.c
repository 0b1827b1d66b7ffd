// What is known of a simulated branch before anything is measured: its timetable and its variance.

#include "sensors-gw/simulate/day.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

static struct visit visits[VISITS_MAX], others[VISITS_MAX];

static struct branch_form branch_of(uint64_t seed) {
    return (struct branch_form){.seed = seed,
                                .counters = 3,
                                .employees = 7,
                                .open_s = 8 * 3600,
                                .clients_an_hour = 45,
                                .person_share = 0.3,
                                .day_share = 0.2};
}

Test(day, is_the_same_for_the_same_seed_and_another_for_another) {
    struct branch_form branch = branch_of(7), other = branch_of(8);
    memset(visits, 0, sizeof visits);
    memset(others, 0, sizeof others);
    uint32_t count = day_draw(&branch, 20780, visits);
    cr_assert(eq(u32, day_draw(&branch, 20780, others), count));
    cr_assert(eq(int, memcmp(visits, others, sizeof visits), 0));
    day_draw(&branch, 20781, others);
    cr_assert(ne(int, memcmp(visits, others, sizeof visits), 0));
    day_draw(&other, 20780, others);
    cr_assert(ne(int, memcmp(visits, others, sizeof visits), 0));
}

// One line: who came first is called first; a counter serves one client at a time.
Test(day, is_possible) {
    uint32_t outcomes[OUTCOME_COUNT] = {0};
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct branch_form branch = branch_of(seed);
        uint32_t count = day_draw(&branch, 20780, visits);
        int32_t busy_s[3] = {0}, called_s = 0;
        cr_assert(gt(u32, count, 250));
        cr_assert(lt(u32, count, 450));
        for (uint32_t i = 0; i < count; i++) {
            const struct visit *v = &visits[i];
            outcomes[v->outcome]++;
            cr_assert(lt(u32, v->counter, 3));
            cr_assert(le(i32, v->issued_s, v->ended_s));
            if (i) cr_assert(le(i32, visits[i - 1].issued_s, v->issued_s));
            if (v->called_s < 0) continue;
            cr_assert(lt(u32, v->employee, 7));
            cr_assert(ge(i32, v->called_s, called_s));
            cr_assert(ge(i32, v->called_s, busy_s[v->counter]));
            called_s = v->called_s;
            busy_s[v->counter] = v->ended_s;
            if (v->started_s < 0) continue;
            cr_assert(le(i32, v->called_s, v->started_s));
            cr_assert(lt(i32, v->started_s, v->ended_s));
        }
    }
    cr_assert(gt(u32, outcomes[OUTCOME_NORMAL], 10000));
    cr_assert(gt(u32, outcomes[OUTCOME_ABANDONED], 100));
    cr_assert(gt(u32, outcomes[OUTCOME_NO_SHOW], 100));
    cr_assert(gt(u32, outcomes[OUTCOME_TRANSFERRED], 100));
}

// The share of the variance that is a person's, a day's, an encounter's is what was asked for:
// nested analysis of variance (Searle et al., Variance Components, 1992, 3.2), balanced.
Test(day, has_the_variance_it_was_asked_for) {
    enum { PERSONS = 200, DAYS = 20, VISITS = 10 };
    const struct traits traits = {42, 0.35, 0.15};
    double of_days[PERSONS] = {0}, within = 0, between_days = 0, between_persons = 0, all = 0;
    for (uint32_t p = 0; p < PERSONS; p++) {
        double means[DAYS];
        for (int d = 0; d < DAYS; d++) {
            double sum = 0, squares = 0;
            for (uint32_t v = 0; v < VISITS; v++) {
                double z = trait_of(&traits, TRAIT_STANCE, p, d, p * VISITS + v);
                sum += z;
                squares += z * z;
            }
            means[d] = sum / VISITS;
            within += squares - sum * sum / VISITS;
            of_days[p] += means[d] / DAYS;
        }
        for (int d = 0; d < DAYS; d++)
            between_days += pow(means[d] - of_days[p], 2);
        all += of_days[p] / PERSONS;
    }
    for (uint32_t p = 0; p < PERSONS; p++)
        between_persons += pow(of_days[p] - all, 2);
    double encounter = within / (PERSONS * DAYS * (VISITS - 1.0));
    double day = between_days / (PERSONS * (DAYS - 1.0)) - encounter / VISITS;
    double person = between_persons / (PERSONS - 1.0) - (day + encounter / VISITS) / DAYS;
    cr_assert(epsilon_eq(dbl, encounter, 0.5, 0.02), "%g", encounter);
    cr_assert(epsilon_eq(dbl, day, 0.15, 0.02), "%g", day);
    cr_assert(epsilon_eq(dbl, person, 0.35, 0.08), "%g", person);
}
