// The store on a real Redis: what it brings by itself, and what its callers are told.

#include "tests/support/redis_server.h"
#include "worker/store/store.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define OTHER_LIBRARY                                                                              \
    "#!lua name=tresen_v1\nredis.register_function('tresen_v1_other', function() end)"

extern const uint8_t store_functions[];
extern const size_t store_functions_size;

static struct redis_server *server;
static struct loop *loop;
static struct store *store;
static struct store_policy policy;
static struct id counters[] = {{"desk-1"}};
static uint16_t first[] = {0};
static struct branch_gateway gateways[] = {
    {.id = {"desk"}, .key = 1, .opens = true, .counter_count = 1, .counters = first}};
static struct branch branch = {.id = {"musterstadt"},
                               .counter_count = 1,
                               .counters = counters,
                               .gateway_count = 1,
                               .gateways = gateways,
                               .hash = 1};
static char json[] = "{}";
static struct standard_set set = {.hash_text = "abc", .json = json, .json_size = 2};

/// What the last callback said.
static struct {
    int count;
    enum redis_class class;
    struct buffer reply;
    char reason[400];
} told;

static void up(void *context) {
    (void)context;
    loop_stop(loop);
}
static enum redis_class went_down;
static void down(void *context, enum redis_class class, const char *reason) {
    (void)context, (void)reason;
    went_down = class;
    if (class == REDIS_CLASS_WRONG_NODE) loop_stop(loop);
}
static void library(void *context, const struct library_state *state, int64_t found) {
    (void)context, (void)state, (void)found;
}
static void answer(void *context, enum redis_class class, struct bytes reply, const char *reason) {
    (void)context;
    snprintf(told.reason, sizeof told.reason, "%s", reason);
    told.count++;
    told.class = class;
    buffer_clear(&told.reply);
    buffer_put(&told.reply, reply.data, reply.size);
    loop_stop(loop);
}

static void open_store(void) {
    struct redis_settings settings = redis_settings_default();
    struct store_handlers handlers = {NULL, up, down, library};
    server = redis_server_start();
    cr_assert(ne(ptr, server, NULL));
    settings.path = redis_server_path(server);
    policy = store_policy_default();
    policy.settle_after_ms = 0;
    policy.grace_ms = 0;
    buffer_init(&told.reply, 1 << 20);
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    cr_assert(eq(
        int,
        store_new(loop, &settings, &(struct acknowledge_settings){0}, &policy, &handlers, &store),
        ERR_NONE));
    loop_run(loop);
    cr_assert(store_is_up(store));
}
static void close_store(void) {
    store_free(store);
    loop_free(loop);
    redis_server_stop(server);
    buffer_fini(&told.reply);
}
TestSuite(store, .init = open_store, .fini = close_store, .timeout = 20);

