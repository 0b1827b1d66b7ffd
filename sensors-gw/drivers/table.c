#include "sensors-gw/drivers/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

char row_separator(struct bytes header) {
    static const char separators[] = "\t,;";
    char best = '\t';
    size_t most = 0;
    for (const char *separator = separators; *separator; separator++) {
        size_t count = 0;
        for (size_t i = 0; i < header.size; i++)
            count += header.data[i] == (uint8_t)*separator;
        if (count > most) {
            most = count;
            best = *separator;
        }
    }
    return best;
}

static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

// The quoted field that begins at *at (behind its quote), without its quotes; *at moves behind it.
static bool cut_quoted(char **at, char *end, struct bytes *field) {
    char *from = *at, *to = *at;
    for (char *c = *at; c < end; c++) {
        if (*c != '"') {
            *to++ = *c;
        } else if (c + 1 < end && c[1] == '"') {
            *to++ = *c++;
        } else {
            *field = (struct bytes){(const uint8_t *)from, (size_t)(to - from)};
            *at = c + 1;
            return true;
        }
    }
    return false;
}

static void cut_plain(char **at, char *end, char separator, struct bytes *field) {
    char *from = *at;
    char *to = memchr(from, separator, (size_t)(end - from));
    if (!to) to = end;
    *at = to;
    while (to > from && blank(to[-1]))
        to--;
    *field = (struct bytes){(const uint8_t *)from, (size_t)(to - from)};
}

enum err row_cut(char *line, size_t size, char separator, struct row *row) {
    char *at = line, *end = line + size;
    row->count = 0;
    for (;;) {
        if (row->count == TABLE_COLUMNS_MAX) return ERR_RANGE;
        struct bytes *field = &row->fields[row->count++];
        while (at < end && *at != separator && blank(*at))
            at++;
        if (at < end && *at == '"') {
            at++;
            if (!cut_quoted(&at, end, field)) return ERR_FORMAT;
            while (at < end && *at != separator && blank(*at))
                at++;
            if (at < end && *at != separator) return ERR_FORMAT;
        } else {
            cut_plain(&at, end, separator, field);
        }
        if (at == end) return ERR_NONE;
        at++; // the separator
    }
}

bool text_equal(struct bytes text, const char *other) {
    return text.size == strlen(other) && memcmp(text.data, other, text.size) == 0;
}

int row_find(const struct row *header, const char *name) {
    for (size_t i = 0; i < header->count; i++)
        if (text_equal(header->fields[i], name)) return (int)i;
    return -1;
}

bool text_number(struct bytes text, double *value) {
    char copy[64], *end;
    if (text.size == 0 || text.size >= sizeof copy) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (strspn(copy, "0123456789+-.eE") != text.size) return false; // no hex, inf or nan
    double parsed = strtod(copy, &end);
    if (*end != '\0' || !isfinite(parsed)) return false;
    *value = parsed;
    return true;
}

// One or two digits (exactly two if `two`) below `below`.
static bool clock_part(struct bytes *text, bool two, int below, int64_t *value) {
    size_t count = 0;
    *value = 0;
    while (count < 2 && count < text->size && text->data[count] >= '0' && text->data[count] <= '9')
        *value = *value * 10 + (text->data[count++] - '0');
    text->data += count;
    text->size -= count;
    return count > 0 && (!two || count == 2) && *value < below;
}

static bool clock_mark(struct bytes *text, char mark) {
    if (text->size == 0 || text->data[0] != (uint8_t)mark) return false;
    text->data++;
    text->size--;
    return true;
}

bool text_clock(struct bytes text, int64_t *ms_of_day) {
    int64_t hours, minutes, seconds = 0, ms = 0;
    if (!clock_part(&text, false, 24, &hours) || !clock_mark(&text, ':') ||
        !clock_part(&text, true, 60, &minutes))
        return false;
    if (clock_mark(&text, ':') && !clock_part(&text, true, 60, &seconds)) return false;
    if (clock_mark(&text, '.')) {
        int64_t unit = 100;
        if (text.size == 0 || text.size > 9) return false;
        for (; text.size > 0; text.data++, text.size--, unit /= 10) {
            if (text.data[0] < '0' || text.data[0] > '9') return false;
            ms += (text.data[0] - '0') * unit;
        }
    }
    if (text.size > 0) return false;
    *ms_of_day = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
    return true;
}
