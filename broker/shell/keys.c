// Who may connect: the public keys in keys_dir, looked at again while the broker runs.

#include "broker/shell/broker.h"
#include "common/io/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool folder_changed(struct broker *broker) {
    struct stat now;
    if (stat(broker->settings->keys_dir, &now)) return false; // said by keys_load at the start
    bool changed = broker->keys_changed[0] != now.st_mtim.tv_sec ||
                   broker->keys_changed[1] != now.st_mtim.tv_nsec;
    broker->keys_changed[0] = now.st_mtim.tv_sec;
    broker->keys_changed[1] = now.st_mtim.tv_nsec;
    return changed;
}

static enum err table_load(struct broker *broker, size_t *count, struct problem *problem) {
    struct key_table table = {0};
    enum err err = keys_load(broker->settings->keys_dir, &table, problem);
    if (err) return err;
    struct curve_user *users = calloc(table.count ? table.count : 1, sizeof *users);
    *count = 0;
    for (size_t i = 0; users && i < table.count; i++) {
        struct peer peer;
        const char *name = table.items[i].name;
        if (!peer_parse(name, strlen(name), &peer) || peer.kind == PEER_BROKER) continue;
        struct curve_user *user = &users[(*count)++];
        memcpy(user->key.text, table.items[i].key, sizeof user->key.text);
        memcpy(user->name, name, strlen(name) + 1);
    }
    err = users ? curve_users_set(broker->bus, users, *count, problem)
                : problem_set(problem, ERR_NOMEM, "out of memory");
    free(users);
    keys_free(&table);
    return err;
}

enum err keys_start(struct broker *broker, struct bus_security *security, struct problem *problem) {
    char secret[KEY_TEXT_SIZE], own_public[KEY_TEXT_SIZE];
    size_t count;
    enum err err =
        key_read_secret(broker->settings->keys_dir, "broker", secret, own_public, problem);
    if (err) return err;
    memcpy(security->secret_key.text, secret, sizeof security->secret_key.text);
    folder_changed(broker);
    err = table_load(broker, &count, problem);
    if (!err) log_info("keys", "folder=%s peers=%zu", broker->settings->keys_dir, count);
    return err;
}

void keys_check(struct broker *broker, uint64_t now_ms) {
    if (broker->settings->insecure || now_ms < broker->keys_check_ms) return;
    broker->keys_check_ms = now_ms + broker->settings->keys_check_ms;
    if (!folder_changed(broker)) return;
    struct problem problem;
    size_t count;
    if (!table_load(broker, &count, &problem)) {
        log_info("keys", "folder=%s peers=%zu", broker->settings->keys_dir, count);
        return;
    }
    log_error("keys_not_changed", "reason=%s", problem.text); // those before still hold
    broker->keys_changed[0] = -1;                             // look again: half written, perhaps
}
