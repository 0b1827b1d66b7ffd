#include "worker/store/acknowledge.h"

#include <stdio.h>
#include <string.h>

const char *const acknowledge_names[] = {"applied", "fsync", "replicated", NULL};

void confirmer_init(struct confirmer *confirmer, struct redis *redis,
                    const struct acknowledge_settings *settings) {
    *confirmer = (struct confirmer){
        .redis = redis, .settings = *settings, .waits = settings->level != ACKNOWLEDGE_APPLIED};
}

// The check: by Redis' own configuration, and by asking for WAITAOF, which a version would tell
// less surely: forks count otherwise, and a user may lack the right. Valkey has it, but does not
// hold to it.

/// The value behind `name` in the answer to CONFIG GET; "": it is not there.
static const char *configured(const redisReply *reply, const char *name) {
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *key = reply->element[i], *value = reply->element[i + 1];
        if (key->str && value->str && strcmp(key->str, name) == 0) return value->str;
    }
    return "";
}

static bool refuses(enum redis_class class) {
    return class == REDIS_CLASS_ERROR || class == REDIS_CLASS_CONFIGURATION;
}

static void no_waitaof(struct confirmer *confirmer, enum redis_class class, const char *why,
                       const redisReply *reply) {
    confirmer->probed = class;
    snprintf(confirmer->refusal, sizeof confirmer->refusal, "%s%s", why,
             reply && reply->str ? reply->str : "");
}

/// A replica refuses WAITAOF as such.
static void probed(void *context, enum redis_class class, const redisReply *reply) {
    struct confirmer *confirmer = context;
    confirmer->probed = class;
    if (class == REDIS_CLASS_OK && reply->type != REDIS_REPLY_ARRAY) class = REDIS_CLASS_ERROR;
    if (class == REDIS_CLASS_ERROR && reply->str && strstr(reply->str, "replica"))
        no_waitaof(confirmer, REDIS_CLASS_WRONG_NODE, "it is a replica", NULL);
    else if (refuses(class))
        no_waitaof(confirmer, class, "no WAITAOF (7.2 has it), or no right to it", NULL);
    else if (class != REDIS_CLASS_OK)
        no_waitaof(confirmer, class, "WAITAOF: ", reply);
}

/// Who it is. Valkey (8.1.1) answers WAITAOF while the sync is still to come: what was acknowledged
/// is lost with the power.
static void named(void *context, enum redis_class class, const redisReply *reply) {
    struct confirmer *confirmer = context;
    if (confirmer->probed != REDIS_CLASS_OK) return;
    if (refuses(class))
        no_waitaof(confirmer, class, "INFO, which tells Redis from Valkey, is refused: ", reply);
    else if (class != REDIS_CLASS_OK)
        no_waitaof(confirmer, class, "INFO: ", reply);
    else if (!reply->str)
        no_waitaof(confirmer, REDIS_CLASS_ERROR, "INFO does not tell Redis from Valkey", NULL);
    else if (strstr(reply->str, "\nvalkey_version:") || strstr(reply->str, "\nserver_name:valkey"))
        no_waitaof(confirmer, REDIS_CLASS_CONFIGURATION,
                   "it is Valkey, which answers WAITAOF before it has synced", NULL);
}

/// OK: Redis syncs before it answers, or as WAITAOF tells; otherwise reason says what is missing.
static enum redis_class configuration_class(struct confirmer *confirmer, const redisReply *reply,
                                            char reason[ACKNOWLEDGE_REASON_SIZE]) {
    static const char *const needed[][2] = {
        {"appendonly", "yes"}, {"appendfsync", "always"}, {"no-appendfsync-on-rewrite", "no"}};
    bool has_waitaof = confirmer->probed == REDIS_CLASS_OK;
    confirmer->waits = false;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const char *value = configured(reply, needed[i][0]);
        if (strcmp(value, needed[i][1]) == 0) continue;
        confirmer->waits = i > 0 && has_waitaof && strcmp(configured(reply, "appendfsync"), "no");
        if (confirmer->waits) break;
        snprintf(reason, ACKNOWLEDGE_REASON_SIZE,
                 "acknowledge: fsync needs %s %s%s; Redis has %s%s%s", needed[i][0], needed[i][1],
                 i == 1 && has_waitaof ? " or everysec" : "", value[0] ? value : "none",
                 i == 0 || has_waitaof ? "" : ", and ",
                 i == 0 || has_waitaof ? "" : confirmer->refusal);
        return REDIS_CLASS_CONFIGURATION;
    }
    return REDIS_CLASS_OK;
}

