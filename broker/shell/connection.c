#include "broker/shell/connection.h"

#include <assert.h>
#include <stdlib.h>

void connection_init(struct connection *connection) {
    *connection = (struct connection){0};
    buffer_init(&connection->out, FRAME_MAX);
}

void connection_fini(struct connection *connection) {
    buffer_fini(&connection->out);
}

static bool is_former(const struct connection *connection, struct bus_peer peer) {
    uint32_t known = connection->changes < CONNECTION_FORMERS ? connection->changes
                                                              : (uint32_t)CONNECTION_FORMERS;
    for (uint32_t i = 0; i < known; i++)
        if (connection->former[i] == peer.number) return true;
    return false;
}

enum connection_news connection_heard(struct connection *connection, struct bus_peer peer,
                                      uint64_t now_ms) {
    enum connection_news news = CONNECTION_SAME;
    if (!connection->known || connection->peer.number != peer.number) {
        bool silent = now_ms - connection->heard_ms > CONNECTION_SILENCE_MS;
        if (!silent && is_former(connection, peer)) return CONNECTION_FORMER;
        if (connection->known)
            connection->former[connection->changes++ % CONNECTION_FORMERS] =
                connection->peer.number;
        buffer_clear(&connection->out); // was for the one before
        connection->peer = peer;
        news = CONNECTION_NEW;
    }
    connection->known = connection->reachable = true;
    connection->heard_ms = now_ms;
    return news;
}

enum err outbox_init(struct outbox *outbox, size_t capacity) {
    outbox->count = 0;
    outbox->capacity = capacity;
    outbox->items = calloc(capacity ? capacity : 1, sizeof(struct connection *));
    return outbox->items ? ERR_NONE : ERR_NOMEM;
}

void outbox_fini(struct outbox *outbox) {
    free(outbox->items);
}

bool connection_flush(struct connection *connection, struct bus_socket *socket) {
    if (connection->out.size == 0) return true;
    enum err err = bus_send(socket, connection->peer, buffer_bytes(&connection->out));
    buffer_clear(&connection->out);
    connection->reachable = !err;
    return connection->reachable;
}

bool connection_gather(struct connection *connection, struct outbox *outbox,
                       struct bus_socket *socket, const struct message *message) {
    if (!connection->known) return false;
    if (!connection->waiting) {
        assert(outbox->count < outbox->capacity);
        connection->waiting = true;
        outbox->items[outbox->count++] = connection;
    }
    if (!message_encode(message, &connection->out)) return true;
    // Full: it goes out now.
    return connection_flush(connection, socket) && !message_encode(message, &connection->out);
}
