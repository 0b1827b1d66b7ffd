#pragma once
// A recording: what gateways have spooled, read from copies of their spools or from spools whose
// gateways are stopped. Nothing is written.

#include "common/registry/branches.h"

enum { RECORDING_SPOOLS_MAX = 1024 };

/// One gateway's spool. Its file is named after branch and gateway: musterstadt-desk.spool, or
/// gateway.musterstadt.desk.spool.
struct recorded_spool {
    char path[512];
    size_t branch; // place in the registry
    const struct branch_gateway *gateway;
    uint64_t batches;
};
struct recording {
    size_t count; // sorted by branch, then gateway
    struct recorded_spool items[RECORDING_SPOOLS_MAX];
};

/// path: a spool, or a folder of them. false: said on stderr why not.
bool recording_find(const char *path, const struct branches *branches, struct recording *out);

/// Hands all bodies of a spool to `each`, in order, until it returns false. false: that, or the
/// spool cannot be read, which is said.
bool recording_read(const struct recorded_spool *spool,
                    bool (*each)(void *context, uint64_t number, struct bytes body), void *context);
