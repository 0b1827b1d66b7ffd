#pragma once
// One employee serving one client at one counter.

#include "common/domain/ids.h"
#include "common/domain/time.h"

enum outcome {
    OUTCOME_OPEN, // no end yet
    OUTCOME_NORMAL,
    OUTCOME_NO_SHOW,
    OUTCOME_TRANSFERRED,
    OUTCOME_ABANDONED,
    OUTCOME_TIMEOUT,
    OUTCOME_COUNT
};
const char *outcome_name(enum outcome outcome); // "open", "normal", "no_show" ...
bool outcome_parse(const char *text, size_t size, enum outcome *outcome);

struct encounter {
    struct name id;
    struct id counter, gateway, offering; // offering may be empty
    char employee[EMPLOYEE_MAX + 1];      // pseudonym; empty: nobody (abandoned before service)
    char language[LANGUAGE_MAX + 1];      // empty: unknown
    enum outcome outcome;
    int64_t issued_ms, called_ms, started_ms, ended_ms; // TIME_NONE where it did not happen
};

/// The earliest time it knows: issued, else called, else started, else ended.
int64_t encounter_begin_ms(const struct encounter *encounter);
/// ERR_RANGE: a time is implausible or they are not in the order issued, called, started, ended.
MUST_CHECK enum err encounter_check(const struct encounter *encounter, struct problem *problem);
