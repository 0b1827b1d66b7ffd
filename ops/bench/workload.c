#include "ops/bench/workload.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

uint64_t workload_encounters(const struct workload *workload) {
    return (uint64_t)workload->branches->count * workload->encounters;
}

uint64_t workload_observations(const struct workload *workload) {
    uint64_t gateways = 0;
    for (size_t i = 0; i < workload->branches->count; i++)
        gateways += workload->branches->items[i].gateway_count;
    return gateways * workload->encounters * workload->samples;
}

static bool called_like(const struct measure *measure, const struct id *gateway) {
    size_t size = strlen(measure->id.text);
    if (size != strlen(gateway->text)) return false;
    for (size_t i = 0; i < size; i++) {
        char c = measure->id.text[i];
        if (gateway->text[i] != (c == '.' || c == '_' ? '-' : c)) return false;
    }
    return true;
}

enum err stream_init(struct stream *stream, const struct workload *workload,
                     const struct branch *branch, const struct branch_gateway *gateway,
                     batching_take *take, void *context) {
    *stream = (struct stream){.workload = workload, .branch = branch, .gateway = gateway};
    stream->count = (uint64_t)workload->encounters * workload->samples;
    for (size_t i = 0; i < workload->measures->count && !stream->measure; i++)
        if (called_like(&workload->measures->items[i], &gateway->id))
            stream->measure = &workload->measures->items[i];
    if (!stream->measure) return ERR_MISSING;

    int32_t least, most;
    measure_limits(stream->measure, &least, &most);
    stream->level = least + (most - least) / 4;
    stream->rise = (most - least) / 400;
    const struct batching_limits limits = {.observations_max = workload->batch,
                                           .body_max = BATCH_BODY_MAX,
                                           .linger_ms = 1000,
                                           .legal_most = LEGAL_P5,
                                           .counters = branch->counters,
                                           .counter_count = branch->counter_count};
    stream->batching = batching_new(&limits, 1, TIME_NONE, take, context);
    if (!stream->batching) return ERR_NOMEM;
    stream->source = batching_source(stream->batching, 0);
    return ERR_NONE;
}

void stream_fini(struct stream *stream) {
    batching_free(stream->batching);
    *stream = (struct stream){0};
}

bool stream_ended(const struct stream *stream) {
    return stream->at == stream->count;
}

static int64_t time_of(uint64_t sample) {
    return WORKLOAD_START_MS + (int64_t)sample * WORKLOAD_STEP_MS;
}

static void tell_encounter(struct stream *stream, uint64_t number, bool ended) {
    const uint64_t samples = stream->workload->samples;
    struct encounter encounter = {
        .counter = stream->branch->counters[0],
        .issued_ms = time_of(number * samples),
        .called_ms = time_of(number * samples),
        .started_ms = time_of(number * samples),
        .ended_ms = ended ? time_of((number + 1) * samples) : TIME_NONE,
        .outcome = ended ? OUTCOME_NORMAL : OUTCOME_OPEN,
    };
    snprintf(encounter.id.text, sizeof encounter.id.text, "e%llu", (unsigned long long)number);
    batching_encounter(stream->source, &encounter);
}

static void tell_birth(struct stream *stream) {
    struct fact birth = {.kind = FACT_BIRTH,
                         .measures = {1, (struct id *)&stream->measure->id},
                         .counters = {1, stream->branch->counters}};
    batching_fact(stream->batching, &birth);
}

void stream_next(struct stream *stream) {
    assert(!stream_ended(stream));
    const struct id *counter = &stream->branch->counters[0];
    const uint64_t samples = stream->workload->samples;
    uint64_t first = stream->at, end = first + stream->workload->batch;
    if (end > stream->count) end = stream->count;
    if (!first) tell_birth(stream);
    for (uint64_t at = first; at < end; at++) {
        uint64_t place = at % samples;
        if (stream->gateway->opens && !place) tell_encounter(stream, at / samples, false);
        int32_t stored = stream->level + stream->rise * (int32_t)(place % WORKLOAD_PATTERN);
        batching_sample(stream->source, stream->measure, counter, time_of(at),
                        measure_value(stream->measure, stored), 90);
        if (stream->gateway->opens && place + 1 == samples)
            tell_encounter(stream, at / samples, true);
    }
    batching_watch(stream->source, stream->measure, counter, time_of(first), time_of(end));
    batching_watermark(stream->source, time_of(end));
    stream->at = end;
    if (stream_ended(stream)) batching_fact(stream->batching, &(struct fact){.kind = FACT_GOODBYE});
    batching_cut(stream->batching);
}
