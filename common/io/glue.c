#include "common/io/glue.h"

#include <assert.h>
#include <stdlib.h>
#include <zmq.h>

enum { BUDGET = 64 }; // messages a turn, so that one busy socket does not starve the others

struct glue {
    glue_take *take;
    void *context;
    uv_poll_t poll;
    uv_idle_t idle;
    int open; // handles not closed yet
    bool draining, freed;
};

int glue_events(void *zmq) {
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(zmq, ZMQ_EVENTS, &events, &size) ? 0 : events;
}

/// A take that finds nothing has looked at all that ZeroMQ signalled: what comes later makes the
/// descriptor readable again.
static void drain(uv_idle_t *idle) {
    struct glue *glue = idle->data;
    bool more = true;
    glue->draining = true;
    for (int i = 0; i < BUDGET && more; i++) {
        more = glue->take(glue->context);
        if (glue->freed) return;
    }
    glue->draining = false;
    if (more)
        uv_idle_start(&glue->idle, drain);
    else
        uv_idle_stop(&glue->idle);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    struct glue *glue = handle->data;
    (void)status, (void)events; // an error of the descriptor shows when the socket is asked
    drain(&glue->idle);
}

static void on_closed(uv_handle_t *handle) {
    struct glue *glue = handle->data;
    if (--glue->open == 0) free(glue);
}

enum err glue_new(uv_loop_t *loop, void *zmq, glue_take *take, void *context,
                  struct glue **glue_out) {
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(zmq, ZMQ_FD, &fd, &size)) return ERR_IO;
    struct glue *glue = calloc(1, sizeof *glue);
    if (!glue) return ERR_NOMEM;
    glue->take = take;
    glue->context = context;
    if (uv_poll_init(loop, &glue->poll, fd) < 0) {
        free(glue);
        return ERR_IO;
    }
    uv_idle_init(loop, &glue->idle);
    glue->poll.data = glue->idle.data = glue;
    glue->open = 2;
    if (uv_poll_start(&glue->poll, UV_READABLE, on_poll) < 0) {
        glue_free(glue);
        return ERR_IO;
    }
    glue_touched(glue);
    *glue_out = glue;
    return ERR_NONE;
}

void glue_free(struct glue *glue) {
    if (!glue) return;
    assert(!glue->freed);
    glue->freed = true;
    uv_close((uv_handle_t *)&glue->poll, on_closed);
    uv_close((uv_handle_t *)&glue->idle, on_closed);
}

void glue_touched(struct glue *glue) {
    if (!glue->draining) uv_idle_start(&glue->idle, drain);
}
