// The vision driver: what OpenFace 2, py-feat or MediaPipe saw of the employee's face becomes one
// sample a second and nods (face.h: which columns are read; face_second.h: what is computed). No
// picture, no landmark and no inferred emotion comes as far as here.
//
//   input   a file, plain or gzip, or a fifo that a live program writes
//   time    t_ms = begin_ms + round(t * 1000). begin_ms is `start`, moved as `day` and shift_days
//           say; without a start (fifo only) the first frame is now.
//   frame   of rows of one instant (several faces) the first with a face counts, the others are
//           `other_face`. A row that lies before its predecessor is left out: `out_of_order`.
//   watch   of all measures, from each frame to the next; a frame that is followed by none within
//           gap_ms was watched for its own millisecond (`frame_gap`).
//
// Cursor (files only): the line of the first frame of the unfinished second. After a restart what
// lies before it is read again without being handed over: that brings back an unfinished nod.

#include "sensors-gw/drivers/driver.h"
#include "sensors-gw/drivers/face_second.h"
#include "sensors-gw/drivers/lines.h"
#include "sensors-gw/drivers/replay.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_MAX_BYTES = 32768, LINES_A_TURN = 4096, START_SIZE = 40 };

struct vision_settings {
    char path[PATH_SIZE], start[START_SIZE], counter[ID_MAX + 1];
    int format;
    double speed;
    int64_t shift_days;
    char day[DAY_SETTING_SIZE];
    double rate_hz, confidence, smile_least, faces_least;
    bool cheeks_too;
    double client_yaw_deg, client_pitch_deg, contact_deg, nod_deg;
    uint64_t gap_ms;
    char smile_measure[ID_MAX + 1], facing_measure[ID_MAX + 1], gaze_measure[ID_MAX + 1],
        nod_measure[ID_MAX + 1];
};

static const char *const format_names[] = {"openface", "pyfeat", "mediapipe", NULL};

static const struct setting settings_rows[] = {
    SETTING_PATH(struct vision_settings, path, NULL,
                 "What the program writes, sorted by time: a file, plain or gzip, or a fifo."),
    SETTING_CHOICE(struct vision_settings, format, FACE_OPENFACE, format_names,
                   "Which program: OpenFace 2 (CSV), py-feat (CSV), MediaPipe (JSON lines)."),
    SETTING_TEXT(struct vision_settings, counter, NULL, "The counter the camera looks at."),
    SETTING_TEXT(struct vision_settings, start, "",
                 "When second 0 was: a local time of the branch (2026-11-23T09:00:00), or with Z "
                 "or an offset. Empty, for a fifo only: the first frame is now."),
    REPLAY_SETTINGS(struct vision_settings),
    SETTING_DOUBLE(struct vision_settings, rate_hz, 25, 0.001, 10000,
                   "pyfeat: frames a second, since its file counts frames only."),
    SETTING_DOUBLE(struct vision_settings, confidence, 0.9, 0, 1,
                   "mediapipe: confidence 0..1 of a face that was found, since it tells none."),
    SETTING_DOUBLE(struct vision_settings, smile_least, 0.5, 0.01, 1,
                   "Lip corners raised at least so far (0..1) are a smile: lower sees fainter "
                   "ones, and some that are none."),
    SETTING_BOOL(struct vision_settings, cheeks_too, false,
                 "A smile needs raised cheeks besides: fewer polite smiles count."),
    SETTING_DOUBLE(struct vision_settings, faces_least, 0.5, 0.01, 1,
                   "Share of a second's frames that need a face, or the second says nothing."),
    SETTING_DOUBLE(struct vision_settings, client_yaw_deg, 0, -180, 180,
                   "Where the client stands, seen from the employee, degrees beside the camera."),
    SETTING_DOUBLE(struct vision_settings, client_pitch_deg, 0, -90, 90,
                   "The same, degrees above or below the camera, signed as the format does."),
    SETTING_DOUBLE(struct vision_settings, contact_deg, 15, 0.1, 90,
                   "Eyes within so many degrees of the client look at the client."),
    SETTING_DOUBLE(struct vision_settings, nod_deg, 6, 0.1, 90,
                   "A head that goes so many degrees and back within 1.5 s nods."),
    SETTING_U64(struct vision_settings, gap_ms, 1000, 1, 3600000,
                "Milliseconds between two frames above which the camera did not watch."),
    SETTING_TEXT(struct vision_settings, smile_measure, "vision.smile",
                 "Measure of a visible smile; empty: it is not told."),
    SETTING_TEXT(struct vision_settings, facing_measure, "vision.facing",
                 "Measure of the angle between head and client; empty: it is not told."),
    SETTING_TEXT(struct vision_settings, gaze_measure, "vision.gaze",
                 "Measure of looking at the client; empty: it is not told."),
    SETTING_TEXT(struct vision_settings, nod_measure, "vision.nod",
                 "Measure of nods; empty: they are not told."),
    SETTINGS_END};

