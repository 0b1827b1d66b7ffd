#include "worker/store/store_clock.h"

#include "common/io/clock.h"

#include <stdlib.h>

void store_clock_init(struct store_clock *clock, struct redis *redis) {
    *clock = (struct store_clock){.redis = redis};
}

/// TIME answers two texts: seconds, and microseconds of the present one.
static bool take(struct store_clock *clock, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return false;
    const redisReply *seconds = reply->element[0], *micros = reply->element[1];
    if (!seconds->str || !micros->str) return false;
    int64_t utc_ms = strtoll(seconds->str, NULL, 10) * 1000 + strtoll(micros->str, NULL, 10) / 1000;
    clock->ahead_ms = utc_ms - (int64_t)clock_monotonic_ms();
    clock->known = true;
    return true;
}

static void tell(struct store_clock *clock, enum redis_class class, const char *reason) {
    void (*told)(void *, enum redis_class, const char *) = clock->told;
    clock->asking = false;
    clock->told = NULL;
    if (told) told(clock->context, class, reason);
}

static void time_came(void *context, enum redis_class class, const redisReply *reply) {
    struct store_clock *clock = context;
    if (class == REDIS_CLASS_OK && !take(clock, reply)) class = REDIS_CLASS_ERROR;
    tell(clock, class, class == REDIS_CLASS_OK ? "" : "Redis does not tell its time");
}

void store_clock_look(struct store_clock *clock,
                      void (*told)(void *context, enum redis_class class, const char *reason),
                      void *context) {
    const struct bytes arguments[] = {bytes_of_text("TIME")};
    if (told) {
        clock->told = told;
        clock->context = context;
    }
    if (clock->asking) return;
    clock->asking = true;
    if (redis_call(clock->redis, 1, arguments, time_came, clock))
        tell(clock, REDIS_CLASS_UNKNOWN, "the connection takes no calls");
}

int64_t store_clock_utc_ms(const struct store_clock *clock) {
    if (!clock->known) return clock_utc_ms();
    return (int64_t)clock_monotonic_ms() + clock->ahead_ms;
}
