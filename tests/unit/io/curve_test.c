#include "common/io/bus.h"

#include "common/io/bus_socket.h"
#include "common/io/clock.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <zmq.h>

enum { PATIENCE_MS = 20000 };

static struct loop *loop;
static struct bus *bus;
static struct bus_socket *server;
static struct bus_security server_security;
static struct curve_key server_key, gateway_key, gateway_secret, stranger_key, stranger_secret;

/// A socket that no bus made; it must not hold up the end.
static void *raw_socket(int type) {
    const int zero = 0;
    void *socket = zmq_socket(bus->context, type);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    return socket;
}

/// What the server saw.
static struct {
    uint32_t messages, refusals;
    size_t size;
    char user[CURVE_USER_MAX + 1];
    enum bus_refusal_kind kind;
    char address[128], reason[128], key[64];
} seen;

static void on_message(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    (void)context;
    seen.messages++;
    seen.size = frame.size;
    cr_assert(ne(ptr, (void *)user, NULL));
    snprintf(seen.user, sizeof seen.user, "%s", user);
    cr_assert(eq(int, bus_send(server, peer, bytes_of_text("welcome")), ERR_NONE));
    loop_stop(loop);
}

static void on_refused(void *context, const struct bus_refusal *refusal) {
    (void)context;
    seen.refusals++;
    seen.kind = refusal->kind;
    snprintf(seen.address, sizeof seen.address, "%s", refusal->address);
    snprintf(seen.reason, sizeof seen.reason, "%s", refusal->reason);
    snprintf(seen.key, sizeof seen.key, "%s", refusal->key ? refusal->key : "");
    loop_stop(loop);
}

static void on_patience(void *context) {
    (void)context;
    cr_fatal("nothing happened any more");
}

static void run(void) {
    loop_timer_set(loop, clock_monotonic_ms() + PATIENCE_MS);
    loop_run(loop);
}

static void know(const char *name) {
    struct curve_user user = {.key = gateway_key};
    struct problem problem;
    snprintf(user.name, sizeof user.name, "%s", name);
    cr_assert(eq(int, curve_users_set(bus, &user, 1, &problem), ERR_NONE));
}

static void open_server(void) {
    struct bus_settings settings = bus_settings_default();
    struct problem problem;
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    loop_handle(loop, &(struct loop_handlers){.timer = on_patience});
    cr_assert(eq(int, bus_new(loop, &bus), ERR_NONE));
    cr_assert(eq(int, curve_pair_new(&server_key, &server_security.secret_key), ERR_NONE));
    cr_assert(eq(int, curve_pair_new(&gateway_key, &gateway_secret), ERR_NONE));
    cr_assert(eq(int, curve_pair_new(&stranger_key, &stranger_secret), ERR_NONE));
    know("gateway.musterstadt.desk");
    cr_assert(eq(int,
                 bus_bind(bus, "tcp://127.0.0.1:*", &server_security, &settings,
                          &(struct bus_handlers){.message = on_message, .refused = on_refused},
                          &server, &problem),
                 ERR_NONE),
              "%s", problem.text);
    cr_assert(eq(u32, seen.refusals, 0)); // the self-test is not a stranger
}

static void close_server(void) {
    bus_free(bus);
    loop_free(loop);
}

TestSuite(curve, .init = open_server, .fini = close_server);

/// A client of ours that sends as soon as it can.
struct client {
    struct bus_socket *socket;
    uint32_t connected, answers, refusals;
    enum bus_refusal_kind kind;
    bool quiet;            // does not stop the loop
    struct bytes greeting; // empty: "hello"
};

static void on_answer(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    (void)peer;
    struct client *client = context;
    cr_assert(eq(ptr, (void *)user, NULL));
    cr_assert(bytes_equal(frame, bytes_of_text("welcome")));
    client->answers++;
    loop_stop(loop);
}

