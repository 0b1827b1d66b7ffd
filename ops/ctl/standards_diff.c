// tresenctl standards diff: what changes for whom between two configuration folders, or from what
// is published to a folder.

#include "ops/ctl/shown.h"

#include <string.h>

enum {
    PATH_MAX_SIZE = 512,
    FORM = JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(12)
};

/// One difference, remembered under its sentence with the branches where it holds.
static void differ(json_t *found, const char *branch, const char *path, const json_t *before,
                   const json_t *after) {
    char *old = before ? json_dumps(before, FORM) : NULL;
    char *new = after ? json_dumps(after, FORM) : NULL;
    json_t *sentence =
        json_sprintf("%s: %s -> %s", path, old ? old : "nothing", new ? new : "nothing");
    const char *key = json_string_value(sentence);
    json_t *branches = key ? json_object_get(found, key) : NULL;
    if (key && !branches) {
        branches = json_array();
        json_object_set_new(found, key, branches);
    }
    json_array_append_new(branches, json_string(branch));
    json_decref(sentence);
    free(old);
    free(new);
}

/// Walks over both values; maps are entered, everything else is compared as a whole.
static void compare(json_t *found, const char *branch, const char *path, const json_t *before,
                    const json_t *after) {
    if (json_equal(before, after)) return;
    if (!json_is_object(before) || !json_is_object(after)) {
        differ(found, branch, path, before, after);
        return;
    }
    json_t *keys = json_object();
    json_object_update(keys, (json_t *)before);
    json_object_update(keys, (json_t *)after);
    const char *key;
    json_t *any;
    json_object_foreach(keys, key, any) {
        char inner[PATH_MAX_SIZE];
        snprintf(inner, sizeof inner, "%s.%s", path, key);
        compare(found, branch, inner, json_object_get(before, key), json_object_get(after, key));
    }
    json_decref(keys);
}

/// The standards of a set by id.
static json_t *by_id(const struct standard_set *set) {
    json_t *object = json_object(), *array = set ? sets_standards(set) : NULL, *item;
    size_t i;
    json_array_foreach(array, i, item) {
        json_object_set(object, json_string_value(json_object_get(item, "id")), item);
    }
    json_decref(array);
    return object;
}

/// The set of a branch on the day asked for; NULL: the folder has no such branch.
static bool set_of(const struct ctl *ctl, const struct catalogue *catalogue, const char *branch,
                   const struct standard_set **set) {
    *set = NULL;
    for (size_t i = 0; i < catalogue->branches.count; i++) {
        int32_t day;
        if (strcmp(catalogue->branches.items[i].id.text, branch) != 0) continue;
        if (!sets_day(ctl, &catalogue->branches.items[i], &day)) return false;
        *set = standards_plan_at(&catalogue->plans[i], day);
    }
    return true;
}

static bool compare_branch(const struct ctl *ctl, json_t *found, const char *branch,
                           const struct catalogue *before, const struct catalogue *after) {
    const struct standard_set *sets[2];
    if (!set_of(ctl, before, branch, &sets[0]) || !set_of(ctl, after, branch, &sets[1]))
        return false;
    json_t *old = by_id(sets[0]), *new = by_id(sets[1]), *item;
    const char *id;
    json_object_foreach(old, id, item) {
        json_t *other = json_object_get(new, id);
        if (other)
            compare(found, branch, id, item, other);
        else
            differ(found, branch, id, json_object_get(item, "status"), NULL);
    }
    json_object_foreach(new, id, item) {
        if (!json_object_get(old, id))
            differ(found, branch, id, NULL, json_object_get(item, "status"));
    }
    json_decref(old);
    json_decref(new);
    return true;
}

static void print_differences(const json_t *found) {
    const char *sentence;
    json_t *branches, *branch;
    size_t i;
    json_object_foreach((json_t *)found, sentence, branches) {
        printf("%s\n   ", sentence);
        json_array_foreach(branches, i, branch) printf(" %s", json_string_value(branch));
        putchar('\n');
    }
    if (json_object_size(found) == 0) puts("no difference");
}

/// Two folders, or what is published and a folder. false: told.
static bool open_both(const struct ctl *ctl, struct shown *before, struct shown *after) {
    const char *folder = ctl->count > 0 ? ctl->arguments[ctl->count - 1] : ctl->settings.config_dir;
    if (ctl->count != 2 && !ctl->published)
        return ctl_fail("diff takes two folders, or --published and one or none") == CTL_OK;
    if (ctl->count == 2 && ctl->published)
        return ctl_fail("--published takes the place of the first folder; name one or none") ==
               CTL_OK;
    bool good = ctl->published ? shown_open(ctl, NULL, SHOWN_NEWEST, before)
                               : shown_open_folder(ctl->arguments[0], before);
    return shown_open_folder(folder, after) && good;
}

static json_t *differences(const struct ctl *ctl, const struct catalogue *before,
                           const struct catalogue *after) {
    json_t *found = json_object();
    bool good = true;
    for (size_t i = 0; good && i < before->branches.count; i++)
        good = compare_branch(ctl, found, before->branches.items[i].id.text, before, after);
    for (size_t i = 0; good && i < after->branches.count; i++)
        if (!branches_find(&before->branches, &after->branches.items[i].id))
            good = compare_branch(ctl, found, after->branches.items[i].id.text, before, after);
    if (good) return found;
    json_decref(found);
    return NULL;
}

int ctl_standards_diff(struct ctl *ctl) {
    struct shown before = {0}, after = {0};
    json_t *found = open_both(ctl, &before, &after)
                        ? differences(ctl, &before.catalogue, &after.catalogue)
                        : NULL;
    if (found && ctl->json) {
        ctl_print_json(json_pack("{s:o, s:o, s:O}", "before", shown_json(&before), "after",
                                 shown_json(&after), "differences", found));
    } else if (found) {
        print_differences(found);
        fputs("from ", stdout);
        shown_print(&before, stdout);
        fputs(" to ", stdout);
        shown_print(&after, stdout);
        putchar('\n');
    }
    int status = found ? CTL_OK : CTL_FAILED;
    json_decref(found);
    shown_close(&before);
    shown_close(&after);
    return status;
}
