#include "sensors-gw/simulate/traits.h"

#include "common/base/chance.h"

#include <math.h>

/// Above 0, up to 1.
static double even(struct chance *chance) {
    return (double)((chance_u64(chance) >> 11) + 1) / 9007199254740992.0; // 2^53
}

static struct chance chance_for(uint64_t seed, uint64_t what, uint64_t which) {
    struct chance first = chance_of(seed, what);
    return chance_of(first.state, which);
}

double trait_even(uint64_t seed, uint64_t what, uint64_t which) {
    struct chance chance = chance_for(seed, what, which);
    return even(&chance);
}

/// Box & Muller (1958).
double trait_normal(uint64_t seed, uint64_t what, uint64_t which) {
    struct chance chance = chance_for(seed, what, which);
    double radius = sqrt(-2 * log(even(&chance)));
    return radius * cos(2 * M_PI * even(&chance));
}

double trait_of(const struct traits *traits, enum trait trait, uint32_t person, int64_t day,
                uint32_t visit) {
    enum { LASTING = 1, OF_DAY = 2, OF_VISIT = 3, LEVELS = 4 };
    uint64_t what = (uint64_t)trait * LEVELS;
    uint64_t of_day = (uint64_t)day << 32 | person, of_visit = (uint64_t)day << 32 | visit;
    return sqrt(traits->person_share) * trait_normal(traits->seed, what + LASTING, person) +
           sqrt(traits->day_share) * trait_normal(traits->seed, what + OF_DAY, of_day) +
           sqrt(1 - traits->person_share - traits->day_share) *
               trait_normal(traits->seed, what + OF_VISIT, of_visit);
}
