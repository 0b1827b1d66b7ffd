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

static bool duration(const struct observed *o, struct figures *out) {
    int64_t length_ms = o->phase.to_ms - o->phase.from_ms;
    out->measured = whole(length_ms);
    out->low = not_below_zero(length_ms - o->error_ms);
    out->high = whole(length_ms + o->error_ms);
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

/// Moving every sample by u moves a mean and every order statistic by exactly u.
static bool shifted(const struct observed *o, wide numerator, int64_t denominator,
                    struct figures *out) {
    wide shift = (wide)o->standard->uncertainty * denominator;
    out->measured = (struct figure){.numerator = numerator, .denominator = denominator};
    out->low = (struct figure){.numerator = numerator - shift, .denominator = denominator};
    out->high = (struct figure){.numerator = numerator + shift, .denominator = denominator};
    return true;
}

static bool mean(const struct observed *o, struct figures *out) {
    struct summary summary = summarise(o);
    return summary.count > 0 && shifted(o, summary.sum, summary.count, out);
}

static bool minimum(const struct observed *o, struct figures *out) {
    struct summary summary = summarise(o);
    return summary.count > 0 && shifted(o, summary.least, 1, out);
}

static bool maximum(const struct observed *o, struct figures *out) {
    struct summary summary = summarise(o);
    return summary.count > 0 && shifted(o, summary.most, 1, out);
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
static bool quantile(const struct observed *o, struct figures *out) {
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
    return shifted(o, low, 1, out);
}

/// Share of the covered time with values in the band, in millionths (the unit's step is 0.0001 %).
static struct figure share_in(const struct observed *o, struct bounds band) {
    wide inside_ms = 0;
    struct holds holds = holds_of(o->standard, o->series, o->phase);
    for (struct held held; holds_next(&holds, &held);)
        if (bounds_hold(band, held.value)) inside_ms += held.span.to_ms - held.span.from_ms;
    return (struct figure){.numerator = inside_ms * MILLION, .denominator = o->covered_ms};
}

static bool share(const struct observed *o, struct figures *out) {
    if (o->covered_ms == 0) return false;
    struct bounds band = o->standard->band;
    out->measured = share_in(o, band);
    out->low = share_in(o, widened(band, -o->standard->uncertainty));
    out->high = share_in(o, widened(band, o->standard->uncertainty));
    return true;
}

static struct figure longest(const struct observed *o, struct bounds band) {
    struct span stretch;
    return whole(evidence_longest_outside(o->standard, o->series, o->phase, band, &stretch));
}

static bool longest_outside(const struct observed *o, struct figures *out) {
    if (o->covered_ms == 0) return false;
    struct bounds band = o->standard->band;
    out->measured = longest(o, band);
    out->low = longest(o, widened(band, o->standard->uncertainty));
    out->high = longest(o, widened(band, -o->standard->uncertainty));
    return true;
}

static int64_t events_in(const struct observed *o, struct span span) {
    int64_t count = 0;
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable event; usables_next(&usables, &event);)
        count += span_holds(span, event.at_ms);
    return count;
}

/// An event so near to the phase's ends that the clocks cannot tell may or may not belong to it.
static bool count_events(const struct observed *o, struct figures *out) {
    out->measured = whole(events_in(o, o->phase));
    out->low = whole(events_in(o, widened_span(o->phase, -o->error_ms)));
    out->high = whole(events_in(o, widened_span(o->phase, o->error_ms)));
    return true;
}

static struct figure per_minute(struct figure count, int64_t covered_ms) {
    count.numerator *= (wide)MINUTE_MS * MILLION;
    count.denominator = covered_ms;
    return count;
}

static bool rate(const struct observed *o, struct figures *out) {
    if (o->covered_ms == 0 || !count_events(o, out)) return false;
    out->measured = per_minute(out->measured, o->covered_ms);
    out->low = per_minute(out->low, o->covered_ms);
    out->high = per_minute(out->high, o->covered_ms);
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

/// How far the occurrence lies from the phase's start (or the last one from its end), after adding
/// `error_ms`.
static struct figure distance(const struct observed *o, int64_t at_ms, int64_t error_ms,
                              bool last) {
    if (at_ms == TIME_NONE) return (struct figure){.absent = true, .denominator = 1};
    int64_t from_start_ms = at_ms - o->phase.from_ms, to_end_ms = o->phase.to_ms - at_ms;
    return not_below_zero((last ? to_end_ms : from_start_ms) + error_ms);
}

static bool nearest(const struct observed *o, bool last, struct figures *out) {
    int64_t u = o->standard->uncertainty, error_ms = o->error_ms;
    struct span wide_phase = widened_span(o->phase, error_ms);
    struct span narrow_phase = widened_span(o->phase, -error_ms);
    out->measured = distance(o, occurrence(o, o->phase, 0, last), 0, last);
    out->low = distance(o, occurrence(o, wide_phase, u, last), -error_ms, last);
    out->high = distance(o, occurrence(o, narrow_phase, -u, last), error_ms, last);
    return true;
}

static bool first_after_start(const struct observed *o, struct figures *out) {
    return nearest(o, false, out);
}

static bool last_before_end(const struct observed *o, struct figures *out) {
    return nearest(o, true, out);
}

bool statistic_figures(const struct observed *observed, struct figures *figures) {
    static bool (*const functions[STATISTIC_COUNT])(const struct observed *, struct figures *) = {
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
    return functions[observed->standard->statistic](observed, figures);
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
