#include "broker/shell/broker_settings.h"

#include "broker/core/dispatch.h"
#include "common/io/log.h"

static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

const struct setting broker_settings[] = {
    SETTING_TEXT(struct broker_settings, gateways_endpoint, "tcp://*:7400",
                 "Where gateways connect: tcp://ADDRESS:PORT or ipc://PATH."),
    SETTING_TEXT(struct broker_settings, workers_endpoint, "tcp://*:7401",
                 "Where workers connect: tcp://ADDRESS:PORT or ipc://PATH."),
    SETTING_TEXT(struct broker_settings, control_endpoint, "ipc:///run/tresen/control",
                 "Where tresenctl connects: ipc://PATH. Whoever may write into its folder may "
                 "drain workers."),
    SETTING_PATH(struct broker_settings, config_dir, "config",
                 "Folder whose branches/*.yaml name the branches and their gateways."),
    SETTING_PATH(
        struct broker_settings, keys_dir, "keys",
        "Folder of broker.key and of the public keys, *.pub, of all gateways and "
        "workers; a key that is taken away is refused from the next check on. Put new files "
        "in place by renaming them."),
    SETTING_BOOL(struct broker_settings, insecure, false,
                 "true: plain sockets, every sender is believed. Only on a machine of one's own."),
    SETTING_U64(struct broker_settings, window, 64, 1, WINDOW_MAX,
                "Batches of one gateway that may be unanswered, at most: lower needs less memory, "
                "higher fills long lines and folds more batches into one call of Redis."),
    SETTING_U64(struct broker_settings, queue_ms, 4, 0, 60000,
                "Milliseconds that batches should wait here in the mean: while more come than can "
                "be done, gateways take turns; lower answers sooner, higher folds more. 0: each "
                "may always send its whole window."),
    SETTING_U64(struct broker_settings, batches_max, 16384, 1, DISPATCH_JOBS_MAX,
                "Batches held at once, of all gateways. A branch gets no more of it than is still "
                "free, so that there is always room for another."),
    SETTING_U64(struct broker_settings, bytes_max, 256 << 20, 1 << 20, UINT64_C(1) << 40,
                "Bytes of batches held at once, of all gateways; shared out likewise."),
    SETTING_U64(struct broker_settings, workers_max, 256, 1, DISPATCH_WORKERS_MAX,
                "Names of workers known at once. One more is refused."),
    SETTING_U64(struct broker_settings, quantum, 65536, 1024, 1 << 20,
                "Bytes a branch may hand out before it is the next one's turn: lower alternates "
                "more finely, higher folds better."),
    SETTING_U64(struct broker_settings, worker_silence_ms, 5000, 100, 600000,
                "Milliseconds without a heartbeat after which a worker's batches go to another: "
                "lower repeats slow work, higher delays recovery from a crash."),
    SETTING_U64(struct broker_settings, job_ms, 60000, 1000, 3600000,
                "Milliseconds after which a worker that is alive, but has not finished a job, "
                "loses it: lower repeats slow work, higher waits longer for what was lost."),
    SETTING_U64(struct broker_settings, death_apart_ms, 2000, 0, 600000,
                "Milliseconds within which deaths of workers count once, and which a batch that "
                "killed one rests: lower blames a batch for a host that goes down, higher takes "
                "longer to find one that kills."),
    SETTING_U64(struct broker_settings, deaths, 3, 1, 100,
                "Deaths of workers that were alone with a batch which make it a dead letter."),
    SETTING_U64(struct broker_settings, settle_probe_ms, 30000, 100, 3600000,
                "Milliseconds after which a branch is asked for due encounters although nothing "
                "said so: covers what the answers cannot tell, such as a restarted broker."),
    SETTING_U64(struct broker_settings, later_ms, 500, 10, 60000,
                "Milliseconds a gateway is told to wait when there is no room for its batch."),
    SETTING_U64(struct broker_settings, gateway_silence_ms, 30000, 1000, 3600000,
                "Milliseconds without a word after which the status shows a gateway as not "
                "connected. Keep it above the gateways' idle_ask_ms."),
    SETTING_U64(struct broker_settings, keys_check_ms, 2000, 100, 3600000,
                "Milliseconds between looks for changed keys in keys_dir."),
    SETTING_CHOICE(struct broker_settings, log_level, LOG_LEVEL_INFO, log_levels,
                   "Least level of the lines on standard error."),
    SETTINGS_END};
