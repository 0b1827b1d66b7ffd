// The tracks driver: positions of people become distances at counters. Which distances, stands in
// scene.h; how rows become instants, here, so that anybody can compute the same:
//
//   time    t_ms = begin_ms + round(t * 1000) with t = the `time` column in seconds, or
//           frame / rate_hz when `frame` names a column; round: nearest, halves away from zero.
//           begin_ms is `start` (a local time of the branch, or with an offset), moved as `day`
//           and shift_days say.
//   frame   rows that follow each other with equal t_ms. Rows are sorted by time; one that lies
//           before its predecessor is left out: `out_of_order`. A person who stands twice in a
//           frame: `repeated_person`, the first counts. More than 512 persons: `crowded`.
//   value   the distance in metres, quantized to the measure's resolution (nearest, halves away
//           from zero). With alone_m above 0 a client without bystander gives a bystander sample
//           of alone_m (nobody is nearer than the sensor sees), with the client's confidence.
//   watch   of both measures at every counter: from each frame to the next; a frame that is
//           followed by none within gap_ms was watched for its own millisecond (`frame_gap`).
//           Somebody missing in a frame gives no sample: coverage falls, nothing is made up.
//   sample's confidence: the `confidence` column (0..1), else the setting, in whole percent.
//
// Cursor: the line of the first frame that has not been handed over.

#include "common/settings/settings.h"
#include "sensors-gw/drivers/floor_plan.h"
#include "sensors-gw/drivers/lines.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096, COLUMN_SIZE = 64, ROWS_A_TURN = 8192 };

struct tracks_settings {
    char path[PATH_SIZE], start[40];
    double speed;
    int64_t shift_days;
    char day[DAY_SETTING_SIZE];
    char time[COLUMN_SIZE], frame[COLUMN_SIZE], person[COLUMN_SIZE], x[COLUMN_SIZE], y[COLUMN_SIZE];
    char confidence_column[COLUMN_SIZE];
    double rate_hz, confidence, alone_m;
    uint64_t gap_ms;
    char client_measure[ID_MAX + 1], bystander_measure[ID_MAX + 1];
    const struct node *counters;
};

static const struct setting settings_rows[] = {
    SETTING_PATH(struct tracks_settings, path, NULL,
                 "Positions sorted by time: one header line, a row a person and instant, plain or "
                 "gzip."),
    SETTING_TEXT(struct tracks_settings, start, NULL,
                 "When second 0 was: a local time of the branch (2026-11-23T09:00:00), or with Z "
                 "or an offset."),
    REPLAY_SETTINGS(struct tracks_settings),
    SETTING_TEXT(struct tracks_settings, time, "t_s", "Column of the seconds since start."),
    SETTING_TEXT(struct tracks_settings, frame, "",
                 "Column of the frame number, to be used with rate_hz instead of time."),
    SETTING_DOUBLE(struct tracks_settings, rate_hz, 25, 0.001, 10000, "Frames a second."),
    SETTING_TEXT(struct tracks_settings, person, "person", "Column that tells people apart."),
    SETTING_TEXT(struct tracks_settings, x, "x_m", "Column of the first coordinate in metres."),
    SETTING_TEXT(struct tracks_settings, y, "y_m", "Column of the second coordinate in metres."),
    SETTING_TEXT(struct tracks_settings, confidence_column, "",
                 "Column of the confidence 0..1 of a position; empty: see confidence."),
    SETTING_DOUBLE(struct tracks_settings, confidence, 1, 0, 1,
                   "Confidence 0..1 of every position, when no column states it."),
    SETTING_DOUBLE(struct tracks_settings, alone_m, 0, 0, 1000,
                   "Metres told as distance of the nearest bystander when there is none: as far as "
                   "the sensor surely sees. 0: no sample then."),
    SETTING_U64(struct tracks_settings, gap_ms, 1000, 1, 3600000,
                "Milliseconds between two frames above which the sensor did not watch."),
    SETTING_TEXT(struct tracks_settings, client_measure, "distance.client",
                 "Measure of the distance from employee to client."),
    SETTING_TEXT(struct tracks_settings, bystander_measure, "distance.bystander",
                 "Measure of the distance from client to the nearest bystander."),
    SETTING_TREE(struct tracks_settings, counters, true,
                 "List of {counter, x, y, reach, employees: [person, ...]} or, instead of "
                 "employees, employee_zone: {x, y, radius}; metres."),
    SETTINGS_END};

