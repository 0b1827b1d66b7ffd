#pragma once
// From the judgements of one encounter to its scores.

#include "worker/standards/standard.h"

/// Weighted mean of the degrees within each dimension, then the mean of the dimensions that have
/// one, or (SCORE_FLAT) the weighted mean of all degrees; all rounded down. Not applicable,
/// excused, not selected and insufficient leave numerator and denominator; where the weight that
/// has an outcome falls below the set's coverage floor, there is no score. What is on trial takes
/// no part.
void score_encounter(const struct standard_set *set, const struct judgement *judgements,
                     struct scores *scores);
