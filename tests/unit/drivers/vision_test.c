#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char entry[] = "driver: vision\npath: %s\ncounter: desk-1\n"
                            "start: 2026-11-23T09:00:00\n%s";
static const long long nine_ms = 1795388400000 + 9 * 3600000;

#define OPENFACE "frame, timestamp, confidence, success, AU06_c, AU12_c\n"

// The worked example: three usable frames, of which two have raised lip corners and one raised
// cheeks besides.
static const char example[] = OPENFACE "1, 0.000, 0.98, 1, 0, 0\n"
                                       "2, 0.033, 0.98, 1, 1, 1\n"
                                       "3, 0.067, 0.21, 0, 0, 0\n"
                                       "4, 0.100, 0.95, 1, 0, 1\n";

static void expect_line(const struct played *played, const char *format, long long at, int value) {
    char expected[128];
    snprintf(expected, sizeof expected, format, at, value);
    cr_assert(strstr(played->series, expected) != NULL, "%s not in\n%s%s", expected, played->series,
              played->problem.text);
}

Test(vision, a_smile_is_a_share_of_the_frames_with_a_face) {
    struct played played = stage_play(NULL, entry, stage_file(example, true), "");
    cr_assert(eq(int, played.err, ERR_END), "%s", played.problem.text);
    char expected[256];
    snprintf(expected, sizeof expected,
             "S vision.smile desk-1 %lld 67 97\nW vision.smile desk-1 %lld %lld\n", nine_ms,
             nine_ms, nine_ms + 101);
    cr_assert(eq(str, played.series, expected));
    snprintf(expected, sizeof expected, "M %lld\n", nine_ms + 101);
    cr_assert(eq(str, played.notes, expected));
    played_free(&played);
    played = stage_play(NULL, entry, stage_file(example, false), "cheeks_too: true\n");
    expect_line(&played, "S vision.smile desk-1 %lld %d 97\n", nine_ms, 33);
    played_free(&played);
}

#define PYFEAT                                                                                     \
    "frame,FaceScore,AU06,AU12,Happy,Anger,valence,arousal,emo_negative,Pitch,Yaw,gaze_pitch,"     \
    "gaze_yaw\n"

// Emotions that a program infers from a face reach no measure (EU AI Act, Art. 5(1)(f)): whatever
// stands in their columns, what leaves the driver is the same.
Test(vision, inferred_emotions_change_nothing) {
    char texts[2][4096];
    for (int i = 0; i < 2; i++) {
        strcpy(texts[i], PYFEAT);
        for (int frame = 0; frame < 40; frame++)
            sprintf(texts[i] + strlen(texts[i]), "%d,0.95,0.7,0.%d,%s,0.05,0.1,0.0%d,-0.1\n", frame,
                    30 + frame, i ? "0.9,0.01,0.8,0.2,0.001" : "0,0.987,-0.9,0.99,joy", frame % 10);
    }
    struct played calm = stage_play(NULL, entry, stage_file(texts[0], false), "format: pyfeat\n");
    struct played angry = stage_play(NULL, entry, stage_file(texts[1], false), "format: pyfeat\n");
    cr_assert(eq(int, calm.err, ERR_END));
    cr_assert(gt(sz, strlen(calm.series), 100));
    cr_assert(eq(str, calm.series, angry.series));
    cr_assert(eq(str, calm.notes, angry.notes));
    for (const char *at = calm.series; *at; at = strchr(at, '\n') + 1)
        cr_assert(strncmp(at + 2, "vision.smile ", 13) == 0 ||
                  strncmp(at + 2, "vision.facing ", 14) == 0 ||
                  strncmp(at + 2, "vision.gaze ", 12) == 0 ||
                  strncmp(at + 2, "vision.nod ", 11) == 0);
    played_free(&calm);
    played_free(&angry);
}

Test(vision, facing_and_gaze_are_angles_to_the_client) {
    const char *path = stage_file(PYFEAT "0,1,0,0,0,0,0,0,0,0,0.5236,0,0.1\n"
                                         "10,1,0,0,0,0,0,0,0,0,0.5236,0,0.5236\n",
                                  false);
    struct played played = stage_play(NULL, entry, path, "format: pyfeat\n");
    expect_line(&played, "S vision.facing desk-1 %lld %d 100\n", nine_ms, 30);
    expect_line(&played, "S vision.gaze desk-1 %lld %d 100\n", nine_ms, 50);
    played_free(&played);
    // The same head, with the client standing where it points to.
    played = stage_play(NULL, entry, path, "format: pyfeat\nclient_yaw_deg: 30\n");
    expect_line(&played, "S vision.facing desk-1 %lld %d 100\n", nine_ms, 0);
    expect_line(&played, "S vision.gaze desk-1 %lld %d 100\n", nine_ms, 50);
    played_free(&played);
}

