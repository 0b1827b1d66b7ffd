// Batching: what drivers see becomes batches that keep every limit and every promise.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "common/wire/body.h"
#include "sensors-gw/core/batching.h"
#include "sensors-gw/core/bridges.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct id counters[] = {{"desk-1"}, {"desk-2"}};
static const struct measure distance = {.id = {"distance.client"},
                                        .key = 11,
                                        .kind = MEASURE_SAMPLES,
                                        .resolution = 0.01,
                                        .most = 20,
                                        .legal = LEGAL_P1};
static const struct measure phrase = {.id = {"audio.phrase"},
                                      .key = 12,
                                      .most = 1,
                                      .kind = MEASURE_EVENTS,
                                      .resolution = 1,
                                      .legal = LEGAL_P2};
static const struct measure emotion = {
    .id = {"vision.joy"}, .key = 13, .kind = MEASURE_SAMPLES, .resolution = 1, .legal = LEGAL_P5};

static const int64_t T = 1795392000000;

/// What came out, copied out of the batching's own memory.
static struct {
    size_t count, series, facts, observations;
    int64_t watermark;
    struct batch_series first; // of the last batch
    struct batch_series second;
    int32_t t[8], value[8];
    char label[4][NAME_SIZE_MAX + 1];
    enum fact_kind fact;
} got;

static void take(void *context, const struct batch *batch) {
    (void)context;
    got.count++;
    got.series = batch->series_count;
    got.facts += batch->fact_count;
    got.watermark = batch->watermark_ms;
    if (batch->fact_count) got.fact = batch->facts[0].kind;
    cr_assert(batch->series_count <= BATCH_SERIES_MAX);
    cr_assert(batch->fact_count <= BATCH_FACTS_MAX);
    size_t observations = 0;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct batch_series *s = &batch->series[i];
        observations += s->columns.count;
        for (size_t k = 0; k < s->columns.count; k++) {
            int64_t t = s->base_ms + s->columns.t_ms[k];
            cr_assert(t >= s->watched.from_ms && t < s->watched.to_ms, "members lie in the span");
            cr_assert(k == 0 || s->columns.t_ms[k - 1] <= s->columns.t_ms[k], "sorted by time");
        }
    }
    cr_assert(observations <= BATCH_OBSERVATIONS_MAX);
    got.observations += observations;
    if (!batch->series_count) return;
    got.first = batch->series[0];
    if (batch->series_count > 1) got.second = batch->series[1];
    for (size_t k = 0; k < got.first.columns.count && k < 8; k++) {
        got.t[k] = got.first.columns.t_ms[k];
        got.value[k] = got.first.columns.value[k];
    }
    for (size_t k = 0; k < got.first.label_count && k < 4; k++)
        snprintf(got.label[k], sizeof got.label[k], "%s", got.first.labels[k].text);
}

static struct batching_limits limits = {.observations_max = 512,
                                        .body_max = BATCH_BODY_MAX,
                                        .linger_ms = 200,
                                        .clock_error_ms = 20,
                                        .legal_most = LEGAL_P2,
                                        .counters = counters,
                                        .counter_count = 2};
static struct batching *b;
static struct source *a, *c;

static void begin(void) {
    memset(&got, 0, sizeof got);
    b = batching_new(&limits, 2, TIME_NONE, take, NULL);
    a = batching_source(b, 0);
    c = batching_source(b, 1);
}

static void end(void) {
    batching_free(b);
}

static uint64_t odd(const char *name) {
    const char *found;
    uint64_t count;
    for (size_t i = 0; batching_oddity_at(b, i, &found, &count); i++)
        if (!strcmp(found, name)) return count;
    return 0;
}

TestSuite(batching, .init = begin, .fini = end);

