#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void expect_note(const struct played *played, const char *note) {
    cr_assert(ne(ptr, strstr(played->notes, note), NULL), "no \"%s\" in\n%s", note, played->notes);
}

static struct played play(const char *text, const char *more) {
    struct played played =
        stage_play(NULL, "driver: jsonl\npath: %s\n%s", stage_file(text, false), more);
    cr_assert(eq(int, played.err, ERR_END), "%s", played.problem.text);
    return played;
}

static const char tickets[] =
    "{\"v\":1,\"t\":\"2026-11-23T09:00:00.000+00:00\",\"ticket\":\"A012\",\"ev\":\"issued\","
    "\"queue\":\"cash\"}\n"
    "{\"v\":1,\"t\":\"2026-11-23T09:04:30.000Z\",\"ticket\":\"A012\",\"ev\":\"called\",\"queue\":"
    "\"cash\",\"desk\":\"3\"}\n"
    "{\"v\":1,\"t\":\"2026-11-23T09:04:52.500Z\",\"ticket\":\"A012\",\"ev\":\"started\",\"desk\":"
    "\"3\"}\n"
    "{\"v\":1,\"t\":\"2026-11-23T09:10:02.500Z\",\"ticket\":\"A012\",\"ev\":\"ended\",\"desk\":"
    "\"3\"}\n";

// Wait to call 270.0 s, walk 22.5 s, service 310.0 s.
Test(jsonl, tickets_become_encounters) {
    struct played played = play(tickets, "desk_prefix: desk-\n");
    const long long t = 1795424400000;
    char expected[1024];
    snprintf(expected, sizeof expected,
             "F A012-2026-11-23 desk-3 cash - - open %lld %lld - -\n"
             "F A012-2026-11-23 desk-3 cash - - open %lld %lld %lld -\n"
             "F A012-2026-11-23 desk-3 cash - - normal %lld %lld %lld %lld\n",
             t, t + 270000, t, t + 270000, t + 292500, t, t + 270000, t + 292500, t + 602500);
    cr_assert(eq(str, played.facts, expected));
    cr_assert(not(played.late_fact)); // the ticket held the watermark back until it was called
    played_free(&played);
}

Test(jsonl, a_ticket_without_a_counter_is_counted) {
    struct played played =
        play("{\"t\":1000,\"ticket\":\"1\",\"ev\":\"issued\"}\n"
             "{\"t\":2000,\"ticket\":\"1\",\"ev\":\"abandoned\"}\n"
             "{\"t\":3000,\"ticket\":\"2\",\"ev\":\"issued\"}\n"
             "{\"t\":9000,\"ticket\":\"2\",\"ev\":\"lunch\"}\n"
             "{\"t\":90000000,\"ticket\":\"3\",\"ev\":\"issued\",\"desk\":\"desk-1\"}\n",
             "");
    cr_assert(eq(str, played.facts, "F 3-1970-01-02 desk-1 - - - open 90000000 - - -\n"));
    expect_note(&played, "O no_counter 1\n");
    expect_note(&played, "O other_event 1\n");
    expect_note(&played, "O ticket_never_ended 1\n");
    played_free(&played);
}

static const char observations[] =
    "{\"t\":\"2026-11-23T09:00:00Z\",\"measure\":\"distance.client\",\"counter\":\"desk-1\","
    "\"value\":1.234,\"confidence\":0.9}\n"
    "{\"t\":1795424401000,\"measure\":\"distance.client\",\"value\":2}\n"
    "{\"watch\":{\"measure\":\"audio.phrase\",\"counter\":\"desk-1\",\"from\":1795424400500,"
    "\"to\":1795424402000}}\n"
    "{\"t\":1795424401500,\"measure\":\"audio.phrase\",\"counter\":\"desk-1\",\"label\":"
    "\"greeting.de\"}\n"
    "{\"fact\":\"encounter\",\"id\":\"e-1\",\"counter\":\"desk-1\",\"offering\":\"cash\","
    "\"language\":\"de\",\"employee\":\"Ada\",\"outcome\":\"normal\",\"started\":1795424401000,"
    "\"ended\":1795424402000}\n"
    "{\"fact\":\"withdrawn\",\"id\":\"e-0\",\"reason\":\"mistake\"}\n"
    "{\"fact\":\"gap\",\"counter\":\"desk-1\",\"from\":1795424402000,\"to\":1795424403000,"
    "\"reason\":\"power\"}\n"
    "{\"watermark\":1795424402500}\n";

