#include "worker/engine/score.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct standard standards[4];
static struct judgement judgements[4];
static enum score_model model;

static struct scores score(size_t count, int32_t floor_millionths) {
    struct standard_set set = {.count = count,
                               .items = standards,
                               .coverage_floor_millionths = floor_millionths,
                               .score_model = model};
    struct scores scores;
    score_encounter(&set, judgements, &scores);
    return scores;
}

static void judged(size_t i, enum dimension dimension, uint16_t weight, enum verdict verdict,
                   int32_t degree) {
    standards[i] = (struct standard){.dimension = dimension, .weight = weight};
    judgements[i] = (struct judgement){.verdict = verdict, .degree_millionths = degree};
}

// A dimension with many standards must not outweigh one with few.
Test(score, dimensions_count_alike_and_weights_count_within_one) {
    judged(0, DIMENSION_TIMING, 3, VERDICT_MET, MILLION);
    judged(1, DIMENSION_TIMING, 1, VERDICT_NOT_MET, 0);
    judged(2, DIMENSION_PROXEMICS, 1, VERDICT_PARTLY_MET, 250000);
    struct scores scores = score(3, 0);
    cr_assert(eq(i32, scores.dimensions[DIMENSION_TIMING], 750000));
    cr_assert(eq(i32, scores.dimensions[DIMENSION_PROXEMICS], 250000));
    cr_assert(eq(i32, scores.dimensions[DIMENSION_SAFETY], -1));
    cr_assert(eq(i32, scores.overall, 500000));
    cr_assert(eq(i32, scores.coverage_millionths, MILLION));
}

Test(score, flat_it_is_one_mean_of_all_by_their_weights) {
    judged(0, DIMENSION_TIMING, 3, VERDICT_MET, MILLION);
    judged(1, DIMENSION_TIMING, 1, VERDICT_NOT_MET, 0);
    judged(2, DIMENSION_PROXEMICS, 2, VERDICT_PARTLY_MET, 250000);
    model = SCORE_FLAT;
    struct scores scores = score(3, 0);
    model = SCORE_HIERARCHICAL;
    cr_assert(eq(i32, scores.dimensions[DIMENSION_TIMING], 750000));
    cr_assert(eq(i32, scores.dimensions[DIMENSION_PROXEMICS], 250000));
    cr_assert(eq(i32, scores.overall, 583333));
}

// What nobody could see must neither help nor harm; it shows in the coverage.
Test(score, insufficient_evidence_leaves_the_mean_and_lowers_the_coverage) {
    judged(0, DIMENSION_TIMING, 1, VERDICT_MET, MILLION);
    judged(1, DIMENSION_PROXEMICS, 3, VERDICT_INSUFFICIENT_EVIDENCE, -1);
    struct scores scores = score(2, 250000);
    cr_assert(eq(i32, scores.overall, MILLION));
    cr_assert(eq(i32, scores.coverage_millionths, 250000));
}

Test(score, below_the_coverage_floor_there_is_no_score) {
    judged(0, DIMENSION_TIMING, 1, VERDICT_MET, MILLION);
    judged(1, DIMENSION_PROXEMICS, 3, VERDICT_INSUFFICIENT_EVIDENCE, -1);
    struct scores scores = score(2, 250001);
    cr_assert(eq(i32, scores.overall, -1));
    cr_assert(eq(i32, scores.dimensions[DIMENSION_TIMING], MILLION));
    cr_assert(eq(i32, scores.coverage_millionths, 250000));
}

Test(score, what_does_not_apply_is_not_missing_either) {
    judged(0, DIMENSION_TIMING, 1, VERDICT_MET, MILLION);
    judged(1, DIMENSION_PROXEMICS, 9, VERDICT_NOT_APPLICABLE, -1);
    judged(2, DIMENSION_PROXEMICS, 9, VERDICT_EXCUSED, -1);
    judged(3, DIMENSION_PROXEMICS, 9, VERDICT_NOT_SELECTED, -1);
    struct scores scores = score(4, MILLION);
    cr_assert(eq(i32, scores.overall, MILLION));
    cr_assert(eq(i32, scores.dimensions[DIMENSION_PROXEMICS], -1));
    cr_assert(eq(i32, scores.coverage_millionths, MILLION));
}

Test(score, what_is_on_trial_takes_no_part) {
    judged(0, DIMENSION_TIMING, 1, VERDICT_MET, MILLION);
    judged(1, DIMENSION_TIMING, 9, VERDICT_NOT_MET, 0);
    judged(2, DIMENSION_SAFETY, 9, VERDICT_INSUFFICIENT_EVIDENCE, -1);
    standards[1].status = standards[2].status = STATUS_SHADOW;
    struct scores scores = score(3, MILLION);
    cr_assert(eq(i32, scores.overall, MILLION));
    cr_assert(eq(i32, scores.dimensions[DIMENSION_TIMING], MILLION));
    cr_assert(eq(i32, scores.dimensions[DIMENSION_SAFETY], -1));
    cr_assert(eq(i32, scores.coverage_millionths, MILLION));
}

Test(score, without_any_outcome_there_is_no_score_even_without_a_floor) {
    judged(0, DIMENSION_TIMING, 1, VERDICT_ERROR, -1);
    struct scores scores = score(1, 0);
    cr_assert(eq(i32, scores.overall, -1));
    cr_assert(eq(i32, scores.coverage_millionths, 0));
    cr_assert(eq(i32, score(0, 0).coverage_millionths, -1));
}
