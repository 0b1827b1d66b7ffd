// How Redis is set, and how it is, against what README.md asks of it.

#include "ops/ctl/doctor.h"
#include "ops/ctl/store_link.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE = 512 };

/// What is asked, and where the answers go.
struct patient {
    const struct ctl *ctl;
    struct store_link *link;
    json_t *checks;
    const char *info;       // INFO, all of it
    bool may_not_configure; // CONFIG GET was refused, which is told once
};

static const char *const AS_OPERATOR =
    "let the operator look: redis_user: tresen-operator (ops/redis/README.md)";

static void note(const struct patient *patient, const char *check, const char *value,
                 const char *problem, const char *way_out) {
    doctor_note(patient->checks, check, value, problem, way_out);
}

/// A value of INFO; "": this Redis does not tell.
static const char *told(const struct patient *patient, const char *name, char value[VALUE_SIZE]) {
    size_t size = strlen(name);
    value[0] = '\0';
    for (const char *at = patient->info; (at = strstr(at, name)); at += size) {
        if ((at != patient->info && at[-1] != '\n') || at[size] != ':') continue;
        at += size + 1;
        snprintf(value, VALUE_SIZE, "%.*s", (int)strcspn(at, "\r\n"), at);
        break;
    }
    return value;
}

/// A value of CONFIG GET. false: it is not there, or may not be looked at.
static bool set_to(struct patient *patient, const char *name, char value[VALUE_SIZE]) {
    const struct bytes words[] = {bytes_of_text("CONFIG"), bytes_of_text("GET"),
                                  bytes_of_text(name)};
    value[0] = '\0';
    if (patient->may_not_configure) return false;
    redisReply *reply = store_try(patient->link, 3, words);
    bool pair = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;
    if (pair) snprintf(value, VALUE_SIZE, "%s", reply->element[1]->str);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        patient->may_not_configure = true;
        note(patient, "CONFIG GET", reply->str, "how Redis is set cannot be seen", AS_OPERATOR);
    }
    if (reply) freeReplyObject(reply);
    return pair;
}

static void see_version(const struct patient *patient) {
    char value[VALUE_SIZE];
    bool old = atoi(told(patient, "redis_version", value)) < 7;
    note(patient, "redis_version", value, old ? "it is older than 7.0 and has no functions" : NULL,
         "run Redis 7.0 or newer");
    bool is_master = strcmp(told(patient, "role", value), "master") == 0;
    note(patient, "role", value, is_master ? NULL : "it is a replica, which takes no writes",
         "name the master in redis_path, or redis_host and redis_port");
}

/// What would lose data that the spools may no longer hold.
static void see_memory(struct patient *patient) {
    char value[VALUE_SIZE];
    if (!set_to(patient, "maxmemory-policy", value)) told(patient, "maxmemory_policy", value);
    note(patient, "maxmemory-policy", value,
         strcmp(value, "noeviction") == 0 ? NULL : "what is kept here may be evicted",
         "CONFIG SET maxmemory-policy noeviction, and in redis.conf");
}

static void see_log(struct patient *patient, const struct promised *promised) {
    char value[VALUE_SIZE];
    bool is_on = strcmp(told(patient, "aof_enabled", value), "1") == 0;
    note(patient, "appendonly", is_on ? "yes" : "no",
         is_on ? NULL : "whatever came since its last dump is lost when Redis restarts",
         "CONFIG SET appendonly yes, and in redis.conf");
    if (set_to(patient, "appendfsync", value)) {
        const struct bytes probe[] = {bytes_of_text("COMMAND"), bytes_of_text("INFO"),
                                      bytes_of_text("waitaof")};
        redisReply *reply = store_try(patient->link, 3, probe);
        char valkey[VALUE_SIZE];
        bool waits = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 &&
                     reply->element[0]->type == REDIS_REPLY_ARRAY &&
                     !told(patient, "valkey_version", valkey)[0];
        if (reply) freeReplyObject(reply);
        bool always = strcmp(value, "always") == 0, never = strcmp(value, "no") == 0;
        bool broken = promised->fsync && !always && !(waits && !never);
        note(patient, "appendfsync", value,
             broken  ? "the workers acknowledge at the level fsync, and Redis does not sync"
             : never ? "a loss of power takes half a minute"
                     : NULL,
             broken ? "CONFIG SET appendfsync always, and in redis.conf"
                    : "CONFIG SET appendfsync everysec, and in redis.conf");
    }
    if (promised->fsync && set_to(patient, "no-appendfsync-on-rewrite", value))
        note(patient, "no-appendfsync-on-rewrite", value,
             strcmp(value, "no") == 0
                 ? NULL
                 : "the workers acknowledge at the level fsync, and Redis does not sync while it "
                   "rewrites its log",
             "CONFIG SET no-appendfsync-on-rewrite no, and in redis.conf");
    if (set_to(patient, "aof-load-truncated", value))
        note(patient, "aof-load-truncated", value,
             strcmp(value, "yes") == 0 ? NULL : "after a loss of power Redis may refuse to start",
             "CONFIG SET aof-load-truncated yes, and in redis.conf");
}

