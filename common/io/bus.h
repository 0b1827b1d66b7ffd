#pragma once
// ZeroMQ on libuv: ROUTER where we bind, DEALER where we connect; one frame is one message.
// One bus (one ZeroMQ context) a process.

#include "common/base/bytes.h"
#include "common/io/curve.h"
#include "common/io/loop.h"

struct bus;
struct bus_socket;

enum { BUS_FRAME_MAX = 256 * 1024 }; // a longer frame ends its sender's connection

/// A connection of a peer to a bound socket. A peer that connects again is another peer; never an
/// identity: that is the user. On connecting sockets there is one peer, BUS_BROKER.
struct bus_peer {
    uint32_t number;
};
#define BUS_BROKER ((struct bus_peer){0})

/// Plain sockets (no secret key) are allowed on ipc:// only, or where insecure is true.
struct bus_security {
    bool insecure;
    struct curve_key secret_key; // own
    struct curve_key server_key; // connecting: the broker's public key
};

struct bus_settings {
    uint32_t linger_ms;        // how long unsent frames outlive the socket
    uint32_t high_water;       // frames queued per peer and direction; roughly kept by ZeroMQ
    uint32_t heartbeat_ms;     // between heartbeats; a peer silent for three of them is gone; 0: none
    uint32_t handshake_ms;     // for a handshake
    uint32_t reconnect_ms;     // first pause before connecting again
    uint32_t reconnect_max_ms; // doubling up to this
};
struct bus_settings bus_settings_default(void); // 0, 256, 2000, 5000, 200, 10000

enum bus_refusal_kind {
    BUS_REFUSED_KEY,      // bound: unknown key. Connecting: the server does not know our key
    BUS_REFUSED_PROTOCOL, // not CURVE, another server key, garbage
    BUS_REFUSED_OTHER,    // closed or silent in the middle of the handshake
    BUS_REFUSED_FRAME,    // not a handshake: a frame was dropped; the counts say which way
};
struct bus_refusal {
    enum bus_refusal_kind kind;
    const char *address; // the peer's, as far as known: "tcp://192.0.2.7:4711", "192.0.2.7"
    const char *reason;  // a short text
    const char *key;     // the peer's, as Z85, on bound sockets where known; else NULL
};

/// Texts and frames are valid during the call only. All but message may be NULL. A handler may
/// send, set tables and close its socket.
struct bus_handlers {
    void *context;
    /// user: the authenticated name; NULL on plain and on connecting sockets.
    void (*message)(void *context, struct bus_peer peer, const char *user, struct bytes frame);
    void (*connected)(void *context);    // connecting sockets: handshake done, frames can be sent
    void (*disconnected)(void *context); // connecting sockets: will connect again by itself
    void (*refused)(void *context, const struct bus_refusal *refusal);
};

struct bus_counts {
    uint64_t received, sent; // frames
    uint64_t full, no_peer;  // sends that failed: ERR_AGAIN, ERR_MISSING
    uint64_t multipart;      // dropped: messages of more than one frame
    uint64_t unknown_user;   // dropped: no user, or its key is no longer in the table
    uint64_t self_named;     // dropped: the peer chose its routing id itself
    uint64_t refused_key, refused_protocol, refused_other; // handshakes
};

MUST_CHECK enum err bus_new(struct loop *loop, struct bus **bus);
/// Before the first socket: so many that connect; without it there is room for some 500.
void bus_expect(struct bus *bus, size_t connecting);
void bus_free(struct bus *bus); // closes its sockets, too; accepts NULL

/// ERR_REFUSED: plain where it may not be, or the self-test got in with an unknown key.
/// ERR_FORMAT: no such endpoint or key; ERR_IO: cannot bind. *problem names the endpoint.
/// On CURVE sockets it asks its own door with an unknown key and waits until that is refused.
MUST_CHECK enum err bus_bind(struct bus *bus, const char *endpoint,
                             const struct bus_security *security,
                             const struct bus_settings *settings,
                             const struct bus_handlers *handlers, struct bus_socket **socket,
                             struct problem *problem);
/// Connects in the background, and again whenever the connection is lost or refused.
MUST_CHECK enum err bus_connect(struct bus *bus, const char *endpoint,
                                const struct bus_security *security,
                                const struct bus_settings *settings,
                                const struct bus_handlers *handlers, struct bus_socket **socket,
                                struct problem *problem);
void bus_close(struct bus_socket *socket); // accepts NULL
/// From now on frames outlive the socket for so long; whoever frees the bus then waits for them.
void bus_linger(struct bus_socket *socket, uint32_t linger_ms);

/// Hand a frame to ZeroMQ; never waits. Success means nothing about its arrival.
/// The frame is copied: giving memory away costs more in growing the next buffer.
/// ERR_AGAIN: no room (or not connected); the loop wakes up when there is, so that its `turn` can
/// try again; ERR_MISSING: that peer is gone; ERR_NOMEM.
MUST_CHECK enum err bus_send(struct bus_socket *socket, struct bus_peer peer, struct bytes frame);
struct bus_counts bus_socket_counts(const struct bus_socket *socket);
/// Where it is really bound, e.g. after tcp://127.0.0.1:* ; valid until it is closed.
const char *bus_socket_endpoint(const struct bus_socket *socket);
