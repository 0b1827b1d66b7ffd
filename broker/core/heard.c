// What travels, as inputs.

#include "broker/core/dispatch.h"

#include <assert.h>

static struct dispatch_input of_gateway(const struct message *message) {
    return (struct dispatch_input){
        .kind = message->type == MESSAGE_ASK ? INPUT_ASK : INPUT_BATCH,
        .session = message->session,
        .position = message->position,
        .bytes = (uint32_t)message->body.size,
    };
}

static struct dispatch_input ready(const struct message *message) {
    return (struct dispatch_input){
        .kind = INPUT_READY,
        .credit = message->credit,
        .held = message->held < UINT32_MAX ? (uint32_t)message->held : UINT32_MAX,
        .brokers = message->brokers,
        .reserved = message->reserved,
    };
}

static struct dispatch_input done(const struct message *message) {
    return (struct dispatch_input){
        .kind = INPUT_DONE,
        .jobs = message->jobs,
        .status = message->status,
        .position = message->position,
        .wait_ms = message->wait_ms,
        .due_ms = message->due_ms,
    };
}

struct dispatch_input dispatch_heard(const struct message *message) {
    switch (message->type) {
    case MESSAGE_ASK:
    case MESSAGE_BATCH:
        return of_gateway(message);
    case MESSAGE_READY:
        return ready(message);
    case MESSAGE_DONE:
        return done(message);
    default:
        assert(message->type == MESSAGE_GOODBYE);
    }
    return (struct dispatch_input){.kind = INPUT_GOODBYE};
}
