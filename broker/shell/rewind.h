#pragma once
// How far a gateway has brought again what the store lost. Pure. A broker that was started anew
// meanwhile knows nothing of it.

#include "common/domain/position.h"

#include <stdbool.h>

struct rewind {
    uint64_t epoch;
    uint64_t from, to; // the store fell back from `to` to `from`; equal: it has all again
    uint64_t at;       // and is here now
};

/// What the store says of the gateway's position.
void rewind_hear(struct rewind *rewind, struct position position);
bool rewind_going_on(const struct rewind *rewind);
