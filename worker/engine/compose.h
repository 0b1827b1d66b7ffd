#pragma once
// How the verdicts of several checks make one. Everything here is a total order, so neither the
// order of the checks nor how they are grouped changes the result.

#include "worker/standards/standard.h"

/// Which of two checks speaks for both: true if `other` does, false if `one` (also for equals).
///
/// all  not_met > error > insufficient_evidence > partly_met > met > not_applicable
/// any  met > error > insufficient_evidence > partly_met > not_met > not_applicable
///
/// Of two partly met ones the lower degree speaks for all, the higher for any. The verdicts excused
/// and not_selected are those of whole standards and never come here.
bool compose_speaks(enum check_kind kind, const struct judgement *one,
                    const struct judgement *other);

/// The opposite: met <-> not_met, a degree becomes what is missing to 1; what has no outcome stays.
void compose_turn(struct judgement *judgement);