static void configuration_came(void *context, enum redis_class class, const redisReply *reply) {
    struct confirmer *confirmer = context;
    char reason[ACKNOWLEDGE_REASON_SIZE];
    snprintf(reason, sizeof reason, "%s", reply && reply->str ? reply->str : "no reply");
    bool has_waitaof = confirmer->probed == REDIS_CLASS_OK;
    if (!has_waitaof && !refuses(confirmer->probed)) { // a replica, or one that is loading
        class = confirmer->probed;
        snprintf(reason, sizeof reason, "%s", confirmer->refusal);
    } else if (class == REDIS_CLASS_OK) {
        class = configuration_class(confirmer, reply, reason);
    } else if (refuses(class)) {
        // Without the right to look, WAITAOF still says whether there is a log, and when it is
        // synced.
        confirmer->waits = has_waitaof;
        class = has_waitaof ? REDIS_CLASS_OK : REDIS_CLASS_CONFIGURATION;
        snprintf(reason, sizeof reason, "acknowledge: fsync cannot be checked: %s; and %s",
                 reply->str, confirmer->refusal);
    }
    confirmer->checked(confirmer->context, class, reason);
}

void confirmer_check(struct confirmer *confirmer,
                     void (*checked)(void *context, enum redis_class class, const char *reason),
                     void *context) {
    if (confirmer->settings.level != ACKNOWLEDGE_FSYNC) {
        checked(context, REDIS_CLASS_OK, "");
        return;
    }
    confirmer->checked = checked;
    confirmer->context = context;
    const struct bytes probe[] = {bytes_of_text("WAITAOF"), bytes_of_text("0"), bytes_of_text("0"),
                                  bytes_of_text("0")};
    const struct bytes name[] = {bytes_of_text("INFO"), bytes_of_text("server")};
    const struct bytes look[] = {bytes_of_text("CONFIG"), bytes_of_text("GET"),
                                 bytes_of_text("appendonly"), bytes_of_text("appendfsync"),
                                 bytes_of_text("no-appendfsync-on-rewrite")};
    if (redis_call(confirmer->redis, 4, probe, probed, confirmer) ||
        redis_call(confirmer->redis, 2, name, named, confirmer) ||
        redis_call(confirmer->redis, 5, look, configuration_came, confirmer))
        checked(context, REDIS_CLASS_UNKNOWN, "the connection takes no calls");
}

// The wait: by WAIT or WAITAOF

static void tell(struct confirmation *first, enum redis_class class, const char *reason) {
    while (first) {
        struct confirmation *next = first->next;
        first->told(first, class, reason);
        first = next;
    }
}

static void ask(struct confirmer *confirmer);

/// Redis has done the mark behind whatever was answered until now: the WAIT covers it.
static void marked(void *context, enum redis_class class, const redisReply *reply) {
    struct confirmer *confirmer = context;
    confirmer->marked = class;
    snprintf(confirmer->refusal, sizeof confirmer->refusal, "the mark before %s is refused: %s",
             confirmer->settings.level == ACKNOWLEDGE_FSYNC ? "WAITAOF" : "WAIT",
             reply && reply->str ? reply->str : "");
    while (confirmer->waiting) {
        struct confirmation *confirmation = confirmer->waiting;
        confirmer->waiting = confirmation->next;
        confirmation->next = confirmer->covered;
        confirmer->covered = confirmation;
    }
}

static enum redis_class replicas_class(const struct acknowledge_settings *settings,
                                       const redisReply *reply,
                                       char reason[ACKNOWLEDGE_REASON_SIZE]) {
    if (reply->integer >= (long long)settings->replicas) return REDIS_CLASS_OK;
    snprintf(reason, ACKNOWLEDGE_REASON_SIZE, "%lld of %u replicas had it after %u ms",
             reply->integer, settings->replicas, settings->wait_ms);
    return REDIS_CLASS_LATER;
}

