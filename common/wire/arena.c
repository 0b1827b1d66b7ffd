#include "common/wire/arena.h"

#include <stdlib.h>

enum { ALIGNMENT = 16 };

enum err arena_init(struct arena *arena, size_t size) {
    *arena = (struct arena){.memory = malloc(size ? size : 1), .size = size};
    return arena->memory ? ERR_NONE : ERR_NOMEM;
}

void arena_fini(struct arena *arena) {
    free(arena->memory);
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena) {
    arena->used = 0;
}

void *arena_take(struct arena *arena, size_t size) {
    size_t from = (arena->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (from > arena->size || size > arena->size - from) return NULL;
    arena->used = from + size;
    return arena->memory + from;
}
