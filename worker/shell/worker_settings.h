#pragma once
// What a worker can be told: config/worker.yaml.

#include "common/io/log.h"
#include "common/settings/settings.h"

/// Where the standards come from.
enum standards_of { STANDARDS_OF_FOLDER, STANDARDS_PUBLISHED };

struct worker_settings {
    struct id worker;
    struct setting_texts brokers;
    char config_dir[PATH_SIZE], keys_dir[PATH_SIZE];
    int standards; // enum standards_of
    uint64_t standards_poll_ms;
    bool insecure;
    char redis_path[PATH_SIZE], redis_host[256], redis_user[64], redis_password_file[PATH_SIZE];
    uint64_t redis_port, redis_command_ms, replicas;
    int acknowledge;
    uint64_t jobs_max, fold_jobs_max, take_max, heartbeat_ms, drain_ms;
    uint64_t grace_ms, settle_after_ms, settle_pause_ms, lease_ms, encounter_max_ms, horizon_ms;
    uint64_t branch_bytes_max, dead_max;
    int log_level;
};

extern const struct setting worker_settings[];

struct problems;
/// What each setting allows but not all of them together.
void worker_settings_check(const struct worker_settings *settings, struct problems *problems);
