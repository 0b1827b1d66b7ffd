// The ld2450 driver: a Hi-Link HLK-LD2450 radar at a serial line tells where up to three people
// stand, ten times a second; told are the distances between them (scene.h), never a position.
//
//   place   a target's (x, y) is turned by heading_deg and moved to (x, y) of the radar: metres on
//           the floor on which `counters` are. Its y axis points to where the radar looks.
//   time    the radar has no clock. The last frame that is there is now; frames that have waited
//           before it lie frame_ms apart before it, never before what has been told already. With
//           `start`, path is a recording (ld2450_recording.h): the frame with n bytes before it was
//           at start + n / 30 * frame_ms, moved as `day` and shift_days say.
//   watch   of both measures at every counter, from each frame to the next; a frame that is
//           followed by none within gap_ms was watched for its own millisecond (`frame_gap`).
//
// Counted: `resync` (garbage between frames), `implausible` (a frame with values that cannot be).
// Cursor: the place of the first frame of a recording that has not been handed over, and the time
// of the one before it. A live sensor has none.

#include "sensors-gw/drivers/floor_plan.h"
#include "sensors-gw/drivers/ld2450_recording.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/serial.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { BYTES_A_TURN = 4096, FRAMES_A_TURN = BYTES_A_TURN / LD2450_FRAME_SIZE + 1 };

struct ld2450_settings {
    char path[PATH_SIZE], start[40];
    double speed;
    int64_t shift_days;
    char day[DAY_SETTING_SIZE];
    uint64_t baud, frame_ms, gap_ms;
    double x_m, y_m, heading_deg, confidence, alone_m;
    char client_measure[ID_MAX + 1], bystander_measure[ID_MAX + 1];
    const struct node *counters;
};

static const struct setting settings_rows[] = {
    SETTING_PATH(struct ld2450_settings, path, NULL,
                 "The serial device, such as /dev/ttyUSB0; or, with start, a recording of what it "
                 "brought, plain or gzip."),
    SETTING_TEXT(struct ld2450_settings, start, "",
                 "When the recording began: a local time of the branch (2026-11-23T09:00:00), or "
                 "with Z or an offset. Empty: path is a serial device, now."),
    REPLAY_SETTINGS(struct ld2450_settings),
    SETTING_U64(struct ld2450_settings, baud, 256000, 1200, 4000000, "Its speed in bits a second."),
    SETTING_DOUBLE(struct ld2450_settings, x_m, 0, -1000, 1000,
                   "Where the radar hangs on the floor's map, metres."),
    SETTING_DOUBLE(struct ld2450_settings, y_m, 0, -1000, 1000, "The same, second coordinate."),
    SETTING_DOUBLE(struct ld2450_settings, heading_deg, 0, -360, 360,
                   "By how many degrees the radar is turned, counter-clockwise from the map's y "
                   "axis."),
    SETTING_DOUBLE(struct ld2450_settings, confidence, 0.8, 0, 1,
                   "Confidence 0..1 of every position."),
    SETTING_U64(struct ld2450_settings, frame_ms, 100, 1, 10000,
                "Milliseconds between two frames of the radar."),
    SETTING_U64(struct ld2450_settings, gap_ms, 1000, 1, 3600000,
                "Milliseconds between two frames above which the sensor did not watch."),
    SETTING_DOUBLE(struct ld2450_settings, alone_m, 0, 0, 1000,
                   "Metres told as distance of the nearest bystander when there is none: as far as "
                   "the sensor surely sees. 0: no sample then."),
    SETTING_TEXT(struct ld2450_settings, client_measure, "distance.client",
                 "Measure of the distance from employee to client."),
    SETTING_TEXT(struct ld2450_settings, bystander_measure, "distance.bystander",
                 "Measure of the distance from client to the nearest bystander."),
    SETTING_TREE(struct ld2450_settings, counters, true,
                 "List of {counter, x, y, reach, employee_zone: {x, y, radius}}; metres."),
    SETTINGS_END};

struct ld2450 {
    const struct ld2450_settings *settings;
    struct floor_plan plan;
    int64_t last_ms; // of the last frame; TIME_NONE: none yet
    struct scene scene;

    int fd;      // a line; -1: closed
    bool opened; // fd is set
    struct ld2450_parser parser;

