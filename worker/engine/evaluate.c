#include "worker/engine/evaluate.h"

#include "worker/engine/anchor.h"
#include "worker/engine/compose.h"
#include "worker/engine/decide.h"
#include "worker/engine/degree.h"
#include "worker/engine/evidence.h"
#include "worker/engine/phase.h"
#include "worker/engine/score.h"
#include "worker/engine/statistic.h"

#include <math.h>
#include <string.h>

/// The evidence last looked at: neighbours in a set often ask of the same samples of a phase.
struct seen {
    const struct series *series; // NULL: nothing yet
    struct span phase;
    int64_t largest_gap_ms;
    uint8_t least_confidence;
    struct unbroken unbroken;
    int64_t covered_ms;
    size_t point_count;
    struct point points[POINTS_MAX];
};

/// What all standards of one call look at.
struct subject {
    const struct standard_set *set;
    const struct encounter *encounter;
    const struct offering *offering;
    const struct series *series;
    size_t series_count;
    const struct engine_context *context;
    struct seen *seen;
};

static struct judgement no_judgement(enum verdict verdict, enum reason reason) {
    return (struct judgement){
        .verdict = verdict,
        .reason = reason,
        .measured = NAN,
        .limit = NAN,
        .coverage_millionths = -1,
        .degree_millionths = -1,
        .worst = {TIME_NONE, TIME_NONE},
    };
}

static void conclude(struct judgement *out, enum verdict verdict, enum reason reason,
                     int32_t degree_millionths) {
    out->verdict = verdict;
    out->reason = reason;
    out->degree_millionths = degree_millionths;
}

static const struct series *series_of(const struct subject *subject,
                                      const struct measure *measure) {
    for (size_t i = 0; i < subject->series_count; i++)
        if (subject->series[i].measure->key == measure->key) return &subject->series[i];
    return NULL;
}

/// Whether the standard applies at the hour in which the service started, or the client came.
static bool applies_then(const struct subject *subject, const struct standard *standard) {
    if (standard->hours_count == 0 || !subject->context->zone) return true;
    const struct encounter *encounter = subject->encounter;
    struct local_time local = zone_local(
        subject->context->zone,
        encounter->started_ms != TIME_NONE ? encounter->started_ms : encounter_begin_ms(encounter));
    int minute = local.hour * 60 + local.minute;
    for (size_t i = 0; i < standard->hours_count; i++) {
        const struct hours *hours = &standard->hours[i];
        if (hours->days >> local.weekday & 1 && hours->from <= minute && minute < hours->to)
            return true;
    }
    return false;
}

/// false: the standard is not for this encounter; *out says why.
static bool applies(const struct subject *subject, const struct standard *standard,
                    struct judgement *out) {
    if (!standard->permitted) {
        *out = no_judgement(VERDICT_NOT_SELECTED, standard->barred_by);
        return false;
    }
    if (!(standard->outcomes >> subject->encounter->outcome & 1)) {
        *out = no_judgement(VERDICT_NOT_APPLICABLE, REASON_OUTCOME);
        return false;
    }
    if (!applies_then(subject, standard)) {
        *out = no_judgement(VERDICT_NOT_APPLICABLE, REASON_HOURS);
        return false;
    }
    if (standard->any_offering) return true;
    if (subject->offering != &subject->set->other_offering &&
        standard->offerings >> (subject->offering - subject->set->offerings) & 1)
        return true;
    *out = no_judgement(VERDICT_NOT_APPLICABLE, REASON_OFFERING);
    return false;
}

