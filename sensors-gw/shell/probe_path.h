#pragma once
// What a file, pipe or port holds, without any settings: by its form.

#include <stdint.h>

/// Listen for at most so many seconds; say what is recognised, what it holds, in units, and which
/// driver reads it. Returns the exit status: 0, or 1 if nothing came or no driver is known for it.
int probe_path(const char *path, const char *config_dir, uint64_t seconds);
