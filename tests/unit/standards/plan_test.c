// One plan after another: what held before the day holds still, and from it on the next one's.

#include "worker/standards/plan.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

enum { DAYS = 12, SETS_MOST = 4, KINDS = 3, RUNS = 20000 };

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/// Days are 0..DAYS, sets are told apart by one of KINDS hashes.
static struct standards_plan random_plan(uint32_t *state) {
    struct standards_plan plan = {.sets = calloc(SETS_MOST, sizeof *plan.sets)};
    int32_t day = 0;
    uint8_t before = 0;
    size_t count = 1 + next_random(state) % SETS_MOST;
    for (size_t i = 0; i < count && day <= DAYS; i++) {
        struct standard_set *set = calloc(1, sizeof *set);
        do {
            set->hash[0] = (uint8_t)(1 + next_random(state) % KINDS);
        } while (set->hash[0] == before);
        before = set->hash[0];
        plan.sets[plan.count++] = (struct dated_set){day, set};
        day += (int32_t)(1 + next_random(state) % 5);
    }
    return plan;
}

static void judged_on(const struct standards_plan *plan, uint8_t out[DAYS + 1]) {
    for (int32_t day = 0; day <= DAYS; day++)
        out[day] = standards_plan_at(plan, day)->hash[0];
}

static void check_form(const struct standards_plan *plan) {
    cr_assert(eq(i32, plan->sets[0].from, 0));
    for (size_t i = 1; i < plan->count; i++) {
        cr_assert(plan->sets[i - 1].from < plan->sets[i].from);
        cr_assert(plan->sets[i - 1].set->hash[0] != plan->sets[i].set->hash[0]);
    }
}

Test(plan, what_follows_changes_nothing_before_its_day) {
    uint32_t state = 4711;
    for (int run = 0; run < RUNS; run++) {
        struct standards_plan plan = random_plan(&state), next = random_plan(&state);
        uint8_t before[DAYS + 1], after[DAYS + 1], joined[DAYS + 1];
        int32_t from = 1 + (int32_t)(next_random(&state) % DAYS);
        judged_on(&plan, before);
        judged_on(&next, after);
        cr_assert(eq(int, standards_plan_follow(&plan, from, &next), ERR_NONE));
        judged_on(&plan, joined);
        check_form(&plan);
        for (int32_t day = 0; day <= DAYS; day++)
            cr_assert(eq(u8, joined[day], day < from ? before[day] : after[day]));
        standards_plan_fini(&plan);
        standards_plan_fini(&next);
    }
}

// Never in the past: this is the day that a publication is refused with.
Test(plan, the_first_change_is_that_of_looking_at_each_day) {
    uint32_t state = 815;
    for (int run = 0; run < RUNS; run++) {
        struct standards_plan before = random_plan(&state), after = random_plan(&state);
        uint8_t was[DAYS + 1], is[DAYS + 1];
        judged_on(&before, was);
        judged_on(&after, is);
        int32_t first = (int32_t)(next_random(&state) % DAYS);
        for (int32_t last = first; last <= DAYS; last++) {
            int32_t day = first;
            while (day <= last && was[day] == is[day])
                day++;
            cr_assert(eq(i32, standards_plan_change(&before, &after, first, last),
                         day > last ? INT32_MAX : day));
        }
        standards_plan_fini(&before);
        standards_plan_fini(&after);
    }
}

Test(plan, what_follows_from_tomorrow_changes_nothing_until_today) {
    uint32_t state = 99;
    for (int run = 0; run < RUNS; run++) {
        uint32_t same = state;
        struct standards_plan plan = random_plan(&state), next = random_plan(&state);
        struct standards_plan before = random_plan(&same);
        int32_t today = (int32_t)(next_random(&state) % DAYS);
        cr_assert(eq(int, standards_plan_follow(&plan, today + 1, &next), ERR_NONE));
        cr_assert(eq(i32, standards_plan_change(&before, &plan, 0, today), INT32_MAX));
        standards_plan_fini(&before);
        standards_plan_fini(&plan);
    }
}
