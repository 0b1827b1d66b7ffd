// What is told of a run: every step, or of one that failed the last ones.

#include "tests/simulation/simulation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void trace(struct simulation *s, const char *format, ...) {
    if (s->telling == TELL_NOTHING) return;
    char line[TRACE_LINE];
    va_list arguments;
    va_start(arguments, format);
    int size = snprintf(line, sizeof line, "%9.3f s  ", (double)s->now_ms / 1000);
    vsnprintf(line + size, sizeof line - (size_t)size, format, arguments);
    va_end(arguments);
    if (s->telling == TELL_ALL)
        puts(line);
    else
        memcpy(s->last_lines[s->line_count++ % TRACE_LINES], line, sizeof line);
}

static void tell_last(const struct simulation *s) {
    size_t first = s->line_count < TRACE_LINES ? 0 : s->line_count - TRACE_LINES;
    for (size_t i = first; i < s->line_count; i++)
        printf("    %s\n", s->last_lines[i % TRACE_LINES]);
}

void not_understood(struct simulation *s, const char *whom, size_t number, const char *why) {
    trace(s, "%s %zu does not understand: %s", whom, number, why);
    if (++s->refused > s->faults[FAULT_CUT])
        wrong(s, "%s %zu does not understand: %s", whom, number, why);
}

void wrong(struct simulation *s, const char *format, ...) {
    if (s->failure[0]) return;
    va_list arguments;
    va_start(arguments, format);
    int size =
        snprintf(s->failure, sizeof s->failure, "at %llu ms: ", (unsigned long long)s->now_ms);
    vsnprintf(s->failure + size, sizeof s->failure - (size_t)size, format, arguments);
    va_end(arguments);
    if (s->telling == TELL_LAST) tell_last(s);
    if (s->telling == TELL_ALL) printf("WRONG %s\n", s->failure);
}
