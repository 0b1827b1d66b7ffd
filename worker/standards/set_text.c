#include "worker/standards/set_text.h"

#include "worker/standards/layers.h"
#include "worker/standards/sentence.h"

#include <jansson.h>
#include <string.h>

// jansson's *_new functions take a NULL value as an error and give everything back at the end, so
// a missing piece makes the whole NULL.

/// Twelve digits write 45 steps of 0.01 as 0.45.
enum { DIGITS = 12, SENTENCE_SIZE = 8 * TEXT_SIZE_MAX };

static json_t *figure(int64_t steps, double step) {
    return json_real((double)steps * step);
}

static json_t *words_json(const struct words *text) {
    return json_pack("{s:s, s:s}", "de", text->de, "en", text->en);
}

/// A sentence with the standard's figures in it.
static json_t *sentence_json(const char *sentence, const struct standard *standard,
                             const char *language) {
    struct buffer text;
    buffer_init(&text, SENTENCE_SIZE);
    sentence_put(&text, sentence, standard, language);
    json_t *json = text.failed ? NULL : json_stringn((const char *)text.data, text.size);
    buffer_fini(&text);
    return json;
}

static json_t *sentences_json(const struct rule *rule, const struct standard *standard) {
    return json_pack("{s:o, s:o}", "de", sentence_json(rule->text.de, standard, "de"), "en",
                     sentence_json(rule->text.en, standard, "en"));
}

/// Put value under key; on a NULL value or no memory the object is given back and NULL.
static json_t *with(json_t *object, const char *key, json_t *value) {
    if (object && json_object_set_new(object, key, value) == 0) return object;
    if (!object) json_decref(value);
    json_decref(object);
    return NULL;
}

/// The same for the end of an array.
static json_t *append(json_t *array, json_t *value) {
    if (array && json_array_append_new(array, value) == 0) return array;
    if (!array) json_decref(value);
    json_decref(array);
    return NULL;
}

static json_t *bounds_json(const struct bounds *bounds, double step) {
    json_t *object = json_object();
    if (bounds->least != BOUND_OPEN_LEAST)
        object = with(object, "least", figure(bounds->least, step));
    if (bounds->most != BOUND_OPEN_MOST) object = with(object, "most", figure(bounds->most, step));
    return object;
}

static json_t *measure_json(const struct measure *measure) {
    return json_pack("{s:s, s:s, s:f, s:f, s:i}", "id", measure->id.text, "unit", measure->unit,
                     "resolution", measure->resolution, "uncertainty", measure->uncertainty,
                     "legal", (int)measure->legal);
}

static json_t *labels_json(const struct name *labels, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        array = append(array, json_string(labels[i].text));
    return array;
}

/// "started", or {"event": "first", "measure": {...}, "labels": [...]}.
static json_t *anchor_json(const struct anchor *anchor) {
    if (anchor->kind != ANCHOR_EVENT) return json_string(anchor_names[anchor->kind]);
    json_t *object = json_pack("{s:s}", "event", anchor->last ? "last" : "first");
    object = with(object, "measure", measure_json(&anchor->measure));
    if (anchor->label_count == 0) return object;
    return with(object, "labels", labels_json(anchor->labels, anchor->label_count));
}

static json_t *during_json(const struct during *during) {
    if (during->phase != PHASE_SPAN) return json_string(phase_names[during->phase]);
    return json_pack("{s:o, s:o, s:f, s:f}", "from", anchor_json(&during->from), "to",
                     anchor_json(&during->to), "from_s", during->from.offset_ms / 1000.0, "to_s",
                     during->to.offset_ms / 1000.0);
}

static json_t *degree_json(const struct standard *standard) {
    json_t *array = json_array();
    for (size_t i = 0; i < standard->degree_count; i++)
        array = append(array, json_pack("[f, f]", (double)standard->degree[i].at * standard->step,
                                        standard->degree[i].millionths / 1e6));
    return array;
}

static json_t *places_json(json_t *object, const char *key, const struct places *places) {
    if (places->count == 0) return object;
    json_t *array = json_array();
    for (size_t i = 0; i < places->count; i++)
        array = append(array, json_string(places->items[i].text));
    return with(object, key, array);
}

