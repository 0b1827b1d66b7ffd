#include "ops/ctl/print.h"

#include <stdlib.h>

// Any text of 15 digits survives being read, and 17 tell all doubles apart.
enum { DIGITS_LEAST = 15, DIGITS_MOST = 17, REAL_SIZE = 32, INDENT = 2, ONE_LINE = -1 };

static size_t digits_of(double value) {
    char text[REAL_SIZE];
    for (int digits = DIGITS_LEAST; digits < DIGITS_MOST; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) return (size_t)digits;
    }
    return DIGITS_MOST;
}

static bool put_scalar(FILE *out, const json_t *json) {
    size_t digits = json_is_real(json) ? digits_of(json_real_value(json)) : 0;
    return json_dumpf(json, out, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits)) == 0;
}

static bool put_key(FILE *out, const char *key) {
    json_t *text = json_string(key);
    bool done = put_scalar(out, text);
    json_decref(text);
    return done;
}

static void begin_line(FILE *out, int depth) {
    if (depth != ONE_LINE) fprintf(out, "\n%*s", depth * INDENT, "");
}

/// `depth`: how far in it stands, or ONE_LINE.
static bool put(FILE *out, json_t *json, int depth) {
    int inner = depth == ONE_LINE ? ONE_LINE : depth + 1;
    bool done = true;
    const char *key, *before = "";
    json_t *item;
    size_t i;
    switch (json_typeof(json)) {
    case JSON_ARRAY:
        putc('[', out);
        json_array_foreach(json, i, item) {
            fputs(before, out);
            begin_line(out, inner);
            done = put(out, item, inner) && done;
            before = ",";
        }
        if (i > 0) begin_line(out, depth);
        putc(']', out);
        return done;
    case JSON_OBJECT:
        putc('{', out);
        json_object_foreach(json, key, item) {
            fputs(before, out);
            begin_line(out, inner);
            done = put_key(out, key) && done;
            fputs(depth == ONE_LINE ? ":" : ": ", out);
            done = put(out, item, inner) && done;
            before = ",";
        }
        if (json_object_size(json) > 0) begin_line(out, depth);
        putc('}', out);
        return done;
    default:
        return put_scalar(out, json);
    }
}

bool json_print(FILE *out, json_t *json, bool indented) {
    bool done = json && put(out, json, indented ? 0 : ONE_LINE);
    return !ferror(out) && done;
}
