#pragma once
// A day of a simulated branch: clients come, wait in one line, are called to the counter that is
// free first, served, sent on; some do not come when called, some have no patience.

#include "common/domain/encounter.h"
#include "sensors-gw/simulate/conduct.h"

struct offering_form {
    const char *name;
    double share;                 // of the clients
    int32_t median_s;             // of a service
    int32_t opening_s, closing_s; // its first and last phase
};
enum { OFFERING_FORMS = 3 };
extern const struct offering_form offering_forms[OFFERING_FORMS];

/// One client. Times are seconds after the branch opened; -1: did not happen.
struct visit {
    uint32_t number; // on its day, from 0: as the clients came
    const struct offering_form *offering;
    const char *language;
    uint32_t counter, employee; // who serves or called
    enum outcome outcome;
    int32_t issued_s, called_s, started_s, ended_s;
    struct conduct conduct; // when it was served
};

struct branch_form {
    uint64_t seed;
    uint32_t counters, employees; // > 0
    int32_t open_s;               // how long the branch is open
    double clients_an_hour;
    double person_share, day_share; // see struct traits
};

enum { VISITS_MAX = 4096 };

/// What the day of this number (any, such as days since 1970) brings: the same for the same branch.
/// Returns how many visits, in the order of issued_s; all have ended.
uint32_t day_draw(const struct branch_form *branch, int64_t day, struct visit visits[VISITS_MAX]);