    struct ld2450_recording recording;
    int64_t begin_ms;
    struct ld2450_frame next; // read, and waits until it is due
    uint64_t next_place;
    bool waits, playing; // playing: play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

static bool is_recording(const struct ld2450 *ld2450) {
    return ld2450->settings->start[0] != '\0';
}

// ------------------------------------------------------------------ frames

/// The targets as people on the floor.
static void scene_fill(struct ld2450 *ld2450, const struct ld2450_frame *frame) {
    const struct ld2450_settings *s = ld2450->settings;
    double turned = s->heading_deg * M_PI / 180;
    ld2450->scene.count = 0;
    for (size_t i = 0; i < LD2450_TARGETS; i++) {
        const struct ld2450_target *target = &frame->targets[i];
        if (!target->present) continue;
        double x_m = target->x_mm / 1000.0, y_m = target->y_mm / 1000.0;
        struct person *person = &ld2450->scene.persons[ld2450->scene.count++];
        *person = (struct person){.name = {(char)('1' + i)},
                                  .at = {s->x_m + x_m * cos(turned) - y_m * sin(turned),
                                         s->y_m + x_m * sin(turned) + y_m * cos(turned)},
                                  .confidence = (uint8_t)lround(s->confidence * 100)};
    }
}

static uint32_t frame_tell(struct ld2450 *ld2450, struct source *source,
                           const struct ld2450_frame *frame, int64_t t_ms) {
    int64_t last_ms = ld2450->last_ms, from_ms = t_ms;
    if (last_ms != TIME_NONE && t_ms - last_ms <= (int64_t)ld2450->settings->gap_ms)
        from_ms = last_ms + 1;
    else if (last_ms != TIME_NONE)
        batching_oddity(source, "frame_gap");
    floor_plan_watch(&ld2450->plan, source, from_ms, t_ms + 1);
    scene_fill(ld2450, frame);
    ld2450->last_ms = t_ms;
    return 1 + floor_plan_tell(&ld2450->plan, &ld2450->scene, source, t_ms);
}

static void count(struct source *source, const char *name, uint64_t *before, uint64_t now) {
    for (; *before < now; (*before)++)
        batching_oddity(source, name);
}

// ------------------------------------------------------------------ a line

/// Whole frames among the bytes.
static size_t frames_read(struct ld2450 *ld2450, struct source *source, const uint8_t *bytes,
                          size_t size, struct ld2450_frame frames[FRAMES_A_TURN]) {
    uint64_t resyncs = ld2450->parser.resyncs, implausible = ld2450->parser.implausible;
    size_t found = 0;
    for (size_t i = 0; i < size; i++)
        found += ld2450_push(&ld2450->parser, bytes[i], &frames[found]);
    count(source, "resync", &resyncs, ld2450->parser.resyncs);
    count(source, "implausible", &implausible, ld2450->parser.implausible);
    return found;
}

static enum err line_read(struct ld2450 *ld2450, struct driver_turn *turn,
                          struct problem *problem) {
    uint8_t bytes[BYTES_A_TURN];
    struct ld2450_frame frames[FRAMES_A_TURN];
    // A sample or two a counter and frame: read no more than the budget allows.
    size_t most = turn->budget / (2 * ld2450->plan.counter_count + 1) + 1;
    if (most > FRAMES_A_TURN - 1) most = FRAMES_A_TURN - 1;
    ssize_t size = read(ld2450->fd, bytes, most * LD2450_FRAME_SIZE);
    if (size < 0 && errno != EAGAIN && errno != EINTR)
        return problem_set(problem, ERR_IO, "%s: %s", ld2450->settings->path, strerror(errno));
    if (size == 0)
        return problem_set(problem, ERR_IO, "%s: the line is closed", ld2450->settings->path);
    size_t got = size < 0 ? 0 : (size_t)size;
    size_t found = frames_read(ld2450, turn->source, bytes, got, frames);
    for (size_t i = 0; i < found; i++) {
        int64_t t_ms =
            turn->utc_ms - (int64_t)(found - 1 - i) * (int64_t)ld2450->settings->frame_ms;
        if (t_ms <= ld2450->last_ms) t_ms = ld2450->last_ms + 1;
        frame_tell(ld2450, turn->source, &frames[i], t_ms);
    }
    if (ld2450->last_ms != TIME_NONE) batching_watermark(turn->source, ld2450->last_ms + 1);
    return got == most * LD2450_FRAME_SIZE ? ERR_NONE : ERR_AGAIN;
}

// ------------------------------------------------------------------ a recording

static int64_t time_of(const struct ld2450 *ld2450, uint64_t place) {
    uint64_t after_ms = place * ld2450->settings->frame_ms / LD2450_FRAME_SIZE;
    return ld2450->begin_ms + (int64_t)after_ms;
}

static enum err wait_for_next(struct ld2450 *ld2450, struct source *source,
                              struct problem *problem) {
    if (ld2450->waits) return ERR_NONE;
    struct ld2450_parser *parser = &ld2450->recording.parser;
    uint64_t resyncs = parser->resyncs, implausible = parser->implausible;
    enum err err =
        ld2450_recording_next(&ld2450->recording, &ld2450->next, &ld2450->next_place, problem);
    count(source, "resync", &resyncs, parser->resyncs);
    count(source, "implausible", &implausible, parser->implausible);
    ld2450->waits = !err;
    return err;
}

static bool is_due(struct ld2450 *ld2450, struct driver_turn *turn, int64_t t_ms) {
    if (!ld2450->playing) {
        ld2450->playing = true;
        ld2450->play_ms = t_ms;
        ld2450->play_mono_ms = turn->now_ms;
    }
    turn->wake_ms =
        replay_due_ms(ld2450->settings->speed, ld2450->play_mono_ms, ld2450->play_ms, t_ms);
    return turn->wake_ms <= turn->now_ms;
}

static void put_u64(struct cursor *cursor, uint64_t value) {
    for (size_t i = 0; i < 8; i++)
        cursor->bytes[cursor->size++] = (uint8_t)(value >> (i * 8));
}

static void mark(const struct ld2450 *ld2450, struct driver_turn *turn) {
    if (ld2450->last_ms == TIME_NONE) return;
    turn->cursor.size = 0;
    put_u64(&turn->cursor,
            ld2450->waits ? ld2450->next_place : ld2450_recording_place(&ld2450->recording));
    put_u64(&turn->cursor, (uint64_t)ld2450->last_ms);
    batching_watermark(turn->source, ld2450->last_ms + 1);
}

static enum err recording_read(struct ld2450 *ld2450, struct driver_turn *turn,
                               struct problem *problem) {
    uint32_t used = 0;
    bool due = true;
    enum err err = ERR_NONE;
    while (used < turn->budget) {
        err = wait_for_next(ld2450, turn->source, problem);
        if (err) break;
        int64_t t_ms = time_of(ld2450, ld2450->next_place);
        due = is_due(ld2450, turn, t_ms);
        if (!due) break;
        ld2450->waits = false;
        used += frame_tell(ld2450, turn->source, &ld2450->next, t_ms);
    }
    mark(ld2450, turn);
    if (!due) return ERR_AGAIN;
    return err == ERR_AGAIN ? ERR_NONE : err;
}

static enum err recording_open(struct ld2450 *ld2450, const struct driver_context *context,
                               const struct cursor *cursor, struct problem *problem) {
    const struct ld2450_settings *s = ld2450->settings;
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    uint64_t place = 0;
    if (cursor->size > 0) {
        place = reader_u64(&reader);
        ld2450->last_ms = (int64_t)reader_u64(&reader);
    }
    if (reader.failed)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: the spool holds the place of another driver; begin with a new one",
                           s->path);
    enum err err =
        replay_begin(s->start, s->day, s->shift_days, context->zone, &ld2450->begin_ms, problem);
    return err ? err : ld2450_recording_open(&ld2450->recording, s->path, place, problem);
}

