#include "sensors-gw/simulate/truth.h"

#include <math.h>
#include <stdbool.h>

enum figure {
    FIGURE_WAIT,      // s
    FIGURE_WAY,       // from the call to the start, s
    FIGURE_SERVICE,   // s
    FIGURE_MEAN,      // of a quantity
    FIGURE_LEAST,     //
    FIGURE_LOUD,      // its 95th percentile
    FIGURE_SHARE,     // % of the time within its band
    FIGURE_FIRST,     // when it is first within its band, while the service opens; s
    FIGURE_SAID,      // when a phrase is said first, s
    FIGURE_SAID_SOON, // the same, while the service opens
    FIGURE_SAID_LAST, // how many goodbyes there are while the service closes
    FIGURE_COUNT,     // how often a phrase is said
};

/// Which clients it is promised to.
enum whom { SERVED, SERVED_AND_KNOWN, SERVED_IN_TIME, EVERYBODY };

/// One sentence of the company. Bounds of what is made of a quantity are in its grains.
struct promise {
    const char *standard;
    enum whom whom;
    enum figure figure;
    int what; // enum quantity or enum phrase
    double least, most;
    int32_t band_least, band_most;
    const struct offering_form *stricter; // than all others; NULL: none
    double stricter_least, stricter_most;
};

#define CASH &offering_forms[0]
#define RETURNS &offering_forms[1]
#define ADVICE &offering_forms[2]

static const struct promise promises[TRUTHS] = {
    {"appearance.badge", SERVED, FIGURE_MEAN, QUANTITY_BADGE, 90, INFINITY, 0, 0, NULL, 0, 0},
    {"appearance.tidiness", SERVED, FIGURE_MEAN, QUANTITY_TIDINESS, 40, INFINITY, 0, 0, NULL, 0, 0},
    {"appearance.uniform", SERVED, FIGURE_MEAN, QUANTITY_UNIFORM, 80, INFINITY, 0, 0, NULL, 0, 0},
    {"expression.facing", SERVED, FIGURE_SHARE, QUANTITY_FACING, 60, INFINITY, 0, 30, NULL, 0, 0},
    {"expression.gaze", SERVED, FIGURE_MEAN, QUANTITY_GAZE, 30, INFINITY, 0, 0, NULL, 0, 0},
    {"expression.smile", SERVED, FIGURE_FIRST, QUANTITY_SMILE, 0, 10, 50, INT32_MAX, NULL, 0, 0},
    {"proxemics.closest", SERVED, FIGURE_LEAST, QUANTITY_CLIENT, 45, INFINITY, 0, 0, NULL, 0, 0},
    {"proxemics.mean", SERVED, FIGURE_MEAN, QUANTITY_CLIENT, 75, 210, 0, 0, NULL, 0, 0},
    {"proxemics.zone", SERVED, FIGURE_SHARE, QUANTITY_CLIENT, 80, INFINITY, 45, 210, NULL, 0, 0},
    {"safety.crowding", SERVED, FIGURE_LEAST, QUANTITY_BYSTANDER, 45, INFINITY, 0, 0, NULL, 0, 0},
    {"safety.discretion", SERVED, FIGURE_SHARE, QUANTITY_BYSTANDER, 90, INFINITY, 120, INT32_MAX,
     ADVICE, 95, INFINITY},
    {"safety.identity", SERVED_AND_KNOWN, FIGURE_SAID, PHRASE_IDENTITY_CHECK, 0, 60, 0, 0, NULL, 0,
     0},
    {"safety.loudness", SERVED, FIGURE_LOUD, QUANTITY_LOUDNESS, -INFINITY, -170, 0, 0, NULL, 0, 0},
    {"timing.first_contact", EVERYBODY, FIGURE_WAY, 0, 0, 30, 0, 0, RETURNS, 0, 20},
    {"timing.service", SERVED_IN_TIME, FIGURE_SERVICE, 0, 10, 600, 0, 0, CASH, 10, 300},
    {"timing.wait", EVERYBODY, FIGURE_WAIT, 0, 0, 120, 0, 0, NULL, 0, 0},
    {"wording.farewell", SERVED, FIGURE_SAID_LAST, 0, 1, INFINITY, 0, 0, NULL, 0, 0},
    {"wording.forbidden", SERVED, FIGURE_COUNT, PHRASE_FORBIDDEN, 0, 0, 0, 0, NULL, 0, 0},
    {"wording.greeting", SERVED, FIGURE_SAID_SOON, PHRASE_GREETING, 0, 10, 0, 0, NULL, 0, 0},
    {"wording.thanks", SERVED, FIGURE_COUNT, PHRASE_THANKS, 1, INFINITY, 0, 0, NULL, 0, 0},
};

