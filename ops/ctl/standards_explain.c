// tresenctl standards explain | test

#include "ops/ctl/card.h"
#include "ops/ctl/shown.h"

#include <string.h>

enum { LINES_SIZE = 64 * 1024 };

/// "bound.least: company 0.75 m (...) > ..." one line a figure, as a JSON array of lines.
static json_t *lines_json(const char *text, size_t size) {
    json_t *array = json_array();
    for (const char *at = text, *end = text + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = stop ? (size_t)(stop - at) : (size_t)(end - at);
        json_array_append_new(array, json_stringn(at, length));
        at += length + 1;
    }
    return array;
}

/// The standard as it holds for the offering; NULL: for none in particular.
static const struct standard *holding(const struct standard_set *set,
                                      const struct standard *standard, const char *offering) {
    for (size_t i = 0; offering && i < standard->variant_count; i++)
        for (size_t k = 0; k < set->offering_count; k++)
            if (standard->variants[i].varied >> k & 1 &&
                strcmp(set->offerings[k].id.text, offering) == 0)
                return &standard->variants[i];
    return standard;
}

/// What each layer says about each standard of the set that holds at the place.
static json_t *explained(const struct catalogue *catalogue, const struct standard_set *set,
                         const struct standards_place *place) {
    json_t *array = sets_standards(set), *item;
    size_t i;
    json_array_foreach(array, i, item) {
        struct buffer lines;
        const char *id = json_string_value(json_object_get(item, "id"));
        buffer_init(&lines, LINES_SIZE);
        standards_explain(catalogue->standards, place, id, strlen(id), &lines);
        struct bytes bytes = buffer_bytes(&lines);
        json_object_set(item, "text", standard_sentences(item, place->offering));
        const struct standard *standard = holding(set, &set->items[i], place->offering);
        json_object_set_new(item, "barred_by",
                            standard->permitted ? json_null()
                                                : json_string(reason_name(standard->barred_by)));
        json_object_set_new(item, "chain", lines_json((const char *)bytes.data, bytes.size));
        buffer_fini(&lines);
    }
    return array;
}

static void print_explained(const json_t *array) {
    const json_t *item, *line;
    size_t i, k;
    json_array_foreach(array, i, item) {
        const char *barred = json_string_value(json_object_get(item, "barred_by"));
        printf("%s: %s\n", json_string_value(json_object_get(item, "id")),
               json_string_value(json_object_get(json_object_get(item, "text"), "en")));
        json_array_foreach(json_object_get(item, "chain"), k, line) {
            printf("    %s\n", json_string_value(line));
        }
        if (barred) printf("    not judged here: %s\n", barred);
    }
}

/// Whether the offering is one of those that the files name.
static bool offering_known(const struct standard_set *set, const char *offering) {
    for (size_t i = 0; i < set->offering_count; i++)
        if (strcmp(set->offerings[i].id.text, offering) == 0) return true;
    ctl_fail("there is no offering %s in offerings.yaml", offering);
    return false;
}

/// The set of the place on the day, with what each layer says.
static json_t *explained_json(const struct ctl *ctl, const struct shown *shown, size_t at) {
    const struct catalogue *catalogue = &shown->catalogue;
    const struct branch *branch = &catalogue->branches.items[at];
    struct standards_place place = {.branch = branch->id.text,
                                    .region = branch->region.text,
                                    .country = branch->country,
                                    .offering = ctl->count > 1 ? ctl->arguments[1] : NULL};
    char day[DAY_TEXT_SIZE];
    if (!sets_day(ctl, branch, &place.day)) return NULL;
    const struct standard_set *set = standards_plan_at(&catalogue->plans[at], place.day);
    if (place.offering && !offering_known(set, place.offering)) return NULL;
    day_text(place.day, day);
    return json_pack("{s:o, s:s, s:s?, s:s, s:s, s:o}", "documents", shown_json(shown), "branch",
                     place.branch, "offering", place.offering, "day", day, "set", set->hash_text,
                     "standards", explained(catalogue, set, &place));
}

int ctl_standards_explain(struct ctl *ctl) {
    struct shown shown;
    size_t at;
    json_t *json = NULL;
    if (shown_open(ctl, ctl->arguments[0], SHOWN_IN_FORCE, &shown) &&
        sets_branch(&shown.catalogue, ctl->arguments[0], &at))
        json = explained_json(ctl, &shown, at);
    if (json && ctl->json) ctl_print_json(json_incref(json));
    if (json && !ctl->json) {
        print_explained(json_object_get(json, "standards"));
        printf("set %.12s on %s, of ", json_string_value(json_object_get(json, "set")),
               json_string_value(json_object_get(json, "day")));
        shown_print(&shown, stdout);
        putchar('\n');
    }
    int status = json ? CTL_OK : CTL_FAILED;
    json_decref(json);
    shown_close(&shown);
    return status;
}

/// The examples were run when the folder was read: one that fails is an error of the folder.
int ctl_standards_test(struct ctl *ctl) {
    struct catalogue catalogue;
    const char *folder = ctl->count > 0 ? ctl->arguments[0] : ctl->settings.config_dir;
    bool fine = sets_load(folder, &catalogue);
    json_t *array = json_array();
    struct standards_examples examples;
    for (size_t i = 0; fine && standards_examples(catalogue.standards, i, &examples); i++) {
        json_t *verdicts = json_object();
        for (int v = 0; v < VERDICT_COUNT; v++)
            if (examples.verdicts[v])
                json_object_set_new(verdicts, verdict_name((enum verdict)v),
                                    json_integer(examples.verdicts[v]));
        json_array_append_new(array,
                              json_pack("{s:s, s:i, s:o}", "standard", examples.id.text, "examples",
                                        (int)examples.count, "verdicts", verdicts));
        if (ctl->json) continue;
        char *text = json_dumps(verdicts, JSON_COMPACT);
        printf("%-30s %2u examples %s\n", examples.id.text, examples.count, text ? text : "");
        free(text);
    }
    if (ctl->json && fine)
        ctl_print_json(array);
    else
        json_decref(array);
    catalogue_free(&catalogue);
    return fine ? CTL_OK : CTL_FAILED;
}
