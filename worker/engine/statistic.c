#include "worker/engine/statistic.h"

#include "worker/engine/evidence.h"

#include <assert.h>
#include <math.h>
#include <string.h>

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
static struct summary summarise(const struct observed *o, struct span span) {
    if (o->unbroken.columns) return unbroken_summary(&o->unbroken, span);
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

static void add_useful(const int32_t *value, struct range range, enum leaning leaning,
                       const struct summary *so_far, struct summary *summary) {
    for (size_t i = range.from; i < range.to; i++) {
        if (((wide)value[i] * so_far->count - so_far->sum) * leaning <= 0) continue;
        summary->count++;
        summary->sum += value[i];
    }
}

static struct summary unbroken_with_useful(const struct unbroken *unbroken, enum leaning leaning,
                                           const struct reach *reach,
                                           const struct summary *so_far) {
    struct summary summary = unbroken_summary(unbroken, reach->sure);
    struct range sure = unbroken_range(unbroken, reach->sure);
    struct range possible = unbroken_range(unbroken, reach->possible);
    const int32_t *value = unbroken->columns->value;
    add_useful(value, (struct range){possible.from, sure.from}, leaning, so_far, &summary);
    add_useful(value, (struct range){sure.to, possible.to}, leaning, so_far, &summary);
    return summary;
}

/// The sure samples and those possible ones that lie on the leaning side of the mean `so_far`.
static struct summary with_useful(const struct observed *o, enum leaning leaning,
                                  const struct reach *reach, const struct summary *so_far) {
    if (o->unbroken.columns) return unbroken_with_useful(&o->unbroken, leaning, reach, so_far);
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

/// How values lie about one.
struct ranks {
    int64_t count, up_to, below;
};

static struct ranks ranks_in(const int32_t *values, struct range range, int64_t value) {
    int32_t up_to = 0, below = 0; // a series has fewer members
    for (size_t i = range.from; i < range.to; i++) {
        up_to += values[i] <= value;
        below += values[i] < value;
    }
    return (struct ranks){(int64_t)(range.to - range.from), up_to, below};
}

static struct ranks unbroken_ranks(const struct unbroken *unbroken, enum leaning leaning,
                                   const struct reach *reach, int64_t value) {
    struct range sure = unbroken_range(unbroken, reach->sure);
    struct range possible = unbroken_range(unbroken, reach->possible);
    const struct range doubtful[] = {{possible.from, sure.from}, {sure.to, possible.to}};
    struct ranks ranks = ranks_in(unbroken->columns->value, sure, value);
    for (size_t i = 0; i < 2; i++) { // of these, only those that help
        struct ranks other = ranks_in(unbroken->columns->value, doubtful[i], value);
        ranks.count += leaning == HIGHEST ? other.count - other.below : other.up_to;
        ranks.up_to += leaning == HIGHEST ? other.up_to - other.below : other.up_to;
        ranks.below += leaning == HIGHEST ? 0 : other.below;
    }
    return ranks;
}

static struct ranks walked_ranks(const struct observed *o, enum leaning leaning,
                                 const struct reach *reach, int64_t value) {
    struct ranks ranks = {0};
    struct usables usables = usables_of(o->standard, o->series);
    for (struct usable sample; usables_next(&usables, &sample);) {
        bool helps = leaning == HIGHEST ? sample.value >= value : sample.value <= value;
        if (!span_holds(reach->sure, sample.at_ms) &&
            !(helps && span_holds(reach->possible, sample.at_ms)))
            continue;
        ranks.count++;
        ranks.up_to += sample.value <= value;
        ranks.below += sample.value < value;
    }
    return ranks;
}

/// Whether the quantile can lie at `value` or beyond it on the leaning side, when only those
/// possible samples belong to the phase that help. Nearest rank: the least value with at least
/// `percent` of the samples at or below it.
static bool quantile_reaches(const struct observed *o, enum leaning leaning,
                             const struct reach *reach, int64_t value) {
    struct ranks ranks = o->unbroken.columns ? unbroken_ranks(&o->unbroken, leaning, reach, value)
                                             : walked_ranks(o, leaning, reach, value);
    int64_t rank = (ranks.count * o->standard->percent + 99) / 100;
    return leaning == HIGHEST ? ranks.below < rank : ranks.up_to >= rank;
}

enum { COUNTED_VALUES = 1024 };

/// The quantile of the phase's values, that lie close together, by counting each of them.
static int64_t quantile_counted(const struct observed *o, const struct summary *summary) {
    uint32_t counts[COUNTED_VALUES];
    memset(counts, 0, (size_t)(summary->most - summary->least + 1) * sizeof counts[0]);
    if (o->unbroken.columns) {
        struct range range = unbroken_range(&o->unbroken, o->phase);
        for (size_t i = range.from; i < range.to; i++)
            counts[o->unbroken.columns->value[i] - summary->least]++;
    } else {
        struct usables usables = usables_of(o->standard, o->series);
        for (struct usable sample; usables_next(&usables, &sample);)
            if (span_holds(o->phase, sample.at_ms)) counts[sample.value - summary->least]++;
    }
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
    bool all_sure = leaning == AS_MEASURED || o->error_ms == 0;
    if (all_sure && high - low < COUNTED_VALUES) low = high = quantile_counted(o, &summary);
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
    if (o->unbroken.columns) {
        times.inside_ms = unbroken_inside_ms(&o->unbroken, span, band);
        times.outside_ms = unbroken_covered_ms(&o->unbroken, span) - times.inside_ms;
        return times;
    }
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

int64_t statistic_longest_outside(const struct observed *o, struct span span, struct bounds band,
                                  struct span *longest) {
    return o->unbroken.columns
               ? unbroken_longest_outside(&o->unbroken, span, band, longest)
               : evidence_longest_outside(o->standard, o->series, span, band, longest);
}

static bool longest_outside(const struct observed *o, enum leaning leaning, struct figure *out) {
    struct bounds band = widened(o->standard->band, -leaning * o->standard->uncertainty);
    struct reach reach = reach_of(o, leaning);
    struct span span = leaning == HIGHEST ? reach.possible : reach.sure, stretch;
    *out = whole(statistic_longest_outside(o, span, band, &stretch));
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
