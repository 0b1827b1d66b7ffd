// What must hold whatever sensors saw: random days, judged again in another way.

#include "worker/core/minutes.h"
#include "worker/engine/evaluate.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTES = 5, SEEN = 300, BATCHES = 8, STANDARDS = 10 };
#define START_MS INT64_C(1700049600000) // begins a minute

static struct measure measure_items[] = {
    {.id = {"audio.phrase"}, .key = 7, .kind = MEASURE_EVENTS},
    {.id = {"distance.client"}, .key = 9, .kind = MEASURE_SAMPLES, .resolution = 0.01},
};
static const struct measures measures = {2, measure_items};
static struct name labels[] = {{"hello"}, {"bye"}};

static uint64_t random_state = 1;
static int32_t random_below(int32_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int32_t)((random_state >> 33) % (uint64_t)limit);
}

/// One standard a statistic but duration, all over the service.
static struct standard standards[STANDARDS];
static struct standard_set set = {.count = STANDARDS, .items = standards};

static void set_up(void) {
    for (int i = 0; i < STANDARDS; i++) {
        enum statistic statistic = (enum statistic)(STATISTIC_MEAN + i);
        bool events = statistic >= STATISTIC_COUNT_EVENTS;
        standards[i] = (struct standard){
            .status = STATUS_ACTIVE,
            .weight = 1,
            .permitted = true,
            .any_offering = true,
            .outcomes = UINT32_MAX,
            .measure = measure_items[events ? 0 : 1],
            .during = {.phase = PHASE_SERVICE},
            .statistic = statistic,
            .percent = 50,
            .band = {60, BOUND_OPEN_MOST},
            .bound = {BOUND_OPEN_LEAST, BOUND_OPEN_MOST},
            .uncertainty = events ? 0 : 5,
            .step = 1,
            .least_coverage_millionths = 400000,
            .least_confidence = 50,
            .largest_gap_ms = 4000,
        };
        snprintf(standards[i].id.text, sizeof standards[i].id.text, "s%d", i);
    }
    for (int i = 0; i < STANDARDS; i++) {
        enum statistic statistic = standards[i].statistic;
        bool at_most = statistic == STATISTIC_LONGEST_OUTSIDE ||
                       statistic == STATISTIC_FIRST_AFTER_START ||
                       statistic == STATISTIC_LAST_BEFORE_END;
        if (at_most)
            standards[i].bound.most = 20000;
        else
            standards[i].bound.least = statistic == STATISTIC_SHARE                  ? 500000
                                       : statistic == STATISTIC_RATE                 ? 10 * MILLION
                                       : standards[i].measure.kind == MEASURE_EVENTS ? 20
                                                                                     : 80;
    }
}
TestSuite(property, .init = set_up);

/// What two gateways saw of one measure: sorted by time, each in its own piece of the watch.
struct seen {
    const struct measure *measure;
    uint16_t gateway;
    struct span watched;
    size_t count;
    int32_t t_ms[SEEN], value[SEEN];
    uint8_t confidence[SEEN];
};

static void see(struct seen *seen, const struct measure *measure, uint16_t gateway) {
    int32_t from = random_below(60000), to = from + 60000 + random_below(180000);
    bool events = measure->kind == MEASURE_EVENTS;
    *seen = (struct seen){
        .measure = measure, .gateway = gateway, .watched = {START_MS + from, START_MS + to}};
    for (int32_t at = from + random_below(3000); at < to && seen->count < SEEN;
         at += 1 + random_below(4000)) {
        seen->t_ms[seen->count] = at;
        seen->value[seen->count] = events ? random_below(2) : 40 + random_below(100);
        seen->confidence[seen->count++] = (uint8_t)(30 + random_below(71));
    }
}

