#pragma once
// Chance from one seed (Steele et al., SplitMix64): the same seed, the same world and faults.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_u64(struct chance *chance) {
    uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/// Two seeds that have nothing to do with each other although they were next to each other.
static inline struct chance chance_of(uint64_t seed, uint64_t stream) {
    struct chance chance = {seed * UINT64_C(0xd1342543de82ef95) + stream};
    chance.state = chance_u64(&chance);
    return chance;
}

/// 0 .. below - 1
static inline uint32_t chance_below(struct chance *chance, uint32_t below) {
    return (uint32_t)((chance_u64(chance) >> 32) * below >> 32);
}

/// from .. to
static inline uint32_t chance_range(struct chance *chance, uint32_t from, uint32_t to) {
    return from + chance_below(chance, to - from + 1);
}

static inline bool chance_permille(struct chance *chance, uint32_t permille) {
    return chance_below(chance, 1000) < permille;
}

static inline void chance_fill(struct chance *chance, void *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = (uint8_t)(chance_u64(chance) >> 56);
}
