#include "ops/ctl/notice_json.h"

#include <string.h>

static json_t *text_json(const json_t *item, const char *language) {
    return json_incref(json_object_get(json_object_get(item, "text"), language));
}

/// The id and text of the norm or value (`list`) that a standard names under `key`.
static json_t *named_json(const json_t *text, const char *list, const json_t *standard,
                          const char *key, const char *language) {
    const json_t *id = json_object_get(standard, key), *item;
    size_t i;
    json_array_foreach(json_object_get(text, list), i, item) {
        if (json_equal(json_object_get(item, "id"), id))
            return json_pack("{s:O, s:o}", "id", id, "text", text_json(item, language));
    }
    return json_null();
}

static void add_measure(json_t *found, const struct standard *figure) {
    if (figure->statistic != STATISTIC_DURATION)
        json_object_set_new(found, figure->measure.id.text, json_true());
}

/// All that it looks at; empty: the encounter's own times only.
static json_t *measures_json(const struct standard *standard) {
    json_t *found = json_object(), *array = json_array(), *any;
    const char *id;
    if (standard->checks.count == 0) add_measure(found, standard);
    for (size_t i = 0; i < standard->part_count; i++)
        add_measure(found, &standard->parts[i]);
    json_object_foreach(found, id, any) json_array_append_new(array, json_string(id));
    json_decref(found);
    return array;
}

static json_t *standard_json(const struct notice *notice, const json_t *text, size_t place) {
    const struct standard *standard = &notice->set->items[place];
    const json_t *item = json_array_get(json_object_get(text, "standards"), place);
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:o}", "id", standard->id.text, "dimension",
                  dimension_name(standard->dimension), "text", text_json(item, notice->language),
                  "norm", named_json(text, "norms", item, "norm", notice->language), "value",
                  named_json(text, "values", item, "value", notice->language), "attribution",
                  attribution_names[standard->attribution], "measures", measures_json(standard));
    const char *const figures[] = {"statistic", "unit", "bound", "during"};
    for (size_t i = 0; standard->checks.count == 0 && i < sizeof figures / sizeof *figures; i++)
        json_object_set(object, figures[i], json_object_get(item, figures[i]));
    if (!standard->permitted)
        json_object_set_new(object, "reason", json_string(reason_name(standard->barred_by)));
    return object;
}

json_t *notice_json(const struct notice *notice) {
    json_t *text = json_loadb(notice->set->json, notice->set->json_size, 0, NULL);
    json_t *judged = json_array(), *trial = json_array(), *idle = json_array();
    for (size_t i = 0; i < notice->set->count; i++) {
        const struct standard *standard = &notice->set->items[i];
        json_t *list = !standard->permitted                ? idle
                       : standard->status == STATUS_SHADOW ? trial
                                                           : judged;
        json_array_append_new(list, standard_json(notice, text, i));
    }
    json_decref(text);
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "documents",
                     shown_json(notice->shown), "branch", notice->branch, "language",
                     notice->language, "day", notice->day, "set", notice->set->hash_text, "judged",
                     judged, "trial", trial, "idle", idle, "spool_days",
                     (json_int_t)notice->settings->spool_days, "retention_days",
                     (json_int_t)notice->settings->retention_days);
}
