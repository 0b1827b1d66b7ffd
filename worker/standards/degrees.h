#pragma once
// What the layers make of a standard's degree: like its bound it only tightens on the way down, so
// that no lower layer grants a violation more than the one above.

#include "worker/standards/model.h"

/// Gives *standard, a copy of the rule's whose bound has been resolved, the degree of the lowest
/// layer that has one.
/// chain     if not NULL, gets a line if it has a degree: who set it to what, and where
/// false     one grants more than the one above it, though it is no culture that may move the
///           standard; or two of one layer have one: reported with the chain
bool degrees_apply(const struct standards *standards, const struct rule *rule,
                   const struct standards_place *place, struct standard *standard,
                   struct buffer *chain, struct problems *problems);
