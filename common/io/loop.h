#pragma once
// The one loop of a program: signals, one timer at the core's deadline, a hook at each turn's end.

#include "common/base/deadlines.h"
#include "common/base/err.h"

#include <uv.h>

struct loop_handlers {
    void *context;
    void (*stop)(void *context, int signal); // SIGTERM or SIGINT came; may come again
    void (*reload)(void *context);           // SIGHUP; NULL: it ends the process
    void (*timer)(void *context);            // the time set is reached, never early
    void (*turn)(void *context); // all inputs of this turn are handled, the loop is about to wait:
                                 // send what was gathered. Any handler may be NULL.
};

/// First thing in main: until loop_new, SIGTERM and SIGINT end the process with 0, since nothing
/// has begun that would have to be finished.
void loop_signals_early(void);

struct loop;
/// Also makes writing to a closed socket an error instead of SIGPIPE's death.
MUST_CHECK enum err loop_new(struct loop **loop);
/// Everything that stands on the loop (bus, redis, own uv handles) must be freed or closing by
/// now; waits for what is closing. Accepts NULL.
void loop_free(struct loop *loop);

void loop_handle(struct loop *loop, const struct loop_handlers *handlers); // copies
/// One timer: replaces what was set; a time in the past fires in the next turn.
void loop_timer_set(struct loop *loop, uint64_t at_ms); // DEADLINE_NEVER: none
void loop_run(struct loop *loop);                       // until loop_stop
void loop_stop(struct loop *loop);
uv_loop_t *loop_uv(struct loop *loop); // for handles of one's own, e.g. uv_poll on a driver
