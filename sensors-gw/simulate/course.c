#include "sensors-gw/simulate/course.h"

/// The parts of a service: each stretch, and last what is left for the course's own level.
enum { PARTS = COURSE_STRETCHES + 1 };

static struct stretch part(const struct course *course, int32_t service_s, int i) {
    if (i < COURSE_STRETCHES) return course->stretches[i];
    struct stretch rest = {.for_s = service_s, .level = course->level};
    for (int k = 0; k < COURSE_STRETCHES; k++)
        rest.for_s -= course->stretches[k].for_s;
    return rest;
}

static int32_t seconds_within(const struct course *course, int32_t service_s, int32_t least,
                              int32_t most) {
    int32_t seconds = 0;
    for (int i = 0; i < PARTS; i++) {
        struct stretch p = part(course, service_s, i);
        if (least <= p.level && p.level <= most) seconds += p.for_s;
    }
    return seconds;
}

int32_t course_at(const struct course *course, int32_t second) {
    for (int i = 0; i < COURSE_STRETCHES; i++) {
        int32_t into_s = second - course->stretches[i].from_s;
        if (into_s >= 0 && into_s < course->stretches[i].for_s) return course->stretches[i].level;
    }
    return course->level;
}

double course_mean(const struct course *course, int32_t service_s) {
    int64_t sum = 0;
    for (int i = 0; i < PARTS; i++) {
        struct stretch p = part(course, service_s, i);
        sum += (int64_t)p.level * p.for_s;
    }
    return (double)sum / service_s;
}

int32_t course_least(const struct course *course, int32_t service_s) {
    int32_t least = INT32_MAX;
    for (int i = 0; i < PARTS; i++) {
        struct stretch p = part(course, service_s, i);
        if (p.for_s > 0 && p.level < least) least = p.level;
    }
    return least;
}

double course_share(const struct course *course, int32_t service_s, int32_t least, int32_t most) {
    return 100.0 * seconds_within(course, service_s, least, most) / service_s;
}

int32_t course_quantile(const struct course *course, int32_t service_s, int32_t percent) {
    int32_t rank = (service_s * percent + 99) / 100, quantile = INT32_MAX;
    for (int i = 0; i < PARTS; i++) {
        struct stretch p = part(course, service_s, i);
        if (p.for_s > 0 && p.level < quantile &&
            seconds_within(course, service_s, INT32_MIN, p.level) >= rank)
            quantile = p.level;
    }
    return quantile;
}

int32_t course_first(const struct course *course, int32_t service_s, int32_t least) {
    int32_t changes[1 + 2 * COURSE_STRETCHES] = {0}, first = service_s;
    for (int i = 0; i < COURSE_STRETCHES; i++) {
        changes[1 + 2 * i] = course->stretches[i].from_s;
        changes[2 + 2 * i] = course->stretches[i].from_s + course->stretches[i].for_s;
    }
    for (int i = 0; i < 1 + 2 * COURSE_STRETCHES; i++)
        if (changes[i] < first && course_at(course, changes[i]) >= least) first = changes[i];
    return first < service_s ? first : -1;
}
