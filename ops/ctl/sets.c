#include "ops/ctl/sets.h"

#include "worker/standards/day.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool sets_load(const char *folder, struct catalogue *catalogue) {
    static struct problems problems;
    problems = (struct problems){0};
    bool fine = catalogue_load(folder, catalogue, &problems);
    if (!fine) problems_print(&problems, stderr);
    return fine;
}

bool sets_branch(const struct catalogue *catalogue, const char *name, size_t *place) {
    for (size_t i = 0; i < catalogue->branches.count; i++) {
        if (strcmp(catalogue->branches.items[i].id.text, name) != 0) continue;
        *place = i;
        return true;
    }
    ctl_fail("there is no branch %s in the configuration", name);
    return false;
}

bool sets_day(const struct ctl *ctl, const struct branch *branch, int32_t *day) {
    if (!ctl->day) {
        struct local_time now = zone_local(&branch->zone, (int64_t)time(NULL) * 1000);
        *day = now.year * 10000 + now.month * 100 + now.day;
        return true;
    }
    if (day_parse(ctl->day, day)) return true;
    ctl_fail("%s is no day; write such as 2026-12-01", ctl->day);
    return false;
}

const char *sets_language(const struct ctl *ctl) {
    if (!ctl->lang || strcmp(ctl->lang, "en") == 0) return "en";
    if (strcmp(ctl->lang, "de") == 0) return "de";
    ctl_fail("there is no language %s; write de or en", ctl->lang);
    return NULL;
}

json_t *sets_standards(const struct standard_set *set) {
    json_t *text = json_loadb(set->json, set->json_size, 0, NULL);
    json_t *array = json_incref(json_object_get(text, "standards"));
    json_decref(text);
    return array;
}

static void collect_set(const struct standard_set *set, json_t *found) {
    json_t *text = json_loadb(set->json, set->json_size, 0, NULL), *item;
    size_t i;
    json_array_foreach(json_object_get(text, "standards"), i, item) {
        json_object_set(found, json_string_value(json_object_get(item, "id")), item);
    }
    json_decref(text);
}

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

json_t *sets_all(const struct catalogue *catalogue, const char *branch) {
    return sorted(collect(catalogue, branch));
}