/// One row, read.
struct position_row {
    int64_t t_ms;
    uint64_t line;
    struct person person;
};

struct tracks {
    const struct tracks_settings *settings;
    struct floor_plan plan;
    struct lines *lines;
    char separator;
    size_t column_count;
    int time, person, x, y, confidence; // columns; -1: none
    int64_t begin_ms;
    uint64_t skip_to;         // lines before this one were read before the restart
    struct scene scene;       // the frame that is being read, or waits until it is due
    int64_t scene_ms;         // TIME_NONE: nothing read yet
    uint64_t scene_line;      // its first line
    struct position_row next; // the first row behind it, once it is whole
    bool whole, ended;
    bool playing; // play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

// ------------------------------------------------------------------ the header

static int find_column(const struct row *header, const char *name, struct problems *problems) {
    int column = row_find(header, name);
    if (column < 0) problems_add(problems, ERR_MISSING, NULL, "no column \"%s\"", name);
    return column;
}

static enum err read_header(struct tracks *tracks, struct problem *problem) {
    const struct tracks_settings *settings = tracks->settings;
    struct problems problems = {0};
    struct problem first;
    struct line line;
    struct row row;
    enum err err;
    do
        err = lines_next(tracks->lines, &line, problem);
    while (!err && (line.size == 0 || line.text[0] == '#'));
    if (err == ERR_END || err == ERR_RANGE)
        return problem_set(problem, ERR_FORMAT, "%s: a header line is needed", settings->path);
    if (err) return err;
    tracks->separator = row_separator((struct bytes){(const uint8_t *)line.text, line.size});
    err = row_cut(line.text, line.size, tracks->separator, &row);
    if (err) return problem_set(problem, err, "%s: the header cannot be read", settings->path);
    tracks->column_count = row.count;
    tracks->time =
        find_column(&row, settings->frame[0] ? settings->frame : settings->time, &problems);
    tracks->person = find_column(&row, settings->person, &problems);
    tracks->x = find_column(&row, settings->x, &problems);
    tracks->y = find_column(&row, settings->y, &problems);
    tracks->confidence = -1;
    if (settings->confidence_column[0])
        tracks->confidence = find_column(&row, settings->confidence_column, &problems);
    if (problems.count == 0) return ERR_NONE;
    err = problems_first(&problems, &first);
    return problem_set(problem, err, "%s:%llu: the header has %.300s", settings->path,
                       (unsigned long long)line.number, first.text);
}

// ------------------------------------------------------------------ rows

static uint8_t percent(double confidence) {
    double clipped = confidence < 0 ? 0 : confidence > 1 ? 1 : confidence;
    return (uint8_t)lround(clipped * 100);
}

static bool read_position(const struct tracks *tracks, const struct line *line,
                          struct position_row *out) {
    const struct tracks_settings *settings = tracks->settings;
    struct row row;
    double time, confidence = settings->confidence;
    *out = (struct position_row){.line = line->number};
    if (row_cut(line->text, line->size, tracks->separator, &row) != ERR_NONE ||
        row.count != tracks->column_count || !text_number(row.fields[tracks->time], &time) ||
        !text_number(row.fields[tracks->x], &out->person.at.x_m) ||
        !text_number(row.fields[tracks->y], &out->person.at.y_m) ||
        (tracks->confidence >= 0 && !text_number(row.fields[tracks->confidence], &confidence)))
        return false;
    if (settings->frame[0]) time /= settings->rate_hz;
    if (time < 0 || time > 1e10) return false;
    struct bytes name = row.fields[tracks->person];
    if (name.size == 0 || name.size >= PERSON_SIZE) return false;
    memcpy(out->person.name, name.data, name.size);
    out->person.confidence = percent(confidence);
    out->t_ms = tracks->begin_ms + llround(time * 1000);
    return time_plausible(out->t_ms);
}

static void unusable(const struct tracks *tracks, struct driver_turn *turn, uint64_t number,
                     const char *oddity, const char *what) {
    batching_oddity(turn->source, oddity);
    if (turn->remark.text[0] == '\0')
        problem_set(&turn->remark, ERR_FORMAT, "%s:%llu: %s; left out", tracks->settings->path,
                    (unsigned long long)number, what);
}

/// The next usable row. ERR_AGAIN: enough lines were read in this turn.
static enum err next_row(struct tracks *tracks, struct driver_turn *turn, uint32_t *lines_left,
                         struct position_row *row, struct problem *problem) {
    struct line line;
    while (*lines_left > 0) {
        enum err err = lines_next(tracks->lines, &line, problem);
        bool known = (!err || err == ERR_RANGE) && line.number < tracks->skip_to;
        // What is only passed over, after a restart, costs a sixteenth.
        *lines_left -= !known || line.number % 16 == 0;
        if (known) continue;
        if (err == ERR_RANGE) {
            unusable(tracks, turn, line.number, "long_line", "longer than 4 KiB");
            continue;
        }
        if (err) return err;
        if (line.size == 0 || line.text[0] == '#') continue;
        if (read_position(tracks, &line, row)) return ERR_NONE;
        unusable(tracks, turn, line.number, "torn_line", "torn line, or no numbers in it");
    }
    return ERR_AGAIN;
}

static void frame_add(struct tracks *tracks, struct source *source, const struct person *person) {
    struct scene *scene = &tracks->scene;
    for (size_t i = 0; i < scene->count; i++) {
        if (strcmp(scene->persons[i].name, person->name) != 0) continue;
        batching_oddity(source, "repeated_person");
        return;
    }
    if (scene->count == SCENE_PERSONS_MAX)
        batching_oddity(source, "crowded");
    else
        scene->persons[scene->count++] = *person;
}

static void frame_begin(struct tracks *tracks, struct source *source,
                        const struct position_row *row) {
    tracks->scene.count = 0;
    tracks->scene_ms = row->t_ms;
    tracks->scene_line = row->line;
    tracks->whole = false;
    frame_add(tracks, source, &row->person);
}

/// Read on until the frame is whole: a later row has come, or the end.
static enum err frame_read(struct tracks *tracks, struct driver_turn *turn, uint32_t *lines_left,
                           struct problem *problem) {
    struct position_row row;
    while (!tracks->whole) {
        enum err err = next_row(tracks, turn, lines_left, &row, problem);
        if (err == ERR_END) {
            tracks->ended = tracks->whole = true;
            return ERR_NONE;
        }
        if (err) return err;
        if (tracks->scene_ms == TIME_NONE) {
            frame_begin(tracks, turn->source, &row);
        } else if (row.t_ms < tracks->scene_ms) {
            unusable(tracks, turn, row.line, "out_of_order", "earlier than the line before");
        } else if (row.t_ms == tracks->scene_ms) {
            frame_add(tracks, turn->source, &row.person);
        } else {
            tracks->next = row;
            tracks->whole = true;
        }
    }
    return ERR_NONE;
}

// ------------------------------------------------------------------ frames

static bool is_due(struct tracks *tracks, struct driver_turn *turn) {
    if (!tracks->playing) {
        tracks->playing = true;
        tracks->play_ms = tracks->scene_ms;
        tracks->play_mono_ms = turn->now_ms;
    }
    turn->wake_ms = replay_due_ms(tracks->settings->speed, tracks->play_mono_ms, tracks->play_ms,
                                  tracks->scene_ms);
    return turn->wake_ms <= turn->now_ms;
}

static int64_t watched_to(const struct tracks *tracks, struct source *source) {
    if (tracks->ended) return tracks->scene_ms + 1;
    if (tracks->next.t_ms - tracks->scene_ms <= (int64_t)tracks->settings->gap_ms)
        return tracks->next.t_ms;
    batching_oddity(source, "frame_gap");
    return tracks->scene_ms + 1;
}

/// Hand the frame over. Returns how many samples it gave.
static uint32_t frame_append(struct tracks *tracks, struct source *source) {
    floor_plan_watch(&tracks->plan, source, tracks->scene_ms, watched_to(tracks, source));
    return floor_plan_tell(&tracks->plan, &tracks->scene, source, tracks->scene_ms);
}

static void mark(const struct tracks *tracks, struct driver_turn *turn) {
    if (tracks->scene_ms == TIME_NONE) return;
    turn->cursor.size = 8;
    for (size_t i = 0; i < 8; i++)
        turn->cursor.bytes[i] = (uint8_t)(tracks->scene_line >> (i * 8));
    batching_watermark(turn->source, tracks->scene_ms);
}

static enum err tracks_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct tracks *tracks = state;
    uint32_t lines_left = ROWS_A_TURN, used = 0;
    enum err err = ERR_NONE;
    while (used < turn->budget) {
        err = frame_read(tracks, turn, &lines_left, problem);
        if (err) break;
        if (tracks->scene_ms == TIME_NONE) return ERR_END; // no row at all, or all read before
        if (!is_due(tracks, turn)) {
            mark(tracks, turn);
            return ERR_AGAIN;
        }
        used += 1 + frame_append(tracks, turn->source);
        if (tracks->ended) {
            tracks->scene_ms++;
            tracks->scene_line = UINT64_MAX;
            mark(tracks, turn);
            tracks->scene_ms = TIME_NONE;
            return ERR_END;
        }
        struct position_row next = tracks->next;
        frame_begin(tracks, turn->source, &next);
    }
    mark(tracks, turn);
    return err == ERR_AGAIN ? ERR_NONE : err;
}

