#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const char entry[] =
    "driver: form\npath: %s\ncounter: desk\ncounter_prefix: desk-\nevery_s: 60\n"
    "answers:\n"
    "  - {column: badge, measure: appearance.badge, values: {yes: 1, partly: 0.5, no: 0}}\n"
    "  - {column: tidy, measure: appearance.tidiness}\n%s";

static const char sheets[] = "# made up\ndate;desk;from;to;sure;badge;tidy\n"
                             "2026-11-23;2;9:10;9:12;0.8;no;2.5\n" // not in order of time
                             "2026-11-23;1;9:00;9:02;1;yes;\n"
                             "2026-11-23;1;9:20;9:20;1;yes;4\n"   // ends when it begins
                             "2026-11-23;1;9:30;9:31;1;maybe;5\n" // no such answer
                             "2026-11-23;1;9:4\n";

static const long long nine_ms = 1795388400000 + 9 * 3600000;

Test(form, an_answer_holds_from_the_beginning_to_the_end_of_the_visit) {
    struct played played = stage_play(NULL, entry, stage_file(sheets, false), "sure: sure\n");
    char expected[1024];
    const long long m = 60000;
    snprintf(expected, sizeof expected,
             "S appearance.badge desk-1 %lld 100 100\n"
             "S appearance.badge desk-1 %lld 100 100\n"
             "S appearance.badge desk-2 %lld 0 80\n"
             "S appearance.badge desk-2 %lld 0 80\n"
             "S appearance.tidiness desk-1 %lld 50 100\n"
             "S appearance.tidiness desk-2 %lld 25 80\n"
             "S appearance.tidiness desk-2 %lld 25 80\n"
             "W appearance.badge desk-1 %lld %lld\n"
             "W appearance.badge desk-2 %lld %lld\n"
             "W appearance.tidiness desk-1 %lld %lld\n"
             "W appearance.tidiness desk-2 %lld %lld\n",
             nine_ms, nine_ms + m, nine_ms + 10 * m, nine_ms + 11 * m, nine_ms + 30 * m,
             nine_ms + 10 * m, nine_ms + 11 * m, nine_ms, nine_ms + 2 * m, nine_ms + 10 * m,
             nine_ms + 12 * m, nine_ms + 30 * m, nine_ms + 31 * m, nine_ms + 10 * m,
             nine_ms + 12 * m);
    cr_assert(eq(int, played.err, ERR_END), "%s", played.problem.text);
    cr_assert(eq(str, played.series, expected));
    snprintf(expected, sizeof expected, "M %lld\nO bad_answer 1\nO bad_row 2\nR ",
             nine_ms + 31 * m);
    cr_assert(eq(int, strncmp(played.notes, expected, strlen(expected)), 0), "%s", played.notes);
    cr_assert(strstr(played.notes, ":5: the visit's day") != NULL, "%s", played.notes);
    played_free(&played);
}

Test(form, a_restart_after_every_turn_gives_the_same) {
    const char *path = stage_file(sheets, true);
    struct played whole = stage_play(NULL, entry, path, "");
    for (uint32_t budget = 1; budget < 6; budget++) {
        struct play options = {.budget = budget, .restart_every = 1};
        struct played played = stage_play(&options, entry, path, "");
        cr_assert(eq(int, played.err, ERR_END));
        cr_assert(eq(str, played.series, whole.series));
        cr_assert(ge(u32, played.restarts, 1));
        played_free(&played);
    }
    played_free(&whole);
}

// An observer's sheet is there when the visit is over, not before.
Test(form, speed_says_how_long_to_wait) {
    struct play options = {.budget = 64, .now_ms = 1000, .stop_at_ms = 1000 + 60 * 1000};
    struct played played = stage_play(&options, entry, stage_file(sheets, false), "speed: 2\n");
    cr_assert(eq(int, played.err, ERR_AGAIN));
    cr_assert(strstr(played.series, "desk-1") != NULL); // 9:02 at 60 s
    cr_assert(strstr(played.series, "desk-2") == NULL);
    char note[32];
    snprintf(note, sizeof note, "M %lld\n", nine_ms + 600000);
    cr_assert(eq(int, strncmp(played.notes, note, strlen(note)), 0), "%s", played.notes);
    played_free(&played);
}

Test(form, the_wanted_day_keeps_the_clock) {
    struct played played = stage_play(NULL, entry, stage_file(sheets, false), "day: 2026-10-24\n");
    char expected[128];
    snprintf(expected, sizeof expected, "S appearance.badge desk-1 %lld 100 90\n",
             nine_ms - 30 * 86400000LL - 3600000); // still summer time
    cr_assert(strstr(played.series, expected) != NULL, "%s", played.series);
    played_free(&played);
}

Test(form, what_cannot_be_read_is_told_at_once) {
    static const struct {
        const char *text, *more, *told;
    } cases[] = {
        {"date,desk,from,to,badge\n", "", "no column \"tidy\""},
        {"", "", "a header line is needed"},
        {sheets, "sure: certain\n", "no column \"certain\""},
        {sheets, "  - {column: x, measure: audio.phrase}\n", "audio.phrase"},
        {sheets, "  - {column: x, measure: appearance.badge, values: {yes: high}}\n", "high"},
        {sheets, "day: soon\n", "soon"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct played played =
            stage_play(NULL, entry, stage_file(cases[i].text, false), cases[i].more);
        cr_assert(ne(int, played.err, ERR_END));
        cr_assert(strstr(played.problem.text, cases[i].told) != NULL, "%s", played.problem.text);
        played_free(&played);
    }
}
