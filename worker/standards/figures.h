#pragma once
// The figures of a standard: statistic, unit, bound, band, degree; as integers of its steps.

#include "worker/standards/reading.h"

/// Reads measure, labels, statistic, percent, band, unit, bound and degree of a standard.
bool figures_read(struct reading *reading, const struct node *node, struct standard *standard);
