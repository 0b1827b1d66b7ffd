#include "common/settings/settings.h"
#include "sensors-gw/drivers/registry.h"
#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

// ------------------------------------------------------------------ a file that grows

/// What has come out of a driver that is kept open.
struct seen {
    size_t samples;
    int64_t watermark_ms;
};

static void see(void *context, const struct batch *batch) {
    struct seen *seen = context;
    for (size_t i = 0; i < batch->series_count; i++)
        seen->samples += batch->series[i].columns.count;
    seen->watermark_ms = batch->watermark_ms;
}

static void append(const char *path, const char *text) {
    FILE *file = fopen(path, "a");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(form, sheets_that_are_added_are_handed_over_as_they_come) {
    char path[] = "/tmp/sheetsXXXXXX", yaml[1024];
    close(mkstemp(path));
    append(path, "date;desk;from;to;sure;badge;tidy\n2026-11-23;1;9:00;9:02;1;yes;\n");
    const struct driver *driver = driver_find("form", 4);
    void *state = calloc(1, driver->state_size), *settings = calloc(1, driver->settings_size);
    snprintf(yaml, sizeof yaml, strchr(entry, '\n') + 1, path, "follow: true\nlate_ms: 3600000\n");
    struct problems problems = {0};
    struct problem problem = {0};
    struct document *document = document_parse("e", bytes_of_text(yaml), &problems);
    struct settings_table table = {driver->settings, settings};
    cr_assert(settings_read(document_root(document), &table, 1, &problems), "%s",
              problems.items[0].text);
    struct id counters[] = {{"desk-1"}};
    struct driver_context context = {.measures = &stage_measures,
                                     .zone = &stage_zone,
                                     .counters = counters,
                                     .counter_count = 1,
                                     .settings = settings};
    struct batching_limits limits = {.observations_max = 64,
                                     .body_max = 8192,
                                     .legal_most = LEGAL_P5,
                                     .counters = counters,
                                     .counter_count = 1};
    struct seen seen = {0};
    struct batching *batching = batching_new(&limits, 1, TIME_NONE, see, &seen);
    struct driver_turn turn = {
        .source = batching_source(batching, 0), .utc_ms = nine_ms + 600000, .budget = 64};
    cr_assert(eq(int, driver->open(state, &context, &turn.cursor, &problem), ERR_NONE), "%s",
              problem.text);
    const struct {
        const char *added;
        size_t samples;
    } steps[] = {
        {"", 2},                                    // what was there at the beginning
        {"", 2},                                    // nothing new
        {"2026-11-23;1;9:05;9:08;1;no;\n", 5},      // three minutes more
        {"2026-11-23;1;9:20;9:21;1;no;3\n2026", 7}, // two answers, and half a row
        {"-11-23;1;9:30;9:31;1;;4\n", 8},           // the other half
        {"2026-11-23;1;7:30;7:31;1;yes;\n", 8},     // too late: 1 h 40 min after the visit
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        append(path, steps[i].added);
        turn.now_ms = 1000 * i;
        cr_assert(eq(int, driver->read(state, &turn, &problem), ERR_AGAIN), "%s", problem.text);
        cr_assert(eq(u64, turn.wake_ms, turn.now_ms + 1000));
        batching_cut_watermark(batching);
        cr_assert(eq(sz, seen.samples, steps[i].samples), "step %zu", i);
        cr_assert(eq(i64, seen.watermark_ms, turn.utc_ms - 3600000));
    }
    driver->close(state);
    batching_free(batching);
    document_free(document);
    free(settings);
    free(state);
    unlink(path);
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
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        stage_refused(entry, cases[i].text, cases[i].more, cases[i].told);
}
