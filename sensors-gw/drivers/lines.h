#pragma once
// Lines of bounded length from a file (plain or gzip), a pipe or a child process.

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lines;

/// One line without its end; text may be written to (fields are cut in place) until the next call.
struct line {
    char *text; // terminated by a zero that size does not count
    size_t size;
    uint64_t number; // 1 is the first of the file
};

/// A regular file, plain or gzip. *problem names it.
MUST_CHECK enum err lines_open_file(const char *path, size_t line_max, struct lines **lines_out,
                                    struct problem *problem);
/// A fifo, or standard input for "-": never blocks.
MUST_CHECK enum err lines_open_pipe(const char *path, size_t line_max, struct lines **lines_out,
                                    struct problem *problem);
/// The standard output of `/bin/sh -c command`, which lines_close ends.
MUST_CHECK enum err lines_open_command(const char *command, size_t line_max,
                                       struct lines **lines_out, struct problem *problem);
void lines_close(struct lines *lines); // accepts NULL

/// The next line.
///
/// ERR_AGAIN   a pipe has nothing now
/// ERR_END     the end; what stood behind the last line end was a line too
/// ERR_RANGE   this line is longer than line_max: skipped; line->number says which, text is its
///             first bytes
/// ERR_IO      reading failed, or a gzip file is damaged or cut; *problem names file and line
MUST_CHECK enum err lines_next(struct lines *lines, struct line *line, struct problem *problem);

/// After ERR_END of a command: its exit status (128 + signal if one ended it); 0 for anything else.
/// ERR_AGAIN: it has closed its output but not ended yet.
MUST_CHECK enum err lines_exit_status(struct lines *lines, int *status);

/// Readable when a pipe has more; -1 for a file.
int lines_fd(const struct lines *lines);
/// How much of a file has been read, 0..1000; 0 for a pipe.
uint32_t lines_permille(const struct lines *lines);
