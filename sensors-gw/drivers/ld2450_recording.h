#pragma once
// A recording of what an LD2450 radar sent: its bytes as they came, plain or gzip. It has no times:
// a frame's is its place, 30 bytes a frame, so that one which cannot be used moves none behind it.

#include "common/base/err.h"
#include "sensors-gw/drivers/ld2450_frame.h"

#include <zlib.h>

/// Begin with {0}.
struct ld2450_recording {
    const char *path;
    gzFile file;
    struct ld2450_parser parser;
    uint64_t offset; // bytes that have been read
};

/// offset: where to go on, of ld2450_recording_place.
MUST_CHECK enum err ld2450_recording_open(struct ld2450_recording *recording, const char *path,
                                          uint64_t offset, struct problem *problem);
void ld2450_recording_close(struct ld2450_recording *recording); // also after a failed open

/// The next good frame; *at: bytes before it.
/// ERR_AGAIN  many bytes, and none yet: call again
/// ERR_END    no more
/// ERR_IO     cannot be read on; *problem says why
MUST_CHECK enum err ld2450_recording_next(struct ld2450_recording *recording,
                                          struct ld2450_frame *frame, uint64_t *at,
                                          struct problem *problem);
/// Behind the last frame that next gave.
uint64_t ld2450_recording_place(const struct ld2450_recording *recording);
uint32_t ld2450_recording_permille(const struct ld2450_recording *recording);