/// 4 s of a nodding face at 25 frames a second, with a pause and a bad row.
static const char *nodding(void) {
    static char text[16384];
    strcpy(text, PYFEAT);
    for (int frame = 0; frame < 100; frame++) {
        if (frame >= 60 && frame < 75) continue;
        int up = frame % 20 < 10 ? frame % 20 : 20 - frame % 20;
        sprintf(text + strlen(text), "%d,0.9,0,%d,,,,,,0.%02d,0,0,0\n", frame, frame / 50, 2 * up);
    }
    strcat(text, "99,0.9,0,1,,,,,,0,0,0,0\n7,0.9,0,1,,,,,,0,0,0,0\n100,0.9,0\n");
    return text;
}

Test(vision, a_restart_after_every_turn_gives_the_same) {
    const char *path = stage_file(nodding(), true), *more = "format: pyfeat\ngap_ms: 400\n";
    struct played whole = stage_play(NULL, entry, path, more);
    cr_assert(eq(int, whole.err, ERR_END), "%s", whole.problem.text);
    cr_assert(strstr(whole.series, "E vision.nod desk-1 ") != NULL, "%s", whole.series);
    cr_assert(strstr(whole.notes,
                     "O frame_gap 1\nO other_face 1\nO out_of_order 1\nO torn_line 1") != NULL,
              "%s", whole.notes);
    for (uint32_t budget = 1; budget < 9; budget++) {
        struct play options = {.budget = budget, .restart_every = 1};
        struct played played = stage_play(&options, entry, path, more);
        cr_assert(eq(int, played.err, ERR_END));
        cr_assert(eq(str, played.series, whole.series));
        cr_assert(ge(u32, played.restarts, 1));
        played_free(&played);
    }
    played_free(&whole);
}

Test(vision, the_face_of_a_frame_is_the_first_that_was_found) {
    struct played played = stage_play(
        NULL, entry, stage_file(OPENFACE "1,0,0,0,0,0\n1,0,0.9,1,0,1\n1,0,0.8,1,0,0\n", false), "");
    expect_line(&played, "S vision.smile desk-1 %lld %d 90\n", nine_ms, 100);
    cr_assert(strstr(played.notes, "O other_face 1\n") != NULL, "%s", played.notes);
    played_free(&played);
}

// A live program writes into a fifo: what is not there yet is waited for.
Test(vision, a_fifo_is_read_as_it_comes) {
    char folder[] = "/tmp/visionXXXXXX", path[64];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    cr_assert(eq(int, mkfifo(path, 0600), 0));
    int fd = open(path, O_RDWR | O_NONBLOCK);
    cr_assert(ge(int, fd, 0));
    struct played played = stage_play(NULL, entry, path, "");
    cr_assert(eq(int, played.err, ERR_AGAIN)); // no header yet
    cr_assert(eq(str, played.series, ""));
    played_free(&played);
    cr_assert(eq(sz, (size_t)write(fd, example, sizeof example - 1), sizeof example - 1));
    cr_assert(eq(sz, (size_t)write(fd, "5, 2.0, 0.9, 1, 0, 1\n", 21), 21));
    played = stage_play(NULL, entry, path, "");
    cr_assert(eq(int, played.err, ERR_AGAIN));
    expect_line(&played, "S vision.smile desk-1 %lld %d 97\n", nine_ms, 67);
    cr_assert(strstr(played.notes, "O frame_gap 1\n") != NULL, "%s", played.notes);
    played_free(&played);
    close(fd);
    unlink(path);
    rmdir(folder);
}

Test(vision, what_cannot_be_read_is_told_at_once) {
    static const struct {
        const char *text, *more, *told;
    } cases[] = {
        {"frame, timestamp, confidence, success\n", "", "lacks the columns AU12_c, AU06_c"},
        {"", "", "a header line is needed"},
        {OPENFACE, "format: pyfeat\n", "lacks the columns FaceScore, AU12, AU06"},
        {OPENFACE, "smile_measure: vision.joy\n", "no measure \"vision.joy\""},
        {OPENFACE, "day: soon\n", "soon"},
        {OPENFACE, "format: webcam\n", "webcam"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        stage_refused(entry, cases[i].text, cases[i].more, cases[i].told);
}
