#pragma once
// One line an event on stderr, logfmt: level=info event=batch_applied gateway=desk number=7
// Values are quoted and escaped where they need it, so that no value can begin a new field or line.
// Only shells log. One thread.

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log_settings {
    enum log_level least; // what lies below is not written
    int fd;               // where to
    bool priority;        // "<6>" before each line: for the journal
    uint32_t lines_max;   // lines of one event name within window_ms; more are counted and the
    uint32_t window_ms;   // next line of that event says left_out=N
};

/// stderr, info; priorities when stderr is the journal ($JOURNAL_STREAM); 100 lines in 10 s.
struct log_settings log_settings_default(void);
void log_setup(const struct log_settings *settings); // not calling it: the default

/// event      [a-z_]: names the kind of line; a constant text
/// fields     "key=FORMAT key=FORMAT ...", a literal, may be left out; blanks between fields. What
///            the conversions of a field yield is its value and may hold any bytes.
///            %s %d %i %u %x %c %f %g %e with flags, width, precision (also *) and l, ll, z, j;
///            NULL for %s is the empty text.
void log_event(enum log_level level, const char *event, const char *fields, ...) PRINTF_LIKE(3, 4);
#define log_debug(event, ...) log_event(LOG_LEVEL_DEBUG, event, " " __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_LEVEL_INFO, event, " " __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_LEVEL_WARNING, event, " " __VA_ARGS__)
#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event, " " __VA_ARGS__)