Test(batching, collects_by_measure_and_counter) {
    batching_sample(a, &distance, &counters[0], T, 1.25, 90);
    batching_sample(a, &distance, &counters[1], T + 1, 2.5, 90);
    batching_sample(a, &distance, &counters[0], T + 40, 1.5, 90);
    batching_cut(b);
    cr_assert(eq(sz, got.series, 2));
    cr_assert(eq(sz, got.first.columns.count, 2));
    cr_assert(eq(i64, got.first.base_ms, T));
    cr_assert(eq(i32, got.t[1], 40));
    cr_assert(eq(i32, got.value[0], 125));
    cr_assert_str_eq(got.second.counter.text, "desk-2");
}

Test(batching, nothing_gives_no_batch) {
    batching_cut(b);
    batching_cut_watermark(b);
    cr_assert(eq(sz, got.count, 0));
    cr_assert(eq(u64, batching_deadline_ms(b), UINT64_MAX));
}

Test(batching, out_of_order_members_come_out_sorted) {
    static const int at[] = {30, 10, 20, 0};
    for (int i = 0; i < 4; i++)
        batching_sample(a, &distance, &counters[0], T + at[i], at[i] / 100.0, 100);
    batching_cut(b);
    cr_assert(eq(sz, got.series, 1));
    cr_assert(eq(i64, got.first.base_ms, T));
    for (int i = 0; i < 4; i++) {
        cr_assert(eq(i32, got.t[i], i * 10));
        cr_assert(eq(i32, got.value[i], i * 10));
    }
}

Test(batching, cuts_at_the_number_of_observations_and_keeps_all) {
    for (int i = 0; i < 1300; i++)
        batching_sample(a, &distance, &counters[i % 2], T + i, 1, 100);
    cr_assert(eq(sz, got.count, 2));
    batching_cut(b);
    cr_assert(eq(sz, got.count, 3));
    cr_assert(eq(sz, got.observations, 1300));
}

Test(batching, labels_are_kept_once_a_series) {
    static const char *const labels[] = {"greeting", "farewell", "greeting"};
    for (int i = 0; i < 3; i++) {
        batching_watch(a, &phrase, &counters[0], T + i * 1000, T + (i + 1) * 1000);
        batching_event(a, &phrase, &counters[0], T + i * 1000, bytes_of_text(labels[i]), 80);
    }
    batching_cut(b);
    cr_assert(eq(sz, got.first.label_count, 2));
    cr_assert_str_eq(got.label[0], "greeting");
    cr_assert_str_eq(got.label[1], "farewell");
    cr_assert(eq(i32, got.value[1], 1));
    cr_assert(eq(i32, got.value[2], 0));
}

// Every event with another label: the label table must bound the batch, not the memory.
Test(batching, many_labels_cut_the_batch) {
    for (int i = 0; i < 2000; i++) {
        char label[16];
        snprintf(label, sizeof label, "label-%d", i);
        batching_watch(a, &phrase, &counters[0], T + i, T + i + 1);
        batching_event(a, &phrase, &counters[0], T + i, bytes_of_text(label), 80);
    }
    batching_cut(b);
    cr_assert(eq(sz, got.observations, 2000));
    cr_assert(ge(sz, got.count, 4));
}

// Absence of evidence is not evidence of absence: an interruption must stay visible.
Test(batching, an_interrupted_watch_is_two_spans) {
    batching_watch(a, &distance, &counters[0], T, T + 1000);
    batching_watch(a, &distance, &counters[0], T + 1000, T + 2000);
    batching_watch(a, &distance, &counters[0], T + 9000, T + 10000);
    batching_cut(b);
    cr_assert(eq(sz, got.series, 2));
    cr_assert(eq(i64, got.first.watched.to_ms, T + 2000));
    cr_assert(eq(i64, got.second.watched.from_ms, T + 9000));
}

Test(batching, undeclared_samples_count_as_watched_from_first_to_last) {
    batching_sample(a, &distance, &counters[0], T, 1, 100);
    batching_sample(a, &distance, &counters[0], T + 5000, 1, 100);
    batching_cut(b);
    cr_assert(eq(sz, got.series, 1));
    cr_assert(eq(i64, got.first.watched.from_ms, T));
    cr_assert(eq(i64, got.first.watched.to_ms, T + 5001));
}