/// Members first..end of what was seen, watched from the first of them to the last.
static void add(struct minutes_builder *builder, struct seen *seen, size_t first, size_t end) {
    struct span watched = seen->watched;
    if (first > 0) watched.from_ms = START_MS + seen->t_ms[first];
    if (end < seen->count) watched.to_ms = START_MS + seen->t_ms[end];
    bool events = seen->measure->kind == MEASURE_EVENTS;
    int32_t t_ms[SEEN];
    for (size_t i = first; i < end; i++)
        t_ms[i - first] = seen->t_ms[i] - seen->t_ms[first];
    struct batch_series series = {
        .measure = seen->measure,
        .watched = watched,
        .base_ms = first < end ? START_MS + seen->t_ms[first] : watched.from_ms,
        .columns = {end - first, t_ms, seen->value + first, seen->confidence + first},
        .label_count = events ? 2 : 0,
        .labels = labels,
    };
    minutes_add(builder, &series, 0, seen->gateway, 0, TIME_LAST);
}

static void append(struct minutes_builder *builder, struct buffer logs[MINUTES]) {
    struct buffer out;
    buffer_init(&out, 1 << 20);
    uint32_t count = minutes_finish(builder, &out);
    struct reader chunks = reader_of(buffer_bytes(&out));
    for (; count > 0; count--) {
        reader_u16(&chunks);
        uint32_t minute = reader_u32(&chunks) - (uint32_t)(START_MS / MINUTE_MS);
        reader_u32(&chunks); // from, to
        reader_u32(&chunks); // observations
        struct bytes data = reader_take(&chunks, reader_u32(&chunks));
        cr_assert(lt(u32, minute, MINUTES));
        buffer_put(&logs[minute], data.data, data.size);
    }
    cr_assert(not(chunks.failed));
    buffer_fini(&out);
    minutes_builder_clear(builder);
}

/// All that was seen, in so many pieces, in random order, some of them again: as batches that were
/// reordered, repeated and late. One piece each: as it happened.
static void deliver(struct seen *all, size_t count, int pieces, struct buffer logs[MINUTES]) {
    struct minutes_builder *builder = minutes_builder_new(4 * SEEN, 256, 64);
    for (int deliveries = pieces == 1 ? (int)count : 6 * pieces * (int)count, i = 0; i < deliveries;
         i++) {
        struct seen *one = &all[pieces == 1 ? i : random_below((int32_t)count)];
        size_t piece = (size_t)random_below(pieces);
        add(builder, one, one->count * piece / (size_t)pieces,
            one->count * (piece + 1) / (size_t)pieces);
        append(builder, logs);
    }
    for (size_t i = 0; pieces > 1 && i < count; i++) // and what had not come yet, last of all
        for (int piece = pieces - 1; piece >= 0; piece--) {
            add(builder, &all[i], all[i].count * (size_t)piece / (size_t)pieces,
                all[i].count * (size_t)(piece + 1) / (size_t)pieces);
            append(builder, logs);
        }
    minutes_builder_free(builder);
}

static void judge(struct buffer logs[MINUTES], struct judgement out[STANDARDS],
                  struct scores *scores) {
    struct encounter encounter = {.id = {"e"},
                                  .outcome = OUTCOME_NORMAL,
                                  .issued_ms = TIME_NONE,
                                  .called_ms = TIME_NONE,
                                  .started_ms = START_MS + 30000,
                                  .ended_ms = START_MS + 270000};
    struct minutes_reader *reader = minutes_reader_new(64 * SEEN);
    const struct series *series;
    size_t count;
    struct engine_context context = {0};
    minutes_reader_begin(reader, (struct span){encounter.started_ms, encounter.ended_ms + 1},
                         &measures);
    for (int i = 0; i < MINUTES; i++)
        cr_assert(eq(int,
                     minutes_reader_add(reader, START_MS / MINUTE_MS + i, buffer_bytes(&logs[i])),
                     ERR_NONE));
    cr_assert(eq(int, minutes_reader_end(reader, &series, &count), ERR_NONE));
    engine_evaluate(&set, &encounter, series, count, &context, out, scores);
    minutes_reader_free(reader);
}

static bool same_number(double a, double b) {
    return (isnan(a) && isnan(b)) || a == b;
}

