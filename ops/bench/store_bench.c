// What the store's functions cost Redis, against a bare function that writes the same bytes.
//
// usage: store_bench SOCKET   (an empty Redis that nobody else uses; ops/bench/store starts one)

#include "worker/core/minutes.h"
#include "worker/store/calls.h"

#include <hiredis/hiredis.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const uint8_t store_functions[];
extern const size_t store_functions_size;

#define SET "0123456789abcdef"

enum {
    GATEWAYS = 4,
    FOLDS = 2000,
    BATCHES_A_GATEWAY = 4, // of a fold
    BATCH_OBSERVATIONS = 32,
    OBSERVATION_MS = 250,
    FOLD_MS = BATCHES_A_GATEWAY * BATCH_OBSERVATIONS * OBSERVATION_MS,
    FOLD_OBSERVATIONS = GATEWAYS * BATCHES_A_GATEWAY * BATCH_OBSERVATIONS,
    ENCOUNTERS = 960,
    ENCOUNTER_MS = 120000,
    TAKE = 16,
    STANDARDS = 18,
    PIPELINE = 16, // calls on their way
    ARGUMENT_MAX = 1 << 20,
};
#define BEGIN_MS INT64_C(1700049600000)

static const char bare_functions[] =
    "#!lua name=bench_v1\n"
    "redis.register_function('bench_v1_bare', function(keys, args)\n"
    "  redis.call('SET', keys[1], args[1])\n"
    "  for i = 2, #keys do redis.call('APPEND', keys[i], args[i]) end\n"
    "  return args[1]\n"
    "end)\n";

struct bench {
    redisContext *redis;
    struct branch branch;
    struct id counters[GATEWAYS];
    struct branch_gateway gateways[GATEWAYS];
    uint16_t all[GATEWAYS];
    struct store_policy policy;
    uint64_t configuration, epochs[GATEWAYS], numbers[GATEWAYS];
    int64_t watermark_ms;
};

static _Noreturn void give_up(const char *why) {
    fprintf(stderr, "store_bench: %s\n", why);
    exit(1);
}

static redisReply *checked(void *reply) {
    redisReply *checked = reply;
    if (!checked) give_up("no reply from Redis");
    if (checked->type == REDIS_REPLY_ERROR) give_up(checked->str);
    return checked;
}

static void command(struct bench *bench, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    freeReplyObject(checked(redisvCommand(bench->redis, format, arguments)));
    va_end(arguments);
}

static double figure_of(const char *info, const char *name) {
    const char *at = strstr(info, name);
    if (!at) give_up("INFO cpu says nothing of the main thread: Redis 7 is needed");
    return strtod(at + strlen(name), NULL);
}

/// Microseconds of processor time that Redis' one thread has used so far.
static double redis_us(struct bench *bench) {
    redisReply *reply = checked(redisCommand(bench->redis, "INFO cpu"));
    double seconds = figure_of(reply->str, "used_cpu_user_main_thread:") +
                     figure_of(reply->str, "used_cpu_sys_main_thread:");
    freeReplyObject(reply);
    return seconds * 1e6;
}

static void append_call(struct bench *bench, const char *function, struct bytes argument) {
    char key[STORE_KEY_SIZE];
    store_key(&bench->branch.id, key);
    const char *words[] = {"FCALL", function, "1", key, (const char *)argument.data};
    const size_t sizes[] = {5, strlen(function), 1, strlen(key), argument.size};
    if (redisAppendCommandArgv(bench->redis, 5, words, sizes)) give_up(bench->redis->errstr);
}

/// The reply to the oldest call on its way, which must be "ok"; the caller frees it.
static redisReply *next_reply(struct bench *bench) {
    void *reply = NULL;
    if (redisGetReply(bench->redis, &reply)) give_up(bench->redis->errstr);
    redisReply *packed = checked(reply);
    struct reader reader = reader_of((struct bytes){(const uint8_t *)packed->str, packed->len});
    struct reply head;
    if (reply_read(&reader, &head) || head.status != STORE_OK)
        give_up("a call was not answered ok");
    return packed;
}

