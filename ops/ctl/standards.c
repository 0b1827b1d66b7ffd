// tresenctl standards check | list

#include "ops/ctl/phrases.h"
#include "ops/ctl/shown.h"

#include <stdlib.h>
#include <string.h>

static json_t *sentences_json(const struct problems *problems) {
    json_t *array = json_array();
    for (size_t i = 0; i < problems->count && i < PROBLEMS_MAX; i++)
        json_array_append_new(array, json_string(problems->items[i].text));
    return array;
}

int ctl_standards_check(struct ctl *ctl) {
    static struct problems problems, warnings;
    struct catalogue catalogue;
    const char *folder = ctl->count > 0 ? ctl->arguments[0] : ctl->settings.config_dir;
    bool fine = catalogue_load(folder, &catalogue, &problems);
    if (catalogue.standards) warnings = *standards_warnings(catalogue.standards);
    if (fine) phrases_check(folder, &catalogue, &problems, &warnings);
    fine = problems.count == 0;
    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:o, s:o}", "fine", (int)fine, "errors",
                                 sentences_json(&problems), "warnings",
                                 sentences_json(&warnings)));
    } else {
        problems_print(&problems, stderr);
        problems_print(&warnings, stdout);
        if (fine)
            printf("%s: %zu branches, %zu measures; everything is fine\n", folder,
                   catalogue.branches.count, catalogue.measures.measures.count);
    }
    catalogue_free(&catalogue);
    return fine ? CTL_OK : CTL_FAILED;
}

static void print_list(const json_t *array) {
    const json_t *item;
    size_t i;
    json_array_foreach(array, i, item) {
        const char *id, *dimension, *norm, *value, *status, *english;
        if (json_unpack((json_t *)item, "{s:s, s:s, s:s, s:s, s:s, s:{s:s}}", "id", &id,
                        "dimension", &dimension, "norm", &norm, "value", &value, "status", &status,
                        "text", "en", &english) == 0)
            printf("%-30s %-11s %-8s norm %s, value %s\n    %s\n", id, dimension, status, norm,
                   value, english);
    }
}

/// Each says of which documents it is.
static void sign(json_t *array, const struct shown *shown) {
    json_t *item;
    size_t i;
    json_array_foreach(array, i, item) {
        json_object_set_new(item, "documents", json_string(shown->hash));
    }
}

int ctl_standards_list(struct ctl *ctl) {
    struct shown shown;
    const char *branch = ctl->count > 0 ? ctl->arguments[0] : NULL;
    size_t place;
    bool done = shown_open(ctl, branch, SHOWN_IN_FORCE, &shown) &&
                (!branch || sets_branch(&shown.catalogue, branch, &place));
    json_t *array = done ? sets_all(&shown.catalogue, branch) : NULL;
    if (done) sign(array, &shown);
    if (done && ctl->json) ctl_print_json(json_incref(array));
    if (done && !ctl->json) {
        print_list(array);
        fputs("of ", stdout);
        shown_print(&shown, stdout);
        putchar('\n');
    }
    json_decref(array);
    shown_close(&shown);
    return done ? CTL_OK : CTL_FAILED;
}
