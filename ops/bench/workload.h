#pragma once
// The workload of all paths: every branch has one counter, a gateway for each measure, and
// encounters one after the other, five minutes of event time each if nothing else is said, every
// measure at 10 Hz. The
// gateway that opens encounters tells them, too. A gateway is named after its measure, with - for
// dots and underscores.

#include "sensors-gw/core/batching.h"
#include "worker/catalogue/catalogue.h"

enum {
    WORKLOAD_STEP_MS = 100,
    WORKLOAD_SAMPLES = 3000, // an encounter, of each measure, where nothing else is said
    WORKLOAD_PATTERN = 40,   // samples after which the values repeat
};
#define WORKLOAD_START_MS INT64_C(1735689600000) // 2025-01-01: any time that is past

struct workload {
    const struct branches *branches;
    const struct measures *measures;
    uint32_t encounters; // a branch
    uint32_t samples;    // an encounter, of each measure; a multiple of WORKLOAD_PATTERN
    uint32_t batch;      // observations in a batch
};

uint64_t workload_observations(const struct workload *workload);
uint64_t workload_encounters(const struct workload *workload);

/// What one gateway sends, batch by batch, through the gateways' own batching.
struct stream {
    const struct workload *workload;
    const struct branch *branch;
    const struct branch_gateway *gateway;
    const struct measure *measure;
    struct batching *batching;
    struct source *source;
    int32_t level, rise; // values, in multiples of the resolution
    uint64_t at, count;  // samples
};
/// take gets each batch, as batching_new has it. ERR_MISSING: no measure is called like the gateway
MUST_CHECK enum err stream_init(struct stream *stream, const struct workload *workload,
                                const struct branch *branch, const struct branch_gateway *gateway,
                                batching_take *take, void *context);
void stream_fini(struct stream *stream);
bool stream_ended(const struct stream *stream);
void stream_next(struct stream *stream); // one more batch; not after the end
