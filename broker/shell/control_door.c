// What tresenctl says: status, drain. The socket is a file: whoever may open it may ask.

#include "broker/shell/broker.h"
#include "common/io/log.h"

#include <stdlib.h>
#include <string.h>

static void answer(struct broker *broker, struct bus_peer peer, const char *json) {
    struct message message = {.type = MESSAGE_STATUS, .body = bytes_of_text(json)};
    struct buffer out;
    buffer_init(&out, FRAME_MAX);
    enum err err = message_encode(&message, &out);
    if (!err) err = bus_send(broker->control, peer, buffer_bytes(&out));
    if (err) log_warning("status_lost", "reason=%s", err_name(err));
    buffer_fini(&out);
}

static const char *drain(struct broker *broker, struct bus_peer peer, const struct id *name) {
    uint32_t number = peers_worker(&broker->peers, name);
    if (number == NO_PEER || !dispatch_worker(broker->dispatch, number).ready)
        return "no such worker is ready";
    log_info("drain", "worker=%s", name->text);
    broker_input(broker, (struct dispatch_input){.kind = INPUT_DRAIN, .worker = number});
    answer(broker, peer, "{}");
    return NULL;
}

static const char *status(struct broker *broker, struct bus_peer peer) {
    char *text = status_text(broker);
    if (!text) return "out of memory";
    answer(broker, peer, text);
    free(text);
    return NULL;
}

void control_door(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct broker *broker = context;
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    const char *why = problem.text;
    (void)user;
    broker_wakes(broker);
    if (message_decode(&reader, &message, &problem) == ERR_NONE) {
        if (message.type == MESSAGE_STATUS)
            why = status(broker, peer);
        else if (message.type == MESSAGE_DRAIN)
            why = drain(broker, peer, &message.worker);
        else
            why = "only status and drain are understood here";
    }
    if (why) broker_refuse(broker, broker->control, peer, "control", why);
}
