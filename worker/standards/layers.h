#pragma once
// What the layers make of one standard at one place: permissions only shrink and requirements only
// tighten on the way down, except that a culture may move what the standard marks as adaptable.

#include "worker/standards/model.h"

/// Moves the figures of *standard (a copy of the rule's) as the layers say.
/// chain     if not NULL, gets a line for each figure: which layer set it to what, and where; one
///           for each layer that permits or forbids a class of its measures, and if it is suspended
/// false     a loosening, a contradiction, or two overlays of one layer on one figure: reported
/// with
///           the chain
bool layers_apply(const struct standards *standards, const struct rule *rule,
                  const struct standards_place *place, struct standard *standard,
                  struct buffer *chain, struct problems *problems);

/// The legal classes of all measures that a standard looks at, as bits.
unsigned layers_classes(const struct standard *standard);
/// Whether the overlay holds at the place on that day.
bool layers_hold(const struct overlay *overlay, const struct standards_place *place);
/// Whether it also moves the bound of the standard.
bool layers_concern(const struct overlay *overlay, const struct rule *rule,
                    const struct standards_place *place);
