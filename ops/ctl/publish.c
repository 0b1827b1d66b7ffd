// tresenctl standards publish: what all workers of all branches judge by from some day on. Never in
// the past: what encounters that have begun are judged by stays.

#include "ops/ctl/edition_days.h"
#include "ops/ctl/published.h"
#include "worker/store/calls.h"

#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DIFFERENCES_SHOWN = 20,
    HASH_PREFIX_LEAST = 6,
};

/// A publication on its way.
struct publication {
    const struct ctl *ctl;
    struct catalogue catalogue; // the branches and, of a folder, what is published
    struct published before;
    struct edition edition;
    int32_t from;
    struct plans *old, *new; // old NULL: nothing was published
    char *text;              // to be stored
};

// The days

static int32_t first_free_day(const struct publication *publication) {
    return edition_first_day(&publication->catalogue.branches, publication->before.now_ms);
}

/// What nobody asks for any more: older than the retention everywhere.
static int32_t oldest_day(const struct publication *publication) {
    return edition_oldest_day(&publication->catalogue.branches, publication->before.now_ms,
                              publication->ctl->settings.retention_days);
}

static bool choose_day(struct publication *publication) {
    const char *from = publication->ctl->from;
    bool first = publication->before.hash.size == 0;
    if (from && first)
        ctl_fail("nothing is published yet, so this holds from the beginning; leave --from away");
    else if (from && !day_parse(from, &publication->from))
        ctl_fail("%s is no day; write such as 2026-12-01", from);
    else {
        if (!from && !first) publication->from = first_free_day(publication);
        return true;
    }
    return false;
}

// What is to be published

static bool is_hash(const char *text) {
    return strlen(text) >= HASH_PREFIX_LEAST && strspn(text, "0123456789abcdef") == strlen(text) &&
           access(text, F_OK) != 0;
}

/// One that was published before, by the beginning of its hash.
static bool edition_again(struct publication *publication, const char *hash) {
    struct problem problem;
    struct editions *editions = published_editions(&publication->before);
    const struct edition *found = NULL;
    for (size_t i = 0; editions && i < editions->count; i++)
        if (strncmp(editions->items[i].hash, hash, strlen(hash)) == 0) found = &editions->items[i];
    bool done =
        found && !edition_init(&publication->edition, found->files, found->file_count, &problem);
    if (editions && !found)
        ctl_fail("no edition %s is published; see tresenctl standards published", hash);
    editions_free(editions);
    return done;
}

static bool edition_of_folder(struct publication *publication, const char *folder) {
    static struct problems problems;
    bool done = catalogue_edition(folder, &publication->edition, &problems);
    problems_print(&problems, stderr);
    return done;
}

static void sign(struct publication *publication) {
    char host[64] = "";
    const struct passwd *person = getpwuid(getuid());
    gethostname(host, sizeof host - 1);
    snprintf(publication->edition.by, sizeof publication->edition.by, "%.60s@%s",
             person ? person->pw_name : "?", host);
    publication->edition.from = publication->from;
    publication->edition.published_ms = publication->before.now_ms;
}

/// Both plans, and the text that makes the second one.
static bool plan(struct publication *publication) {
    struct problem problem = {0};
    struct editions *old = published_editions(&publication->before);
    struct editions *new = old ? published_editions(&publication->before) : NULL;
    bool done = new != NULL;
    if (done && old->count > 0) {
        publication->old = published_plans(&old, &publication->catalogue);
        done = publication->old != NULL;
    }
    if (done && editions_append(new, &publication->edition, oldest_day(publication)))
        done = ctl_fail("%d editions younger than the retention are kept; publish less often",
                        EDITIONS_MAX) == CTL_OK;
    if (done && editions_write(new, &publication->text, &problem))
        done = ctl_fail("%s", problem.text) == CTL_OK;
    if (done) publication->new = published_plans(&new, &publication->catalogue);
    editions_free(old);
    editions_free(new);
    return done && publication->new;
}

// Never in the past

static json_t *standards_by_id(const struct standard_set *set) {
    json_t *object = json_object(), *array = sets_standards(set), *item;
    size_t i;
    json_array_foreach(array, i, item) {
        json_object_set(object, json_string_value(json_object_get(item, "id")), item);
    }
    json_decref(array);
    return object;
}

/// Whatever of `a` is not the same in `b`: its ids are set in *found.
static void note_different(json_t *a, json_t *b, json_t *found) {
    const char *id;
    json_t *item;
    json_object_foreach(a, id, item) {
        if (!json_equal(item, json_object_get(b, id))) json_object_set_new(found, id, json_true());
    }
}

