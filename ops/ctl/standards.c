// tresenctl standards check | list

#include "ops/ctl/ctl.h"
#include "worker/catalogue/catalogue.h"

#include <stdlib.h>
#include <string.h>

static json_t *sentences_json(const struct problems *problems) {
    json_t *array = json_array();
    for (size_t i = 0; i < problems->count && i < PROBLEMS_MAX; i++)
        json_array_append_new(array, json_string(problems->items[i].text));
    return array;
}

int ctl_standards_check(struct ctl *ctl) {
    static struct problems problems;
    struct catalogue catalogue;
    const char *folder = ctl->count > 0 ? ctl->arguments[0] : ctl->settings.config_dir;
    bool fine = catalogue_load(folder, &catalogue, &problems);
    const struct problems *warnings =
        catalogue.standards ? standards_warnings(catalogue.standards) : NULL;
    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:o, s:o}", "fine", (int)fine, "errors",
                                 sentences_json(&problems), "warnings",
                                 warnings ? sentences_json(warnings) : json_array()));
    } else {
        problems_print(&problems, stderr);
        if (warnings) problems_print(warnings, stdout);
        if (fine)
            printf("%s: %zu branches, %zu measures; everything is fine\n", folder,
                   catalogue.branches.count, catalogue.measures.measures.count);
    }
    catalogue_free(&catalogue);
    return fine ? CTL_OK : CTL_FAILED;
}

static void collect_set(const struct standard_set *set, json_t *found) {
    json_t *text = json_loadb(set->json, set->json_size, 0, NULL), *item;
    size_t i;
    json_array_foreach(json_object_get(text, "standards"), i, item) {
        json_object_set(found, json_string_value(json_object_get(item, "id")), item);
    }
    json_decref(text);
}

/// All standards, each once and the latest of its versions, as the branches' sets have them; only
/// one branch's if named.
static json_t *collect(const struct catalogue *catalogue, const char *branch) {
    json_t *found = json_object();
    for (size_t i = 0; i < catalogue->branches.count; i++) {
        if (branch && strcmp(catalogue->branches.items[i].id.text, branch) != 0) continue;
        const struct standards_plan *plan = &catalogue->plans[i];
        for (size_t k = 0; k < plan->count; k++)
            collect_set(plan->sets[k].set, found);
    }
    return found;
}

/// In the order of their ids.
static json_t *sorted(json_t *found) {
    json_t *array = json_array();
    char *text = json_dumps(found, JSON_SORT_KEYS);
    json_t *again = text ? json_loads(text, 0, NULL) : NULL, *item;
    const char *key;
    json_object_foreach(again, key, item) json_array_append(array, item);
    json_decref(again);
    json_decref(found);
    free(text);
    return array;
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

int ctl_standards_list(struct ctl *ctl) {
    static struct problems problems;
    struct catalogue catalogue;
    const char *branch = ctl->count > 0 ? ctl->arguments[0] : NULL;
    struct id id;
    int status = CTL_FAILED;
    if (!catalogue_load(ctl->settings.config_dir, &catalogue, &problems)) {
        problems_print(&problems, stderr);
    } else if (branch &&
               (!id_set(&id, branch, strlen(branch)) || !branches_find(&catalogue.branches, &id))) {
        ctl_fail("there is no branch %s in %s/branches", branch, ctl->settings.config_dir);
    } else {
        json_t *array = sorted(collect(&catalogue, branch));
        status = CTL_OK;
        if (ctl->json) {
            ctl_print_json(array);
        } else {
            print_list(array);
            json_decref(array);
        }
    }
    catalogue_free(&catalogue);
    return status;
}
