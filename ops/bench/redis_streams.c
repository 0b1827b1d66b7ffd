// Redis Streams with a consumer group: packed batches, several in one entry, one stream a branch.
// Nothing is judged: it only moves the same bytes, and acknowledges them.

#include "common/wire/body.h"
#include "ops/bench/bench.h"
#include "ops/bench/pipe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    AHEAD = 64,
    READ_ENTRIES = 16,
    READ_BLOCK_MS = 100,
    KEY_SIZE = ID_MAX + 8,
    ENTRY_MAX = 8 << 20
};

struct streams {
    const struct bench *bench;
    struct pipe_redis pipe;
    size_t count; // of branches
    char (*keys)[KEY_SIZE];
    struct buffer entry;
    uint64_t entries; // that the producer adds, all together
    uint64_t sent_ns[AHEAD], sent, answered;
    struct bench_result result;
    struct latencies latencies;
};

static void keys_init(struct streams *streams, const struct bench *bench) {
    const struct branches *branches = &bench->catalogue.branches;
    streams->bench = bench;
    streams->count = branches->count;
    streams->keys = calloc(branches->count, sizeof streams->keys[0]);
    if (!streams->keys) exit(bench_fail("out of memory"));
    for (size_t i = 0; i < branches->count; i++)
        snprintf(streams->keys[i], KEY_SIZE, "s:{%s}", branches->items[i].id.text);
}

// ------------------------------------------------------------------ the consumer, a process

/// Acknowledge the entries of one stream; returns how many.
static uint64_t acknowledge(struct pipe_redis *pipe, const redisReply *stream) {
    const redisReply *entries = stream->element[1];
    struct bytes words[3 + READ_ENTRIES] = {bytes_of_text("XACK"), pipe_text(stream->element[0]),
                                            bytes_of_text("g")};
    size_t count = 3;
    for (size_t i = 0; i < entries->elements && i < READ_ENTRIES; i++)
        words[count++] = pipe_text(entries->element[i]->element[0]);
    pipe_send(pipe, count, words);
    return count - 3;
}

/// Until that many entries were read.
static void consume(struct streams *streams, uint64_t entries) {
    const size_t most = PIPE_WORDS_MAX / 2 - 8;
    streams->pipe = pipe_connect(streams->bench->settings.redis_path);
    char entries_text[12], block_text[12];
    snprintf(entries_text, sizeof entries_text, "%d", READ_ENTRIES);
    snprintf(block_text, sizeof block_text, "%d", READ_BLOCK_MS);
    for (uint64_t done = 0, from = 0; done < entries; from += most) {
        if (from >= streams->count) from = 0;
        size_t some = streams->count - from < most ? (size_t)(streams->count - from) : most;
        const char *head[] = {"XREADGROUP", "GROUP", "g",        "c",      "COUNT",
                              entries_text, "BLOCK", block_text, "STREAMS"};
        struct bytes words[PIPE_WORDS_MAX];
        size_t count = 0;
        for (; count < sizeof head / sizeof head[0]; count++)
            words[count] = bytes_of_text(head[count]);
        for (size_t i = 0; i < some; i++)
            words[count++] = bytes_of_text(streams->keys[from + i]);
        for (size_t i = 0; i < some; i++)
            words[count++] = bytes_of_text(">");
        redisReply *reply = pipe_call(&streams->pipe, count, words);
        for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
            done += acknowledge(&streams->pipe, reply->element[i]);
        freeReplyObject(reply);
        while (streams->pipe.ahead)
            freeReplyObject(pipe_reply(&streams->pipe));
    }
    pipe_close(&streams->pipe);
}

// ------------------------------------------------------------------ the producer

static void answer(struct streams *streams) {
    freeReplyObject(pipe_reply(&streams->pipe));
    latencies_add(&streams->latencies,
                  bench_now_ns() - streams->sent_ns[streams->answered++ % AHEAD]);
}

static void take(void *context, const struct batch *batch) {
    struct streams *streams = context;
    if (body_encode(batch, true, &streams->entry)) exit(bench_fail("an entry is too long"));
    streams->result.batches++;
}

