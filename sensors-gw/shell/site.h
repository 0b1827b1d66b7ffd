#pragma once
// What the registry says of this gateway: its branch, its counters, the measures there are.

#include "common/registry/branches.h"
#include "common/registry/measures.h"
#include "sensors-gw/shell/gateway_settings.h"

struct site {
    struct measure_catalogue catalogue;
    struct branches branches;
    const struct branch *branch;
    size_t counter_count;
    struct id *counters; // this gateway's own
};

/// Read config_dir. false: reported; free it in either case.
bool site_load(const struct gateway_settings *settings, struct site *site,
               struct problems *problems);
void site_free(struct site *site);
