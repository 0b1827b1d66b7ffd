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

/// Where two clocks meet, samples near the phase's ends may or may not belong to it: those in
/// `sure` do, those in `possible` may. Without leaning both are the phase.
struct reach {
    struct span sure, possible;
};

static struct reach reach_of(const struct observed *o, enum leaning leaning) {
    int64_t error_ms = leaning == AS_MEASURED ? 0 : o->error_ms;
    return (struct reach){widened_span(o->phase, -error_ms), widened_span(o->phase, error_ms)};
}

/// Sum, count and extremes of the usable samples of a span.
struct summary {
    int64_t count, sum;
    int32_t least, most;
};

static struct summary summarise(const struct observed *o, struct span span) {
    struct summary summary = {.least = INT32_MAX, .most = INT32_MIN};
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);) {
        if (!span_holds(span, sample.at_ms)) continue;
        summary.count++;
        summary.sum += sample.value;
        summary.least = sample.value < summary.least ? sample.value : summary.least;
        summary.most = sample.value > summary.most ? sample.value : summary.most;
    }
    return summary;
}

/// Moving every sample by its uncertainty moves a mean and every order statistic by the same.
static struct figure shifted(const struct observed *o, enum leaning leaning, int64_t sum,
                             int64_t count) {
    wide shift = (wide)o->standard->uncertainty * count * leaning;
    return (struct figure){.numerator = sum + shift, .denominator = count};
}

/// The sure samples and those possible ones that lie on the leaning side of the mean `so_far`.
static struct summary with_useful(const struct observed *o, enum leaning leaning,
                                  const struct reach *reach, const struct summary *so_far) {
    struct summary summary = {0};
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);) {
        wide beyond = (wide)sample.value * so_far->count - so_far->sum;
        if (!span_holds(reach->sure, sample.at_ms) &&
            !(span_holds(reach->possible, sample.at_ms) && beyond * leaning > 0))
            continue;
        summary.count++;
        summary.sum += sample.value;
    }
    return summary;
}

/// Each round lets in the possible samples that move the mean further; it ends when none is left.
static bool mean(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct reach reach = reach_of(o, leaning);
    struct summary summary = summarise(o, reach.sure);
    if (summary.count == 0) return false;
    for (bool moved = leaning != AS_MEASURED; moved;) {
        struct summary next = with_useful(o, leaning, &reach, &summary);
        moved = next.count != summary.count || next.sum != summary.sum;
        summary = next;
    }
    *out = shifted(o, leaning, summary.sum, summary.count);
    return true;
}

static bool minimum(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct reach reach = reach_of(o, leaning);
    struct summary summary = summarise(o, leaning == LOWEST ? reach.possible : reach.sure);
    *out = shifted(o, leaning, summary.least, 1);
    return summary.count > 0;
}

static bool maximum(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct reach reach = reach_of(o, leaning);
    struct summary summary = summarise(o, leaning == HIGHEST ? reach.possible : reach.sure);
    *out = shifted(o, leaning, summary.most, 1);
    return summary.count > 0;
}

/// Whether the quantile can lie at `value` or beyond it on the leaning side, when only those
/// possible samples belong to the phase that help. Nearest rank: the least value with at least
/// `percent` of the samples at or below it.
static bool quantile_reaches(const struct observed *o, enum leaning leaning,
                             const struct reach *reach, int64_t value) {
    int64_t count = 0, up_to = 0, below = 0;
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);) {
        bool helps = leaning == HIGHEST ? sample.value >= value : sample.value <= value;
        if (!span_holds(reach->sure, sample.at_ms) &&
            !(helps && span_holds(reach->possible, sample.at_ms)))
            continue;
        count++;
        up_to += sample.value <= value;
        below += sample.value < value;
    }
    int64_t rank = (count * o->standard->percent + 99) / 100;
    return leaning == HIGHEST ? below < rank : up_to >= rank;
}

enum { COUNTED_VALUES = 1024 };

/// The quantile as measured of values that lie close together, by counting each of them.
static int64_t quantile_counted(const struct observed *o, const struct summary *summary) {
    uint32_t counts[COUNTED_VALUES] = {0};
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);)
        if (span_holds(o->phase, sample.at_ms)) counts[sample.value - summary->least]++;
    int64_t rank = (summary->count * o->standard->percent + 99) / 100, up_to = 0;
    for (int64_t value = 0;; value++) {
        up_to += counts[value];
        if (up_to >= rank) return summary->least + value;
    }
}

/// Otherwise found by halving the range of values, so that nothing needs sorting or memory.
static bool quantile(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct reach reach = reach_of(o, leaning);
    if (summarise(o, reach.sure).count == 0) return false;
    struct summary summary = summarise(o, reach.possible);
    int64_t low = summary.least, high = summary.most;
    if (leaning == AS_MEASURED && high - low < COUNTED_VALUES)
        low = high = quantile_counted(o, &summary);
    while (low < high) {
        int64_t middle = low + (high - low + (leaning == HIGHEST)) / 2;
        if (quantile_reaches(o, leaning, &reach, middle) == (leaning == HIGHEST))
            low = leaning == HIGHEST ? middle : middle + 1;
        else
            high = leaning == HIGHEST ? middle - 1 : middle;
    }
    *out = shifted(o, leaning, low, 1);
    return true;
}

/// Covered time of a span with values inside the band, and outside it.
struct times {
    wide inside_ms, outside_ms;
};

static struct times times_in(const struct observed *o, struct bounds band, struct span span) {
    struct times times = {0};
    struct holds holds = holds_of(o->standard, o->series, span);
    for (struct held held; holds_next(&holds, &held);) {
        int64_t length_ms = held.span.to_ms - held.span.from_ms;
        *(bounds_hold(band, held.value) ? &times.inside_ms : &times.outside_ms) += length_ms;
    }
    return times;
}

/// Share of the covered time with values in the band, in millionths (the unit's step is 0.0001 %).
/// Leaning, the time near the phase's ends counts on one side only.
static bool share(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct bounds band = widened(o->standard->band, leaning * o->standard->uncertainty);
    struct reach reach = reach_of(o, leaning);
    struct times sure = times_in(o, band, reach.sure);
    struct times possible = leaning == AS_MEASURED ? sure : times_in(o, band, reach.possible);
    wide inside_ms = leaning == HIGHEST ? possible.inside_ms : sure.inside_ms;
    wide outside_ms = leaning == LOWEST ? possible.outside_ms : sure.outside_ms;
    *out = (struct figure){.numerator = inside_ms * MILLION,
                           .denominator = (int64_t)(inside_ms + outside_ms)};
    return out->denominator > 0;
}

static bool longest_outside(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct bounds band = widened(o->standard->band, -leaning * o->standard->uncertainty);
    struct reach reach = reach_of(o, leaning);
    struct span span = leaning == HIGHEST ? reach.possible : reach.sure, stretch;
    *out = whole(evidence_longest_outside(o->standard, o->series, span, band, &stretch));
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
