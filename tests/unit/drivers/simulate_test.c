#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static const char entry[] =
    "driver: simulate\nopen_hours: 0.25\nclients_an_hour: 400\nseed: %d\n%s";

static struct played play(const struct play *options, int seed, const char *more) {
    struct played played = stage_play(options, entry, seed, more);
    cr_assert(eq(int, played.err, ERR_END), "%s", played.problem.text);
    cr_assert(not(played.late_fact));
    cr_assert(eq(ptr, strstr(played.notes, "O "), NULL), "%s", played.notes);
    return played;
}

static size_t count_of(const char *text, const char *what) {
    size_t count = 0;
    for (; (text = strstr(text, what)); text++)
        count++;
    return count;
}

Test(simulate, tells_everything_that_the_stage_can_measure) {
    struct played played = play(NULL, 3, "");
    cr_assert(gt(sz, count_of(played.facts, " normal "), 15));
    cr_assert(gt(sz, count_of(played.facts, " open "), 15));
    static const char *const told[] = {
        "S distance.client ", "S distance.bystander ", "S vision.smile ", "S vision.facing ",
        "S vision.gaze ",     "S appearance.badge ",   "E audio.phrase ", "S appearance.tidiness "};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        cr_assert(gt(sz, count_of(played.series, told[i]), 10), "%s", told[i]);
    played_free(&played);
}

// A gateway that was killed goes on where its spool stands; what it tells again is the same.
Test(simulate, says_the_same_after_any_restart) {
    static const char two_days[] = "days: 2\nmeasures: [audio.phrase, distance.client]\n";
    struct played whole = play(NULL, 3, two_days);
    for (uint32_t budget = 300; budget < 20000; budget *= 40) {
        struct play options = {.budget = budget, .restart_every = 3};
        struct played pieces = play(&options, 3, two_days);
        cr_assert(gt(u32, pieces.restarts, 0));
        cr_assert(eq(str, pieces.facts, whole.facts));
        cr_assert(eq(str, pieces.series, whole.series));
        played_free(&pieces);
    }
    struct played other = play(NULL, 4, two_days);
    cr_assert(ne(str, other.facts, whole.facts));
    played_free(&other);
    played_free(&whole);
}

// The gateways of one branch tell of one day, each its part.
Test(simulate, can_be_shared_among_gateways) {
    struct played whole =
        play(NULL, 5, "encounters: true\nmeasures: [audio.phrase, vision.gaze]\n");
    struct played desk = play(NULL, 5, "encounters: true\nmeasures: [audio.phrase]\n");
    struct played eye = play(NULL, 5, "encounters: false\nmeasures: [vision.gaze]\n");
    cr_assert(eq(str, desk.facts, whole.facts));
    cr_assert(eq(str, eye.facts, ""));
    cr_assert(gt(sz, count_of(desk.series, "\n"), 100));
    cr_assert(gt(sz, count_of(eye.series, "\n"), 1000));
    cr_assert(eq(sz, count_of(desk.series, "\n") + count_of(eye.series, "\n"),
                 count_of(whole.series, "\n")));
    played_free(&eye);
    played_free(&desk);
    played_free(&whole);
}

Test(simulate, refuses_what_cannot_be) {
    static const char *const wrong[][2] = {
        {"measures: [distance.cleint]\n", "distance.cleint is not simulated"},
        {"day: yesterday\n", "'yesterday' is no day"},
        {"person_share: 0.8\nday_share: 0.3\n", "more than 1"},
        {"truth: /nowhere/truth\n", "/nowhere/truth"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct played played = stage_play(NULL, entry, 1, wrong[i][0]);
        cr_assert(ne(int, played.err, ERR_END));
        cr_assert(ne(ptr, strstr(played.problem.text, wrong[i][1]), NULL), "%s",
                  played.problem.text);
        played_free(&played);
    }
}
