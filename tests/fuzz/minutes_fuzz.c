// A minute log of any bytes is refused, or gives series sorted by time inside the span, the same
// when it comes twice.

#include "common/base/hash.h"
#include "worker/core/minutes.h"

#include <assert.h>
#include <string.h>

enum { OBSERVATIONS = 4096, MINUTE = 1000 };

static struct measure measures[] = {
    {.id = {"audio.phrase"}, .kind = MEASURE_EVENTS, .resolution = 1},
    {.id = {"distance.client"}, .unit = "m", .resolution = 0.01, .least = 0, .most = 20},
};
static const struct measures declared = {sizeof measures / sizeof measures[0], measures};

/// How many observations it holds `times` times over; -1: it is refused.
static long read_times(struct minutes_reader *reader, struct bytes log, int times) {
    struct span span = {(int64_t)MINUTE * MINUTE_MS, (int64_t)(MINUTE + 1) * MINUTE_MS};
    const struct series *series;
    size_t count;
    long sum = 0;
    minutes_reader_begin(reader, span, &declared);
    for (int i = 0; i < times; i++)
        if (minutes_reader_add(reader, MINUTE, log)) return -1;
    if (minutes_reader_end(reader, &series, &count)) return -1;
    for (size_t i = 0; i < count; i++) {
        const struct columns *columns = &series[i].columns;
        for (size_t k = 1; k < columns->count; k++)
            assert(columns->t_ms[k - 1] <= columns->t_ms[k]);
        sum += (long)columns->count;
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct minutes_reader *reader;
    if (!reader) {
        for (size_t i = 0; i < declared.count; i++)
            measures[i].key = hash_fnv32(measures[i].id.text, strlen(measures[i].id.text));
        reader = minutes_reader_new(OBSERVATIONS);
        assert(reader);
    }
    long once = read_times(reader, (struct bytes){data, size}, 1);
    long twice = read_times(reader, (struct bytes){data, size}, 2);
    assert(once < 0 || twice < 0 || once == twice); // twice may be more than it has room for
    return 0;
}
