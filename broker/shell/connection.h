#pragma once
// Who speaks for a name, and what has been gathered for it. The newest connection does: a process
// that was started again takes over at once, and of two processes that share a name by mistake the
// older one is refused, instead of both taking turns. It may speak again when the newer one has
// been silent for long: whoever ends a mistaken process must not have to restart the right one.

#include "common/io/bus.h"
#include "common/wire/message.h"

enum { CONNECTION_FORMERS = 8, CONNECTION_SILENCE_MS = 60000 };

struct connection {
    bool known;                          // somebody has spoken
    bool reachable;                      // as far as sending has shown
    bool waiting;                        // stands in an outbox
    struct bus_peer peer;                // the newest
    uint32_t former[CONNECTION_FORMERS]; // numbers of those before
    uint32_t changes;                    // how often another took over
    uint64_t heard_ms;
    struct buffer out; // messages of this turn, to go in one frame
};

enum connection_news { CONNECTION_SAME, CONNECTION_NEW, CONNECTION_FORMER };

void connection_init(struct connection *connection);
void connection_fini(struct connection *connection);
/// A message came from peer. CONNECTION_FORMER: it has been replaced; nothing changed. now_ms never
/// goes back.
enum connection_news connection_heard(struct connection *connection, struct bus_peer peer,
                                      uint64_t now_ms);

/// Connections with something to send.
struct outbox {
    size_t count, capacity;
    struct connection **items;
};
MUST_CHECK enum err outbox_init(struct outbox *outbox, size_t capacity); // of all connections
void outbox_fini(struct outbox *outbox);

/// Gather a message; the connection is then in the outbox in any case. false: what was gathered
/// before filled the frame and could not be sent, or there is no memory: those messages are lost.
bool connection_gather(struct connection *connection, struct outbox *outbox,
                       struct bus_socket *socket, const struct message *message);
/// Send what was gathered. false: it is lost, the peer cannot be sent to.
bool connection_flush(struct connection *connection, struct bus_socket *socket);
