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

// What was answered before the mark was done before it.
Test(acknowledge, all_that_was_answered_before_the_mark_shares_its_wait) {
    static const struct scripted_step steps[] = {PONG, MARKED, {.reply = ":2\r\n"}, {0}};
    begin(ACKNOWLEDGE_REPLICATED, steps);
    for (int i = 0; i < WAITERS; i++)
        ask(i);
    run_until(WAITERS);
    for (int i = 0; i < WAITERS; i++)
        cr_assert(eq(int, told.classes[i], REDIS_CLASS_OK));
    cr_assert(eq(sz, scripted_count(server), 3)); // PING, PUBLISH, WAIT
}

// An answer from behind the mark may be of a write that the WAIT does not know.
Test(acknowledge, those_who_come_during_a_wait_share_the_next) {
    static const struct scripted_step steps[] = {
        PONG, MARKED, {.reply = ":2\r\n"}, MARKED, {.reply = ":1\r\n"}, {0}};
    begin(ACKNOWLEDGE_REPLICATED, steps);
    ask(0);
    while (!confirmer.covered && told.count == 0)
        uv_run(loop_uv(loop), UV_RUN_ONCE);
    ask(1);
    ask(2);
    run_until(WAITERS);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_OK));
    cr_assert(eq(int, told.classes[1], REDIS_CLASS_LATER));
    cr_assert(eq(int, told.classes[2], REDIS_CLASS_LATER));
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
    for (int i = 0; i < WAITERS; i++)
        cr_assert(eq(int, told.classes[i], REDIS_CLASS_UNKNOWN));
}

// fsync: what the check finds out

#define HAS_WAITAOF                                                                                \
    { .reply = "*2\r\n:1\r\n:0\r\n" }
#define HAS_NO_WAITAOF                                                                             \
    { .reply = "-ERR unknown command 'WAITAOF', with args beginning with: '0' '0' '0' \r\n" }
#define IS(fields)                                                                                 \
    { .reply = "+# Server\nredis_version:7.2.4\n" fields "\r\n" }
#define IS_REDIS IS("redis_git_sha1:00000000")
#define IS_A_REPLICA                                                                               \
    { .reply = "-ERR WAITAOF cannot be used with replica instances. Please also note\r\n" }
#define CONFIG_ON_REWRITE(appendonly, appendfsync, on_rewrite)                                     \
    {                                                                                              \
        .reply = "*6\r\n+appendonly\r\n+" appendonly "\r\n+appendfsync\r\n+" appendfsync           \
                 "\r\n+no-appendfsync-on-rewrite\r\n+" on_rewrite "\r\n"                           \
    }
#define CONFIG(appendonly, appendfsync) CONFIG_ON_REWRITE(appendonly, appendfsync, "no")
#define NO_RIGHT                                                                                   \
    { .reply = "-NOPERM this user has no permissions\r\n" }

static void check(const struct scripted_step *steps) {
    begin(ACKNOWLEDGE_FSYNC, steps);
    confirmer_check(&confirmer, on_checked, NULL);
    run_until(1);
}

static void refused(const char *reason) {
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_CONFIGURATION));
    cr_assert(eq(str, told.reason, (char *)reason));
}

// No WAITAOF is sent then: the answer itself comes after the sync.
Test(acknowledge, fsync_believes_a_log_that_is_always_synced) {
    static const struct scripted_step steps[] = {
        PONG, HAS_NO_WAITAOF, IS_REDIS, CONFIG("yes", "always"), {0}};
    check(steps);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_OK), "%s", told.reason);
    ask(1);
    cr_assert(eq(int, told.count, 2));
    cr_assert(eq(sz, scripted_count(server), 4)); // PING, WAITAOF, INFO, CONFIG
}

Test(acknowledge, fsync_without_waitaof_names_what_is_missing) {
    static const struct scripted_step steps[] = {
        PONG, HAS_NO_WAITAOF, IS_REDIS, CONFIG("yes", "everysec"), {0}};
    check(steps);
    refused("acknowledge: fsync needs appendfsync always; Redis has everysec, and no WAITAOF (7.2 "
            "has it), or no right to it");
}

Test(acknowledge, fsync_needs_a_log) {
    static const struct scripted_step steps[] = {
        PONG, HAS_WAITAOF, IS_REDIS, CONFIG("no", "everysec"), {0}};
    check(steps);
    refused("acknowledge: fsync needs appendonly yes; Redis has no");
}