Test(jsonl, every_form_of_a_line_is_taken) {
    struct played played = play(observations, "counter: desk-4\nconfidence: 0.5\n");
    cr_assert(eq(str, played.series,
                 "E audio.phrase desk-1 1795424401500 greeting.de 50\n"
                 "S distance.client desk-1 1795424400000 123 90\n"
                 "S distance.client desk-4 1795424401000 200 50\n"
                 "W audio.phrase desk-1 1795424400500 1795424402000\n"
                 "W distance.client desk-1 1795424400000 1795424400001\n"
                 "W distance.client desk-4 1795424401000 1795424401001\n"));
    cr_assert(eq(int, strncmp(played.facts, "F e-1 desk-1 cash de ", 21), 0), "%s", played.facts);
    cr_assert(ne(ptr, strstr(played.facts, " normal - - 1795424401000 1795424402000\n"), NULL));
    cr_assert(ne(ptr, strstr(played.facts, "X e-0 mistake\n"), NULL));
    cr_assert(ne(ptr, strstr(played.facts, "G desk-1 1795424402000 1795424403000 power\n"), NULL));
    cr_assert(eq(ptr, strstr(played.facts, "Ada"), NULL)); // a name never leaves
    expect_note(&played, "M 1795424403001\n");
    played_free(&played);
}

// A sensor's broken line costs that line only, and somebody learns which one it was.
Test(jsonl, unusable_lines_are_counted_and_the_first_is_named) {
    char text[200000], *at = text;
    at += sprintf(at, "{\"t\":1000,\"measure\":\"distance.moon\",\"counter\":\"desk-1\","
                      "\"value\":1}\n{\"t\":1000,\"meas\n[1]\n"
                      "{\"t\":1000,\"t\":2000}\n"
                      "{\"t\":1000,\"measure\":\"distance.client\",\"value\":1}\n"
                      "{\"t\":\"noon\",\"measure\":\"distance.client\",\"counter\":\"desk-1\","
                      "\"value\":1}\n"
                      "{\"v\":2,\"t\":1000}\n{\"fact\":\"party\"}\n\"\xff\xfe\"\n");
    at += sprintf(at, "{\"x\":\"");
    memset(at, 'x', 70000);
    at += 70000;
    sprintf(at, "\"}\n{\"t\":1000,\"measure\":\"distance.client\",\"counter\":\"desk-1\","
                "\"value\":1}\n");
    struct played played = play(text, "");
    cr_assert(eq(str, played.series,
                 "S distance.client desk-1 1000 100 100\n"
                 "W distance.client desk-1 1000 1001\n"));
    expect_note(&played, "O undeclared_measure 1\n");
    expect_note(&played, "O torn_line 4\n");
    expect_note(&played, "O bad_field 3\n");
    expect_note(&played, "O unknown_version 1\n");
    expect_note(&played, "O long_line 1\n");
    expect_note(&played, ":1: \"distance.moon\" is a measure that measures.yaml does not declare");
    played_free(&played);
}

// Nobody says when this sensor watched: from its first sample to its last.
static const char every_five_s[] =
    "{\"t\":1795424400000,\"measure\":\"distance.client\",\"value\":1}\n"
    "{\"t\":1795424405000,\"measure\":\"distance.client\",\"value\":1}\n"
    "{\"t\":1795424410000,\"measure\":\"distance.client\",\"value\":2}\n"
    "{\"t\":1795424415000,\"measure\":\"distance.client\",\"value\":2}\n";

