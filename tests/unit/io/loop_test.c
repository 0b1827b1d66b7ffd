#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/redis.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>

struct seen {
    struct loop *loop;
    int signal, timers, turns;
    uint64_t at_ms;
};

static void on_stop(void *context, int signal) {
    struct seen *seen = context;
    seen->signal = signal;
    loop_stop(seen->loop);
}

static void on_timer(void *context) {
    struct seen *seen = context;
    seen->timers++;
    seen->at_ms = clock_monotonic_ms();
    raise(SIGTERM);
}

static void on_turn(void *context) {
    ((struct seen *)context)->turns++;
}

// The core's deadline is a promise: woken too early it would compute the same deadline again.
Test(loop, the_timer_never_fires_early_and_a_signal_stops) {
    struct seen seen = {0};
    cr_assert(eq(int, loop_new(&seen.loop), ERR_NONE));
    loop_handle(seen.loop,
                &(struct loop_handlers){
                    .context = &seen, .stop = on_stop, .timer = on_timer, .turn = on_turn});
    uint64_t at_ms = clock_monotonic_ms() + 20;
    loop_timer_set(seen.loop, at_ms - 15);
    loop_timer_set(seen.loop, at_ms); // replaces
    loop_run(seen.loop);

    cr_assert(eq(int, seen.timers, 1));
    cr_assert(ge(u64, seen.at_ms, at_ms));
    cr_assert(eq(int, seen.signal, SIGTERM));
    cr_assert(ge(int, seen.turns, 2));
    loop_free(seen.loop);
}

static void on_late(void *context) {
    struct seen *seen = context;
    seen->timers++;
    loop_stop(seen->loop);
}

Test(loop, a_time_in_the_past_fires_in_the_next_turn) {
    struct seen seen = {0};
    cr_assert(eq(int, loop_new(&seen.loop), ERR_NONE));
    loop_handle(seen.loop, &(struct loop_handlers){.context = &seen, .timer = on_late});
    loop_timer_set(seen.loop, 1);
    loop_run(seen.loop);
    cr_assert(eq(int, seen.timers, 1));
    loop_free(seen.loop);
}

Test(clock, random_below_stays_below_and_reaches_all) {
    bool reached[5] = {0};
    for (int i = 0; i < 1000; i++) {
        uint64_t value = random_below(5);
        cr_assert(lt(u64, value, 5));
        reached[value] = true;
    }
    for (int i = 0; i < 5; i++)
        cr_assert(reached[i]);
    cr_assert(eq(u64, random_below(1), 0));
}
