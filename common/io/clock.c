#include "common/io/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static struct timespec now(clockid_t id) {
    struct timespec time;
    int failed = clock_gettime(id, &time);
    assert(!failed);
    (void)failed;
    return time;
}

uint64_t clock_monotonic_ms(void) {
    struct timespec time = now(CLOCK_MONOTONIC);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

int64_t clock_utc_ms(void) {
    struct timespec time = now(CLOCK_REALTIME);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void random_fill(void *data, size_t size) {
    uint8_t *at = data;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0) {
            if (errno != EINTR) abort(); // a kernel without randomness: nothing here would be safe
            continue;
        }
        at += got;
        size -= (size_t)got;
    }
}

uint64_t random_below(uint64_t limit) {
    assert(limit > 0);
    uint64_t uneven = (UINT64_MAX - limit + 1) % limit; // 2^64 mod limit values would be too many
    for (;;) {
        uint64_t value;
        random_fill(&value, sizeof value);
        if (value >= uneven) return value % limit;
    }
}
