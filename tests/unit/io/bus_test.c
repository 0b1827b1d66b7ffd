#include "common/io/bus.h"

#include "common/io/bus_socket.h"
#include "common/io/clock.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { PATIENCE_MS = 20000 };

static struct loop *loop;
static struct bus *bus;
static const struct bus_security insecure = {.insecure = true};

static void open_bus(void) {
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    cr_assert(eq(int, bus_new(loop, &bus), ERR_NONE));
}

static void close_bus(void) {
    bus_free(bus);
    loop_free(loop);
}

TestSuite(bus, .init = open_bus, .fini = close_bus);

static void on_patience(void *context) {
    (void)context;
    cr_fatal("nothing happened any more");
}

/// An endpoint that no test that runs at once has, of this build or another.
static const char *own_ipc(void) {
    static char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "ipc://@tresen-bus-test-%d", getpid());
    return endpoint;
}

static void be_patient(void) {
    loop_timer_set(loop, clock_monotonic_ms() + PATIENCE_MS);
}

/// Run until a handler calls loop_stop.
static void run(void) {
    loop_handle(loop, &(struct loop_handlers){.timer = on_patience});
    be_patient();
    loop_run(loop);
}

/// One end of a conversation: sends `to_send` numbered frames as there is room, checks the order of
/// what comes.
struct end {
    struct bus_socket *socket;
    struct bus_peer peer;
    bool has_peer, echoes;
    uint32_t to_send, sent, received, expected, connected, disconnected, refused;
    char user[CURVE_USER_MAX + 1];
    struct end *other;
};

static void pump(struct end *end) {
    while (end->has_peer && end->sent < end->to_send) {
        struct bytes frame = {(uint8_t *)&end->sent, sizeof end->sent};
        if (bus_send(end->socket, end->peer, frame)) return;
        end->sent++;
    }
}

static bool is_done(const struct end *end) {
    return end->sent == end->to_send && end->received == end->expected;
}

static void on_number(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct end *end = context;
    end->peer = peer;
    end->has_peer = true;
    cr_assert(eq(ptr, (void *)user, NULL));
    cr_assert(eq(sz, frame.size, sizeof end->received));
    cr_assert(eq(int, memcmp(frame.data, &end->received, frame.size), 0));
    if (++end->received % 1024 == 0) be_patient(); // many take long, but something happens
    pump(end);
    if (is_done(end) && is_done(end->other)) loop_stop(loop);
}

static void on_connected(void *context) {
    struct end *end = context;
    end->connected++;
    end->has_peer = true;
    pump(end);
}

static void on_disconnected(void *context) {
    ((struct end *)context)->disconnected++;
    loop_stop(loop);
}

static void on_refused(void *context, const struct bus_refusal *refusal) {
    struct end *end = context;
    if (refusal->kind != BUS_REFUSED_FRAME) return;
    end->refused++;
    cr_assert(eq(str, (char *)refusal->address, "127.0.0.1"));
}

static void on_turn(void *context) {
    struct end *ends = context;
    pump(&ends[0]);
    pump(&ends[1]);
    if (is_done(&ends[0]) && is_done(&ends[1])) loop_stop(loop);
}

static const struct bus_handlers *handlers_of(struct end *end) {
    static struct bus_handlers handlers;
    handlers = (struct bus_handlers){.context = end,
                                     .message = on_number,
                                     .connected = on_connected,
                                     .disconnected = on_disconnected,
                                     .refused = on_refused};
    return &handlers;
}

static void open_pair(struct end ends[2], const char *endpoint) {
    struct bus_settings settings = bus_settings_default();
    struct problem problem;
    ends[0].other = &ends[1];
    ends[1].other = &ends[0];
    cr_assert(eq(int,
                 bus_bind(bus, endpoint, &insecure, &settings, handlers_of(&ends[0]),
                          &ends[0].socket, &problem),
                 ERR_NONE),
              "%s", problem.text);
    cr_assert(eq(int,
                 bus_connect(bus, bus_socket_endpoint(ends[0].socket), &insecure, &settings,
                             handlers_of(&ends[1]), &ends[1].socket, &problem),
                 ERR_NONE),
              "%s", problem.text);
}