Test(jsonl, a_restart_after_every_turn_gives_the_same) {
    char text[8192];
    snprintf(text, sizeof text, "%s%s\n", tickets, "{\"torn");
    const char *files[] = {stage_file(text, true), stage_file(observations, false),
                           stage_file(every_five_s, false)};
    for (size_t i = 0; i < 3; i++) {
        static const char form[] = "driver: jsonl\npath: %s\ndesk_prefix: desk-\ncounter: desk-4\n"
                                   "day: 2026-12-01\n";
        struct played whole = stage_play(NULL, form, files[i]);
        struct play options = {.budget = 1, .restart_every = 1};
        struct played played = stage_play(&options, form, files[i]);
        cr_assert(eq(int, played.err, ERR_END));
        cr_assert(eq(str, played.facts, whole.facts));
        cr_assert(eq(str, played.series, whole.series));
        cr_assert(ge(u32, played.restarts, 4));
        const char *moved = i == 2 ? whole.series : whole.facts;
        cr_assert(ne(ptr, strstr(moved, i ? "17961" : "A012-2026-12-01"), NULL));
        played_free(&played);
        played_free(&whole);
    }
}

Test(jsonl, the_watermark_follows_by_the_lateness_or_by_the_sensors_own_word) {
    static const char text[] =
        "{\"t\":50000,\"measure\":\"distance.client\",\"counter\":\"desk-1\",\"value\":1}\n"
        "{\"watermark\":20000}\n"
        "{\"t\":60000,\"measure\":\"distance.client\",\"counter\":\"desk-1\",\"value\":1}\n"
        "{\"t\":61000,\"measure\":\"distance.client\",\"counter\":\"desk-1\",\"value\":1}\n";
    struct play options = {.budget = 64, .now_ms = 0, .stop_at_ms = 10000};
    const char *path = stage_file(text, false);
    struct played played =
        stage_play(&options, "driver: jsonl\npath: %s\nspeed: 1\nlateness_ms: 1500\n", path);
    cr_assert(eq(int, played.err, ERR_AGAIN)); // the last line is due at 11 s
    expect_note(&played, "M 58500\n");
    played_free(&played);
    played =
        stage_play(&options, "driver: jsonl\npath: %s\nspeed: 1\nown_watermarks: true\n", path);
    expect_note(&played, "M 20000\n");
    played_free(&played);
}

// A sensor in any language: a program that prints lines.
Test(jsonl, a_command_that_ends_well_is_over_and_one_that_fails_is_broken) {
    struct played played = {0};
    const char *commands[] = {"echo", "exit 3; echo"};
    for (size_t i = 0; i < 2; i++) {
        // The stage does not wait for descriptors, so it reads until the child has ended.
        do {
            if (played.notes) played_free(&played);
            played = stage_play(
                NULL,
                "driver: jsonl\ncommand: '%s ''{\"t\":1000,\"measure\":\"distance.client\","
                "\"counter\":\"desk-1\",\"value\":1}'' '\n",
                commands[i]);
        } while (played.err == ERR_AGAIN);
        cr_assert(eq(int, played.err, i ? ERR_IO : ERR_END), "%s", played.problem.text);
        cr_assert(eq(sz, strlen(played.facts), 0));
        if (i == 0)
            cr_assert(ne(ptr, strstr(played.series, "S distance.client desk-1 1000 100"), NULL));
        else
            cr_assert(ne(ptr, strstr(played.problem.text, "status 3"), NULL));
        played_free(&played);
        played = (struct played){0};
    }
}

Test(jsonl, a_measure_that_it_brings_must_be_declared) {
    struct played played = stage_play(NULL, "driver: jsonl\npath: x\nmeasures: [%s]\n", "no.such");
    cr_assert(eq(int, played.err, ERR_MISSING));
    cr_assert(ne(ptr, strstr(played.problem.text, "no.such"), NULL));
    played_free(&played);
}

Test(jsonl, exactly_one_input_is_needed) {
    struct played played = stage_play(NULL, "driver: %s\n", "jsonl");
    cr_assert(eq(int, played.err, ERR_CONFLICT));
    played_free(&played);
}