/// Whether the evidence suffices; the reason if it does not.
static bool enough_evidence(const struct observed *observed, struct judgement *out) {
    int64_t length_ms = observed->phase.to_ms - observed->phase.from_ms;
    out->coverage_millionths = (int32_t)(observed->covered_ms * MILLION / length_ms);
    if (observed->covered_ms * MILLION >=
            length_ms * (int64_t)observed->standard->least_coverage_millionths &&
        observed->covered_ms > 0)
        return true;
    enum reason reason = REASON_COVERAGE;
    if (!observed->series || evidence_watched_ms(observed->series, observed->phase) == 0)
        reason = REASON_NO_SENSOR;
    else if (observed->covered_ms == 0)
        reason = REASON_NO_SAMPLE;
    conclude(out, VERDICT_INSUFFICIENT_EVIDENCE, reason, -1);
    return false;
}

/// The end of the bound that is violated; if none is, the nearer one.
static int64_t limit_of(struct bounds bound, struct figure figure) {
    if (bound.most == BOUND_OPEN_MOST) return bound.least;
    if (bound.least == BOUND_OPEN_LEAST || figure.absent) return bound.most;
    wide twice = figure.numerator * 2, sum = (wide)bound.least + bound.most;
    return twice > sum * figure.denominator ? bound.most : bound.least;
}

static bool never_happened(const struct observed *observed, struct figure figure) {
    bool counts = observed->standard->statistic == STATISTIC_COUNT_EVENTS ||
                  observed->standard->statistic == STATISTIC_RATE;
    return figure.absent || (counts && figure.numerator == 0);
}

/// Violated even where the true figure is as favourable as it can be.
static bool surely_violated(const struct observed *observed) {
    struct bounds bound = observed->standard->bound;
    struct figure figure;
    if (bound.most != BOUND_OPEN_MOST && statistic_figure(observed, LOWEST, &figure) &&
        figure_compare(figure, bound.most) > 0)
        return true;
    return bound.least != BOUND_OPEN_LEAST && statistic_figure(observed, HIGHEST, &figure) &&
           figure_compare(figure, bound.least) < 0;
}

/// The bound holds even where the true figure is as unfavourable as it can be.
static bool surely_held(const struct observed *observed) {
    struct bounds bound = observed->standard->bound;
    struct figure figure;
    if (bound.most != BOUND_OPEN_MOST &&
        !(statistic_figure(observed, HIGHEST, &figure) && figure_compare(figure, bound.most) <= 0))
        return false;
    return bound.least == BOUND_OPEN_LEAST || (statistic_figure(observed, LOWEST, &figure) &&
                                               figure_compare(figure, bound.least) >= 0);
}

/// The guard band: met if the bound holds as measured, not met if it is surely violated. Under a
/// `not` the other way round, so that the doubt is always in the standard's favour.
static void judge(const struct observed *observed, struct figure measured, struct judgement *out) {
    const struct standard *standard = observed->standard;
    struct bounds bound = standard->bound;
    out->measured = figure_value(measured, standard->step);
    out->limit = (double)limit_of(bound, measured) * standard->step;

    bool above = bound.most != BOUND_OPEN_MOST && figure_compare(measured, bound.most) > 0;
    bool below = bound.least != BOUND_OPEN_LEAST && figure_compare(measured, bound.least) < 0;
    bool holds = !above && !below;
    bool favourable = observed->turned ? !holds : holds;
    bool sure =
        favourable || (!observed->doubtful &&
                       (observed->turned ? surely_held(observed) : surely_violated(observed)));
    if (!sure) {
        conclude(out, VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND, -1);
        return;
    }
    if (holds) {
        conclude(out, VERDICT_MET, REASON_HELD, MILLION);
        return;
    }
    int32_t degree = degree_at(standard, measured);
    enum reason reason = never_happened(observed, measured) ? REASON_NOT_OBSERVED : REASON_VIOLATED;
    conclude(out, degree > 0 ? VERDICT_PARTLY_MET : VERDICT_NOT_MET, reason, degree);
}

