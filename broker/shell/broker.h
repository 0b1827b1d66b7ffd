#pragma once
// The parts of a running broker; included by this folder only.

#include "broker/core/dispatch.h"
#include "broker/shell/bodies.h"
#include "broker/shell/broker_shell.h"
#include "broker/shell/peers.h"
#include "broker/shell/refusals.h"
#include "common/io/bus.h"
#include "common/io/loop.h"

struct broker {
    const struct broker_settings *settings;
    const struct branches *branches;
    struct loop *loop;
    struct bus *bus;
    struct bus_socket *gateways, *workers, *control;
    struct dispatch *dispatch;
    struct peers peers;
    struct bodies bodies;
    struct outbox to_gateways, to_workers;
    struct refusals refusals;
    const struct message *done; // whose answer is being passed on
    uint64_t now_ms;            // since the last broker_wakes
    uint64_t start_ms, keys_check_ms;
    int64_t keys_changed[2]; // when keys_dir was: seconds, nanoseconds
    uint64_t answers_lost, out_of_memory;
};

// gateways_door.c, workers_door.c, control_door.c: what comes in at each socket
void gateways_door(void *context, struct bus_peer peer, const char *user, struct bytes frame);
void workers_door(void *context, struct bus_peer peer, const char *user, struct bytes frame);
void control_door(void *context, struct bus_peer peer, const char *user, struct bytes frame);

// broker_shell.c
/// Look at the clock: first in whatever the loop calls. One look does for all of a frame.
void broker_wakes(struct broker *broker);
/// Feed dispatch and carry out what it says.
void broker_input(struct broker *broker, struct dispatch_input in);
/// Tell a sender that it was not understood, count and name it.
void broker_refuse(struct broker *broker, struct bus_socket *socket, struct bus_peer peer,
                   const char *who, const char *why);

// keys.c: the table of those who may connect
MUST_CHECK enum err keys_start(struct broker *broker, struct bus_security *security,
                               struct problem *problem);
void keys_check(struct broker *broker, uint64_t now_ms); // read again what has changed

// status.c: JSON text, to be freed by the caller; NULL: out of memory
char *status_text(const struct broker *broker);
