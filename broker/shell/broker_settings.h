#pragma once
// The settings of tresen-broker; broker_settings.c says what each one means.

#include "common/settings/settings.h"

struct broker_settings {
    char gateways_endpoint[SETTING_TEXT_SIZE];
    char workers_endpoint[SETTING_TEXT_SIZE];
    char control_endpoint[SETTING_TEXT_SIZE];
    char config_dir[PATH_SIZE], keys_dir[PATH_SIZE];
    bool insecure;
    uint64_t window, queue_ms, batches_max, bytes_max, workers_max, quantum;
    uint64_t worker_silence_ms, job_ms, death_apart_ms, deaths;
    uint64_t settle_probe_ms, later_ms, gateway_silence_ms, keys_check_ms;
    int log_level;
};

extern const struct setting broker_settings[];
