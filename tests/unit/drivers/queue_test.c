#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const char entry[] = "driver: queue\n"
                            "path: %s\n"
                            "key: [date, ticket]\n"
                            "date: date\n"
                            "absent: ['0:00:00']\n"
                            "absent_unless: {called: walk_s}\n"
                            "issued: [issued]\n"
                            "called: [called]\n"
                            "started: [started]\n"
                            "ended: [ended]\n"
                            "left: [left]\n"
                            "outcome:\n"
                            "  column: result\n"
                            "  map: {DONE: normal, LEFT: abandoned, TEST: ignore}\n"
                            "counter: {column: desk}\n"
                            "offering:\n"
                            "  column: topic\n"
                            "  map: {C: cash, a: advice}\n"
                            "language: {default: de}\n"
                            "employee: who\n"
                            "nobody: [NONE]\n"
                            "%s";

#define HEADER "date,ticket,desk,topic,issued,called,walk_s,started,ended,left,result,who\n"

// One day at Central European Time: 2026-11-23 00:00 is this instant.
static const long long day_ms = 1795388400000;

static struct played play(const char *log, const char *more) {
    return stage_play(NULL, entry, stage_file(log, false), more);
}

static void expect_facts(const struct played *played, const char *facts) {
    cr_assert(eq(int, played->err, ERR_END), "%s", played->problem.text);
    cr_assert(eq(str, played->facts, (char *)facts));
}

static void expect_note(const struct played *played, const char *note) {
    cr_assert(ne(ptr, strstr(played->notes, note), NULL), "no \"%s\" in\n%s", note, played->notes);
}

// 09:00:00 issued, called after 270.0 s, started after 22.5 s more, 310.0 s of service.
Test(queue, an_encounter_is_told_at_each_of_its_times_with_what_was_known) {
    struct played played = play(HEADER "2026-11-23,A012,Desk-3,c,9:00:00,9:04:30,22,9:04:52.500,"
                                       "9:10:02.500,0:00:00,DONE,Ada\n",
                                "");
    char *employee = strstr(played.facts, "F 2026-11-23-A012 desk-3 cash de "), expected[1024];
    long long t = day_ms + 9 * 3600000;
    cr_assert(ne(ptr, employee, NULL));
    char *named = strstr(employee, "open"); // the first two times nobody serves yet
    cr_assert(ne(ptr, named, NULL));
    char pseudonym[33] = "";
    sscanf(strstr(played.facts, "normal") - 17, "%32s", pseudonym);
    snprintf(expected, sizeof expected,
             "F 2026-11-23-A012 desk-3 cash de - open %lld - - -\n"
             "F 2026-11-23-A012 desk-3 cash de - open %lld %lld - -\n"
             "F 2026-11-23-A012 desk-3 cash de %s open %lld %lld %lld -\n"
             "F 2026-11-23-A012 desk-3 cash de %s normal %lld %lld %lld %lld\n",
             t, t, t + 270000, pseudonym, t, t + 270000, t + 292500, pseudonym, t, t + 270000,
             t + 292500, t + 602500);
    expect_facts(&played, expected);
    cr_assert(eq(sz, strlen(pseudonym), 16));
    expect_note(&played, "M 1795421402501\n"); // the last time and one millisecond
    played_free(&played);
}

// The rows are in the log's own order; facts go out in the order of time.
Test(queue, facts_go_out_in_the_order_of_time) {
    struct played played =
        play(HEADER "2026-11-23,2,desk-1,a,9:00:30,0:00:00,0,9:01:00,9:03:00,0:00:00,DONE,NONE\n"
                    "2026-11-23,1,desk-2,a,9:00:00,0:00:00,0,9:00:00,9:02:00,0:00:00,DONE,NONE\n",
             "");
    long long t = day_ms + 9 * 3600000;
    char expected[1024];
    snprintf(expected, sizeof expected,
             "F 2026-11-23-1 desk-2 advice de - open %lld - %lld -\n"
             "F 2026-11-23-2 desk-1 advice de - open %lld - - -\n"
             "F 2026-11-23-2 desk-1 advice de - open %lld - %lld -\n"
             "F 2026-11-23-1 desk-2 advice de - normal %lld - %lld %lld\n"
             "F 2026-11-23-2 desk-1 advice de - normal %lld - %lld %lld\n",
             t, t, t + 30000, t + 30000, t + 60000, t, t, t + 120000, t + 30000, t + 60000,
             t + 180000);
    expect_facts(&played, expected);
    cr_assert(not(played.late_fact));
    expect_note(&played, "O no_employee 2\n");
    played_free(&played);
}

