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
    WORLD_GATEWAYS = 4, // a branch, its office among them
    WORLD_COUNTERS = 2, // a branch
    WORLD_ENCOUNTERS = 8,
    WORLD_ITEMS = 256, // a gateway
    WORLD_MS = 30000,  // the recordings' length
};

/// Event time when the simulation's clock stands at 0: 15 s before midnight, UTC.
#define WORLD_MIDNIGHT_MS (INT64_C(20780) * DAY_MS)
#define WORLD_BEGIN_MS (WORLD_MIDNIGHT_MS - 15000)

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
    size_t branch_count, gateway_count; // gateways of all branches
    struct branch branches[WORLD_BRANCHES];
    size_t encounters[WORLD_BRANCHES]; // of each branch
    struct {
        size_t branch;
        uint8_t place; // in the branch's gateways
        struct recording recording;
    } gateways[WORLD_BRANCHES * WORLD_GATEWAYS];
    struct store_policy policy;
    bool poisoned; // some batch kills workers
    // Memory of the branches.
    struct id counters[WORLD_BRANCHES][WORLD_COUNTERS];
    struct branch_gateway registered[WORLD_BRANCHES][WORLD_GATEWAYS];
    uint16_t served[WORLD_BRANCHES][WORLD_GATEWAYS][WORLD_COUNTERS];
};

#define WORLD_POISON "poison" // reason of the gap that kills workers

void world_make(struct world *world, uint64_t seed);
const struct measures *world_measures(void);
const struct standard_set *world_standards(void);
/// The same, for ever.
const struct standards_plan *world_plan(void);
