#include "common/io/bus.h"

#include "common/io/bus_socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { NUMBER_SIZE = 5 }; // a routing id made by ROUTER: a zero byte, then its number

enum err bus_new(struct loop *loop, struct bus **bus_out) {
    struct bus *bus = calloc(1, sizeof *bus);
    if (!bus) return ERR_NOMEM;
    bus->loop = loop;
    bus->context = zmq_ctx_new();
    if (!bus->context) {
        free(bus);
        return ERR_IO; // no descriptors left
    }
    *bus_out = bus;
    return ERR_NONE;
}

void bus_expect(struct bus *bus, size_t connecting) {
    enum { OTHERS = 64 };
    size_t most = (size_t)zmq_ctx_get(bus->context, ZMQ_SOCKET_LIMIT);
    size_t wanted = 3 * connecting + OTHERS; // each is watched by a pair of sockets
    int current = zmq_ctx_get(bus->context, ZMQ_MAX_SOCKETS);
    if (wanted > (size_t)current)
        (void)zmq_ctx_set(bus->context, ZMQ_MAX_SOCKETS, (int)(wanted < most ? wanted : most));
}

void bus_free(struct bus *bus) {
    if (!bus) return;
    while (bus->sockets)
        bus_close(bus->sockets);
    curve_door_close(bus);
    while (zmq_ctx_term(bus->context) && errno == EINTR) {
    }
    free(bus);
}

/// The routing id in front of each message that a ROUTER receives.
enum head { HEAD_NONE, HEAD_PEER, HEAD_SELF_NAMED };
static enum head take_head(void *zmq, struct bus_peer *peer) {
    uint8_t id[NUMBER_SIZE];
    int size = zmq_recv(zmq, id, sizeof id, ZMQ_DONTWAIT);
    if (size < 0) return HEAD_NONE;
    if (size != NUMBER_SIZE || id[0] != 0) return HEAD_SELF_NAMED; // ids chosen by a peer never
    memcpy(&peer->number, id + 1, sizeof peer->number);            // begin with a zero byte
    peer->number = ntohl(peer->number);
    return HEAD_PEER;
}

/// The first frame behind the routing id; *more: others followed, and are gone.
static bool take_frame(void *zmq, zmq_msg_t *frame, bool *more) {
    if (zmq_msg_recv(frame, zmq, ZMQ_DONTWAIT) < 0) return false;
    *more = zmq_msg_more(frame);
    char nothing;
    int rest = *more;
    size_t size = sizeof rest;
    while (rest && zmq_recv(zmq, &nothing, 0, ZMQ_DONTWAIT) >= 0)
        zmq_getsockopt(zmq, ZMQ_RCVMORE, &rest, &size);
    return true;
}

/// The sender's name, a copy: the handler may replace the table that it stands in.
struct user {
    const char *name; // NULL: nobody
    char copy[CURVE_USER_MAX + 1];
};

/// Whether the frame may be delivered; on CURVE servers *user is then the sender's name. The
/// property must be read from this frame: ROUTER loses it on the routing id.
static bool find_user(const struct bus_socket *socket, zmq_msg_t *frame, struct user *user) {
    user->name = NULL;
    if (!socket->curve || !socket->binds) return true;
    const char *key = zmq_msg_gets(frame, "User-Id");
    const char *name = key ? curve_user_name(socket->bus, key) : NULL;
    if (name) user->name = strcpy(user->copy, name);
    return name;
}

static void drop(struct bus_socket *socket, zmq_msg_t *frame, uint64_t *count, const char *reason) {
    const char *address = zmq_msg_gets(frame, "Peer-Address");
    struct bus_refusal refusal = {.kind = BUS_REFUSED_FRAME,
                                  .address = address ? address : "",
                                  .reason = reason,
                                  .key = socket->curve ? zmq_msg_gets(frame, "User-Id") : NULL};
    ++*count;
    if (socket->handlers.refused) socket->handlers.refused(socket->handlers.context, &refusal);
}

