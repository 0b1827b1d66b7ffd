#pragma once
// How one quantity truly goes during a service: one level, and stretches at others. Times are whole
// seconds from the start of the service, levels whole grains of the quantity, so what is true of
// it follows from a few numbers, without rounding, and without looking at a single sample.

#include <stdint.h>

enum { COURSE_STRETCHES = 2 };

struct stretch {
    int32_t from_s, for_s; // for_s 0: it did not happen
    int32_t level;
};

/// Stretches lie inside the service, no two at the same time.
struct course {
    int32_t level;
    struct stretch stretches[COURSE_STRETCHES];
};

int32_t course_at(const struct course *course, int32_t second);

// Over the first service_s seconds, which are all of it: > 0.

double course_mean(const struct course *course, int32_t service_s);
int32_t course_least(const struct course *course, int32_t service_s);
/// Percent of the time at a level of least..most.
double course_share(const struct course *course, int32_t service_s, int32_t least, int32_t most);
/// The least level at or below which it is for `percent` of the seconds.
int32_t course_quantile(const struct course *course, int32_t service_s, int32_t percent);
/// The first second at a level of at least so much; -1: none.
int32_t course_first(const struct course *course, int32_t service_s, int32_t least);