static void on_connected(void *context) {
    struct client *client = context;
    client->connected++;
    struct bytes greeting = client->greeting.size ? client->greeting : bytes_of_text("hello");
    cr_assert(eq(int, bus_send(client->socket, BUS_BROKER, greeting), ERR_NONE));
}

static void on_client_refused(void *context, const struct bus_refusal *refusal) {
    struct client *client = context;
    client->refusals++;
    client->kind = refusal->kind;
    if (!client->quiet) loop_stop(loop);
}

static void connect_with(struct client *client, const struct curve_key *secret_key,
                         const struct curve_key *to) {
    struct bus_settings settings = bus_settings_default();
    struct problem problem;
    settings.reconnect_ms = settings.reconnect_max_ms = 20;
    cr_assert(eq(int,
                 bus_connect(bus, bus_socket_endpoint(server),
                             &(struct bus_security){
                                 .insecure = true, .secret_key = *secret_key, .server_key = *to},
                             &settings,
                             &(struct bus_handlers){.context = client,
                                                    .message = on_answer,
                                                    .connected = on_connected,
                                                    .refused = on_client_refused},
                             &client->socket, &problem),
                 ERR_NONE),
              "%s", problem.text);
}

Test(curve, a_known_key_speaks_under_its_name_and_gets_answers) {
    struct client client = {0};
    connect_with(&client, &gateway_secret, &server_key);
    run();
    cr_assert(eq(u32, seen.messages, 1));
    cr_assert(eq(str, seen.user, "gateway.musterstadt.desk"));
    run();
    cr_assert(eq(u32, client.answers, 1));
    cr_assert(eq(u32, seen.refusals, 0));
}

// What CURVE wraps around a frame counts for the receiver's limit: a gateway whose frame was almost
// full was cut off, and again with the same frame after it had come back, for ever.
Test(curve, the_longest_frame_gets_through) {
    static uint8_t longest[BUS_FRAME_MAX];
    struct client client = {.greeting = {longest, sizeof longest}};
    connect_with(&client, &gateway_secret, &server_key);
    run();
    cr_assert(eq(u32, seen.messages, 1));
    cr_assert(eq(sz, seen.size, sizeof longest));
    cr_assert(eq(u32, client.connected, 1));
}

// Nothing of those who are refused may ever reach a decoder.
Test(curve, an_unknown_key_is_refused_and_named) {
    struct client client = {.quiet = true};
    connect_with(&client, &stranger_secret, &server_key);
    run();
    cr_assert(eq(int, seen.kind, BUS_REFUSED_KEY));
    cr_assert(eq(str, seen.key, stranger_key.text));
    cr_assert(eq(str, seen.address, "127.0.0.1"));
    cr_assert(eq(u64, bus_socket_counts(server).refused_key, seen.refusals));
    client.quiet = false;
    while (client.refusals == 0)
        run();
    cr_assert(eq(int, client.kind, BUS_REFUSED_KEY));
    cr_assert(eq(u32, client.connected, 0));
    cr_assert(eq(u32, seen.messages, 0));
}

// Keys are made known while programs run; ZeroMQ by itself never tries a second time.
Test(curve, who_was_refused_gets_in_once_its_key_is_known) {
    struct client client = {.quiet = true};
    connect_with(&client, &stranger_secret, &server_key);
    while (seen.refusals < 2)
        run();
    cr_assert(eq(u32, client.connected, 0));
    gateway_key = stranger_key;
    know("gateway.musterstadt.desk");
    while (client.answers == 0)
        run();
    cr_assert(eq(str, seen.user, "gateway.musterstadt.desk"));
}

static void is_refused_with(enum bus_refusal_kind kind) {
    run();
    cr_assert(eq(int, seen.kind, kind), "%s", seen.reason);
    // A connection may be gone before we can ask who it was.
    if (seen.address[0])
        cr_assert(eq(int, strncmp(seen.address, "tcp://127.0.0.1:", 16), 0), "%s", seen.address);
    cr_assert(eq(u32, seen.messages, 0));
    struct bus_counts counts = bus_socket_counts(server);
    cr_assert(eq(u64, kind == BUS_REFUSED_PROTOCOL ? counts.refused_protocol : counts.refused_other,
                 seen.refusals));
}

