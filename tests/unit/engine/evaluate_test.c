// The rules one by one; differential_test.py checks their combinations.

#include "worker/engine/evaluate.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

enum { MEMBERS_MAX = 256 };
static const int64_t START = INT64_C(1700000000000);

static const struct measure distance = {.id = {"distance.client"},
                                        .key = 11,
                                        .kind = MEASURE_SAMPLES,
                                        .resolution = 0.01,
                                        .uncertainty = 0.05};
static const struct measure phrases = {.id = {"audio.phrase"}, .key = 12, .kind = MEASURE_EVENTS};

/// An encounter of 100 s waiting and 200 s service, one standard, one series.
static struct standard standard;
static struct encounter encounter;
static struct series series;
static struct span spans[4];
static int32_t t_ms[MEMBERS_MAX], values[MEMBERS_MAX];
static uint8_t confidences[MEMBERS_MAX];
static const struct name labels[] = {{"greeting"}, {"farewell"}};
static struct engine_context context;
static struct judgement out;
static struct scores scores;

static void set_up(void) {
    encounter = (struct encounter){.id = {"e1"},
                                   .outcome = OUTCOME_NORMAL,
                                   .issued_ms = START,
                                   .called_ms = TIME_NONE,
                                   .started_ms = START + 100000,
                                   .ended_ms = START + 300000};
    standard = (struct standard){
        .id = {"s"},
        .status = STATUS_ACTIVE,
        .weight = 1,
        .permitted = true,
        .any_offering = true,
        .outcomes = UINT32_MAX,
        .measure = distance,
        .during = {.phase = PHASE_SERVICE},
        .band = {BOUND_OPEN_LEAST, BOUND_OPEN_MOST},
        .bound = {BOUND_OPEN_LEAST, BOUND_OPEN_MOST},
        .step = 0.01,
        .least_coverage_millionths = 500000,
        .least_confidence = 50,
        .largest_gap_ms = 1000,
    };
    series = (struct series){.measure = &distance,
                             .base_ms = START,
                             .columns = {0, t_ms, values, confidences},
                             .spans = spans,
                             .label_count = 2,
                             .labels = labels};
    context = (struct engine_context){0};
}

static void watched(int32_t from_ms, int32_t to_ms) {
    spans[series.span_count++] = (struct span){START + from_ms, START + to_ms};
}

static void member(int32_t at_ms, int32_t value, uint8_t confidence) {
    size_t i = series.columns.count++;
    t_ms[i] = at_ms;
    values[i] = value;
    confidences[i] = confidence;
}

static enum verdict evaluate(void) {
    struct standard_set set = {.count = 1, .items = &standard};
    engine_evaluate(&set, &encounter, &series, 1, &context, &out, &scores);
    return out.verdict;
}

#define ASSERT_VERDICT(want_verdict, want_reason)                                                  \
    do {                                                                                           \
        evaluate();                                                                                \
        cr_assert(eq(str, (char *)verdict_name(out.verdict), (char *)verdict_name(want_verdict))); \
        cr_assert(eq(str, (char *)reason_name(out.reason), (char *)reason_name(want_reason)));     \
    } while (0)

TestSuite(evaluate, .init = set_up);

static void ask_wait_at_most(int64_t most_ms) {
    standard.statistic = STATISTIC_DURATION;
    standard.during.phase = PHASE_WAITING;
    standard.step = 0.001;
    standard.bound.most = most_ms;
}

Test(evaluate, a_duration_needs_no_sensor) {
    ask_wait_at_most(100000);
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
    cr_assert(epsilon_eq(dbl, out.measured, 100.0, 1e-9));
    cr_assert(eq(i32, out.coverage_millionths, MILLION));
    ask_wait_at_most(99999);
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    cr_assert(epsilon_eq(dbl, out.limit, 99.999, 1e-9));
    cr_assert(eq(i64, out.worst.from_ms, START));
    cr_assert(eq(i64, out.worst.to_ms, START + 100000));
}

// Two clocks that disagree must not make somebody late.
Test(evaluate, times_of_two_gateways_carry_the_sum_of_their_errors) {
    ask_wait_at_most(99000);
    context.times_error_ms = 999;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    context.times_error_ms = 1000;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND);
}

