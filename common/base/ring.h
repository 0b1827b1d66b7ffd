#pragma once
// Fixed-capacity first-in first-out queue of 64-bit items (numbers, slots, handles).

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;
struct ring *ring_new(size_t capacity);           // NULL: out of memory
void ring_free(struct ring *ring);                // accepts NULL
bool ring_push(struct ring *ring, uint64_t item); // false: full, nothing changed
bool ring_pop(struct ring *ring, uint64_t *item); // false: empty
bool ring_peek(const struct ring *ring, size_t index, uint64_t *item); // 0 is the oldest
size_t ring_count(const struct ring *ring);
