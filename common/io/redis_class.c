#include "common/io/redis.h"

#include <string.h>

const char *redis_class_name(enum redis_class class) {
    static const char *const names[] = {"ok",    "repairable",    "later",  "wrong_node",
                                        "error", "configuration", "unknown"};
    return names[class];
}

/// How error replies begin, as whole words; texts of Redis 7.0 and 8.0 and Valkey 8.1. The first
/// that fits counts.
static const struct {
    const char *words;
    enum redis_class class;
} beginnings[] = {
    {"ERR Function not found", REDIS_CLASS_REPAIRABLE},
    {"NOSCRIPT", REDIS_CLASS_REPAIRABLE},
    {"LOADING", REDIS_CLASS_LATER},
    {"BUSY", REDIS_CLASS_LATER},
    {"MASTERDOWN", REDIS_CLASS_LATER},
    {"CLUSTERDOWN", REDIS_CLASS_LATER},
    {"TRYAGAIN", REDIS_CLASS_LATER},
    {"NOREPLICAS", REDIS_CLASS_LATER},
    {"OOM", REDIS_CLASS_LATER},
    {"MISCONF", REDIS_CLASS_LATER},
    {"ERR max number of clients", REDIS_CLASS_LATER},
    {"ERR Script killed by user", REDIS_CLASS_LATER}, // possible only before its first write
    {"READONLY", REDIS_CLASS_WRONG_NODE},
    {"MOVED", REDIS_CLASS_WRONG_NODE},
    {"ASK", REDIS_CLASS_WRONG_NODE},
    {"NOAUTH", REDIS_CLASS_CONFIGURATION},
    {"WRONGPASS", REDIS_CLASS_CONFIGURATION},
    {"NOPERM", REDIS_CLASS_CONFIGURATION},
    {"DENIED", REDIS_CLASS_CONFIGURATION},   // protected mode
    {"ERR AUTH", REDIS_CLASS_CONFIGURATION}, // a password where none is configured
};

enum redis_class redis_classify(const redisReply *reply) {
    if (!reply) return REDIS_CLASS_UNKNOWN;
    if (reply->type != REDIS_REPLY_ERROR) return REDIS_CLASS_OK;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        size_t size = strlen(beginnings[i].words);
        if (reply->len < size || memcmp(reply->str, beginnings[i].words, size)) continue;
        if (reply->len == size || strchr(" .,:", reply->str[size])) return beginnings[i].class;
    }
    return REDIS_CLASS_ERROR;
}
