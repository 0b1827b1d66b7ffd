// The floor: the bytes of the workload's batches, copied once.

#include "common/wire/body.h"
#include "ops/bench/bench.h"

#include <stdlib.h>
#include <string.h>

enum { TARGET = 4 << 20 };

struct bodies {
    struct buffer bytes;
    size_t count, sizes[4096];
};

static void take(void *context, const struct batch *batch) {
    struct bodies *bodies = context;
    size_t before = bodies->bytes.size;
    if (bodies->count == sizeof bodies->sizes / sizeof bodies->sizes[0]) return;
    if (!body_encode(batch, true, &bodies->bytes))
        bodies->sizes[bodies->count++] = bodies->bytes.size - before;
}

static int run(const struct bench *bench) {
    static struct bodies bodies;
    const struct branch *branch = &bench->catalogue.branches.items[0];
    struct stream stream;
    buffer_init(&bodies.bytes, TARGET);
    uint8_t *target = malloc(TARGET);
    if (!target ||
        stream_init(&stream, &bench->workload, branch, &branch->gateways[0], take, &bodies))
        return bench_fail("no memory, or a gateway without a measure");
    while (!stream_ended(&stream))
        stream_next(&stream);

    struct bench_result result = {.observations = workload_observations(&bench->workload)};
    result.batches = result.observations / bench->workload.batch;
    result.started_ns = bench_ready();
    size_t at = 0, from = 0;
    for (uint64_t i = 0; i < result.batches; i++) {
        size_t place = i % bodies.count, size = bodies.sizes[place];
        if (!place) from = 0;
        if (at + size > TARGET) at = 0;
        memcpy(target + at, bodies.bytes.data + from, size);
        __asm__ volatile("" : : "r"(target) : "memory"); // somebody might read it
        at += size;
        from += size;
        result.wire_bytes += size;
    }
    result.ended_ns = bench_now_ns();
    bench_result(&result);
    stream_fini(&stream);
    buffer_fini(&bodies.bytes);
    free(target);
    return 0;
}

const struct bench_path bench_memcpy = {
    .name = "memcpy", .summary = "the batches' bytes, copied once", .run = run};
