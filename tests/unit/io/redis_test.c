#include "common/io/redis.h"

#include "common/io/clock.h"
#include "tests/support/scripted_redis.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 20000, TOLD_MAX = 64 };

static struct loop *loop;
static struct scripted *server;
static struct redis *redis;
static struct redis_settings settings;

/// What redis told, in order.
static struct {
    uint32_t ups, downs;
    enum redis_class down_class;
    char down_reason[256];
    size_t count;
    enum redis_class classes[TOLD_MAX];
    char texts[TOLD_MAX][64];
    uint32_t wanted_ups, wanted_downs;
    size_t wanted_count;
} told;

static void stop_if_wanted(void) {
    if (told.ups >= told.wanted_ups && told.downs >= told.wanted_downs &&
        told.count >= told.wanted_count)
        loop_stop(loop);
}

static void on_up(void *context) {
    (void)context;
    told.ups++;
    stop_if_wanted();
}

static void on_down(void *context, enum redis_class class, const char *reason) {
    (void)context;
    told.downs++;
    told.down_class = class;
    snprintf(told.down_reason, sizeof told.down_reason, "%s", reason);
    stop_if_wanted();
}

static void on_told(void *context, enum redis_class class, const redisReply *reply) {
    (void)context;
    cr_assert(lt(sz, told.count, TOLD_MAX));
    told.classes[told.count] = class;
    snprintf(told.texts[told.count], sizeof *told.texts, "%s",
             !reply                               ? "(none)"
             : reply->type == REDIS_REPLY_INTEGER ? "(integer)"
             : reply->type == REDIS_REPLY_ARRAY   ? "(array)"
             : reply->str                         ? reply->str
                                                  : "(nil)");
    told.count++;
    stop_if_wanted();
}

static void on_patience(void *context) {
    (void)context;
    cr_fatal("nothing happened any more");
}

static void run_until(uint32_t ups, uint32_t downs, size_t count) {
    told.wanted_ups = ups;
    told.wanted_downs = downs;
    told.wanted_count = count;
    loop_timer_set(loop, clock_monotonic_ms() + PATIENCE_MS);
    loop_run(loop);
}

static void open_loop(void) {
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    loop_handle(loop, &(struct loop_handlers){.timer = on_patience});
    settings = redis_settings_default();
    settings.host = "127.0.0.1";
    settings.reconnect_least_ms = 1;
    settings.reconnect_most_ms = 20;
    settings.connect_ms = 5000;
}

static void close_loop(void) {
    redis_free(redis);
    scripted_free(server);
    loop_free(loop);
}

TestSuite(redis, .init = open_loop, .fini = close_loop);

static void begin(const struct scripted_step *steps) {
    server = scripted_new(loop, steps);
    settings.port = scripted_port(server);
    cr_assert(eq(
        int,
        redis_new(loop, &settings, &(struct redis_handlers){.up = on_up, .down = on_down}, &redis),
        ERR_NONE));
}

static enum err call(const char *command) {
    struct bytes arguments[] = {bytes_of_text(command), bytes_of_text("x")};
    return redis_call(redis, 2, arguments, on_told, NULL);
}

#define PONG                                                                                       \
    { .reply = "+PONG\r\n" }

// Debian's own adapter waits for ever here.
Test(redis, a_refused_connection_is_told_and_tried_again) {
    static const struct scripted_step steps[] = {PONG, {0}};
    struct scripted *closed = scripted_new(loop, steps);
    settings.port = scripted_port(closed);
    scripted_free(closed);
    cr_assert(eq(
        int,
        redis_new(loop, &settings, &(struct redis_handlers){.up = on_up, .down = on_down}, &redis),
        ERR_NONE));
    run_until(0, 3, 0);
    cr_assert(eq(int, told.down_class, REDIS_CLASS_UNKNOWN));
    cr_assert(ne(ptr, strstr(told.down_reason, "refused"), NULL), "%s", told.down_reason);
    cr_assert(eq(int, call("X"), ERR_AGAIN));
    cr_assert(not(redis_is_up(redis)));
}

Test(redis, replies_come_in_order_each_once) {
    static const struct scripted_step steps[] = {
        PONG, {.reply = "+one\r\n"}, {.reply = "$3\r\ntwo\r\n"}, {.reply = ":3\r\n"}, {0}};
    begin(steps);
    run_until(1, 0, 0);
    for (int i = 0; i < 3; i++)
        cr_assert(eq(int, call("X"), ERR_NONE));
    cr_assert(eq(sz, told.count, 0)); // never from within the call
    cr_assert(eq(sz, redis_outstanding(redis), 3));
    run_until(1, 0, 3);
    cr_assert(eq(str, told.texts[0], "one"));
    cr_assert(eq(str, told.texts[1], "two"));
    cr_assert(eq(str, told.texts[2], "(integer)"));
    cr_assert(eq(sz, redis_outstanding(redis), 0));
}