/// "branch: STANDARD, STANDARD from DAY on".
static void show_change(const struct publication *publication, size_t branch, int32_t day) {
    json_t *old = standards_by_id(standards_plan_at(&publication->old->items[branch], day));
    json_t *new = standards_by_id(standards_plan_at(&publication->new->items[branch], day));
    json_t *found = json_object(), *any;
    const char *id, *comma = "";
    char text[DAY_TEXT_SIZE];
    note_different(old, new, found);
    note_different(new, old, found);
    day_text(day, text);
    fprintf(stderr, "  %s: ", publication->catalogue.branches.items[branch].id.text);
    json_object_foreach(found, id, any) {
        fprintf(stderr, "%s%s", comma, id);
        comma = ", ";
    }
    if (!*comma) fputs("scoring or offerings", stderr);
    fprintf(stderr, " from %s on\n", text);
    json_decref(found);
    json_decref(old);
    json_decref(new);
}

/// false: encounters that have begun would be judged otherwise; said where.
static bool never_in_the_past(const struct publication *publication) {
    size_t changed = 0;
    int32_t oldest = oldest_day(publication);
    char day[DAY_TEXT_SIZE];
    if (!publication->old) return true;
    for (size_t i = 0; i < publication->new->count; i++) {
        int32_t first = edition_past_change(
            &publication->old->items[i], &publication->new->items[i],
            &publication->catalogue.branches.items[i], publication->before.now_ms, oldest);
        if (first == INT32_MAX) continue;
        if (changed == 0) ctl_fail("refused: encounters that have begun would be judged otherwise");
        if (changed++ < DIFFERENCES_SHOWN) show_change(publication, i, first);
    }
    if (changed == 0) return true;
    if (changed > DIFFERENCES_SHOWN)
        fprintf(stderr, "  and %zu other branches\n", changed - DIFFERENCES_SHOWN);
    day_text(first_free_day(publication), day);
    fprintf(stderr, "  way out: publish with --from %s or later, or leave --from away\n", day);
    return false;
}

// To the store

static bool send(struct store_link *link, const struct publication *publication) {
    struct buffer argument;
    char hash[SET_HASH_TEXT_SIZE];
    struct bytes text = bytes_of_text(publication->text);
    sha256_text(text, hash);
    buffer_init(&argument, 2 * (size_t)EDITIONS_BYTES_MAX);
    call_replace_editions(publication->before.hash, bytes_of_text(hash), text, &argument);
    const struct bytes words[] = {bytes_of_text("FCALL"),
                                  bytes_of_text("tresen_v1_replace_editions"), bytes_of_text("1"),
                                  bytes_of_text(EDITIONS_KEY), buffer_bytes(&argument)};
    redisReply *reply = argument.failed ? NULL : store_ask(link, 5, words);
    buffer_fini(&argument);
    if (!reply) return false;
    struct reader reader = reader_of(reply_bytes(reply));
    struct reply answer;
    enum err err = reply_read(&reader, &answer);
    freeReplyObject(reply);
    if (!err && answer.status == STORE_OK) return true;
    ctl_fail("somebody else has published meanwhile; see tresenctl standards published, then "
             "publish again");
    return false;
}

static int tell(const struct publication *publication, const char *hash) {
    char day[DAY_TEXT_SIZE];
    day_text(publication->from, day);
    if (publication->ctl->json)
        return ctl_print_json(json_pack("{s:s, s:s, s:s}", "from", day, "hash", hash, "standards",
                                        publication->new->hash));
    printf("published %.12s: holds from %s on\n", hash, *day ? day : "the beginning");
    printf("workers that have taken it up show standards %s in tresenctl status\n",
           publication->new->hash);
    return CTL_OK;
}

static bool prepare(struct store_link *link, struct publication *publication) {
    const struct ctl *ctl = publication->ctl;
    const char *what = ctl->count > 0 ? ctl->arguments[0] : ctl->settings.config_dir;
    bool again = is_hash(what);
    if (!sets_load(again ? ctl->settings.config_dir : what, &publication->catalogue) ||
        !published_read(link, &publication->before) || !choose_day(publication) ||
        !(again ? edition_again(publication, what) : edition_of_folder(publication, what)))
        return false;
    sign(publication);
    return true;
}

int ctl_standards_publish(struct ctl *ctl) {
    struct publication publication = {.ctl = ctl};
    struct store_link *link = store_link_open(ctl);
    if (!link) return CTL_FAILED;
    int status = CTL_FAILED;
    if (prepare(link, &publication)) {
        char hash[SET_HASH_TEXT_SIZE];
        memcpy(hash, publication.edition.hash, sizeof hash);
        if (plan(&publication) && never_in_the_past(&publication) && send(link, &publication))
            status = tell(&publication, hash);
    }
    edition_fini(&publication.edition);
    plans_free(publication.old);
    plans_free(publication.new);
    free(publication.text);
    published_fini(&publication.before);
    catalogue_free(&publication.catalogue);
    store_link_close(link);
    return status;
}
