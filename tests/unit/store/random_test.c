// Long random histories: whatever happens, cells are the sums of the contributions that stand.

#include "stage.h"
#include "worker/engine/verdict.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { HISTORIES = 6, STEPS = 400, ENCOUNTERS = 24, SUMS_MAX = 256, NAME_MAX_SIZE = 96 };

static struct stage stage;
static uint64_t seed;

static uint32_t below(uint32_t bound) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % bound;
}

/// A sum as the test keeps it: encounters, provisional, one standard's verdicts, scores.
struct sum {
    char name[NAME_MAX_SIZE];
    uint32_t encounters, provisional, verdicts[VERDICTS], unconfirmed;
    int64_t score;
};
static struct sum sums[SUMS_MAX];
static size_t sum_count;

static void add(const char *kind, const char *a, const char *b, const char *c,
                const uint8_t *contribution) {
    char name[NAME_MAX_SIZE];
    snprintf(name, sizeof name, "%s:%s%s%s:%s", kind, a, a[0] ? ":" : "", b, c);
    size_t at = 0;
    while (at < sum_count && strcmp(sums[at].name, name) != 0)
        at++;
    if (at == sum_count) {
        cr_assert(lt(sz, sum_count, SUMS_MAX));
        sums[sum_count++] = (struct sum){0};
        strcpy(sums[at].name, name);
    }
    struct reader scores = reader_of((struct bytes){contribution + 2, 4});
    sums[at].encounters++;
    sums[at].provisional += contribution[1];
    sums[at].score += (int32_t)reader_u32(&scores);
    uint8_t verdict = contribution[CONTRIBUTION_HEAD_SIZE];
    bool unconfirmed = verdict == CONTRIBUTION_UNCONFIRMED;
    sums[at].verdicts[unconfirmed ? VERDICT_NOT_MET : verdict]++;
    sums[at].unconfirmed += unconfirmed;
}

static void sum_up(const char *id) {
    const redisReply *reply =
        stage_command(&stage, "HMGET t:{musterstadt}:e:%s contribution cells", id);
    const redisReply *contribution = reply->element[0], *where = reply->element[1];
    if (contribution->type != REDIS_REPLY_STRING || contribution->len == 0) return;
    struct reader reader =
        reader_of((struct bytes){(const uint8_t *)where->str, (size_t)where->len});
    char places[4][40];
    for (int i = 0; i < 4; i++) {
        struct bytes text = reader_short(&reader);
        snprintf(places[i], sizeof places[i], "%.*s", (int)text.size, (const char *)text.data);
    }
    add("h", places[0], places[2], places[3], (const uint8_t *)contribution->str);
    add("d", "", places[1], places[3], (const uint8_t *)contribution->str);
}

/// The cells are those sums, and no others.
static void check_sums(void) {
    for (size_t i = 0; i < sum_count; i++) {
        struct cell_standard standard;
        struct cell cell = stage_cell(&stage, sums[i].name, &standard);
        cr_assert(eq(u32, cell.encounters, sums[i].encounters));
        cr_assert(eq(u32, cell.provisional, sums[i].provisional));
        cr_assert(eq(i64, cell.score_sum[0], sums[i].score));
        for (int verdict = 0; verdict < VERDICTS; verdict++)
            cr_assert(eq(u32, standard.verdicts[verdict], sums[i].verdicts[verdict]));
        cr_assert(eq(u32, standard.unconfirmed, sums[i].unconfirmed));
    }
    size_t cells = stage_command(&stage, "KEYS t:{musterstadt}:d:*")->elements;
    cells += stage_command(&stage, "KEYS t:{musterstadt}:h:*")->elements;
    cr_assert(eq(sz, cells, sum_count));
}

static void audit(void) {
    sum_count = 0;
    for (int i = 0; i < ENCOUNTERS; i++) {
        char id[8];
        snprintf(id, sizeof id, "e%d", i);
        sum_up(id);
    }
    check_sums();
}

/// The bytes that the state says are the bytes that are there, and every minute is indexed.
static void audit_minutes(void) {
    static char keys[4096][64];
    const redisReply *reply = stage_command(&stage, "KEYS t:{musterstadt}:m:*");
    size_t count = reply->elements, bytes = 0;
    cr_assert(lt(sz, count, 4096));
    for (size_t i = 0; i < count; i++)
        snprintf(keys[i], sizeof keys[i], "%s", reply->element[i]->str);
    for (size_t i = 0; i < count; i++)
        bytes += (size_t)stage_command(&stage, "STRLEN %s", keys[i])->integer;
    size_t indexed = (size_t)stage_command(&stage, "ZCARD t:{musterstadt}:mi:desk-1")->integer;
    indexed += (size_t)stage_command(&stage, "ZCARD t:{musterstadt}:mi:desk-2")->integer;
    cr_assert(eq(sz, indexed, count));
    reply = stage_command(&stage, "GET t:{musterstadt}:state");
    struct reader reader =
        reader_of((struct bytes){(const uint8_t *)reply->str, (size_t)reply->len});
    reader_u64(&reader);
    cr_assert(eq(u64, reader_u64(&reader), bytes));
}

