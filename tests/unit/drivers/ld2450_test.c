#include "sensors-gw/drivers/ld2450_frame.h"

#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define HEAD 0xAA, 0xFF, 0x03, 0x00
#define TAIL 0x55, 0xCC
#define NOBODY 0, 0, 0, 0, 0, 0, 0, 0

// The example of the maker's manual V1.03.
static const uint8_t manual[] = {HEAD, 0x0E, 0x03, 0xB1,   0x86,   0x10,
                                 0x00, 0x40, 0x01, NOBODY, NOBODY, TAIL};

static const struct {
    uint8_t bytes[LD2450_FRAME_SIZE];
    struct ld2450_target targets[LD2450_TARGETS];
} examples[] = {
    {{HEAD, 0x0E, 0x03, 0xB1, 0x86, 0x10, 0x00, 0x40, 0x01, NOBODY, NOBODY, TAIL},
     {{true, -782, 1713, -16, 320}}},
    {{HEAD, 0x0E, 0x03, 0xB1, 0x86, 0x10, 0x00, 0x68, 0x01, NOBODY, NOBODY, TAIL},
     {{true, -782, 1713, -16, 360}}}, // an older manual
    {{HEAD, 0x10, 0x01, 0x52, 0x83, 0x00, 0x00, 0x68, 0x01, NOBODY, NOBODY, TAIL},
     {{true, -272, 850, 0, 360}}},
    {{HEAD, 0xBE, 0x8A, 0x47, 0x8E, 0x11, 0x00, 0x68, 0x01, NOBODY, NOBODY, TAIL},
     {{true, 2750, 3655, -17, 360}}},
    {{HEAD, 0xF4, 0x81, 0xB0, 0x84, 0x19, 0x80, 0x68, 0x01, 0xDC, 0x05, 0xB8, 0x8B, 0x28, 0x00,
      0x68, 0x01, NOBODY, TAIL},
     {{true, 500, 1200, 25, 360}, {true, -1500, 3000, -40, 360}}},
    {{HEAD, 0x00, 0x80, 0x00, 0x80, 0x00, 0x00, 0x01, 0x00, NOBODY, NOBODY, TAIL},
     {{true, 0, 0, 0, 1}}}, // +0
};

static size_t push_all(struct ld2450_parser *parser, const uint8_t *bytes, size_t size,
                       struct ld2450_frame *last) {
    size_t frames = 0;
    for (size_t i = 0; i < size; i++)
        frames += ld2450_push(parser, bytes[i], last);
    return frames;
}

Test(ld2450, frames_of_the_manuals) {
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct ld2450_parser parser = {0};
        struct ld2450_frame frame;
        cr_assert(eq(sz, push_all(&parser, examples[i].bytes, LD2450_FRAME_SIZE, &frame), 1));
        for (size_t k = 0; k < LD2450_TARGETS; k++) {
            const struct ld2450_target *expected = &examples[i].targets[k];
            cr_assert(eq(int, frame.targets[k].present, expected->present));
            cr_assert(eq(i32, frame.targets[k].x_mm, expected->x_mm));
            cr_assert(eq(i32, frame.targets[k].y_mm, expected->y_mm));
            cr_assert(eq(i32, frame.targets[k].speed_cms, expected->speed_cms));
            cr_assert(eq(u32, frame.targets[k].resolution_mm, expected->resolution_mm));
        }
        cr_assert(eq(u64, parser.resyncs, 0));
        cr_assert(eq(u64, parser.implausible, 0));
    }
}

