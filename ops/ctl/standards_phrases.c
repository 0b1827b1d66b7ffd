// tresenctl standards phrases: what a recogniser of a branch has to listen for, and nothing else.

#include "ops/ctl/phrases.h"
#include "ops/ctl/shown.h"

#include <stdlib.h>
#include <string.h>

/// Of all entries those that are asked for. NULL: one that is asked for is not there, told.
static json_t *chosen(const json_t *entries, json_t *asked, const char *path) {
    json_t *found = json_array(), *missing;
    const json_t *entry;
    const char *label;
    size_t i;
    json_array_foreach(entries, i, entry) {
        label = json_string_value(json_object_get(entry, "phrase"));
        if (json_object_get(asked, label)) {
            json_array_append(found, (json_t *)entry);
            json_object_set_new(asked, label, json_false()); // found
        } else {
            fprintf(stderr, "%s is left out: no standard asks for it\n", label);
        }
    }
    json_object_foreach(asked, label, missing) {
        if (!json_is_true(missing)) continue;
        ctl_fail("standards ask for the phrase %s, and %s has no words for it", label, path);
        json_decref(found);
        return NULL;
    }
    return found;
}

/// An entry is a line, in YAML's short form, which JSON is.
static void print_entries(const char *branch, const struct standard_set *set,
                          const json_t *entries) {
    const json_t *entry;
    size_t i;
    printf("# Made by `tresenctl standards phrases %s` from the standards %.12s and those to come:\n"
           "# the gateway listens for these phrases and for nothing else.\n",
           branch, set->hash_text);
    json_array_foreach(entries, i, entry) {
        char *text = json_dumps(entry, JSON_PRESERVE_ORDER);
        printf("- %s\n", text ? text : "");
        free(text);
    }
}

int ctl_standards_phrases(struct ctl *ctl) {
    struct shown shown;
    char path[PATH_SIZE];
    const char *branch = ctl->arguments[0];
    int32_t day;
    size_t at;
    json_t *entries = NULL;
    snprintf(path, sizeof path, "%.*s/phrases.yaml", PATH_SIZE - 16, ctl->settings.config_dir);
    if (shown_open(ctl, branch, SHOWN_IN_FORCE, &shown) &&
        sets_branch(&shown.catalogue, branch, &at) &&
        sets_day(ctl, &shown.catalogue.branches.items[at], &day)) {
        const struct standards_plan *plan = &shown.catalogue.plans[at];
        static struct problems problems;
        json_t *asked = phrases_asked(plan, day), *all = phrases_read(path, &problems);
        problems_print(&problems, stderr);
        if (!asked) ctl_fail("out of memory");
        entries = all && asked ? chosen(all, asked, path) : NULL;
        json_decref(asked);
        json_decref(all);
        if (entries && ctl->json)
            ctl_print_json(json_incref(entries));
        else if (entries)
            print_entries(branch, standards_plan_at(plan, day), entries);
    }
    int status = entries ? CTL_OK : CTL_FAILED;
    json_decref(entries);
    shown_close(&shown);
    return status;
}