static void add_entry(struct streams *streams, size_t branch) {
    const struct bytes words[] = {bytes_of_text("XADD"), bytes_of_text(streams->keys[branch]),
                                  bytes_of_text("*"), bytes_of_text("b"),
                                  buffer_bytes(&streams->entry)};
    if (streams->pipe.ahead == AHEAD) answer(streams);
    streams->sent_ns[streams->sent++ % AHEAD] = bench_now_ns();
    streams->result.wire_bytes += streams->entry.size;
    pipe_send(&streams->pipe, 5, words);
    buffer_clear(&streams->entry);
}

static uint64_t each_gateway(const struct bench *bench, const struct branch *branch) {
    uint64_t each = bench->settings.fold / branch->gateway_count;
    return each ? each : 1;
}

/// How many entries the workload makes: its gateways are equally long.
static uint64_t entries_of(const struct bench *bench) {
    uint64_t entries = 0;
    for (size_t i = 0; i < bench->catalogue.branches.count; i++) {
        uint64_t samples = (uint64_t)bench->workload.encounters * bench->workload.samples;
        uint64_t batches = (samples + bench->workload.batch - 1) / bench->workload.batch;
        uint64_t each = each_gateway(bench, &bench->catalogue.branches.items[i]);
        entries += (batches + each - 1) / each;
    }
    return entries;
}

static void produce(struct streams *streams) {
    const struct bench *bench = streams->bench;
    const struct branches *branches = &bench->catalogue.branches;
    struct stream *all = calloc(branches->count * BRANCH_GATEWAYS_MAX, sizeof all[0]);
    if (!all) exit(bench_fail("out of memory"));
    for (size_t i = 0; i < branches->count; i++)
        for (size_t k = 0; k < branches->items[i].gateway_count; k++)
            if (stream_init(&all[i * BRANCH_GATEWAYS_MAX + k], &bench->workload,
                            &branches->items[i], &branches->items[i].gateways[k], take, streams))
                exit(bench_fail("no memory, or a gateway without a measure"));
    streams->result.started_ns = bench_ready();
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < branches->count; i++) {
            struct stream *own = &all[i * BRANCH_GATEWAYS_MAX];
            uint64_t each = each_gateway(bench, &branches->items[i]);
            for (size_t k = 0; k < branches->items[i].gateway_count; k++)
                for (uint64_t n = 0; n < each && !stream_ended(&own[k]); n++)
                    stream_next(&own[k]);
            if (streams->entry.size) add_entry(streams, i);
            more |= !stream_ended(&own[0]);
        }
    }
    while (streams->pipe.ahead)
        answer(streams);
    for (size_t i = 0; i < branches->count * BRANCH_GATEWAYS_MAX; i++)
        if (all[i].batching) stream_fini(&all[i]);
    free(all);
}

static int run(const struct bench *bench) {
    static struct streams streams;
    keys_init(&streams, bench);
    streams.pipe = pipe_connect(bench->settings.redis_path);
    for (size_t i = 0; i < streams.count; i++) {
        const struct bytes words[] = {
            bytes_of_text("XGROUP"), bytes_of_text("CREATE"), bytes_of_text(streams.keys[i]),
            bytes_of_text("g"),      bytes_of_text("0"),      bytes_of_text("MKSTREAM")};
        freeReplyObject(pipe_call(&streams.pipe, 6, words));
    }
    uint64_t entries = entries_of(bench);
    pid_t consumer = fork();
    if (consumer < 0) return bench_fail("no process for the consumer");
    if (!consumer) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        consume(&streams, entries);
        exit(0);
    }
    buffer_init(&streams.entry, ENTRY_MAX);
    produce(&streams);
    int status;
    siginfo_t ended; // left as it is, so that what it cost can still be read
    if (waitid(P_PID, (id_t)consumer, &ended, WEXITED | WNOWAIT) || ended.si_status)
        return bench_fail("the consumer failed");
    streams.result.ended_ns = bench_now_ns();
    streams.result.observations = workload_observations(&bench->workload);
    streams.result.latencies = &streams.latencies;
    bench_result(&streams.result);
    (void)waitpid(consumer, &status, 0);
    buffer_fini(&streams.entry);
    pipe_close(&streams.pipe);
    free(streams.keys);
    return 0;
}

const struct bench_path bench_redis_streams = {
    .name = "redis-streams",
    .summary = "Redis Streams and a consumer group: packed batches, several in an entry",
    .run = run};
