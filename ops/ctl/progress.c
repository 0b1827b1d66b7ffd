#include "ops/ctl/progress.h"

#include <stdarg.h>
#include <stdio.h>

enum { BAR_WIDTH = 40 };

void progress_draw(double share, const char *format, ...) {
    int full = (int)(share * BAR_WIDTH);
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "\r[%.*s%*s] %3.0f %%  ", full, "########################################",
            BAR_WIDTH - full, "", 100 * share);
    vfprintf(stderr, format, arguments);
    fputs("  ", stderr);
    fflush(stderr);
    va_end(arguments);
}
