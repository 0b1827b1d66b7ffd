// tresenctl standards explain | trace | test

#include "ops/ctl/card.h"
#include "ops/ctl/sets.h"

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

int ctl_standards_explain(struct ctl *ctl) {
    struct catalogue catalogue;
    const char *offering = ctl->count > 1 ? ctl->arguments[1] : NULL;
    size_t at;
    int status = CTL_FAILED;
    if (sets_load(ctl->settings.config_dir, &catalogue) &&
        sets_branch(&catalogue, ctl->arguments[0], &at)) {
        const struct branch *branch = &catalogue.branches.items[at];
        const struct standards_plan *plan = &catalogue.plans[at];
        struct standards_place place = {.branch = branch->id.text,
                                        .region = branch->region.text,
                                        .country = branch->country,
                                        .offering = offering};
        if (sets_day(ctl, branch, &place.day)) {
            const struct standard_set *set = standards_plan_at(plan, place.day);
            if (!offering || offering_known(set, offering)) {
                json_t *array = explained(&catalogue, set, &place);
                if (!ctl->json) print_explained(array);
                status = CTL_OK;
                if (ctl->json)
                    ctl_print_json(array);
                else
                    json_decref(array);
            }
        }
    }
    catalogue_free(&catalogue);
    return status;
}

int ctl_standards_trace(struct ctl *ctl) {
    struct catalogue catalogue;
    const char *id = ctl->arguments[0], *language = sets_language(ctl);
    int status = CTL_FAILED;
    if (!language) return CTL_FAILED;
    if (sets_load(ctl->settings.config_dir, &catalogue)) {
        struct buffer lines;
        buffer_init(&lines, LINES_SIZE);
        if (!standards_trace(catalogue.standards, id, strlen(id), language, &lines)) {
            ctl_fail("there is no standard %s in %s", id, ctl->settings.config_dir);
        } else {
            struct bytes bytes = buffer_bytes(&lines);
            status = CTL_OK;
            if (ctl->json)
                ctl_print_json(lines_json((const char *)bytes.data, bytes.size));
            else
                fwrite(bytes.data, 1, bytes.size, stdout);
        }
        buffer_fini(&lines);
    }
    catalogue_free(&catalogue);
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
