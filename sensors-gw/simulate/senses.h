#pragma once
// What sensors make of the truth: each has an error that stays for the day, as it was mounted, and
// one that is new in each second, of the same variance; together the measure's stated uncertainty.
// Now and then a sample is far off, and says by its confidence that it is not to be trusted. A
// recogniser of phrases misses some, is a little early or late, and hears some that were not said,
// without being sure of them.

#include "common/domain/measure.h"
#include "sensors-gw/simulate/day.h"

struct senses {
    uint64_t seed;
    double noise; // 0: they see the truth; 1: as uncertain as measures.yaml says
};

struct sensed {
    double value;       // in the measure's unit, within its range
    uint8_t confidence; // percent
};

/// A quantity in one second of a service; measure is the quantity's.
struct sensed senses_sample(const struct senses *senses, enum quantity quantity,
                            const struct measure *measure, const struct visit *visit, int64_t day,
                            int32_t second_of_service);

struct heard {
    enum phrase phrase;
    int32_t late_ms; // against the second's begin; may be below 0
    uint8_t confidence;
};
enum { HEARD_MAX = PHRASE_COUNT + 1 };

/// What is told of the phrases said in one second of a service.
int senses_hear(const struct senses *senses, const struct visit *visit, int64_t day,
                int32_t second_of_service, struct heard heard[HEARD_MAX]);