Test(evaluate, a_phase_that_did_not_happen_is_not_applicable) {
    ask_wait_at_most(1);
    encounter.issued_ms = TIME_NONE;
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_PHASE_MISSING);
    cr_assert(isnan(out.measured));
}

// Else only those clients would speak who could stay.
Test(evaluate, who_gives_up_after_the_bound_was_not_served_in_time) {
    ask_wait_at_most(120000);
    standard.degree_count = 2;
    standard.degree[0] = (struct degree_point){120000, MILLION};
    standard.degree[1] = (struct degree_point){600000, 0};
    encounter.started_ms = TIME_NONE;
    encounter.outcome = OUTCOME_ABANDONED;
    encounter.ended_ms = START + 120000;
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_LEFT_EARLY);
    encounter.ended_ms = START + 120001;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_GAVE_UP);
    cr_assert(eq(i32, out.degree_millionths, 0));
    cr_assert(epsilon_eq(dbl, out.measured, 120.001, 1e-9));
    cr_assert(eq(i64, out.worst.to_ms, encounter.ended_ms));
    context.times_error_ms = 1;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND);
}

// A client who is called and not there has not waited longer than until the call.
Test(evaluate, a_no_show_did_not_give_up) {
    ask_wait_at_most(120000);
    encounter.started_ms = TIME_NONE;
    encounter.outcome = OUTCOME_NO_SHOW;
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_PHASE_MISSING);
}

Test(evaluate, served_at_once_is_a_wait_of_zero) {
    ask_wait_at_most(0);
    encounter.issued_ms = encounter.started_ms;
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
}

Test(evaluate, contradicting_times_are_an_error_and_not_a_judgement) {
    ask_wait_at_most(1000000);
    encounter.issued_ms = encounter.ended_ms + 1;
    ASSERT_VERDICT(VERDICT_ERROR, REASON_BAD_DATA);
    cr_assert(eq(i32, scores.overall, -1));
}

Test(evaluate, offering_and_outcome_decide_what_applies) {
    struct standard_set set = {.count = 1, .items = &standard, .offering_count = 2};
    id_set(&set.offerings[0].id, "cash", 4);
    id_set(&set.offerings[1].id, "advice", 6);
    ask_wait_at_most(100000);
    standard.any_offering = false;
    standard.offerings = 1 << 1;
    id_set(&encounter.offering, "cash", 4);
    engine_evaluate(&set, &encounter, NULL, 0, &context, &out, &scores);
    cr_assert(eq(int, out.reason, REASON_OFFERING));
    id_set(&encounter.offering, "advice", 6);
    engine_evaluate(&set, &encounter, NULL, 0, &context, &out, &scores);
    cr_assert(eq(int, out.verdict, VERDICT_MET));
    id_set(&encounter.offering, "unknown", 7);
    engine_evaluate(&set, &encounter, NULL, 0, &context, &out, &scores);
    cr_assert(eq(int, out.reason, REASON_OFFERING));

    standard.any_offering = true;
    standard.outcomes = 1u << OUTCOME_ABANDONED;
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_OUTCOME);
}

// On trial a standard says what it would say, and nobody's score feels it.
Test(evaluate, a_shadow_standard_is_judged_like_any_other_and_moves_no_score) {
    ask_wait_at_most(1);
    standard.status = STATUS_SHADOW;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    cr_assert(epsilon_eq(dbl, out.measured, 100.0, 1e-9));
    cr_assert(eq(dbl, out.limit, 0.001));
    cr_assert(eq(i32, out.coverage_millionths, MILLION));
    cr_assert(eq(i32, out.degree_millionths, 0));
    cr_assert(ne(i64, out.worst.from_ms, TIME_NONE));
    cr_assert(eq(i32, scores.overall, -1));
    cr_assert(eq(i32, scores.coverage_millionths, -1));

    standard.severity = SEVERITY_AUTO_FAIL;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_UNCONFIRMED);
    standard.permitted = false;
    standard.barred_by = REASON_AGREEMENT;
    ASSERT_VERDICT(VERDICT_NOT_SELECTED, REASON_AGREEMENT);
}

