#include "common/base/ring.h"

#include <stdlib.h>

struct ring {
    size_t capacity, head, count;
    uint64_t items[]; // the oldest is at head
};

static size_t place(const struct ring *ring, size_t index) {
    size_t room = ring->capacity - ring->head;
    return index < room ? ring->head + index : index - room;
}

struct ring *ring_new(size_t capacity) {
    if (capacity > (SIZE_MAX - sizeof(struct ring)) / sizeof(uint64_t)) return NULL;
    struct ring *ring = malloc(sizeof *ring + capacity * sizeof(uint64_t));
    if (ring) *ring = (struct ring){.capacity = capacity};
    return ring;
}

void ring_free(struct ring *ring) {
    free(ring);
}

bool ring_push(struct ring *ring, uint64_t item) {
    if (ring->count == ring->capacity) return false;
    ring->items[place(ring, ring->count)] = item;
    ring->count++;
    return true;
}

bool ring_pop(struct ring *ring, uint64_t *item) {
    if (!ring_peek(ring, 0, item)) return false;
    ring->head = ring->head + 1 == ring->capacity ? 0 : ring->head + 1;
    ring->count--;
    return true;
}

bool ring_peek(const struct ring *ring, size_t index, uint64_t *item) {
    if (index >= ring->count) return false;
    *item = ring->items[place(ring, index)];
    return true;
}

size_t ring_count(const struct ring *ring) {
    return ring->count;
}
