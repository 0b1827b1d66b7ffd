#pragma once
// The standards engine: a pure function from an encounter and its series to verdicts.

#include "common/domain/decision.h"
#include "common/domain/encounter.h"
#include "worker/engine/verdict.h"
#include "worker/standards/standard.h"

/// What else is known about how the encounter was observed.
struct engine_context {
    uint32_t clock_error_ms; // of the gateway that told the encounter's times
    uint32_t times_error_ms; // of the difference of two of the encounter's own times: 0 when one
                             // gateway told them all, else the sum of the gateways' clock errors
    const struct zone *zone; // of the branch; NULL: unknown, standards then apply at every hour
    const struct decision *decisions; // of people, about this encounter; in any order
    size_t decision_count;
};

/// Judge every standard of the set on one ended encounter.
///
/// series   at most one a measure, all of the encounter's counter; a measure that nobody watched
///          may be absent
/// out      one judgement a standard, in the set's order; set->count of them
/// scores   of the encounter, from those judgements
///
/// Cannot fail and allocates nothing: contradicting times are the verdict `error`. The result
/// depends on the sets of samples only, never on the order in which they came.
void engine_evaluate(const struct standard_set *set, const struct encounter *encounter,
                     const struct series *series, size_t series_count,
                     const struct engine_context *context, struct judgement *out,
                     struct scores *scores);

/// The judgements of an encounter that could not be judged (reason: REASON_CRASH).
void engine_error(const struct standard_set *set, enum reason reason, struct judgement *out,
                  struct scores *scores);
