// What people decide, from the file of the office.

#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const char entry[] = "driver: decisions\npath: %s\nfollow: false\n";

#define LINE(STANDARD)                                                                             \
    "{\"encounter\":\"A0\",\"counter\":\"desk-1\",\"began\":1795388400000,\"standard\":"           \
    "\"" STANDARD                                                                                  \
    "\",\"decision\":\"excuse\",\"decided\":1795388500000,\"by\":\"eva\",\"why\":\"fire drill\"}"
#define SAID(STANDARD)                                                                             \
    "D A0 desk-1 " STANDARD " excuse 1795388400000 1795388500000 eva fire drill\n"

Test(decisions_driver, each_line_is_a_decision) {
    struct played played =
        stage_play(NULL, entry, stage_file(LINE("a") "\n" LINE("b") "\n", false));
    cr_assert(eq(int, played.err, ERR_END), "%s", played.problem.text);
    cr_assert(eq(str, played.facts, SAID("a") SAID("b")));
    played_free(&played);
}

Test(decisions_driver, a_restart_after_every_turn_gives_the_same) {
    struct play options = {.budget = 1, .restart_every = 1};
    struct played played = stage_play(
        &options, entry, stage_file(LINE("a") "\n" LINE("b") "\n" LINE("c") "\n", false));
    cr_assert(eq(str, played.facts, SAID("a") SAID("b") SAID("c")));
    cr_assert(gt(u32, played.restarts, 1));
    cr_assert(eq(u32, played.most, 1));
    played_free(&played);
}

// tresenctl is writing it: the next look will see the whole of it.
Test(decisions_driver, a_line_without_its_end_waits) {
    struct played played = stage_play(NULL, entry, stage_file(LINE("a") "\n" LINE("b"), false));
    cr_assert(eq(str, played.facts, SAID("a")));
    played_free(&played);
}

Test(decisions_driver, what_is_no_decision_is_left_out_named_and_counted) {
    static char text[10000];
    memset(text, 'x', 9000);
    strcpy(text + 9000, "\n{\"encounter\": 7}\n\n" LINE("a") "\n");
    struct played played = stage_play(NULL, entry, stage_file(text, false));
    cr_assert(eq(str, played.facts, SAID("a")));
    cr_assert(strstr(played.notes, "O bad_decision 4") != NULL, "%s", played.notes);
    cr_assert(strstr(played.notes, "at byte 0: not a decision") != NULL, "%s", played.notes);
    played_free(&played);
}

Test(decisions_driver, a_file_that_is_not_there_holds_no_decisions_yet) {
    struct played played = stage_play(NULL, entry, "/nowhere/decisions.jsonl");
    cr_assert(eq(int, played.err, ERR_END));
    cr_assert(eq(str, played.facts, ""));
    played_free(&played);
}
