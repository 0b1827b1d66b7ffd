#pragma once
// The figures of a standard: statistic, unit, bound, band, degree; as integers of its steps.

#include "worker/standards/reading.h"

/// Reads measure, labels, statistic, percent, band, unit, bound and degree of a standard.
bool figures_read(struct reading *reading, const struct node *node, struct standard *standard);
/// A measure by name.
bool figures_read_measure(struct reading *reading, const struct node *named,
                          struct measure *measure);
/// What the law forbids to look at is refused at load; what needs an agreement is told.
bool figures_read_lawful(struct reading *reading, const struct node *named,
                         const struct measure *measure);
/// Names of events; `list` is NULL for all.
bool figures_read_labels(struct reading *reading, const struct node *list, size_t most,
                         struct name *labels, size_t *count);
/// Whether the bound of a standard of one figure, read before, can be violated at all. Among
/// several checks one that always holds has its use. false: reported.
bool figures_judge(struct reading *reading, const struct node *node,
                   const struct standard *standard);
/// Reads bound and degree of an overlay over a standard that was read before.
bool figures_read_moved(struct reading *reading, const struct node *node,
                        struct standard *standard);
/// Reads adaptable, {least: [from, to], most: [from, to]}; without it both are empty.
bool figures_read_adaptable(struct reading *reading, const struct node *node,
                            const struct standard *standard, struct bounds *least,
                            struct bounds *most);
