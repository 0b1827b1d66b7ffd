// When a batch may be acknowledged, on a Redis that says what the test wants.

#include "common/io/clock.h"
#include "tests/support/scripted_redis.h"
#include "worker/store/acknowledge.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

enum { PATIENCE_MS = 20000, WAITERS = 3 };

#define PONG                                                                                       \
    { .reply = "+PONG\r\n" }
#define MARKED                                                                                     \
    { .reply = ":0\r\n" }

static struct loop *loop;
static struct scripted *server;
static struct redis *redis;
static struct confirmer confirmer;

/// Each tells its own class; the loop runs until so many were told.
static struct {
    struct confirmation confirmations[WAITERS];
    enum redis_class classes[WAITERS];
    char reason[200];
    int count, wanted;
} told;

static void note(const char *reason) {
    snprintf(told.reason, sizeof told.reason, "%s", reason);
    if (++told.count >= told.wanted) loop_stop(loop);
}

static void on_told(struct confirmation *confirmation, enum redis_class class, const char *reason) {
    told.classes[confirmation - told.confirmations] = class;
    note(reason);
}

static void on_checked(void *context, enum redis_class class, const char *reason) {
    (void)context;
    told.classes[0] = class;
    note(reason);
}

static void on_up(void *context) {
    (void)context;
    loop_stop(loop);
}

static void on_patience(void *context) {
    (void)context;
    cr_fatal("nothing happened any more");
}

static void run_until(int count) {
    told.wanted = count;
    loop_timer_set(loop, clock_monotonic_ms() + PATIENCE_MS);
    if (told.count < count) loop_run(loop);
}

static void begin(enum acknowledge level, const struct scripted_step *steps) {
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    loop_handle(loop, &(struct loop_handlers){.timer = on_patience});
    server = scripted_new(loop, steps);
    struct redis_settings settings = redis_settings_default();
    settings.host = "127.0.0.1";
    settings.port = scripted_port(server);
    struct redis_handlers handlers = {.up = on_up};
    cr_assert(eq(int, redis_new(loop, &settings, &handlers, &redis), ERR_NONE));
    loop_run(loop);
    confirmer_init(&confirmer, redis,
                   &(struct acknowledge_settings){level, .replicas = 2, .wait_ms = 100});
    for (int i = 0; i < WAITERS; i++)
        told.confirmations[i].told = on_told;
}

static void ask(int waiter) {
    confirmer_ask(&confirmer, &told.confirmations[waiter]);
}

static void end(void) {
    redis_free(redis);
    scripted_free(server);
    loop_free(loop);
}

TestSuite(acknowledge, .fini = end);

Test(acknowledge, applied_asks_nothing) {
    static const struct scripted_step steps[] = {PONG, {0}};
    begin(ACKNOWLEDGE_APPLIED, steps);
    ask(0);
    cr_assert(eq(int, told.count, 1));
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_OK));
    cr_assert(eq(sz, scripted_count(server), 1)); // the PING
}

// WAIT waits for its own connection's last write; the PUBLISH makes that the newest of all.
Test(acknowledge, replicated_writes_and_then_waits) {
    static const struct scripted_step steps[] = {PONG, MARKED, {.reply = ":2\r\n"}, {0}};
    begin(ACKNOWLEDGE_REPLICATED, steps);
    ask(0);
    run_until(1);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_OK));
    cr_assert(eq(str, (char *)scripted_command(server, 1), "PUBLISH"));
    cr_assert(eq(str, (char *)scripted_command(server, 2), "WAIT"));
}

Test(acknowledge, those_who_come_during_a_wait_share_the_next) {
    static const struct scripted_step steps[] = {
        PONG, MARKED, {.reply = ":2\r\n"}, MARKED, {.reply = ":2\r\n"}, {0}};
    begin(ACKNOWLEDGE_REPLICATED, steps);
    for (int i = 0; i < WAITERS; i++)
        ask(i);
    run_until(WAITERS);
    for (int i = 0; i < WAITERS; i++)
        cr_assert(eq(int, told.classes[i], REDIS_CLASS_OK));
    cr_assert(eq(sz, scripted_count(server), 5)); // PING and twice PUBLISH, WAIT
}

Test(acknowledge, too_few_replicas_are_not_enough) {
    static const struct scripted_step steps[] = {PONG, MARKED, {.reply = ":1\r\n"}, {0}};
    begin(ACKNOWLEDGE_REPLICATED, steps);
    ask(0);
    run_until(1);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_LATER));
    cr_assert(eq(str, told.reason, "1 of 2 replicas had it after 100 ms"));
}

Test(acknowledge, without_the_mark_a_wait_is_not_believed) {
    static const struct scripted_step steps[] = {
        PONG, {.reply = "-NOPERM this user has no permissions\r\n"}, {.reply = ":2\r\n"}, {0}};
    begin(ACKNOWLEDGE_REPLICATED, steps);
    ask(0);
    run_until(1);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_CONFIGURATION));
}

Test(acknowledge, a_lost_connection_confirms_nobody) {
    static const struct scripted_step steps[] = {PONG, MARKED, {.action = SCRIPTED_RESET}, {0}};
    begin(ACKNOWLEDGE_REPLICATED, steps);
    for (int i = 0; i < WAITERS; i++)
        ask(i);
    run_until(WAITERS);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_UNKNOWN));
    for (int i = 1; i < WAITERS; i++)
        cr_assert(eq(int, told.classes[i], REDIS_CLASS_LATER));
}

static void check(const char *reply) {
    const struct scripted_step steps[] = {PONG, {.reply = reply}, {0}};
    begin(ACKNOWLEDGE_FSYNC, steps);
    confirmer_check(&confirmer, on_checked, NULL);
    run_until(1);
}

#define CONFIG(appendonly, appendfsync)                                                            \
    "*6\r\n+appendonly\r\n+" appendonly "\r\n+appendfsync\r\n+" appendfsync                        \
    "\r\n+no-appendfsync-on-rewrite\r\n+no\r\n"

Test(acknowledge, fsync_believes_a_log_that_is_always_synced) {
    check(CONFIG("yes", "always"));
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_OK), "%s", told.reason);
}

Test(acknowledge, fsync_names_what_is_missing) {
    check(CONFIG("yes", "everysec"));
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_CONFIGURATION));
    cr_assert(
        eq(str, told.reason, "acknowledge: fsync needs appendfsync always; Redis has everysec"));
}

Test(acknowledge, fsync_that_cannot_be_checked_is_not_believed) {
    check("-NOPERM this user has no permissions\r\n");
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_CONFIGURATION));
}
