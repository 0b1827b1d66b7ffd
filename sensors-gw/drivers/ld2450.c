// The ld2450 driver: a Hi-Link HLK-LD2450 radar at a serial line tells where up to three people
// stand, ten times a second; told are the distances between them (scene.h), never a position.
//
//   place   a target's (x, y) is turned by heading_deg and moved to (x, y) of the radar: metres on
//           the floor on which `counters` are. Its y axis points to where the radar looks.
//   time    the radar has no clock. The last frame that is there is now; frames that have waited
//           before it lie frame_ms apart before it, never before what has been told already. With
//           `start`, path is a file of the line's bytes, and frame k was at start + k frame_ms.
//   watch   of both measures at every counter, from each frame to the next; a frame that is
//   followed
//           by none within gap_ms was watched for its own millisecond (`frame_gap`).
//
// Counted: `resync` (garbage between frames), `implausible` (a frame with values that cannot be).
// Cursor: of a recording, its frames so far and where the next one begins. A live sensor has none.

#include "sensors-gw/drivers/floor_plan.h"
#include "sensors-gw/drivers/ld2450_frame.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES_A_TURN = 4096, FRAMES_A_TURN = BYTES_A_TURN / LD2450_FRAME_SIZE + 1 };

struct ld2450_settings {
    char path[PATH_SIZE], start[40], day[DAY_SETTING_SIZE];
    double speed;
    int64_t shift_days;
    uint64_t baud, frame_ms, gap_ms;
    double x_m, y_m, heading_deg, confidence, alone_m;
    char client_measure[ID_MAX + 1], bystander_measure[ID_MAX + 1];
    const struct node *counters;
};

static const struct setting settings_rows[] = {
    SETTING_PATH(struct ld2450_settings, path, NULL, "The serial device, such as /dev/ttyUSB0."),
    SETTING_TEXT(struct ld2450_settings, start, "",
                 "When a recording of the line began: a local time of the branch "
                 "(2026-11-23T09:00:00), or with Z or an offset. Empty: path is a line, live."),
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
    int fd;      // -1: closed
    bool opened; // fd is set
    struct ld2450_parser parser;
    int64_t last_ms; // of the last frame; TIME_NONE: none yet
    int64_t told_ms; // nothing older may come
    struct scene scene;
    // A recording:
    int64_t begin_ms;           // of frame 0; TIME_NONE: live
    uint64_t frame;             // the next
    uint64_t offset, read_size; // in the file: behind the last whole frame; read so far
    uint64_t size;              // of the file
    bool playing;               // play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

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

/// Whole frames among the bytes, and where the last one ends.
static size_t frames_read(struct ld2450 *ld2450, struct source *source, const uint8_t *bytes,
                          size_t size, struct ld2450_frame frames[FRAMES_A_TURN]) {
    uint64_t resyncs = ld2450->parser.resyncs, implausible = ld2450->parser.implausible;
    size_t found = 0;
    for (size_t i = 0; i < size; i++) {
        if (!ld2450_push(&ld2450->parser, bytes[i], &frames[found])) continue;
        found++;
        ld2450->offset = ld2450->read_size + i + 1;
    }
    ld2450->read_size += size;
    count(source, "resync", &resyncs, ld2450->parser.resyncs);
    count(source, "implausible", &implausible, ld2450->parser.implausible);
    return found;
}

/// A sample or two a counter and frame: read no more than the budget allows.
static size_t frames_most(const struct ld2450 *ld2450, const struct driver_turn *turn) {
    size_t most = turn->budget / (2 * ld2450->plan.counter_count + 1) + 1;
    return most < FRAMES_A_TURN ? most : FRAMES_A_TURN - 1;
}

static enum err read_line(struct ld2450 *ld2450, struct driver_turn *turn,
                          struct problem *problem) {
    uint8_t bytes[BYTES_A_TURN];
    struct ld2450_frame frames[FRAMES_A_TURN];
    size_t most = frames_most(ld2450, turn);
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
        if (t_ms <= ld2450->told_ms) t_ms = ld2450->told_ms + 1;
        ld2450->told_ms = t_ms;
        frame_tell(ld2450, turn->source, &frames[i], t_ms);
    }
    if (ld2450->told_ms != TIME_NONE) batching_watermark(turn->source, ld2450->told_ms + 1);
    return got == most * LD2450_FRAME_SIZE ? ERR_NONE : ERR_AGAIN;
}

// ------------------------------------------------------------------ a recording

static int64_t frame_ms(const struct ld2450 *ld2450, uint64_t frame) {
    return ld2450->begin_ms + (int64_t)(frame * ld2450->settings->frame_ms);
}

