#include "common/base/err.h"

#include <stdio.h>

static const char *const names[] = {
    [ERR_NONE] = "none",       [ERR_NOMEM] = "nomem",       [ERR_RANGE] = "range",
    [ERR_FORMAT] = "format",   [ERR_VERSION] = "version",   [ERR_FULL] = "full",
    [ERR_MISSING] = "missing", [ERR_CONFLICT] = "conflict", [ERR_REFUSED] = "refused",
    [ERR_IO] = "io",           [ERR_AGAIN] = "again",       [ERR_END] = "end",
};

const char *err_name(enum err err) {
    size_t index = (size_t)err;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}

/// Drop a UTF-8 sequence that the end of the text cut in two.
static void cut_torn_sequence(char *text, size_t size) {
    size_t lead = size;
    while (lead > 0 && size - lead < 4 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0) return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t whole = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (size - (lead - 1) < whole) text[lead - 1] = '\0';
}

enum err problem_set(struct problem *problem, enum err err, const char *format, ...) {
    if (!problem) return err;
    problem->err = err;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    if (length < 0) problem->text[0] = '\0';
    if (length >= (int)sizeof problem->text)
        cut_torn_sequence(problem->text, sizeof problem->text - 1);
    for (char *at = problem->text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = ' '; // one line
    return err;
}