Test(queue, a_client_who_left_is_an_abandoned_encounter_without_service) {
    struct played played =
        play(HEADER "2026-11-23,1,desk-1,c,9:00:00,0:00:00,0,9:01:00,9:02:00,9:05:00,"
                    "LEFT,Ada\n",
             "");
    long long t = day_ms + 9 * 3600000;
    char expected[512];
    snprintf(expected, sizeof expected,
             "F 2026-11-23-1 desk-1 cash de - open %lld - - -\n"
             "F 2026-11-23-1 desk-1 cash de - abandoned %lld - - %lld\n",
             t, t, t + 300000);
    expect_facts(&played, expected);
    expect_note(&played, "O service_of_unserved 1\n");
    played_free(&played);
}

// 23:55 issued, 23:59:50 started, 0:03 ended: the end is of the next day; and a call at exactly
// midnight is a time although it looks like none.
Test(queue, an_encounter_may_cross_midnight) {
    struct played played =
        play(HEADER "2026-11-23,1,desk-1,c,23:55:00,0:00:00,5,0:00:05,0:03:00,0:00:00,"
                    "DONE,NONE\n",
             "");
    char expected[512];
    long long midnight = day_ms + 24 * 3600000;
    snprintf(expected, sizeof expected, "normal %lld %lld %lld %lld\n", midnight - 300000, midnight,
             midnight + 5000, midnight + 180000);
    cr_assert(eq(int, played.err, ERR_END));
    cr_assert(ne(ptr, strstr(played.facts, expected), NULL), "%s", played.facts);
    expect_note(&played, "O over_midnight 1\n");
    played_free(&played);
}

// Whatever a log holds is counted under a name; the rest of the log plays on.
Test(queue, every_oddity_has_a_name_and_stops_nothing) {
    struct played played =
        play("# made up\n" HEADER "2026-11-23,1,desk-1,c,9:00:00\n"
             "2026-11-23,2,desk-1,c,9:00:00,0:00:00,0,9:01:00,9:02:00,,WHAT,Ada\n"
             "2026-11-23,3,desk-1,c,9:00:00,0:00:00,0,9:01:00,9:02:00,,TEST,Ada\n"
             "2026-11-23,,desk-1,c,9:00:00,0:00:00,0,9:01:00,9:02:00,,DONE,Ada\n"
             "2026-11-23,4,,c,9:00:00,0:00:00,0,9:01:00,9:02:00,,DONE,Ada\n"
             "2026-11-32,5,desk-1,c,9:00:00,0:00:00,0,9:01:00,9:02:00,,DONE,Ada\n"
             "2026-11-23,6,desk-1,c,9:00:00,0:00:00,0,9:61:00,9:02:00,,DONE,Ada\n"
             "2026-11-23,7,desk-1,c,9:00:00,0:00:00,0,9:03:00,9:02:00,,DONE,Ada\n"
             "2026-11-23,8,desk-1,c,9:00:00,0:00:00,0,0:00:00,9:02:00,,DONE,Ada\n"
             "2026-11-23,9,desk-1,c,9:00:00,0:00:00,0,0:00:00,0:00:00,0:00:00,LEFT,\n"
             "2026-11-23,10,desk-1,c,9:05:00,0:00:00,0,0:00:00,0:00:00,9:04:00,LEFT,\n"
             "2026-11-23,11,desk-1,x y,9:00:02,9:00:03,0,9:00:01,9:00:01,,DONE,Ada\n"
             "2026-11-23,11,desk-2,c,9:00:00,0:00:00,0,9:03:00,9:04:00,,DONE,Ada\n"
             "\n",
             "");
    const char *const notes[] = {
        "O torn_line 1\n",    "O bad_outcome 1\n",        "O ignored 1\n",
        "O bad_key 1\n",      "O bad_counter 1\n",        "O bad_date 1\n",
        "O bad_time 1\n",     "O negative_time 2\n",      "O no_service_time 1\n",
        "O never_queued 1\n", "O called_after_start 1\n", "O issued_after_start 1\n",
        "O zero_length 1\n",  "O bad_offering 1\n",       "O repeated_key 1\n",
        ":3: torn line"};
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
        expect_note(&played, notes[i]);
    cr_assert(eq(int, played.err, ERR_END));
    cr_assert(ne(ptr, strstr(played.facts, "F 2026-11-23-11 desk-1 - de "), NULL));
    // all its times are one: told once
    cr_assert(
        eq(sz, (size_t)(strchr(played.facts, '\n') - played.facts), strlen(played.facts) - 1));
    played_free(&played);
}

