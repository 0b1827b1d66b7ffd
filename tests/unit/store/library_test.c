// Which function library Redis ends up with: the newest, whoever comes when.

#include "tests/support/redis_server.h"
#include "worker/store/library.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 50 };

#define TEXT(revision, more)                                                                       \
    "#!lua name=tresen_v1\n"                                                                       \
    "redis.register_function({ function_name = 'tresen_v1_revision', flags = { 'no-writes' },\n"   \
    "                          callback = function() return " #revision " end })\n" more
#define WITHOUT_REVISIONS                                                                          \
    "#!lua name=tresen_v1\nredis.register_function('tresen_v1_other', function() end)\n"

/// A worker, with its own connection and what it was told.
struct worker {
    struct library_wait wait; // first
    struct library library;
    struct redis *redis;
    int told, news;
    enum redis_class class;
    char reason[LIBRARY_REASON_SIZE];
    int64_t found;
};

static struct redis_server *server;
static struct loop *loop;
static redisContext *operator;
static struct worker older, newer; // of revisions 5 and 6

static void on_up(void *context) {
    (void)context;
    loop_stop(loop);
}

static void on_news(void *context, const struct library_state *state, int64_t found) {
    struct worker *worker = context;
    (void)state;
    worker->news++;
    worker->found = found;
}

static void on_told(struct library_wait *wait, enum redis_class class, const char *reason) {
    struct worker *worker = (struct worker *)wait;
    worker->told++;
    worker->class = class;
    snprintf(worker->reason, sizeof worker->reason, "%s", reason);
    loop_stop(loop);
}

static void start(struct worker *worker, const char *text, int64_t revision) {
    struct redis_settings settings = redis_settings_default();
    struct redis_handlers handlers = {.up = on_up};
    settings.path = redis_server_path(server);
    *worker = (struct worker){.wait = {.told = on_told}};
    cr_assert(eq(int, redis_new(loop, &settings, &handlers, &worker->redis), ERR_NONE));
    while (!redis_is_up(worker->redis))
        loop_run(loop);
    library_init(&worker->library, worker->redis, bytes_of_text(text), revision, on_news, worker);
}

static void begin(void) {
    server = redis_server_start();
    cr_assert(ne(ptr, server, NULL));
    operator= redisConnectUnix(redis_server_path(server));
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    start(&older, TEXT(5, ""), 5);
    start(&newer, TEXT(6, ""), 6);
}
static void end(void) {
    redis_free(older.redis);
    redis_free(newer.redis);
    loop_free(loop);
    redisFree(operator);
    redis_server_stop(server);
}
TestSuite(library, .init = begin, .fini = end, .timeout = 20);

static void command(const char *line) {
    redisReply *reply = redisCommand(operator, line);
    cr_assert(ne(int, reply->type, REDIS_REPLY_ERROR), "%s: %s", line, reply->str);
    freeReplyObject(reply);
}

static void put(const char *text) {
    redisReply *reply = redisCommand(operator, "FUNCTION LOAD REPLACE %s", text);
    cr_assert(eq(int, reply->type, REDIS_REPLY_STRING), "%s", reply->str);
    freeReplyObject(reply);
}

static long long number(const char *line) {
    redisReply *reply = redisCommand(operator, line);
    long long value = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    freeReplyObject(reply);
    return value;
}

static long long runs(void) {
    return number("FCALL tresen_v1_revision 0");
}

static void bring(struct worker *worker) {
    int told = worker->told;
    library_bring(&worker->library, &worker->wait);
    while (worker->told == told)
        loop_run(loop);
}

