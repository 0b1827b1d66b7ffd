#include "worker/standards/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SECONDS_MOST = 7 * 24 * 3600 };

/// What a statistic is made of, and what its result is.
static const struct kind {
    enum { OF_NOTHING, OF_SAMPLES, OF_EVENTS, OF_BOTH } of;
    bool band;        // needs a band
    const char *unit; // NULL: the measure's
    double step, most;
} kinds[STATISTIC_COUNT] = {
    [STATISTIC_DURATION] = {OF_NOTHING, false, "s", 1e-3, SECONDS_MOST},
    [STATISTIC_MEAN] = {OF_SAMPLES, false, NULL, 0, 0},
    [STATISTIC_MIN] = {OF_SAMPLES, false, NULL, 0, 0},
    [STATISTIC_MAX] = {OF_SAMPLES, false, NULL, 0, 0},
    [STATISTIC_QUANTILE] = {OF_SAMPLES, false, NULL, 0, 0},
    [STATISTIC_SHARE] = {OF_SAMPLES, true, "%", 1e-4, 100},
    [STATISTIC_LONGEST_OUTSIDE] = {OF_SAMPLES, true, "s", 1e-3, SECONDS_MOST},
    [STATISTIC_COUNT_EVENTS] = {OF_EVENTS, false, "1", 1, 1e6},
    [STATISTIC_RATE] = {OF_EVENTS, false, "1/min", 1e-6, 1e6},
    [STATISTIC_FIRST_AFTER_START] = {OF_BOTH, true, "s", 1e-3, SECONDS_MOST},
    [STATISTIC_LAST_BEFORE_END] = {OF_BOTH, true, "s", 1e-3, SECONDS_MOST},
};

/// A key that means nothing here is a misunderstanding that the author should hear of.
static bool absent(struct reading *reading, const struct node *node, const char *key,
                   const char *why) {
    const struct node *found = node_find(node, key);
    if (!found) return true;
    node_problem(found, reading->problems, ERR_CONFLICT, "%s means nothing %s; remove it", key,
                 why);
    return false;
}

bool figures_read_measure(struct reading *reading, const struct node *named,
                          struct measure *measure) {
    struct id id;
    if (!node_measure_id(named, &id, reading->problems)) return false;
    const struct measures *measures = reading->model->measures;
    const struct measure *found =
        measures ? measures_find(measures, id.text, strlen(id.text)) : NULL;
    if (found)
        *measure = *found;
    else
        name_unknown(reading, named, LIST_MEASURES, id.text);
    return found != NULL;
}

static bool measure_read(struct reading *reading, const struct node *node,
                         struct standard *standard) {
    if (kinds[standard->statistic].of == OF_NOTHING)
        return absent(reading, node, "measure",
                      "for a duration, which the encounter's own times tell");
    const struct node *named = node_need(node, "measure", reading->problems);
    if (!figures_read_measure(reading, named, &standard->measure)) return false;
    int of = standard->measure.kind == MEASURE_EVENTS ? OF_EVENTS : OF_SAMPLES;
    if (kinds[standard->statistic].of == OF_BOTH || (int)kinds[standard->statistic].of == of)
        return true;
    node_problem(named, reading->problems, ERR_CONFLICT,
                 "%s of %s: the measure has %s, the statistic needs %s; choose another of the two",
                 statistic_names[standard->statistic], standard->measure.id.text,
                 of == OF_EVENTS ? "events" : "samples", of == OF_EVENTS ? "samples" : "events");
    return false;
}

bool figures_read_lawful(struct reading *reading, const struct node *named,
                         const struct measure *measure) {
    if (measure->legal < LEGAL_P3) return true;
    if (measure->legal >= LEGAL_P4) {
        node_problem(
            named, reading->problems, ERR_REFUSED,
            "%s is of class P%d: the law forbids to judge people at work by it (%s); remove "
            "the standard",
            measure->id.text, (int)measure->legal,
            measure->legal == LEGAL_P5 ? "EU AI Act, Art. 5(1)(f)" : "GDPR, Art. 9");
        return false;
    }
    node_problem(named, &reading->model->warnings, ERR_REFUSED,
                 "%s is of class P3: the standard is not_selected, except where an overlay of the "
                 "layer agreement permits it; permits: [P3]",
                 measure->id.text);
    return true;
}

static bool law_permits(struct reading *reading, const struct node *node,
                        struct standard *standard) {
    bool measured = standard->statistic != STATISTIC_DURATION;
    standard->permitted = !measured || standard->measure.legal < LEGAL_P3;
    return !measured ||
           figures_read_lawful(reading, node_find(node, "measure"), &standard->measure);
}

bool figures_read_labels(struct reading *reading, const struct node *list, size_t most,
                         struct name *labels, size_t *count) {
    if (!list) return true;
    if (!read_list(reading, list, most)) return false;
    for (const struct node *label = list->first; label; label = label->next)
        if (!node_name(label, &labels[(*count)++], reading->problems)) return false;
    return true;
}

