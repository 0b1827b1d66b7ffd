#pragma once
// The clocks and the randomness of the shells. Cores get both handed in.

#include <stddef.h>
#include <stdint.h>

uint64_t clock_monotonic_ms(void);         // never goes back; the scale of every deadline
int64_t clock_utc_ms(void);                // wall clock: may jump, so never for deadlines
void random_fill(void *data, size_t size); // from the kernel; ends the process if it has none
uint64_t random_below(uint64_t limit);     // 0..limit-1, evenly; limit > 0
