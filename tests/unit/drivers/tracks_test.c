#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

// desk-1 by a named employee, desk-2 by a zone behind it; the day is 2026-11-23, 9:00 in the
// branch.
static const char entry[] =
    "driver: tracks\n"
    "path: %s\n"
    "start: 2026-11-23T09:00:00\n"
    "gap_ms: 1000\n"
    "counters:\n"
    "  - {counter: desk-1, x: 0, y: 0, reach: 3, employees: [ada]}\n"
    "  - {counter: desk-2, x: 10, y: 0, reach: 3, employee_zone: {x: 10, y: -1, radius: 1}}\n"
    "%s";

#define HEADER "t_s,person,x_m,y_m\n"

static const char walk[] = "# made up\n" HEADER
                           // ada at her desk, a client 0.5 m away, a bystander 1.30 m from them
                           "0.0,ada,0,-0.3\n"
                           "0.0,7,0.4,0\n"
                           "0.0,8,1.6,0.5\n"
                           "0.0,9,99,99\n"
                           // at desk-2 whoever stands in the zone is the employee
                           "0.5,ada,0,-0.3\n"
                           "0.5,bo,10,-0.5\n"
                           "0.5,7,10,0.25\n"
                           // the employee of desk-1 is out of reach, and desk-2 is empty
                           "1.0,ada,0,-4\n"
                           "1.0,7,0,1\n"
                           // nobody watches for 3.5 s
                           "4.5,ada,0,0\n"
                           "4.5,7,0,1.006\n"
                           "4.3,7,0,2\n"
                           "4.5,7,0,2\n"
                           "4.6,ada,0,\n";

static const long long nine_ms = 1795388400000 + 9 * 3600000;

static void expect(const struct played *played, const char *series) {
    cr_assert(eq(int, played->err, ERR_END), "%s", played->problem.text);
    cr_assert(eq(str, played->series, (char *)series));
}

Test(tracks, distances_at_counters) {
    struct played played = stage_play(NULL, entry, stage_file(walk, true), "");
    char expected[2048];
    snprintf(expected, sizeof expected,
             "S distance.bystander desk-1 %lld 130 100\n"
             "S distance.client desk-1 %lld 50 100\n"
             "S distance.client desk-1 %lld 101 100\n"
             "S distance.client desk-2 %lld 75 100\n"
             "W distance.bystander desk-1 %lld %lld\n"
             "W distance.bystander desk-1 %lld %lld\n"
             "W distance.bystander desk-2 %lld %lld\n"
             "W distance.bystander desk-2 %lld %lld\n"
             "W distance.client desk-1 %lld %lld\n"
             "W distance.client desk-1 %lld %lld\n"
             "W distance.client desk-2 %lld %lld\n"
             "W distance.client desk-2 %lld %lld\n",
             nine_ms, nine_ms, nine_ms + 4500, nine_ms + 500, nine_ms, nine_ms + 1001,
             nine_ms + 4500, nine_ms + 4501, nine_ms, nine_ms + 1001, nine_ms + 4500,
             nine_ms + 4501, nine_ms, nine_ms + 1001, nine_ms + 4500, nine_ms + 4501, nine_ms,
             nine_ms + 1001, nine_ms + 4500, nine_ms + 4501);
    expect(&played, expected);
    cr_assert(eq(str, played.facts, ""));
    char notes[512];
    snprintf(notes, sizeof notes,
             "M %lld\nO frame_gap 1\nO out_of_order 1\nO repeated_person 1\nO torn_line 1\nR ",
             nine_ms + 4501);
    cr_assert(eq(int, strncmp(played.notes, notes, strlen(notes)), 0), "%s", played.notes);
    cr_assert(ne(ptr, strstr(played.notes, ":14: earlier than the line before"), NULL), "%s",
              played.notes);
    played_free(&played);
}

// Alone at the counter, a client has all the discretion that the sensor can see.
Test(tracks, without_a_bystander_the_distance_is_as_far_as_the_sensor_sees) {
    struct played played =
        stage_play(NULL, entry, stage_file(HEADER "0,ada,0,0\n0,7,0,1\n", false), "alone_m: 5\n");
    char expected[128];
    snprintf(expected, sizeof expected, "S distance.bystander desk-1 %lld 500 100\n", nine_ms);
    cr_assert(ne(ptr, strstr(played.series, expected), NULL), "%s", played.series);
    played_free(&played);
}

Test(tracks, a_restart_after_every_turn_gives_the_same_samples_and_spans) {
    const char *path = stage_file(walk, true);
    struct played whole = stage_play(NULL, entry, path, "");
    for (uint32_t budget = 1; budget < 5; budget++) {
        struct play options = {.budget = budget, .restart_every = 1};
        struct played played = stage_play(&options, entry, path, "");
        expect(&played, whole.series);
        cr_assert(ge(u32, played.restarts, 1));
        played_free(&played);
    }
    played_free(&whole);
}

Test(tracks, frames_and_confidences_may_be_columns) {
    struct played played = stage_play(
        NULL, entry, stage_file("Frame;ID;x;y;sure\n25;ada;0;0;0.9\n25;7;0;1;0.756\n", false),
        "frame: Frame\nrate_hz: 25\nperson: ID\nx: x\ny: y\nconfidence_column: sure\n");
    char expected[128];
    snprintf(expected, sizeof expected, "S distance.client desk-1 %lld 100 76\n", nine_ms + 1000);
    cr_assert(eq(int, strncmp(played.series, expected, strlen(expected)), 0), "%s", played.series);
    played_free(&played);
}

Test(tracks, the_wanted_day_keeps_the_clock) {
    struct played played = stage_play(NULL, entry, stage_file(HEADER "0,ada,0,0\n0,7,0,1\n", false),
                                      "day: 2026-10-24\n"); // still summer time
    char expected[128];
    snprintf(expected, sizeof expected, "S distance.client desk-1 %lld 100 100\n",
             nine_ms - 30 * 86400000LL - 3600000);
    cr_assert(eq(int, strncmp(played.series, expected, strlen(expected)), 0), "%s", played.series);
    played_free(&played);
}

Test(tracks, speed_says_how_long_to_wait) {
    struct play options = {.budget = 64, .now_ms = 1000, .stop_at_ms = 1000 + 2200};
    struct played played = stage_play(&options, entry, stage_file(walk, false), "speed: 0.5\n");
    cr_assert(eq(int, played.err, ERR_AGAIN));
    char note[64];
    snprintf(note, sizeof note, "M %lld\n", nine_ms + 4500); // frames of 0, 0.5 and 1 s are out
    cr_assert(ne(ptr, strstr(played.notes, note), NULL), "%s", played.notes);
    played_free(&played);
}

Test(tracks, wrong_settings_and_headers_are_told) {
    static const struct {
        const char *header, *more, *told;
    } cases[] = {
        {"time,person,x_m,y_m\n", "", "no column \"t_s\""},
        {"", "", "a header line is needed"},
        {HEADER, "client_measure: distance.moon\n", "no measure \"distance.moon\""},
        {HEADER, "day: soon\n", "soon"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        stage_refused(entry, cases[i].header, cases[i].more, cases[i].told);
}