enum told { SMILE, FACING, GAZE, NOD, TOLD_COUNT };

struct vision {
    const struct vision_settings *settings;
    struct id counter;
    const struct measure *measures[TOLD_COUNT]; // NULL: not told
    struct face_rules rules;
    struct face_reader reader;
    struct lines *lines;
    bool is_file, headed; // headed: no header has to be read any more
    bool begun;           // begin_ms is known
    int64_t begin_ms;
    uint64_t skip_to; // seconds that begin before this line were handed over before the restart
    struct face_seconds seconds;
    bool waiting; // face has been read and is not counted yet
    struct face face;
    int64_t face_ms;
    uint64_t face_line;
    bool last_found; // whether the last counted frame had a face
    bool playing;    // play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

// ------------------------------------------------------------------ the header

/// A fifo's header may come later than open: ERR_AGAIN.
static enum err read_header(struct vision *vision, struct problem *problem) {
    const char *path = vision->settings->path;
    struct problem what;
    struct line line;
    enum err err;
    do
        err = lines_next(vision->lines, &line, problem);
    while (!err && (line.size == 0 || line.text[0] == '#'));
    if (err == ERR_END || err == ERR_RANGE)
        return problem_set(problem, ERR_FORMAT, "%s: a header line is needed", path);
    if (err) return err;
    err = face_reader_header(&vision->reader, line.text, line.size, &what);
    if (err)
        return problem_set(problem, err, "%s:%llu: %.300s", path, (unsigned long long)line.number,
                           what.text);
    vision->headed = true;
    if (!vision->reader.has_head) vision->measures[FACING] = vision->measures[NOD] = NULL;
    if (!vision->reader.has_gaze) vision->measures[GAZE] = NULL;
    return ERR_NONE;
}

// ------------------------------------------------------------------ frames

static void unusable(const struct vision *vision, struct driver_turn *turn, uint64_t number,
                     const char *oddity) {
    if (number < vision->skip_to) return;
    batching_oddity(turn->source, oddity);
    if (turn->remark.text[0] == '\0')
        problem_set(&turn->remark, ERR_FORMAT, "%s:%llu: %s; left out", vision->settings->path,
                    (unsigned long long)number, oddity);
}

/// The frame's event time, and whether it can be used after the one before.
static const char *frame_time(struct vision *vision, int64_t utc_ms) {
    int64_t since_ms = llround(vision->face.t_s * 1000);
    if (!vision->begun) {
        vision->begin_ms = utc_ms - since_ms;
        vision->begun = true;
    }
    vision->face_ms = vision->begin_ms + since_ms;
    const struct face_seconds *seconds = &vision->seconds;
    if (!time_plausible(vision->face_ms)) return "bad_time";
    if (seconds->t_ms == TIME_NONE || vision->face_ms > seconds->last_ms) return NULL;
    if (vision->face_ms < seconds->last_ms) return "out_of_order";
    return vision->last_found || !vision->face.found ? "other_face" : NULL;
}

/// The next usable frame into vision->face. ERR_AGAIN with *lines_left 0: enough for this turn.
static enum err next_frame(struct vision *vision, struct driver_turn *turn, uint32_t *lines_left,
                           struct problem *problem) {
    struct line line;
    if (!vision->headed) {
        enum err err = read_header(vision, problem);
        if (err) return err;
    }
    for (; *lines_left > 0; (*lines_left)--) {
        enum err err = lines_next(vision->lines, &line, problem);
        const char *oddity = "long_line";
        if (err && err != ERR_RANGE) return err;
        if (!err && (line.size == 0 || line.text[0] == '#')) continue;
        if (!err) oddity = face_read(&vision->reader, line.text, line.size, &vision->face);
        if (!oddity) oddity = frame_time(vision, turn->utc_ms);
        vision->face_line = line.number;
        if (!oddity) return ERR_NONE;
        unusable(vision, turn, line.number, oddity);
    }
    return ERR_AGAIN;
}

static bool is_due(struct vision *vision, struct driver_turn *turn) {
    if (!vision->is_file || vision->face_line < vision->skip_to) return true;
    if (!vision->playing) {
        vision->playing = true;
        vision->play_ms = vision->face_ms;
        vision->play_mono_ms = turn->now_ms;
    }
    uint64_t due_ms = replay_due_ms(vision->settings->speed, vision->play_mono_ms, vision->play_ms,
                                    vision->face_ms);
    if (due_ms <= turn->now_ms) return true;
    turn->wake_ms = due_ms;
    return false;
}

// ------------------------------------------------------------------ seconds

/// Hand a second over. Returns what it costs of the turn's budget.
static uint32_t second_append(const struct vision *vision, struct source *source,
                              const struct face_second *second) {
    const struct measure *const *measures = vision->measures;
    const double values[NOD] = {
        [SMILE] = second->smile, [FACING] = second->facing_deg, [GAZE] = second->gaze};
    uint32_t count = 1;
    if (second->line < vision->skip_to) return 0;
    if (second->paused) batching_oddity(source, "frame_gap");
    for (int i = 0; i < TOLD_COUNT; i++)
        if (measures[i])
            batching_watch(source, measures[i], &vision->counter, second->watched.from_ms,
                           second->watched.to_ms);
    for (int i = 0; i < NOD && second->has_face; i++) {
        if (!measures[i]) continue;
        batching_sample(source, measures[i], &vision->counter, second->t_ms, values[i],
                        second->confidence);
        count++;
    }
    for (size_t i = 0; i < second->nod_count && measures[NOD]; i++, count++)
        batching_event(source, measures[NOD], &vision->counter, second->nods_ms[i],
                       bytes_of_text("nod"), second->has_face ? second->confidence : 0);
    return count;
}

static uint32_t frame_count(struct vision *vision, struct source *source) {
    struct face_second second;
    struct face_seconds *seconds = &vision->seconds;
    vision->last_found = vision->face.found;
    if (face_seconds_add(seconds, &vision->rules, &vision->face, vision->face_ms, vision->face_line,
                         &second))
        return second_append(vision, source, &second);
    return 0;
}

static void mark(const struct vision *vision, struct driver_turn *turn) {
    if (vision->seconds.t_ms == TIME_NONE) return;
    uint64_t line = vision->seconds.line;
    if (line < vision->skip_to) return; // nothing new yet
    batching_watermark(turn->source, vision->seconds.t_ms);
    if (!vision->is_file) return;
    turn->cursor.size = 8;
    for (size_t i = 0; i < 8; i++)
        turn->cursor.bytes[i] = (uint8_t)(line >> (i * 8));
}

static enum err finish(struct vision *vision, struct driver_turn *turn) {
    struct face_second second;
    int64_t last_ms = vision->seconds.last_ms;
    if (face_seconds_end(&vision->seconds, &vision->rules, &second)) {
        (void)second_append(vision, turn->source, &second);
        batching_watermark(turn->source, last_ms + 1);
        if (vision->is_file) {
            turn->cursor.size = 8;
            memset(turn->cursor.bytes, 0xff, 8); // behind every line
        }
    }
    return ERR_END;
}

static enum err vision_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct vision *vision = state;
    uint32_t lines_left = LINES_A_TURN, used = 0;
    enum err err = ERR_NONE;
    while (used < turn->budget) {
        if (!vision->waiting) err = next_frame(vision, turn, &lines_left, problem);
        if (err == ERR_END) return finish(vision, turn);
        if (err) break;
        vision->waiting = !is_due(vision, turn);
        if (vision->waiting) {
            err = ERR_AGAIN;
            break;
        }
        used += frame_count(vision, turn->source);
    }
    if (!err || err == ERR_AGAIN) mark(vision, turn);
    return err == ERR_AGAIN && lines_left == 0 ? ERR_NONE : err;
}