static void sample_and_cut(int64_t t_ms) {
    batching_sample(a, &distance, &counters[0], t_ms, 1, 100);
    batching_cut(b);
}

// A sensor that says something every five seconds has a batch for each.
Test(batching, undeclared_samples_count_as_watched_over_batches) {
    sample_and_cut(T);
    cr_assert(eq(i64, got.first.watched.from_ms, T));
    sample_and_cut(T + 5000);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 1));
    cr_assert(eq(i64, got.first.watched.to_ms, T + 5001));
    cr_assert(eq(i64, got.first.base_ms, T + 5000));
    batching_sample(a, &distance, &counters[1], T + 6000, 1, 100); // another series
    batching_cut(b);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 6000));
    sample_and_cut(T + 5001 + BRIDGE_MOST_MS);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 5001));
    sample_and_cut(T + 5003 + 2 * (int64_t)BRIDGE_MOST_MS); // too far
    cr_assert(eq(i64, got.first.watched.from_ms, T + 5003 + 2 * (int64_t)BRIDGE_MOST_MS));
}

Test(batching, a_bridge_reaches_back_to_the_promise_at_most) {
    sample_and_cut(T);
    batching_watermark(a, T + 3000);
    batching_watermark(c, T + 2000);
    batching_cut_watermark(b);
    sample_and_cut(T + 5000);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 2000));
}

Test(batching, an_older_sample_in_a_later_batch_has_no_bridge) {
    sample_and_cut(T + 5000);
    sample_and_cut(T + 1000);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 1000));
    sample_and_cut(T + 7000);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 5001));
}

// A restart in the middle of a file is no interruption of what stands in it.
Test(batching, what_an_earlier_run_handed_over_is_a_bridge_too) {
    batching_sample_passed(a, &distance, &counters[0], T, 1);
    batching_sample_passed(a, &distance, &counters[0], T + 4000, 21); // out of range: never was one
    batching_sample_passed(a, &distance, &counters[1], T, 1);
    batching_watch_passed(a, &distance, &counters[1]);
    cr_assert(eq(sz, got.count, 0));
    sample_and_cut(T + 5000);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 1));
    batching_sample(a, &distance, &counters[1], T + 5000, 1, 100);
    batching_cut(b);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 5000));
}

// A driver that says when it watches, says when it does not.
Test(batching, a_declared_series_has_no_bridge) {
    sample_and_cut(T);
    batching_watch(a, &distance, &counters[0], T + 1000, T + 2000);
    sample_and_cut(T + 1500);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 1000));
    sample_and_cut(T + 5000);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 5000));
}

Test(batching, a_sample_before_its_span_joins_it) {
    batching_sample(a, &distance, &counters[0], T, 1, 100);
    batching_watch(a, &distance, &counters[0], T, T + 40);
    batching_sample(a, &distance, &counters[0], T + 40, 1, 100);
    batching_watch(a, &distance, &counters[0], T + 40, T + 80);
    batching_cut(b);
    cr_assert(eq(sz, got.series, 1));
    cr_assert(eq(i64, got.first.watched.to_ms, T + 80));
}

Test(batching, the_watermark_is_the_least_of_all_sources) {
    batching_watermark(a, T + 5000);
    batching_cut_watermark(b);
    cr_assert(eq(sz, got.count, 0)); // the other has promised nothing yet
    batching_watermark(c, T + 3000);
    batching_cut_watermark(b);
    cr_assert(eq(i64, got.watermark, T + 3000));
    batching_cut_watermark(b);
    cr_assert(eq(sz, got.count, 1)); // said once
}

Test(batching, an_ended_source_holds_nothing_back) {
    batching_watermark(a, T + 5000);
    batching_watermark(c, T + 3000);
    batching_end(c);
    cr_assert(eq(i64, batching_watermark_ms(b), T + 5000));
    batching_end(a);
    cr_assert(eq(i64, batching_watermark_ms(b), T + 5000));
}

