#pragma once
// Gateways and workers by the names their keys stand for. The gateways are those of the registry;
// a worker's name gets a place when it is first ready.

#include "broker/shell/connection.h"
#include "broker/shell/rewind.h"
#include "common/base/idmap.h"
#include "common/registry/branches.h"
#include "common/registry/keys.h"

enum { NO_PEER = UINT32_MAX };

struct gateway {
    struct connection connection; // first: an outbox holds connections
    const struct branch *branch;
    uint32_t branch_number;
    const struct branch_gateway *registered;
    struct position position; // as the store answered last
    struct rewind rewind;
    bool reported;
    struct message report; // the last ask; its views mean nothing
    char trouble[REASON_MAX + 1]; // its last words; empty: it lives
};

struct worker {
    struct connection connection; // first
    struct id name;               // empty: the place is free
    char set[SET_MAX + 1];        // hash of the standards it judges by
    char version[VERSION_MAX + 1], acknowledge[LEVEL_MAX + 1];
    char trouble[REASON_MAX + 1]; // with Redis; empty: none
    uint32_t brokers;             // it serves; 0: of a version that does not say
    uint64_t library;             // revision that it brings; 0: of a version that does not say
    int64_t library_run;          // revision that its Redis runs; -1: not known
};

struct peers {
    uint32_t gateway_count, worker_count; // worker_count: places
    struct gateway *gateways;
    struct worker *workers;
    struct idmap *gateways_by_name, *workers_by_name;
};

MUST_CHECK enum err peers_init(struct peers *peers, const struct branches *branches,
                               uint32_t workers_max);
void peers_fini(struct peers *peers);

/// name: "gateway.BRANCH.NAME". NO_PEER: not in the registry.
uint32_t peers_gateway(const struct peers *peers, struct bytes name);
/// NO_PEER: has never been ready.
uint32_t peers_worker(const struct peers *peers, const struct id *name);
/// Give a name a free place; NO_PEER: all are taken.
uint32_t peers_worker_add(struct peers *peers, const struct id *name);
void peers_worker_remove(struct peers *peers, uint32_t worker);