Test(curve, a_plain_client_is_refused) {
    struct client client = {.quiet = true};
    connect_with(&client, &(struct curve_key){0}, &(struct curve_key){0});
    is_refused_with(BUS_REFUSED_PROTOCOL);
    cr_assert(eq(str, seen.reason, "other security mechanism"));
    cr_assert(eq(u32, client.connected, 0));
}

Test(curve, a_client_with_user_and_password_is_refused) {
    void *client = raw_socket(ZMQ_DEALER);
    zmq_setsockopt(client, ZMQ_PLAIN_USERNAME, "admin", 5);
    zmq_setsockopt(client, ZMQ_PLAIN_PASSWORD, "admin", 5);
    zmq_connect(client, bus_socket_endpoint(server));
    zmq_send(client, "hello", 5, ZMQ_DONTWAIT);
    is_refused_with(BUS_REFUSED_PROTOCOL);
    zmq_close(client);
}

Test(curve, a_client_that_expects_another_server_is_refused) {
    struct client client = {.quiet = true};
    connect_with(&client, &gateway_secret, &stranger_key);
    is_refused_with(BUS_REFUSED_PROTOCOL);
    cr_assert(eq(str, seen.reason, "encrypted for another key"));
    cr_assert(eq(u32, client.connected, 0));
}