Test(ld2450, after_garbage_the_next_good_frame_is_found) {
    static const struct {
        uint8_t bytes[16];
        size_t size, cut; // bytes; then the frame but for its last `cut` bytes; then a whole one
    } cases[] = {
        {{0xAA, 0xFF}, 2, 30},
        {{0xAA, 0xFF, 0x03, 0xAA, 0xAA}, 5, 30},
        {{0x55, 0xCC, 0x00}, 3, 30},
        {{0}, 0, 1},
        {{0}, 0, 2},
        {{0}, 0, 26},
        {{0xAA}, 1, 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ld2450_parser parser = {0};
        struct ld2450_frame frame;
        cr_assert(eq(sz, push_all(&parser, cases[i].bytes, cases[i].size, &frame), 0));
        cr_assert(eq(sz, push_all(&parser, manual, sizeof manual - cases[i].cut, &frame), 0));
        cr_assert(eq(sz, push_all(&parser, manual, sizeof manual, &frame), 1), "case %zu", i);
        cr_assert(eq(u64, parser.resyncs, 1), "case %zu", i);
        cr_assert(eq(i32, frame.targets[0].x_mm, -782));
    }
}

Test(ld2450, a_frame_without_its_tail_is_dropped) {
    uint8_t bytes[2 * LD2450_FRAME_SIZE];
    struct ld2450_parser parser = {0};
    struct ld2450_frame frame;
    memcpy(bytes, manual, sizeof manual);
    memcpy(bytes + sizeof manual, manual, sizeof manual);
    bytes[29] = 0xCD;
    cr_assert(eq(sz, push_all(&parser, bytes, sizeof bytes, &frame), 1));
    cr_assert(eq(u64, parser.resyncs, 1));
    cr_assert(eq(u64, parser.implausible, 0));
}

// There is no checksum: what cannot be is no measurement.
Test(ld2450, implausible_frames_are_counted_and_dropped) {
    static const struct {
        size_t at;
        uint8_t low, high;
    } cases[] = {
        {4, 0x41, 0x9F},  // x = 8001
        {4, 0x41, 0x1F},  // x = -8001
        {6, 0x41, 0x9F},  // y = 8001
        {6, 0x01, 0x00},  // y = -1
        {8, 0xE9, 0x83},  // 1001 cm/s
        {10, 0x00, 0x00}, // resolution 0
        {10, 0xE9, 0x03}, // resolution 1001
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ld2450_parser parser = {0};
        struct ld2450_frame frame;
        uint8_t bytes[LD2450_FRAME_SIZE];
        memcpy(bytes, manual, sizeof manual);
        bytes[cases[i].at] = cases[i].low;
        bytes[cases[i].at + 1] = cases[i].high;
        cr_assert(eq(sz, push_all(&parser, bytes, sizeof bytes, &frame), 0));
        cr_assert(eq(u64, parser.implausible, 1), "case %zu", i);
        cr_assert(eq(sz, push_all(&parser, manual, sizeof manual, &frame), 1));
        cr_assert(eq(u64, parser.resyncs, 0));
    }
}

static uint64_t state = 2450;

static uint32_t below(uint32_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33) % bound;
}

// Between any garbage, whole frames come through, unless garbage looks like a head and swallows
// one.
Test(ld2450, no_garbage_costs_more_than_the_frame_it_runs_into) {
    for (int run = 0; run < 2000; run++) {
        struct ld2450_parser parser = {0};
        struct ld2450_frame frame;
        for (uint32_t count = below(100); count > 0; count--) {
            static const uint8_t likely[] = {0xAA, 0xFF, 0x03, 0x00, 0x55, 0xCC};
            uint8_t byte = below(2) ? likely[below(6)] : (uint8_t)below(256);
            (void)ld2450_push(&parser, byte, &frame);
        }
        size_t frames = push_all(&parser, manual, sizeof manual, &frame);
        frames += push_all(&parser, manual, sizeof manual, &frame);
        cr_assert(ge(sz, frames, 1), "run %d", run);
        cr_assert(eq(i32, frame.targets[0].y_mm, 1713));
        cr_assert(eq(sz, parser.count, 0));
    }
}

// ------------------------------------------------------------------ the driver

static const char entry[] =
    "driver: ld2450\npath: %s\ncounters:\n"
    "  - {counter: desk-1, x: 0, y: 1.5, reach: 4, employee_zone: {x: 0, y: 0.9, radius: 0.5}}\n"
    "%s";
static const int64_t utc_ms = 1795424400000;

/// A line whose other end is in our hands.
struct line {
    char path[64];
    int ours, theirs;
    size_t put; // bytes so far
};