static void audit_first(const char *set, uint64_t believed) {
    const redisReply *reply =
        stage_command(&stage, "ZRANGE t:{musterstadt}:%s 0 0 WITHSCORES", set);
    uint64_t first =
        reply->elements ? strtoull(reply->element[1]->str, NULL, 10) : UINT64_C(1) << 53;
    cr_assert(eq(u64, believed, first), "%s", set);
}

/// What the state says of the sets is true of them.
static void audit_firsts(void) {
    static const char *const sets[][3] = {{"mi:desk-1", "open:desk-1", "wait:desk-1"},
                                          {"mi:desk-2", "open:desk-2", "wait:desk-2"}};
    uint8_t state[512];
    const redisReply *reply = stage_command(&stage, "GET t:{musterstadt}:state");
    cr_assert(le(sz, reply->len, sizeof state));
    memcpy(state, reply->str, reply->len);
    struct reader reader = reader_of((struct bytes){state, reply->len});
    reader_take(&reader, 32); // configuration, bytes, active, seen
    audit_first("due", reader_u64(&reader));
    for (size_t counter = 0; counter < 2; counter++) {
        reader_u64(&reader); // mark
        for (size_t set = 0; set < 3; set++)
            audit_first(sets[counter][set], reader_u64(&reader));
        reader_u64(&reader); // judged_last
    }
}

static int64_t clock_ms; // event time, moving on

static void random_batch(void) {
    struct stage_batch batch = {.gateway = (int)below(GATEWAYS)};
    char id[8];
    int place = (int)below(ENCOUNTERS);
    snprintf(id, sizeof id, "e%d", place);
    int64_t start = NOON_MS + place * (int64_t)3 * MINUTE_MS;
    struct encounter encounter =
        stage_encounter(id, start + below(3), below(3) ? start + 60000 + below(5) : 0);
    batch.counter = batch.gateway == DESK ? place % 2 : 0;
    if (below(2)) batch.encounter = &encounter;
    if (below(30) == 0) batch.withdrawn = true;
    if (below(2)) batch.chunk = "observed";
    batch.chunk_ms = clock_ms - (int64_t)below(10 * MINUTE_MS);
    if (below(3) == 0) batch.watermark_ms = clock_ms - (int64_t)below(5 * MINUTE_MS);
    if (below(50) == 0) batch.presence = PRESENCE_DEPARTED;
    if (below(10) == 0) batch.presence = PRESENCE_HERE;
    char before[41], after[41];
    stage_digest(&stage, before);
    batch.astray = true;
    cr_assert(eq(int, stage_ingest(&stage, batch).head.status, STORE_UNFIT));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
    batch.astray = false;
    struct ingest_reply reply = stage_ingest(&stage, batch);
    cr_assert(eq(int, reply.head.status, STORE_OK));
    stage_digest(&stage, before);
    batch.number = stage.numbers[batch.gateway]; // again: a duplicate
    cr_assert(eq(int, stage_ingest(&stage, batch).head.status, STORE_UNFIT));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
}

static void random_settle(void) {
    static const char *const days[] = {"2023-11-15", "2023-11-16"};
    static const char *const hours[] = {"2023-11-15T12", "2023-11-15T13", "2023-11-16T00"};
    static const char *const sets[] = {"abc", "def"};
    struct taken taken;
    uint8_t lease = (uint8_t)(1 + below(250));
    if (!stage_take(&stage, lease, &taken)) {
        cr_assert(eq(int, stage.reply->type, REDIS_REPLY_STRING));
        return;
    }
    char text[NAME_SIZE_MAX + 1];
    strcpy(text, taken.encounter.id.text); // taken lives in the reply only with its minutes
    if (below(4) == 0) random_batch();
    if (below(8) == 0) stage_give_back(&stage, (uint8_t)(1 + below(250)));
    if (below(4) == 0) stage_give_back(&stage, lease);
    stage.day = days[below(2)];
    stage.hour = hours[below(3)];
    stage.set = sets[below(2)];
    struct settle_reply reply =
        stage_settle(&stage, &taken, lease, (uint8_t)below(CONTRIBUTION_UNCONFIRMED + 1));
    cr_assert(reply.head.status == STORE_OK || reply.head.status == STORE_STALE, "%s: %s", text,
              stage.reply->str);
    cr_assert(eq(int, stage_settle(&stage, &taken, lease, 0).head.status, STORE_STALE));
}

