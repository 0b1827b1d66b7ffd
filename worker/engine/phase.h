#pragma once
// Which part of an encounter a standard looks at.

#include "worker/standards/standard.h"

/// The set's lengths of opening and closing for an offering.
const struct offering *phase_offering(const struct standard_set *set, const struct id *offering);

/// A time of the encounter; TIME_NONE: it has none, or an event is meant.
int64_t phase_instant(enum anchor_kind kind, const struct encounter *encounter);

/// When the events that anchor the ends of a phase happened; TIME_NONE where none does.
#define PHASE_NO_EVENTS ((struct span){TIME_NONE, TIME_NONE})

/// The span of a phase. It never leaves the encounter, and may be empty (issued and started in the
/// same millisecond). false: the encounter did not have this phase.
bool phase_span(const struct during *during, const struct offering *offering,
                const struct encounter *encounter, struct span events, struct span *span);
/// The phase of a client who gave up: it should have lasted until service started, and it lasted
/// at least until the client left. false: service started, the encounter was not abandoned, or the
/// phase does not end with the start of service.
bool phase_given_up(const struct during *during, const struct encounter *encounter,
                    struct span *span);
