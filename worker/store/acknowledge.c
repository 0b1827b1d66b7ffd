#include "worker/store/acknowledge.h"

#include <stdio.h>
#include <string.h>

enum { REASON_SIZE = 160 };

const char *const acknowledge_names[] = {"applied", "fsync", "replicated", NULL};

void confirmer_init(struct confirmer *confirmer, struct redis *redis,
                    const struct acknowledge_settings *settings) {
    *confirmer = (struct confirmer){.redis = redis, .settings = *settings};
}

// fsync: by Redis' own configuration

/// The value behind `name` in the answer to CONFIG GET; "": it is not there.
static const char *configured(const redisReply *reply, const char *name) {
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *key = reply->element[i], *value = reply->element[i + 1];
        if (key->str && value->str && strcmp(key->str, name) == 0) return value->str;
    }
    return "";
}

static void configuration_came(void *context, enum redis_class class, const redisReply *reply) {
    static const char *const needed[][2] = {
        {"appendonly", "yes"}, {"appendfsync", "always"}, {"no-appendfsync-on-rewrite", "no"}};
    struct confirmer *confirmer = context;
    char reason[REASON_SIZE];
    snprintf(reason, sizeof reason, "%s", reply && reply->str ? reply->str : "no reply");
    if (class == REDIS_CLASS_ERROR || class == REDIS_CLASS_CONFIGURATION) {
        class = REDIS_CLASS_CONFIGURATION;
        snprintf(reason, sizeof reason, "acknowledge: fsync cannot be checked: %s", reply->str);
    }
    for (size_t i = 0; i < 3 && class == REDIS_CLASS_OK; i++) {
        const char *value = configured(reply, needed[i][0]);
        if (strcmp(value, needed[i][1]) == 0) continue;
        class = REDIS_CLASS_CONFIGURATION;
        snprintf(reason, sizeof reason, "acknowledge: fsync needs %s %s; Redis has %s",
                 needed[i][0], needed[i][1], value[0] ? value : "none");
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
    const struct bytes arguments[] = {bytes_of_text("CONFIG"), bytes_of_text("GET"),
                                      bytes_of_text("appendonly"), bytes_of_text("appendfsync"),
                                      bytes_of_text("no-appendfsync-on-rewrite")};
    if (redis_call(confirmer->redis, 5, arguments, configuration_came, confirmer))
        checked(context, REDIS_CLASS_UNKNOWN, "the connection takes no calls");
}

// replicated: by WAIT

static void tell(struct confirmation *first, enum redis_class class, const char *reason) {
    while (first) {
        struct confirmation *next = first->next;
        first->told(first, class, reason);
        first = next;
    }
}

static void ask(struct confirmer *confirmer);

static void marked(void *context, enum redis_class class, const redisReply *reply) {
    (void)reply;
    ((struct confirmer *)context)->marked = class;
}

static void waited(void *context, enum redis_class class, const redisReply *reply) {
    struct confirmer *confirmer = context;
    const struct acknowledge_settings *settings = &confirmer->settings;
    struct confirmation *covered = confirmer->covered;
    char reason[REASON_SIZE];
    snprintf(reason, sizeof reason, "%s",
             !reply                                ? "no reply: the connection was lost or silent"
             : reply->type == REDIS_REPLY_ERROR    ? reply->str
             : confirmer->marked != REDIS_CLASS_OK ? "PUBLISH, which goes before WAIT, is refused"
                                                   : "");
    if (class == REDIS_CLASS_OK) class = confirmer->marked;
    if (class == REDIS_CLASS_OK && reply->integer < (long long)settings->replicas) {
        class = REDIS_CLASS_LATER;
        snprintf(reason, sizeof reason, "%lld of %u replicas had it after %u ms", reply->integer,
                 settings->replicas, settings->wait_ms);
    } else if (class == REDIS_CLASS_ERROR) {
        class = REDIS_CLASS_LATER; // it became a replica itself: the next call will say so
    }
    confirmer->asking = false;
    confirmer->covered = NULL;
    if (confirmer->waiting) ask(confirmer); // first, so that those told next cannot
    tell(covered, class, reason);
}

/// WAIT waits for what its own connection has written last. Someone else's write, which a call of
/// ours has merely seen, is covered as well if we write behind it: a message to nobody is enough.
static void ask(struct confirmer *confirmer) {
    char replicas[16], wait_ms[16];
    snprintf(replicas, sizeof replicas, "%u", confirmer->settings.replicas);
    snprintf(wait_ms, sizeof wait_ms, "%u", confirmer->settings.wait_ms);
    const struct bytes mark[] = {bytes_of_text("PUBLISH"), bytes_of_text("tresen:mark"),
                                 bytes_of_text("")};
    const struct bytes wait[] = {bytes_of_text("WAIT"), bytes_of_text(replicas),
                                 bytes_of_text(wait_ms)};
    confirmer->covered = confirmer->waiting;
    confirmer->waiting = NULL;
    confirmer->asking = !redis_call(confirmer->redis, 3, mark, marked, confirmer) &&
                        !redis_call(confirmer->redis, 3, wait, waited, confirmer);
    if (confirmer->asking) return;
    struct confirmation *covered = confirmer->covered;
    confirmer->covered = NULL;
    tell(covered, REDIS_CLASS_LATER, "the connection takes no calls");
}

void confirmer_ask(struct confirmer *confirmer, struct confirmation *confirmation) {
    if (confirmer->settings.level != ACKNOWLEDGE_REPLICATED) {
        confirmation->told(confirmation, REDIS_CLASS_OK, "");
        return;
    }
    confirmation->next = confirmer->waiting;
    confirmer->waiting = confirmation;
    if (!confirmer->asking) ask(confirmer);
}
