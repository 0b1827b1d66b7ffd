#pragma once
// Bytes that come while they are made: a fifo, standard input or the output of a command. Reading
// never blocks.

#include "common/base/err.h"

#include <sys/types.h>

/// Filled with FEED_CLOSED at first; feed_close may be called then, too.
struct feed {
    int fd;      // -1: closed
    pid_t child; // of a command; 0: none, or ended
    int exit_status;
};
#define FEED_CLOSED                                                                                \
    (struct feed) {                                                                                \
        .fd = -1                                                                                   \
    }

/// A fifo, or standard input for "-".
MUST_CHECK enum err feed_open_pipe(struct feed *feed, const char *path, struct problem *problem);
/// The standard output of `/bin/sh -c command`, which feed_close ends.
MUST_CHECK enum err feed_open_command(struct feed *feed, const char *command,
                                      struct problem *problem);
void feed_close(struct feed *feed);

/// *got bytes, at least one. ERR_AGAIN: nothing now; ERR_END: no more; ERR_IO: errno says why.
MUST_CHECK enum err feed_read(struct feed *feed, void *to, size_t room, size_t *got);

/// After ERR_END of a command: its exit status (128 + signal if one ended it); 0 for anything else.
/// ERR_AGAIN: it has closed its output but not ended yet.
MUST_CHECK enum err feed_exit_status(struct feed *feed, int *status);