/// What went wrong when it last wrote to its disk.
static void see_disk(const struct patient *patient) {
    static const char *const written[] = {"aof_last_write_status", "aof_last_bgrewrite_status",
                                          "rdb_last_bgsave_status"};
    char value[VALUE_SIZE];
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        note(patient, written[i], value,
             strcmp(told(patient, written[i], value), "ok") == 0
                 ? NULL
                 : "Redis could not write to its disk",
             "see Redis' log; give its folder room");
    bool is_loading = strcmp(told(patient, "loading", value), "0") != 0;
    note(patient, "loading", value,
         is_loading ? "it is reading its log, and answers nothing" : NULL, "wait");
}

static void see_replicas(const struct patient *patient, const struct promised *promised) {
    char value[VALUE_SIZE];
    if (!promised->replicated) return;
    bool some = atoi(told(patient, "connected_slaves", value)) > 0;
    note(patient, "replicas", value,
         some ? NULL : "the workers acknowledge at the level replicated, and there is no replica",
         "start one with REPLICAOF: until then nothing is acknowledged");
}

/// Whether it answers somebody who has no password.
static bool is_open(const struct ctl *ctl) {
    static struct ctl stranger;
    stranger = *ctl;
    stranger.settings.redis_password_file[0] = '\0';
    struct store_link *link = store_link_open(&stranger);
    if (!link) return false;
    const struct bytes ping[] = {bytes_of_text("PING")};
    redisReply *reply = store_try(link, 1, ping);
    bool open = reply && reply->type == REDIS_REPLY_STATUS;
    if (reply) freeReplyObject(reply);
    store_link_close(link);
    return open;
}

/// Over a network only: who reaches the Unix socket has its file's permissions.
static void see_protection(struct patient *patient) {
    char port[VALUE_SIZE], value[VALUE_SIZE];
    if (!set_to(patient, "port", port) || strcmp(port, "0") == 0) return;
    if (set_to(patient, "protected-mode", value))
        note(patient, "protected-mode", value,
             strcmp(value, "yes") == 0 || !is_open(patient->ctl)
                 ? NULL
                 : "whoever reaches its port may do everything, without a password",
             "CONFIG SET protected-mode yes; load an access list (ops/redis/README.md), or set "
             "port 0 "
             "and use the Unix socket");
    static const char *const guarded[] = {"enable-protected-configs", "enable-debug-command",
                                          "enable-module-command"};
    for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++)
        if (set_to(patient, guarded[i], value))
            note(patient, guarded[i], value,
                 strcmp(value, "yes") == 0 ? "over the network Redis can be made to write or run "
                                             "what it should not"
                                           : NULL,
                 "set it to no, or local, in redis.conf and restart Redis");
}

/// Of the library that Redis runs; one that does not tell is of before there were revisions.
static int64_t revision_of(const struct patient *patient) {
    const struct bytes words[] = {bytes_of_text("FCALL"), bytes_of_text("tresen_v1_revision"),
                                  bytes_of_text("0")};
    redisReply *reply = store_try(patient->link, 3, words);
    int64_t revision = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    if (reply) freeReplyObject(reply);
    return revision;
}

static void see_revision(const struct patient *patient, const struct promised *promised) {
    int64_t runs = revision_of(patient);
    char value[64], problem[128];
    snprintf(value, sizeof value, "tresen_v1, revision %" PRId64, runs);
    snprintf(problem, sizeof problem, "a worker brings revision %" PRId64 ", and has not loaded it",
             promised->library);
    note(patient, "function library", value, runs < promised->library ? problem : NULL,
         "its log (library_not_loaded) says why, and who may let it; or start a worker of its "
         "version that may load it (ops/redis/README.md: tresen-loader)");
}

static void see_library(const struct patient *patient, const struct promised *promised) {
    const struct bytes words[] = {bytes_of_text("FUNCTION"), bytes_of_text("LIST"),
                                  bytes_of_text("LIBRARYNAME"), bytes_of_text("tresen_v1")};
    redisReply *reply = store_try(patient->link, 4, words);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        note(patient, "function library", reply ? reply->str : "",
             "whether tresen_v1 is loaded cannot be seen", AS_OPERATOR);
    else if (!reply->elements)
        note(patient, "function library", "none",
             "Redis does not have tresen_v1, so nothing can be applied",
             "start a worker that may load it (ops/redis/README.md: tresen-loader)");
    else
        see_revision(patient, promised);
    if (reply) freeReplyObject(reply);
}

void doctor_redis(const struct ctl *ctl, json_t *checks, const struct promised *promised) {
    const struct ctl_settings *settings = &ctl->settings;
    const char *where = settings->redis_path[0] ? settings->redis_path : settings->redis_host;
    struct patient patient = {.ctl = ctl, .checks = checks, .link = store_link_open(ctl)};
    const struct bytes info[] = {bytes_of_text("INFO"), bytes_of_text("everything")};
    redisReply *reply = patient.link ? store_try(patient.link, 2, info) : NULL;
    bool refuses = reply && reply->type == REDIS_REPLY_ERROR;
    note(&patient, "redis", where,
         refuses  ? reply->str
         : !reply ? "Redis cannot be reached there, or refuses who asks"
                  : NULL,
         refuses ? AS_OPERATOR
                 : "start it; see redis_path, redis_host, redis_user and redis_password_file");
    if (reply && !refuses) {
        patient.info = reply->str;
        see_version(&patient);
        see_memory(&patient);
        see_log(&patient, promised);
        see_disk(&patient);
        see_replicas(&patient, promised);
        see_protection(&patient);
        see_library(&patient, promised);
    }
    if (reply) freeReplyObject(reply);
    store_link_close(patient.link);
}