// ------------------------------------------------------------------ open and close

static const struct measure *find_measure(const struct driver_context *context, const char *id,
                                          enum measure_kind kind, struct problems *problems) {
    if (id[0] == '\0') return NULL;
    const struct measure *measure = measures_find(context->measures, id, strlen(id));
    if (measure && measure->kind == kind) return measure;
    problems_add(problems, ERR_MISSING, NULL, "measures.yaml has no measure \"%s\" of kind %s", id,
                 kind == MEASURE_EVENTS ? "events" : "samples");
    return NULL;
}

static enum err find_measures(struct vision *vision, const struct driver_context *context,
                              struct problem *problem) {
    const struct vision_settings *s = vision->settings;
    struct problems problems = {0};
    vision->measures[SMILE] = find_measure(context, s->smile_measure, MEASURE_SAMPLES, &problems);
    vision->measures[FACING] = find_measure(context, s->facing_measure, MEASURE_SAMPLES, &problems);
    vision->measures[GAZE] = find_measure(context, s->gaze_measure, MEASURE_SAMPLES, &problems);
    vision->measures[NOD] = find_measure(context, s->nod_measure, MEASURE_EVENTS, &problems);
    return problems.count > 0 ? problems_first(&problems, problem) : ERR_NONE;
}

static double radians(double degrees) {
    return degrees * M_PI / 180;
}