// ZMQ_FD is edge-triggered: a glue that misses one edge stands still here. Room for a full sender
// shows in no handler; the loop's turn must come by itself.
Test(bus, a_hundred_thousand_frames_both_ways_all_arrive_in_order) {
    const uint32_t count = getenv("TRESEN_LONG") ? 1000000 : 100000;
    struct end ends[2] = {{.to_send = count, .expected = count},
                          {.to_send = count, .expected = count}};
    open_pair(ends, "tcp://127.0.0.1:*");
    loop_handle(loop,
                &(struct loop_handlers){.context = ends, .timer = on_patience, .turn = on_turn});
    be_patient();
    loop_run(loop);

    for (int i = 0; i < 2; i++) {
        cr_assert(eq(u32, ends[i].received, count));
        cr_assert(eq(u64, bus_socket_counts(ends[i].socket).received, count));
        cr_assert(eq(u64, bus_socket_counts(ends[i].socket).sent, count));
    }
    cr_assert(eq(u32, ends[1].connected, 1));
}

// What ZeroMQ's defaults would do: wait for ever at the end, queue for nobody, drop silently.
Test(bus, every_option_is_set) {
    struct bus_settings settings = {.linger_ms = 7,
                                    .high_water = 11,
                                    .heartbeat_ms = 1300,
                                    .handshake_ms = 1700,
                                    .reconnect_ms = 190,
                                    .reconnect_max_ms = 2300};
    const struct {
        int option, value;
    } both[] = {{ZMQ_LINGER, 7},
                {ZMQ_SNDHWM, 11},
                {ZMQ_RCVHWM, 11},
                {ZMQ_HEARTBEAT_TTL, 0},
                {ZMQ_HANDSHAKE_IVL, 1700},
                {ZMQ_RECONNECT_IVL, 190},
                {ZMQ_RECONNECT_IVL_MAX, 2300},
                {ZMQ_TCP_KEEPALIVE, 1},
                {ZMQ_TCP_KEEPALIVE_IDLE, 2},
                {ZMQ_TCP_KEEPALIVE_INTVL, 2},
                {ZMQ_TCP_KEEPALIVE_CNT, 3},
                {ZMQ_TCP_MAXRT, 3900},
                {ZMQ_MECHANISM, ZMQ_CURVE}};
    struct bus_security security = {0};
    struct bus_handlers handlers = {.message = on_number};
    struct bus_socket *sockets[2];
    struct problem problem;
    cr_assert(eq(int, curve_pair_new(&security.server_key, &security.secret_key), ERR_NONE));
    cr_assert(eq(int,
                 bus_bind(bus, "tcp://127.0.0.1:*", &security, &settings, &handlers, &sockets[0],
                          &problem),
                 ERR_NONE),
              "%s", problem.text);
    cr_assert(eq(int,
                 bus_connect(bus, bus_socket_endpoint(sockets[0]), &security, &settings, &handlers,
                             &sockets[1], &problem),
                 ERR_NONE),
              "%s", problem.text);

    for (int i = 0; i < 2; i++) {
        int value;
        size_t size = sizeof value;
        for (size_t j = 0; j < sizeof both / sizeof *both; j++) {
            cr_assert(eq(int, zmq_getsockopt(sockets[i]->zmq, both[j].option, &value, &size), 0));
            cr_assert(eq(int, value, both[j].value), "option %d", both[j].option);
        }
        int64_t frame_max;
        size_t frame_max_size = sizeof frame_max;
        cr_assert(eq(
            int, zmq_getsockopt(sockets[i]->zmq, ZMQ_MAXMSGSIZE, &frame_max, &frame_max_size), 0));
        cr_assert(eq(i64, frame_max, 256 * 1024 + 33));
    }
    int value;
    size_t size = sizeof value;
    cr_assert(eq(int, zmq_getsockopt(sockets[0]->zmq, ZMQ_BACKLOG, &value, &size), 0));
    cr_assert(eq(int, value, 1024));
    cr_assert(eq(int, zmq_getsockopt(sockets[0]->zmq, 93, &value, &size), 0)); // enforce domain
    cr_assert(eq(int, value, 1));
    cr_assert(eq(int, zmq_getsockopt(sockets[1]->zmq, ZMQ_IMMEDIATE, &value, &size), 0));
    cr_assert(eq(int, value, 1));
    // The walk over all timers that a heartbeat costs is paid by who has one connection.
    const int heartbeats_ms[2] = {0, 1300};
    for (int i = 0; i < 2; i++) {
        cr_assert(eq(int, zmq_getsockopt(sockets[i]->zmq, ZMQ_HEARTBEAT_IVL, &value, &size), 0));
        cr_assert(eq(int, value, heartbeats_ms[i]));
    }
    char domain[64];
    size = sizeof domain;
    cr_assert(eq(int, zmq_getsockopt(sockets[0]->zmq, ZMQ_ZAP_DOMAIN, domain, &size), 0));
    cr_assert(gt(sz, strlen(domain), 0));
    // ROUTER_MANDATORY and ROUTER_HANDOVER cannot be read: the next test shows the first.
}

