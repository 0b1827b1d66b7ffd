#include "stage.h"

#include "common/base/hash.h"
#include "worker/engine/verdict.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SPOOL = 1 }; // every byte of its id

extern const uint8_t store_functions[];
extern const size_t store_functions_size;

static struct id counters[] = {{"desk-1"}, {"desk-2"}};
static uint16_t both[] = {0, 1}, first[] = {0};

static void *must(void *pointer) {
    if (!pointer) abort();
    return pointer;
}

void stage_open(struct stage *stage) {
    *stage = (struct stage){0};
    stage->server = must(redis_server_start());
    stage->redis = must(redisConnectUnix(redis_server_path(stage->server)));
    const char *argv[] = {"FUNCTION", "LOAD", (const char *)store_functions};
    const size_t sizes[] = {8, 4, store_functions_size};
    stage->reply = must(redisCommandArgv(stage->redis, 3, argv, sizes));
    assert(stage->reply->type == REDIS_REPLY_STRING);
    stage_reset(stage);
}

void stage_reset(struct stage *stage) {
    stage_command(stage, "FLUSHALL");
    memset(stage->numbers, 0, sizeof stage->numbers);
    stage->set = "abc";
    stage->day = "2023-11-15";
    stage->hour = "2023-11-15T12";
    stage->gateways[DESK] = (struct branch_gateway){
        .id = {"desk"}, .key = 1, .opens = true, .counter_count = 2, .counters = both};
    stage->gateways[FLOOR] =
        (struct branch_gateway){.id = {"floor"}, .key = 2, .counter_count = 1, .counters = first};
    stage->branch = (struct branch){
        .id = {"musterstadt"},
        .counter_count = 2,
        .counters = counters,
        .gateway_count = GATEWAYS,
        .gateways = stage->gateways,
        .hash = 42,
    };
    stage->policy = store_policy_default();
    stage->policy.settle_after_ms = FOREVER_MS;
    stage->policy.lease_ms = FOREVER_MS;
    stage->policy.settle_pause_ms = 0;
    stage->policy.grace_ms = 5000;
    stage_configure(stage);
    for (int gateway = 0; gateway < GATEWAYS; gateway++)
        stage->epochs[gateway] = stage_ask(stage, gateway, FIRST_SPOOL, 0).position.epoch;
}

void stage_close(struct stage *stage) {
    if (stage->reply) freeReplyObject(stage->reply);
    redisFree(stage->redis);
    redis_server_stop(stage->server);
}

static struct bytes call_key(struct stage *stage, const char *function, const char *key,
                             const struct buffer *argument) {
    const char *argv[] = {"FCALL", function, "1", key, (const char *)argument->data};
    const size_t sizes[] = {5, strlen(function), 1, strlen(key), argument->size};
    assert(!argument->failed);
    if (stage->reply) freeReplyObject(stage->reply);
    stage->reply = must(redisCommandArgv(stage->redis, 5, argv, sizes));
    if (stage->reply->type != REDIS_REPLY_STRING) return (struct bytes){0};
    return (struct bytes){(const uint8_t *)stage->reply->str, (size_t)stage->reply->len};
}

struct bytes stage_call(struct stage *stage, const char *function, const struct buffer *argument) {
    char key[STORE_KEY_SIZE];
    store_key(&stage->branch.id, key);
    return call_key(stage, function, key, argument);
}

struct bytes stage_call_editions(struct stage *stage, const char *function,
                                 const struct buffer *argument) {
    return call_key(stage, function, EDITIONS_KEY, argument);
}

const redisReply *stage_command(struct stage *stage, const char *format, ...) {
    if (stage->reply) freeReplyObject(stage->reply);
    va_list arguments;
    va_start(arguments, format);
    stage->reply = must(redisvCommand(stage->redis, format, arguments));
    va_end(arguments);
    return stage->reply;
}

void stage_digest(struct stage *stage, char digest[41]) {
    const redisReply *reply = stage_command(stage, "DEBUG DIGEST");
    assert(reply->type == REDIS_REPLY_STATUS);
    snprintf(digest, 41, "%s", reply->str);
}

void stage_configure(struct stage *stage) {
    struct buffer argument;
    buffer_init(&argument, 1 << 16);
    stage->configuration = store_configuration(&stage->branch, &stage->policy);
    call_configure(&stage->branch, &stage->policy, &argument);
    struct reader reader = reader_of(stage_call(stage, "tresen_v1_configure", &argument));
    struct reply reply;
    enum err err = reply_read(&reader, &reply);
    assert(!err && reply.status == STORE_OK);
    (void)err;
    buffer_fini(&argument);
}