static json_t *hours_json(const struct standard *standard) {
    json_t *array = json_array();
    for (size_t i = 0; i < standard->hours_count; i++) {
        const struct hours *hours = &standard->hours[i];
        json_t *days = json_array();
        for (int day = 0; weekday_names[day]; day++)
            if (hours->days >> day & 1) days = append(days, json_string(weekday_names[day]));
        array = append(array, json_pack("{s:o, s:i, s:i}", "days", days, "from_minute",
                                        (int)hours->from, "to_minute", (int)hours->to));
    }
    return array;
}

static json_t *applies_json(const struct standard_set *set, const struct rule *rule) {
    const struct standard *standard = &rule->standard;
    json_t *object = json_object();
    if (!standard->any_offering) {
        json_t *array = json_array();
        for (size_t i = 0; i < set->offering_count; i++)
            if (standard->offerings >> i & 1)
                array = append(array, json_string(set->offerings[i].id.text));
        object = with(object, "offerings", array);
    }
    if (standard->outcomes != UINT32_MAX) {
        json_t *array = json_array();
        for (int i = 0; i < OUTCOME_COUNT; i++)
            if (standard->outcomes >> i & 1)
                array = append(array, json_string(outcome_name((enum outcome)i)));
        object = with(object, "outcomes", array);
    }
    if (standard->hours_count > 0) object = with(object, "hours", hours_json(standard));
    object = places_json(object, "branches", &rule->where.branches);
    object = places_json(object, "regions", &rule->where.regions);
    object = places_json(object, "countries", &rule->where.countries);
    return object;
}

/// What only standards that look at a sensor have.
static json_t *sensed_json(json_t *object, const struct standard *standard) {
    if (standard->statistic == STATISTIC_DURATION) return object;
    object = with(object, "measure", measure_json(&standard->measure));
    object =
        with(object, "evidence",
             json_pack("{s:f, s:f, s:f}", "coverage", standard->least_coverage_millionths / 1e6,
                       "confidence", standard->least_confidence / 100.0, "gap_s",
                       standard->largest_gap_ms / 1000.0));
    if (standard->label_count > 0)
        object = with(object, "labels", labels_json(standard->labels, standard->label_count));
    if (standard->band.least != BOUND_OPEN_LEAST || standard->band.most != BOUND_OPEN_MOST)
        object = with(object, "band", bounds_json(&standard->band, standard->measure.resolution));
    if (standard->statistic == STATISTIC_QUANTILE)
        object = with(object, "percent", json_integer(standard->percent));
    return object;
}

/// The overlays that moved the standard's figures, or confirmed them.
static json_t *layers_json(const struct standards *standards, const struct rule *rule,
                           const struct standards_place *place) {
    json_t *array = json_array();
    for (size_t i = 0; i < standards->overlay_count; i++) {
        const struct overlay *overlay = &standards->overlays[i];
        if (!layers_concern(overlay, rule, place)) continue;
        json_t *object = json_pack("{s:s, s:s, s:s}", "overlay", overlay->id.text, "layer",
                                   layer_names[overlay->layer], "source", overlay->source);
        object = with(object, "bound", bounds_json(&overlay->bound, rule->standard.step));
        array = append(array, object);
    }
    return array;
}

/// What one figure is made of, and its bound.
static json_t *figure_json(json_t *object, const struct standard *standard) {
    object = with(object, "statistic", json_string(statistic_names[standard->statistic]));
    object = with(object, "unit", json_string(standard->unit));
    object = with(object, "during", during_json(&standard->during));
    object = with(object, "bound", bounds_json(&standard->bound, standard->step));
    if (standard->degree_count > 0) object = with(object, "degree", degree_json(standard));
    return sensed_json(object, standard);
}

/// A check and all inside it, such as {"all": [{figure}, {"not": {figure}}]}.
static json_t *check_json(const struct standard *standard, const struct check *check) {
    if (check->kind == CHECK_FIGURE)
        return figure_json(json_object(), &standard->parts[check->part]);
    if (check->kind == CHECK_NOT)
        return with(json_object(), "not", check_json(standard, check + 1));
    const struct check *end = check + check->size;
    json_t *array = json_array();
    for (const struct check *inner = check + 1; inner < end; inner += inner->size)
        array = append(array, check_json(standard, inner));
    return with(json_object(), check->kind == CHECK_ANY ? "any" : "all", array);
}

static json_t *excuses_json(const struct standard *standard, const struct rule *rule) {
    json_t *array = json_array();
    for (size_t i = 0; i < standard->excuse_count; i++) {
        const struct excuse *excuse = &standard->excuses[i];
        json_t *object = json_pack("{s:s}", "id", excuse->id.text);
        object = with(object, "text", words_json(&rule->excuses[i]));
        object = with(object, "when", check_json(standard, excuse->when.items));
        array = append(array, object);
    }
    return array;
}

