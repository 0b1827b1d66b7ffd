#include "common/base/deadlines.h"

#include <assert.h>
#include <stdlib.h>

struct deadlines {
    size_t capacity, count;
    uint64_t *at_ms;  // by slot; DEADLINE_NEVER: not in the heap
    uint32_t *heap;   // slots, the earliest first
    uint32_t *places; // by slot: where in the heap it stands
};

struct deadlines *deadlines_new(size_t capacity) {
    if (capacity > UINT32_MAX) return NULL;
    struct deadlines *deadlines = calloc(1, sizeof *deadlines);
    if (!deadlines) return NULL;
    size_t slots = capacity ? capacity : 1;
    deadlines->capacity = capacity;
    deadlines->at_ms = calloc(slots, sizeof *deadlines->at_ms);
    deadlines->heap = calloc(slots, sizeof *deadlines->heap);
    deadlines->places = calloc(slots, sizeof *deadlines->places);
    if (!deadlines->at_ms || !deadlines->heap || !deadlines->places) {
        deadlines_free(deadlines);
        return NULL;
    }
    for (size_t slot = 0; slot < capacity; slot++)
        deadlines->at_ms[slot] = DEADLINE_NEVER;
    return deadlines;
}

void deadlines_free(struct deadlines *deadlines) {
    if (!deadlines) return;
    free(deadlines->at_ms);
    free(deadlines->heap);
    free(deadlines->places);
    free(deadlines);
}

/// Equal deadlines go by slot, so that the order is the same in every run.
static bool earlier(const struct deadlines *deadlines, uint32_t a, uint32_t b) {
    uint64_t at_a = deadlines->at_ms[a], at_b = deadlines->at_ms[b];
    return at_a != at_b ? at_a < at_b : a < b;
}

static void stand(struct deadlines *deadlines, size_t place, uint32_t slot) {
    deadlines->heap[place] = slot;
    deadlines->places[slot] = (uint32_t)place;
}

/// Move a slot up, else down, to where its deadline belongs.
static void settle(struct deadlines *deadlines, size_t place, uint32_t slot) {
    while (place > 0 && earlier(deadlines, slot, deadlines->heap[(place - 1) / 2])) {
        stand(deadlines, place, deadlines->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (size_t child; (child = 2 * place + 1) < deadlines->count; place = child) {
        if (child + 1 < deadlines->count &&
            earlier(deadlines, deadlines->heap[child + 1], deadlines->heap[child]))
            child++;
        if (!earlier(deadlines, deadlines->heap[child], slot)) break;
        stand(deadlines, place, deadlines->heap[child]);
    }
    stand(deadlines, place, slot);
}

void deadlines_set(struct deadlines *deadlines, uint32_t slot, uint64_t at_ms) {
    assert(slot < deadlines->capacity);
    if (at_ms == DEADLINE_NEVER) {
        deadlines_clear(deadlines, slot);
        return;
    }
    bool stands = deadlines->at_ms[slot] != DEADLINE_NEVER;
    size_t place = stands ? deadlines->places[slot] : deadlines->count++;
    deadlines->at_ms[slot] = at_ms;
    settle(deadlines, place, slot);
}

void deadlines_clear(struct deadlines *deadlines, uint32_t slot) {
    assert(slot < deadlines->capacity);
    if (deadlines->at_ms[slot] == DEADLINE_NEVER) return;
    deadlines->at_ms[slot] = DEADLINE_NEVER;
    size_t place = deadlines->places[slot];
    uint32_t last = deadlines->heap[--deadlines->count];
    if (last != slot) settle(deadlines, place, last);
}

uint64_t deadlines_next_ms(const struct deadlines *deadlines) {
    return deadlines->count ? deadlines->at_ms[deadlines->heap[0]] : DEADLINE_NEVER;
}

bool deadlines_take(struct deadlines *deadlines, uint64_t now_ms, uint32_t *slot) {
    if (deadlines->count == 0 || deadlines_next_ms(deadlines) > now_ms) return false;
    *slot = deadlines->heap[0];
    deadlines_clear(deadlines, *slot);
    return true;
}