static const char day_log[] =
    HEADER "2026-11-23,1,desk-1,c,9:00:00,9:01:00,0,9:02:00,9:09:00,,DONE,Ada\n"
           "2026-11-23,2,desk-2,a,9:01:00,9:01:30,0,9:02:00,9:04:00,,DONE,Bo\n"
           "2026-11-23,3,desk-1,c,9:01:10,0:00:00,0,0:00:00,0:00:00,9:05:00,LEFT,\n"
           "torn\n"
           "2026-11-23,4,desk-2,c,9:04:10,9:04:20,0,9:05:00,9:05:00,,DONE,Ada\n";

// Killed at any moment, a gateway continues exactly where it stood.
Test(queue, a_restart_after_every_turn_gives_the_same_facts) {
    for (int gzip = 0; gzip < 2; gzip++) {
        const char *path = stage_file(day_log, gzip);
        struct played whole = stage_play(NULL, entry, path, "");
        for (uint32_t budget = 1; budget < 16; budget++) {
            struct play options = {.budget = budget, .restart_every = 1};
            struct played played = stage_play(&options, entry, path, "");
            expect_facts(&played, whole.facts);
            cr_assert(eq(str, played.notes, whole.notes));
            cr_assert(le(u32, played.most, budget));
            cr_assert(not(played.late_fact));
            played_free(&played);
        }
        played_free(&whole);
    }
}

Test(queue, the_wanted_day_moves_times_and_ids) {
    struct played played = play(HEADER "2026-07-01,1,desk-1,c,9:00:00,0:00:00,0,9:00:00,9:01:00,,"
                                       "DONE,NONE\n",
                                "day: 2026-11-23\n");
    char expected[256];
    snprintf(expected, sizeof expected, "F 2026-11-23-1 desk-1 cash de - open %lld - %lld -\n",
             day_ms + 9 * 3600000, day_ms + 9 * 3600000);
    cr_assert(eq(int, strncmp(played.facts, expected, strlen(expected)), 0), "%s", played.facts);
    played_free(&played);
}

// Played ten times as fast as recorded, the gateway waits 27 s for what happened 270 s later.
Test(queue, speed_says_how_long_to_wait) {
    const char *path = stage_file(day_log, false);
    struct play options = {.budget = 64, .now_ms = 1000, .stop_at_ms = 1000 + 24000};
    struct played played = stage_play(&options, entry, path, "speed: 10\n");
    cr_assert(eq(int, played.err, ERR_AGAIN));
    size_t facts = 0;
    for (const char *at = played.facts; (at = strchr(at, '\n')); at++)
        facts++;
    // until 9:04:00: 1 issued, 1 called + 2 issued at 9:01, 3 issued, 2 called, 1 and 2 started,
    // 2 ended
    cr_assert(eq(sz, facts, 8), "%s", played.facts);
    expect_note(&played, "M 1795421050000\n"); // 9:04:10, the next
    played_free(&played);
}

Test(queue, a_log_without_the_named_columns_is_refused_with_their_names) {
    struct played played = play("date,ticket\n", "");
    cr_assert(eq(int, played.err, ERR_MISSING));
    cr_assert(ne(ptr, strstr(played.problem.text, "column \"issued\""), NULL), "%s",
              played.problem.text);
    played_free(&played);
}

Test(queue, a_log_over_its_bounds_is_refused) {
    struct played played = play(day_log, "rows_max: 3\n");
    cr_assert(eq(int, played.err, ERR_FULL));
    cr_assert(ne(ptr, strstr(played.problem.text, "rows_max"), NULL));
    played_free(&played);
}

Test(queue, an_outcome_that_is_none_is_refused_where_it_stands) {
    struct played played = stage_play(NULL,
                                      "driver: queue\npath: %s\nkey: [ticket]\n"
                                      "counter: {default: desk-1}\n"
                                      "outcome: {column: result, map: {DONE: fine}}\n",
                                      stage_file(HEADER, false));
    cr_assert(eq(int, played.err, ERR_RANGE));
    cr_assert(ne(ptr, strstr(played.problem.text, "entry.yaml:5"), NULL), "%s",
              played.problem.text);
    played_free(&played);
}

// Without a date column a time holds its own day, with or without an offset.
Test(queue, times_may_be_iso) {
    struct played played = stage_play(
        NULL,
        "driver: queue\npath: %s\nkey: [id]\nstarted: [from]\nended: [to]\n"
        "absent: ['1900-01-01T00:00:00']\ncounter: {default: desk-1}\noutcome: {default: normal}\n",
        stage_file("id;from;to\nx/1;2026-11-23T09:00:00.000Z;2026-11-23T10:05:00\n"
                   "y;1900-01-01T00:00:00;2026-11-23T10:05:00\n",
                   false));
    expect_facts(&played, "F x_1 desk-1 - - - open - - 1795424400000 -\n"
                          "F x_1 desk-1 - - - normal - - 1795424400000 1795424700000\n");
    expect_note(&played, "O no_service_time 1\n");
    played_free(&played);
}
