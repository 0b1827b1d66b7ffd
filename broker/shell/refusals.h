#pragma once
// Whom we refused, why and how often: the latest few, for the status. When all places are taken,
// the one that has been silent longest goes.

#include <stddef.h>
#include <stdint.h>

enum { REFUSALS_MAX = 64, REFUSAL_WHO_SIZE = 128, REFUSAL_WHY_SIZE = 256 };

struct refusal {
    char who[REFUSAL_WHO_SIZE], why[REFUSAL_WHY_SIZE];
    uint64_t count, last_ms;
};
struct refusals {
    size_t count;
    uint64_t total;
    struct refusal items[REFUSALS_MAX];
};

/// Texts that are too long are cut.
void refusals_add(struct refusals *refusals, const char *who, const char *why, uint64_t now_ms);