Test(redis, replies_split_at_each_byte_are_whole_again) {
    static const struct scripted_step steps[] = {
        {.action = SCRIPTED_REPLY_SPLIT, .reply = "+PONG\r\n"},
        {.action = SCRIPTED_REPLY_SPLIT,
         .reply = "*3\r\n$5\r\nabcde\r\n*2\r\n:-1\r\n$-1\r\n+x\r\n"},
        {.action = SCRIPTED_REPLY_SPLIT, .reply = "-WRONGTYPE no\r\n"},
        {0}};
    begin(steps);
    run_until(1, 0, 0);
    cr_assert(eq(int, call("X"), ERR_NONE));
    run_until(1, 0, 1);
    cr_assert(eq(str, told.texts[0], "(array)"));
    cr_assert(eq(int, call("X"), ERR_NONE));
    run_until(1, 0, 2);
    cr_assert(eq(int, told.classes[1], REDIS_CLASS_ERROR));
    cr_assert(eq(str, told.texts[1], "WRONGTYPE no"));
    cr_assert(eq(u32, told.downs, 0));
}

static void all_unknown(const struct scripted_step *steps, size_t answered, const char *reason) {
    begin(steps);
    run_until(1, 0, 0);
    for (int i = 0; i < 3; i++)
        cr_assert(eq(int, call("X"), ERR_NONE));
    run_until(1, 1, 3);
    for (size_t i = answered; i < 3; i++) {
        cr_assert(eq(int, told.classes[i], REDIS_CLASS_UNKNOWN));
        cr_assert(eq(str, told.texts[i], "(none)"));
    }
    cr_assert(ne(ptr, strstr(told.down_reason, reason), NULL), "%s", told.down_reason);
    run_until(2, 1, 3); // the next PING of the script
    cr_assert(eq(sz, told.count, 3));
    cr_assert(redis_is_up(redis));
}

Test(redis, a_reset_makes_all_outstanding_calls_unknown) {
    static const struct scripted_step steps[] = {PONG, {.action = SCRIPTED_RESET}, PONG, {0}};
    all_unknown(steps, 0, "lost");
}

Test(redis, an_end_in_the_middle_of_a_reply_makes_it_unknown) {
    static const struct scripted_step steps[] = {
        PONG,
        {.reply = "+one\r\n"},
        {.action = SCRIPTED_REPLY_CLOSE, .reply = "$10\r\nabc"},
        PONG,
        {0}};
    all_unknown(steps, 1, "lost");
    cr_assert(eq(str, told.texts[0], "one"));
}

Test(redis, garbage_ends_the_connection) {
    static const struct scripted_step steps[] = {
        PONG, {.action = SCRIPTED_REPLY_CLOSE, .reply = "HTTP/1.1 400\r\n"}, PONG, {0}};
    all_unknown(steps, 0, "Protocol error");
}

