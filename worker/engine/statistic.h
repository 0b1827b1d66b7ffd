#pragma once
// The figure that a standard asks for, exactly, and how far its samples' uncertainty could move it.

#include "worker/engine/unbroken.h"

__extension__ typedef __int128 wide;

/// A fraction in the standard's steps, so that comparing needs no rounding. `absent`: what was
/// looked for did not happen; it is later than any time.
struct figure {
    bool absent;
    wide numerator;
    int64_t denominator; // > 0
};

/// The figure as measured, or the lowest or highest that it can be when every sample is moved by
/// its uncertainty and every clock by its error.
enum leaning { AS_MEASURED = 0, LOWEST = -1, HIGHEST = 1 };

/// What a statistic looks at.
struct observed {
    const struct standard *standard;
    const struct series *series; // NULL: STATISTIC_DURATION
    struct span phase;
    struct unbroken unbroken; // the series, where it has no break
    int64_t covered_ms;       // of the phase
    int64_t ends_error_ms;    // of the clocks that told the phase's ends: the greater
    int64_t error_ms;         // of a time that compares two clocks
    bool doubtful;            // the phase may be another one
    bool turned;              // the standard asks that the bound does not hold
};

/// false: no usable sample to make the figure of.
bool statistic_figure(const struct observed *observed, enum leaning leaning, struct figure *figure);

/// As evidence_longest_outside, of a span of what is observed.
int64_t statistic_longest_outside(const struct observed *observed, struct span span,
                                  struct bounds band, struct span *longest);

/// -1, 0, 1: the figure is below, at or above the limit.
int figure_compare(struct figure figure, int64_t limit);
double figure_value(struct figure figure, double step); // NaN when absent
