#pragma once
// What a standard looks at: one figure, or checks of several joined by all, any, not and must_not.
//
//   all:                                   # each of them; any: at least one
//     - {measure: ..., statistic: ..., unit: ..., bound: ...}
//     - not: {measure: ..., statistic: ..., unit: ..., bound: ...}
//   must_not: [...]                        # none of them
//
// A figure inside takes `during` and `evidence` from the standard where it has none of its own.

#include "worker/standards/reading.h"

/// Reads the figure or the checks of a standard. Its parts are appended to standard->parts, which
/// has room for PARTS_MAX. false: reported.
bool checks_read(struct reading *reading, const struct node *node, struct standard *standard);
/// Reads `excuses`, a list of {excuse: ID, text: ..., when: a figure or checks}, if it is there.
bool excuses_read(struct reading *reading, const struct node *node, struct standard *standard,
                  struct words texts[EXCUSES_MAX]);
