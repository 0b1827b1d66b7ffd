#include "common/domain/encounter.h"

#include <string.h>

static const char *const names[OUTCOME_COUNT] = {
    [OUTCOME_OPEN] = "open",           [OUTCOME_NORMAL] = "normal",
    [OUTCOME_NO_SHOW] = "no_show",     [OUTCOME_TRANSFERRED] = "transferred",
    [OUTCOME_ABANDONED] = "abandoned", [OUTCOME_TIMEOUT] = "timeout",
};

const char *outcome_name(enum outcome outcome) {
    return (size_t)outcome < OUTCOME_COUNT ? names[outcome] : "unknown";
}

bool outcome_parse(const char *text, size_t size, enum outcome *outcome) {
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        if (strlen(names[i]) != size || memcmp(names[i], text, size) != 0) continue;
        *outcome = (enum outcome)i;
        return true;
    }
    return false;
}

int64_t encounter_begin_ms(const struct encounter *encounter) {
    const int64_t times[] = {encounter->issued_ms, encounter->called_ms, encounter->started_ms,
                             encounter->ended_ms};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i] != TIME_NONE) return times[i];
    return TIME_NONE;
}

enum err encounter_check(const struct encounter *encounter, struct problem *problem) {
    const struct {
        const char *name;
        int64_t at_ms;
    } times[] = {{"issued", encounter->issued_ms},
                 {"called", encounter->called_ms},
                 {"started", encounter->started_ms},
                 {"ended", encounter->ended_ms}};
    const char *earlier = NULL;
    int64_t earlier_ms = 0;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (times[i].at_ms == TIME_NONE) continue;
        if (!time_plausible(times[i].at_ms))
            return problem_set(problem, ERR_RANGE, "encounter %s: %s is not within 1970..2100",
                               encounter->id.text, times[i].name);
        if (earlier && times[i].at_ms < earlier_ms)
            return problem_set(problem, ERR_RANGE, "encounter %s: %s lies before %s",
                               encounter->id.text, times[i].name, earlier);
        earlier = times[i].name;
        earlier_ms = times[i].at_ms;
    }
    return ERR_NONE;
}