static struct ask_reply ask(void) {
    struct ask_call call = {.configuration = store_branch_configuration(store, &branch),
                            .spool = {{1}}};
    struct ask_reply reply = {0};
    cr_assert(eq(int, store_ask(store, &branch, &call, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, told.class, REDIS_CLASS_OK));
    cr_assert(eq(int, ask_reply_read(buffer_bytes(&told.reply), &reply), ERR_NONE));
    return reply;
}

Test(store, a_branch_that_is_not_configured_is_configured_by_the_call) {
    struct ask_reply reply = ask();
    cr_assert(eq(int, reply.head.status, STORE_OK));
    cr_assert(eq(u64, reply.position.epoch, 1));
    cr_assert(eq(int, told.count, 1));
}

static void command(const char *line) {
    redisContext *redis = redisConnectUnix(redis_server_path(server));
    redisReply *reply = redisCommand(redis, line);
    cr_assert(ne(int, reply->type, REDIS_REPLY_ERROR));
    freeReplyObject(reply);
    redisFree(redis);
}

Test(store, a_library_that_was_lost_is_loaded_again_by_the_call) {
    ask();
    command("FUNCTION FLUSH");
    cr_assert(eq(int, ask().head.status, STORE_OK));
    command("FLUSHALL");
    command("FUNCTION FLUSH");
    cr_assert(eq(int, ask().head.status, STORE_OK));
}

// It has the library and answers calls that only read: it is left all the same, until it is one.
Test(store, a_replica_is_left_before_a_call_is_taken) {
    ask();
    command("REPLICAOF 127.0.0.1 1");
    command("CLIENT KILL TYPE normal");
    loop_run(loop);
    cr_assert(eq(int, went_down, REDIS_CLASS_WRONG_NODE));
    cr_assert_not(store_is_up(store));
    cr_assert(eq(i64, store_library_run(store), LIBRARY_UNKNOWN));
    command("REPLICAOF NO ONE");
    while (!store_is_up(store))
        loop_run(loop);
    cr_assert(eq(int, ask().head.status, STORE_OK));
}

static void ask_in_vain(void) {
    struct ask_call call = {.configuration = store_branch_configuration(store, &branch)};
    cr_assert(eq(int, store_ask(store, &branch, &call, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, told.class, REDIS_CLASS_REPAIRABLE));
}

static void load(const char *text) {
    redisContext *redis = redisConnectUnix(redis_server_path(server));
    redisReply *reply = redisCommand(redis, "FUNCTION LOAD REPLACE %s", text);
    cr_assert(eq(int, reply->type, REDIS_REPLY_STRING));
    freeReplyObject(reply);
    redisFree(redis);
}

Test(store, an_older_library_that_lacks_a_function_is_replaced_by_the_call) {
    load(OTHER_LIBRARY);
    cr_assert(eq(int, ask().head.status, STORE_OK));
    cr_assert(eq(i64, store_library_run(store), store_library_brought(store)));
}

Test(store, a_newer_library_that_lacks_a_function_is_left_and_the_way_out_is_told) {
    load("#!lua name=tresen_v1\n"
         "redis.register_function('tresen_v1_revision', function() return 999 end)");
    ask_in_vain();
    cr_assert(
        ne(ptr, strstr(told.reason, "Redis' library, revision 999, lacks tresen_v1_ask"), NULL),
        "%s", told.reason);
    cr_assert(ne(ptr, strstr(told.reason, "start workers of the newest version"), NULL));
    command("FUNCTION DELETE tresen_v1");
    cr_assert(eq(int, ask().head.status, STORE_OK));
}

Test(store, without_the_right_to_load_the_way_out_is_told) {
    command("FUNCTION FLUSH");
    command("ACL SETUSER default -function");
    ask_in_vain();
    cr_assert(ne(ptr, strstr(told.reason, "NOPERM"), NULL), "%s", told.reason);
    cr_assert(ne(ptr, strstr(told.reason, "; give this user the right, or have"), NULL));
    command("ACL SETUSER default +function");
    cr_assert(eq(int, ask().head.status, STORE_OK));
}

// Another worker with another registry: the caller decides, the store does not fight.
Test(store, a_call_for_another_configuration_is_answered_unconfigured) {
    struct ask_call call = {.configuration = 99};
    struct ask_reply reply;
    cr_assert(eq(int, store_ask(store, &branch, &call, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, ask_reply_read(buffer_bytes(&told.reply), &reply), ERR_NONE));
    cr_assert(eq(int, reply.head.status, STORE_UNCONFIGURED));
}

Test(store, a_key_of_a_wrong_type_is_the_calls_fault) {
    struct ask_call call = {.configuration = store_branch_configuration(store, &branch)};
    command("SADD t:{musterstadt}:state x");
    cr_assert(eq(int, store_ask(store, &branch, &call, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, told.class, REDIS_CLASS_ERROR));
    cr_assert(eq(sz, told.reply.size, 0));
}

Test(store, an_unanswered_call_is_unknown_when_the_store_is_freed) {
    struct ask_call call = {.configuration = store_branch_configuration(store, &branch)};
    cr_assert(eq(int, store_ask(store, &branch, &call, answer, NULL), ERR_NONE));
    store_free(store);
    store = NULL;
    cr_assert(eq(int, told.count, 1));
    cr_assert(eq(int, told.class, REDIS_CLASS_UNKNOWN));
}

static struct settle_call settle_call(void) {
    static const uint8_t contribution[CONTRIBUTION_HEAD_SIZE] = {OUTCOME_NORMAL};
    return (struct settle_call){.configuration = store_branch_configuration(store, &branch),
                                .lease = {{1}},
                                .encounter = {"e1"},
                                .set = {"abc"},
                                .day = "2023-11-15",
                                .hour = "2023-11-15T12",
                                .contribution = {contribution, sizeof contribution}};
}

static void tell_an_encounter(void) {
    struct encounter encounter = {.id = {"e1"},
                                  .outcome = OUTCOME_NORMAL,
                                  .issued_ms = TIME_NONE,
                                  .called_ms = TIME_NONE,
                                  .started_ms = 1000,
                                  .ended_ms = 2000};
    struct fold_fact fact = {.encounter = &encounter};
    struct fold_gateway gateway = {
        .epoch = ask().position.epoch, .first = 1, .last = 1, .watermark_ms = 3000};
    gateway.behind = tag_start(&(struct spool_id){{1}});
    struct fold fold = {.configuration = store_branch_configuration(store, &branch),
                        .gateway_count = 1,
                        .gateways = &gateway,
                        .fact_count = 1,
                        .facts = &fact};
    cr_assert(eq(int, store_ingest(store, &branch, &fold, answer, NULL), ERR_NONE));
    loop_run(loop);
}

static void take(uint8_t lease) {
    struct take_call take = {.configuration = store_branch_configuration(store, &branch),
                             .lease = {{lease}},
                             .most = 1,
                             .bytes = 1};
    cr_assert(eq(int, store_take(store, &branch, &take, answer, NULL), ERR_NONE));
    loop_run(loop);
}

/// Whether readers have the text of the set.
static void is_published(void) {
    redisContext *redis = redisConnectUnix(redis_server_path(server));
    redisReply *text = redisCommand(redis, "GET t:{musterstadt}:set:abc");
    cr_assert(eq(str, text->str, "{}"));
    freeReplyObject(text);
    redisFree(redis);
}

Test(store, a_set_that_the_store_does_not_know_is_published) {
    tell_an_encounter();
    take(1);
    struct settle_call call = settle_call();
    struct settle_reply reply;
    cr_assert(eq(int, store_settle(store, &branch, &call, &set, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, settle_reply_read(buffer_bytes(&told.reply), &reply), ERR_NONE));
    cr_assert(reply.final);
    cr_assert(not(reply.set_missing)); // it was settled behind the publication
    is_published();
}

/// Redis' library settles before the text of the set is there, as revision 1 did, and is left.
static void settle_as_before(void) {
    static const char *const changes[][2] = {
        {"local REVISION = ", "local REVISION = 9"},
        {"== 0 then -- or readers", "== 9 then -- or readers"},
        {"struct.pack('<BB', final and 1 or 0, 0)",
         "struct.pack('<BB', final and 1 or 0, "
         "1 - redis.call('EXISTS', b.prefix .. 'set:' .. where.set))"}};
    struct buffer text;
    buffer_init(&text, 1 << 20);
    const char *from = (const char *)store_functions;
    size_t left = store_functions_size;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        // The revision stands before the others in the text.
        const char *at = memmem(from, left, changes[i][0], strlen(changes[i][0]));
        cr_assert_not_null(at, "%s", changes[i][0]);
        buffer_put(&text, from, (size_t)(at - from));
        buffer_put(&text, changes[i][1], strlen(changes[i][1]));
        left -= (size_t)(at - from) + strlen(changes[i][0]);
        from = at + strlen(changes[i][0]);
    }
    buffer_put(&text, from, left);
    redisContext *redis = redisConnectUnix(redis_server_path(server));
    redisReply *reply = redisCommand(redis, "FUNCTION LOAD REPLACE %b", text.data, text.size);
    cr_assert(eq(int, reply->type, REDIS_REPLY_STRING), "%s", reply->str);
    freeReplyObject(reply);
    redisFree(redis);
    buffer_fini(&text);
}

// Such a one stays where no worker may replace it.
Test(store, a_library_that_settles_before_it_has_the_text_gets_it_and_settles_once) {
    settle_as_before();
    tell_an_encounter();
    take(1);
    struct settle_call call = settle_call();
    struct settle_reply reply;
    cr_assert(eq(int, store_settle(store, &branch, &call, &set, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, told.class, REDIS_CLASS_OK));
    cr_assert(eq(int, settle_reply_read(buffer_bytes(&told.reply), &reply), ERR_NONE));
    // It was settled the first time, and has no lease any more.
    cr_assert(eq(int, reply.head.status, STORE_STALE));
    is_published();
}

// A library of before does not know the call: it is replaced by the one that does.
Test(store, what_was_taken_in_vain_is_given_back_whatever_library_was_there) {
    struct give_back_call call = {
        .configuration = store_branch_configuration(store, &branch), .count = 1, .leases = {{{2}}}};
    struct reply reply;
    tell_an_encounter();
    take(1);
    command("ZADD t:{musterstadt}:due 1 e1"); // the lease has run out
    take(2);
    load(OTHER_LIBRARY);
    cr_assert(eq(int, store_give_back(store, &branch, &call, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, told.class, REDIS_CLASS_OK));
    struct reader reader = reader_of(buffer_bytes(&told.reply));
    cr_assert(eq(int, reply_read(&reader, &reply), ERR_NONE));
    cr_assert(eq(int, reply.status, STORE_OK));
    cr_assert(eq(i64, reply.due_ms, 0));
}

static struct editions_reply published(const char *known) {
    struct editions_reply reply;
    cr_assert(eq(int, store_editions(store, known, answer, NULL), ERR_NONE));
    loop_run(loop);
    cr_assert(eq(int, told.class, REDIS_CLASS_OK));
    cr_assert(eq(int, editions_reply_read(buffer_bytes(&told.reply), &reply), ERR_NONE));
    return reply;
}

static enum store_status restore(const char *hash, const char *text) {
    struct reply reply;
    cr_assert(
        eq(int, store_restore_editions(store, hash, bytes_of_text(text), answer, NULL), ERR_NONE));
    loop_run(loop);
    struct reader reader = reader_of(buffer_bytes(&told.reply));
    cr_assert(eq(int, reply_read(&reader, &reply), ERR_NONE));
    return reply.status;
}

// A Redis that lost all gets back what its workers run; what somebody published since stays.
Test(store, what_was_published_is_put_back_only_where_nothing_is) {
    cr_assert(eq(sz, published("").hash.size, 0));
    cr_assert(eq(int, restore("abc", "{}"), STORE_OK));
    cr_assert(eq(int, restore("def", "[]"), STORE_STALE));
    struct editions_reply reply = published("");
    cr_assert(eq(sz, reply.hash.size, 3));
    cr_assert(eq(sz, reply.text.size, 2));
    cr_assert(memcmp(reply.text.data, "{}", 2) == 0);
    cr_assert(eq(sz, published("abc").text.size, 0));
}