static bool same(const struct judgement *a, const struct judgement *b) {
    bool equal = a->verdict == b->verdict && a->reason == b->reason &&
                 same_number(a->measured, b->measured) && same_number(a->limit, b->limit) &&
                 a->coverage_millionths == b->coverage_millionths &&
                 a->degree_millionths == b->degree_millionths &&
                 a->worst.from_ms == b->worst.from_ms && a->worst.to_ms == b->worst.to_ms &&
                 a->point_count == b->point_count;
    for (size_t i = 0; equal && i < a->point_count; i++)
        equal = a->points[i].at_ms == b->points[i].at_ms &&
                a->points[i].value == b->points[i].value &&
                a->points[i].confidence == b->points[i].confidence;
    return equal;
}

Test(property, order_repetition_and_lateness_never_change_a_verdict) {
    int seen_verdicts[VERDICT_COUNT] = {0};
    for (int round = 0; round < 200; round++) {
        static struct seen all[4];
        static struct judgement plain[STANDARDS], shuffled[STANDARDS];
        struct scores plain_scores, shuffled_scores;
        struct buffer logs[2][MINUTES];
        for (size_t i = 0; i < 4; i++)
            see(&all[i], &measure_items[i % 2], (uint16_t)(1 + i / 2));
        for (int way = 0; way < 2; way++) {
            for (int i = 0; i < MINUTES; i++)
                buffer_init(&logs[way][i], 1 << 20);
            deliver(all, 4, way ? 2 + random_below(BATCHES) : 1, logs[way]);
            judge(logs[way], way ? shuffled : plain, way ? &shuffled_scores : &plain_scores);
            for (int i = 0; i < MINUTES; i++)
                buffer_fini(&logs[way][i]);
        }
        for (int i = 0; i < STANDARDS; i++) {
            cr_assert(same(&plain[i], &shuffled[i]), "round %d standard %d: %s, %s", round, i,
                      verdict_name(plain[i].verdict), verdict_name(shuffled[i].verdict));
            seen_verdicts[plain[i].verdict]++;
        }
        cr_assert(eq(i32, plain_scores.overall, shuffled_scores.overall));
    }
    cr_assert(gt(int, seen_verdicts[VERDICT_MET], 100));
    cr_assert(gt(int, seen_verdicts[VERDICT_NOT_MET], 100));
    cr_assert(gt(int, seen_verdicts[VERDICT_INSUFFICIENT_EVIDENCE], 100));
}

// not (a and b) is (not a) or (not b), down to the guard bands of what sensors saw.
Test(property, a_not_reaches_down_to_the_figures) {
    int seen_verdicts[VERDICT_COUNT] = {0};
    for (int round = 0; round < 300; round++) {
        static struct seen all[2];
        static struct judgement out[STANDARDS];
        struct standard parts[2] = {standards[random_below(STANDARDS)],
                                    standards[random_below(STANDARDS)]};
        struct standard pair[2] = {standards[0], standards[0]};
        const struct check *of[2] = {(struct check[]){{CHECK_NOT, 4, 0},
                                                      {CHECK_ALL, 3, 0},
                                                      {CHECK_FIGURE, 1, 0},
                                                      {CHECK_FIGURE, 1, 1},
                                                      {0}},
                                     (struct check[]){{CHECK_ANY, 5, 0},
                                                      {CHECK_NOT, 2, 0},
                                                      {CHECK_FIGURE, 1, 0},
                                                      {CHECK_NOT, 2, 0},
                                                      {CHECK_FIGURE, 1, 1}}};
        for (int i = 0; i < 2; i++) {
            pair[i].checks.count = i ? 5 : 4;
            memcpy(pair[i].checks.items, of[i], 5 * sizeof *of[i]);
            pair[i].parts = parts;
            pair[i].part_count = 2;
        }
        struct scores scores;
        struct buffer logs[MINUTES];
        for (int i = 0; i < MINUTES; i++)
            buffer_init(&logs[i], 1 << 20);
        for (size_t i = 0; i < 2; i++)
            see(&all[i], &measure_items[i], 1);
        deliver(all, 2, 1, logs);
        set = (struct standard_set){.count = 2, .items = pair};
        judge(logs, out, &scores);
        set = (struct standard_set){.count = STANDARDS, .items = standards};
        cr_assert(eq(int, out[0].verdict, out[1].verdict), "round %d", round);
        cr_assert(eq(i32, out[0].degree_millionths, out[1].degree_millionths), "round %d", round);
        seen_verdicts[out[0].verdict]++;
        for (int i = 0; i < MINUTES; i++)
            buffer_fini(&logs[i]);
    }
    cr_assert(gt(int, seen_verdicts[VERDICT_MET], 20));
    cr_assert(gt(int, seen_verdicts[VERDICT_NOT_MET], 20));
}

