#pragma once
// Bump memory for one batch; reset, not freed, between batches. Never exceeds its size.

#include "common/base/err.h"

#include <stdint.h>

struct arena {
    uint8_t *memory;
    size_t size, used;
};
MUST_CHECK enum err arena_init(struct arena *arena, size_t size);
void arena_fini(struct arena *arena);
void arena_reset(struct arena *arena);
void *arena_take(struct arena *arena, size_t size); // 16-aligned; NULL: no room