static size_t descriptors(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    cr_assert(ne(ptr, folder, NULL));
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

Test(redis, connections_lost_again_and_again_leave_nothing_behind) {
    const uint32_t times = getenv("TRESEN_LONG") ? 10000 : 200;
    struct scripted_step *steps = calloc(2 * times + 2, sizeof *steps);
    for (uint32_t i = 0; i < times; i++) {
        steps[2 * i] = (struct scripted_step)PONG;
        steps[2 * i + 1] = (struct scripted_step){.action = SCRIPTED_RESET};
    }
    steps[2 * times] = (struct scripted_step)PONG;
    settings.reconnect_most_ms = 1;
    begin(steps);
    run_until(1, 0, 0);
    size_t before = descriptors();
    for (uint32_t i = 0; i < times; i++) {
        told.count = 0;
        cr_assert(eq(int, call("X"), ERR_NONE));
        run_until(i + 2, i + 1, 1);
        cr_assert(eq(int, told.classes[0], REDIS_CLASS_UNKNOWN));
    }
    cr_assert(le(sz, descriptors(), before + 2)); // one may be closing on either side
    free(steps);
}

// hiredis' own asynchronous layer ends the process here.
Test(redis, a_reply_that_nobody_asked_for_ends_the_connection_only) {
    static const struct scripted_step steps[] = {
        {.reply = "+PONG\r\n+PONG\r\n"}, PONG, {.reply = "+one\r\n"}, {0}};
    begin(steps);
    run_until(1, 1, 0);
    run_until(2, 1, 0);
    cr_assert(eq(int, call("X"), ERR_NONE));
    run_until(2, 1, 1);
    cr_assert(eq(str, told.texts[0], "one"));
}

Test(redis, silence_ends_the_connection_after_command_ms) {
    static const struct scripted_step steps[] = {
        PONG, {.reply = "+one\r\n"}, {.action = SCRIPTED_SILENT}, {.action = SCRIPTED_SILENT}, PONG,
        {0}};
    settings.command_ms = 50;
    all_unknown(steps, 1, "no reply within 50 ms");
}

Test(redis, silence_before_pong_ends_the_attempt_after_connect_ms) {
    static const struct scripted_step steps[] = {{.action = SCRIPTED_SILENT}, PONG, {0}};
    settings.connect_ms = 50;
    begin(steps);
    run_until(1, 1, 0);
    cr_assert(eq(u32, told.downs, 1));
    cr_assert(ne(ptr, strstr(told.down_reason, "in time"), NULL), "%s", told.down_reason);
}

Test(redis, a_reply_over_reply_max_ends_the_connection) {
    static const struct scripted_step steps[] = {
        PONG,
        {.action = SCRIPTED_REPLY_CLOSE,
         .reply = "$100\r\n01234567890123456789012345678901234567890123456789"},
        PONG,
        {0}};
    settings.reply_max = 20;
    all_unknown(steps, 0, "reply_max");
}

Test(redis, loading_is_not_up) {
    static const struct scripted_step steps[] = {
        {.reply = "-LOADING Redis is loading the dataset in memory\r\n"}, PONG, {0}};
    begin(steps);
    run_until(1, 1, 0);
    cr_assert(eq(u32, told.downs, 1));
    cr_assert(eq(int, told.down_class, REDIS_CLASS_LATER));
}

Test(redis, a_wrong_password_is_a_matter_of_configuration) {
    static const struct scripted_step steps[] = {
        {.reply = "-WRONGPASS invalid username-password pair\r\n"}, {0}};
    settings.user = "worker";
    settings.password = "secret";
    begin(steps);
    run_until(0, 1, 0);
    cr_assert(eq(int, told.down_class, REDIS_CLASS_CONFIGURATION));
    cr_assert(eq(str, (char *)scripted_command(server, 0), "AUTH"));
}

Test(redis, more_calls_or_bytes_than_allowed_are_full) {
    static const struct scripted_step steps[] = {
        PONG, {.reply = "+a\r\n"}, {.reply = "+b\r\n"}, {.reply = "+c\r\n"}, {0}};
    settings.commands_max = 2;
    settings.bytes_max = 200;
    begin(steps);
    run_until(1, 0, 0);
    cr_assert(eq(int, call("X"), ERR_NONE));
    cr_assert(eq(int, call("X"), ERR_NONE));
    cr_assert(eq(int, call("X"), ERR_FULL));
    run_until(1, 0, 2);
    static const uint8_t large[300];
    struct bytes arguments[] = {{large, sizeof large}};
    cr_assert(eq(int, redis_call(redis, 1, arguments, on_told, NULL), ERR_FULL));
    arguments[0].size = 150;
    cr_assert(eq(int, redis_call(redis, 1, arguments, on_told, NULL), ERR_NONE));
    cr_assert(eq(int, redis_call(redis, 1, arguments, on_told, NULL), ERR_FULL));
    run_until(1, 0, 3);
    cr_assert(eq(str, told.texts[2], "c"));
}

static void on_told_call_again(void *context, enum redis_class class, const redisReply *reply) {
    on_told(context, class, reply);
    enum err err = call("X");
    cr_assert(eq(int, err, class == REDIS_CLASS_UNKNOWN ? ERR_AGAIN : ERR_NONE));
}

Test(redis, a_callback_may_call_again) {
    static const struct scripted_step steps[] = {
        PONG, {.reply = "+a\r\n"}, {.action = SCRIPTED_REPLY_CLOSE, .reply = "+b\r\n"}, {0}};
    struct bytes ask = bytes_of_text("X");
    begin(steps);
    run_until(1, 0, 0);
    cr_assert(eq(int, redis_call(redis, 1, &ask, on_told_call_again, NULL), ERR_NONE));
    run_until(1, 0, 2);
    cr_assert(eq(int, told.classes[1], REDIS_CLASS_OK));
    run_until(1, 1, 2);
    cr_assert(eq(int, redis_call(redis, 1, &ask, on_told, NULL), ERR_AGAIN));
}

Test(redis, a_freed_connection_tells_what_was_outstanding) {
    static const struct scripted_step steps[] = {PONG, {0}};
    struct bytes ask = bytes_of_text("X");
    begin(steps);
    run_until(1, 0, 0);
    cr_assert(eq(int, redis_call(redis, 1, &ask, on_told_call_again, NULL), ERR_NONE));
    redis_free(redis);
    redis = NULL;
    cr_assert(eq(sz, told.count, 1));
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_UNKNOWN));
}