/// Where it was worst: for samples, the longest stretch outside the band (without one, the bound).
static struct span worst_span(const struct observed *observed) {
    const struct standard *standard = observed->standard;
    struct span worst = {TIME_NONE, TIME_NONE};
    if (observed->turned) return observed->phase;
    switch (standard->statistic) {
    case STATISTIC_MEAN:
    case STATISTIC_MIN:
    case STATISTIC_MAX:
    case STATISTIC_QUANTILE:
        statistic_longest_outside(observed, observed->phase, standard->bound, &worst);
        return worst;
    case STATISTIC_SHARE:
    case STATISTIC_LONGEST_OUTSIDE:
        statistic_longest_outside(observed, observed->phase, standard->band, &worst);
        return worst;
    case STATISTIC_DURATION:
    case STATISTIC_COUNT_EVENTS:
    case STATISTIC_RATE:
    case STATISTIC_FIRST_AFTER_START:
    case STATISTIC_LAST_BEFORE_END:
    case STATISTIC_COUNT:
        break;
    }
    return observed->phase;
}

/// Whether `seen` holds just this evidence. Events differ by their labels, too.
static bool seen_already(const struct seen *seen, const struct observed *observed) {
    return seen->series == observed->series && observed->series->measure->kind == MEASURE_SAMPLES &&
           seen->phase.from_ms == observed->phase.from_ms &&
           seen->phase.to_ms == observed->phase.to_ms &&
           seen->largest_gap_ms == observed->standard->largest_gap_ms &&
           seen->least_confidence == observed->standard->least_confidence;
}

static void look_closely(struct seen *seen, const struct standard *standard) {
    if (seen->unbroken.columns) {
        seen->covered_ms = unbroken_covered_ms(&seen->unbroken, seen->phase);
        seen->point_count = unbroken_points(&seen->unbroken, seen->phase, seen->points);
    } else {
        seen->covered_ms = evidence_covered_ms(standard, seen->series, seen->phase);
        seen->point_count = evidence_points(standard, seen->series, seen->phase, seen->points);
    }
}

/// How much of the phase is covered, and the points to show for it.
static void look(struct seen *seen, struct observed *observed, struct judgement *out) {
    const struct standard *standard = observed->standard;
    if (!seen_already(seen, observed)) {
        seen->series = observed->series;
        seen->phase = observed->phase;
        seen->largest_gap_ms = standard->largest_gap_ms;
        seen->least_confidence = standard->least_confidence;
        seen->unbroken = unbroken_of(standard, observed->series);
        look_closely(seen, standard);
    }
    observed->unbroken = seen->unbroken;
    observed->covered_ms = seen->covered_ms;
    out->point_count = seen->point_count;
    memcpy(out->points, seen->points, seen->point_count * sizeof seen->points[0]);
}

/// Everything that is observed; whether it is enough; what it says.
static void judge_observed(const struct observed *observed, struct judgement *out) {
    struct figure measured;
    bool measurable =
        observed->covered_ms > 0 && statistic_figure(observed, AS_MEASURED, &measured);
    if (measurable) judge(observed, measured, out);
    if (!enough_evidence(observed, out)) return;
    if (!measurable) conclude(out, VERDICT_INSUFFICIENT_EVIDENCE, REASON_NO_SAMPLE, -1);
}

static void judge_duration(const struct observed *observed, struct judgement *out) {
    struct figure measured;
    out->coverage_millionths = MILLION; // the encounter's own times tell all of it
    if (statistic_figure(observed, AS_MEASURED, &measured)) judge(observed, measured, out);
}

/// A client who gave up waited at least this long: that is enough to break the bound, never to keep
/// it. Leaving these out would let only those speak who could stay.
static void judge_given_up(const struct observed *observed, struct judgement *out) {
    const struct standard *standard = observed->standard;
    int64_t most = standard->bound.most;
    struct figure measured;
    *out = no_judgement(VERDICT_NOT_APPLICABLE, REASON_LEFT_EARLY);
    if (!statistic_figure(observed, AS_MEASURED, &measured)) return;
    out->measured = figure_value(measured, standard->step);
    if (most == BOUND_OPEN_MOST) return;
    out->limit = (double)most * standard->step;
    if (figure_compare(measured, most) <= 0) return;
    out->coverage_millionths = MILLION;
    if (observed->turned || surely_violated(observed))
        conclude(out, VERDICT_NOT_MET, REASON_GAVE_UP, 0);
    else
        conclude(out, VERDICT_INSUFFICIENT_EVIDENCE, REASON_GUARD_BAND, -1);
}

