#pragma once
// What follows from the decisions of people: verdict and score change, what was measured does not.

#include "common/domain/decision.h"
#include "worker/standards/standard.h"

/// Put the decisions, in any order, on the judgements of a set, and score the encounter. Decisions
/// put on before are taken off first, so judgements that were kept can be decided anew.
///
/// Only a verdict with an outcome (met, partly_met, not_met) can be decided about:
///   confirm   it stands as found, reason `confirmed`
///   excuse    a violation becomes `excused`; what is met stays
///   dispute   `insufficient_evidence`, reason `disputed`: the score waits, and coverage shows it
///   withdraw  as found
void engine_decide(const struct standard_set *set, const struct decision *decisions, size_t count,
                   struct judgement *judgements, struct scores *scores);

/// It waits for a person: a grave violation that is not confirmed yet, or a dispute. What is on
/// trial waits for nobody.
bool judgement_waits(const struct standard *standard, const struct judgement *judgement);