Test(bus, a_frame_for_nobody_is_missing_or_again_never_success) {
    struct end ends[2] = {{.to_send = 0}, {.to_send = 1}};
    struct bytes frame = bytes_of_text("x");
    struct bus_socket *alone;
    struct bus_settings settings = bus_settings_default();
    struct problem problem;
    open_pair(ends, "tcp://127.0.0.1:*");
    cr_assert(eq(int, bus_send(ends[0].socket, (struct bus_peer){123}, frame), ERR_MISSING));
    cr_assert(eq(int,
                 bus_connect(bus, "tcp://127.0.0.1:1", &insecure, &settings, handlers_of(&ends[1]),
                             &alone, &problem),
                 ERR_NONE));
    cr_assert(eq(int, bus_send(alone, BUS_BROKER, frame), ERR_AGAIN));
    cr_assert(eq(u64, bus_socket_counts(ends[0].socket).no_peer, 1));
    cr_assert(eq(u64, bus_socket_counts(alone).full, 1));
}

/// A peer that reads nothing.
Test(bus, a_full_peer_is_again_and_memory_stays_bounded) {
    struct end ends[2] = {{.to_send = 0, .expected = 1}, {.to_send = 1}};
    open_pair(ends, own_ipc());
    run();
    static uint8_t frame[64 * 1024];
    size_t sent = 0;
    while (!bus_send(ends[0].socket, ends[0].peer, (struct bytes){frame, sizeof frame}))
        cr_assert(lt(sz, sent++, 10000));
    cr_assert(ge(sz, sent, 1));
}

Test(bus, plain_sockets_are_for_ipc_only_unless_insecure_is_set) {
    struct end end = {0};
    struct bus_socket *socket;
    struct bus_settings settings = bus_settings_default();
    struct bus_security none = {0};
    struct problem problem;
    cr_assert(eq(
        int,
        bus_bind(bus, "tcp://127.0.0.1:*", &none, &settings, handlers_of(&end), &socket, &problem),
        ERR_REFUSED));
    cr_assert(ne(ptr, strstr(problem.text, "tcp://127.0.0.1:*"), NULL));
    cr_assert(eq(int,
                 bus_connect(bus, "tcp://127.0.0.1:1", &none, &settings, handlers_of(&end), &socket,
                             &problem),
                 ERR_REFUSED));
    cr_assert(eq(int,
                 bus_bind(bus, own_ipc(), &none, &settings, handlers_of(&end), &socket, &problem),
                 ERR_NONE));
}

Test(bus, what_cannot_be_bound_is_a_problem_that_names_it) {
    struct end end = {0};
    struct bus_socket *first, *second;
    struct bus_settings settings = bus_settings_default();
    struct problem problem;
    const char *nonsense[] = {"nonsense", "tcp://", "udp://127.0.0.1:1", ""};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        cr_assert(ne(
            int,
            bus_bind(bus, nonsense[i], &insecure, &settings, handlers_of(&end), &first, &problem),
            ERR_NONE));
    cr_assert(eq(int,
                 bus_bind(bus, "tcp://127.0.0.1:*", &insecure, &settings, handlers_of(&end), &first,
                          &problem),
                 ERR_NONE));
    cr_assert(eq(int,
                 bus_bind(bus, bus_socket_endpoint(first), &insecure, &settings, handlers_of(&end),
                          &second, &problem),
                 ERR_IO));
    cr_assert(ne(ptr, strstr(problem.text, bus_socket_endpoint(first)), NULL));
}