static struct face_rules rules_of(const struct vision_settings *s) {
    return (struct face_rules){.smile_least = s->smile_least,
                               .cheeks_too = s->cheeks_too,
                               .client = {radians(s->client_yaw_deg), radians(s->client_pitch_deg)},
                               .contact_rad = radians(s->contact_deg),
                               .nod_rad = radians(s->nod_deg),
                               .faces_least = s->faces_least,
                               .gap_ms = (int64_t)s->gap_ms,
                               .confidence = s->confidence};
}

static enum err open_input(struct vision *vision, const struct driver_context *context,
                           struct problem *problem) {
    const struct vision_settings *s = vision->settings;
    struct stat status;
    vision->is_file = stat(s->path, &status) != 0 || S_ISREG(status.st_mode);
    vision->begun = s->start[0] != '\0';
    if (!vision->begun && vision->is_file)
        return problem_set(problem, ERR_MISSING,
                           "start: a recording needs the time of its second 0");
    enum err err = ERR_NONE;
    if (vision->begun)
        err = replay_begin(s->start, s->day, s->shift_days, context->zone, &vision->begin_ms,
                           problem);
    if (err) return err;
    return (vision->is_file ? lines_open_file : lines_open_pipe)(s->path, LINE_MAX_BYTES,
                                                                 &vision->lines, problem);
}

static enum err vision_open(void *state, const struct driver_context *context,
                            const struct cursor *cursor, struct problem *problem) {
    struct vision *vision = state;
    const struct vision_settings *s = vision->settings = context->settings;
    vision->seconds.t_ms = TIME_NONE;
    vision->rules = rules_of(s);
    vision->reader =
        (struct face_reader){.format = (enum face_format)s->format, .rate_hz = s->rate_hz};
    if (!id_set(&vision->counter, s->counter, strlen(s->counter)))
        return problem_set(problem, ERR_FORMAT, "counter: \"%s\" is not an id", s->counter);
    enum err err = find_measures(vision, context, problem);
    if (!err) err = open_input(vision, context, problem);
    vision->headed = s->format == FACE_MEDIAPIPE;
    if (vision->headed)
        vision->measures[FACING] = vision->measures[GAZE] = vision->measures[NOD] = NULL;
    if (!err && !vision->headed && vision->is_file) err = read_header(vision, problem);
    if (err || !vision->is_file || cursor->size == 0) return err;
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    vision->skip_to = reader_u64(&reader);
    if (reader.failed)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: the spool holds the place of another driver; begin with a new one",
                           s->path);
    return ERR_NONE;
}

static int vision_wait_fd(const void *state) {
    const struct vision *vision = state;
    return vision->lines ? lines_fd(vision->lines) : -1;
}

static size_t vision_brings(const void *state, struct id *measures, size_t most) {
    const struct vision *vision = state;
    size_t count = 0;
    for (int i = 0; i < TOLD_COUNT && count < most; i++)
        if (vision->measures[i]) measures[count++] = vision->measures[i]->id;
    return count;
}

static uint32_t vision_progress(const void *state) {
    const struct vision *vision = state;
    return vision->lines ? lines_permille(vision->lines) : 0;
}

static void vision_close(void *state) {
    struct vision *vision = state;
    lines_close(vision->lines);
    vision->lines = NULL;
}

const struct driver driver_vision = {
    .name = "vision",
    .text = "a face as OpenFace 2, py-feat or MediaPipe saw it: smile, facing, gaze, nods",
    .state_size = sizeof(struct vision),
    .settings_size = sizeof(struct vision_settings),
    .settings = settings_rows,
    .open = vision_open,
    .wait_fd = vision_wait_fd,
    .read = vision_read,
    .brings = vision_brings,
    .progress = vision_progress,
    .close = vision_close,
};
