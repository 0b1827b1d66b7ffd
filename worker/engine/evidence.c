#include "worker/engine/evidence.h"

#include <string.h>

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static bool label_asked(const struct usables *usables) {
    if (usables->label_count == 0) return true;
    const struct series *series = usables->series;
    const struct name *label = &series->labels[series->columns.value[usables->at]];
    for (size_t k = 0; k < usables->label_count; k++)
        if (strcmp(usables->labels[k].text, label->text) == 0) return true;
    return false;
}

/// Moves on to the next member that passes the gate; false: none.
static bool find_usable(struct usables *usables) {
    const struct columns *columns = &usables->series->columns;
    bool events = usables->series->measure->kind == MEASURE_EVENTS;
    for (; usables->at < columns->count; usables->at++) {
        if (columns->confidence[usables->at] < usables->least_confidence) continue;
        if (!events || label_asked(usables)) return true;
    }
    return false;
}

static struct usable member(const struct series *series, size_t i) {
    return (struct usable){
        .at_ms = series->base_ms + series->columns.t_ms[i],
        .value = series->columns.value[i],
        .confidence = series->columns.confidence[i],
    };
}

bool usables_next_slowly(struct usables *usables, struct usable *out) {
    if (!find_usable(usables)) return false;
    const struct series *series = usables->series;
    *out = member(series, usables->at++);
    if (series->measure->kind == MEASURE_EVENTS) return true;
    while (find_usable(usables)) {
        struct usable other = member(series, usables->at);
        if (other.at_ms != out->at_ms) break;
        if (other.confidence > out->confidence ||
            (other.confidence == out->confidence && other.value < out->value))
            *out = other;
        usables->at++;
    }
    return true;
}

struct holds holds_of(const struct standard *standard, const struct series *series,
                      struct span phase) {
    struct holds holds = {.usables = usables_of(standard, series),
                          .phase = phase,
                          .largest_gap_ms = standard->largest_gap_ms};
    holds.done_ms = phase.from_ms;
    holds.has_now = usables_next(&holds.usables, &holds.now);
    holds.has_next = holds.has_now && usables_next(&holds.usables, &holds.next);
    return holds;
}

static void next_sample(struct holds *holds) {
    holds->now = holds->next;
    holds->has_now = holds->has_next;
    holds->has_next = holds->has_now && usables_next(&holds->usables, &holds->next);
}

bool holds_next(struct holds *holds, struct held *out) {
    const struct series *series = holds->usables.series;
    while (holds->has_now && holds->now.at_ms < holds->phase.to_ms) {
        int64_t end_ms = holds->now.at_ms + holds->largest_gap_ms;
        if (holds->has_next) end_ms = earlier(end_ms, holds->next.at_ms);
        end_ms = earlier(end_ms, holds->phase.to_ms);
        int64_t from_ms = later(holds->now.at_ms, holds->done_ms);

        while (holds->watched < series->span_count &&
               series->spans[holds->watched].to_ms <= from_ms)
            holds->watched++;
        if (holds->watched == series->span_count) return false;
        struct span watched = series->spans[holds->watched];
        from_ms = later(from_ms, watched.from_ms);
        if (from_ms >= end_ms) {
            next_sample(holds);
            continue;
        }
        out->span = (struct span){from_ms, earlier(end_ms, watched.to_ms)};
        out->value = holds->now.value;
        holds->done_ms = out->span.to_ms;
        return true;
    }
    return false;
}

int64_t evidence_watched_ms(const struct series *series, struct span phase) {
    int64_t sum = 0;
    for (size_t i = 0; i < series->span_count; i++) {
        int64_t from_ms = later(series->spans[i].from_ms, phase.from_ms);
        int64_t to_ms = earlier(series->spans[i].to_ms, phase.to_ms);
        if (from_ms < to_ms) sum += to_ms - from_ms;
    }
    return sum;
}

int64_t evidence_covered_ms(const struct standard *standard, const struct series *series,
                            struct span phase) {
    if (series->measure->kind == MEASURE_EVENTS) return evidence_watched_ms(series, phase);
    int64_t sum = 0;
    struct holds holds = holds_of(standard, series, phase);
    for (struct held held; holds_next(&holds, &held);)
        sum += held.span.to_ms - held.span.from_ms;
    return sum;
}

int64_t evidence_longest_outside(const struct standard *standard, const struct series *series,
                                 struct span phase, struct bounds bounds, struct span *longest) {
    *longest = (struct span){TIME_NONE, TIME_NONE};
    int64_t length_ms = 0;
    struct span stretch = {TIME_NONE, TIME_NONE};
    struct holds holds = holds_of(standard, series, phase);
    for (struct held held; holds_next(&holds, &held);) {
        if (bounds_hold(bounds, held.value)) continue;
        if (stretch.to_ms != held.span.from_ms) stretch.from_ms = held.span.from_ms;
        stretch.to_ms = held.span.to_ms;
        if (stretch.to_ms - stretch.from_ms > length_ms) {
            length_ms = stretch.to_ms - stretch.from_ms;
            *longest = stretch;
        }
    }
    return length_ms;
}

static size_t count_in(struct usables usables, struct span phase) {
    size_t count = 0;
    for (struct usable sample; usables_next(&usables, &sample);)
        count += span_holds(phase, sample.at_ms);
    return count;
}

size_t evidence_points(const struct standard *standard, const struct series *series,
                       struct span phase, struct point points[POINTS_MAX]) {
    struct usables usables = usables_of(standard, series);
    size_t total = count_in(usables, phase), kept = 0, index = 0;
    size_t wanted = total < POINTS_MAX ? total : POINTS_MAX;
    for (struct usable sample; kept < wanted && usables_next(&usables, &sample);) {
        if (!span_holds(phase, sample.at_ms)) continue;
        if (index++ != point_place(kept, wanted, total)) continue;
        bool events = series->measure->kind == MEASURE_EVENTS;
        points[kept++] = (struct point){
            .at_ms = sample.at_ms,
            .value = events ? 0 : measure_value(series->measure, sample.value),
            .confidence = sample.confidence,
        };
    }
    return kept;
}