// Only a frame with nothing around it is a message; only a routing id that ROUTER made is a peer.
Test(bus, multipart_messages_and_self_named_peers_are_dropped_and_counted) {
    struct end ends[2] = {{.expected = 1}, {.to_send = 0}};
    open_pair(ends, "tcp://127.0.0.1:*");
    const char *endpoint = bus_socket_endpoint(ends[0].socket);
    uint32_t zero = 0;
    void *squatter = zmq_socket(bus->context, ZMQ_DEALER);
    zmq_setsockopt(squatter, ZMQ_ROUTING_ID, "gw-A", 4);
    zmq_connect(squatter, endpoint);
    zmq_send(squatter, "a", 1, 0);
    zmq_send(squatter, "b", 1, ZMQ_SNDMORE);
    zmq_send(squatter, "c", 1, 0);

    void *many = zmq_socket(bus->context, ZMQ_DEALER);
    zmq_connect(many, endpoint);
    zmq_send(many, "a", 1, ZMQ_SNDMORE);
    zmq_send(many, "b", 1, ZMQ_SNDMORE);
    zmq_send(many, "c", 1, 0);
    zmq_send(many, &zero, sizeof zero, 0);

    loop_handle(loop, &(struct loop_handlers){.timer = on_patience});
    loop_timer_set(loop, clock_monotonic_ms() + PATIENCE_MS);
    while (bus_socket_counts(ends[0].socket).self_named < 2 || !is_done(&ends[0]))
        uv_run(loop_uv(loop), UV_RUN_ONCE);
    cr_assert(eq(u64, bus_socket_counts(ends[0].socket).multipart, 1));
    cr_assert(eq(u64, bus_socket_counts(ends[0].socket).received, 1));
    cr_assert(eq(u32, ends[0].refused, 3)); // whoever writes such a gateway must be able to see it
    zmq_setsockopt(squatter, ZMQ_LINGER, &(int){0}, sizeof(int));
    zmq_setsockopt(many, ZMQ_LINGER, &(int){0}, sizeof(int));
    zmq_close(squatter);
    zmq_close(many);
}

// Silence and loss look alike to a gateway; it must hear of the loss.
Test(bus, a_connecting_socket_hears_of_loss_and_connects_again) {
    struct end ends[2] = {{.expected = 1}, {.to_send = 1}};
    open_pair(ends, own_ipc());
    run();
    cr_assert(eq(u32, ends[1].connected, 1));
    bus_close(ends[0].socket);
    run();
    cr_assert(eq(u32, ends[1].disconnected, 1));

    struct bus_settings settings = bus_settings_default();
    struct problem problem;
    ends[0].received = 0, ends[1].sent = 0;
    cr_assert(eq(int,
                 bus_bind(bus, own_ipc(), &insecure, &settings, handlers_of(&ends[0]),
                          &ends[0].socket, &problem),
                 ERR_NONE),
              "%s", problem.text);
    run();
    cr_assert(eq(u32, ends[1].connected, 2));
}

static void on_last(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    (void)peer, (void)user, (void)frame;
    struct end *end = context;
    bus_close(end->socket);
    end->socket = NULL;
    end->received++;
    loop_stop(loop);
}

Test(bus, a_handler_may_close_its_socket) {
    struct end ends[2] = {{.expected = 1}, {.to_send = 5}};
    struct bus_settings settings = bus_settings_default();
    struct bus_handlers handlers = {.context = &ends[0], .message = on_last};
    struct problem problem;
    ends[1].other = &ends[0];
    cr_assert(eq(
        int, bus_bind(bus, own_ipc(), &insecure, &settings, &handlers, &ends[0].socket, &problem),
        ERR_NONE));
    cr_assert(eq(int,
                 bus_connect(bus, own_ipc(), &insecure, &settings, handlers_of(&ends[1]),
                             &ends[1].socket, &problem),
                 ERR_NONE));
    run();
    cr_assert(eq(u32, ends[0].received, 1));
}