/// The next frame plays when its time has come.
static bool is_due(struct ld2450 *ld2450, struct driver_turn *turn) {
    int64_t at_ms = frame_ms(ld2450, ld2450->frame);
    if (!ld2450->playing) {
        ld2450->playing = true;
        ld2450->play_ms = at_ms;
        ld2450->play_mono_ms = turn->now_ms;
    }
    turn->wake_ms = replay_due_ms(ld2450->settings->speed, ld2450->play_mono_ms, ld2450->play_ms,
                                  at_ms);
    return turn->wake_ms <= turn->now_ms;
}

static void mark(const struct ld2450 *ld2450, struct driver_turn *turn) {
    const uint64_t parts[] = {ld2450->frame, ld2450->offset};
    batching_watermark(turn->source, frame_ms(ld2450, ld2450->frame));
    turn->cursor.size = 0;
    for (size_t i = 0; i < 2; i++)
        for (int shift = 0; shift < 64; shift += 8)
            turn->cursor.bytes[turn->cursor.size++] = (uint8_t)(parts[i] >> shift);
}

static enum err read_recording(struct ld2450 *ld2450, struct driver_turn *turn,
                               struct problem *problem) {
    uint8_t bytes[BYTES_A_TURN];
    struct ld2450_frame frames[FRAMES_A_TURN];
    if (!is_due(ld2450, turn)) return ERR_AGAIN;
    size_t most = ld2450->settings->speed > 0 ? 1 : frames_most(ld2450, turn);
    ssize_t size = read(ld2450->fd, bytes, most * LD2450_FRAME_SIZE);
    if (size < 0) // of a file: not even a signal interrupts it
        return problem_set(problem, ERR_IO, "%s: %s", ld2450->settings->path, strerror(errno));
    size_t found = frames_read(ld2450, turn->source, bytes, (size_t)size, frames);
    for (size_t i = 0; i < found; i++)
        frame_tell(ld2450, turn->source, &frames[i], frame_ms(ld2450, ld2450->frame++));
    mark(ld2450, turn);
    return size == 0 ? ERR_END : ERR_NONE;
}

static enum err recording_open(struct ld2450 *ld2450, const struct driver_context *context,
                               const struct cursor *cursor, struct problem *problem) {
    const struct ld2450_settings *s = ld2450->settings;
    struct stat status;
    enum err err = replay_begin(s->start, s->day, s->shift_days, context->zone, &ld2450->begin_ms,
                                problem);
    if (err) return err;
    ld2450->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (ld2450->fd < 0 || fstat(ld2450->fd, &status) != 0)
        return problem_set(problem, errno == ENOENT ? ERR_MISSING : ERR_IO,
                           "%s: cannot be opened: %s", s->path, strerror(errno));
    ld2450->size = (uint64_t)status.st_size;
    if (cursor->size == 0) return ERR_NONE;
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    ld2450->frame = reader_u64(&reader);
    ld2450->offset = ld2450->read_size = reader_u64(&reader);
    if (reader.failed)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: the spool holds the place of another driver; begin with a new one",
                           s->path);
    if (ld2450->frame > 0) ld2450->last_ms = frame_ms(ld2450, ld2450->frame - 1);
    if (lseek(ld2450->fd, (off_t)ld2450->offset, SEEK_SET) < 0)
        return problem_set(problem, ERR_IO, "%s: %s", s->path, strerror(errno));
    return ERR_NONE;
}

// ------------------------------------------------------------------ open, read and close

static enum err ld2450_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct ld2450 *ld2450 = state;
    return ld2450->begin_ms == TIME_NONE ? read_line(ld2450, turn, problem)
                                         : read_recording(ld2450, turn, problem);
}

static enum err ld2450_open(void *state, const struct driver_context *context,
                            const struct cursor *cursor, struct problem *problem) {
    struct ld2450 *ld2450 = state;
    const struct ld2450_settings *s = ld2450->settings = context->settings;
    struct problems problems = {0};
    ld2450->fd = -1;
    ld2450->opened = true;
    ld2450->last_ms = ld2450->told_ms = ld2450->begin_ms = TIME_NONE;
    floor_plan_read(&ld2450->plan, s->counters, context, s->client_measure, s->bystander_measure,
                    &problems);
    ld2450->plan.alone_m = s->alone_m;
    if (problems.count > 0) return problems_first(&problems, problem);
    return s->start[0] ? recording_open(ld2450, context, cursor, problem)
                       : serial_open(s->path, (unsigned)s->baud, &ld2450->fd, problem);
}

static int ld2450_wait_fd(const void *state) {
    const struct ld2450 *ld2450 = state;
    return ld2450->begin_ms == TIME_NONE ? ld2450->fd : -1;
}

static uint32_t ld2450_progress(const void *state) {
    const struct ld2450 *ld2450 = state;
    return ld2450->size ? (uint32_t)(ld2450->offset * 1000 / ld2450->size) : 0;
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
}

const struct driver driver_ld2450 = {
    .name = "ld2450",
    .text = "a Hi-Link HLK-LD2450 radar at a serial line, or its recording: distances at counters",
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