/// Raw, and readable when so many bytes are there.
static void line_need(const struct line *line, size_t bytes) {
    struct termios raw;
    cr_assert(le(sz, bytes, UINT8_MAX));
    cr_assert(eq(int, tcgetattr(line->theirs, &raw), 0));
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = (cc_t)bytes;
    cr_assert(eq(int, tcsetattr(line->theirs, TCSANOW, &raw), 0));
}

static void line_open(struct line *line) {
    line->put = 0;
    line->ours = posix_openpt(O_RDWR | O_NOCTTY);
    cr_assert(line->ours >= 0 && grantpt(line->ours) == 0 && unlockpt(line->ours) == 0);
    cr_assert(eq(int, ptsname_r(line->ours, line->path, sizeof line->path), 0));
    line->theirs = open(line->path, O_RDWR | O_NOCTTY);
    cr_assert(line->theirs >= 0);
    // Raw from the beginning, so that nothing is changed before the driver has opened it.
    line_need(line, 1);
}

static void line_close(struct line *line) {
    close(line->ours);
    close(line->theirs);
}

static void line_put(struct line *line, const void *bytes, size_t size) {
    cr_assert(eq(sz, (size_t)write(line->ours, bytes, size), size));
    line->put += size;
}

/// What was put is on its way in the kernel for a while: waits until all of it has arrived.
static void line_arrived(const struct line *line) {
    struct pollfd all = {.fd = line->theirs, .events = POLLIN};
    line_need(line, line->put);
    cr_assert(eq(int, poll(&all, 1, 60000), 1));
}

static void put(int fd, const void *bytes, size_t size) {
    cr_assert(eq(sz, (size_t)write(fd, bytes, size), size));
}

// An employee at (0, 0.9), a client at (0.3, 2.1): 1.24 m; a bystander 0.85 m from the client.
static const uint8_t three[] = {HEAD, 0x00, 0x80, 0x84, 0x83, 0x00, 0x00, 0x40, 0x01, // 0, 900
                                0x2C, 0x81, 0x34, 0x88, 0x00, 0x00, 0x40, 0x01,       // 300, 2100
                                0x20, 0x83, 0xE0, 0x8A, 0x00, 0x00, 0x40, 0x01,       // 800, 2784
                                TAIL};

Test(ld2450, distances_of_a_line) {
    char expected[512];
    struct line line;
    line_open(&line);
    line_put(&line, "\xAA\xFF\x03", 3);
    line_put(&line, three, sizeof three);
    line_put(&line, manual, sizeof manual); // somebody, but nobody behind the desk
    line_put(&line, three, sizeof three);
    line_arrived(&line);
    struct play options = {.budget = 64, .utc_ms = utc_ms};
    struct played played = stage_play(&options, entry, line.path, "");
    cr_assert(eq(int, played.err, ERR_AGAIN), "%s", played.problem.text);
    snprintf(expected, sizeof expected,
             "S distance.bystander desk-1 %lld 85 80\nS distance.bystander desk-1 %lld 85 80\n"
             "S distance.client desk-1 %lld 124 80\nS distance.client desk-1 %lld 124 80\n"
             "W distance.bystander desk-1 %lld %lld\nW distance.client desk-1 %lld %lld\n",
             (long long)utc_ms - 200, (long long)utc_ms, (long long)utc_ms - 200, (long long)utc_ms,
             (long long)utc_ms - 200, (long long)utc_ms + 1, (long long)utc_ms - 200,
             (long long)utc_ms + 1);
    cr_assert(eq(str, played.series, expected));
    snprintf(expected, sizeof expected, "M %lld\nO resync 1\n", (long long)utc_ms + 1);
    cr_assert(eq(str, played.notes, expected));
    played_free(&played);
    line_close(&line);
}