static bool labels_read(struct reading *reading, const struct node *node,
                        struct standard *standard) {
    if (standard->statistic == STATISTIC_DURATION || standard->measure.kind != MEASURE_EVENTS)
        return absent(reading, node, "labels", "without a measure of events");
    return figures_read_labels(reading, node_find(node, "labels"), STANDARD_LABELS_MAX,
                               standard->labels, &standard->label_count);
}

static bool percent_read(struct reading *reading, const struct node *node,
                         struct standard *standard) {
    if (standard->statistic != STATISTIC_QUANTILE)
        return absent(reading, node, "percent", "without the statistic quantile");
    int64_t percent;
    if (!node_integer(node_need(node, "percent", reading->problems), 1, 99, "%", &percent,
                      reading->problems))
        return false;
    standard->percent = (uint8_t)percent;
    return true;
}

/// {least: x, most: y}, at least one of them.
static bool bounds_read(struct reading *reading, const struct node *node, double step,
                        const char *unit, double least, double most, struct bounds *out) {
    static const char *const keys[] = {"least", "most", NULL};
    *out = (struct bounds){BOUND_OPEN_LEAST, BOUND_OPEN_MOST};
    if (!node || !node_map(node, keys, reading->problems)) return false;
    const struct node *low = node_find(node, "least"), *high = node_find(node, "most");
    if (!low && !high) {
        node_problem(node, reading->problems, ERR_MISSING,
                     "%s needs an end; write least, most or both", node->key);
        return false;
    }
    bool good = true;
    if (low) good &= read_steps(reading, low, step, unit, least, most, &out->least);
    if (high) good &= read_steps(reading, high, step, unit, least, most, &out->most);
    if (good && out->least > out->most) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "least lies above most: nothing can fulfil this; exchange them");
        good = false;
    }
    return good;
}

static bool band_read(struct reading *reading, const struct node *node, struct standard *standard) {
    standard->band = (struct bounds){BOUND_OPEN_LEAST, BOUND_OPEN_MOST};
    bool samples =
        standard->statistic != STATISTIC_DURATION && standard->measure.kind == MEASURE_SAMPLES;
    if (!samples || !kinds[standard->statistic].band)
        return absent(reading, node, "band", "for this statistic");
    const struct measure *measure = &standard->measure;
    return bounds_read(reading, node_need(node, "band", reading->problems), measure->resolution,
                       measure->unit, measure->least, measure->most, &standard->band);
}

/// The range in which the standard's figures may lie.
struct range {
    double least, most;
};

static struct range range_of(const struct standard *standard) {
    const struct kind *kind = &kinds[standard->statistic];
    if (kind->unit) return (struct range){0, kind->most};
    return (struct range){standard->measure.least, standard->measure.most};
}

static bool unit_read(struct reading *reading, const struct node *node, struct standard *standard) {
    const struct kind *kind = &kinds[standard->statistic];
    const struct measure *measure = &standard->measure;
    standard->step = kind->unit ? kind->step : measure->resolution;
    snprintf(standard->unit, sizeof standard->unit, "%s", kind->unit ? kind->unit : measure->unit);

    const struct node *unit = node_need(node, "unit", reading->problems);
    const char *text;
    if (!node_text(unit, 1, UNIT_MAX, &text, reading->problems)) return false;
    if (strcmp(text, standard->unit) == 0) return true;
    node_problem(unit, reading->problems, ERR_CONFLICT,
                 "the unit of this statistic is %s, not %s; give the figures in %s", standard->unit,
                 text, standard->unit);
    return false;
}

static bool degree_point_read(struct reading *reading, const struct node *node,
                              struct standard *standard, const struct range *range) {
    struct degree_point point;
    if (!node_list(node, 2, 2, reading->problems)) return false;
    bool good = read_steps(reading, node->first, standard->step, standard->unit, range->least,
                           range->most, &point.at);
    good &= read_share(reading, node->last, &point.millionths);
    if (!good) return false;
    if (standard->degree_count > 0 && standard->degree[standard->degree_count - 1].at >= point.at) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "the figures of a degree must ascend; sort its corners");
        return false;
    }
    standard->degree[standard->degree_count++] = point;
    return true;
}

static bool degree_read(struct reading *reading, const struct node *node, struct standard *standard,
                        const struct range *range) {
    const struct node *degree = node_find(node, "degree");
    if (!degree) return true;
    if (!node_list(degree, 2, DEGREE_POINTS_MAX, reading->problems)) return false;
    bool good = true;
    for (const struct node *point = degree->first; point; point = point->next)
        good &= degree_point_read(reading, point, standard, range);
    return good;
}

