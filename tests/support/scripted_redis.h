#pragma once
// A Redis that does what the test says: one step for each command that it receives, in order,
// whatever the connection. It stands on the test's own loop.

#include "common/io/loop.h"

enum scripted_action {
    SCRIPTED_REPLY,       // send `reply`
    SCRIPTED_REPLY_SPLIT, // send it byte by byte, one a turn of the loop
    SCRIPTED_REPLY_CLOSE, // send it, then close
    SCRIPTED_RESET,       // reset the connection
    SCRIPTED_SILENT,      // nothing: the command stays without a reply
};
struct scripted_step {
    enum scripted_action action;
    const char *reply;
};

struct scripted;
/// Steps end with one whose reply is NULL and action SCRIPTED_REPLY: from there on it is silent.
struct scripted *scripted_new(struct loop *loop, const struct scripted_step *steps);
void scripted_free(struct scripted *scripted);           // accepts NULL
uint16_t scripted_port(const struct scripted *scripted); // on 127.0.0.1
/// Commands received so far, and the first argument of each.
size_t scripted_count(const struct scripted *scripted);
const char *scripted_command(const struct scripted *scripted, size_t index);