// ------------------------------------------------------------------ open and close

static enum err tracks_open(void *state, const struct driver_context *context,
                            const struct cursor *cursor, struct problem *problem) {
    struct tracks *tracks = state;
    struct problems problems = {0};
    tracks->settings = context->settings;
    tracks->scene_ms = TIME_NONE;
    floor_plan_read(&tracks->plan, tracks->settings->counters, context,
                    tracks->settings->client_measure, tracks->settings->bystander_measure,
                    &problems);
    tracks->plan.alone_m = tracks->settings->alone_m;
    if (problems.count > 0) return problems_first(&problems, problem);
    enum err err =
        replay_begin(tracks->settings->start, tracks->settings->day, tracks->settings->shift_days,
                     context->zone, &tracks->begin_ms, problem);
    if (err) return err;
    err = lines_open_file(tracks->settings->path, LINE_MAX_BYTES, &tracks->lines, problem);
    if (err) return err;
    err = read_header(tracks, problem);
    if (err || cursor->size == 0) return err;
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    tracks->skip_to = reader_u64(&reader);
    if (reader.failed)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: the spool holds the place of another driver; begin with a new one",
                           tracks->settings->path);
    return ERR_NONE;
}

static uint32_t tracks_progress(const void *state) {
    const struct tracks *tracks = state;
    return tracks->lines ? lines_permille(tracks->lines) : 0;
}

static size_t tracks_brings(const void *state, struct id *measures, size_t most) {
    const struct tracks *tracks = state;
    const struct measure *const brought[] = {tracks->plan.client, tracks->plan.bystander};
    size_t count = 0;
    for (size_t i = 0; i < 2 && count < most; i++)
        measures[count++] = brought[i]->id;
    return count;
}

static void tracks_close(void *state) {
    struct tracks *tracks = state;
    lines_close(tracks->lines);
    tracks->lines = NULL;
}

const struct driver driver_tracks = {
    .name = "tracks",
    .text = "positions of people over time (CSV, plain or gzip): distances at counters",
    .state_size = sizeof(struct tracks),
    .settings_size = sizeof(struct tracks_settings),
    .settings = settings_rows,
    .open = tracks_open,
    .read = tracks_read,
    .brings = tracks_brings,
    .progress = tracks_progress,
    .close = tracks_close,
};
