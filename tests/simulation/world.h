#pragma once
// What there is to be observed: branches, counters, gateways, encounters, and for each gateway the
// recording that its sensors play. Made from a seed; nothing in it depends on faults.

#include "common/base/chance.h"
#include "common/domain/batch.h"
#include "common/registry/branches.h"
#include "worker/standards/standard.h"
#include "worker/store/calls.h"

enum {
    WORLD_BRANCHES = 3,
    WORLD_GATEWAYS = 4,   // a branch, its office among them
    WORLD_COUNTERS = 2,   // a branch
    WORLD_ITEMS = 1024,   // a gateway
    WORLD_LONG_EVERY = 4, // world goes on for hours
};

/// Midnight (UTC) in the middle of the recordings.
#define WORLD_MIDNIGHT_MS (INT64_C(20780) * DAY_MS)

struct range {
    uint32_t least, most;
};

/// How long everything takes. Half a minute into which much is squeezed, all settings as small as
/// they may be; or hours at the settings that are shipped, with encounters of minutes.
struct world_pace {
    uint32_t length_ms; // of the recordings
    uint32_t encounters_max;
    struct range first_ms, wait_ms, service_ms, pause_ms; // of encounters, one counter
    struct range period_ms;                               // between two samples
    int32_t gap_ms;                                       // largest_gap of the standards
    // Settings of gateways, brokers, workers.
    uint32_t idle_batch_ms, idle_ask_ms, answer_timeout_ms, refused_wait_ms, backoff_most_ms;
    uint32_t silence_ms, job_ms, probe_ms, death_apart_ms, heartbeat_ms, command_ms;
    uint32_t later_ms, retry_most_ms, refuse_ms;
    uint32_t faults_most; // a fault takes up to so many times as long
    uint32_t drain_ms;    // when all faults are over
};

enum item_kind { ITEM_SAMPLE, ITEM_EVENT, ITEM_FACT, ITEM_WITHDRAWN, ITEM_POISON, ITEM_DECISION };

/// One thing that a sensor saw.
struct item {
    enum item_kind kind;
    uint64_t seen_ms; // when it can be read, simulation's clock
    int64_t at_ms;    // event time
    size_t counter;
    double value;
    uint8_t confidence;
    const char *label;
    struct encounter encounter;
    struct decision decision;
    int64_t watermark_ms; // nothing older comes behind this item
};

struct recording {
    size_t count;
    uint32_t period_ms; // between two samples; they say that the sensor watched in between
    struct item items[WORLD_ITEMS];
};

struct world {
    const struct world_pace *pace;
    int64_t begin_ms;                   // event time when the simulation's clock stands at 0
    size_t branch_count, gateway_count; // gateways of all branches
    struct branch branches[WORLD_BRANCHES];
    size_t encounters[WORLD_BRANCHES]; // of each branch
    struct store_policy policy;
    bool poisoned;                   // some batch kills workers
    uint32_t deadly[WORLD_BRANCHES]; // bit N - 1: encounter e-COUNTER-N kills who judges it
    // Memory of the branches.
    struct id counters[WORLD_BRANCHES][WORLD_COUNTERS];
    struct branch_gateway registered[WORLD_BRANCHES][WORLD_GATEWAYS];
    uint16_t served[WORLD_BRANCHES][WORLD_GATEWAYS][WORLD_COUNTERS];
    // Only those that count are written.
    struct {
        size_t branch;
        uint8_t place; // in the branch's gateways
        struct recording recording;
    } gateways[WORLD_BRANCHES * WORLD_GATEWAYS];
};

#define WORLD_POISON "poison" // reason of the gap that kills workers

void world_make(struct world *world, uint64_t seed);
bool world_deadly(const struct world *world, size_t branch, const char *encounter);
const struct measures *world_measures(void);
const struct standard_set *world_standards(const struct world *world);
/// The same, for ever.
const struct standards_plan *world_plan(const struct world *world);
