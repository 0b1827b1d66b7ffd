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

int64_t phase_instant(enum anchor_kind kind, const struct encounter *encounter) {
    switch (kind) {
    case ANCHOR_EVENT:
        return TIME_NONE;
    case ANCHOR_ISSUED:
        return encounter->issued_ms;
    case ANCHOR_CALLED:
        return encounter->called_ms;
    case ANCHOR_STARTED:
        return encounter->started_ms;
    case ANCHOR_ENDED:
        break;
    }
    return encounter->ended_ms;
}

static int64_t anchor_ms(const struct anchor *anchor, const struct encounter *encounter,
                         int64_t event_ms) {
    return anchor->kind == ANCHOR_EVENT ? event_ms : phase_instant(anchor->kind, encounter);
}

static bool between(int64_t from_ms, int64_t to_ms, struct span *span) {
    if (from_ms == TIME_NONE || to_ms == TIME_NONE || from_ms > to_ms) return false;
    *span = (struct span){from_ms, to_ms};
    return true;
}

/// From one anchor to another, moved by their offsets, cut to the encounter.
static bool anchored(const struct during *during, const struct encounter *encounter,
                     struct span events, struct span *span) {
    int64_t from_ms = anchor_ms(&during->from, encounter, events.from_ms);
    int64_t to_ms = anchor_ms(&during->to, encounter, events.to_ms);
    if (from_ms == TIME_NONE || to_ms == TIME_NONE || encounter->ended_ms == TIME_NONE)
        return false;
    from_ms = later(from_ms + during->from.offset_ms, encounter_begin_ms(encounter));
    to_ms = earlier(to_ms + during->to.offset_ms, encounter->ended_ms);
    return between(from_ms, to_ms, span);
}

bool phase_span(const struct during *during, const struct offering *offering,
                const struct encounter *encounter, struct span events, struct span *span) {
    if (during->phase == PHASE_SPAN) return anchored(during, encounter, events, span);
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
                         (during->phase == PHASE_SPAN && during->to.kind == ANCHOR_STARTED);
    if (!until_started || encounter->outcome != OUTCOME_ABANDONED ||
        encounter->started_ms != TIME_NONE)
        return false;
    struct encounter waited = *encounter;
    waited.started_ms = encounter->ended_ms;
    struct offering none = {0}; // waiting does not depend on it
    return phase_span(during, &none, &waited, PHASE_NO_EVENTS, span);
}