Test(redis, a_host_is_resolved_by_name) {
    static const struct scripted_step steps[] = {PONG, {0}};
    settings.host = "localhost"; // may also stand for ::1, where nobody listens
    begin(steps);
    run_until(1, 0, 0);
    cr_assert(redis_is_up(redis));
}

Test(redis, a_path_without_a_socket_is_told) {
    settings.path = "/nonexistent/redis.sock";
    cr_assert(eq(
        int,
        redis_new(loop, &settings, &(struct redis_handlers){.up = on_up, .down = on_down}, &redis),
        ERR_NONE));
    run_until(0, 2, 0);
    cr_assert(ne(ptr, strstr(told.down_reason, "no such file"), NULL), "%s", told.down_reason);
}

Test(redis, it_can_be_freed_while_resolving) {
    static const struct scripted_step steps[] = {{0}};
    settings.host = "localhost";
    begin(steps);
    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    redis_free(redis);
    redis = NULL;
}

Test(redis, settings_that_cannot_work_are_refused) {
    settings.port = 0;
    cr_assert(eq(int, redis_new(loop, &settings, &(struct redis_handlers){0}, &redis), ERR_RANGE));
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    settings.path = path;
    cr_assert(eq(int, redis_new(loop, &settings, &(struct redis_handlers){0}, &redis), ERR_RANGE));
}

// Texts of Redis 7.0.15, and where they are others, of 8.0.2 and Valkey 8.1.1.
Test(redis_class, each_reply_has_its_class) {
    static const struct {
        const char *text;
        enum redis_class class;
    } cases[] = {
        {"ERR Function not found", REDIS_CLASS_REPAIRABLE},
        {"NOSCRIPT No matching script. Please use EVAL.", REDIS_CLASS_REPAIRABLE},
        {"LOADING Redis is loading the dataset in memory", REDIS_CLASS_LATER},
        {"BUSY Redis is busy running a script.", REDIS_CLASS_LATER},
        {"MASTERDOWN Link with MASTER is down", REDIS_CLASS_LATER},
        {"CLUSTERDOWN The cluster is down", REDIS_CLASS_LATER},
        {"TRYAGAIN Multiple keys request during rehashing of slot", REDIS_CLASS_LATER},
        {"NOREPLICAS Not enough good replicas to write.", REDIS_CLASS_LATER},
        {"OOM command not allowed when used memory > 'maxmemory'.", REDIS_CLASS_LATER},
        {"MISCONF Redis is configured to save RDB snapshots", REDIS_CLASS_LATER},
        {"ERR max number of clients reached", REDIS_CLASS_LATER},
        {"BUSY Valkey is busy running a script.", REDIS_CLASS_LATER},
        {"ERR Script killed by user with SCRIPT KILL... script: tresen_v1_ingest, on "
         "@user_function:2.",
         REDIS_CLASS_LATER},
        {"ERR Script killed by user with FUNCTION KILL. script: tresen_v1_ingest, on "
         "@user_function:2.",
         REDIS_CLASS_LATER},
        {"READONLY You can't write against a read only replica.", REDIS_CLASS_WRONG_NODE},
        {"MOVED 3999 127.0.0.1:6381", REDIS_CLASS_WRONG_NODE},
        {"ASK 3999 127.0.0.1:6381", REDIS_CLASS_WRONG_NODE},
        {"NOAUTH Authentication required.", REDIS_CLASS_CONFIGURATION},
        {"WRONGPASS invalid username-password pair", REDIS_CLASS_CONFIGURATION},
        {"NOPERM this user has no permissions", REDIS_CLASS_CONFIGURATION},
        {"DENIED Redis is running in protected mode", REDIS_CLASS_CONFIGURATION},
        {"ERR AUTH <password> called without any password configured", REDIS_CLASS_CONFIGURATION},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", REDIS_CLASS_ERROR},
        {"CROSSSLOT Keys in request don't hash to the same slot", REDIS_CLASS_ERROR},
        {"BUSYKEY Target key name already exists.", REDIS_CLASS_ERROR},
        {"ERR something of our function", REDIS_CLASS_ERROR},
        {"", REDIS_CLASS_ERROR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        redisReply reply = {
            .type = REDIS_REPLY_ERROR, .str = (char *)cases[i].text, .len = strlen(cases[i].text)};
        cr_assert(eq(int, redis_classify(&reply), cases[i].class), "%s", cases[i].text);
    }
    cr_assert(eq(int, redis_classify(NULL), REDIS_CLASS_UNKNOWN));
    cr_assert(eq(int, redis_classify(&(redisReply){.type = REDIS_REPLY_NIL}), REDIS_CLASS_OK));
}
