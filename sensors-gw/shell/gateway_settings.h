#pragma once
// The settings of a gateway, and its list of drivers with theirs.

#include "common/settings/command.h"
#include "sensors-gw/drivers/driver.h"

struct gateway_settings {
    struct id branch, gateway;
    char config_dir[PATH_SIZE];
    struct setting_texts brokers;
    char keys_dir[PATH_SIZE];
    bool insecure;
    char spool[PATH_SIZE];
    uint64_t spool_bytes_max, spool_retention_ms;
    bool spool_full_sync;
    int spool_when_full;
    uint64_t held_max;
    uint64_t batch_observations, batch_bytes, batch_linger_ms, idle_batch_ms, commit_batches;
    uint64_t clock_error_ms;
    int legal_most;
    char pseudonym_key[PATH_SIZE];
    int pseudonym_period;
    uint64_t window_most, answer_timeout_ms, idle_ask_ms, refused_wait_ms, backoff_most_ms;
    bool exit_at_end;
    char presence_measure[ID_MAX + 1]; // empty: encounters are not made of presence
    double presence_enter_m, presence_leave_m, presence_confidence;
    uint64_t presence_enter_ms, presence_leave_ms;
    char presence_offering[ID_MAX + 1];
    const struct node *drivers;
};
extern const struct setting gateway_settings[];

enum { WHEN_FULL_WAIT, WHEN_FULL_DROP_OLDEST, WHEN_FULL_DROP_NEWEST };
enum { DRIVERS_MAX = 64 };

/// One entry of `drivers:`.
struct driver_entry {
    const struct driver *driver;
    struct id name; // unique in the gateway: its cursor is kept under it
    void *settings; // driver->settings_size bytes
};
struct driver_entries {
    size_t count;
    struct driver_entry items[DRIVERS_MAX];
};

/// false: reported; free it in either case.
bool driver_entries_read(const struct node *drivers, struct driver_entries *entries,
                         struct problems *problems);
void driver_entries_free(struct driver_entries *entries);
/// --driver NAME, short for a file with this one driver. Ended by a NULL name.
extern const struct command_short driver_shorts[];
/// What --help says of the drivers.
void driver_entries_help(FILE *out, bool yaml);
