// KEYS.md is true: its examples are what one small history sends, gets and leaves in Redis.

#include "stage.h"
#include "worker/core/minutes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 1 << 16, EXAMPLE_MAX = 1024, TIME_SIZE = 8, NO_TIME = -1 };

static char page[PAGE_MAX];
static struct stage stage;
static size_t examples;

static void open_stage(void) {
    FILE *file = fopen(STORE_KEYS_PAGE, "r");
    cr_assert(ne(ptr, file, NULL));
    size_t size = fread(page, 1, PAGE_MAX - 1, file);
    page[size] = '\0';
    fclose(file);
    stage_open(&stage);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(golden, .init = open_stage, .fini = close_stage);

/// The hex digits of the example, without white space.
static void example(const char *name, char *hex) {
    char mark[64];
    size_t size = 0;
    snprintf(mark, sizeof mark, "```golden %s\n", name);
    const char *at = strstr(page, mark);
    cr_assert(at != NULL, "no example %s", name);
    for (at += strlen(mark); *at != '`' && size < 2 * EXAMPLE_MAX; at++)
        if (*at != '\n' && *at != ' ') hex[size++] = *at;
    hex[size] = '\0';
}

static bool is_time(const int times[], int at) {
    for (size_t i = 0; times[i] != NO_TIME; i++)
        if (at >= times[i] && at < times[i] + TIME_SIZE) return true;
    return false;
}

/// The bytes are those of the page; those at `times`, by the store's clock, count as 0.
static void same_but(const char *name, struct bytes bytes, const int times[]) {
    char expected[2 * EXAMPLE_MAX + 1], actual[2 * EXAMPLE_MAX + 1] = "";
    cr_assert(le(sz, bytes.size, EXAMPLE_MAX));
    example(name, expected);
    for (size_t i = 0; i < bytes.size; i++)
        sprintf(actual + 2 * i, "%02x", is_time(times, (int)i) ? 0 : bytes.data[i]);
    if (strcmp(expected, actual) != 0) fprintf(stderr, "golden %s %s\n", name, actual);
    cr_expect(eq(str, expected, actual));
    examples++;
}

static void same(const char *name, struct bytes bytes) {
    same_but(name, bytes, (const int[]){NO_TIME});
}

static struct bytes stored(const char *command) {
    const redisReply *reply = stage_command(&stage, command);
    cr_assert(eq(int, reply->type, REDIS_REPLY_STRING));
    return (struct bytes){(const uint8_t *)reply->str, (size_t)reply->len};
}

static void call(const char *function, const char *name, struct buffer *argument) {
    char reply[64];
    snprintf(reply, sizeof reply, "%s-reply", name);
    same(name, buffer_bytes(argument));
    struct bytes bytes = stage_call(&stage, function, argument);
    cr_assert(gt(sz, bytes.size, 0));
    if (bytes.size > 9) same(reply, bytes);
    buffer_clear(argument);
}

/// Three distances in the first second after noon, and a minute's watching.
static uint32_t observe(struct buffer *chunks) {
    int32_t t[] = {0, 250, 500}, value[] = {120, 125, 118};
    uint8_t confidence[] = {90, 90, 80};
    struct measure distance = {.key = 0x01020304, .kind = MEASURE_SAMPLES, .resolution = 0.01};
    struct batch_series series = {.measure = &distance,
                                  .watched = {NOON_MS, NOON_MS + MINUTE_MS},
                                  .base_ms = NOON_MS,
                                  .columns = {3, t, value, confidence}};
    struct minutes_builder *builder = minutes_builder_new(100, 10, 10);
    minutes_add(builder, &series, 0, 0x0506, 20, TIME_LAST);
    uint32_t count = minutes_finish(builder, chunks);
    minutes_builder_free(builder);
    return count;
}

static void ingest(struct buffer *argument) {
    struct buffer chunks;
    buffer_init(&chunks, 1 << 16);
    struct encounter encounter = {.id = {"e1"},
                                  .offering = {"cash"},
                                  .employee = "p7",
                                  .language = "de",
                                  .outcome = OUTCOME_NORMAL,
                                  .issued_ms = NOON_MS - 1000,
                                  .called_ms = TIME_NONE,
                                  .started_ms = NOON_MS,
                                  .ended_ms = NOON_MS + 1000};
    struct fold_gateway gateway = {.presence = PRESENCE_HERE,
                                   .clock_error_ms = 20,
                                   .epoch = 1,
                                   .first = 1,
                                   .last = 4,
                                   .behind = {{[TAG_MARK] = 0xaa, 0xbb}},
                                   .tag = {{0xaa, 0xbb, 0, 0, 5, 6, 7, 8}},
                                   .watermark_ms = NOON_MS + 6000,
                                   .applied = 1,
                                   .dead = 1,
                                   .lost = 2,
                                   .left_out = {0, 0, 7, 0},
                                   .born = true,
                                   .measures = bytes_of_text("distance.client")};
    struct fold_fact fact = {.encounter = &encounter};
    struct decision decision = {.encounter = {"e1"},
                                .standard = {"s1"},
                                .began_ms = NOON_MS - 1000,
                                .kind = DECISION_EXCUSE,
                                .decided_ms = NOON_MS + 9000,
                                .by = {"eva"},
                                .reason = "fire drill"};
    struct fold_decision decided = {.decision = &decision};
    struct fold_gap gap = {.counter = -1, .from = 1, .to = 2};
    struct fold_dead dead = {.number = 4,
                             .tag = gateway.tag,
                             .reason = bytes_of_text("torn"),
                             .body = bytes_of_text("?")};
    struct fold fold = {.configuration = stage.configuration,
                        .gateway_count = 1,
                        .gateways = &gateway,
                        .chunk_count = observe(&chunks),
                        .chunks = buffer_bytes(&chunks),
                        .fact_count = 1,
                        .facts = &fact,
                        .gap_count = 1,
                        .gaps = &gap,
                        .dead_count = 1,
                        .dead = &dead,
                        .decision_count = 1,
                        .decisions = &decided};
    call_ingest(&fold, argument);
    buffer_fini(&chunks);
    call("tresen_v1_ingest", "ingest", argument);
}

static void dead_letter(struct buffer *argument) {
    struct fold_gateway gateway = {.left_out = {0, 1, 0, 0}};
    struct fold fold = {
        .configuration = stage.configuration, .gateway_count = 1, .gateways = &gateway};
    call_replay("desk:1:4", &fold, argument);
    call("tresen_v1_replay", "replay", argument);
    call_drop(stage.configuration, "desk:1:4", argument);
    call("tresen_v1_drop", "drop", argument);
}

static void settle(struct buffer *argument) {
    struct contribution_standard standards[] = {{1, 250000, 1000000}, {5, -1, 0}};
    struct contribution contribution = {.outcome = OUTCOME_NORMAL,
                                        .provisional = true, // the store knows better
                                        .scores = {250000, -1, -1, -1, -1, 250000, -1},
                                        .count = 2,
                                        .standards = standards};
    struct buffer bytes;
    buffer_init(&bytes, 1 << 10);
    contribution_write(&contribution, &bytes);
    struct settle_call settle = {.configuration = stage.configuration,
                                 .lease = {{9, 9, 9, 9, 9, 9, 9, 9}},
                                 .encounter = {"e1"},
                                 .set = {"5e7"},
                                 .day = "2023-11-15",
                                 .hour = "2023-11-15T13",
                                 .contribution = buffer_bytes(&bytes),
                                 .verdicts = bytes_of_text("v")};
    call_settle(&settle, argument);
    call("tresen_v1_settle", "settle", argument);
    buffer_fini(&bytes);
}

/// The registry is made to fit on the page: one counter, one gateway.
static void small_branch(struct buffer *argument) {
    stage_command(&stage, "FLUSHALL");
    stage.branch.counter_count = stage.branch.gateway_count = 1;
    stage.gateways[DESK].counter_count = 1;
    stage.configuration = store_configuration(&stage.branch, &stage.policy);
    call_configure(&stage.branch, &stage.policy, argument);
    call("tresen_v1_configure", "configure", argument);
}

/// What is published is of no branch.
static void editions(struct buffer *argument) {
    call_replace_editions((struct bytes){0}, bytes_of_text("abc"), bytes_of_text("{}"), argument);
    same("replace-editions", buffer_bytes(argument));
    same("replace-editions-reply",
         stage_call_editions(&stage, "tresen_v1_replace_editions", argument));
    buffer_clear(argument);
    call_editions((struct bytes){0}, argument);
    same("editions", buffer_bytes(argument));
    same("editions-reply", stage_call_editions(&stage, "tresen_v1_editions", argument));
    buffer_clear(argument);
}

Test(golden, the_page_is_what_happens) {
    struct buffer argument;
    buffer_init(&argument, 1 << 16);
    small_branch(&argument);
    same("registry", stored("GET t:{musterstadt}:registry"));
    struct ask_call ask = {.configuration = stage.configuration, .spool = {{0xaa, 0xbb}}};
    call_ask(&ask, &argument);
    call("tresen_v1_ask", "ask", &argument);
    ingest(&argument);
    same_but("birth", stored("HGET t:{musterstadt}:births desk"), (const int[]){0, NO_TIME});
    same_but("gap", stored("LINDEX t:{musterstadt}:gaps 0"), (const int[]){1, NO_TIME});
    same_but("dead", stored("HGET t:{musterstadt}:dead desk:1:4"), (const int[]){0, NO_TIME});
    same("record", stored("HGET t:{musterstadt}:e:e1 record"));
    same("decisions", stored("HGET t:{musterstadt}:e:e1 decisions"));
    dead_letter(&argument);
    struct take_call take = {.configuration = stage.configuration,
                             .lease = {{9, 9, 9, 9, 9, 9, 9, 9}},
                             .most = 8,
                             .bytes = 65536};
    call_take(&take, &argument);
    call("tresen_v1_take", "take", &argument);
    struct give_back_call back = {
        .configuration = stage.configuration, .count = 1, .leases = {{{8, 8, 8, 8, 8, 8, 8, 8}}}};
    call_give_back(&back, &argument);
    call("tresen_v1_give_back", "give-back", &argument);
    call_publish(&(struct name){"5e7"}, bytes_of_text("{}"), &argument);
    call("tresen_v1_publish", "publish", &argument);
    settle(&argument);
    same("contribution", stored("HGET t:{musterstadt}:e:e1 contribution"));
    same("cells", stored("HGET t:{musterstadt}:e:e1 cells"));
    same("cell", stored("GET t:{musterstadt}:d:2023-11-15:5e7"));
    // active, seen, heard
    same_but("state", stored("GET t:{musterstadt}:state"), (const int[]){16, 24, 128, NO_TIME});
    call_seal(stage.configuration, "2023-11-15", NOON_MS + 6000, &argument); // so far is promised
    call("tresen_v1_seal", "seal", &argument);
    call_rebuild(stage.configuration, "2023-11-16", INT64_C(1700092800000), &argument);
    call("tresen_v1_rebuild", "rebuild", &argument);
    editions(&argument);
    buffer_fini(&argument);

    size_t on_page = 0;
    for (const char *at = page; (at = strstr(at, "```golden ")); at++)
        on_page++;
    cr_assert(eq(sz, examples, on_page));
}

Test(golden, the_replies_of_the_page_are_read) {
    static const char *const names[] = {"ask-reply", "ingest-reply", "take-reply", "settle-reply"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char hex[2 * EXAMPLE_MAX + 1];
        example(names[i], hex);
        size_t size = strlen(hex) / 2;
        for (size_t kept = 0; kept <= size; kept++) { // and every shorter one is refused
            uint8_t *data = malloc(kept ? kept : 1);
            for (size_t at = 0; at < kept; at++)
                sscanf(hex + 2 * at, "%2hhx", &data[at]);
            struct bytes bytes = {data, kept};
            struct ask_reply ask;
            struct ingest_reply applied;
            struct take_reply take;
            struct taken taken;
            struct settle_reply settled;
            enum err err = i == 0   ? ask_reply_read(bytes, &ask)
                           : i == 1 ? ingest_reply_read(bytes, &applied)
                           : i == 2 ? take_reply_read(bytes, &take)
                                    : settle_reply_read(bytes, &settled);
            if (i == 2 && !err) err = take_reply_next(&take, &taken);
            cr_expect(eq(int, err, kept == size ? ERR_NONE : ERR_FORMAT));
            if (i == 1 && kept == size) cr_expect(eq(u64, applied.positions[0].position.number, 4));
            if (i == 2 && kept == size) cr_expect(eq(str, taken.encounter.employee, "p7"));
            if (i == 3 && kept == size) cr_expect(settled.final && !settled.set_missing);
            free(data);
        }
    }
}