static bool promised(const struct visit *v, const struct promise *p) {
    bool advice = v->offering == ADVICE, cash = v->offering == CASH;
    switch (p->whom) {
    case EVERYBODY: // who gave up before the bound proves nothing
        if (v->outcome == OUTCOME_ABANDONED)
            return p->figure == FIGURE_WAIT && v->ended_s - v->issued_s > p->most;
        return v->started_s >= 0;
    case SERVED_AND_KNOWN:
        return v->started_s >= 0 && !cash;
    case SERVED_IN_TIME: // advice takes as long as it takes
        return v->started_s >= 0 && !advice;
    case SERVED:
        break;
    }
    return v->started_s >= 0;
}

/// A moment of the service, if there was one before `end_s`.
static double moment(int32_t at_s, int32_t end_s) {
    return at_s >= 0 && at_s < end_s ? (double)at_s : (double)NAN;
}

static int32_t goodbyes(const struct visit *v, int32_t service_s) {
    const int32_t *said_s = v->conduct.said_s;
    int32_t from_s = service_s - v->offering->closing_s;
    if (from_s < 0) from_s = 0;
    return (said_s[PHRASE_FAREWELL] >= from_s) + (said_s[PHRASE_THANKS] >= from_s);
}

static double figure_of(const struct visit *v, const struct promise *p) {
    const struct course *course = &v->conduct.courses[p->what < QUANTITY_COUNT ? p->what : 0];
    int32_t said_s = v->conduct.said_s[p->what < PHRASE_COUNT ? p->what : 0];
    int32_t service_s = v->ended_s - v->started_s, opening_s = v->offering->opening_s;
    if (opening_s > service_s) opening_s = service_s;
    switch (p->figure) {
    case FIGURE_WAIT:
        return (v->started_s >= 0 ? v->started_s : v->ended_s) - v->issued_s;
    case FIGURE_WAY:
        return v->started_s - v->called_s;
    case FIGURE_SERVICE:
        return service_s;
    case FIGURE_MEAN:
        return course_mean(course, service_s);
    case FIGURE_LEAST:
        return course_least(course, service_s);
    case FIGURE_LOUD:
        return course_quantile(course, service_s, 95);
    case FIGURE_SHARE:
        return course_share(course, service_s, p->band_least, p->band_most);
    case FIGURE_FIRST:
        return moment(course_first(course, service_s, p->band_least), opening_s);
    case FIGURE_SAID:
        return moment(said_s, service_s);
    case FIGURE_SAID_SOON:
        return moment(said_s, opening_s);
    case FIGURE_SAID_LAST:
        return goodbyes(v, service_s);
    case FIGURE_COUNT:
        break;
    }
    return said_s >= 0;
}

/// From a quantity's grains to its unit; everything else is in the standard's unit already.
static double in_unit(const struct promise *p, double figure) {
    bool grains = p->figure == FIGURE_MEAN || p->figure == FIGURE_LEAST || p->figure == FIGURE_LOUD;
    return grains ? figure * quantity_forms[p->what].grain : figure;
}

void truth_tell(const struct visit *visit, struct truth truths[TRUTHS]) {
    for (int i = 0; i < TRUTHS; i++) {
        const struct promise *p = &promises[i];
        truths[i] = (struct truth){p->standard, TRUTH_NOT_APPLICABLE, NAN};
        if (!promised(visit, p)) continue;
        double figure = figure_of(visit, p);
        bool stricter = p->stricter && visit->offering == p->stricter;
        double least = stricter ? p->stricter_least : p->least;
        double most = stricter ? p->stricter_most : p->most;
        bool met = least <= figure && figure <= most; // not so for what never happened
        truths[i].says = met ? TRUTH_MET : TRUTH_NOT_MET;
        truths[i].value = in_unit(p, figure);
    }
}