Test(batching, the_watermark_never_goes_back) {
    batching_watermark(a, T + 5000);
    batching_watermark(a, T);
    batching_watermark(c, T + 5000);
    cr_assert(eq(i64, batching_watermark_ms(b), T + 5000));
}

// A promise was made; breaking it would change what has been judged already.
Test(batching, late_observations_are_dropped_and_counted) {
    batching_watermark(a, T + 100);
    batching_sample(a, &distance, &counters[0], T + 99, 1, 100);
    batching_sample(a, &distance, &counters[0], T + 100, 1, 100);
    batching_sample(c, &distance, &counters[0], T + 99, 1, 100); // its own source promised nothing
    batching_cut(b);
    cr_assert(eq(sz, got.observations, 2));
    cr_assert(eq(u64, odd("late"), 1));
}

// After a restart the promise of the run before still holds.
Test(batching, the_promise_of_an_earlier_run_holds) {
    batching_free(b);
    b = batching_new(&limits, 1, T + 1000, take, NULL);
    a = batching_source(b, 0);
    batching_sample(a, &distance, &counters[0], T, 1, 100);
    cr_assert(eq(u64, odd("late"), 1));
    cr_assert(eq(i64, batching_watermark_ms(b), T + 1000));
}

Test(batching, a_watch_older_than_the_watermark_is_cut_off) {
    batching_watermark(a, T + 500);
    batching_watch(a, &distance, &counters[0], T, T + 1000);
    batching_watch(a, &distance, &counters[0], T, T + 400);
    batching_cut(b);
    cr_assert(eq(i64, got.first.watched.from_ms, T + 500));
    cr_assert(eq(sz, got.series, 1));
}

Test(batching, what_may_not_be_is_counted_by_name) {
    batching_sample(a, &distance, &counters[0], T, 20.5, 100);
    batching_sample(a, &distance, &counters[0], T, NAN, 100);
    batching_sample(a, &distance, &(struct id){"desk-9"}, T, 1, 100);
    batching_sample(a, &distance, &counters[0], -1, 1, 100);
    batching_sample(a, &phrase, &counters[0], T, 1, 100);
    batching_sample(a, &emotion, &counters[0], T, 1, 100);
    batching_event(a, &phrase, &counters[0], T, bytes_of_text("no blanks"), 100);
    batching_watch(a, &distance, &counters[0], T, T + DAY_MS + 1);
    batching_oddity(a, "negative_wait");
    batching_cut(b);
    cr_assert(eq(sz, got.count, 0));
    cr_assert(eq(u64, odd("out_of_range"), 2));
    cr_assert(eq(u64, odd("foreign_counter"), 1));
    cr_assert(eq(u64, odd("bad_time"), 1));
    cr_assert(eq(u64, odd("wrong_kind"), 1));
    cr_assert(eq(u64, odd("forbidden_measure"), 1));
    cr_assert(eq(u64, odd("bad_label"), 1));
    cr_assert(eq(u64, odd("bad_span"), 1));
    cr_assert(eq(u64, odd("negative_wait"), 1));
}

Test(batching, facts_travel_in_order_and_cut_too) {
    struct encounter e = {.id = {"e1"},
                          .counter = {"desk-1"},
                          .issued_ms = T,
                          .called_ms = TIME_NONE,
                          .started_ms = TIME_NONE,
                          .ended_ms = TIME_NONE};
    for (int i = 0; i < 1000; i++)
        batching_encounter(a, &e);
    batching_cut(b);
    cr_assert(eq(sz, got.facts, 1000));
    cr_assert(ge(sz, got.count, 4));
    e.ended_ms = T - 1;
    batching_encounter(a, &e);
    cr_assert(eq(u64, odd("bad_encounter"), 1));
    batching_gap(a, &counters[0], (struct span){T, T + 1}, "camera_off");
    batching_cut(b);
    cr_assert(eq(int, got.fact, FACT_GAP));
}