/// Without anybody who waits.
static void look(struct worker *worker) {
    library_look(&worker->library);
    while (worker->library.asking)
        uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static void brought(struct worker *worker, int64_t found) {
    bring(worker);
    cr_assert(eq(int, worker->class, REDIS_CLASS_OK), "%s", worker->reason);
    cr_assert(eq(i64, worker->found, found));
    cr_assert(eq(i64, worker->library.state.runs, runs()));
}

Test(library, where_there_is_none_it_is_loaded) {
    brought(&older, 0);
    cr_assert(eq(i64, runs(), 5));
    cr_assert(eq(int, older.news, 1));
    cr_assert(eq(i64, number("DBSIZE"), 0)); // nothing stays behind
}

Test(library, one_without_revisions_is_older_than_all) {
    put(WITHOUT_REVISIONS);
    brought(&older, 0);
    cr_assert(eq(i64, runs(), 5));
}

Test(library, an_older_one_is_replaced_once) {
    brought(&older, 0);
    brought(&newer, 5);
    cr_assert(eq(i64, runs(), 6));
    brought(&newer, 5); // the news of before: nothing new is told
    brought(&older, 6);
    cr_assert(eq(i64, runs(), 6));
    cr_assert(eq(int, newer.news, 1));
    cr_assert(eq(int, older.news, 2));
}

Test(library, an_equal_one_is_left_as_it_is) {
    put(TEXT(5, "redis.register_function('marker', function() return 1 end)\n"));
    brought(&older, 5);
    cr_assert(eq(i64, number("FCALL marker 0"), 1));
}

// Both have seen revision 4 before either loads: the older one must not come behind the newer.
Test(library, of_two_at_once_the_newest_stays) {
    for (int round = 0; round < ROUNDS; round++) {
        struct worker *first = round % 2 ? &older : &newer, *second = round % 2 ? &newer : &older;
        put(TEXT(4, ""));
        int told = older.told + newer.told;
        library_bring(&first->library, &first->wait);
        library_bring(&second->library, &second->wait);
        while (older.told + newer.told < told + 2)
            loop_run(loop);
        cr_assert(eq(i64, runs(), 6), "round %d", round);
        cr_assert(eq(i64, newer.library.state.runs, 6));
    }
}

// By whatever that is no worker's doing: an operator's FUNCTION RESTORE, a FUNCTION FLUSH.
Test(library, one_that_went_back_is_noticed_by_the_next_look) {
    brought(&newer, 0);
    command("FUNCTION FLUSH");
    look(&newer);
    cr_assert(eq(i64, runs(), 6));
    put(TEXT(2, ""));
    look(&newer);
    cr_assert(eq(i64, runs(), 6));
    cr_assert(eq(i64, newer.found, 2));
    cr_assert(eq(int, newer.news, 3));
    look(&newer);
    cr_assert(eq(int, newer.news, 3));
}

// Who may not load works on with what is there, and does not send its text again and again.
Test(library, without_the_right_to_load_the_older_one_stays_and_it_is_told) {
    put(TEXT(3, ""));
    command("ACL SETUSER default -function");
    bring(&newer);
    cr_assert(eq(int, newer.class, REDIS_CLASS_CONFIGURATION));
    cr_assert(ne(ptr, strstr(newer.reason, "NOPERM"), NULL), "%s", newer.reason);
    cr_assert(ne(ptr, strstr(newer.reason, "function"), NULL), "%s", newer.reason);
    cr_assert(eq(i64, newer.library.state.runs, 3));
    cr_assert(eq(str, newer.library.state.refusal, newer.reason));
    cr_assert(eq(i64, number("DBSIZE"), 0));
    command("ACL SETUSER default +function");
    look(&newer);
    cr_assert(eq(i64, runs(), 3)); // not before a minute has passed
    cr_assert(eq(int, newer.news, 1));
    newer.library.load_at_ms = 0;
    look(&newer);
    cr_assert(eq(i64, runs(), 6));
    cr_assert(eq(int, newer.library.state.refused, REDIS_CLASS_OK));
    cr_assert(eq(int, newer.news, 2));
}

// What the log tells an operator to do is enough, and each of it is needed.
Test(library, these_rights_are_enough_and_each_is_needed) {
    static const char *const rights[] = {"+function|load", "+@transaction", "+set", "~t:*"};
    for (size_t missing = 0; missing <= 4; missing++) {
        char line[160] = "ACL SETUSER default reset on nopass +fcall +ping";
        for (size_t i = 0; i < 4; i++)
            if (i != missing) strcat(strcat(line, " "), rights[i]);
        redisContext *admin = redisConnectUnix(redis_server_path(server));
        freeReplyObject(redisCommand(admin, "ACL SETUSER admin on nopass ~* +@all"));
        freeReplyObject(redisCommand(admin, "AUTH admin x"));
        freeReplyObject(redisCommand(admin, "FUNCTION FLUSH"));
        strcat(line, " +del");
        freeReplyObject(redisCommand(admin, line));
        bring(&newer);
        cr_assert(eq(int, newer.class, missing < 4 ? REDIS_CLASS_CONFIGURATION : REDIS_CLASS_OK),
                  "%s: %s", line, newer.reason);
        redisFree(admin);
    }
}

Test(library, a_replica_is_not_loaded) {
    put(TEXT(3, ""));
    command("REPLICAOF 127.0.0.1 1");
    bring(&newer);
    cr_assert(eq(int, newer.class, REDIS_CLASS_WRONG_NODE), "%s", newer.reason);
    command("REPLICAOF NO ONE");
    brought(&newer, 3);
}

Test(library, where_memory_is_out_it_is_tried_at_the_next_look) {
    put(TEXT(3, ""));
    command("CONFIG SET maxmemory 1");
    bring(&newer);
    cr_assert(eq(int, newer.class, REDIS_CLASS_LATER), "%s", newer.reason);
    cr_assert(eq(i64, runs(), 3));
    command("CONFIG SET maxmemory 0");
    look(&newer);
    cr_assert(eq(i64, runs(), 6));
}

Test(library, a_text_that_redis_does_not_take_leaves_the_older_one) {
    put(TEXT(3, ""));
    library_init(&newer.library, newer.redis, bytes_of_text(TEXT(6, "this is no Lua")), 6, on_news,
                 &newer);
    bring(&newer);
    cr_assert(eq(int, newer.class, REDIS_CLASS_ERROR));
    cr_assert(ne(ptr, strstr(newer.reason, "compiling"), NULL), "%s", newer.reason);
    cr_assert(eq(i64, runs(), 3));
}

Test(library, a_function_that_answers_no_number_is_not_loaded_over) {
    put("#!lua name=tresen_v1\n"
        "redis.register_function('tresen_v1_revision', function() return 'x' end)\n");
    bring(&newer);
    cr_assert(eq(int, newer.class, REDIS_CLASS_ERROR));
    cr_assert(eq(i64, newer.library.state.runs, LIBRARY_UNKNOWN));
    cr_assert(eq(int, newer.news, 0));
}

Test(library, whoever_waits_when_the_connection_ends_is_told) {
    library_bring(&newer.library, &newer.wait);
    redis_free(newer.redis);
    newer.redis = NULL;
    cr_assert(eq(int, newer.told, 1));
    cr_assert(eq(int, newer.class, REDIS_CLASS_UNKNOWN));
}
