// What workers say: ready (also their heartbeat), done, goodbye.

#include "broker/shell/broker.h"
#include "common/io/log.h"

#include <string.h>

/// The worker that its key, or `as`, stands for. false: none.
static bool worker_named(const char *user, const struct message *message, struct id *name) {
    struct bytes text = user ? bytes_of_text(user) : message->as;
    struct peer peer;
    if (!peer_parse((const char *)text.data, text.size, &peer) || peer.kind != PEER_WORKER)
        return false;
    *name = peer.name;
    return true;
}

/// A place for a new name; places of workers that are gone are given away.
static uint32_t place_for(struct broker *broker, const struct id *name) {
    uint32_t number = peers_worker(&broker->peers, name);
    if (number != NO_PEER) return number;
    number = peers_worker_add(&broker->peers, name);
    for (uint32_t i = 0; i < broker->peers.worker_count && number == NO_PEER; i++) {
        if (dispatch_worker(broker->dispatch, i).ready) continue;
        if (broker->peers.workers[i].connection.waiting) continue; // still in the outbox
        peers_worker_remove(&broker->peers, i);
        number = peers_worker_add(&broker->peers, name);
    }
    return number;
}

static void keep_text(char *to, size_t size, struct bytes text) {
    snprintf(to, size, "%.*s", (int)text.size, (const char *)text.data);
}

static const char *ready(struct broker *broker, struct bus_peer peer, const struct id *name,
                         const struct message *message) {
    uint32_t number = place_for(broker, name);
    struct dispatch_input in = dispatch_heard(message);
    if (number == NO_PEER) return "too many workers: raise workers_max";
    struct worker *worker = &broker->peers.workers[number];
    enum connection_news news = connection_heard(&worker->connection, peer, broker->now_ms);
    if (news == CONNECTION_FORMER)
        return "another process speaks for this worker: give each a name of its own";
    if (news == CONNECTION_NEW)
        log_info("worker_connected", "worker=%s credit=%u held=%u", name->text, in.credit, in.held);
    keep_text(worker->set, sizeof worker->set, message->set);
    keep_text(worker->version, sizeof worker->version, message->version);
    keep_text(worker->acknowledge, sizeof worker->acknowledge, message->acknowledge);
    keep_text(worker->trouble, sizeof worker->trouble, message->reason);
    worker->brokers = message->brokers;
    worker->library = message->library;
    worker->library_run = message->library_run;
    in.worker = number;
    in.fresh = news == CONNECTION_NEW;
    broker_input(broker, in);
    return NULL;
}

/// done or goodbye; one that has never been ready, or has been replaced, has nothing to give back.
static void give_back(struct broker *broker, struct bus_peer peer, const struct id *name,
                      const struct message *message) {
    uint32_t number = peers_worker(&broker->peers, name);
    if (number == NO_PEER) return;
    struct connection *connection = &broker->peers.workers[number].connection;
    if (!connection->known || connection->peer.number != peer.number) return;
    connection->heard_ms = broker->now_ms;
    struct dispatch_input in = dispatch_heard(message);
    in.worker = number;
    broker->done = message; // for ACTION_ANSWER
    broker_input(broker, in);
    broker->done = NULL;
}

/// One message. NULL, or why it is refused.
static const char *message_take(struct broker *broker, struct bus_peer peer, const char *user,
                                const struct message *message, struct id *name) {
    if (!worker_named(user, message, name)) return "no name of a worker: worker.NAME";
    switch (message->type) {
    case MESSAGE_READY:
        if (!id_equal(&message->worker, name)) return "key worker is not the name of its key";
        return ready(broker, peer, name, message);
    case MESSAGE_DONE:
    case MESSAGE_GOODBYE:
        give_back(broker, peer, name, message);
        return NULL;
    default:
        return "only ready, done and goodbye are understood here";
    }
}

void workers_door(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct broker *broker = context;
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    enum err err;
    bool refused = false;
    broker_wakes(broker);
    while ((err = message_decode(&reader, &message, &problem)) != ERR_END) {
        struct id name = {0};
        const char *why = err ? problem.text : message_take(broker, peer, user, &message, &name);
        if (!why || refused) continue;
        const char *who = user ? user : name.text[0] ? name.text : "a worker";
        broker_refuse(broker, broker->workers, peer, who, why);
        refused = true;
    }
}
