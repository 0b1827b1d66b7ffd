#pragma once
// A progress bar on the terminal, for commands that take a while.

#include "common/base/err.h"

/// Redraws the bar on stderr, followed by the text. share is 0 to 1.
void progress_draw(double share, const char *format, ...) PRINTF_LIKE(2, 3);