static redisReply *call(struct bench *bench, const char *function, struct buffer *argument) {
    if (argument->failed) give_up("an argument is too large");
    append_call(bench, function, buffer_bytes(argument));
    buffer_clear(argument);
    return next_reply(bench);
}

/// Calls made ready, so that Redis does not wait for them.
struct calls {
    size_t count;
    struct buffer text; // u32 size, argument; ...
};

static void calls_init(struct calls *calls) {
    calls->count = 0;
    buffer_init(&calls->text, (size_t)FOLDS * ARGUMENT_MAX);
}

static void calls_add(struct calls *calls, struct buffer *argument) {
    if (argument->failed) give_up("an argument is too large");
    buffer_put_u32(&calls->text, (uint32_t)argument->size);
    buffer_put(&calls->text, argument->data, argument->size);
    calls->count++;
    buffer_clear(argument);
}

/// Make the calls; microseconds of Redis a call.
static double calls_run(struct bench *bench, struct calls *calls, const char *function) {
    struct reader reader = reader_of(buffer_bytes(&calls->text));
    double before = redis_us(bench);
    for (size_t sent = 0, answered = 0; answered < calls->count; answered++) {
        for (; sent < calls->count && sent < answered + PIPELINE; sent++)
            append_call(bench, function, reader_take(&reader, reader_u32(&reader)));
        freeReplyObject(next_reply(bench));
    }
    double spent = redis_us(bench) - before;
    buffer_fini(&calls->text);
    return spent / (double)calls->count;
}

// Folds ------------------------------------------------------------------------------------------

static void setup(struct bench *bench) {
    struct buffer argument;
    buffer_init(&argument, ARGUMENT_MAX);
    command(bench, "FLUSHALL");
    for (size_t i = 0; i < GATEWAYS; i++) {
        snprintf(bench->counters[i].text, sizeof bench->counters[i].text, "desk-%zu", i + 1);
        bench->all[i] = (uint16_t)i;
        bench->gateways[i] = (struct branch_gateway){
            .key = (uint16_t)i, .counter_count = GATEWAYS, .counters = bench->all};
        snprintf(bench->gateways[i].id.text, sizeof bench->gateways[i].id.text, "floor-%zu", i);
        bench->numbers[i] = 0;
    }
    bench->branch = (struct branch){.id = {"bench"},
                                    .counter_count = GATEWAYS,
                                    .counters = bench->counters,
                                    .gateway_count = GATEWAYS,
                                    .gateways = bench->gateways};
    bench->policy = store_policy_default();
    bench->policy.settle_after_ms = 0;
    bench->configuration = store_configuration(&bench->branch, &bench->policy);
    bench->watermark_ms = BEGIN_MS - HOUR_MS;
    call_configure(&bench->branch, &bench->policy, &argument);
    freeReplyObject(call(bench, "tresen_v1_configure", &argument));
    call_publish(&(struct name){SET}, bytes_of_text("{}"), &argument);
    freeReplyObject(call(bench, "tresen_v1_publish", &argument));
    for (uint8_t i = 0; i < GATEWAYS; i++) {
        struct ask_call ask = {.configuration = bench->configuration, .gateway = i};
        struct ask_reply answer;
        call_ask(&ask, &argument);
        redisReply *reply = call(bench, "tresen_v1_ask", &argument);
        if (ask_reply_read((struct bytes){(const uint8_t *)reply->str, reply->len}, &answer))
            give_up("ask was not answered");
        bench->epochs[i] = answer.position.epoch;
        freeReplyObject(reply);
    }
    buffer_fini(&argument);
}

