#pragma once
// tresen-bench: one path a file, all over the same workload; what they share.

#include "common/settings/settings.h"
#include "ops/bench/workload.h"

struct bench_settings {
    char config_dir[PATH_SIZE], redis_path[PATH_SIZE], endpoint[SETTING_TEXT_SIZE];
    char keys_dir[PATH_SIZE], spool_dir[PATH_SIZE];
    uint64_t encounters, encounter_samples, parts, part, batch_observations, window;
    uint64_t rate, spool_batches, fold;
};
extern const struct setting bench_settings[];

struct bench {
    struct bench_settings settings;
    struct catalogue catalogue;
    struct workload workload;
};

/// A way for the observations to go; it says what it found by bench_result.
struct bench_path {
    const char *name, *summary;
    int (*run)(const struct bench *bench);
};
extern const struct bench_path bench_load, bench_direct, bench_direct_best, bench_redis_streams,
    bench_zmq, bench_memcpy, bench_engine, bench_engine_plain, bench_settling, bench_settling_late;

uint64_t bench_now_ns(void); // monotonic

/// Everything is prepared: tell the caller, and wait until it says go (a line on standard input).
/// The time at which it did. Ends the process if nobody is there any more.
uint64_t bench_ready(void);

/// How long things took, within 1.6 %.
struct latencies {
    uint64_t count, buckets[64 * 64];
};
void latencies_add(struct latencies *latencies, uint64_t ns);
double latencies_ms(const struct latencies *latencies, double share); // 0.5: the median

/// What a path did; what does not apply is 0 or NULL.
struct bench_result {
    uint64_t started_ns, ended_ns;
    uint64_t observations, batches, wire_bytes;
    const struct latencies *latencies;
};
/// Print it as one line of JSON, then wait until the caller has looked at this process.
void bench_result(const struct bench_result *result);

/// "tresen-bench: sentence" on stderr; returns 1.
int bench_fail(const char *format, ...) PRINTF_LIKE(1, 2);