Test(evaluate, without_the_agreement_nothing_is_measured) {
    ask_wait_at_most(1);
    standard.permitted = false;
    standard.barred_by = REASON_AGREEMENT;
    ASSERT_VERDICT(VERDICT_NOT_SELECTED, REASON_AGREEMENT);
    cr_assert(isnan(out.measured));
}

static void ask_min_distance(int64_t least_cm) {
    standard.statistic = STATISTIC_MIN;
    standard.bound.least = least_cm;
}

// One sample a second over the whole service.
static void a_second_apart(int32_t value) {
    watched(100000, 300000);
    for (int32_t at_ms = 100000; at_ms < 300000; at_ms += 1000)
        member(at_ms, value, 100);
}

Test(evaluate, guard_band_each_side) {
    ask_min_distance(45);
    standard.uncertainty = 5;
    a_second_apart(80);
    values[10] = 45;
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
    values[10] = 44;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND);
    values[10] = 40;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND);
    values[10] = 39;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    cr_assert(epsilon_eq(dbl, out.measured, 0.39, 1e-9));
    cr_assert(eq(i64, out.worst.from_ms, START + 110000));
    cr_assert(eq(i64, out.worst.to_ms, START + 111000));
}

// Whoever leans over just after the service must not be counted into it by a wrong clock.
Test(evaluate, a_sample_near_the_end_counts_only_if_the_clocks_can_tell) {
    ask_min_distance(45);
    a_second_apart(80);
    values[199] = 10; // at 299 s; the service ends at 300 s
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    series.clock_error_ms = 600;
    context.clock_error_ms = 399;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    context.clock_error_ms = 401;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND);
}

// Confidence gates; it does not multiply.
Test(evaluate, an_unconfident_sample_is_not_used_at_all) {
    ask_min_distance(45);
    a_second_apart(80);
    values[10] = 1;
    confidences[10] = 49;
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
    cr_assert(eq(i32, out.coverage_millionths, 995000));
    confidences[10] = 50;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
}

Test(evaluate, half_of_the_phase_is_enough_if_the_standard_says_so) {
    ask_min_distance(45);
    watched(100000, 200000);
    for (int32_t at_ms = 100000; at_ms < 200000; at_ms += 1000)
        member(at_ms, 1, 100);
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    cr_assert(eq(i32, out.coverage_millionths, 500000));
    spans[0].to_ms--;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_COVERAGE);
    cr_assert(eq(i32, out.coverage_millionths, 499995));
    cr_assert(epsilon_eq(dbl, out.measured, 0.01, 1e-9));
}

Test(evaluate, no_sensor_and_no_usable_sample_are_told_apart) {
    ask_min_distance(45);
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_NO_SENSOR);
    watched(100000, 300000);
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_NO_SAMPLE);
    struct standard_set set = {.count = 1, .items = &standard};
    engine_evaluate(&set, &encounter, NULL, 0, &context, &out, &scores);
    cr_assert(eq(int, out.reason, REASON_NO_SENSOR));
}

// A sample speaks until the next one, but not for ever.
Test(evaluate, a_sample_speaks_no_longer_than_the_largest_gap) {
    standard.statistic = STATISTIC_SHARE;
    standard.step = 1e-4;
    standard.least_coverage_millionths = 0;
    standard.largest_gap_ms = 2000;
    standard.band = (struct bounds){45, 120};
    standard.bound.least = 750000;
    watched(100000, 300000);
    member(100000, 80, 100);  // in the band for 1 s
    member(101000, 300, 100); // outside for 1 s
    member(102000, 80, 100);  // in the band for 2 s, then nothing is known
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
    cr_assert(epsilon_eq(dbl, out.measured, 75.0, 1e-9));
    cr_assert(eq(i32, out.coverage_millionths, 20000));
}

static void ask_greeting_within(int64_t most_ms) {
    standard.statistic = STATISTIC_FIRST_AFTER_START;
    standard.measure = phrases;
    series.measure = &phrases;
    standard.label_count = 1;
    standard.labels[0] = labels[0];
    standard.step = 0.001;
    standard.bound.most = most_ms;
    standard.during.phase = PHASE_SERVICE;
}

