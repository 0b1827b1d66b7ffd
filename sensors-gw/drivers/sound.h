#pragma once
// Sound as numbers: from a file of any kind that libsndfile reads, or WAVE from a pipe or a
// command while it is made. Never blocks on a pipe; keeps no more than it was asked for.
//
// A pipe's header may say how long the sound is; 0 and what lies above 2 GiB say that it does not
// know (as recorders write it), and sound follows until the pipe ends. So does what follows the
// header of a file whose length is 0: its recorder was interrupted.

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct sound;

struct sound_format {
    uint32_t rate_hz, channels;
};

/// *problem names the file or command.
///
/// ERR_MISSING  there is none; ERR_IO: it cannot be read
/// ERR_FORMAT   no sound; ERR_RANGE: rate or number of channels is not what ear.h takes
MUST_CHECK enum err sound_open_file(const char *path, struct sound **sound_out,
                                    struct problem *problem);
MUST_CHECK enum err sound_open_pipe(const char *path, struct sound **sound_out,
                                    struct problem *problem); // "-": standard input
MUST_CHECK enum err sound_open_command(const char *command, struct sound **sound_out,
                                       struct problem *problem);
void sound_close(struct sound *sound); // accepts NULL

/// Known at once for a file. ERR_AGAIN: a pipe's header has not come yet; ERR_END: it ended before.
MUST_CHECK enum err sound_format(struct sound *sound, struct sound_format *format,
                                 struct problem *problem);

/// *got frames, at least one, of at most `count` are written to values, interleaved, full scale 1.
/// After sound_format succeeded.
///
/// ERR_AGAIN  a pipe has nothing now
/// ERR_END    the end; for a command that failed ERR_IO instead
MUST_CHECK enum err sound_read(struct sound *sound, float *values, size_t count, size_t *got,
                               struct problem *problem);

/// A file: the next frame read is this one (the end, if it is shorter). ERR_REFUSED: a pipe.
MUST_CHECK enum err sound_seek(struct sound *sound, uint64_t frame, struct problem *problem);

int sound_fd(const struct sound *sound);            // readable when a pipe has more; -1: a file
uint32_t sound_permille(const struct sound *sound); // how much of a file has been read
