#pragma once
// A table in text: a header that names the columns, then a row a line. Tab, comma or semicolon.

#include "common/base/bytes.h"

enum { TABLE_COLUMNS_MAX = 1024 }; // OpenFace writes 714

/// Fields of one row, in the order of the header; they point into the line that was cut.
struct row {
    size_t count;
    struct bytes fields[TABLE_COLUMNS_MAX];
};

/// The separator that a header line uses: the one of tab, comma, semicolon it has most of.
char row_separator(struct bytes header);

/// Cut a line into fields, in place: blanks around a field go, "quoted" fields lose their quotes
/// ("" inside them is one quote).
/// ERR_FORMAT: a quote is not closed; ERR_RANGE: more than TABLE_COLUMNS_MAX fields.
MUST_CHECK enum err row_cut(char *line, size_t size, char separator, struct row *row);

/// Where the header names a column; -1: it does not.
int row_find(const struct row *header, const char *name);

bool text_equal(struct bytes text, const char *other);
/// A finite decimal number, nothing before or behind it.
bool text_number(struct bytes text, double *value);
/// Wall-clock time h:mm, h:mm:ss or h:mm:ss.fff as milliseconds of the day, below 24 h.
bool text_clock(struct bytes text, int64_t *ms_of_day);
