#pragma once
// What the files of the bus share. Inside common/io (and its tests) only.

#include "common/io/bus.h"
#include "common/io/glue.h"

/// Peers' addresses by descriptor: handshake failures name only the descriptor.
struct bus_monitor {
    void *zmq; // PAIR, the receiving end
    struct glue *glue;
    size_t address_count;
    struct bus_address {
        char text[64]; // empty: unknown
    } * addresses;
    bool failing; // a handshake failed; the event that names its descriptor follows at once
    struct bus_refusal failure;
};

struct bus_socket {
    struct bus *bus;
    struct bus_socket *next;
    void *zmq;
    struct glue *glue;
    struct bus_handlers handlers;
    struct bus_counts counts;
    struct bus_monitor monitor;
    struct bus_again *again; // connecting sockets only
    bool binds, curve, connected;
    char domain[24]; // ZAP domain: names this socket in the requests
    char endpoint[256];
};

/// The users of all bound sockets, and who answers for them.
struct curve_door {
    void *zmq; // REP, bound to inproc://zeromq.zap.01; NULL: no CURVE server yet
    struct glue *glue;
    struct curve_user *users; // sorted by key
    size_t user_count;
    struct curve_key probe; // of the self-test that is running; empty: none
};

struct bus {
    struct loop *loop;
    void *context;
    struct bus_socket *sockets;
    struct curve_door door;
    unsigned serial; // for names
};

MUST_CHECK enum err bus_options_set(void *zmq, bool binds, const struct bus_settings *settings);

/// Own keys, and for servers the domain that makes ZeroMQ ask our door.
MUST_CHECK enum err curve_socket_set(struct bus_socket *socket,
                                     const struct bus_security *security);
MUST_CHECK enum err curve_door_open(struct bus *bus); // once; later calls change nothing
void curve_door_close(struct bus *bus);
/// The present name behind a key (Z85 text); NULL: unknown.
const char *curve_user_name(const struct bus *bus, const char *key);
/// ERR_REFUSED: an unknown key got in; ERR_IO: no verdict within the handshake time.
MUST_CHECK enum err curve_self_test(struct bus_socket *socket, const struct bus_security *security,
                                    uint32_t wait_ms);

MUST_CHECK enum err bus_monitor_open(struct bus_socket *socket);
void bus_monitor_close(struct bus_socket *socket);
/// A PAIR that receives the events of a socket, not on any loop.
void *bus_monitor_pair(struct bus *bus, void *zmq);
/// The next event; false: none waits.
bool bus_monitor_receive(void *pair, uint16_t *event, uint32_t *value, char *address, size_t size);
void bus_refused(struct bus_socket *socket, const struct bus_refusal *refusal);

/// Connects again after a refused handshake.
MUST_CHECK enum err bus_again_open(struct bus_socket *socket, const char *endpoint,
                                   const struct bus_settings *settings);
void bus_again_refused(struct bus_again *again);
void bus_again_connected(struct bus_again *again);
void bus_again_close(struct bus_again *again); // accepts NULL
