#pragma once
// The broker with its sockets: frames in, inputs to dispatch, actions out as frames.

#include "broker/shell/broker_settings.h"
#include "common/registry/branches.h"

struct loop;
struct broker;

/// Bind the sockets and stand on the loop; *branches must live as long as the broker.
/// *problem says what is wrong and the way out.
MUST_CHECK enum err broker_new(struct loop *loop, const struct broker_settings *settings,
                               const struct branches *branches, struct broker **broker,
                               struct problem *problem);
void broker_free(struct broker *broker); // accepts NULL

/// Where the sockets are really bound, e.g. after tcp://127.0.0.1:* .
const char *broker_gateways_endpoint(const struct broker *broker);
const char *broker_workers_endpoint(const struct broker *broker);
