#include "common/io/loop.h"

#include "common/io/clock.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct loop {
    uv_loop_t uv;
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t timer;
    uv_prepare_t turn;
    struct loop_handlers handlers;
};

static void on_signal(uv_signal_t *handle, int signal) {
    struct loop *loop = handle->data;
    if (loop->handlers.stop) loop->handlers.stop(loop->handlers.context, signal);
}

static void on_hangup(uv_signal_t *handle, int signal) {
    struct loop *loop = handle->data;
    (void)signal;
    if (loop->handlers.reload) loop->handlers.reload(loop->handlers.context);
}

static void on_timer(uv_timer_t *handle) {
    struct loop *loop = handle->data;
    if (loop->handlers.timer) loop->handlers.timer(loop->handlers.context);
}

static void on_turn(uv_prepare_t *handle) {
    struct loop *loop = handle->data;
    if (loop->handlers.turn) loop->handlers.turn(loop->handlers.context);
}

static void end_now(int signal) {
    (void)signal;
    _exit(0);
}

void loop_signals_early(void) {
    struct sigaction action = {.sa_handler = end_now};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

enum err loop_new(struct loop **loop_out) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) return ERR_NOMEM;
    if (uv_loop_init(&loop->uv) < 0) {
        free(loop);
        return ERR_IO; // no descriptors left
    }
    uv_signal_init(&loop->uv, &loop->terminate);
    uv_signal_init(&loop->uv, &loop->interrupt);
    uv_signal_init(&loop->uv, &loop->hangup);
    uv_timer_init(&loop->uv, &loop->timer);
    uv_prepare_init(&loop->uv, &loop->turn);
    loop->terminate.data = loop->interrupt.data = loop->hangup.data = loop->timer.data =
        loop->turn.data = loop;
    signal(SIGPIPE, SIG_IGN);
    if (uv_signal_start(&loop->terminate, on_signal, SIGTERM) < 0 ||
        uv_signal_start(&loop->interrupt, on_signal, SIGINT) < 0) {
        loop_free(loop);
        return ERR_IO;
    }
    uv_prepare_start(&loop->turn, on_turn);
    *loop_out = loop;
    return ERR_NONE;
}

void loop_free(struct loop *loop) {
    if (!loop) return;
    loop->handlers = (struct loop_handlers){0};
    uv_close((uv_handle_t *)&loop->terminate, NULL);
    uv_close((uv_handle_t *)&loop->interrupt, NULL);
    uv_close((uv_handle_t *)&loop->hangup, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->turn, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT)) { // an old loop_stop may end it early
    }
    int busy = uv_loop_close(&loop->uv);
    assert(!busy && "somebody's handle is still open");
    (void)busy;
    free(loop);
}

void loop_handle(struct loop *loop, const struct loop_handlers *handlers) {
    loop->handlers = *handlers;
    if (handlers->reload) uv_signal_start(&loop->hangup, on_hangup, SIGHUP);
}

void loop_timer_set(struct loop *loop, uint64_t at_ms) {
    if (at_ms == DEADLINE_NEVER) {
        uv_timer_stop(&loop->timer);
        return;
    }
    uv_update_time(&loop->uv); // uv counts from its cached time, on the same monotonic scale
    uint64_t now_ms = uv_now(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

void loop_run(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop) {
    uv_stop(&loop->uv);
}

uv_loop_t *loop_uv(struct loop *loop) {
    return &loop->uv;
}
