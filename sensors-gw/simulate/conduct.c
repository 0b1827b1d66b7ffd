#include "sensors-gw/simulate/conduct.h"

#include <math.h>

const struct quantity_form quantity_forms[QUANTITY_COUNT] = {
    [QUANTITY_CLIENT] = {"distance.client", 0.01, 1},
    [QUANTITY_BYSTANDER] = {"distance.bystander", 0.01, 1},
    [QUANTITY_SMILE] = {"vision.smile", 0.01, 1},
    [QUANTITY_FACING] = {"vision.facing", 1, 1},
    [QUANTITY_GAZE] = {"vision.gaze", 0.01, 1},
    [QUANTITY_LOUDNESS] = {"audio.loudness", 0.1, 1},
    [QUANTITY_BADGE] = {"appearance.badge", 0.01, 10},
    [QUANTITY_UNIFORM] = {"appearance.uniform", 0.01, 10},
    [QUANTITY_TIDINESS] = {"appearance.tidiness", 0.1, 10},
};

const char *const phrase_names[PHRASE_COUNT] = {
    [PHRASE_GREETING] = "greeting",   [PHRASE_FAREWELL] = "farewell",
    [PHRASE_THANKS] = "thanks",       [PHRASE_IDENTITY_CHECK] = "identity_check",
    [PHRASE_FORBIDDEN] = "forbidden",
};

/// Who behaves, and how long.
struct draw {
    const struct traits *traits;
    uint32_t person, visit;
    int64_t day;
    int32_t service_s;
};

static double z_of(const struct draw *d, enum trait trait) {
    return trait_of(d->traits, trait, d->person, d->day, d->visit);
}

/// A detail that no trait decides, 0..1.
static double detail(const struct draw *d, uint64_t which) {
    enum { DETAIL = 1000 }; // beside all that traits are made of
    return trait_even(d->traits->seed, DETAIL + which, (uint64_t)d->day << 32 | d->visit);
}

static int32_t within(double value, double least, double most) {
    return (int32_t)lround(fmin(most, fmax(least, value)));
}

/// A stretch of at most for_s that lies well inside one half of the service.
static struct stretch in_half(const struct draw *d, int half, double for_s, int32_t level,
                              uint64_t which) {
    int32_t room_s = d->service_s / 2 - 2;
    struct stretch stretch = {.for_s = within(for_s, 0, room_s > 0 ? room_s : 0), .level = level};
    if (stretch.for_s)
        stretch.from_s =
            half * (d->service_s / 2) + 1 + (int32_t)(detail(d, which) * (room_s - stretch.for_s));
    return stretch;
}

static void stand(const struct draw *d, struct conduct *c) {
    double close = z_of(d, TRAIT_CLOSE), leaving = z_of(d, TRAIT_LEAVING);
    double company = z_of(d, TRAIT_COMPANY), service_s = d->service_s;
    struct course *client = &c->courses[QUANTITY_CLIENT];
    client->level = within(110 + 22 * z_of(d, TRAIT_STANCE), 50, 350);
    if (close > 1.5)
        client->stretches[0] =
            in_half(d, 0, 3 + 8 * detail(d, 0), within(25 + 35 * detail(d, 1), 25, 60), 2);
    if (leaving > 0.8)
        client->stretches[1] =
            in_half(d, 1, 0.2 * leaving * service_s, within(260 + 140 * detail(d, 3), 260, 400), 4);
    struct course *bystander = &c->courses[QUANTITY_BYSTANDER];
    bystander->level = 220; // nobody within the sensor's reach
    if (company > 0.7)
        bystander->stretches[0] = in_half(d, 1, 0.25 * (company - 0.6) * service_s,
                                          within(40 + 130 * detail(d, 5), 40, 170), 6);
}

static void look(const struct draw *d, struct conduct *c) {
    double late = z_of(d, TRAIT_SMILE), turned = 0.25 + 0.15 * z_of(d, TRAIT_TURNING);
    int32_t smiles_s = within(exp(1.3 + 0.8 * late), 0, 1000);
    struct course *smile = &c->courses[QUANTITY_SMILE];
    smile->level = 5;
    if (late < 2 && smiles_s + 3 <= d->service_s)
        smile->stretches[0] = (struct stretch){smiles_s, 3, 85};

    struct stretch away = in_half(d, 0, turned * d->service_s, 70, 7);
    double more_s = turned * d->service_s - away.for_s; // than half of the service holds
    struct stretch again = in_half(d, 1, more_s, 70, 8);
    struct course *facing = &c->courses[QUANTITY_FACING], *gaze = &c->courses[QUANTITY_GAZE];
    facing->level = 12;
    gaze->level = within(55 + 12 * z_of(d, TRAIT_GAZE), 5, 95);
    facing->stretches[0] = gaze->stretches[0] = away;
    facing->stretches[1] = gaze->stretches[1] = again;
    gaze->stretches[0].level = gaze->stretches[1].level = 0;
}

static void dress(const struct draw *d, struct conduct *c) {
    double less = z_of(d, TRAIT_UNIFORM);
    c->courses[QUANTITY_BADGE].level = z_of(d, TRAIT_BADGE) < 1.5 ? 100 : 0;
    c->courses[QUANTITY_UNIFORM].level = less < 0.8 ? 100 : less < 1.3 ? 75 : less < 1.8 ? 50 : 25;
    c->courses[QUANTITY_TIDINESS].level = within(46 + 6 * z_of(d, TRAIT_TIDINESS), 10, 50);
}

static int32_t if_inside(const struct draw *d, double at_s) {
    return at_s >= 0 && at_s < d->service_s ? (int32_t)at_s : -1;
}

static void speak(const struct draw *d, struct conduct *c) {
    double voice = z_of(d, TRAIT_VOICE), greets = z_of(d, TRAIT_GREETING);
    double forgets = z_of(d, TRAIT_FAREWELL), checks = z_of(d, TRAIT_IDENTITY);
    struct course *loudness = &c->courses[QUANTITY_LOUDNESS];
    loudness->level = within(-260 + 12 * voice, -300, -220);
    if (voice > 1)
        loudness->stretches[0] = in_half(d, 1, 0.2 * (voice - 0.9) * d->service_s,
                                         within(-160 + 50 * detail(d, 9), -160, -110), 10);
    for (int i = 0; i < PHRASE_COUNT; i++)
        c->said_s[i] = -1;
    if (greets < 1.9) c->said_s[PHRASE_GREETING] = if_inside(d, round(exp(1.1 + 0.8 * greets)));
    enum phrase bye = detail(d, 11) < 0.5 ? PHRASE_FAREWELL : PHRASE_THANKS;
    if (forgets < 1.2)
        c->said_s[bye] = if_inside(d, d->service_s - 2 - (int32_t)(4 * detail(d, 12)));
    else if (forgets < 1.6) // too early
        c->said_s[bye] = if_inside(d, d->service_s * 0.3);
    if (checks < 2) c->said_s[PHRASE_IDENTITY_CHECK] = if_inside(d, round(exp(3.3 + 0.6 * checks)));
    if (z_of(d, TRAIT_TEMPER) > 2) c->said_s[PHRASE_FORBIDDEN] = if_inside(d, d->service_s * 0.6);
}

void conduct_draw(const struct traits *traits, uint32_t person, int64_t day, uint32_t visit,
                  int32_t service_s, struct conduct *conduct) {
    const struct draw draw = {traits, person, visit, day, service_s};
    *conduct = (struct conduct){0};
    stand(&draw, conduct);
    look(&draw, conduct);
    dress(&draw, conduct);
    speak(&draw, conduct);
}
