#pragma once
// Redis' wall clock, seen from here. What lies in the future is left out for good, so that must not
// depend on which worker looks, nor on how wrong its own clock is.

#include "common/io/redis.h"

struct store_clock {
    struct redis *redis;
    int64_t ahead_ms; // of our monotonic clock
    bool known, asking;
    void *context; // of `told`
    void (*told)(void *context, enum redis_class class, const char *reason);
};

void store_clock_init(struct store_clock *clock, struct redis *redis);
/// Look at it again. `told` (may be NULL) comes once, perhaps from within this call: OK, or why it
/// could not be read. While one look is on its way, another one without `told` does nothing.
void store_clock_look(struct store_clock *clock,
                      void (*told)(void *context, enum redis_class class, const char *reason),
                      void *context);
/// UTC now; by our own clock as long as Redis' was never seen.
int64_t store_clock_utc_ms(const struct store_clock *clock);