Test(batching, an_unfinished_batch_is_due_after_the_linger) {
    batching_now(b, 1000);
    batching_sample(a, &distance, &counters[0], T, 1, 100);
    batching_now(b, 1100);
    batching_sample(a, &distance, &counters[0], T + 1, 1, 100);
    cr_assert(eq(u64, batching_deadline_ms(b), 1200));
    batching_cut(b);
    cr_assert(eq(u64, batching_deadline_ms(b), UINT64_MAX));
}

// Unwatched events far apart make a series each; the bound on series must hold.
Test(batching, many_series_cut_the_batch) {
    for (int i = 0; i < 1000; i++)
        batching_event(a, &phrase, &counters[0], T + i * 1000, bytes_of_text("greeting"), 80);
    batching_cut(b);
    cr_assert(eq(sz, got.observations, 1000));
}

static void encode_and_check(void *context, const struct batch *batch) {
    struct buffer body;
    buffer_init(&body, limits.body_max);
    cr_assert(eq(int, body_encode(batch, true, &body), ERR_NONE), "larger than body_max");
    struct measure items[] = {phrase, distance};
    struct measures measures = {2, items};
    struct batch decoded;
    struct body_oddities oddities = {0};
    struct problem problem = {0};
    struct arena arena;
    cr_assert(eq(int, arena_init(&arena, BODY_ARENA_SIZE), ERR_NONE));
    cr_assert(eq(int,
                 body_decode(buffer_bytes(&body), &measures, &arena, &decoded, &oddities, &problem),
                 ERR_NONE),
              "%s", problem.text);
    cr_assert(eq(sz, decoded.series_count, batch->series_count));
    cr_assert(eq(sz, decoded.fact_count, batch->fact_count));
    *(size_t *)context += 1;
    buffer_fini(&body);
    arena_fini(&arena);
}

static uint32_t roll(uint32_t limit) {
    static uint64_t seed = 1;
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(seed >> 33) % limit;
}

/// The longest of everything, in one of three mixtures.
static void append_the_longest(struct source *source, int mixture, uint32_t i) {
    char label[NAME_SIZE_MAX + 1];
    snprintf(label, sizeof label, "%064u", i);
    int64_t t = T + (int64_t)roll(80000000); // anywhere in a day: the longest deltas
    const struct id *counter = &counters[roll(2)];
    switch (mixture == 3 ? roll(3) : (uint32_t)mixture) {
    case 0:
        batching_sample(source, &distance, counter, t, roll(2000) / 100.0, (uint8_t)roll(101));
        break;
    case 1:
        batching_event(source, &phrase, counter, t, bytes_of_text(label), (uint8_t)roll(101));
        break;
    default: {
        struct encounter e = {.counter = *counter,
                              .offering = {"an-offering-with-the-longest-id--"},
                              .employee = "abcdefghijklmnopqrstuvwxyz234567",
                              .language = "deu",
                              .outcome = OUTCOME_TRANSFERRED,
                              .issued_ms = T,
                              .called_ms = T + 1,
                              .started_ms = T + 2,
                              .ended_ms = T + 3};
        e.offering.text[ID_MAX] = 0;
        strcpy(e.id.text, label);
        batching_encounter(source, &e);
    }
    }
}

// The store refuses a body above its limit for ever: the bound must hold for the worst of data.
Test(batching, no_body_exceeds_its_limit) {
    batching_free(b);
    size_t batches = 0;
    for (int run = 0; run < 16; run++) {
        limits.observations_max = run & 1 ? 4096 : 300;
        limits.body_max = run & 2 ? 8192 : BATCH_BODY_MAX;
        b = batching_new(&limits, 1, TIME_NONE, encode_and_check, &batches);
        for (uint32_t i = 0; i < 10000; i++)
            append_the_longest(batching_source(b, 0), run >> 2, i);
        batching_cut(b);
        if (run < 15) batching_free(b);
    }
    cr_assert(gt(sz, batches, 100));
}