/// The answer to rebuild (from_ms) or seal (over_ms).
static struct seal_reply about_day(const char *function, const char *day, int64_t at_ms) {
    struct buffer argument;
    struct seal_reply reply;
    buffer_init(&argument, 1 << 10);
    if (strcmp(function, "tresen_v1_seal") == 0)
        call_seal(stage.configuration, day, at_ms, &argument);
    else
        call_rebuild(stage.configuration, day, at_ms, &argument);
    cr_assert(eq(int, seal_reply_read(stage_call(&stage, function, &argument), &reply), 0));
    buffer_fini(&argument);
    return reply;
}

/// From some minute on everything goes, and the gateways begin at number 1.
static void random_rebuild(void) {
    int64_t from_ms = NOON_MS + (int64_t)below(3 * ENCOUNTERS) * MINUTE_MS;
    struct seal_reply reply = about_day("tresen_v1_rebuild", "2023-11-15", from_ms);
    cr_assert(eq(int, reply.head.status, STORE_OK));
    stage.numbers[DESK] = stage.numbers[FLOOR] = 0;
    audit();
    audit_minutes();
    audit_firsts();
}

static int sealed; // histories that ended with something to be sealed

/// When all is final: what is known of encounters goes, and nothing moves the sums any more.
static void seal_both_days(void) {
    static const char *const days[] = {"2023-11-15", "2023-11-16"};
    struct taken taken;
    for (int i = 0; i < 2; i++)
        cr_assert(
            eq(int,
               about_day("tresen_v1_seal", days[i], NOON_MS + (12 + 24 * i) * (int64_t)HOUR_MS)
                   .head.status,
               STORE_OK));
    for (int i = 0; i < ENCOUNTERS; i++)
        cr_assert(eq(i64, stage_command(&stage, "EXISTS t:{musterstadt}:e:e%d", i)->integer, 0));
    if (stage_command(&stage, "EXISTS t:{musterstadt}:sealed")->integer == 0)
        return; // a late rebuild has left nothing, and all the rest is too late
    sealed++;
    cr_assert(eq(int, about_day("tresen_v1_rebuild", days[0], NOON_MS).head.status, STORE_STALE));
    for (int i = 0; i < 40; i++)
        random_batch();
    cr_assert(not(stage_take(&stage, 252, &taken)));
    check_sums();
    audit_firsts();
}

static void finish(void) {
    for (int gateway = 0; gateway < GATEWAYS; gateway++)
        stage_ingest(&stage, (struct stage_batch){.gateway = gateway,
                                                  .watermark_ms = clock_ms + HOUR_MS,
                                                  .presence = PRESENCE_DEPARTED});
    struct taken taken;
    for (int i = 0; i < 10 * ENCOUNTERS && stage_take(&stage, 251, &taken); i++)
        cr_assert(stage_settle(&stage, &taken, 251, 0).final);
}

static void history(uint64_t number) {
    seed = number;
    clock_ms = NOON_MS;
    stage_reset(&stage);
    stage.policy.settle_after_ms = 0;
    stage.policy.lease_ms = number % 2 ? 0 : FOREVER_MS;
    stage_configure(&stage);
    for (int step = 0; step < STEPS; step++) {
        clock_ms += below(MINUTE_MS / 2);
        if (below(80) == 0)
            random_rebuild();
        else if (below(2))
            random_batch();
        else
            random_settle();
        if (step % 50 == 0) audit();
        if (step % 7 == 0) audit_firsts();
    }
    audit();
    audit_minutes();
    finish();
    audit();
    audit_minutes();
    audit_firsts();
    static const char *const gone[] = {"open:desk-1", "wait:desk-1", "open:desk-2",
                                       "wait:desk-2", "due",         "alone"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        cr_assert(eq(i64, stage_command(&stage, "EXISTS t:{musterstadt}:%s", gone[i])->integer, 0));
    seal_both_days();
}

static void open_stage(void) {
    stage_open(&stage);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(random, .init = open_stage, .fini = close_stage);

Test(random, cells_are_the_sum_of_contributions_whatever_happens) {
    for (uint64_t number = 1; number <= HISTORIES; number++)
        history(number);
    cr_assert(gt(int, sealed, HISTORIES / 2));
}