// The state says up to which time it has counted.
void stage_pass(struct stage *stage, int64_t ms) {
    enum { SEEN_AT = 24 };
    uint8_t seen[8];
    const redisReply *reply =
        stage_command(stage, "GETRANGE t:{musterstadt}:state %d %d", SEEN_AT, SEEN_AT + 7);
    struct reader reader = reader_of((struct bytes){(const uint8_t *)reply->str, reply->len});
    uint64_t at_ms = reader_u64(&reader) - (uint64_t)ms;
    assert(!reader.failed);
    for (size_t i = 0; i < sizeof seen; i++)
        seen[i] = (uint8_t)(at_ms >> 8 * i);
    stage_command(stage, "SETRANGE t:{musterstadt}:state %d %b", SEEN_AT, seen, sizeof seen);
}

struct ask_reply stage_ask(struct stage *stage, int gateway, uint8_t spool, uint64_t epoch) {
    struct buffer argument;
    struct ask_reply reply = {.head = {.status = STORE_STATUS_COUNT}};
    struct ask_call call = {
        .configuration = stage->configuration, .gateway = (uint8_t)gateway, .epoch = epoch};
    memset(call.spool.bytes, spool, sizeof call.spool.bytes);
    buffer_init(&argument, 1 << 16);
    call_ask(&call, &argument);
    if (ask_reply_read(stage_call(stage, "tresen_v1_ask", &argument), &reply))
        reply.head.status = STORE_STATUS_COUNT;
    buffer_fini(&argument);
    return reply;
}

struct tag stage_tag(uint64_t number) {
    struct tag tag;
    memset(tag.bytes, number ? (int)number : FIRST_SPOOL, sizeof tag.bytes);
    return tag;
}

void stage_pack(struct stage *stage, const struct stage_batch *batch, struct buffer *argument) {
    uint64_t next = stage->numbers[batch->gateway] + 1;
    uint64_t number = batch->number ? batch->number : next + batch->lost;
    struct fold_gateway gateway = {
        .gateway = (uint8_t)batch->gateway,
        .presence = batch->presence,
        .epoch = stage->epochs[batch->gateway],
        .first = number - batch->lost,
        .last = number,
        .behind = stage_tag(batch->astray ? number + 99 : number - batch->lost - 1),
        .tag = stage_tag(number),
        .watermark_ms = batch->watermark_ms ? batch->watermark_ms : TIME_NONE,
        .applied = 1,
        .lost = batch->lost,
    };
    struct fold_gap gap = {.kind = GAP_NUMBERS,
                           .gateway = (uint8_t)batch->gateway,
                           .counter = -1,
                           .from = number - batch->lost,
                           .to = number - 1};
    struct fold_fact fact = {
        .gateway = (uint8_t)batch->gateway,
        .counter = batch->withdrawn ? -1 : (int16_t)batch->counter,
        .withdrawn = batch->withdrawn,
        .encounter = batch->encounter,
    };
    struct buffer chunks;
    buffer_init(&chunks, 1 << 20);
    if (batch->chunk) {
        size_t size = strlen(batch->chunk);
        buffer_put_u16(&chunks, (uint16_t)batch->counter);
        buffer_put_u32(&chunks, (uint32_t)(batch->chunk_ms / MINUTE_MS));
        buffer_put_u16(&chunks, 0);
        buffer_put_u16(&chunks, MINUTE_MS);
        buffer_put_u32(&chunks, 1);
        buffer_put_u32(&chunks, (uint32_t)size);
        buffer_put(&chunks, batch->chunk, size);
    }
    struct fold fold = {
        .configuration = stage->configuration,
        .gateway_count = 1,
        .gateways = &gateway,
        .fact_count = batch->encounter ? 1 : 0,
        .facts = &fact,
        .gap_count = batch->lost ? 1 : 0,
        .gaps = &gap,
        .chunk_count = batch->chunk ? 1 : 0,
        .chunks = buffer_bytes(&chunks),
    };
    call_ingest(&fold, argument);
    buffer_fini(&chunks);
}

struct ingest_reply stage_ingest(struct stage *stage, struct stage_batch batch) {
    struct buffer argument;
    struct ingest_reply reply;
    buffer_init(&argument, 1 << 21);
    stage_pack(stage, &batch, &argument);
    if (ingest_reply_read(stage_call(stage, "tresen_v1_ingest", &argument), &reply))
        reply.head.status = STORE_STATUS_COUNT;
    else if (reply.head.status == STORE_OK)
        stage->numbers[batch.gateway] = reply.positions[0].position.number;
    buffer_fini(&argument);
    return reply;
}

void stage_watermark(struct stage *stage, int64_t watermark_ms) {
    for (int gateway = 0; gateway < GATEWAYS; gateway++)
        stage_ingest(stage, (struct stage_batch){.gateway = gateway, .watermark_ms = watermark_ms});
}

