// What gateways say: asks and batches. Who a gateway is says its key; on plain sockets, `as`.

#include "broker/shell/broker.h"
#include "common/io/log.h"

#include <string.h>

/// The sender's name. Empty: it gave none.
static struct bytes name_of(const char *user, const struct message *message) {
    return user ? bytes_of_text(user) : message->as;
}

static void took_over(struct broker *broker, uint32_t number) {
    const struct gateway *gateway = &broker->peers.gateways[number];
    log_info("gateway_connected", "branch=%s gateway=%s changes=%u", gateway->branch->id.text,
             gateway->registered->id.text, gateway->connection.changes);
    broker_input(broker, (struct dispatch_input){.kind = INPUT_GATEWAY, .gateway = number});
}

static void ask_or_batch(struct broker *broker, uint32_t number, const struct message *message) {
    struct gateway *gateway = &broker->peers.gateways[number];
    struct dispatch_input in = dispatch_heard(message);
    in.gateway = number;
    if (message->type == MESSAGE_ASK) {
        gateway->report = *message;
        gateway->reported = true;
        snprintf(gateway->trouble, sizeof gateway->trouble, "%.*s", (int)message->reason.size,
                 (const char *)message->reason.data);
        if (message->reason.size) { // nobody waits for an answer
            log_warning("gateway_failed", "branch=%s gateway=%s reason=%s",
                        gateway->branch->id.text, gateway->registered->id.text, gateway->trouble);
            return;
        }
    }
    if (!bodies_keep(&broker->bodies, message, &in.slot)) {
        broker->out_of_memory++; // the gateway asks again when no answer comes
        return;
    }
    broker_input(broker, in);
}

/// Who speaks in a frame: mostly the same in all its messages, so that it is looked up once.
struct speaker {
    struct bytes name;
    uint32_t number;
};

/// One message. NULL, or why it is refused.
static const char *message_take(struct broker *broker, struct bus_peer peer,
                                struct speaker *speaker, struct bytes name,
                                const struct message *message) {
    if (speaker->number == NO_PEER || !bytes_equal(speaker->name, name))
        *speaker = (struct speaker){name, peers_gateway(&broker->peers, name)};
    const uint32_t number = speaker->number;
    if (name.size == 0) return "no name: send it in key as, or use a key";
    if (number == NO_PEER) return "not a gateway of config/branches";
    if (message->type != MESSAGE_ASK && message->type != MESSAGE_BATCH)
        return "only ask and batch are understood here";
    struct connection *connection = &broker->peers.gateways[number].connection;
    switch (connection_heard(connection, peer, broker->now_ms)) {
    case CONNECTION_FORMER:
        return "another process speaks for this gateway: each needs a key of its own";
    case CONNECTION_NEW:
        took_over(broker, number);
        break;
    case CONNECTION_SAME:
        break;
    }
    ask_or_batch(broker, number, message);
    return NULL;
}

void gateways_door(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct broker *broker = context;
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    enum err err;
    struct speaker speaker = {.number = NO_PEER};
    bool refused = false; // one refusal a frame: an answer is never larger than its question
    broker_wakes(broker);
    while ((err = message_decode(&reader, &message, &problem)) != ERR_END) {
        struct bytes name = name_of(user, &message);
        const char *why = err ? problem.text : message_take(broker, peer, &speaker, name, &message);
        if (!why || refused) continue;
        char who[REFUSAL_WHO_SIZE];
        snprintf(who, sizeof who, "%.*s", (int)name.size, (const char *)name.data);
        broker_refuse(broker, broker->gateways, peer, name.size ? who : "a gateway", why);
        refused = true;
    }
}
