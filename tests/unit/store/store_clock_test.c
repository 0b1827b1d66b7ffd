// What time it is, by a Redis that says what the test wants.

#include "common/io/clock.h"
#include "tests/support/scripted_redis.h"
#include "worker/store/store_clock.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { PATIENCE_MS = 20000 };
#define PONG                                                                                       \
    { .reply = "+PONG\r\n" }

static struct loop *loop;
static struct scripted *server;
static struct redis *redis;
static struct store_clock looks;
static enum redis_class class;

static void on_up(void *context) {
    (void)context;
    loop_stop(loop);
}

static void on_patience(void *context) {
    (void)context;
    cr_fatal("nothing happened any more");
}

static void on_told(void *context, enum redis_class is, const char *reason) {
    (void)context, (void)reason;
    class = is;
    loop_stop(loop);
}

static void look(const struct scripted_step *steps) {
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    loop_handle(loop, &(struct loop_handlers){.timer = on_patience});
    server = scripted_new(loop, steps);
    struct redis_settings settings = redis_settings_default();
    settings.host = "127.0.0.1";
    settings.port = scripted_port(server);
    struct redis_handlers handlers = {.up = on_up};
    cr_assert(eq(int, redis_new(loop, &settings, &handlers, &redis), ERR_NONE));
    loop_timer_set(loop, clock_monotonic_ms() + PATIENCE_MS);
    loop_run(loop);
    store_clock_init(&looks, redis);
    store_clock_look(&looks, on_told, NULL);
    store_clock_look(&looks, NULL, NULL); // is answered by the same reply
    loop_timer_set(loop, clock_monotonic_ms() + PATIENCE_MS);
    loop_run(loop);
}

static void end(void) {
    redis_free(redis);
    scripted_free(server);
    loop_free(loop);
}

// A worker whose own clock is years behind would take all that comes for the future and drop it.
Test(store_clock, the_time_is_redis_time) {
    look((struct scripted_step[]){
        PONG, {.reply = "*2\r\n$10\r\n4102444800\r\n$6\r\n250000\r\n"}, {.reply = NULL}});
    cr_assert(eq(int, class, REDIS_CLASS_OK));
    int64_t since_ms = store_clock_utc_ms(&looks) - INT64_C(4102444800250);
    cr_assert(since_ms >= 0 && since_ms < PATIENCE_MS);
    cr_assert(eq(sz, scripted_count(server), 2)); // PING, TIME
    end();
}

Test(store_clock, until_it_is_known_our_own_clock_serves) {
    look((struct scripted_step[]){PONG, {.reply = "-ERR no time\r\n"}, {.reply = NULL}});
    cr_assert(ne(int, class, REDIS_CLASS_OK));
    int64_t since_ms = clock_utc_ms() - store_clock_utc_ms(&looks);
    cr_assert(since_ms >= -1 && since_ms < PATIENCE_MS);
    end();
}
