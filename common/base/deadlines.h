#pragma once
// Which of many timers is next: a binary heap over slots 0..capacity-1, one deadline a slot.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEADLINE_NEVER UINT64_MAX

struct deadlines;
struct deadlines *deadlines_new(size_t capacity); // NULL: out of memory
void deadlines_free(struct deadlines *deadlines); // accepts NULL
void deadlines_set(struct deadlines *deadlines, uint32_t slot, uint64_t at_ms); // moves it if set
void deadlines_clear(struct deadlines *deadlines, uint32_t slot);
/// The earliest deadline, DEADLINE_NEVER if none.
uint64_t deadlines_next_ms(const struct deadlines *deadlines);
/// Takes out one slot whose deadline is at or before now_ms.
bool deadlines_take(struct deadlines *deadlines, uint64_t now_ms, uint32_t *slot);
