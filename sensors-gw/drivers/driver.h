#pragma once
// A driver turns what one sensor delivers into samples, events and facts. One constant table a
// driver, named once in registry.c. The gateway pulls, and only while the spool has room: a driver
// never buffers ahead, pauses or resumes.

#include "common/settings/settings.h"
#include "sensors-gw/core/batching.h"
#include "sensors-gw/core/pseudonym.h"

/// Where a driver that can go back stands: opaque bytes, kept in the spool with the batches that
/// were read up to there. size 0: at the beginning, or a sensor that cannot go back.
enum { CURSOR_MAX = 64 };
struct cursor {
    uint8_t size;
    uint8_t bytes[CURSOR_MAX];
};

/// What a driver may know of its gateway; outlives the driver.
struct driver_context {
    const struct id *branch, *gateway;
    const struct id *counters; // those that the registry gives this gateway
    size_t counter_count;
    const struct measures *measures;
    const struct zone *zone; // of the branch
    const struct pseudonyms *pseudonyms;
    const void *settings; // this driver's own struct, filled from its rows
};

/// One call of read: what it gets, and what it hands back.
struct driver_turn {
    struct source *source; // where observations and facts go
    uint64_t now_ms;       // monotonic
    int64_t utc_ms;        // the wall clock
    uint32_t budget;       // append at most about so many observations and facts in this call
    uint64_t wake_ms; // with ERR_AGAIN: read again then at the latest (preset UINT64_MAX: never)
    struct cursor cursor;  // preset with the last one; covers all that has been appended
    struct problem remark; // preset empty; the first thing in this turn's input that could not be
                           // used, naming file and line: the gateway logs it and goes on
};

struct driver {
    const char *name;               // as written in the gateway's file: [a-z0-9_-]
    const char *text;               // one sentence for --help
    size_t state_size;              // the gateway allocates and zeroes it
    size_t settings_size;           // likewise; context->settings points there
    const struct setting *settings; // ended by SETTINGS_END; lists and maps by SETTING_TREE

    /// cursor is that of the last turn before a restart, size 0 at the first start.
    /// *problem says file, line and the way out.
    enum err (*open)(void *state, const struct driver_context *context, const struct cursor *cursor,
                     struct problem *problem);
    /// Readable when read has something to return; -1: ask `wake_ms` only. NULL: always -1.
    int (*wait_fd)(const void *state);
    /// Bounded work. Before the end of the call the watermark must be announced as far as known.
    /// ERR_NONE    call again at once
    /// ERR_AGAIN   nothing now: call again when wait_fd is readable, or at turn->wake_ms
    /// ERR_END     the recording is over; the final watermark has been announced
    /// else        broken (*problem); the gateway closes the driver and opens it again later, with
    ///             its last cursor
    enum err (*read)(void *state, struct driver_turn *turn, struct problem *problem);
    /// The measures that it brings, for the gateway's birth: writes at most `most` ids and says how
    /// many. Asked after open. NULL: none, it brings facts only.
    size_t (*brings)(const void *state, struct id *measures, size_t most);
    /// How far a recording has been read, 0..1000. NULL: a live sensor.
    uint32_t (*progress)(const void *state);
    void (*close)(void *state); // also after a failed open
};
