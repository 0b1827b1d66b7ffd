#pragma once
// The gateway's one loop: drivers -> batching -> spool -> session -> broker.

#include "sensors-gw/shell/gateway_settings.h"
#include "sensors-gw/shell/site.h"

struct gateway;

enum {
    GATEWAY_EXIT_OK = 0,
    GATEWAY_EXIT_IO = 74,     // EX_IOERR: the spool cannot be written or read
    GATEWAY_EXIT_CONFIG = 78, // EX_CONFIG: fenced, a clone, rolled back, damaged: a person must act
};

/// Open the spool and every driver, connect to the first broker. All arguments outlive it.
/// new_spool: see spool_open. *problem says what a person should do.
MUST_CHECK enum err gateway_new(const struct gateway_settings *settings,
                                const struct driver_entries *drivers, const struct site *site,
                                bool new_spool, struct gateway **gateway, struct problem *problem);
void gateway_free(struct gateway *gateway); // accepts NULL

/// Until SIGTERM or SIGINT, until there is nothing more to do (exit_at_end), or until it must not
/// go on. Returns the exit status; the reason has been logged.
int gateway_run(struct gateway *gateway);