/// Distances four times a second, as a person moves: about the bytes of a real day.
static void observe(struct minutes_builder *builder, uint16_t counter, uint16_t gateway,
                    int64_t at_ms) {
    static const struct measure distance = {.key = 1, .kind = MEASURE_SAMPLES, .resolution = 0.01};
    int32_t t[BATCH_OBSERVATIONS], value[BATCH_OBSERVATIONS];
    uint8_t confidence[BATCH_OBSERVATIONS];
    for (int32_t i = 0; i < BATCH_OBSERVATIONS; i++) {
        t[i] = i * OBSERVATION_MS;
        value[i] = 120 + (i * i * 7 + gateway * 3) % 23;
        confidence[i] = 90;
    }
    struct batch_series series = {
        .measure = &distance,
        .watched = {at_ms, at_ms + (int64_t)BATCH_OBSERVATIONS * OBSERVATION_MS},
        .base_ms = at_ms,
        .columns = {BATCH_OBSERVATIONS, t, value, confidence}};
    minutes_add(builder, &series, counter, gateway, 0, TIME_LAST);
}

static void put_fold(struct bench *bench, const struct buffer *chunks, uint32_t chunk_count,
                     const struct fold_fact *facts, size_t fact_count, struct buffer *argument) {
    struct fold_gateway gateways[GATEWAYS];
    for (size_t i = 0; i < GATEWAYS; i++) {
        gateways[i] = (struct fold_gateway){.gateway = (uint8_t)i,
                                            .epoch = bench->epochs[i],
                                            .first = bench->numbers[i] + 1,
                                            .last = bench->numbers[i] + BATCHES_A_GATEWAY,
                                            .watermark_ms = bench->watermark_ms,
                                            .applied = BATCHES_A_GATEWAY};
        bench->numbers[i] += BATCHES_A_GATEWAY;
    }
    struct fold fold = {.configuration = bench->configuration,
                        .gateway_count = GATEWAYS,
                        .gateways = gateways,
                        .fact_count = fact_count,
                        .facts = facts,
                        .chunk_count = chunk_count,
                        .chunks = buffer_bytes(chunks)};
    call_ingest(&fold, argument);
}

/// Each of `logs` counters gets its share of a fold of 16 batches.
static double folds(struct bench *bench, size_t logs, size_t *bytes) {
    struct minutes_builder *builder = minutes_builder_new(FOLD_OBSERVATIONS, 4 * GATEWAYS, 1);
    struct buffer chunks, argument;
    struct calls calls;
    if (!builder) give_up("out of memory");
    buffer_init(&chunks, ARGUMENT_MAX);
    buffer_init(&argument, ARGUMENT_MAX);
    calls_init(&calls);
    setup(bench);
    *bytes = 0;
    for (size_t fold = 0; fold < FOLDS; fold++) {
        // Two folds a minute, each wholly within it.
        int64_t at_ms = BEGIN_MS + (int64_t)(fold / 2) * MINUTE_MS;
        for (uint16_t gateway = 0; gateway < GATEWAYS; gateway++)
            for (int64_t batch = 0; batch < BATCHES_A_GATEWAY; batch++)
                observe(builder, (uint16_t)(gateway % logs), gateway,
                        at_ms + (batch % 2 + 2 * (int64_t)(fold % 2)) * 10000);
        bench->watermark_ms = at_ms;
        uint32_t chunk_count = minutes_finish(builder, &chunks);
        minutes_builder_clear(builder);
        *bytes += chunks.size;
        put_fold(bench, &chunks, chunk_count, NULL, 0, &argument);
        buffer_clear(&chunks);
        calls_add(&calls, &argument);
    }
    *bytes /= FOLDS;
    minutes_builder_free(builder);
    buffer_fini(&chunks);
    buffer_fini(&argument);
    return calls_run(bench, &calls, "tresen_v1_ingest");
}