Test(evaluate, not_heard_is_not_met_only_if_somebody_listened) {
    ask_greeting_within(10000);
    watched(100000, 300000);
    member(105000, 1, 100); // a farewell
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_NOT_OBSERVED);
    cr_assert(isnan(out.measured));
    cr_assert(epsilon_eq(dbl, out.limit, 10.0, 1e-9));
    spans[0].from_ms += 100001;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_COVERAGE);
}

// The microphone's clock and the desk's clock are two.
Test(evaluate, a_phrase_just_before_the_start_may_have_been_after_it) {
    ask_greeting_within(10000);
    watched(100000, 300000);
    member(99800, 0, 100);
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_NOT_OBSERVED);
    series.clock_error_ms = 100;
    context.clock_error_ms = 100;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND);
}

/// A greeting between the start and the first or last farewell.
static void ask_greeting_before(bool last) {
    series.measure = &phrases;
    standard.measure = phrases;
    standard.statistic = STATISTIC_COUNT_EVENTS;
    standard.step = 1;
    standard.label_count = 1;
    standard.labels[0] = labels[0];
    standard.bound.least = 1;
    standard.least_coverage_millionths = 800000;
    standard.during = (struct during){
        .phase = PHASE_SPAN,
        .from = {.kind = ANCHOR_STARTED},
        .to = {.kind = ANCHOR_EVENT,
               .last = last,
               .measure = phrases,
               .label_count = 1,
               .labels = {labels[1]}},
    };
}

Test(evaluate, an_event_may_be_where_a_span_ends) {
    ask_greeting_before(false);
    watched(0, 300000);
    member(110000, 0, 90);
    member(150000, 1, 90);
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
    t_ms[0] = 150000; // at once is too late
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_NOT_OBSERVED);
    cr_assert(eq(i64, out.worst.from_ms, START + 100000));
    cr_assert(eq(i64, out.worst.to_ms, START + 150000));
}

// Nothing was told before it was asked: there is nothing to judge.
Test(evaluate, without_the_event_a_span_is_not_applicable) {
    ask_greeting_before(false);
    watched(0, 300000);
    member(50000, 1, 90); // said to the client before
    member(110000, 0, 90);
    member(150000, 1, 49); // perhaps
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_PHASE_MISSING);
}

// A microphone that was off has heard no event, and proves nothing by it.
Test(evaluate, an_event_that_nobody_could_hear_is_not_missing) {
    ask_greeting_before(false);
    watched(100000, 250000);
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_COVERAGE);
    cr_assert(eq(i32, out.coverage_millionths, 750000));
    spans[0].to_ms = START + 260000;
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_PHASE_MISSING);
    spans[0] = (struct span){START, START + 100000};
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_NO_SENSOR);
}

// Which one was the first is known only if somebody listened before it.
Test(evaluate, the_first_event_is_known_from_what_was_watched_before_it) {
    static struct span looked[] = {{0, 0}};
    looked[0] = (struct span){START, START + 300000};
    ask_greeting_before(false);
    standard.measure = distance;
    standard.statistic = STATISTIC_MIN;
    standard.step = 0.01;
    standard.bound.least = 40;
    int32_t at_ms = 100000, value = 10;
    uint8_t confidence = 90;
    standard.largest_gap_ms = 300000;
    struct series both[] = {series,
                            {.measure = &distance,
                             .base_ms = START,
                             .columns = {1, &at_ms, &value, &confidence},
                             .span_count = 1,
                             .spans = looked}};
    spans[0] = (struct span){START + 130000, START + 300000};
    both[0].span_count = 1;
    both[0].columns.count = 1;
    t_ms[0] = 150000, values[0] = 1, confidences[0] = 90;
    struct standard_set set = {.count = 1, .items = &standard};
    engine_evaluate(&set, &encounter, both, 2, &context, &out, &scores);
    cr_assert(eq(i32, (int)out.verdict, VERDICT_INSUFFICIENT_EVIDENCE));
    cr_assert(eq(i32, out.coverage_millionths, 400000));
    standard.during.to.last = true; // what comes behind was heard
    engine_evaluate(&set, &encounter, both, 2, &context, &out, &scores);
    cr_assert(eq(i32, (int)out.verdict, VERDICT_NOT_MET));
}

