#include "ops/ctl/shown.h"

#include "common/settings/file.h"
#include "ops/ctl/published.h"

#include <limits.h>
#include <string.h>
#include <time.h>

static bool hash_folder(const char *folder, char hash[SET_HASH_TEXT_SIZE]) {
    static struct problems problems;
    struct edition edition;
    problems = (struct problems){0};
    bool done = catalogue_edition(folder, &edition, &problems);
    if (done) memcpy(hash, edition.hash, SET_HASH_TEXT_SIZE);
    problems_print(&problems, stderr);
    edition_fini(&edition);
    return done;
}

bool shown_open_folder(const char *folder, struct shown *out) {
    *out = (struct shown){.folder = folder};
    return sets_load(folder, &out->catalogue) && hash_folder(folder, out->hash);
}

/// --day, or today where the branch is (NULL, or unknown: in UTC). false: no day, told.
static bool day_of(const struct ctl *ctl, const char *name, int32_t *day) {
    static struct problems problems;
    struct branches branches = {0};
    struct id id;
    char folder[PATH_SIZE];
    const struct branch *branch = NULL;
    problems = (struct problems){0};
    if (name && id_set(&id, name, strlen(name)) &&
        path_join(ctl->settings.config_dir, "branches", folder, sizeof folder, &problems) &&
        branches_load(folder, &branches, &problems))
        branch = branches_find(&branches, &id);
    static const int64_t always_ms[] = {INT64_MIN};
    static const int32_t no_offset_s[] = {0};
    static const struct branch anywhere = {.zone = {1, always_ms, no_offset_s}};
    bool done = sets_day(ctl, branch ? branch : &anywhere, day);
    branches_free(&branches);
    return done;
}

/// The one in force on the day.
static const struct edition *edition_on(const struct editions *editions, int32_t day) {
    size_t i = editions->count - 1;
    while (i > 0 && editions->items[i].from > day)
        i--;
    return &editions->items[i];
}

static bool open_edition(const char *folder, const struct edition *edition, struct shown *out) {
    static struct problems problems;
    problems = (struct problems){0};
    out->from = edition->from;
    memcpy(out->hash, edition->hash, sizeof out->hash);
    bool done = catalogue_load_edition(folder, edition, &out->catalogue, &problems);
    problems_print(&problems, stderr);
    return done;
}

static bool open_published(const struct ctl *ctl, const char *branch, enum shown_which which,
                           struct shown *out) {
    struct published published = {0};
    int32_t day = INT32_MAX;
    struct store_link *link = store_link_open(ctl);
    struct editions *editions =
        link && published_read(link, &published) ? published_editions(&published) : NULL;
    bool done = editions != NULL;
    if (done && editions->count == 0)
        done = ctl_fail("nothing is published, workers judge by their config_dir; leave "
                        "--published away") == CTL_OK;
    if (done && (which == SHOWN_IN_FORCE || ctl->day)) done = day_of(ctl, branch, &day);
    done = done && open_edition(ctl->settings.config_dir, edition_on(editions, day), out);
    editions_free(editions);
    published_fini(&published);
    store_link_close(link);
    return done;
}

bool shown_open(const struct ctl *ctl, const char *branch, enum shown_which which,
                struct shown *out) {
    if (!ctl->published) return shown_open_folder(ctl->settings.config_dir, out);
    *out = (struct shown){.published = true, .folder = ctl->settings.config_dir};
    return open_published(ctl, branch, which, out);
}

void shown_close(struct shown *shown) {
    catalogue_free(&shown->catalogue);
}

json_t *shown_json(const struct shown *shown) {
    char from[DAY_TEXT_SIZE];
    day_text(shown->from, from);
    return json_pack("{s:b, s:s, s:s, s:s}", "published", (int)shown->published, "hash",
                     shown->hash, "from", from, "folder", shown->published ? "" : shown->folder);
}

void shown_print(const struct shown *shown, FILE *out) {
    char from[DAY_TEXT_SIZE];
    day_text(shown->from, from);
    if (shown->published)
        fprintf(out, "edition %.12s, published, holds from %s on", shown->hash,
                *from ? from : "the beginning");
    else
        fprintf(out, "%s, documents %.12s", shown->folder, shown->hash);
}
