// An error does not roll back: whatever is wrong with a key must be found before the first write.

#include "stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { KEYS_MAX = 64, KEY_MAX = 96, LEASE = 3 };

static struct stage stage;
static struct taken taken;

static const char *const wrong[] = {"SET %s wrong", "RPUSH %s wrong", "HSET %s wrong 1",
                                    "SADD %s wrong", "ZADD %s 1 wrong"};
static const char *const types[] = {"string", "list", "hash", "set", "zset"};

/// A branch in which the calls under test have something of everything to do.
static void prepare(void) {
    stage_reset(&stage);
    stage.policy.settle_after_ms = 0;
    stage_configure(&stage);
    struct encounter other = stage_encounter("e2", NOON_MS, NOON_MS + 60000);
    stage_ingest(&stage, (struct stage_batch){.encounter = &other,
                                              .chunk = "x",
                                              .chunk_ms = NOON_MS,
                                              .watermark_ms = NOON_MS + HOUR_MS});
    stage_take(&stage, 1, &taken);
    stage_settle(&stage, &taken, 1, 0);
    struct encounter encounter = stage_encounter("e1", NOON_MS, NOON_MS + 90000);
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter});
    static const uint8_t leases[] = {1, 2, LEASE}; // two of them alone
    for (size_t i = 0; i < sizeof leases; i++) {
        stage_command(&stage, "ZADD t:{musterstadt}:due 1 e1");
        cr_assert(stage_take(&stage, leases[i], &taken));
    }
    stage_pass(&stage, 1); // not as Redis remembers it: all is read anew
}

static bool rich_ingest(void) {
    struct encounter encounter = stage_encounter("e3", NOON_MS, NOON_MS + 30000);
    struct fold_gateway gateway = {.gateway = FLOOR,
                                   .epoch = 1,
                                   .first = 1,
                                   .last = 2,
                                   .behind = stage_tag(0),
                                   .tag = stage_tag(2),
                                   .watermark_ms = NOON_MS + HOUR_MS,
                                   .applied = 1,
                                   .dead = 1,
                                   .left_out = {1, 1, 1, 1},
                                   .born = true};
    struct fold_fact fact = {.gateway = FLOOR, .encounter = &encounter};
    struct fold_gap gap = {.kind = GAP_TIME, .gateway = FLOOR, .counter = -1, .from = 1, .to = 2};
    struct fold_dead dead = {
        .gateway = FLOOR, .number = 2, .reason = bytes_of_text("r"), .body = bytes_of_text("b")};
    struct buffer chunk, argument;
    buffer_init(&chunk, 100);
    buffer_init(&argument, 1 << 16);
    buffer_put_u16(&chunk, 0);
    buffer_put_u32(&chunk, (uint32_t)(NOON_MS / MINUTE_MS));
    buffer_put_u16(&chunk, 0);
    buffer_put_u16(&chunk, MINUTE_MS);
    buffer_put_u32(&chunk, 1);
    buffer_put_u32(&chunk, 1);
    buffer_put_u8(&chunk, 'y');
    struct fold fold = {.configuration = stage.configuration,
                        .gateway_count = 1,
                        .gateways = &gateway,
                        .fact_count = 1,
                        .facts = &fact,
                        .gap_count = 1,
                        .gaps = &gap,
                        .dead_count = 1,
                        .dead = &dead,
                        .chunk_count = 1,
                        .chunks = buffer_bytes(&chunk)};
    call_ingest(&fold, &argument);
    bool done = stage_call(&stage, "tresen_v1_ingest", &argument).size > 0;
    buffer_fini(&chunk);
    buffer_fini(&argument);
    return done;
}

static bool take_another(void) {
    struct taken another;
    stage.policy.lease_ms = 0;
    stage_take(&stage, 9, &another);
    return stage.reply->type == REDIS_REPLY_STRING;
}

static bool settle_taken(void) {
    stage.day = "2023-11-16";
    stage_settle(&stage, &taken, LEASE, 0);
    return stage.reply->type == REDIS_REPLY_STRING;
}

static bool give_back_taken(void) {
    stage_give_back(&stage, LEASE);
    return stage.reply->type == REDIS_REPLY_STRING;
}

static bool settle_too_late(void) {
    stage_settle(&stage, &taken, 2, 0);
    return stage.reply->type == REDIS_REPLY_STRING;
}