size_t stage_take_up_to(struct stage *stage, uint8_t lease, uint8_t most, struct taken *taken) {
    struct buffer argument;
    struct take_reply reply;
    struct take_call call = {
        .configuration = stage->configuration, .most = most, .bytes = UINT32_MAX};
    memset(call.lease.bytes, lease, LEASE_SIZE);
    buffer_init(&argument, 1 << 16);
    call_take(&call, &argument);
    enum err err = take_reply_read(stage_call(stage, "tresen_v1_take", &argument), &reply);
    buffer_fini(&argument);
    if (err || reply.head.status != STORE_OK) return 0;
    size_t count = reply.count;
    return take_reply_next(&reply, taken) == ERR_NONE ? count : 0;
}

bool stage_take(struct stage *stage, uint8_t lease, struct taken *taken) {
    return stage_take_up_to(stage, lease, 1, taken) == 1;
}

void stage_give_back(struct stage *stage, uint8_t lease) {
    struct buffer argument;
    struct give_back_call call = {.configuration = stage->configuration, .count = 1};
    memset(call.leases[0].bytes, lease, LEASE_SIZE);
    buffer_init(&argument, 1 << 10);
    call_give_back(&call, &argument);
    stage_call(stage, "tresen_v1_give_back", &argument);
    buffer_fini(&argument);
}

struct settle_reply stage_settle_once(struct stage *stage, const struct taken *taken, uint8_t lease,
                                      uint8_t verdict) {
    struct buffer argument, bytes;
    bool outcome = verdict <= VERDICT_NOT_MET || verdict == CONTRIBUTION_UNCONFIRMED;
    int32_t degree = verdict == VERDICT_MET ? MILLION : 0;
    struct contribution_standard standard = {verdict, outcome ? degree : -1, 900000};
    struct contribution contribution = {.outcome = (uint8_t)taken->encounter.outcome,
                                        .scores = {500000, -1, -1, 250000, -1, -1, -1},
                                        .count = 1,
                                        .standards = &standard};
    struct settle_call call = {.configuration = stage->configuration,
                               .encounter = taken->encounter.id,

                               .verdicts = bytes_of_text("because")};
    struct settle_reply reply;
    memset(call.lease.bytes, lease, LEASE_SIZE);
    snprintf(call.set.text, sizeof call.set.text, "%s", stage->set);
    snprintf(call.day, sizeof call.day, "%s", stage->day);
    snprintf(call.hour, sizeof call.hour, "%s", stage->hour);
    buffer_init(&argument, 1 << 16);
    buffer_init(&bytes, 1 << 16);
    if (!taken->withdrawn) contribution_write(&contribution, &bytes);
    call.contribution = buffer_bytes(&bytes);
    call_settle(&call, &argument);
    if (settle_reply_read(stage_call(stage, "tresen_v1_settle", &argument), &reply))
        reply.head.status = STORE_STATUS_COUNT;
    buffer_fini(&bytes);
    buffer_fini(&argument);
    return reply;
}

static void publish_set(struct stage *stage) {
    struct buffer argument;
    struct name set;
    buffer_init(&argument, 1 << 10);
    snprintf(set.text, sizeof set.text, "%s", stage->set);
    call_publish(&set, bytes_of_text("{}"), &argument);
    stage_call(stage, "tresen_v1_publish", &argument);
    buffer_fini(&argument);
}

struct settle_reply stage_settle(struct stage *stage, const struct taken *taken, uint8_t lease,
                                 uint8_t verdict) {
    struct settle_reply reply = stage_settle_once(stage, taken, lease, verdict);
    if (reply.head.status != STORE_OK || !reply.set_missing) return reply;
    publish_set(stage);
    return stage_settle_once(stage, taken, lease, verdict);
}

struct encounter stage_encounter(const char *id, int64_t start_ms, int64_t end_ms) {
    struct encounter encounter = {
        .offering = {"cash"},
        .employee = "e1",
        .outcome = end_ms ? OUTCOME_NORMAL : OUTCOME_OPEN,
        .issued_ms = TIME_NONE,
        .called_ms = TIME_NONE,
        .started_ms = start_ms,
        .ended_ms = end_ms ? end_ms : TIME_NONE,
    };
    snprintf(encounter.id.text, sizeof encounter.id.text, "%s", id);
    return encounter;
}

struct cell stage_cell(struct stage *stage, const char *name, struct cell_standard *standard) {
    struct cell cell = {0};
    *standard = (struct cell_standard){0};
    const redisReply *reply = stage_command(stage, "GET t:{musterstadt}:%s", name);
    if (reply->type != REDIS_REPLY_STRING) return cell;
    struct bytes bytes = {(const uint8_t *)reply->str, (size_t)reply->len};
    enum err err = cell_read(bytes, &cell, 1, standard);
    assert(!err);
    (void)err;
    return cell;
}

int64_t stage_count(struct stage *stage, const char *counter) {
    const redisReply *reply = stage_command(stage, "HGET t:{musterstadt}:counters %s", counter);
    return reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
}
