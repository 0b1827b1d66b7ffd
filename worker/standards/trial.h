#pragma once
// The examples that stand with a standard: what is given, and what it must be judged.

#include "worker/standards/reading.h"

/// Judges each example of a standard by the engine. A standard needs one that meets it, one that
/// does not, and, when it needs sensors, one with too little evidence.
/// rule->examples counts them.
/// false: an example is malformed, missing, or judged otherwise; reported.
bool trial_run(struct reading *reading, struct rule *rule, const struct node *node);