/// The same bytes into as many keys, and one value as long as a state, by a function without rules.
static double bare(struct bench *bench, size_t logs, size_t bytes) {
    enum { WORDS = 3 + 2 * (GATEWAYS + 1), STATE_SIZE = 32 + GATEWAYS * (40 + 86) };
    char number[8], keys[GATEWAYS][48], *data = calloc(1, bytes + STATE_SIZE);
    const char *words[WORDS] = {"FCALL", "bench_v1_bare", number, "t:{bench}:state"};
    size_t sizes[WORDS] = {5, 13, 1, 15}, count = 4 + logs;
    if (!data) give_up("out of memory");
    setup(bench);
    snprintf(number, sizeof number, "%zu", 1 + logs);
    words[count] = data;
    sizes[count++] = STATE_SIZE;
    for (size_t i = 0; i < logs; i++) {
        words[4 + i] = keys[i];
        words[count] = data;
        sizes[count++] = bytes / logs;
    }
    double before = redis_us(bench);
    for (size_t sent = 0, answered = 0; answered < FOLDS; answered++) {
        for (; sent < FOLDS && sent < answered + PIPELINE; sent++) {
            for (size_t i = 0; i < logs; i++)
                sizes[4 + i] = (size_t)snprintf(keys[i], sizeof keys[i], "t:{bench}:m:desk-%zu:%zu",
                                                i, sent / 2);
            redisAppendCommandArgv(bench->redis, (int)count, words, sizes);
        }
        void *reply = NULL;
        if (redisGetReply(bench->redis, &reply)) give_up(bench->redis->errstr);
        freeReplyObject(checked(reply));
    }
    free(data);
    return (redis_us(bench) - before) / FOLDS;
}

static void bench_folds(struct bench *bench, size_t logs) {
    size_t bytes;
    double fold_us = folds(bench, logs, &bytes), bare_us = bare(bench, logs, bytes);
    printf("fold of %d batches into %zu minute log%s: %6.1f us, %5.1f ns an observation "
           "(%zu bytes; bare %.1f us, %.1f ns)\n",
           GATEWAYS * BATCHES_A_GATEWAY, logs, logs > 1 ? "s" : "", fold_us,
           fold_us * 1000 / FOLD_OBSERVATIONS, bytes, bare_us, bare_us * 1000 / FOLD_OBSERVATIONS);
}

// Encounters -------------------------------------------------------------------------------------

static struct encounter encounter_of(size_t number) {
    struct encounter encounter = {.offering = {"cash"},
                                  .employee = "e1",
                                  .language = "de",
                                  .outcome = OUTCOME_NORMAL,
                                  .called_ms = TIME_NONE};
    encounter.started_ms = BEGIN_MS + (int64_t)(number / GATEWAYS) * ENCOUNTER_MS;
    encounter.issued_ms = encounter.started_ms - ENCOUNTER_MS;
    encounter.ended_ms = encounter.started_ms + ENCOUNTER_MS / 2;
    snprintf(encounter.id.text, sizeof encounter.id.text, "encounter-%zu", number);
    return encounter;
}

static double tell_all(struct bench *bench) {
    struct buffer argument, none;
    struct calls calls;
    buffer_init(&argument, ARGUMENT_MAX);
    buffer_init(&none, 1);
    calls_init(&calls);
    for (size_t i = 0; i < ENCOUNTERS; i++) {
        struct encounter encounter = encounter_of(i);
        struct fold_fact fact = {.counter = (int16_t)(i % GATEWAYS), .encounter = &encounter};
        put_fold(bench, &none, 0, &fact, 1, &argument);
        calls_add(&calls, &argument);
    }
    buffer_fini(&argument);
    return calls_run(bench, &calls, "tresen_v1_ingest");
}