static bool take_message(void *context) {
    struct bus_socket *socket = context;
    struct bus_counts *counts = &socket->counts;
    struct bus_peer peer = BUS_BROKER;
    enum head head = socket->binds ? take_head(socket->zmq, &peer) : HEAD_PEER;
    if (head == HEAD_NONE) return false;

    zmq_msg_t frame;
    zmq_msg_init(&frame);
    struct user user;
    bool more, taken = take_frame(socket->zmq, &frame, &more);
    if (!taken) {
        // None there.
    } else if (head == HEAD_SELF_NAMED) {
        drop(socket, &frame, &counts->self_named, "the peer sets its own routing id");
    } else if (more) {
        drop(socket, &frame, &counts->multipart, "a message of more than one frame");
    } else if (!find_user(socket, &frame, &user)) {
        drop(socket, &frame, &counts->unknown_user, "a frame of a key that is no longer known");
    } else {
        counts->received++;
        struct bytes bytes = {zmq_msg_data(&frame), zmq_msg_size(&frame)};
        socket->handlers.message(socket->handlers.context, peer, user.name, bytes);
    }
    zmq_msg_close(&frame); // a handler may have closed the socket by now
    return taken;
}

static int send_frame(struct bus_socket *socket, struct bus_peer peer, zmq_msg_t *frame) {
    if (socket->binds) {
        uint32_t number = htonl(peer.number);
        uint8_t id[NUMBER_SIZE] = {0};
        memcpy(id + 1, &number, sizeof number);
        if (zmq_send(socket->zmq, id, sizeof id, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) return -1;
    }
    return zmq_msg_send(frame, socket->zmq, ZMQ_DONTWAIT);
}

/// Takes the frame over on success only.
static enum err send_message(struct bus_socket *socket, struct bus_peer peer, zmq_msg_t *frame) {
    int sent = send_frame(socket, peer, frame);
    if (sent < 0 && errno == EAGAIN) {
        glue_events(socket->zmq); // room may have been made already: ZeroMQ looks only now and then
        sent = send_frame(socket, peer, frame);
    }
    int error = errno;
    glue_touched(socket->glue);
    if (sent >= 0) {
        socket->counts.sent++;
        return ERR_NONE;
    }
    if (error == EHOSTUNREACH) {
        socket->counts.no_peer++;
        return ERR_MISSING;
    }
    socket->counts.full++;
    return ERR_AGAIN;
}

enum err bus_send(struct bus_socket *socket, struct bus_peer peer, struct bytes bytes) {
    assert(bytes.size <= BUS_FRAME_MAX);
    zmq_msg_t frame;
    if (zmq_msg_init_size(&frame, bytes.size)) return ERR_NOMEM;
    if (bytes.size > 0) memcpy(zmq_msg_data(&frame), bytes.data, bytes.size);
    enum err err = send_message(socket, peer, &frame);
    if (err) zmq_msg_close(&frame);
    return err;
}

/// Whether this socket may be made at all.
static enum err check(const char *endpoint, const struct bus_security *security, bool binds,
                      struct problem *problem) {
    bool plain = !security->secret_key.text[0];
    bool local = !strncmp(endpoint, "ipc://", strlen("ipc://"));
    if (plain && !local && !security->insecure)
        return problem_set(problem, ERR_REFUSED,
                           "%s: without a key only ipc:// is allowed; give a key, or set insecure: "
                           "true where nobody else can reach it",
                           endpoint);
    if (!plain && !binds && !security->server_key.text[0])
        return problem_set(problem, ERR_REFUSED, "%s: the server's public key is missing",
                           endpoint);
    return ERR_NONE;
}

/// Bind or connect, with everything around it.
static enum err start(struct bus_socket *socket, const char *endpoint,
                      const struct bus_security *security, const struct bus_settings *settings,
                      struct problem *problem) {
    if (bus_options_set(socket->zmq, socket->binds, settings))
        return problem_set(problem, ERR_RANGE, "%s: ZeroMQ refuses a socket option: %s", endpoint,
                           zmq_strerror(errno));
    if (socket->curve && curve_socket_set(socket, security))
        return problem_set(problem, ERR_FORMAT, "%s: a key is not a CURVE key", endpoint);
    if (socket->curve && socket->binds && curve_door_open(socket->bus))
        return problem_set(problem, ERR_IO, "%s: cannot answer ZAP requests: %s", endpoint,
                           zmq_strerror(errno));
    if (bus_monitor_open(socket))
        return problem_set(problem, ERR_IO, "%s: cannot watch the socket: %s", endpoint,
                           zmq_strerror(errno));
    if (!socket->binds && bus_again_open(socket, endpoint, settings))
        return problem_set(problem, ERR_NOMEM, "%s: out of memory", endpoint);
    if (socket->binds ? zmq_bind(socket->zmq, endpoint) : zmq_connect(socket->zmq, endpoint)) {
        bool malformed = errno == EINVAL || errno == EPROTONOSUPPORT || errno == ENOCOMPATPROTO;
        return problem_set(problem, malformed ? ERR_FORMAT : ERR_IO, "%s: cannot %s: %s", endpoint,
                           socket->binds ? "bind" : "connect", zmq_strerror(errno));
    }
    size_t size = sizeof socket->endpoint;
    zmq_getsockopt(socket->zmq, ZMQ_LAST_ENDPOINT, socket->endpoint, &size);
    if (socket->curve && socket->binds) {
        enum err err = curve_self_test(socket, security, settings->handshake_ms);
        if (err)
            return problem_set(problem, err,
                               err == ERR_REFUSED
                                   ? "%s: lets unknown keys in; is another libzmq installed?"
                                   : "%s: did not refuse an unknown key in time",
                               endpoint);
    }
    return glue_new(loop_uv(socket->bus->loop), socket->zmq, take_message, socket, &socket->glue);
}

static enum err open_socket(struct bus *bus, bool binds, const char *endpoint,
                            const struct bus_security *security,
                            const struct bus_settings *settings,
                            const struct bus_handlers *handlers, struct bus_socket **socket_out,
                            struct problem *problem) {
    enum err err = check(endpoint, security, binds, problem);
    if (err) return err;
    struct bus_socket *socket = calloc(1, sizeof *socket);
    if (!socket) return problem_set(problem, ERR_NOMEM, "%s: out of memory", endpoint);
    *socket = (struct bus_socket){.bus = bus,
                                  .next = bus->sockets,
                                  .handlers = *handlers,
                                  .binds = binds,
                                  .curve = security->secret_key.text[0]};
    snprintf(socket->domain, sizeof socket->domain, "tresen.%u", bus->serial++);
    bus->sockets = socket;
    socket->zmq = zmq_socket(bus->context, binds ? ZMQ_ROUTER : ZMQ_DEALER);
    err = socket->zmq
              ? start(socket, endpoint, security, settings, problem)
              : problem_set(problem, ERR_IO, "%s: no socket: %s", endpoint, zmq_strerror(errno));
    if (err) {
        bus_close(socket);
        return err;
    }
    *socket_out = socket;
    return ERR_NONE;
}

enum err bus_bind(struct bus *bus, const char *endpoint, const struct bus_security *security,
                  const struct bus_settings *settings, const struct bus_handlers *handlers,
                  struct bus_socket **socket, struct problem *problem) {
    return open_socket(bus, true, endpoint, security, settings, handlers, socket, problem);
}

enum err bus_connect(struct bus *bus, const char *endpoint, const struct bus_security *security,
                     const struct bus_settings *settings, const struct bus_handlers *handlers,
                     struct bus_socket **socket, struct problem *problem) {
    return open_socket(bus, false, endpoint, security, settings, handlers, socket, problem);
}

void bus_close(struct bus_socket *socket) {
    if (!socket) return;
    struct bus_socket **at = &socket->bus->sockets;
    while (*at != socket)
        at = &(*at)->next;
    *at = socket->next;
    bus_monitor_close(socket);
    bus_again_close(socket->again);
    glue_free(socket->glue);
    if (socket->zmq) zmq_close(socket->zmq);
    free(socket);
}

void bus_linger(struct bus_socket *socket, uint32_t linger_ms) {
    int linger = (int)linger_ms;
    zmq_setsockopt(socket->zmq, ZMQ_LINGER, &linger, sizeof linger);
}

struct bus_counts bus_socket_counts(const struct bus_socket *socket) {
    return socket->counts;
}

const char *bus_socket_endpoint(const struct bus_socket *socket) {
    return socket->endpoint;
}
