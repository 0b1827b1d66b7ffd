#include "sensors-gw/drivers/recognise.h"

#include "sensors-gw/drivers/table.h"

#include <string.h>

enum { HEADER_MAX = 16384, NAMES_MAX = 4 };

static const struct magic {
    const char *bytes;
    size_t size, at;
    struct recognised is;
} magics[] = {
    {"WAVE", 4, 8, {"audio", "RIFF WAVE sound"}},
    {"\xaa\xff\x03\x00", 4, 0, {"ld2450", "frames of a Hi-Link LD2450 radar"}},
    {"{", 1, 0, {"jsonl", "JSON lines"}},
};

/// A table is known by columns that all stand in its header.
static const struct columns {
    const char *names[NAMES_MAX];
    struct recognised is;
} tables[] = {
    {{"AU12_c", "AU06_c", "pose_Ry"}, {"vision", "OpenFace 2 CSV"}},
    {{"FaceScore", "AU12", "AU06"}, {"vision", "py-feat CSV"}},
    {{"t_s", "person", "x_m", "y_m"}, {"tracks", "positions over time"}},
    {{"desk", "from", "to", "sure"}, {"form", "sheets of an observer"}},
};

static bool has_all(const struct row *header, const char *const names[NAMES_MAX]) {
    for (size_t i = 0; i < NAMES_MAX && names[i]; i++)
        if (row_find(header, names[i]) < 0) return false;
    return true;
}

static bool is_text(struct bytes line) {
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] < ' ' && line.data[i] != '\t' && line.data[i] != '\r') return false;
    return line.size > 0;
}

/// The first line that is no comment; empty: it is not whole.
static struct bytes first_line(struct bytes start) {
    const uint8_t *at = start.data, *last = start.data + start.size, *end;
    while (at < last && (end = memchr(at, '\n', (size_t)(last - at)))) {
        if (*at != '#') return (struct bytes){at, (size_t)(end - at)};
        at = end + 1;
    }
    return (struct bytes){0};
}

static struct recognised table_form(struct bytes start) {
    struct bytes line = first_line(start);
    char text[HEADER_MAX + 1];
    struct row header;
    if (line.size > HEADER_MAX || !is_text(line)) return (struct recognised){NULL, "not text"};
    memcpy(text, line.data, line.size);
    text[line.size] = '\0';
    if (row_cut(text, line.size, row_separator(line), &header) || header.count < 2)
        return (struct recognised){NULL, "lines of text, but no table"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (has_all(&header, tables[i].names)) return tables[i].is;
    return (struct recognised){NULL, "a table: `queue` reads service logs, `tracks` positions; "
                                     "their settings name the columns"};
}

static bool holds(struct bytes start, const char *text) {
    return memmem(start.data, start.size, text, strlen(text)) != NULL;
}

struct recognised recognise(struct bytes start) {
    bool json = start.size && start.data[0] == '{';
    if (json && (holds(start, "\"poseLandmarks\"") || holds(start, "\"faceBlendshapes\"")))
        return (struct recognised){"vision", "MediaPipe JSON lines"};
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (start.size >= magics[i].at + magics[i].size &&
            memcmp(start.data + magics[i].at, magics[i].bytes, magics[i].size) == 0)
            return magics[i].is;
    return table_form(start);
}