/// One end of a span: when it is, and how sure that is.
static struct anchored find_anchor(const struct subject *subject, struct observed *observed,
                                   const struct anchor *anchor) {
    const struct encounter *encounter = subject->encounter;
    if (anchor->kind != ANCHOR_EVENT) return anchor_time(phase_instant(anchor->kind, encounter));
    struct span service = {encounter->started_ms, encounter->ended_ms};
    if (service.from_ms == TIME_NONE || service.from_ms >= service.to_ms)
        return anchor_time(TIME_NONE);
    const struct series *series = series_of(subject, &anchor->measure);
    int64_t series_error_ms = series ? series->clock_error_ms : 0;
    if (series_error_ms > observed->ends_error_ms) observed->ends_error_ms = series_error_ms;
    return anchor_find(anchor, observed->standard, series, service,
                       series_error_ms + (int64_t)subject->context->clock_error_ms);
}

static void conclude_unseen(int32_t coverage_millionths, struct judgement *out) {
    out->coverage_millionths = coverage_millionths;
    conclude(out, VERDICT_INSUFFICIENT_EVIDENCE,
             coverage_millionths == 0 ? REASON_NO_SENSOR : REASON_COVERAGE, -1);
}

/// Where the standard looks; false: nowhere, *out says why.
static bool find_phase(const struct subject *subject, struct observed *observed,
                       struct judgement *out) {
    const struct during *during = &observed->standard->during;
    struct span events = PHASE_NO_EVENTS;
    observed->ends_error_ms = subject->context->clock_error_ms;
    if (during_senses(during)) {
        struct anchored from = find_anchor(subject, observed, &during->from);
        struct anchored to = find_anchor(subject, observed, &during->to);
        if (from.sighting == SIGHTING_NONE || to.sighting == SIGHTING_NONE) return false;
        if (from.sighting == SIGHTING_UNSEEN || to.sighting == SIGHTING_UNSEEN) {
            conclude_unseen((from.sighting == SIGHTING_UNSEEN ? from : to).coverage_millionths,
                            out);
            return false;
        }
        observed->doubtful = from.doubtful || to.doubtful;
        events = (struct span){from.at_ms, to.at_ms};
    }
    return phase_span(during, subject->offering, subject->encounter, events, &observed->phase);
}

/// Finds what there is to observe of one figure, and judges it.
static void observe(const struct subject *subject, struct observed *observed,
                    struct judgement *out) {
    const struct standard *standard = observed->standard;
    bool duration = standard->statistic == STATISTIC_DURATION;
    *out = no_judgement(VERDICT_NOT_APPLICABLE, REASON_PHASE_MISSING);
    if (duration) observed->error_ms = subject->context->times_error_ms;
    if (duration && phase_given_up(&standard->during, subject->encounter, &observed->phase)) {
        judge_given_up(observed, out);
    } else if (!find_phase(subject, observed, out)) {
        return;
    } else if (duration) {
        judge_duration(observed, out);
    } else if (observed->phase.from_ms < observed->phase.to_ms) {
        observed->series = series_of(subject, &standard->measure);
        if (observed->series) {
            observed->error_ms = observed->series->clock_error_ms + observed->ends_error_ms;
            look(subject->seen, observed, out);
        }
        judge_observed(observed, out);
    }
}

/// One figure, of a standard or of a part of it; turned: as a `not` sees it.
static void evaluate_figure(const struct subject *subject, const struct standard *standard,
                            bool turned, struct judgement *out) {
    struct observed observed = {.standard = standard, .turned = turned};
    observe(subject, &observed, out);
    if (turned) compose_turn(out);
    bool doubted =
        out->verdict == VERDICT_INSUFFICIENT_EVIDENCE && out->reason == REASON_GUARD_BAND;
    bool violated = out->verdict == VERDICT_NOT_MET || out->verdict == VERDICT_PARTLY_MET;
    if (doubted || violated) out->worst = worst_span(&observed);
}

