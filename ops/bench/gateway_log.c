#include "ops/bench/gateway_log.h"

#include "common/io/clock.h"

#include <assert.h>

enum { RETENTION_MS = 3600000 };

enum err gateway_log_init(struct gateway_log *log, uint64_t capacity, const char *file,
                          struct problem *problem) {
    const struct spool_limits limits = {
        .full_sync = true, .bytes_max = UINT64_C(1) << 30, .retention_ms = RETENTION_MS};
    uint64_t damaged;
    *log = (struct gateway_log){.disk = NULL};
    enum err err = memory_spool_init(&log->memory, capacity);
    if (err) return problem_set(problem, err, "out of memory");
    return file[0] ? spool_open(file, &limits, false, &log->disk, &damaged, problem) : ERR_NONE;
}

void gateway_log_fini(struct gateway_log *log) {
    spool_close(log->disk);
    memory_spool_fini(&log->memory);
}

/// What retention looks at; the workload's own times do.
static struct span times_of(const struct batch *batch) {
    if (batch->series_count) return batch->series[0].watched;
    return (struct span){batch->watermark_ms, batch->watermark_ms};
}

enum err gateway_log_append(struct gateway_log *log, struct tag tag, const struct batch *batch,
                            uint64_t now_ns, struct problem *problem) {
    enum err err = memory_spool_append(&log->memory, tag, batch, now_ns);
    if (err) return problem_set(problem, err, "a batch: %s", err_name(err));
    if (!log->disk) return ERR_NONE;
    const struct memory_batch *kept = memory_spool_at(&log->memory, log->memory.last);
    return spool_append(log->disk, buffer_bytes(&kept->body), times_of(batch), batch->watermark_ms,
                        problem);
}

enum err gateway_log_commit(struct gateway_log *log, struct problem *problem) {
    return log->disk ? spool_commit(log->disk, clock_monotonic_ms(), problem) : ERR_NONE;
}

enum err gateway_log_read(struct gateway_log *log, uint64_t from, uint64_t to,
                          bool (*each)(void *context, const struct spool_batch *batch),
                          void *context, struct problem *problem) {
    if (log->disk) return spool_read(log->disk, from, to, each, context, problem);
    for (uint64_t number = from; number <= to; number++) {
        const struct memory_batch *held = memory_spool_at(&log->memory, number);
        assert(held && "what is not applied is held");
        const struct spool_batch batch = {
            .number = number, .tag = held->tag, .body = buffer_bytes(&held->body)};
        if (!each(context, &batch)) break;
    }
    return ERR_NONE;
}

bool gateway_log_tag(struct gateway_log *log, uint64_t number, struct tag *tag) {
    struct problem problem;
    if (log->disk) return !spool_tag(log->disk, number, tag, &problem);
    const struct memory_batch *held = memory_spool_at(&log->memory, number);
    if (held) *tag = held->tag;
    return held;
}

enum err gateway_log_epoch(struct gateway_log *log, uint64_t epoch, struct problem *problem) {
    return log->disk ? spool_set_epoch(log->disk, epoch, problem) : ERR_NONE;
}

enum err gateway_log_applied(struct gateway_log *log, uint64_t number, struct problem *problem) {
    return log->disk ? spool_set_applied(log->disk, number, 0, clock_monotonic_ms(), problem)
                     : ERR_NONE;
}

struct spool_id gateway_log_id(const struct gateway_log *log) {
    struct spool_id id;
    if (log->disk) return spool_state(log->disk)->id;
    random_fill(&id, sizeof id);
    return id;
}
