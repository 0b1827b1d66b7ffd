#include "ops/ctl/sets.h"

#include "worker/standards/day.h"

#include <stdio.h>
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