// Two clocks cannot tell whether what was said in the first second was said to this client.
Test(evaluate, an_event_that_may_be_another_ones_accuses_nobody) {
    ask_greeting_before(false);
    watched(0, 300000);
    member(100500, 1, 90);
    member(150000, 0, 90);
    member(200000, 1, 90);
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_NOT_OBSERVED);
    series.clock_error_ms = 300, context.clock_error_ms = 300;
    ASSERT_VERDICT(VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND);
    series.clock_error_ms = 300, context.clock_error_ms = 200;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_NOT_OBSERVED);
}

Test(evaluate, an_answer_may_be_asked_for_after_an_event) {
    ask_greeting_before(false);
    standard.during.from = standard.during.to;
    standard.during.to.offset_ms = 5000;
    watched(0, 300000);
    member(150000, 1, 90);
    member(155000, 0, 90); // the end does not belong to it
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_NOT_OBSERVED);
    cr_assert(eq(i64, out.worst.from_ms, START + 150000));
    t_ms[1] = 154999;
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
}

Test(evaluate, degree_is_linear_between_its_corners) {
    ask_wait_at_most(60000);
    standard.degree_count = 2;
    standard.degree[0] = (struct degree_point){60000, MILLION};
    standard.degree[1] = (struct degree_point){180000, 0};
    ASSERT_VERDICT(VERDICT_PARTLY_MET, REASON_VIOLATED);
    cr_assert(eq(i32, out.degree_millionths, 666666));
    encounter.issued_ms = START - 80000;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_VIOLATED);
    cr_assert(eq(i32, out.degree_millionths, 0));
}

Test(evaluate, at_most_64_points_are_kept_with_the_first_and_the_last) {
    ask_min_distance(45);
    a_second_apart(80);
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
    cr_assert(eq(sz, out.point_count, POINTS_MAX));
    cr_assert(eq(i64, out.points[0].at_ms, START + 100000));
    cr_assert(eq(i64, out.points[POINTS_MAX - 1].at_ms, START + 299000));
    for (size_t i = 1; i < out.point_count; i++)
        cr_assert(lt(i64, out.points[i - 1].at_ms, out.points[i].at_ms));
}

Test(evaluate, opening_and_closing_are_lengths_of_the_offering) {
    struct standard_set set = {.count = 1, .items = &standard, .offering_count = 1};
    id_set(&set.offerings[0].id, "advice", 6);
    set.offerings[0].opening_ms = 30000;
    set.offerings[0].closing_ms = 500000; // longer than the service: all of it
    set.other_offering.opening_ms = 10000;
    standard.statistic = STATISTIC_DURATION;
    standard.step = 0.001;
    standard.bound.least = 0;
    standard.during.phase = PHASE_OPENING;
    engine_evaluate(&set, &encounter, NULL, 0, &context, &out, &scores);
    cr_assert(epsilon_eq(dbl, out.measured, 10.0, 1e-9));
    id_set(&encounter.offering, "advice", 6);
    engine_evaluate(&set, &encounter, NULL, 0, &context, &out, &scores);
    cr_assert(epsilon_eq(dbl, out.measured, 30.0, 1e-9));
    standard.during.phase = PHASE_CLOSING;
    engine_evaluate(&set, &encounter, NULL, 0, &context, &out, &scores);
    cr_assert(epsilon_eq(dbl, out.measured, 200.0, 1e-9));
}

Test(names, every_verdict_reason_and_dimension_has_one) {
    for (int i = 0; i < VERDICT_COUNT; i++)
        cr_assert(ne(str, (char *)verdict_name((enum verdict)i), "unknown"));
    for (int i = 0; i < REASON_COUNT; i++)
        cr_assert(reason_name((enum reason)i) != NULL);
    for (int i = 0; i < DIMENSION_COUNT; i++) {
        enum dimension dimension;
        const char *name = dimension_name((enum dimension)i);
        cr_assert(dimension_parse(name, strlen(name), &dimension) && (int)dimension == i);
    }
}