/// A tree of checks: the judgement of the check that speaks for all. A `not` turns everything
/// inside it around (De Morgan), down to the figures and their guard bands.
static void evaluate_check(const struct subject *subject, const struct standard *standard,
                           const struct check *check, bool turned, struct judgement *out) {
    if (check->kind == CHECK_FIGURE) {
        evaluate_figure(subject, &standard->parts[check->part], turned, out);
        return;
    }
    if (check->kind == CHECK_NOT) {
        evaluate_check(subject, standard, check + 1, !turned, out);
        return;
    }
    enum check_kind kind = (check->kind == CHECK_ANY) != turned ? CHECK_ANY : CHECK_ALL;
    const struct check *end = check + check->size;
    evaluate_check(subject, standard, ++check, turned, out);
    for (check += check->size; check < end; check += check->size) {
        struct judgement other;
        evaluate_check(subject, standard, check, turned, &other);
        if (compose_speaks(kind, out, &other)) *out = other;
    }
}

/// A violation is excused where one of the standard's excuses holds as measured.
static void excuse(const struct subject *subject, const struct standard *standard,
                   struct judgement *out) {
    for (size_t i = 0; i < standard->excuse_count; i++) {
        struct judgement when;
        evaluate_check(subject, standard, standard->excuses[i].when.items, false, &when);
        if (when.verdict != VERDICT_MET) continue;
        conclude(out, VERDICT_EXCUSED, REASON_EXCUSE, -1);
        return;
    }
}

/// The standard as it holds for the encounter's offering.
static const struct standard *variant(const struct subject *subject,
                                      const struct standard *standard) {
    if (subject->offering == &subject->set->other_offering) return standard;
    uint64_t offering = UINT64_C(1) << (subject->offering - subject->set->offerings);
    for (size_t i = 0; i < standard->variant_count; i++)
        if (standard->variants[i].varied & offering) return &standard->variants[i];
    return standard;
}

static void evaluate_one(const struct subject *subject, const struct standard *standard,
                         struct judgement *out) {
    if (!applies(subject, standard, out)) return;
    if (standard->checks.count > 0)
        evaluate_check(subject, standard, standard->checks.items, false, out);
    else
        evaluate_figure(subject, standard, false, out);
    if (out->verdict == VERDICT_NOT_MET || out->verdict == VERDICT_PARTLY_MET)
        excuse(subject, standard, out);
    if (out->verdict == VERDICT_NOT_MET && standard->severity == SEVERITY_AUTO_FAIL)
        out->reason = REASON_UNCONFIRMED;
}

void engine_error(const struct standard_set *set, enum reason reason, struct judgement *out,
                  struct scores *scores) {
    for (size_t i = 0; i < set->count; i++)
        out[i] = no_judgement(VERDICT_ERROR, reason);
    score_encounter(set, out, scores);
}

void engine_evaluate(const struct standard_set *set, const struct encounter *encounter,
                     const struct series *series, size_t series_count,
                     const struct engine_context *context, struct judgement *out,
                     struct scores *scores) {
    if (encounter_check(encounter, NULL) != ERR_NONE) {
        engine_error(set, REASON_BAD_DATA, out, scores);
        return;
    }
    struct seen seen = {.series = NULL};
    struct subject subject = {
        .set = set,
        .encounter = encounter,
        .offering = phase_offering(set, &encounter->offering),
        .series = series,
        .series_count = series_count,
        .context = context,
        .seen = &seen,
    };
    for (size_t i = 0; i < set->count; i++)
        evaluate_one(&subject, variant(&subject, &set->items[i]), &out[i]);
    engine_decide(set, context->decisions, context->decision_count, out, scores);
}
