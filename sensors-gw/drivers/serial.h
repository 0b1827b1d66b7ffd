#pragma once
// A serial line: 8 bits, no parity, 1 stop bit, raw, any speed.

#include "common/base/err.h"

/// Opens a device (or a pseudo-terminal) for reading and writing, never blocking, and sets it to
/// `baud`, also one that POSIX has no name for. *fd is closed by the caller.
MUST_CHECK enum err serial_open(const char *path, unsigned baud, int *fd, struct problem *problem);
