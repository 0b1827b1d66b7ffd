#pragma once
// How far a violated bound is still fulfilled.

#include "worker/engine/statistic.h"

/// The standard's piecewise linear degree at a figure, 0..1000000, rounded down; 0 if it has none
/// or the figure is absent.
int32_t degree_at(const struct standard *standard, struct figure figure);
