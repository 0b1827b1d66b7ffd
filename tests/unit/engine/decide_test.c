// What follows from the decisions of people, and that they can be taken back.

#include "worker/engine/decide.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

enum { STANDARDS = 2 };
static struct standard standards[STANDARDS];
static struct standard_set set = {.count = STANDARDS, .items = standards};
static struct judgement judgements[STANDARDS];
static struct scores scores;
static struct decision decisions[4];

/// The first is violated, the second met; both of one dimension.
static void judge(void) {
    memset(standards, 0, sizeof standards);
    memset(judgements, 0, sizeof judgements);
    memset(decisions, 0, sizeof decisions);
    strcpy(standards[0].id.text, "a");
    strcpy(standards[1].id.text, "b");
    standards[0].weight = standards[1].weight = 1;
    judgements[0] = (struct judgement){VERDICT_NOT_MET, .reason = REASON_UNCONFIRMED};
    judgements[1] =
        (struct judgement){VERDICT_MET, .reason = REASON_HELD, .degree_millionths = MILLION};
    for (int i = 0; i < 4; i++)
        strcpy(decisions[i].standard.text, "a");
}
TestSuite(decide, .init = judge);

static void decide(size_t count) {
    engine_decide(&set, decisions, count, judgements, &scores);
}

static void is(size_t at, enum verdict verdict, enum reason reason, int32_t overall) {
    cr_assert(eq(int, judgements[at].verdict, verdict));
    cr_assert(eq(int, judgements[at].reason, reason));
    cr_assert(eq(i32, scores.overall, overall));
}

Test(decide, without_decisions_everything_is_as_found) {
    decide(0);
    is(0, VERDICT_NOT_MET, REASON_UNCONFIRMED, MILLION / 2);
    cr_assert(judgement_waits(&standards[0], &judgements[0]));
    cr_assert(not(judgements[0].decided));
}

Test(decide, what_is_confirmed_stands) {
    decisions[0].kind = DECISION_CONFIRM;
    decide(1);
    is(0, VERDICT_NOT_MET, REASON_CONFIRMED, MILLION / 2);
    cr_assert(not(judgement_waits(&standards[0], &judgements[0])));
}

Test(decide, what_is_excused_leaves_numerator_and_denominator) {
    decisions[0].kind = DECISION_EXCUSE;
    decide(1);
    is(0, VERDICT_EXCUSED, REASON_PARDONED, MILLION);
    cr_assert(eq(i32, scores.coverage_millionths, MILLION));
}

Test(decide, what_is_disputed_does_not_count_and_coverage_shows_it) {
    decisions[0].kind = DECISION_DISPUTE;
    decide(1);
    is(0, VERDICT_INSUFFICIENT_EVIDENCE, REASON_DISPUTED, MILLION);
    cr_assert(eq(i32, scores.coverage_millionths, MILLION / 2));
    cr_assert(judgement_waits(&standards[0], &judgements[0]));
}

Test(decide, what_is_met_can_be_disputed_but_not_excused) {
    strcpy(decisions[0].standard.text, "b");
    decisions[0].kind = DECISION_EXCUSE;
    decide(1);
    is(1, VERDICT_MET, REASON_HELD, MILLION / 2);
    decisions[0].kind = DECISION_DISPUTE;
    decide(1);
    is(1, VERDICT_INSUFFICIENT_EVIDENCE, REASON_DISPUTED, 0);
}

// However many decisions were put on before, in whatever order they are listed.
Test(decide, the_latest_holds_and_can_be_taken_back) {
    decisions[0].kind = DECISION_EXCUSE;
    decisions[0].decided_ms = 20;
    decisions[1].kind = DECISION_DISPUTE;
    decisions[1].decided_ms = 10;
    decide(1);
    decide(2);
    is(0, VERDICT_EXCUSED, REASON_PARDONED, MILLION);
    decisions[2].kind = DECISION_CONFIRM;
    decisions[2].decided_ms = 30;
    decide(3);
    is(0, VERDICT_NOT_MET, REASON_CONFIRMED, MILLION / 2);
    decisions[3].kind = DECISION_WITHDRAW;
    decisions[3].decided_ms = 40;
    decide(4);
    is(0, VERDICT_NOT_MET, REASON_UNCONFIRMED, MILLION / 2);
    cr_assert(not(judgements[0].decided));
}

// Nobody is asked about what counts nowhere; who decides all the same sees what it would do.
Test(decide, what_is_on_trial_is_decided_alike_and_waits_for_nobody) {
    standards[0].status = STATUS_SHADOW;
    decide(0);
    is(0, VERDICT_NOT_MET, REASON_UNCONFIRMED, MILLION);
    cr_assert(not(judgement_waits(&standards[0], &judgements[0])));
    decisions[0].kind = DECISION_DISPUTE;
    decide(1);
    is(0, VERDICT_INSUFFICIENT_EVIDENCE, REASON_DISPUTED, MILLION);
    cr_assert(eq(i32, scores.coverage_millionths, MILLION));
    cr_assert(not(judgement_waits(&standards[0], &judgements[0])));
}

Test(decide, what_has_no_outcome_cannot_be_decided_about) {
    judgements[0] = (struct judgement){VERDICT_NOT_APPLICABLE, .reason = REASON_OFFERING};
    for (enum decision_kind kind = DECISION_CONFIRM; kind < DECISION_KIND_COUNT; kind++) {
        decisions[0].kind = kind;
        decide(1);
        is(0, VERDICT_NOT_APPLICABLE, REASON_OFFERING, MILLION);
    }
}
