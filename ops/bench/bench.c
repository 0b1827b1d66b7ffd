#include "ops/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const struct setting bench_settings[] = {
    SETTING_PATH(struct bench_settings, config_dir, NULL,
                 "Folder of measures, branches and standards: one counter a branch, each gateway "
                 "called like its measure."),
    SETTING_PATH(struct bench_settings, redis_path, "", "Unix socket of Redis."),
    SETTING_TEXT(struct bench_settings, endpoint, "",
                 "load: where the broker's gateways_endpoint is. zmq: where its own broker binds."),
    SETTING_PATH(struct bench_settings, keys_dir, "",
                 "load: folder of the gateways' keys and of broker.pub; empty: plain sockets."),
    SETTING_PATH(struct bench_settings, spool_dir, "",
                 "load: folder for spools on disk; empty: the gateways' logs are in memory."),
    SETTING_U64(struct bench_settings, encounters, 10, 1, 100000, "Encounters of each branch."),
    SETTING_U64(struct bench_settings, encounter_samples, WORKLOAD_SAMPLES, WORKLOAD_PATTERN,
                144000,
                "Samples of each measure in an encounter, a multiple of 40; other than 3000: load "
                "alone."),
    SETTING_U64(struct bench_settings, parts, 1, 1, 64,
                "load: among so many processes the gateways are parted."),
    SETTING_U64(struct bench_settings, part, 0, 0, 63, "load: which part this process has."),
    SETTING_U64(struct bench_settings, batch_observations, 32, 1, BATCH_OBSERVATIONS_MAX,
                "Observations in a batch."),
    SETTING_U64(struct bench_settings, window, 64, 1, 4096,
                "Batches of one gateway that may be unanswered."),
    SETTING_U64(struct bench_settings, rate, 0, 0, 10000000,
                "load: batches a second, all gateways together; 0: as fast as answers come."),
    SETTING_U64(struct bench_settings, spool_batches, 0, 0, 1 << 20,
                "load: batches that the spool of each gateway holds, so that a rate can be kept "
                "that the system cannot; 0: twice the window."),
    SETTING_U64(struct bench_settings, fold, 64, 1, 256,
                "direct-best, redis-streams: batches of a branch in one call."),
    SETTINGS_END};

uint64_t bench_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool wait_line(void) {
    int c;
    fflush(stdout);
    while ((c = getchar()) != EOF && c != '\n')
        continue;
    return c != EOF;
}

uint64_t bench_ready(void) {
    puts("ready");
    if (!wait_line()) exit(1);
    return bench_now_ns();
}

// ------------------------------------------------------------------ latencies

// A bucket for each power of two and the six bits behind its first one.
enum { FINE_BITS = 6, FINE = 1 << FINE_BITS };

void latencies_add(struct latencies *latencies, uint64_t ns) {
    unsigned power = ns < FINE ? 0 : 63 - (unsigned)__builtin_clzll(ns) - FINE_BITS + 1;
    uint64_t fine = power ? (ns >> (power - 1)) & (FINE - 1) : ns;
    latencies->buckets[power * FINE + fine]++;
    latencies->count++;
}

static double bucket_ns(size_t bucket) {
    size_t power = bucket / FINE, fine = bucket % FINE;
    return power ? (double)((uint64_t)(FINE + fine) << (power - 1)) : (double)fine;
}

double latencies_ms(const struct latencies *latencies, double share) {
    uint64_t seen = 0;
    const size_t buckets = sizeof latencies->buckets / sizeof latencies->buckets[0];
    for (size_t i = 0; i < buckets; i++) {
        seen += latencies->buckets[i];
        if (seen && (double)seen >= share * (double)latencies->count) return bucket_ns(i) / 1e6;
    }
    return 0;
}

// ------------------------------------------------------------------ what came out

void bench_result(const struct bench_result *result) {
    const struct latencies *latencies = result->latencies;
    printf("{\"started_ns\": %llu, \"ended_ns\": %llu, \"observations\": %llu, \"batches\": %llu, "
           "\"wire_bytes\": %llu",
           (unsigned long long)result->started_ns, (unsigned long long)result->ended_ns,
           (unsigned long long)result->observations, (unsigned long long)result->batches,
           (unsigned long long)result->wire_bytes);
    if (latencies && latencies->count)
        printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f", latencies_ms(latencies, 0.5),
               latencies_ms(latencies, 0.99));
    puts("}");
    (void)wait_line();
}

int bench_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("tresen-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return 1;
}
