// ZeroMQ gives an endpoint up for good once a handshake was refused (unknown key, other mechanism),
// and tries again only after broken connections. But a key may become known a moment later, so we
// connect again ourselves, after a pause that doubles.

#include "common/io/bus_socket.h"

#include <stdlib.h>
#include <zmq.h>

/// Lives until libuv has closed the timer.
struct bus_again {
    uv_timer_t timer;
    struct bus_socket *socket;
    char endpoint[256];
    uint32_t first_ms, most_ms, pause_ms;
};

static void closed(uv_handle_t *timer) {
    free(timer->data);
}

static void connect_again(uv_timer_t *timer) {
    struct bus_again *again = timer->data;
    void *zmq = again->socket->zmq;
    (void)zmq_disconnect(zmq, again->endpoint); // it is still listed, and would not be made twice
    (void)zmq_connect(zmq, again->endpoint);    // it could be made before
    glue_touched(again->socket->glue);
}

enum err bus_again_open(struct bus_socket *socket, const char *endpoint,
                        const struct bus_settings *settings) {
    struct bus_again *again = calloc(1, sizeof *again);
    if (!again) return ERR_NOMEM;
    if (uv_timer_init(loop_uv(socket->bus->loop), &again->timer)) {
        free(again);
        return ERR_IO;
    }
    again->timer.data = again;
    again->socket = socket;
    snprintf(again->endpoint, sizeof again->endpoint, "%s", endpoint);
    again->first_ms = again->pause_ms = settings->reconnect_ms;
    again->most_ms = settings->reconnect_max_ms;
    socket->again = again;
    return ERR_NONE;
}

void bus_again_refused(struct bus_again *again) {
    uv_timer_start(&again->timer, connect_again, again->pause_ms, 0);
    again->pause_ms = again->pause_ms < again->most_ms / 2 ? again->pause_ms * 2 : again->most_ms;
}

void bus_again_connected(struct bus_again *again) {
    uv_timer_stop(&again->timer);
    again->pause_ms = again->first_ms;
}

void bus_again_close(struct bus_again *again) {
    if (again) uv_close((uv_handle_t *)&again->timer, closed);
}