static double take_all(struct bench *bench) {
    struct take_call take = {
        .configuration = bench->configuration, .lease = {{1}}, .most = TAKE, .bytes = UINT32_MAX};
    struct buffer argument;
    struct calls calls;
    buffer_init(&argument, ARGUMENT_MAX);
    calls_init(&calls);
    for (size_t i = 0; i < ENCOUNTERS / TAKE; i++) {
        call_take(&take, &argument);
        calls_add(&calls, &argument);
    }
    buffer_fini(&argument);
    return calls_run(bench, &calls, "tresen_v1_take") / TAKE;
}

static void put_contribution(size_t number, struct buffer *out) {
    struct contribution_standard standards[STANDARDS];
    for (size_t i = 0; i < STANDARDS; i++)
        standards[i] = (struct contribution_standard){
            .verdict = (uint8_t)((number + i) % VERDICTS), .degree = 500000, .coverage = 900000};
    struct contribution contribution = {
        .outcome = 1, .scores = {1, 2, 3, 4, 5, 6, 7}, .count = STANDARDS, .standards = standards};
    contribution_write(&contribution, out);
}

static double settle_all(struct bench *bench, size_t turn) {
    struct buffer argument, contribution;
    struct calls calls;
    buffer_init(&argument, ARGUMENT_MAX);
    buffer_init(&contribution, ARGUMENT_MAX);
    calls_init(&calls);
    for (size_t i = 0; i < ENCOUNTERS; i++) {
        struct settle_call settle = {.configuration = bench->configuration,
                                     .lease = {{1}},
                                     .encounter = encounter_of(i).id,
                                     .set = {SET},
                                     .day = "2023-11-15",
                                     .verdicts = bytes_of_text("verdicts")};
        snprintf(settle.hour, sizeof settle.hour, "2023-11-15T%02zu", i * 24 / ENCOUNTERS);
        put_contribution(i + turn, &contribution);
        settle.contribution = buffer_bytes(&contribution);
        call_settle(&settle, &argument);
        buffer_clear(&contribution);
        calls_add(&calls, &argument);
    }
    buffer_fini(&contribution);
    buffer_fini(&argument);
    return calls_run(bench, &calls, "tresen_v1_settle");
}

/// All gateways pass everything: encounters become due once more, for good.
static void pass_all(struct bench *bench) {
    struct buffer argument, none;
    buffer_init(&argument, ARGUMENT_MAX);
    buffer_init(&none, 1);
    bench->watermark_ms = BEGIN_MS + (int64_t)ENCOUNTERS * ENCOUNTER_MS;
    put_fold(bench, &none, 0, NULL, 0, &argument);
    freeReplyObject(call(bench, "tresen_v1_ingest", &argument));
    buffer_fini(&argument);
}

static void bench_encounters(struct bench *bench) {
    setup(bench);
    printf("an encounter is told:          %6.1f us\n", tell_all(bench));
    printf("taken, %d in a call:           %6.1f us\n", TAKE, take_all(bench));
    printf("settled, %d standards:         %6.1f us\n", STANDARDS, settle_all(bench, 0));
    pass_all(bench);
    printf("taken once more:               %6.1f us\n", take_all(bench));
    printf("settled once more, final:      %6.1f us\n", settle_all(bench, 1));
}

int main(int argc, char **argv) {
    struct bench bench = {0};
    if (argc != 2) give_up("usage: store_bench SOCKET");
    bench.redis = redisConnectUnix(argv[1]);
    if (!bench.redis || bench.redis->err) give_up("no Redis at this socket");
    redisReply *size = checked(redisCommand(bench.redis, "DBSIZE"));
    if (size->integer > 0) give_up("this Redis has data: an empty one, please");
    freeReplyObject(size);
    command(&bench, "FUNCTION LOAD REPLACE %b", store_functions, store_functions_size);
    command(&bench, "FUNCTION LOAD REPLACE %b", bare_functions, sizeof bare_functions - 1);
    bench_folds(&bench, 1);
    bench_folds(&bench, GATEWAYS);
    bench_encounters(&bench);
    redisFree(bench.redis);
    return 0;
}
