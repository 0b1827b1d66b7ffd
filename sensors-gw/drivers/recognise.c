#include "sensors-gw/drivers/recognise.h"

#include "sensors-gw/drivers/ld2450_frame.h"
#include "sensors-gw/drivers/table.h"

#include <string.h>

enum { HEADER_MAX = 16384, NAMES_MAX = 4 };

/// A table is known by columns that all stand in its header.
static const struct columns {
    const char *names[NAMES_MAX];
    struct recognised is;
} tables[] = {
    {{"AU12_c", "AU06_c", "pose_Ry"}, {"vision", "OpenFace 2 CSV", true}},
    {{"FaceScore", "AU12", "AU06"}, {"vision", "py-feat CSV", true}},
    {{"t_s", "person", "x_m", "y_m"}, {"tracks", "positions over time", true}},
    {{"desk", "from", "to", "sure"}, {"form", "sheets of an observer", true}},
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
    if (line.size > HEADER_MAX || !is_text(line))
        return (struct recognised){NULL, "not text", false};
    memcpy(text, line.data, line.size);
    text[line.size] = '\0';
    if (row_cut(text, line.size, row_separator(line), &header) || header.count < 2)
        return (struct recognised){NULL, "lines of text, but no table", false};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (has_all(&header, tables[i].names)) return tables[i].is;
    return (struct recognised){NULL,
                               "a table: `queue` reads service logs, `tracks` positions; "
                               "their settings name the columns",
                               true};
}

static bool holds(struct bytes start, const char *text) {
    return memmem(start.data, start.size, text, strlen(text)) != NULL;
}

/// Who listens to a port begins in the midst of a frame.
static bool radar_frames(struct bytes start) {
    struct ld2450_parser parser = {0};
    struct ld2450_frame frame;
    for (size_t i = 0; i < start.size; i++)
        if (ld2450_push(&parser, start.data[i], &frame)) return true;
    return false;
}

static bool is_wave(struct bytes start) {
    enum { FORM_AT = 8, FORM_SIZE = 4 };
    return start.size >= FORM_AT + FORM_SIZE && !memcmp(start.data + FORM_AT, "WAVE", FORM_SIZE);
}

/// Whole or not: a short file may end without a newline.
static bool begins_with_object(struct bytes start) {
    struct bytes line = first_line(start);
    return (line.size && line.data[0] == '{') || (start.size && start.data[0] == '{');
}

/// Who listens to a stream begins in the midst of a line, too.
static bool is_json_lines(struct bytes start) {
    const uint8_t *end = start.size ? memchr(start.data, '\n', start.size) : NULL;
    if (begins_with_object(start) || !end) return begins_with_object(start);
    return begins_with_object((struct bytes){end + 1, start.size - (size_t)(end + 1 - start.data)});
}

struct recognised recognise(struct bytes start) {
    if (radar_frames(start))
        return (struct recognised){"ld2450", "frames of a Hi-Link LD2450 radar", false};
    if (is_wave(start)) return (struct recognised){"audio", "RIFF WAVE sound", false};
    if (!is_json_lines(start)) return table_form(start);
    if (holds(start, "\"poseLandmarks\"") || holds(start, "\"faceBlendshapes\""))
        return (struct recognised){"vision", "MediaPipe JSON lines", false};
    return (struct recognised){"jsonl", "JSON lines", false};
}