// It looks like ZMTP 1.0, which knows no keys. ZeroMQ ends it without an event.
Test(curve, garbage_is_hung_up_on) {
    void *client = raw_socket(ZMQ_STREAM);
    const int patience = PATIENCE_MS;
    char id[16], text[256];
    zmq_setsockopt(client, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_connect(client, bus_socket_endpoint(server));
    int size = zmq_recv(client, id, sizeof id, 0), length;
    cr_assert(eq(int, zmq_recv(client, text, sizeof text, 0), 0)); // connected
    zmq_send(client, id, (size_t)size, ZMQ_SNDMORE);
    zmq_send(client, "GET / HTTP/1.1\r\n\r\n", 18, 0);
    do { // the server's greeting, then the end
        cr_assert(eq(int, zmq_recv(client, id, sizeof id, 0), size));
        length = zmq_recv(client, text, sizeof text, 0);
    } while (length > 0);
    cr_assert(eq(int, length, 0));
    zmq_close(client);
    struct client known = {0};
    connect_with(&known, &gateway_secret, &server_key);
    run();
    cr_assert(eq(u32, seen.messages, 1));
}

// ZeroMQ asks for a key at the handshake only: without a look at each frame a stolen key would
// speak on until its connection ends.
Test(curve, a_key_taken_from_the_table_falls_silent_at_once) {
    struct client client = {.quiet = true};
    connect_with(&client, &gateway_secret, &server_key);
    run();
    cr_assert(eq(u32, seen.messages, 1));
    know("gateway.musterstadt.floor"); // renamed
    cr_assert(eq(int, bus_send(client.socket, BUS_BROKER, bytes_of_text("more")), ERR_NONE));
    while (seen.messages < 2)
        run();
    cr_assert(eq(str, seen.user, "gateway.musterstadt.floor"));

    cr_assert(eq(int, curve_users_set(bus, NULL, 0, NULL), ERR_NONE));
    cr_assert(eq(int, bus_send(client.socket, BUS_BROKER, bytes_of_text("more")), ERR_NONE));
    while (bus_socket_counts(server).unknown_user == 0)
        uv_run(loop_uv(loop), UV_RUN_ONCE);
    cr_assert(eq(u32, seen.messages, 2));
    cr_assert(eq(int, seen.kind, BUS_REFUSED_FRAME));
    cr_assert(eq(str, seen.key, gateway_key.text));
}

// What ZeroMQ does when nobody answers for the keys: nothing of ours may hang on it.
Test(curve, without_anybody_at_the_door_nobody_gets_in) {
    cr_assert(eq(int, zmq_unbind(bus->door.zmq, "inproc://zeromq.zap.01"), 0));
    cr_assert(eq(int, curve_self_test(server, &server_security, PATIENCE_MS), ERR_IO));
    struct client client = {0};
    connect_with(&client, &gateway_secret, &server_key);
    while (client.refusals < 2) // it tries again
        run();
    cr_assert(eq(u32, client.connected, 0));
    cr_assert(eq(u32, seen.messages, 0));
}

// libzmq's default lets everybody in then: the self-test is what would notice.
Test(curve, a_door_that_lets_strangers_in_is_noticed) {
    const int one = 1;
    struct bus_socket open = {.bus = bus};
    cr_assert(eq(int, zmq_unbind(bus->door.zmq, "inproc://zeromq.zap.01"), 0));
    open.zmq = raw_socket(ZMQ_ROUTER);
    zmq_setsockopt(open.zmq, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(open.zmq, ZMQ_CURVE_SECRETKEY, server_security.secret_key.text, 41);
    cr_assert(eq(int, zmq_bind(open.zmq, "tcp://127.0.0.1:*"), 0));
    size_t size = sizeof open.endpoint;
    cr_assert(eq(int, zmq_getsockopt(open.zmq, ZMQ_LAST_ENDPOINT, open.endpoint, &size), 0));
    cr_assert(eq(int, curve_self_test(&open, &server_security, PATIENCE_MS), ERR_REFUSED));
    zmq_close(open.zmq);
}

Test(curve, two_users_with_one_key_are_a_conflict_and_change_nothing) {
    struct curve_user users[2] = {{.key = stranger_key, .name = "worker.a"},
                                  {.key = stranger_key, .name = "worker.b"}};
    struct problem problem;
    cr_assert(eq(int, curve_users_set(bus, users, 2, &problem), ERR_CONFLICT));
    cr_assert(ne(ptr, strstr(problem.text, "worker.a"), NULL));
    cr_assert(ne(ptr, strstr(problem.text, "worker.b"), NULL));
    cr_assert(eq(str, (char *)curve_user_name(bus, gateway_key.text), "gateway.musterstadt.desk"));
}

Test(curve, only_forty_characters_of_z85_are_a_key) {
    struct curve_key key = {0}, derived;
    cr_assert(curve_key_set(&key, server_key.text, CURVE_KEY_LENGTH));
    cr_assert(not(curve_key_set(&key, server_key.text, CURVE_KEY_LENGTH - 1)));
    char text[] =
        "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"";
    cr_assert(not(curve_key_set(&key, text, CURVE_KEY_LENGTH)));
    cr_assert(eq(str, key.text, server_key.text));
    cr_assert(eq(int, curve_public_of(&server_security.secret_key, &derived), ERR_NONE));
    cr_assert(eq(str, derived.text, server_key.text));
}

Test(curve, a_socket_without_a_proper_key_is_refused) {
    struct bus_settings settings = bus_settings_default();
    struct bus_security security = {.secret_key = gateway_secret};
    struct bus_socket *socket;
    struct problem problem;
    cr_assert(eq(int,
                 bus_connect(bus, "tcp://127.0.0.1:1", &security, &settings,
                             &(struct bus_handlers){.message = on_answer}, &socket, &problem),
                 ERR_REFUSED));
    strcpy(security.secret_key.text, "nonsense");
    cr_assert(eq(int,
                 bus_bind(bus, "tcp://127.0.0.1:*", &security, &settings,
                          &(struct bus_handlers){.message = on_answer}, &socket, &problem),
                 ERR_FORMAT));
}
