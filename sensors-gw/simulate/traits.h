#pragma once
// What people are like: standard normal numbers, each the sum of what is lasting in a person, of
// the person's day, and of the single encounter, with known shares of the variance. Nothing is
// kept: the same names give the same numbers, wherever and in whatever order they are asked for.

#include <stdint.h>

enum trait {
    TRAIT_STANCE,   // how far from the client one stands
    TRAIT_CLOSE,    // high: steps too close
    TRAIT_LEAVING,  // high: leaves the counter in between
    TRAIT_COMPANY,  // high: lets others come near
    TRAIT_SMILE,    // high: smiles late
    TRAIT_TURNING,  // high: turns away
    TRAIT_GAZE,     // high: looks at the client
    TRAIT_VOICE,    // high: voices are raised
    TRAIT_BADGE,    // high: forgets it
    TRAIT_UNIFORM,  // high: wears less of it
    TRAIT_TIDINESS, // high: tidy
    TRAIT_GREETING, // high: greets late
    TRAIT_FAREWELL, // high: forgets it
    TRAIT_IDENTITY, // high: checks late
    TRAIT_TEMPER,   // high: says what is forbidden
    TRAIT_PACE,     // high: takes longer
    TRAIT_PROMPT,   // high: begins late
};

struct traits {
    uint64_t seed;
    double person_share, day_share; // of the variance; the encounters have the rest
};

/// day: any number of a day; visit: of the encounter on that day.
double trait_of(const struct traits *traits, enum trait trait, uint32_t person, int64_t day,
                uint32_t visit);

/// A standard normal number, and an even one in 0..1, that belong to these three words.
double trait_normal(uint64_t seed, uint64_t what, uint64_t which);
double trait_even(uint64_t seed, uint64_t what, uint64_t which);