static enum redis_class disk_class(const struct acknowledge_settings *settings,
                                   const redisReply *reply, char reason[ACKNOWLEDGE_REASON_SIZE]) {
    if (reply->elements > 0 && reply->element[0]->integer >= 1) return REDIS_CLASS_OK;
    snprintf(reason, ACKNOWLEDGE_REASON_SIZE,
             "not on Redis' disk after %u ms, which is half of redis_command_ms: its disk is slow, "
             "or appendfsync is no",
             settings->wait_ms);
    return REDIS_CLASS_LATER;
}

static void waited(void *context, enum redis_class class, const redisReply *reply) {
    struct confirmer *confirmer = context;
    const struct acknowledge_settings *settings = &confirmer->settings;
    struct confirmation *covered = confirmer->covered;
    char reason[ACKNOWLEDGE_REASON_SIZE] = "";
    if (class == REDIS_CLASS_OK && confirmer->marked != REDIS_CLASS_OK) {
        class = confirmer->marked;
        snprintf(reason, sizeof reason, "%s", confirmer->refusal);
    } else if (class == REDIS_CLASS_OK) {
        class = settings->level == ACKNOWLEDGE_FSYNC ? disk_class(settings, reply, reason)
                                                     : replicas_class(settings, reply, reason);
    } else if (class == REDIS_CLASS_ERROR && strstr(reply->str, "appendonly is disabled")) {
        class = REDIS_CLASS_CONFIGURATION;
        snprintf(reason, sizeof reason, "acknowledge: fsync needs appendonly yes: %s", reply->str);
    } else {
        snprintf(reason, sizeof reason, "%s",
                 reply ? reply->str : "no reply: the connection was lost or silent");
        // It became a replica itself: the next call will say so.
        if (class == REDIS_CLASS_ERROR) class = REDIS_CLASS_LATER;
    }
    confirmer->asking = false;
    confirmer->covered = NULL;
    if (confirmer->waiting) ask(confirmer); // first, so that those told next cannot
    tell(covered, class, reason);
}

/// WAIT and WAITAOF wait for what their own connection has written last. Someone else's write,
/// which a call of ours has merely seen, is covered as well if we write behind it. For replicas a
/// message to nobody is enough; without replicas that leaves no trace, so the log gets a key.
static void ask(struct confirmer *confirmer) {
    const struct acknowledge_settings *settings = &confirmer->settings;
    bool disk = settings->level == ACKNOWLEDGE_FSYNC;
    char replicas[16], wait_ms[16];
    snprintf(replicas, sizeof replicas, "%u", settings->replicas);
    snprintf(wait_ms, sizeof wait_ms, "%u", settings->wait_ms);
    const struct bytes mark[] = {bytes_of_text(disk ? "SET" : "PUBLISH"),
                                 bytes_of_text(disk ? ACKNOWLEDGE_MARK_KEY : "tresen:mark"),
                                 bytes_of_text("")};
    const struct bytes wait[] = {bytes_of_text("WAIT"), bytes_of_text(replicas),
                                 bytes_of_text(wait_ms)};
    const struct bytes waitaof[] = {bytes_of_text("WAITAOF"), bytes_of_text("1"),
                                    bytes_of_text("0"), bytes_of_text(wait_ms)};
    confirmer->asking =
        !redis_call(confirmer->redis, 3, mark, marked, confirmer) &&
        !redis_call(confirmer->redis, disk ? 4 : 3, disk ? waitaof : wait, waited, confirmer);
    if (confirmer->asking) return;
    struct confirmation *waiting = confirmer->waiting;
    confirmer->waiting = NULL;
    tell(waiting, REDIS_CLASS_LATER, "the connection takes no calls");
}

void confirmer_ask(struct confirmer *confirmer, struct confirmation *confirmation) {
    if (!confirmer->waits) {
        confirmation->told(confirmation, REDIS_CLASS_OK, "");
        return;
    }
    confirmation->next = confirmer->waiting;
    confirmer->waiting = confirmation;
    if (!confirmer->asking) ask(confirmer);
}