// ------------------------------------------------------------------ open and close

static enum err ld2450_open(void *state, const struct driver_context *context,
                            const struct cursor *cursor, struct problem *problem) {
    struct ld2450 *ld2450 = state;
    const struct ld2450_settings *s = ld2450->settings = context->settings;
    struct problems problems = {0};
    ld2450->fd = -1;
    ld2450->opened = true;
    ld2450->last_ms = TIME_NONE;
    floor_plan_read(&ld2450->plan, s->counters, context, s->client_measure, s->bystander_measure,
                    &problems);
    ld2450->plan.alone_m = s->alone_m;
    if (problems.count > 0) return problems_first(&problems, problem);
    if (is_recording(ld2450)) return recording_open(ld2450, context, cursor, problem);
    return serial_open(s->path, (unsigned)s->baud, &ld2450->fd, problem);
}

static enum err ld2450_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct ld2450 *ld2450 = state;
    return is_recording(ld2450) ? recording_read(ld2450, turn, problem)
                                : line_read(ld2450, turn, problem);
}

static uint32_t ld2450_progress(const void *state) {
    return ld2450_recording_permille(&((const struct ld2450 *)state)->recording);
}

static int ld2450_wait_fd(const void *state) {
    const struct ld2450 *ld2450 = state;
    return ld2450->fd;
}

static size_t ld2450_brings(const void *state, struct id *measures, size_t most) {
    const struct ld2450 *ld2450 = state;
    const struct measure *const brought[] = {ld2450->plan.client, ld2450->plan.bystander};
    size_t brings = 0;
    for (size_t i = 0; i < 2 && brings < most; i++)
        measures[brings++] = brought[i]->id;
    return brings;
}

static void ld2450_close(void *state) {
    struct ld2450 *ld2450 = state;
    if (ld2450->opened && ld2450->fd >= 0) close(ld2450->fd);
    ld2450->opened = false;
    ld2450_recording_close(&ld2450->recording);
}

const struct driver driver_ld2450 = {
    .name = "ld2450",
    .text = "a Hi-Link HLK-LD2450 radar at a serial line, or recorded: distances at counters",
    .state_size = sizeof(struct ld2450),
    .settings_size = sizeof(struct ld2450_settings),
    .settings = settings_rows,
    .open = ld2450_open,
    .wait_fd = ld2450_wait_fd,
    .read = ld2450_read,
    .brings = ld2450_brings,
    .progress = ld2450_progress,
    .close = ld2450_close,
};
