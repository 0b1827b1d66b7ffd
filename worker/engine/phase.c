#include "worker/engine/phase.h"

const struct offering *phase_offering(const struct standard_set *set, const struct id *offering) {
    for (size_t i = 0; i < set->offering_count; i++)
        if (id_equal(&set->offerings[i].id, offering)) return &set->offerings[i];
    return &set->other_offering;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t anchor_ms(enum anchor anchor, const struct encounter *encounter) {
    switch (anchor) {
    case ANCHOR_ISSUED:
        return encounter->issued_ms;
    case ANCHOR_CALLED:
        return encounter->called_ms;
    case ANCHOR_STARTED:
        return encounter->started_ms;
    case ANCHOR_ENDED:
    case ANCHOR_COUNT:
        break;
    }
    return encounter->ended_ms;
}

static bool between(int64_t from_ms, int64_t to_ms, struct span *span) {
    if (from_ms == TIME_NONE || to_ms == TIME_NONE || from_ms > to_ms) return false;
    *span = (struct span){from_ms, to_ms};
    return true;
}

/// From one anchor to another, moved by their offsets, cut to the encounter.
static bool anchored(const struct during *during, const struct encounter *encounter,
                     struct span *span) {
    int64_t from_ms = anchor_ms(during->from, encounter);
    int64_t to_ms = anchor_ms(during->to, encounter);
    if (from_ms == TIME_NONE || to_ms == TIME_NONE || encounter->ended_ms == TIME_NONE)
        return false;
    from_ms = later(from_ms + during->from_offset_ms, encounter_begin_ms(encounter));
    to_ms = earlier(to_ms + during->to_offset_ms, encounter->ended_ms);
    return between(from_ms, to_ms, span);
}

bool phase_span(const struct during *during, const struct offering *offering,
                const struct encounter *encounter, struct span *span) {
    if (during->phase == PHASE_SPAN) return anchored(during, encounter, span);
    if (during->phase == PHASE_WAITING)
        return between(encounter->issued_ms, encounter->started_ms, span);

    int64_t from_ms = encounter->started_ms, to_ms = encounter->ended_ms;
    if (from_ms == TIME_NONE || to_ms == TIME_NONE) return false;
    if (during->phase == PHASE_OPENING) to_ms = earlier(to_ms, from_ms + offering->opening_ms);
    if (during->phase == PHASE_CLOSING) from_ms = later(from_ms, to_ms - offering->closing_ms);
    return between(from_ms, to_ms, span);
}

bool phase_given_up(const struct during *during, const struct encounter *encounter,
                    struct span *span) {
    bool until_started = during->phase == PHASE_WAITING ||
                         (during->phase == PHASE_SPAN && during->to == ANCHOR_STARTED);
    if (!until_started || encounter->outcome != OUTCOME_ABANDONED ||
        encounter->started_ms != TIME_NONE)
        return false;
    struct encounter waited = *encounter;
    waited.started_ms = encounter->ended_ms;
    struct offering none = {0}; // waiting does not depend on it
    return phase_span(during, &none, &waited, span);
}
