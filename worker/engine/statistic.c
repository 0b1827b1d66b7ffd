#include "worker/engine/statistic.h"

#include "worker/engine/evidence.h"

#include <assert.h>
#include <math.h>

static struct figure whole(wide value) {
    return (struct figure){.numerator = value, .denominator = 1};
}

static struct figure not_below_zero(wide value) {
    return whole(value < 0 ? 0 : value);
}

/// A band that is wider (or, by a negative margin, narrower) at its closed ends.
static struct bounds widened(struct bounds band, int64_t margin) {
    if (band.least != BOUND_OPEN_LEAST) band.least -= margin;
    if (band.most != BOUND_OPEN_MOST) band.most += margin;
    return band;
}

static struct span widened_span(struct span span, int64_t margin_ms) {
    return (struct span){span.from_ms - margin_ms, span.to_ms + margin_ms};
}

static bool duration(const struct observed *o, enum leaning leaning, struct figure *out) {
    *out = not_below_zero(o->phase.to_ms - o->phase.from_ms + leaning * o->error_ms);
    return true;
}

/// Count, sum and extremes of the usable samples in the phase.
struct summary {
    int64_t count, sum;
    int32_t least, most;
};

static struct summary summarise(const struct observed *o) {
    struct summary summary = {.least = INT32_MAX, .most = INT32_MIN};
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);) {
        if (!span_holds(o->phase, sample.at_ms)) continue;
        summary.count++;
        summary.sum += sample.value;
        summary.least = sample.value < summary.least ? sample.value : summary.least;
        summary.most = sample.value > summary.most ? sample.value : summary.most;
    }
    return summary;
}

/// Moving every sample by its uncertainty moves a mean and every order statistic by the same.
static bool shifted(const struct observed *o, enum leaning leaning, int64_t sum, int64_t count,
                    struct figure *out) {
    wide shift = (wide)o->standard->uncertainty * count * leaning;
    *out = (struct figure){.numerator = sum + shift, .denominator = count};
    return count > 0;
}

static bool mean(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct summary summary = summarise(o);
    return shifted(o, leaning, summary.sum, summary.count, out);
}

static bool minimum(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct summary summary = summarise(o);
    return summary.count > 0 && shifted(o, leaning, summary.least, 1, out);
}

static bool maximum(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct summary summary = summarise(o);
    return summary.count > 0 && shifted(o, leaning, summary.most, 1, out);
}

static int64_t count_up_to(const struct observed *o, int64_t value) {
    int64_t count = 0;
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);)
        count += span_holds(o->phase, sample.at_ms) && sample.value <= value;
    return count;
}

/// Nearest rank: the least value with at least `percent` of the samples at or below it. Found by
/// halving the range of values, so that nothing needs sorting or memory.
static bool quantile(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct summary summary = summarise(o);
    if (summary.count == 0) return false;
    int64_t rank = (summary.count * o->standard->percent + 99) / 100;
    int64_t low = summary.least, high = summary.most;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (count_up_to(o, middle) >= rank)
            high = middle;
        else
            low = middle + 1;
    }
    return shifted(o, leaning, low, 1, out);
}

/// Share of the covered time with values in the band, in millionths (the unit's step is 0.0001 %).
static bool share(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct bounds band = widened(o->standard->band, leaning * o->standard->uncertainty);
    wide inside_ms = 0;
    struct holds holds = holds_of(o->standard, o->series, o->phase);
    for (struct held held; holds_next(&holds, &held);)
        if (bounds_hold(band, held.value)) inside_ms += held.span.to_ms - held.span.from_ms;
    *out = (struct figure){.numerator = inside_ms * MILLION, .denominator = o->covered_ms};
    return o->covered_ms > 0;
}

static bool longest_outside(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct bounds band = widened(o->standard->band, -leaning * o->standard->uncertainty);
    struct span stretch;
    *out = whole(evidence_longest_outside(o->standard, o->series, o->phase, band, &stretch));
    return o->covered_ms > 0;
}

static int64_t events_in(const struct observed *o, struct span span) {
    int64_t count = 0;
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable event; usables_next(&usables, &event);)
        count += span_holds(span, event.at_ms);
    return count;
}

/// An event so near to the phase's ends that the clocks cannot tell may or may not belong to it.
static bool count_events(const struct observed *o, enum leaning leaning, struct figure *out) {
    *out = whole(events_in(o, widened_span(o->phase, leaning * o->error_ms)));
    return true;
}

static bool rate(const struct observed *o, enum leaning leaning, struct figure *out) {
    if (o->covered_ms == 0 || !count_events(o, leaning, out)) return false;
    out->numerator *= (wide)MINUTE_MS * MILLION; // in millionths for each minute
    out->denominator = o->covered_ms;
    return true;
}

/// The first or last event, or sample inside the band, of a span; TIME_NONE: none.
static int64_t occurrence(const struct observed *o, struct span span, int64_t margin, bool last) {
    int64_t found_ms = TIME_NONE;
    bool events = o->series->measure->kind == MEASURE_EVENTS;
    struct bounds band = widened(o->standard->band, margin);
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);) {
        if (!span_holds(span, sample.at_ms) || !(events || bounds_hold(band, sample.value)))
            continue;
        if (found_ms == TIME_NONE || last) found_ms = sample.at_ms;
    }
    return found_ms;
}

/// How far the first lies from the phase's start, or the last from its end. The lowest it can be:
/// in a wider phase and a wider band, and nearer by the clocks' error.
static bool nearest(const struct observed *o, enum leaning leaning, bool last, struct figure *out) {
    int64_t error_ms = leaning * o->error_ms;
    int64_t at_ms =
        occurrence(o, widened_span(o->phase, -error_ms), -leaning * o->standard->uncertainty, last);
    *out = (struct figure){.absent = true, .denominator = 1};
    if (at_ms != TIME_NONE)
        *out =
            not_below_zero((last ? o->phase.to_ms - at_ms : at_ms - o->phase.from_ms) + error_ms);
    return true;
}

static bool first_after_start(const struct observed *o, enum leaning leaning, struct figure *out) {
    return nearest(o, leaning, false, out);
}

static bool last_before_end(const struct observed *o, enum leaning leaning, struct figure *out) {
    return nearest(o, leaning, true, out);
}

bool statistic_figure(const struct observed *observed, enum leaning leaning,
                      struct figure *figure) {
    static bool (*const functions[STATISTIC_COUNT])(const struct observed *, enum leaning,
                                                    struct figure *) = {
        [STATISTIC_DURATION] = duration,
        [STATISTIC_MEAN] = mean,
        [STATISTIC_MIN] = minimum,
        [STATISTIC_MAX] = maximum,
        [STATISTIC_QUANTILE] = quantile,
        [STATISTIC_SHARE] = share,
        [STATISTIC_LONGEST_OUTSIDE] = longest_outside,
        [STATISTIC_COUNT_EVENTS] = count_events,
        [STATISTIC_RATE] = rate,
        [STATISTIC_FIRST_AFTER_START] = first_after_start,
        [STATISTIC_LAST_BEFORE_END] = last_before_end,
    };
    assert((unsigned)observed->standard->statistic < STATISTIC_COUNT);
    return functions[observed->standard->statistic](observed, leaning, figure);
}

int figure_compare(struct figure figure, int64_t limit) {
    if (figure.absent) return 1;
    wide other = (wide)limit * figure.denominator;
    return (figure.numerator > other) - (figure.numerator < other);
}

double figure_value(struct figure figure, double step) {
    if (figure.absent) return NAN;
    return (double)figure.numerator / (double)figure.denominator * step;
}
