#pragma once
// One ZeroMQ socket on the loop. Inside common/io only.
//
// ZMQ_FD is edge-triggered and any call on the socket may swallow its edge. So: take until there
// is nothing left: that makes ZeroMQ look at all that its own thread has sent us. When the budget
// is spent before, or the socket was used otherwise, an idle handle brings us back in the next
// turn, after the others had theirs.

#include "common/base/err.h"

#include <stdbool.h>
#include <uv.h>

/// Take one message from the socket and handle it. false: there was none. May close the socket and
/// free the glue.
typedef bool glue_take(void *context);

struct glue;
MUST_CHECK enum err glue_new(uv_loop_t *loop, void *zmq, glue_take *take, void *context,
                             struct glue **glue);
/// Before zmq_close. No call of take begins after this. Accepts NULL.
void glue_free(struct glue *glue);
/// After any call on the socket from outside take.
void glue_touched(struct glue *glue);
/// ZMQ_EVENTS; reading it makes ZeroMQ look at what its own thread has sent us.
int glue_events(void *zmq);