static enum verdict nearest(int32_t centimetres, bool turned) {
    static struct standard part;
    set_up();
    part = standard;
    part.statistic = STATISTIC_MIN;
    part.bound.most = 100;
    part.uncertainty = 5;
    standard.parts = &part;
    standard.part_count = 1;
    standard.checks.count = 1;
    standard.checks.items[0] = (struct check){CHECK_FIGURE, 1, 0};
    if (turned) {
        standard.checks.items[0] = (struct check){CHECK_NOT, 2, 0};
        standard.checks.items[1] = (struct check){CHECK_FIGURE, 1, 0};
        standard.checks.count = 2;
    }
    watched(0, 300000);
    for (int32_t at = 100000; at < 300000; at += 1000)
        member(at, centimetres, 100);
    return evaluate();
}

// "Not nearer than 1 m" and "not (at most 1 m)" doubt in the same direction: for the employee.
Test(evaluate, a_not_keeps_the_doubt_in_the_standards_favour) {
    cr_assert(eq(int, nearest(100, false), VERDICT_MET));
    cr_assert(eq(int, nearest(105, false), VERDICT_INSUFFICIENT_EVIDENCE));
    cr_assert(eq(int, nearest(106, false), VERDICT_NOT_MET));

    cr_assert(eq(int, nearest(101, true), VERDICT_MET));
    cr_assert(eq(int, nearest(100, true), VERDICT_INSUFFICIENT_EVIDENCE));
    cr_assert(eq(int, out.reason, REASON_GUARD_BAND));
    cr_assert(eq(int, nearest(96, true), VERDICT_INSUFFICIENT_EVIDENCE));
    cr_assert(eq(int, nearest(95, true), VERDICT_NOT_MET));
    cr_assert(eq(int, out.reason, REASON_VIOLATED));
    cr_assert(eq(i32, out.degree_millionths, 0));
    cr_assert(eq(i64, out.worst.from_ms, START + 100000));
}

// All hours are those of the branch: 23:59 UTC on a Sunday is Monday two hours further east.
Test(evaluate, hours_are_those_of_the_branch) {
    static const int64_t always = INT64_MIN;
    static const int32_t offset_s = 2 * 3600;
    const struct zone zone = {1, &always, &offset_s};
    const int64_t sunday_2359 = INT64_C(1000079940000);
    ask_wait_at_most(1000000);
    standard.hours_count = 1;
    standard.hours[0] = (struct hours){.days = 1, .from = 119, .to = 120}; // Monday 1:59
    encounter.issued_ms = sunday_2359 - 60000;
    encounter.started_ms = sunday_2359;
    encounter.ended_ms = sunday_2359 + 1000;
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD); // no zone is known
    context.zone = &zone;
    ASSERT_VERDICT(VERDICT_MET, REASON_HELD);
    encounter.started_ms += 60000;
    encounter.ended_ms += 60000;
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_HOURS);
    encounter.started_ms = TIME_NONE; // then the client's coming decides
    encounter.issued_ms = sunday_2359;
    encounter.outcome = OUTCOME_ABANDONED;
    ASSERT_VERDICT(VERDICT_NOT_APPLICABLE, REASON_LEFT_EARLY);
}

// A machine alone condemns nobody; and whether confirmed or not, the score stays the raw one.
Test(evaluate, a_grave_violation_waits_for_a_person) {
    struct decision decisions[] = {{.standard = {"t"}, .kind = DECISION_CONFIRM, .decided_ms = 1},
                                   {.standard = {"s"}, .kind = DECISION_CONFIRM, .decided_ms = 1}};
    ask_wait_at_most(99999);
    standard.severity = SEVERITY_AUTO_FAIL;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_UNCONFIRMED);
    int32_t raw = scores.overall;
    context.decisions = decisions;
    context.decision_count = 1;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_UNCONFIRMED);
    context.decision_count = 2;
    ASSERT_VERDICT(VERDICT_NOT_MET, REASON_CONFIRMED);
    cr_assert(eq(i32, scores.overall, raw));
}
