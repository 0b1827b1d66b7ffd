#include "worker/standards/plan.h"

#include "worker/standards/days.h"
#include "worker/standards/model.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

static size_t note(const struct days *days, int32_t *out) {
    size_t count = 0;
    if (days->from > 0) out[count++] = days->from;
    if (days->until < INT32_MAX) out[count++] = day_after(days->until);
    return count;
}

/// The days on which anything may change, ascending, each once; the first is 0.
static int32_t *changes(const struct standards *standards, size_t *count) {
    int32_t *days =
        calloc(1 + 2 * (standards->rule_count + standards->overlay_count), sizeof *days);
    if (!days) return NULL;
    size_t found = 1, kept = 1;
    for (size_t i = 0; i < standards->rule_count; i++)
        found += note(&standards->rules[i].days, &days[found]);
    for (size_t i = 0; i < standards->overlay_count; i++)
        found += note(&standards->overlays[i].days, &days[found]);
    qsort(days, found, sizeof *days, ascending);
    for (size_t i = 1; i < found; i++)
        if (days[i] != days[kept - 1]) days[kept++] = days[i];
    *count = kept;
    return days;
}

static bool same(const struct standard_set *a, const struct standard_set *b) {
    return memcmp(a->hash, b->hash, SET_HASH_SIZE) == 0;
}

enum err standards_plan(const struct standards *standards, const struct standards_place *place,
                        struct standards_plan *out, struct problems *problems) {
    size_t count = 0;
    int32_t *days = changes(standards, &count);
    struct standards_plan plan = {.sets = calloc(count ? count : 1, sizeof *plan.sets)};
    enum err err = days && plan.sets ? ERR_NONE : ERR_NOMEM;
    if (err) problems_add(problems, ERR_NOMEM, place->branch, "out of memory");
    for (size_t i = 0; i < count && err != ERR_NOMEM; i++) {
        struct standards_place then = *place;
        struct standard_set *set;
        then.day = days[i];
        enum err one = standards_resolve(standards, &then, &set, problems);
        if (one)
            err = one;
        else if (plan.count > 0 && same(plan.sets[plan.count - 1].set, set))
            standard_set_free(set);
        else
            plan.sets[plan.count++] = (struct dated_set){days[i], set};
    }
    free(days);
    if (err)
        standards_plan_fini(&plan);
    else
        *out = plan;
    return err;
}

void standards_plan_fini(struct standards_plan *plan) {
    for (size_t i = 0; i < plan->count; i++)
        standard_set_free((struct standard_set *)plan->sets[i].set);
    free(plan->sets);
    *plan = (struct standards_plan){0};
}

/// Appends the sets of `from` that hold in [from_day, until_day) and lets go of the others.
static void move_sets(struct standards_plan *from, int32_t from_day, int32_t until_day,
                      struct standards_plan *to) {
    for (size_t i = 0; i < from->count; i++) {
        struct dated_set *dated = &from->sets[i];
        bool over = i + 1 < from->count && from->sets[i + 1].from <= from_day;
        bool again = to->count > 0 && same(to->sets[to->count - 1].set, dated->set);
        if (over || again || dated->from >= until_day) {
            standard_set_free((struct standard_set *)dated->set);
            continue;
        }
        int32_t day = dated->from > from_day ? dated->from : from_day;
        to->sets[to->count++] = (struct dated_set){day, dated->set};
    }
    free(from->sets);
    *from = (struct standards_plan){0};
}

enum err standards_plan_follow(struct standards_plan *plan, int32_t from,
                               struct standards_plan *next) {
    struct standards_plan joined = {.sets = calloc(plan->count + next->count, sizeof *joined.sets)};
    if (!joined.sets) return ERR_NOMEM;
    move_sets(plan, 0, from, &joined);
    move_sets(next, from, INT32_MAX, &joined);
    *plan = joined;
    return ERR_NONE;
}

/// The place of the set that holds on a day.
static size_t place_at(const struct standards_plan *plan, int32_t day) {
    size_t i = plan->count - 1;
    while (i > 0 && plan->sets[i].from > day)
        i--;
    return i;
}

/// On which the set after this one begins; INT32_MAX: there is none.
static int32_t next_day(const struct standards_plan *plan, size_t place) {
    return place + 1 < plan->count ? plan->sets[place + 1].from : INT32_MAX;
}

int32_t standards_plan_change(const struct standards_plan *before,
                              const struct standards_plan *after, int32_t first, int32_t last) {
    size_t a = place_at(before, first), b = place_at(after, first);
    int32_t day = first;
    while (day <= last && day < INT32_MAX) {
        if (!same(before->sets[a].set, after->sets[b].set)) return day;
        int32_t next_a = next_day(before, a), next_b = next_day(after, b);
        day = next_a < next_b ? next_a : next_b;
        a += next_a == day;
        b += next_b == day;
    }
    return INT32_MAX;
}

const struct standard_set *standards_plan_set(const struct standards_plan *plan, const char *hash) {
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->sets[i].set->hash_text, hash) == 0) return plan->sets[i].set;
    return NULL;
}