// A radar that hangs on the other side and looks back sees the same distances.
Test(ld2450, the_radar_may_hang_anywhere) {
    struct line line;
    line_open(&line);
    line_put(&line, three, sizeof three);
    line_arrived(&line);
    struct play options = {.budget = 64, .utc_ms = utc_ms};
    struct played played = stage_play(&options,
                                      "driver: ld2450\npath: %s\nx_m: 10\ny_m: 5\n"
                                      "heading_deg: 90\ncounters:\n"
                                      "  - {counter: desk-1, x: 8.5, y: 5, reach: 4, "
                                      "employee_zone: {x: 9.1, y: 5, radius: 0.1}}\n",
                                      line.path);
    cr_assert(strstr(played.series, " 124 80\n") != NULL, "%s%s", played.series,
              played.problem.text);
    played_free(&played);
    line_close(&line);
}

Test(ld2450, a_line_that_is_no_line_or_ends_is_told) {
    struct play options = {.budget = 64, .utc_ms = utc_ms};
    struct played played = stage_play(&options, entry, stage_file("x", false), "");
    cr_assert(strstr(played.problem.text, "cannot be set to 256000 baud") != NULL, "%s",
              played.problem.text);
    played_free(&played);
    played = stage_play(&options, entry, "/nowhere/ttyUSB0", "");
    cr_assert(eq(int, played.err, ERR_MISSING));
    played_free(&played);
}

// ------------------------------------------------------------------ a recording

/// A file of these bytes; it ends with the program.
static const char *recording_file(const void *bytes, size_t size) {
    static char path[] = "/tmp/ld2450-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    put(fd, bytes, size);
    close(fd);
    return path;
}

// What cannot be used takes its time all the same: the last frame lies 4 frames behind the first.
Test(ld2450, a_frame_of_a_recording_is_when_its_place_says) {
    uint8_t bytes[5 * sizeof three];
    for (size_t i = 0; i < 5; i++)
        memcpy(bytes + i * sizeof three, three, sizeof three);
    bytes[sizeof three] = 0;         // the second has no head
    bytes[3 * sizeof three - 1] = 0; // the third no tail
    const char *path = recording_file(bytes, sizeof bytes);
    const char *more = "start: 2026-11-23T09:00:00Z\nframe_ms: 500\nshift_days: 1\n";
    struct play options = {.budget = 64, .utc_ms = utc_ms};
    struct played whole = stage_play(&options, entry, path, more);
    cr_assert(eq(int, whole.err, ERR_END), "%s", whole.problem.text);
    const int64_t begin_ms = utc_ms + 86400000;
    char expected[256];
    snprintf(expected, sizeof expected,
             "S distance.client desk-1 %lld 124 80\nS distance.client desk-1 %lld 124 80\n"
             "S distance.client desk-1 %lld 124 80\n",
             (long long)begin_ms, (long long)begin_ms + 1500, (long long)begin_ms + 2000);
    cr_assert(strstr(whole.series, expected) != NULL, "%s", whole.series);
    snprintf(expected, sizeof expected, "M %lld\n", (long long)begin_ms + 2001);
    cr_assert(strstr(whole.notes, expected) != NULL, "%s", whole.notes);

    options = (struct play){.budget = 1, .utc_ms = utc_ms, .restart_every = 1};
    struct played again = stage_play(&options, entry, path, more);
    cr_assert(gt(u32, again.restarts, 1));
    cr_assert(eq(str, again.series, whole.series));
    played_free(&whole);
    played_free(&again);
    unlink(path);
}

Test(ld2450, a_recording_plays_at_its_speed) {
    uint8_t bytes[2 * sizeof three];
    memcpy(bytes, three, sizeof three);
    memcpy(bytes + sizeof three, three, sizeof three);
    const char *path = recording_file(bytes, sizeof bytes);
    struct play options = {.budget = 64, .utc_ms = utc_ms, .now_ms = 1000, .stop_at_ms = 1040};
    const char *more = "start: 2026-11-23T09:00:00Z\nspeed: 2\n";
    struct played early = stage_play(&options, entry, path, more); // the second is due at 1050
    cr_assert(eq(int, early.err, ERR_AGAIN), "%s", early.problem.text);
    options.stop_at_ms = 1060;
    struct played late = stage_play(&options, entry, path, more);
    cr_assert(eq(int, late.err, ERR_END), "%s", late.problem.text);
    cr_assert(gt(sz, strlen(late.series), strlen(early.series)));
    played_free(&early);
    played_free(&late);
    unlink(path);
}
