#include "sensors-gw/simulate/senses.h"

#include "sensors-gw/simulate/traits.h"

#include <math.h>

enum { MOUNTING = 3000, SECOND = 4000, DOUBT = 5000, HEARING = 6000, DELAY = 6500, PHANTOM = 7000 };

/// A second of a day, for a quantity or phrase.
static uint64_t second_key(const struct visit *visit, int64_t day, int32_t second) {
    return (uint64_t)day << 36 | (uint64_t)visit->counter << 20 |
           (uint64_t)(visit->started_s + second);
}

struct sensed senses_sample(const struct senses *s, enum quantity quantity,
                            const struct measure *measure, const struct visit *visit, int64_t day,
                            int32_t second) {
    double value =
        course_at(&visit->conduct.courses[quantity], second) * quantity_forms[quantity].grain;
    if (s->noise <= 0) return (struct sensed){value, 100};
    uint64_t key = second_key(visit, day, second);
    double doubt = trait_even(s->seed, DOUBT + quantity, key);
    double lasting = trait_normal(s->seed, MOUNTING + quantity,
                                  (uint64_t)day << 36 | (uint64_t)visit->counter << 20);
    double fresh = trait_normal(s->seed, SECOND + quantity, key);
    bool doubtful = doubt < 0.03;
    double sd = s->noise * measure->uncertainty * M_SQRT1_2;
    value += sd * (lasting + fresh * (doubtful ? 8 : 1));
    return (struct sensed){fmin(measure->most, fmax(measure->least, value)),
                           (uint8_t)(doubtful ? 30 : 75 + 25 * doubt)};
}

int senses_hear(const struct senses *s, const struct visit *visit, int64_t day, int32_t second,
                struct heard heard[HEARD_MAX]) {
    uint64_t key = second_key(visit, day, second);
    int count = 0;
    for (int i = 0; i < PHRASE_COUNT; i++) {
        if (visit->conduct.said_s[i] != second) continue;
        double luck = trait_even(s->seed, HEARING + (uint64_t)i, key);
        if (luck < 0.01 * s->noise) continue; // missed
        double late_ms = 200 * s->noise * trait_normal(s->seed, DELAY + (uint64_t)i, key);
        heard[count++] = (struct heard){(enum phrase)i, (int32_t)fmin(900, fmax(-900, late_ms)),
                                        (uint8_t)(s->noise > 0 ? 80 + 20 * luck : 100)};
    }
    double phantom = trait_even(s->seed, PHANTOM, key) * 200;
    if (phantom < s->noise && phantom < 1)
        heard[count++] =
            (struct heard){(enum phrase)(int)(phantom * PHRASE_COUNT), 0, (uint8_t)(45 * phantom)};
    return count;
}