// Redis would never say that it has synced.
Test(acknowledge, fsync_needs_syncs) {
    static const struct scripted_step steps[] = {
        PONG, HAS_WAITAOF, IS_REDIS, CONFIG("yes", "no"), {0}};
    check(steps);
    refused("acknowledge: fsync needs appendfsync always or everysec; Redis has no");
}

Test(acknowledge, fsync_that_cannot_be_checked_is_not_believed) {
    static const struct scripted_step steps[] = {PONG, HAS_NO_WAITAOF, IS_REDIS, NO_RIGHT, {0}};
    check(steps);
    refused("acknowledge: fsync cannot be checked: NOPERM this user has no permissions; and no "
            "WAITAOF (7.2 has it), or no right to it");
}

static void valkey_is_refused(struct scripted_step info) {
    const struct scripted_step steps[] = {PONG, HAS_WAITAOF, info, CONFIG("yes", "everysec"), {0}};
    check(steps);
    refused("acknowledge: fsync needs appendfsync always; Redis has everysec, and it is Valkey, "
            "which answers WAITAOF before it has synced");
}

Test(acknowledge, fsync_does_not_believe_the_waitaof_of_valkey_by_its_version) {
    valkey_is_refused((struct scripted_step)IS("valkey_version:8.1.1"));
}

Test(acknowledge, fsync_does_not_believe_the_waitaof_of_valkey_by_its_name) {
    valkey_is_refused((struct scripted_step)IS("server_name:valkey"));
}

Test(acknowledge, fsync_believes_a_valkey_that_always_syncs) {
    static const struct scripted_step steps[] = {
        PONG, HAS_WAITAOF, IS("valkey_version:8.1.1"), CONFIG("yes", "always"), {0}};
    check(steps);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_OK), "%s", told.reason);
    ask(1);
    cr_assert(eq(int, told.count, 2));
    cr_assert(eq(sz, scripted_count(server), 4));
}

Test(acknowledge, fsync_on_a_valkey_whose_rewrites_hold_syncs_back_is_refused) {
    static const struct scripted_step steps[] = {PONG,
                                                 HAS_WAITAOF,
                                                 IS("server_name:valkey"),
                                                 CONFIG_ON_REWRITE("yes", "always", "yes"),
                                                 {0}};
    check(steps);
    refused("acknowledge: fsync needs no-appendfsync-on-rewrite no; Redis has yes, and it is "
            "Valkey, which answers WAITAOF before it has synced");
}

Test(acknowledge, fsync_on_a_valkey_that_cannot_be_checked_is_refused) {
    static const struct scripted_step steps[] = {
        PONG, HAS_WAITAOF, IS("server_name:valkey"), NO_RIGHT, {0}};
    check(steps);
    refused("acknowledge: fsync cannot be checked: NOPERM this user has no permissions; and it is "
            "Valkey, which answers WAITAOF before it has synced");
}

Test(acknowledge, fsync_does_not_believe_the_waitaof_of_who_does_not_say_what_it_is) {
    static const struct scripted_step steps[] = {
        PONG, HAS_WAITAOF, NO_RIGHT, CONFIG("yes", "everysec"), {0}};
    check(steps);
    refused("acknowledge: fsync needs appendfsync always; Redis has everysec, and INFO, which "
            "tells Redis from Valkey, is refused: NOPERM this user has no permissions");
}

Test(acknowledge, fsync_does_not_believe_the_waitaof_of_an_info_of_another_shape) {
    static const struct scripted_step steps[] = {
        PONG, HAS_WAITAOF, MARKED, CONFIG("yes", "everysec"), {0}};
    check(steps);
    refused("acknowledge: fsync needs appendfsync always; Redis has everysec, and INFO does not "
            "tell Redis from Valkey");
}

// Another Redis may answer behind the same name; ending would be wrong.
Test(acknowledge, fsync_leaves_a_replica) {
    static const struct scripted_step steps[] = {
        PONG, IS_A_REPLICA, IS_REDIS, CONFIG("yes", "everysec"), {0}};
    check(steps);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_WRONG_NODE), "%s", told.reason);
}

// CONFIG and INFO are answered while it loads, WAITAOF is not.
Test(acknowledge, fsync_is_tried_again_on_a_redis_that_is_loading) {
    static const struct scripted_step loading = {.reply = "-LOADING Redis is loading\r\n"};
    const struct scripted_step steps[] = {PONG, loading, IS_REDIS, CONFIG("yes", "everysec"), {0}};
    check(steps);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_LATER), "%s", told.reason);
}

// fsync: what WAITAOF answers

#define SET_MARK                                                                                   \
    { .reply = "+OK\r\n" }
