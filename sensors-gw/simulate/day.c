#include "sensors-gw/simulate/day.h"

#include "common/base/chance.h"

#include <assert.h>
#include <math.h>

const struct offering_form offering_forms[OFFERING_FORMS] = {
    {"cash", 0.55, 110, 10, 10},
    {"returns", 0.25, 200, 15, 15},
    {"advice", 0.20, 340, 30, 30},
};

enum {
    COUNTERS_MAX = 256,
    LAST_TICKET_S = 600, // before the branch closes
    NO_SHOW_S = 45,      // how long a called client is waited for
};

/// What of a visit no trait decides.
enum chance_of_visit { COMING, OFFERING, LANGUAGE, PATIENCE, SHOWING_UP, TRANSFER, HURRY, PAUSE };

struct drawing {
    const struct branch_form *branch;
    int64_t day;
    int32_t free_s[COUNTERS_MAX]; // when each counter is free
};

static double even(const struct drawing *d, const struct visit *v, enum chance_of_visit what) {
    enum { VISIT = 2000 };
    return trait_even(d->branch->seed, VISIT + what, (uint64_t)d->day << 32 | v->number);
}

static const struct offering_form *pick_offering(double at) {
    size_t i = 0;
    while (i < OFFERING_FORMS - 1 && (at -= offering_forms[i].share) >= 0)
        i++;
    return &offering_forms[i];
}

/// Two shifts; from day to day everybody moves on by one place.
static uint32_t on_duty(const struct drawing *d, uint32_t counter, int32_t second) {
    uint32_t place = counter * 2 + (second >= d->branch->open_s / 2);
    return (uint32_t)((place + (uint64_t)d->day) % d->branch->employees);
}

static uint32_t free_first(const struct drawing *d) {
    uint32_t first = 0;
    for (uint32_t i = 1; i < d->branch->counters; i++)
        if (d->free_s[i] < d->free_s[first]) first = i;
    return first;
}

static void serve(struct drawing *d, const struct traits *traits, struct visit *v) {
    double prompt = trait_of(traits, TRAIT_PROMPT, v->employee, d->day, v->number);
    double pace = trait_of(traits, TRAIT_PACE, v->employee, d->day, v->number);
    double walk_s = fmin(300, fmax(2, exp(2.6 + 0.6 * prompt)));
    double service_s = fmin(3600, fmax(15, v->offering->median_s * exp(0.5 * pace)));
    double hurry = even(d, v, HURRY);
    if (hurry < 0.02) service_s = 4 + 400 * hurry; // sent away
    v->started_s = v->called_s + (int32_t)walk_s;
    v->ended_s = v->started_s + (int32_t)service_s;
    v->outcome = even(d, v, TRANSFER) < 0.03 ? OUTCOME_TRANSFERRED : OUTCOME_NORMAL;
    conduct_draw(traits, v->employee, d->day, v->number, (int32_t)service_s, &v->conduct);
    d->free_s[v->counter] = v->ended_s + 3 + (int32_t)(12 * even(d, v, PAUSE));
}

/// From the ticket to the end.
static void attend(struct drawing *d, const struct traits *traits, struct visit *v) {
    v->called_s = v->started_s = -1;
    v->counter = free_first(d);
    int32_t ready_s = d->free_s[v->counter];
    if (ready_s < v->issued_s + 3) ready_s = v->issued_s + 3;
    int32_t patience_s = 240 + (int32_t)(660 * even(d, v, PATIENCE));
    if (ready_s - v->issued_s > patience_s) {
        v->ended_s = v->issued_s + patience_s;
        v->outcome = OUTCOME_ABANDONED;
        return;
    }
    v->called_s = ready_s;
    v->employee = on_duty(d, v->counter, ready_s);
    if (even(d, v, SHOWING_UP) < 0.03) {
        v->ended_s = d->free_s[v->counter] = ready_s + NO_SHOW_S;
        v->outcome = OUTCOME_NO_SHOW;
        return;
    }
    serve(d, traits, v);
}

/// Seconds until the next client: in the middle of the day more come.
static double pause_s(const struct drawing *d, const struct visit *v, double at_s) {
    double of_day = at_s / d->branch->open_s;
    double rush = of_day > 0.38 && of_day < 0.62 ? 1.4 : 0.87; // the same number in all
    return -log(even(d, v, COMING)) * 3600 / (d->branch->clients_an_hour * rush);
}

uint32_t day_draw(const struct branch_form *branch, int64_t day, struct visit visits[VISITS_MAX]) {
    static const char *const languages[] = {"de", "en", "pl"};
    struct drawing d = {.branch = branch, .day = day};
    const struct traits traits = {branch->seed, branch->person_share, branch->day_share};
    assert(branch->counters > 0 && branch->counters <= COUNTERS_MAX && branch->employees > 0);
    double at_s = 20;
    uint32_t count = 0;
    for (; count < VISITS_MAX && at_s < branch->open_s - LAST_TICKET_S; count++) {
        struct visit *v = &visits[count];
        *v = (struct visit){.number = count, .issued_s = (int32_t)at_s};
        v->offering = pick_offering(even(&d, v, OFFERING));
        double language = even(&d, v, LANGUAGE);
        v->language = languages[(language > 0.85) + (language > 0.95)];
        attend(&d, &traits, v);
        at_s += pause_s(&d, v, at_s);
    }
    return count;
}