static bool same_bound(const struct standard *one, const struct standard *other) {
    return one->bound.least == other->bound.least && one->bound.most == other->bound.most;
}

/// What the layers make of a standard for some offerings.
static json_t *variants_json(const struct standard_set *set, const struct standard *standard,
                             const struct rule *rule) {
    json_t *array = json_array();
    for (size_t i = 0; i < standard->variant_count; i++) {
        const struct standard *variant = &standard->variants[i];
        json_t *offerings = json_array();
        for (size_t k = 0; k < set->offering_count; k++)
            if (variant->varied >> k & 1)
                offerings = append(offerings, json_string(set->offerings[k].id.text));
        json_t *object = json_pack("{s:b}", "permitted", (int)variant->permitted);
        object = with(object, "offerings", offerings);
        if (variant->checks.count == 0)
            object = with(object, "bound", bounds_json(&variant->bound, variant->step));
        if (variant->degree_count > 0) object = with(object, "degree", degree_json(variant));
        if (!same_bound(variant, standard))
            object = with(object, "text", sentences_json(rule, variant));
        array = append(array, object);
    }
    return array;
}

static json_t *rule_json(const struct standard_set *set, const struct standard *standard,
                         const struct rule *rule) {
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:s}", "id", standard->id.text, "norm",
        standard->norm.text, "value", standard->value.text, "dimension",
        dimension_name(standard->dimension), "status", status_names[standard->status], "severity",
        severity_names[standard->severity], "attribution", attribution_names[standard->attribution],
        "weight", (int)standard->weight, "permitted", (int)standard->permitted, "live",
        (int)standard->live, "source", rule->source);
    object = with(object, "text", sentences_json(rule, standard));
    object = with(object, "applies", applies_json(set, rule));
    if (standard->excuse_count > 0) object = with(object, "excuses", excuses_json(standard, rule));
    if (standard->variant_count > 0)
        object = with(object, "variants", variants_json(set, standard, rule));
    if (standard->checks.count == 0) return figure_json(object, standard);
    return with(object, "checks", check_json(standard, standard->checks.items));
}

static json_t *statements_json(const struct statements *statements, bool norms) {
    json_t *array = json_array();
    for (size_t i = 0; i < statements->count; i++) {
        const struct statement *statement = &statements->items[i];
        json_t *object = json_pack("{s:s}", "id", statement->id.text);
        object = with(object, "text", words_json(&statement->text));
        if (norms) object = with(object, "value", json_string(statement->value.text));
        array = append(array, object);
    }
    return array;
}

static json_t *lengths_json(const struct offering *offering) {
    return json_pack("{s:f, s:f}", "opening_s", offering->opening_ms / 1000.0, "closing_s",
                     offering->closing_ms / 1000.0);
}

static json_t *offerings_json(const struct standards *standards) {
    json_t *array = json_array();
    for (size_t i = 0; i < standards->offering_count; i++) {
        const struct offering_entry *entry = &standards->offerings[i];
        json_t *object = lengths_json(&entry->offering);
        object = with(object, "id", json_string(entry->offering.id.text));
        object = with(object, "text", words_json(&entry->text));
        array = append(array, object);
    }
    return array;
}

char *set_text(const struct standards *standards, const struct standard_set *set,
               const struct rule *const *rules, const struct standards_place *place) {
    json_t *items = json_array();
    for (size_t i = 0; i < set->count; i++)
        items = append(items, with(rule_json(set, &set->items[i], rules[i]), "layers",
                                   layers_json(standards, rules[i], place)));
    json_t *root = json_pack("{s:i, s:f}", "version", 1, "coverage_floor",
                             set->coverage_floor_millionths / 1e6);
    // Only where it is another: so no hash changed when there was a choice.
    if (set->score_model != SCORE_HIERARCHICAL)
        root = with(root, "score_model", json_string(score_model_names[set->score_model]));
    root = with(root, "values", statements_json(&standards->values, false));
    root = with(root, "norms", statements_json(&standards->norms, true));
    root = with(root, "offerings", offerings_json(standards));
    root = with(root, "other_offering", lengths_json(&standards->other_offering));
    root = with(root, "standards", items);
    char *text =
        root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(DIGITS)) : NULL;
    json_decref(root);
    return text;
}
