// What ZeroMQ's own thread tells about connections: who came, who went, whose handshake failed.

#include "common/io/bus_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

enum {
    FAILURES = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
    EVENTS = FAILURES | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED,
    WAITING_MAX = 4096, // events; beyond it ZeroMQ's thread waits for us
    DESCRIPTORS_MAX = 65536,
};

void *bus_monitor_pair(struct bus *bus, void *zmq) {
    char endpoint[64];
    const int zero = 0, waiting = WAITING_MAX;
    snprintf(endpoint, sizeof endpoint, "inproc://monitor.%u", bus->serial++);
    if (zmq_socket_monitor(zmq, endpoint, EVENTS)) return NULL;
    void *pair = zmq_socket(bus->context, ZMQ_PAIR);
    if (pair && !zmq_setsockopt(pair, ZMQ_LINGER, &zero, sizeof zero) &&
        !zmq_setsockopt(pair, ZMQ_RCVHWM, &waiting, sizeof waiting) && !zmq_connect(pair, endpoint))
        return pair;
    if (pair) zmq_close(pair);
    zmq_socket_monitor(zmq, NULL, 0);
    return NULL;
}

bool bus_monitor_receive(void *pair, uint16_t *event, uint32_t *value, char *address, size_t size) {
    uint8_t head[6]; // u16 event, u32 value, in the machine's order
    if (zmq_recv(pair, head, sizeof head, ZMQ_DONTWAIT) != sizeof head) return false;
    memcpy(event, head, sizeof *event);
    memcpy(value, head + sizeof *event, sizeof *value);
    int length = zmq_recv(pair, address, size - 1, ZMQ_DONTWAIT);
    address[length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1] = '\0';
    return true;
}

void bus_refused(struct bus_socket *socket, const struct bus_refusal *refusal) {
    uint64_t *counts[] = {[BUS_REFUSED_KEY] = &socket->counts.refused_key,
                          [BUS_REFUSED_PROTOCOL] = &socket->counts.refused_protocol,
                          [BUS_REFUSED_OTHER] = &socket->counts.refused_other};
    ++*counts[refusal->kind];
    if (socket->handlers.refused) socket->handlers.refused(socket->handlers.context, refusal);
}

static const char *protocol_reason(uint32_t code) {
    switch (code) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return "other security mechanism";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
        return "encrypted for another key";
    case ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE:
        return "key exchange failed";
    case ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA:
        return "invalid metadata";
    case ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND:
        return "unexpected command";
    case ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE:
        return "commands out of sequence";
    default:
        return code >= ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED ? "malformed ZAP reply"
                                                          : "malformed handshake";
    }
}

static struct bus_refusal refusal_of(uint16_t event, uint32_t value) {
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return (struct bus_refusal){.kind = BUS_REFUSED_KEY, .reason = "key unknown to the server"};
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
        return (struct bus_refusal){.kind = BUS_REFUSED_PROTOCOL, .reason = protocol_reason(value)};
    return (struct bus_refusal){.kind = BUS_REFUSED_OTHER,
                                .reason = value == EPIPE || value == ECONNRESET
                                              ? "closed during the handshake"
                                              : "no handshake in time"};
}

/// Remember who is behind a descriptor that was just accepted. On a fast network it may be gone
/// already, or rarely be another's: good enough for a log line.
static void remember(struct bus_monitor *monitor, uint32_t fd) {
    if (fd >= DESCRIPTORS_MAX) return;
    if (fd >= monitor->address_count) {
        size_t count = fd + 64;
        struct bus_address *grown = realloc(monitor->addresses, count * sizeof *grown);
        if (!grown) return;
        memset(grown + monitor->address_count, 0, (count - monitor->address_count) * sizeof *grown);
        monitor->addresses = grown;
        monitor->address_count = count;
    }
    char *text = monitor->addresses[fd].text;
    text[0] = '\0';
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage storage;
    } peer;
    socklen_t size = sizeof peer;
    char host[INET6_ADDRSTRLEN];
    if (getpeername((int)fd, &peer.any, &size)) return;
    if (peer.any.sa_family == AF_INET && inet_ntop(AF_INET, &peer.v4.sin_addr, host, sizeof host))
        snprintf(text, sizeof monitor->addresses[fd].text, "tcp://%s:%u", host,
                 ntohs(peer.v4.sin_port));
    if (peer.any.sa_family == AF_INET6 &&
        inet_ntop(AF_INET6, &peer.v6.sin6_addr, host, sizeof host))
        snprintf(text, sizeof monitor->addresses[fd].text, "tcp://[%s]:%u", host,
                 ntohs(peer.v6.sin6_port));
}

/// On a bound socket. The failure and the end of a connection come from one engine, one directly
/// after the other (we have one ZeroMQ thread), and only the end names the descriptor.
static void on_server_event(struct bus_socket *socket, uint16_t event, uint32_t value) {
    struct bus_monitor *monitor = &socket->monitor;
    if (event == ZMQ_EVENT_ACCEPTED) remember(monitor, value);
    if (event & FAILURES) {
        monitor->failing = event != ZMQ_EVENT_HANDSHAKE_FAILED_AUTH; // the door told that already
        monitor->failure = refusal_of(event, value);
    }
    if (event != ZMQ_EVENT_DISCONNECTED || !monitor->failing) return;
    monitor->failing = false;
    monitor->failure.address = value < monitor->address_count ? monitor->addresses[value].text : "";
    bus_refused(socket, &monitor->failure);
}

static void on_client_event(struct bus_socket *socket, uint16_t event, uint32_t value,
                            const char *address) {
    const struct bus_handlers *handlers = &socket->handlers;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        socket->connected = true;
        bus_again_connected(socket->again);
        if (handlers->connected) handlers->connected(handlers->context);
    } else if (event == ZMQ_EVENT_DISCONNECTED && socket->connected) {
        socket->connected = false;
        if (handlers->disconnected) handlers->disconnected(handlers->context);
    } else if (event & FAILURES) {
        struct bus_refusal refusal = refusal_of(event, value);
        refusal.address = address;
        bus_again_refused(socket->again);
        bus_refused(socket, &refusal);
    }
}

static bool take_event(void *context) {
    struct bus_socket *socket = context;
    uint16_t event;
    uint32_t value;
    char address[256];
    if (!bus_monitor_receive(socket->monitor.zmq, &event, &value, address, sizeof address))
        return false;
    if (socket->binds)
        on_server_event(socket, event, value);
    else
        on_client_event(socket, event, value, address);
    return true;
}

enum err bus_monitor_open(struct bus_socket *socket) {
    socket->monitor.zmq = bus_monitor_pair(socket->bus, socket->zmq);
    if (!socket->monitor.zmq) return ERR_IO;
    return glue_new(loop_uv(socket->bus->loop), socket->monitor.zmq, take_event, socket,
                    &socket->monitor.glue);
}

void bus_monitor_close(struct bus_socket *socket) {
    glue_free(socket->monitor.glue);
    if (socket->monitor.zmq) {
        zmq_socket_monitor(socket->zmq, NULL, 0);
        zmq_close(socket->monitor.zmq);
    }
    free(socket->monitor.addresses);
}
