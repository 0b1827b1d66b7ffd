#include "ops/ctl/phrases.h"

#include "common/settings/file.h"

#include <string.h>
#include <unistd.h>

// What is asked for

static bool works(const json_t *standard) {
    const char *status = json_string_value(json_object_get(standard, "status"));
    return status && (!strcmp(status, "active") || !strcmp(status, "shadow")) &&
           json_is_true(json_object_get(standard, "permitted"));
}

/// The labels on audio.phrase of a standard, or of a check inside one. false: out of memory.
static bool collect(const json_t *json, json_t *labels) {
    const json_t *item;
    const char *key;
    size_t i;
    bool done = true;
    const char *measure =
        json_string_value(json_object_get(json_object_get(json, "measure"), "id"));
    if (measure && strcmp(measure, "audio.phrase") == 0)
        json_array_foreach(json_object_get(json, "labels"), i, item) {
            done = !json_object_set_new(labels, json_string_value(item), json_true()) && done;
        }
    if (json_is_array(json)) json_array_foreach(json, i, item) {
            done = collect(item, labels) && done;
        }
    else if (json_is_object(json))
        json_object_foreach((json_t *)json, key, item) {
            done = collect(item, labels) && done;
        }
    return done;
}

json_t *phrases_asked(const struct standards_plan *plan, int32_t day) {
    json_t *labels = json_object();
    bool done = labels;
    for (size_t i = 0; i < plan->count && done; i++) {
        if (i + 1 < plan->count && plan->sets[i + 1].from <= day) continue; // over by then
        json_t *standards = sets_standards(plan->sets[i].set), *standard;
        size_t k;
        done = standards;
        json_array_foreach(standards, k, standard) {
            if (works(standard)) done = collect(standard, labels) && done;
        }
        json_decref(standards);
    }
    if (done) return labels;
    json_decref(labels);
    return NULL;
}

// What there are words for

static json_t *entry_json(const struct node *entry, struct problems *problems) {
    static const char *const keys[] = {"phrase", "en", "threshold", NULL};
    struct name label;
    double threshold;
    if (!node_map(entry, keys, problems) ||
        !node_name(node_need(entry, "phrase", problems), &label, problems))
        return NULL;
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

static bool known(const json_t *entries, const json_t *phrase) {
    const json_t *entry;
    size_t i;
    json_array_foreach(entries, i, entry) {
        if (json_equal(json_object_get(entry, "phrase"), phrase)) return true;
    }
    return false;
}

json_t *phrases_read(const char *path, struct problems *problems) {
    size_t before = problems->count;
    json_t *entries = json_array();
    struct document *document = document_open(path, problems);
    const struct node *list = document ? document_root(document) : NULL;
    if (node_list(list, 1, DOCUMENT_NODES_MAX, problems))
        for (const struct node *node = list->first; node; node = node->next) {
            json_t *entry = entry_json(node, problems);
            if (entry && known(entries, json_object_get(entry, "phrase")))
                node_problem(node_find(node, "phrase"), problems, ERR_CONFLICT,
                             "this phrase is there twice; put all its words into one entry");
            if (entry) json_array_append_new(entries, entry);
        }
    document_free(document);
    if (problems->count == before) return entries;
    json_decref(entries);
    return NULL;
}

// Whether both fit

/// Of all branches, whenever their sets hold. NULL: out of memory.
static json_t *asked_anywhere(const struct catalogue *catalogue) {
    json_t *labels = json_object();
    bool done = labels;
    for (size_t i = 0; i < catalogue->branches.count && done; i++) {
        json_t *here = phrases_asked(&catalogue->plans[i], 0);
        done = here && !json_object_update(labels, here);
        json_decref(here);
    }
    if (done) return labels;
    json_decref(labels);
    return NULL;
}

void phrases_check(const char *folder, const struct catalogue *catalogue, struct problems *problems,
                   struct problems *warnings) {
    char path[PATH_SIZE];
    if (!path_join(folder, "phrases.yaml", path, sizeof path, problems) || access(path, F_OK))
        return;
    json_t *entries = phrases_read(path, problems), *entry, *any;
    if (!entries) return;
    json_t *labels = asked_anywhere(catalogue);
    const char *label;
    size_t i;
    if (!labels) problems_add(problems, ERR_NOMEM, "phrases.yaml", "out of memory");
    json_array_foreach(entries, i, entry) {
        json_object_del(labels, json_string_value(json_object_get(entry, "phrase")));
    }
    json_object_foreach(labels, label, any) {
        problems_add(warnings, ERR_MISSING, "phrases.yaml",
                     "standards ask for the phrase %s, which has no words here; add them, unless "
                     "another gateway than one with the driver phrases tells of it",
                     label);
    }
    json_decref(labels);
    json_decref(entries);
}
