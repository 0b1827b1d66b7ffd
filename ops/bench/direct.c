// No broker, one script a batch: position checked, eight bands counted. What a first version does.

#include "ops/bench/bench.h"
#include "ops/bench/pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BANDS = 8, AHEAD = 256 };

static const char script[] =
    "#!lua name=bench_direct\n"
    "redis.register_function('bench_direct', function(keys, args)\n"
    "  local number = tonumber(args[1])\n"
    "  if (tonumber(redis.call('HGET', keys[1], args[2])) or 0) >= number then return 0 end\n"
    "  for i = 3, #args do redis.call('HINCRBY', keys[1], i, args[i]) end\n"
    "  redis.call('HSET', keys[1], args[2], number)\n"
    "  return 1\n"
    "end)\n";

struct direct {
    const struct bench *bench;
    struct pipe_redis pipe;
    struct bench_result result;
    struct latencies latencies;
    uint64_t sent_ns[AHEAD], sent, answered;
    // the batch in hand
    const struct stream *stream;
    uint64_t number;
};

static void answer(struct direct *direct) {
    freeReplyObject(pipe_reply(&direct->pipe));
    latencies_add(&direct->latencies, bench_now_ns() - direct->sent_ns[direct->answered++ % AHEAD]);
}

static void take(void *context, const struct batch *batch) {
    struct direct *direct = context;
    const struct stream *stream = direct->stream;
    unsigned bands[BANDS] = {0};
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct columns *columns = &batch->series[i].columns;
        for (size_t k = 0; k < columns->count; k++) {
            int64_t band = (columns->value[k] - (int64_t)stream->level) * BANDS /
                           (stream->rise * (int64_t)WORKLOAD_PATTERN + 1);
            bands[band < 0 ? 0 : band >= BANDS ? BANDS - 1 : band]++;
        }
    }
    char key[ID_MAX + 8], number[24], counts[BANDS][12];
    snprintf(key, sizeof key, "b:{%s}", stream->branch->id.text);
    snprintf(number, sizeof number, "%llu", (unsigned long long)++direct->number);
    const char *texts[] = {"FCALL", "bench_direct", "1", key, number};
    size_t count = 0;
    struct bytes all[6 + BANDS];
    for (; count < 5; count++)
        all[count] = bytes_of_text(texts[count]);
    all[count++] = bytes_of_text(stream->gateway->id.text);
    for (size_t i = 0; i < BANDS; i++) {
        snprintf(counts[i], sizeof counts[i], "%u", bands[i]);
        all[count++] = bytes_of_text(counts[i]);
    }
    if (direct->pipe.ahead == AHEAD) answer(direct);
    direct->sent_ns[direct->sent++ % AHEAD] = bench_now_ns();
    for (size_t i = 0; i < count; i++)
        direct->result.wire_bytes += all[i].size;
    pipe_send(&direct->pipe, count, all);
    direct->result.batches++;
}

static int run(const struct bench *bench) {
    static struct direct direct;
    const struct branches *branches = &bench->catalogue.branches;
    size_t count = 0;
    direct.bench = bench;
    direct.pipe = pipe_connect(bench->settings.redis_path);
    const struct bytes load[] = {bytes_of_text("FUNCTION"), bytes_of_text("LOAD"),
                                 bytes_of_text(script)};
    freeReplyObject(pipe_call(&direct.pipe, 3, load));

    for (size_t i = 0; i < branches->count; i++)
        count += branches->items[i].gateway_count;
    struct stream *streams = calloc(count, sizeof streams[0]);
    uint64_t *numbers = calloc(count, sizeof numbers[0]);
    if (!streams || !numbers) return bench_fail("out of memory");
    for (size_t i = 0, at = 0; i < branches->count; i++)
        for (size_t k = 0; k < branches->items[i].gateway_count; k++)
            if (stream_init(&streams[at++], &bench->workload, &branches->items[i],
                            &branches->items[i].gateways[k], take, &direct))
                return bench_fail("no memory, or a gateway without a measure");

    direct.result.started_ns = bench_ready();
    for (size_t ended = 0; ended < count;)
        for (size_t i = 0; i < count; i++) {
            if (stream_ended(&streams[i])) continue;
            direct.stream = &streams[i];
            direct.number = numbers[i];
            stream_next(&streams[i]);
            numbers[i] = direct.number;
            ended += stream_ended(&streams[i]);
        }
    while (direct.pipe.ahead)
        answer(&direct);
    direct.result.ended_ns = bench_now_ns();
    direct.result.observations = workload_observations(&bench->workload);
    direct.result.latencies = &direct.latencies;
    bench_result(&direct.result);
    for (size_t i = 0; i < count; i++)
        stream_fini(&streams[i]);
    free(streams);
    free(numbers);
    pipe_close(&direct.pipe);
    return 0;
}

const struct bench_path bench_direct = {
    .name = "direct", .summary = "no broker, one script a batch", .run = run};