/// A degree says how far a violation is fulfilled: less than wholly.
static bool degree_fits(struct reading *reading, const struct node *node,
                        const struct standard *standard) {
    const struct bounds *bound = &standard->bound;
    const struct degree_point *points = standard->degree;
    size_t count = standard->degree_count, i = 0;
    if (count == 0) return true;
    bool below = bound->least != BOUND_OPEN_LEAST && points[0].millionths == MILLION;
    bool above = bound->most != BOUND_OPEN_MOST && points[count - 1].millionths == MILLION;
    while (i < count && (points[i].millionths < MILLION ||
                         (bound->least <= points[i].at && points[i].at <= bound->most)))
        i++;
    if (i == count && !below && !above) return true;
    node_problem(node_find(node, "degree"), reading->problems, ERR_CONFLICT,
                 "a figure outside the bound has the degree 1, as if it were fulfilled; let the "
                 "degree fall from the bound's ends on");
    return false;
}

bool figures_read(struct reading *reading, const struct node *node, struct standard *standard) {
    int statistic;
    if (!node_choice(node_need(node, "statistic", reading->problems), statistic_names, &statistic,
                     reading->problems))
        return false;
    standard->statistic = (enum statistic)statistic;
    if (!measure_read(reading, node, standard)) return false;
    // Rounded up: in doubt for the standard. A step's own rounding is no uncertainty.
    standard->uncertainty =
        standard->measure.resolution > 0
            ? (int64_t)ceil(standard->measure.uncertainty / standard->measure.resolution - 1e-9)
            : 0;

    struct range range = range_of(standard);
    bool good = law_permits(reading, node, standard);
    good &= labels_read(reading, node, standard);
    good &= percent_read(reading, node, standard);
    good &= band_read(reading, node, standard);
    good &= unit_read(reading, node, standard);
    good &= bounds_read(reading, node_need(node, "bound", reading->problems), standard->step,
                        standard->unit, range.least, range.most, &standard->bound);
    good &= degree_read(reading, node, standard, &range);
    return good && degree_fits(reading, node, standard);
}

bool figures_judge(struct reading *reading, const struct node *node,
                   const struct standard *standard) {
    struct range range = range_of(standard);
    int64_t least = (int64_t)ceil(range.least / standard->step - 1e-6);
    int64_t most = (int64_t)floor(range.most / standard->step + 1e-6);
    if (standard->bound.least > least || standard->bound.most < most) return true;
    node_problem(node_find(node, "bound"), reading->problems, ERR_CONFLICT,
                 "nothing can violate this: the figure lies within %.12g..%.12g %s anyway; narrow "
                 "it",
                 range.least, range.most, standard->unit);
    return false;
}

bool figures_read_moved(struct reading *reading, const struct node *node,
                        struct standard *standard) {
    struct range range = range_of(standard);
    bool good = bounds_read(reading, node_need(node, "bound", reading->problems), standard->step,
                            standard->unit, range.least, range.most, &standard->bound);
    return degree_read(reading, node, standard, &range) && good &&
           degree_fits(reading, node, standard);
}

static bool from_to_read(struct reading *reading, const struct node *node,
                         const struct standard *standard, struct bounds *out) {
    *out = (struct bounds){1, 0}; // empty
    struct range range = range_of(standard);
    struct bounds bounds;
    if (!node) return true;
    if (!node_list(node, 2, 2, reading->problems) ||
        !read_steps(reading, node->first, standard->step, standard->unit, range.least, range.most,
                    &bounds.least) ||
        !read_steps(reading, node->last, standard->step, standard->unit, range.least, range.most,
                    &bounds.most))
        return false;
    *out = bounds;
    if (bounds.least <= bounds.most) return true;
    node_problem(node, reading->problems, ERR_CONFLICT, "from lies above to; exchange them");
    return false;
}

/// What a culture may move, it moves from the company's own figure. `node` NULL: nothing.
static bool holds_own(struct reading *reading, const struct node *node, const struct bounds *range,
                      int64_t own) {
    if (!node || (range->least <= own && own <= range->most)) return true;
    node_problem(node, reading->problems, ERR_CONFLICT,
                 "the bound's own %s does not lie within; widen the range, or remove it", node->key);
    return false;
}

bool figures_read_adaptable(struct reading *reading, const struct node *node,
                            const struct standard *standard, struct bounds *least,
                            struct bounds *most) {
    static const char *const keys[] = {"least", "most", NULL};
    const struct node *adaptable = node_find(node, "adaptable");
    bool good = !adaptable || node_map(adaptable, keys, reading->problems);
    const struct node *low = node_find(adaptable, "least"), *high = node_find(adaptable, "most");
    good &= from_to_read(reading, low, standard, least) &&
            holds_own(reading, low, least, standard->bound.least);
    good &= from_to_read(reading, high, standard, most) &&
            holds_own(reading, high, most, standard->bound.most);
    if (!good || !adaptable || low || high) return good;
    node_problem(adaptable, reading->problems, ERR_MISSING,
                 "adaptable needs an end; write least, most or both");
    return false;
}
