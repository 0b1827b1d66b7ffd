// simulate_redis: runs seeds, and makes each call of the store model of a real Redis with the real
// function library as well. Replies and cells must be the same to the last byte: so the model is
// the library, in plain words, and what the simulation proves of the one holds for the other.

#include "tests/simulation/simulation.h"
#include "tests/support/redis_server.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_SKIPPED = 77 };

extern const uint8_t store_functions[];
extern const size_t store_functions_size;

struct real {
    redisContext *redis;
    uint64_t calls;
    char differs[512];
};

static void *must(void *pointer) {
    if (!pointer) abort();
    return pointer;
}

/// The library with a clock that can be set: it reads the hash `now` where it asked for the time.
static void load_functions(struct real *real) {
    static const char asks[] = "redis.call('TIME')",
                      reads[] = "redis.call('HMGET', 'now', 's', 'us')";
    const char *text = (const char *)store_functions;
    const char *place = must(memmem(text, store_functions_size, asks, strlen(asks)));
    size_t before = (size_t)(place - text), behind = before + strlen(asks);
    struct buffer library;
    buffer_init(&library, 1 << 20);
    buffer_put(&library, text, before);
    buffer_put(&library, reads, strlen(reads));
    buffer_put(&library, text + behind, store_functions_size - behind);
    const char *words[] = {"FUNCTION", "LOAD", "REPLACE", (const char *)library.data};
    const size_t sizes[] = {8, 4, 7, library.size};
    redisReply *reply = must(redisCommandArgv(real->redis, 4, words, sizes));
    if (reply->type != REDIS_REPLY_STRING) abort();
    freeReplyObject(reply);
    buffer_fini(&library);
}

static void empty(void *context) {
    struct real *real = context;
    freeReplyObject(must(redisCommand(real->redis, "FLUSHALL")));
}

static const char *differ(struct real *real, const char *what, const char *detail) {
    snprintf(real->differs, sizeof real->differs, "%s %s", what, detail);
    return real->differs;
}

/// The cells of the model as Redis keeps them.
static const char *compare_cells(struct real *real, const struct branch *branch,
                                 const struct model *model) {
    for (size_t i = 0; i < model->cell_count; i++) {
        const struct model_cell *cell = &model->cells[i];
        const int64_t *v = cell->values;
        struct buffer packed;
        buffer_init(&packed, 4096);
        for (size_t k = 0; k < 7; k++)
            buffer_put_u32(&packed, (uint32_t)v[k]);
        for (size_t k = 7; k < 21; k += 2) {
            buffer_put_u32(&packed, (uint32_t)v[k]);
            buffer_put_u64(&packed, (uint64_t)v[k + 1]);
        }
        for (size_t k = 21; k < cell->count; k += 12) {
            for (size_t j = 0; j < 10; j++)
                buffer_put_u32(&packed, (uint32_t)v[k + j]);
            buffer_put_u64(&packed, (uint64_t)v[k + 10]);
            buffer_put_u64(&packed, (uint64_t)v[k + 11]);
        }
        char key[300];
        snprintf(key, sizeof key, "t:{%s}:%s:%s%s%s:%s", branch->id.text, cell->hourly ? "h" : "d",
                 cell->counter.text, cell->hourly ? ":" : "", cell->when.text, cell->set.text);
        redisReply *reply = must(redisCommand(real->redis, "GET %s", key));
        bool same = reply->type == REDIS_REPLY_STRING && (size_t)reply->len == packed.size &&
                    memcmp(reply->str, packed.data, packed.size) == 0;
        freeReplyObject(reply);
        buffer_fini(&packed);
        if (!same) return differ(real, "cell", key);
    }
    return NULL;
}

/// Who was taken alone, as Redis keeps it.
static const char *compare_alone(struct real *real, const struct branch *branch,
                                 const struct model *model) {
    char key[100];
    snprintf(key, sizeof key, "t:{%s}:alone", branch->id.text);
    redisReply *reply = must(redisCommand(real->redis, "HLEN %s", key));
    bool same = reply->integer == (long long)model->alone_count;
    freeReplyObject(reply);
    for (size_t i = 0; same && i < model->alone_count; i++) {
        const struct model_alone *alone = &model->alone[i];
        reply =
            must(redisCommand(real->redis, "HGET %s %b", key, alone->lease, sizeof alone->lease));
        same = reply->type == REDIS_REPLY_STRING && !strcmp(reply->str, alone->encounter.text);
        freeReplyObject(reply);
    }
    return same ? NULL : differ(real, "hash", key);
}

static const char *call(void *context, const struct branch *branch, enum model_call what,
                        struct bytes argument, int64_t now_ms, const struct model *model,
                        const char *error, struct bytes reply) {
    static const char *const functions[] = {
        "tresen_v1_configure", "tresen_v1_ask",    "tresen_v1_ingest",
        "tresen_v1_take",      "tresen_v1_settle", "tresen_v1_publish",
        "tresen_v1_give_back", "tresen_v1_seal",   "tresen_v1_rebuild"};
    struct real *real = context;
    char key[STORE_KEY_SIZE];
    store_key(&branch->id, key);
    real->calls++;
    freeReplyObject(
        must(redisCommand(real->redis, "HSET now s %lld us %lld", (long long)(now_ms / 1000),
                          (long long)(now_ms % 1000 * 1000))));
    const char *words[] = {"FCALL", functions[what], "1", key, (const char *)argument.data};
    const size_t sizes[] = {5, strlen(functions[what]), 1, strlen(key), argument.size};
    redisReply *answer = must(redisCommandArgv(real->redis, 5, words, sizes));
    const char *differs = NULL;
    if (answer->type != REDIS_REPLY_STRING) {
        if (!error) differs = differ(real, "only Redis fails:", answer->str ? answer->str : "");
    } else if (error) {
        differs = differ(real, "only the model fails:", error);
    } else if ((size_t)answer->len != reply.size ||
               memcmp(answer->str, reply.data, reply.size) != 0) {
        differs = differ(real, "replies", functions[what]);
    }
    freeReplyObject(answer);
    bool sums = what == MODEL_SETTLE || what == MODEL_SEAL || what == MODEL_REBUILD;
    if (!differs && sums) differs = compare_cells(real, branch, model);
    if (!differs) differs = compare_alone(real, branch, model);
    return differs;
}

int main(int count, char **arguments) {
    uint64_t seeds = count > 1 ? strtoull(arguments[1], NULL, 10) : 100;
    uint64_t first = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    static struct stage stage;
    struct real real = {0};
    struct redis_server *server = redis_server_start();
    if (!server) {
        printf("skipped: redis-server could not be started\n");
        return EXIT_SKIPPED;
    }
    real.redis = must(redisConnectUnix(redis_server_path(server)));
    load_functions(&real);
    const struct store_shadow shadow = {&real, call, empty};
    int failed = 0;
    for (uint64_t seed = first; seed < first + seeds && failed < 5; seed++) {
        empty(&real);
        if (!stage_make(&stage, seed)) return EXIT_FAILURE;
        struct finding finding = simulate_run(&(struct run){
            .seed = seed, .world = &stage.world, .expected = &stage.expected, .shadow = &shadow});
        if (finding.clean) continue;
        printf("seed %" PRIu64 " %s\n    simulate_redis 1 %" PRIu64 "\n", seed, finding.failure,
               seed);
        failed++;
    }
    printf("simulate_redis: seeds=%" PRIu64 " calls=%" PRIu64 " failed=%d\n", seeds, real.calls,
           failed);
    redisFree(real.redis);
    redis_server_stop(server);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