#define ON_DISK                                                                                    \
    { .reply = "*2\r\n:1\r\n:0\r\n" }

static void check_and_ask(const struct scripted_step *steps) {
    check(steps);
    cr_assert(eq(int, told.classes[0], REDIS_CLASS_OK), "%s", told.reason);
    for (int i = 0; i < WAITERS; i++)
        ask(i);
    run_until(1 + WAITERS);
}

static void all_are(enum redis_class class) {
    for (int i = 0; i < WAITERS; i++)
        cr_assert(eq(int, told.classes[i], class), "%s", told.reason);
}

Test(acknowledge, fsync_writes_and_then_waits_once_for_all) {
    static const struct scripted_step steps[] = {
        PONG, HAS_WAITAOF, IS_REDIS, CONFIG("yes", "everysec"), SET_MARK, ON_DISK, {0}};
    check_and_ask(steps);
    all_are(REDIS_CLASS_OK);
    cr_assert(eq(str, (char *)scripted_command(server, 4), "SET"));
    cr_assert(eq(str, (char *)scripted_command(server, 5), "WAITAOF"));
    cr_assert(eq(sz, scripted_count(server), 6));
}

// With no-appendfsync-on-rewrite an answer alone is not enough, though appendfsync is always.
Test(acknowledge, fsync_waits_where_a_rewrite_holds_syncs_back) {
    static const struct scripted_step steps[] = {
        PONG,     HAS_WAITAOF, IS_REDIS, CONFIG_ON_REWRITE("yes", "always", "yes"),
        SET_MARK, ON_DISK,     {0}};
    check_and_ask(steps);
    all_are(REDIS_CLASS_OK);
    cr_assert(eq(sz, scripted_count(server), 6));
}

Test(acknowledge, fsync_waits_where_it_may_not_look) {
    static const struct scripted_step steps[] = {PONG,     HAS_WAITAOF, IS_REDIS, NO_RIGHT,
                                                 SET_MARK, ON_DISK,     {0}};
    check_and_ask(steps);
    all_are(REDIS_CLASS_OK);
    cr_assert(eq(sz, scripted_count(server), 6));
}

static void answered(struct scripted_step mark, struct scripted_step wait, enum redis_class class,
                     const char *words) {
    const struct scripted_step steps[] = {PONG, HAS_WAITAOF, IS_REDIS, CONFIG("yes", "everysec"),
                                          mark, wait,        {0}};
    check_and_ask(steps);
    all_are(class);
    cr_assert(strstr(told.reason, words) != NULL, "%s", told.reason);
}

Test(acknowledge, what_is_not_on_disk_in_time_is_not_acknowledged) {
    answered((struct scripted_step)SET_MARK, (struct scripted_step){.reply = "*2\r\n:0\r\n:3\r\n"},
             REDIS_CLASS_LATER, "not on Redis' disk after 100 ms");
}

Test(acknowledge, an_answer_to_waitaof_of_another_shape_is_not_believed) {
    answered((struct scripted_step)SET_MARK, (struct scripted_step){.reply = ":1\r\n"},
             REDIS_CLASS_LATER, "not on Redis' disk");
}

Test(acknowledge, a_log_that_was_switched_off_is_a_matter_of_configuration) {
    answered((struct scripted_step)SET_MARK,
             (struct scripted_step){.reply = "-ERR WAITAOF cannot be used when numlocal is set but "
                                             "appendonly is disabled.\r\n"},
             REDIS_CLASS_CONFIGURATION, "acknowledge: fsync needs appendonly yes: ERR WAITAOF");
}

Test(acknowledge, a_redis_that_becomes_a_replica_confirms_nothing) {
    answered((struct scripted_step)SET_MARK,
             (struct scripted_step){.reply = "-UNBLOCKED force unblock from blocking operation, "
                                             "instance state changed (master -> replica?)\r\n"},
             REDIS_CLASS_LATER, "UNBLOCKED");
}

Test(acknowledge, without_its_mark_waitaof_is_not_believed) {
    answered((struct scripted_step){.reply = "-OOM command not allowed\r\n"},
             (struct scripted_step)ON_DISK, REDIS_CLASS_LATER,
             "the mark before WAITAOF is refused: OOM command not allowed");
}

Test(acknowledge, a_connection_lost_during_waitaof_confirms_nobody) {
    answered((struct scripted_step)SET_MARK, (struct scripted_step){.action = SCRIPTED_RESET},
             REDIS_CLASS_UNKNOWN, "no reply");
}