static size_t all_keys(char keys[KEYS_MAX][KEY_MAX]) {
    const redisReply *reply = stage_command(&stage, "KEYS *");
    cr_assert(reply->elements <= KEYS_MAX);
    for (size_t i = 0; i < reply->elements; i++)
        snprintf(keys[i], KEY_MAX, "%s", reply->element[i]->str);
    return reply->elements;
}

/// Either the call refuses and nothing has changed, or it has left the key alone.
static bool harmless(bool (*call)(void), const char *key, size_t type, bool *refused) {
    char before[41], after[41];
    prepare();
    stage_command(&stage, "DEL %s", key);
    stage_command(&stage, wrong[type], key);
    stage_digest(&stage, before);
    *refused = !call();
    stage_digest(&stage, after);
    if (*refused) return strcmp(before, after) == 0;
    return strcmp(stage_command(&stage, "TYPE %s", key)->str, types[type]) == 0;
}

static size_t try_all(bool (*call)(void)) {
    static char keys[KEYS_MAX][KEY_MAX];
    size_t refusals = 0;
    prepare();
    cr_assert(call());
    size_t count = all_keys(keys);
    for (size_t i = 0; i < count; i++) {
        prepare();
        call();
        char is[16];
        snprintf(is, sizeof is, "%s", stage_command(&stage, "TYPE %s", keys[i])->str);
        for (size_t type = 0; type < sizeof wrong / sizeof *wrong; type++) {
            bool refused;
            if (strcmp(is, types[type]) == 0) continue;
            cr_assert(harmless(call, keys[i], type, &refused), "%s as %s", keys[i], types[type]);
            refusals += refused;
        }
    }
    return refusals;
}

static void open_stage(void) {
    stage_open(&stage);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(types, .init = open_stage, .fini = close_stage);

Test(types, ingest_refuses_every_key_of_a_wrong_type_or_leaves_it_alone) {
    // state, registry, due, open, wait, mi, m, e1, e3, counters, dead, gaps: four types
    // each
    cr_assert(ge(sz, try_all(rich_ingest), 4 * 12));
}
Test(types, take_refuses_every_key_of_a_wrong_type_or_leaves_it_alone) {
    cr_assert(ge(sz, try_all(take_another), 4 * 3));
}
Test(types, settle_refuses_every_key_of_a_wrong_type_or_leaves_it_alone) {
    // state, registry, due, open, wait, e1, the cells, days, day: four types each
    cr_assert(ge(sz, try_all(settle_taken), 4 * 9));
}

Test(types, give_back_refuses_every_key_of_a_wrong_type_or_leaves_it_alone) {
    // state, registry, due, open, wait, e1, alone: four types each
    cr_assert(ge(sz, try_all(give_back_taken), 4 * 7));
    cr_assert(ge(sz, try_all(settle_too_late), 4 * 7));
}
// Settled, the only one that was taken alone leaves no such key behind.
Test(types, settle_refuses_a_wrong_type_of_whom_was_taken_alone) {
    for (size_t type = 0; type < sizeof wrong / sizeof *wrong; type++) {
        bool refused;
        if (strcmp(types[type], "hash") == 0) continue;
        cr_assert(harmless(settle_taken, "t:{musterstadt}:alone", type, &refused));
        cr_assert(refused);
    }
}

// Damage that has the right type.
Test(types, a_damaged_value_is_refused) {
    static const char *const damage[] = {
        "SET t:{musterstadt}:state %b", "SET t:{musterstadt}:registry %b",
        "HSET t:{musterstadt}:e:e1 record %b", "HSET t:{musterstadt}:counters future %b",
        "SET t:{musterstadt}:d:2023-11-16:abc %b"};
    static bool (*const calls[])(void) = {rich_ingest, settle_taken};
    char before[41], after[41], value[64];
    for (size_t call = 0; call < 2; call++)
        for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
            prepare();
            memset(value, 'x', sizeof value);
            if (i == 0) memcpy(value, &stage.configuration, sizeof stage.configuration);
            stage_command(&stage, damage[i], value, sizeof value);
            stage_digest(&stage, before);
            bool done = calls[call]();
            stage_digest(&stage, after);
            cr_assert(done || strcmp(before, after) == 0);
            cr_assert(eq(int, done, i == (call == 0 ? 4 : 3))); // which it need not read
        }
}
