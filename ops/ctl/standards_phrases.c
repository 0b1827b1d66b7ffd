// tresenctl standards phrases: what a recogniser of a branch has to listen for, and nothing else.

#include "common/settings/file.h"
#include "ops/ctl/shown.h"

#include <stdlib.h>
#include <string.h>

static bool works(const json_t *standard) {
    const char *status = json_string_value(json_object_get(standard, "status"));
    return status && (!strcmp(status, "active") || !strcmp(status, "shadow")) &&
           json_is_true(json_object_get(standard, "permitted"));
}

/// The labels on audio.phrase of a standard, or of a check inside one.
static void collect(const json_t *json, json_t *labels) {
    const json_t *item;
    const char *key;
    size_t i;
    const char *measure =
        json_string_value(json_object_get(json_object_get(json, "measure"), "id"));
    if (measure && strcmp(measure, "audio.phrase") == 0)
        json_array_foreach(json_object_get(json, "labels"), i, item) {
            json_object_set_new(labels, json_string_value(item), json_true());
        }
    if (json_is_array(json)) json_array_foreach(json, i, item) {
            collect(item, labels);
        }
    else if (json_is_object(json))
        json_object_foreach((json_t *)json, key, item) {
            collect(item, labels);
        }
}

/// Of all sets that hold in the branch on the day or later: a new object with the labels as keys.
static json_t *labels_of(const struct standards_plan *plan, int32_t day) {
    json_t *labels = json_object();
    for (size_t i = 0; i < plan->count; i++) {
        if (i + 1 < plan->count && plan->sets[i + 1].from <= day) continue; // over by then
        json_t *standards = sets_standards(plan->sets[i].set), *standard;
        size_t k;
        json_array_foreach(standards, k, standard) {
            if (works(standard)) collect(standard, labels);
        }
        json_decref(standards);
    }
    return labels;
}

/// An entry of phrases.yaml as JSON; NULL: it is not about these labels, or wrong.
static json_t *entry_json(const struct node *entry, json_t *labels, struct problems *problems) {
    static const char *const keys[] = {"phrase", "en", "threshold", NULL};
    struct name label;
    double threshold;
    if (!node_map(entry, keys, problems) ||
        !node_name(node_need(entry, "phrase", problems), &label, problems))
        return NULL;
    if (!json_object_get(labels, label.text)) {
        fprintf(stderr, "%s is left out: no standard asks for it\n", label.text);
        return NULL;
    }
    json_object_set_new(labels, label.text, json_false()); // found
    json_t *words = json_array();
    const struct node *list = node_need(entry, "en", problems), *number;
    const char *text;
    if (node_list(list, 1, DOCUMENT_NODES_MAX, problems))
        for (const struct node *node = list->first; node; node = node->next)
            if (node_text(node, 1, NAME_SIZE_MAX, &text, problems))
                json_array_append_new(words, json_string(text));
    json_t *json = json_pack("{s:s, s:o}", "phrase", label.text, "en", words);
    number = node_find(entry, "threshold");
    if (number && node_number(number, -100, -1, "", &threshold, problems))
        json_object_set_new(json, "threshold", json_integer((json_int_t)threshold));
    return json;
}

/// The entries of phrases.yaml for these labels; NULL: something is wrong, told.
static json_t *read_phrases(const char *path, json_t *labels) {
    static struct problems problems;
    problems = (struct problems){0};
    json_t *entries = json_array(), *missing;
    struct document *document = document_open(path, &problems);
    const struct node *list = document ? document_root(document) : NULL;
    if (list && node_list(list, 1, DOCUMENT_NODES_MAX, &problems))
        for (const struct node *node = list->first; node; node = node->next) {
            json_t *entry = entry_json(node, labels, &problems);
            if (entry) json_array_append_new(entries, entry);
        }
    document_free(document);
    problems_print(&problems, stderr);
    bool fine = problems.count == 0;
    const char *label;
    json_object_foreach(labels, label, missing) {
        if (!fine || !json_is_true(missing)) continue;
        ctl_fail("standards ask for the phrase %s, and %s has no words for it", label, path);
        fine = false;
    }
    if (fine) return entries;
    json_decref(entries);
    return NULL;
}

/// An entry is a line, in YAML's short form, which JSON is.
static void print_entries(const char *branch, const struct standard_set *set,
                          const json_t *entries) {
    const json_t *entry;
    size_t i;
    printf(
        "# Made by `tresenctl standards phrases %s` from the standards %.12s and those to come:\n"
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
        json_t *labels = labels_of(plan, day);
        entries = read_phrases(path, labels);
        json_decref(labels);
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
