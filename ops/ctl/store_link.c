#include "ops/ctl/store_link.h"

#include "worker/store/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store_link {
    redisContext *context;
};

enum { ARGUMENTS_MAX = 8 };

redisReply *store_try(struct store_link *link, size_t count, const struct bytes *arguments) {
    const char *texts[ARGUMENTS_MAX];
    size_t sizes[ARGUMENTS_MAX];
    if (count > ARGUMENTS_MAX) return NULL;
    for (size_t i = 0; i < count; i++) {
        texts[i] = (const char *)arguments[i].data;
        sizes[i] = arguments[i].size;
    }
    redisReply *reply = redisCommandArgv(link->context, (int)count, texts, sizes);
    if (!reply) ctl_fail("Redis does not answer: %s", link->context->errstr);
    return reply;
}

redisReply *store_ask(struct store_link *link, size_t count, const struct bytes *arguments) {
    redisReply *reply = store_try(link, count, arguments);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        ctl_fail("Redis: %s%s", reply->str,
                 strstr(reply->str, "Function not found")
                     ? ": start a worker of this version, or a newer one, which brings it"
                     : "");
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

redisReply *store_key_ask(struct store_link *link, const char *command, const char *branch,
                          const char *format, ...) {
    char words[64], rest[256], key[320];
    struct bytes arguments[ARGUMENTS_MAX];
    size_t count = 0;
    va_list values;
    va_start(values, format);
    vsnprintf(rest, sizeof rest, format, values);
    va_end(values);
    snprintf(key, sizeof key, "t:{%s}:%s", branch, rest);
    snprintf(words, sizeof words, "%s", command);

    // "ZRANGE % 0 -1": the key goes where % stands, or behind the command.
    bool placed = false;
    for (char *save = NULL, *word = strtok_r(words, " ", &save); word && count < ARGUMENTS_MAX - 1;
         word = strtok_r(NULL, " ", &save)) {
        bool here = strcmp(word, "%") == 0;
        placed = placed || here;
        arguments[count++] = bytes_of_text(here ? key : word);
    }
    if (!placed) arguments[count++] = bytes_of_text(key);
    return store_ask(link, count, arguments);
}

struct bytes reply_bytes(const redisReply *reply) {
    bool text = reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS);
    return text ? (struct bytes){(const uint8_t *)reply->str, (size_t)reply->len}
                : (struct bytes){NULL, 0};
}

static bool log_in(const struct ctl_settings *settings, struct store_link *link) {
    if (!settings->redis_password_file[0]) return true;
    char password[256] = "";
    FILE *file = fopen(settings->redis_password_file, "re");
    if (!file || !fgets(password, sizeof password, file)) {
        if (file) fclose(file);
        ctl_fail("%s: cannot be read; see redis_password_file", settings->redis_password_file);
        return false;
    }
    fclose(file);
    password[strcspn(password, "\r\n")] = '\0';
    struct bytes arguments[3] = {bytes_of_text("AUTH"), bytes_of_text(settings->redis_user)};
    size_t count = settings->redis_user[0] ? 2 : 1;
    arguments[count++] = bytes_of_text(password);
    redisReply *reply = store_ask(link, count, arguments);
    if (reply) freeReplyObject(reply);
    return reply != NULL;
}

struct store_link *store_link_open(const struct ctl *ctl) {
    const struct ctl_settings *settings = &ctl->settings;
    struct timeval wait = {(time_t)(settings->answer_ms / 1000),
                           (suseconds_t)(settings->answer_ms % 1000 * 1000)};
    struct store_link *link = calloc(1, sizeof *link);
    if (!link) {
        ctl_fail("out of memory");
        return NULL;
    }
    link->context =
        settings->redis_path[0]
            ? redisConnectUnixWithTimeout(settings->redis_path, wait)
            : redisConnectWithTimeout(settings->redis_host, (int)settings->redis_port, wait);
    if (!link->context || link->context->err) {
        ctl_fail("Redis at %s: %s",
                 settings->redis_path[0] ? settings->redis_path : settings->redis_host,
                 link->context ? link->context->errstr : "out of memory");
        store_link_close(link);
        return NULL;
    }
    redisSetTimeout(link->context, wait);
    if (log_in(settings, link)) return link;
    store_link_close(link);
    return NULL;
}

void store_link_close(struct store_link *link) {
    if (!link) return;
    if (link->context) redisFree(link->context);
    free(link);
}

redisReply *store_function(struct store_link *link, const char *function, const char *branch,
                           const struct buffer *argument) {
    char key[STORE_KEY_SIZE];
    struct id id = {0};
    snprintf(id.text, sizeof id.text, "%s", branch);
    store_key(&id, key);
    if (argument->failed) {
        ctl_fail("%s: the argument is too large, or memory is out", function);
        return NULL;
    }
    const struct bytes words[] = {bytes_of_text("FCALL"), bytes_of_text(function),
                                  bytes_of_text("1"), bytes_of_text(key), buffer_bytes(argument)};
    return store_ask(link, sizeof words / sizeof *words, words);
}
