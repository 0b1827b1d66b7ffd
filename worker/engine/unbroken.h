#pragma once
// The common case of evidence, in loops that a compiler turns into vectors: a series of samples
// without a break. All are confident enough, no two are of one instant, none is further from the
// next than the largest gap, and one span in which the sensor watched holds them all. Then each
// speaks until the next, and nothing has to be left out. What is returned is what the walks of
// evidence.h return; tests compare the two.

#include "worker/standards/standard.h"

struct unbroken {
    const struct columns *columns; // NULL: the series has a break; walk
    const struct measure *measure;
    int64_t base_ms;
    int64_t begin_ms, end_ms; // from the first sample to where the last one's word ends
};

/// As a standard with this confidence and gap sees the series; looks at every member.
struct unbroken unbroken_of(const struct standard *standard, const struct series *series);

/// Members of a span: from <= i < to.
struct range {
    size_t from, to;
};
struct range unbroken_range(const struct unbroken *unbroken, struct span span);

struct summary {
    int64_t count, sum;
    int32_t least, most; // INT32_MAX, INT32_MIN of none
};
struct summary unbroken_summary(const struct unbroken *unbroken, struct span span);

int64_t unbroken_covered_ms(const struct unbroken *unbroken, struct span span);
/// Covered time of the span with values inside the bounds.
int64_t unbroken_inside_ms(const struct unbroken *unbroken, struct span span, struct bounds bounds);
// As their namesakes of evidence.h.
size_t unbroken_points(const struct unbroken *unbroken, struct span span,
                       struct point points[POINTS_MAX]);
int64_t unbroken_longest_outside(const struct unbroken *unbroken, struct span span,
                                 struct bounds bounds, struct span *longest);