// A day on which all is well, every second; the sensor is off for an hour of it.
Test(property, a_sensor_that_is_off_breaks_nothing_and_is_missed_exactly) {
    enum { DAY_SECONDS = 4 * 3600 };
    static int32_t t_ms[DAY_SECONDS], value[DAY_SECONDS];
    static uint8_t confidence[DAY_SECONDS];
    for (int i = 0; i < STANDARDS; i++) {
        standards[i].largest_gap_ms = 1000;
        if (standards[i].measure.kind == MEASURE_EVENTS)
            standards[i].least_coverage_millionths = MILLION;
    }
    int missed = 0;
    for (int round = 0; round < 300; round++) {
        int32_t off_s = random_below(DAY_SECONDS - 3600);
        int64_t off_ms = START_MS + off_s * INT64_C(1000), on_ms = off_ms + HOUR_MS;
        size_t count = 0;
        for (int32_t second = 0; second < DAY_SECONDS; second++) {
            if (second >= off_s && second < off_s + 3600) continue;
            t_ms[count] = second * 1000;
            value[count] = 100;
            confidence[count++] = 100;
        }
        struct span spans[2] = {{START_MS, off_ms}, {on_ms, START_MS + DAY_SECONDS * 1000}};
        size_t skip = off_s == 0; // a span of no length is none
        struct name hello = {"hello"};
        int32_t none[DAY_SECONDS] = {0};
        struct series series[2] = {
            {&measure_items[0],
             START_MS,
             {count, t_ms, none, confidence},
             2 - skip,
             spans + skip,
             1,
             &hello,
             0},
            {&measure_items[1],
             START_MS,
             {count, t_ms, value, confidence},
             2 - skip,
             spans + skip,
             0,
             NULL,
             0},
        };
        int64_t from_ms = START_MS + random_below(DAY_SECONDS - 700) * INT64_C(1000);
        int64_t to_ms = from_ms + (30 + random_below(600)) * INT64_C(1000);
        struct encounter encounter = {.id = {"e"},
                                      .outcome = OUTCOME_NORMAL,
                                      .issued_ms = TIME_NONE,
                                      .called_ms = TIME_NONE,
                                      .started_ms = from_ms,
                                      .ended_ms = to_ms};
        int64_t begin = from_ms > off_ms ? from_ms : off_ms, end = to_ms < on_ms ? to_ms : on_ms;
        int64_t lost_ms = begin < end ? end - begin : 0;
        struct engine_context context = {0};
        struct judgement out[STANDARDS];
        struct scores scores;
        engine_evaluate(&set, &encounter, series, 2, &context, out, &scores);
        int64_t length_ms = to_ms - from_ms;
        for (int i = 0; i < STANDARDS; i++) {
            cr_assert(out[i].verdict == VERDICT_MET ||
                          out[i].verdict == VERDICT_INSUFFICIENT_EVIDENCE,
                      "round %d standard %d: %s", round, i, verdict_name(out[i].verdict));
            cr_assert(eq(i32, out[i].coverage_millionths,
                         (int32_t)((length_ms - lost_ms) * MILLION / length_ms)));
            if (lost_ms == 0) cr_assert(eq(int, out[i].verdict, VERDICT_MET));
        }
        missed += lost_ms > 0;
    }
    cr_assert(gt(int, missed, 50));
}
