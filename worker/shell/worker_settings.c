#include "worker/shell/worker_settings.h"

#include "common/settings/problems.h"
#include "worker/store/acknowledge.h"

#include <string.h>

static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

static const char *const standards_names[] = {"folder", "published", NULL};

const struct setting worker_settings[] = {
    SETTING_ID(struct worker_settings, worker, NULL,
               "Name of this worker, different for each: in the broker's status and logs, and the "
               "name of its key, worker.NAME."),
    SETTING_TEXTS(struct worker_settings, brokers, true,
                  "Endpoints of all brokers, tcp://HOST:PORT or ipc://PATH: a worker serves each "
                  "with an equal share of its jobs."),
    SETTING_PATH(struct worker_settings, config_dir, "config",
                 "Folder of measures, branches, values, norms and standards."),
    SETTING_CHOICE(struct worker_settings, standards, STANDARDS_OF_FOLDER, standards_names,
                   "Which standards judge. folder: those of config_dir, read at the start and at "
                   "SIGHUP. published: those of `tresenctl standards publish`, taken up while the "
                   "worker runs; where nothing is published, those of config_dir. The same for all "
                   "workers."),
    SETTING_U64(struct worker_settings, standards_poll_ms, 10000, 100, 300000,
                "Milliseconds between two looks at what is published, where standards is "
                "published."),
    SETTING_PATH(struct worker_settings, keys_dir, "keys",
                 "Folder of broker.pub and worker.NAME.key; not read where insecure is true."),
    SETTING_BOOL(struct worker_settings, insecure, false,
                 "true: plain sockets without keys. Only on a machine of one's own."),
    SETTING_PATH(struct worker_settings, redis_path, "",
                 "Unix socket of Redis; empty: redis_host and redis_port."),
    SETTING_TEXT(struct worker_settings, redis_host, "127.0.0.1",
                 "Name or address of Redis, where redis_path is empty."),
    SETTING_U64(struct worker_settings, redis_port, 6379, 1, 65535,
                "Port of Redis, where redis_path is empty."),
    SETTING_TEXT(struct worker_settings, redis_user, "",
                 "User in Redis' access list; empty: the default user."),
    SETTING_PATH(struct worker_settings, redis_password_file, "",
                 "File whose first line is the password for Redis; empty: none is sent."),
    SETTING_U64(
        struct worker_settings, redis_command_ms, 5000, 100, 60000,
        "Milliseconds without a reply after which the connection to Redis is given up and "
        "made anew: lower notices a dead Redis sooner, higher bears with a slow one. Half of "
        "it, at most, is waited for WAITAOF (acknowledge: fsync): not below 3000 then."),
    SETTING_CHOICE(
        struct worker_settings, acknowledge, ACKNOWLEDGE_APPLIED, acknowledge_names,
        "How safe a batch must be before it is acknowledged. applied: in Redis' memory; "
        "what a crash or failover undoes is sent again from the spools. fsync: on Redis' "
        "disk, by appendonly yes, appendfsync always and no-appendfsync-on-rewrite no; where "
        "Redis has WAITAOF (7.2 or newer; that of Valkey answers too early and is not used) "
        "appendonly yes and appendfsync everysec do, but then a worker does only a few calls of "
        "the store a second; otherwise the worker ends. replicated: in the memory of `replicas` "
        "replicas, too; while one is missing nothing is acknowledged."),
    SETTING_U64(struct worker_settings, replicas, 1, 1, 16,
                "Replicas that must have a batch, where acknowledge is replicated."),
    SETTING_U64(struct worker_settings, jobs_max, 1024, 1, 8192,
                "Jobs held at a time, over all brokers: lower needs less memory, higher folds more "
                "batches into one call of Redis."),
    SETTING_U64(struct worker_settings, fold_jobs_max, 64, 1, 256,
                "Batches of one branch in one call of Redis: lower keeps Redis' other callers from "
                "waiting, higher costs less a batch."),
    SETTING_U64(struct worker_settings, take_max, 16, 1, 64, "Encounters judged in one go."),
    SETTING_U64(struct worker_settings, heartbeat_ms, 1000, 50, 60000,
                "Milliseconds between heartbeats to the broker; keep it well below the broker's "
                "worker_silence_ms."),
    SETTING_U64(struct worker_settings, drain_ms, 3000, 100, 60000,
                "Milliseconds that calls on their way get to end when the worker is told to stop."),
    SETTING_U64(struct worker_settings, grace_ms, 2000, 0, 600000,
                "Milliseconds of event time that all gateways of a counter must be past an "
                "encounter's end before it is judged. The same for all workers."),
    SETTING_U64(struct worker_settings, settle_after_ms, 60000, 100, 86400000,
                "Milliseconds after which an ended encounter is judged although some gateway is "
                "behind or silent (provisionally: it is judged again when that gateway comes). "
                "The same for all workers."),
    SETTING_U64(struct worker_settings, settle_pause_ms, 2000, 0, 3600000,
                "Milliseconds between a change to a judged encounter and judging it again: higher "
                "gathers more late data. The same for all workers."),
    SETTING_U64(struct worker_settings, lease_ms, 30000, 1000, 3600000,
                "Milliseconds a worker may take to judge what it took; then others may try. The "
                "same for all workers."),
    SETTING_U64(struct worker_settings, encounter_max_ms, 14400000, 60000, 86400000,
                "Milliseconds of event time after which an encounter without an end is closed "
                "with outcome timeout. The same for all workers."),
    SETTING_U64(struct worker_settings, horizon_ms, 259200000, 60000, 7776000000,
                "Milliseconds of silence, counted while the system is at work, after which a "
                "gateway in the registry holds nothing back any more until it speaks again: lower "
                "makes verdicts final and frees Redis sooner when a gateway is lost, higher lets "
                "one be away longer before what it brings comes too late. The same for all "
                "workers."),
    SETTING_U64(struct worker_settings, branch_bytes_max, 64 << 20, 1 << 20, 1 << 30,
                "Bytes of minute logs a branch may have in Redis: at this bound gateways that are "
                "ahead in event time have to wait; at twice as many, if nothing else makes room, "
                "the slowest goes on without its readings, which are counted as no_room. The same "
                "for all workers."),
    SETTING_U64(struct worker_settings, dead_max, 1000, 1, 100000,
                "Dead letters kept a branch; more are only counted. The same for all workers."),
    SETTING_CHOICE(struct worker_settings, log_level, LOG_LEVEL_INFO, log_levels,
                   "Least level of the lines on standard error."),
    SETTINGS_END};

void worker_settings_check(const struct worker_settings *settings, struct problems *problems) {
    const struct setting_texts *brokers = &settings->brokers;
    if (settings->jobs_max < brokers->count)
        problems_add(
            problems, ERR_RANGE, NULL,
            "jobs_max is %llu, but there are %zu brokers, and each needs a job of its own; "
            "raise jobs_max",
            (unsigned long long)settings->jobs_max, brokers->count);
    for (size_t i = 0; i < brokers->count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(brokers->items[i], brokers->items[j]) == 0)
                problems_add(problems, ERR_FORMAT, NULL, "brokers names %s twice; name each once",
                             brokers->items[i]);
}
