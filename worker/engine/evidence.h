#pragma once
// What may be used as evidence: the confidence gate, and for how long a sample speaks.

#include "worker/standards/standard.h"

/// A sample or event that passed the confidence gate.
struct usable {
    int64_t at_ms;
    int32_t value;
    uint8_t confidence;
};

/// Walks over the usable members of a series in the order of time: samples below the least
/// confidence and events with other labels are left out. Of samples of one instant (of several
/// sensors) one speaks: the most confident, among equals the lowest, whatever their order.
struct usables {
    const struct series *series;
    size_t at;
    const struct name *labels;
    size_t label_count; // 0: every label counts
    uint8_t least_confidence;
};
static inline struct usables usables_of(const struct standard *standard,
                                        const struct series *series) {
    return (struct usables){.series = series,
                            .labels = standard->labels,
                            .label_count = standard->label_count,
                            .least_confidence = standard->least_confidence};
}
/// The general case of usables_next: labels, and several samples of one instant.
bool usables_next_slowly(struct usables *usables, struct usable *out);

static inline bool usables_next(struct usables *usables, struct usable *out) {
    const struct columns *columns = &usables->series->columns;
    size_t i = usables->at, count = columns->count;
    while (i < count && columns->confidence[i] < usables->least_confidence)
        i++;
    usables->at = i;
    if (i == count) return false;
    if (usables->series->measure->kind == MEASURE_EVENTS ||
        (i + 1 < count && columns->t_ms[i + 1] == columns->t_ms[i])) {
        struct usables slow = *usables; // copies, so that the caller's own can stay in registers
        struct usable found;
        bool any = usables_next_slowly(&slow, &found);
        usables->at = slow.at;
        if (any) *out = found;
        return any;
    }
    *out = (struct usable){.at_ms = usables->series->base_ms + columns->t_ms[i],
                           .value = columns->value[i],
                           .confidence = columns->confidence[i]};
    usables->at = i + 1;
    return true;
}

/// A stretch of the phase for which one sample speaks.
struct held {
    struct span span;
    int32_t value;
};

/// Walks over the covered stretches of a phase in the order of time: inside the spans in which the
/// sensor watched, from a usable sample to the next one, and not further than the largest gap. A
/// sample before the phase may speak into it.
struct holds {
    struct usables usables;
    struct span phase;
    int64_t largest_gap_ms;
    struct usable now, next;
    bool has_now, has_next;
    size_t watched;  // place in the series' spans
    int64_t done_ms; // up to here everything has been returned
};
struct holds holds_of(const struct standard *standard, const struct series *series,
                      struct span phase);
bool holds_next(struct holds *holds, struct held *out);

/// How long the sensor watched during the phase.
int64_t evidence_watched_ms(const struct series *series, struct span phase);
/// How much of the phase has evidence: samples, the covered stretches; events, what was watched.
int64_t evidence_covered_ms(const struct standard *standard, const struct series *series,
                            struct span phase);
/// The longest covered stretch with values outside the bounds; of equal ones the first. Its length
/// is 0 and the span TIME_NONE if there is none.
int64_t evidence_longest_outside(const struct standard *standard, const struct series *series,
                                 struct span phase, struct bounds bounds, struct span *longest);
/// At most POINTS_MAX usable members of the phase, evenly thinned; the first and last stay.
size_t evidence_points(const struct standard *standard, const struct series *series,
                       struct span phase, struct point points[POINTS_MAX]);

/// Which of `total` members is the one to show, of `wanted` that are evenly apart.
static inline size_t point_place(size_t shown, size_t wanted, size_t total) {
    return wanted > 1 ? shown * (total - 1) / (wanted - 1) : 0;
}

static inline bool bounds_hold(struct bounds bounds, int64_t value) {
    return bounds.least <= value && value <= bounds.most;
}
static inline bool span_holds(struct span span, int64_t at_ms) {
    return span.from_ms <= at_ms && at_ms < span.to_ms;
}
