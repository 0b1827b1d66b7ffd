#pragma once
// Standards that may alert while an encounter goes on (`live: true`): by what a sensor sees, where
// that is known before the end; about persons only where an agreement permits it.

#include "worker/standards/reading.h"

/// Reads `live` of a standard whose figures have been read. false: reported.
bool live_read(struct reading *reading, const struct node *node, struct rule *rule);
/// When all overlays have been read: whether some agreement permits what needs one. Reports.
void live_agreed(struct reading *reading);
/// Whether it may alert, with these legal classes of its measures and what is permitted and
/// forbidden at a place.
bool live_permitted(const struct standard *standard, unsigned classes, unsigned permits,
                    unsigned forbids);
