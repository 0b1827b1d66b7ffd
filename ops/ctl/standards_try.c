// tresenctl standards try: what a recording would be judged by changed standards.

#include "common/settings/file.h"
#include "ops/ctl/comparison.h"
#include "ops/ctl/playback.h"
#include "ops/ctl/progress.h"
#include "ops/ctl/recording.h"
#include "ops/ctl/sets.h"
#include "worker/core/settle.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 128, FILE_BYTES_MAX = 1 << 20, REDRAW_EVERY = 64 };

/// Both sets of standards on one recording.
struct attempt {
    struct catalogue before, after;
    struct recording recording;
    uint64_t batches, read; // in all spools; so far
    bool bar;
};

static bool exists(const char *folder, const char *name) {
    char path[PATH_SIZE];
    struct stat about;
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
           stat(path, &about) == 0;
}

/// Which document of the configuration a file stands for: that of its own folder's name and its
/// own, or the one that is called so; a file that is new holds standards.
static void document_name(const char *config_dir, const char *path, char name[NAME_SIZE]) {
    static const char *const folders[] = {"standards/", "overlays/", ""};
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(folders[i]);
        const char *at = base - length;
        bool inside = (size_t)(base - path) >= length && memcmp(at, folders[i], length) == 0;
        if (!inside || (at > path && at[-1] != '/')) continue;
        snprintf(name, NAME_SIZE, "%s%s", folders[i], base);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, NAME_SIZE, "%s%s", folders[i], base);
        if (exists(config_dir, name)) return;
    }
    snprintf(name, NAME_SIZE, "standards/%s", base);
}

/// The configuration with one file in place of its own, or another folder's. false: told.
static bool load_changed(const struct ctl *ctl, struct catalogue *catalogue) {
    static struct problems problems;
    const char *path = ctl->arguments[0];
    char name[NAME_SIZE];
    struct stat about;
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return sets_load(path, catalogue);
    struct buffer text;
    buffer_init(&text, FILE_BYTES_MAX);
    bool good = file_read(path, FILE_BYTES_MAX, &text, &problems);
    if (good) {
        document_name(ctl->settings.config_dir, path, name);
        struct standards_file instead = {name, buffer_bytes(&text)};
        good = catalogue_load_instead(ctl->settings.config_dir, &instead, catalogue, &problems);
    }
    if (!good) problems_print(&problems, stderr);
    buffer_fini(&text);
    return good;
}

/// Where bodies of a spool go.
struct intake {
    struct attempt *attempt;
    struct playback *playback;
    const struct recorded_spool *spool;
    uint64_t unread; // batches that no worker could decode either
};

static bool take_body(void *context, uint64_t number, struct bytes body) {
    struct intake *intake = context;
    struct attempt *attempt = intake->attempt;
    struct problem problem = {0};
    enum err err = playback_add(intake->playback, intake->spool->gateway, body, &problem);
    if (err == ERR_NOMEM || err == ERR_FULL) {
        ctl_fail("%s: batch %llu %s", intake->spool->path, (unsigned long long)number,
                 problem.text);
        return false;
    }
    intake->unread += err != ERR_NONE;
    if (attempt->bar && ++attempt->read % REDRAW_EVERY == 0)
        progress_draw((double)attempt->read / (double)attempt->batches, "%llu of %llu batches read",
                      (unsigned long long)attempt->read, (unsigned long long)attempt->batches);
    return true;
}

/// Reads all spools of a branch. *first moves behind them.
static bool take_branch(struct attempt *attempt, struct playback *playback, size_t *first,
                        uint64_t *unread) {
    const struct recording *recording = &attempt->recording;
    size_t branch = recording->items[*first].branch;
    struct intake intake = {.attempt = attempt, .playback = playback};
    for (; *first < recording->count && recording->items[*first].branch == branch; ++*first) {
        intake.spool = &recording->items[*first];
        if (!recording_read(intake.spool, take_body, &intake)) return false;
    }
    *unread = intake.unread;
    playback_finish(playback);
    return true;
}

static const struct standard_set *set_of(const struct catalogue *catalogue,
                                         const struct branch *branch,
                                         const struct encounter *encounter) {
    const struct branch *own = branches_find(&catalogue->branches, &branch->id);
    if (!own) return NULL;
    struct local_time local = zone_local(&branch->zone, settle_counted_ms(encounter));
    return standards_plan_at(&catalogue->plans[own - catalogue->branches.items],
                             local.year * 10000 + local.month * 100 + local.day);
}

/// Judges an encounter by both sets, as a worker does.
static bool judge(struct attempt *attempt, const struct branch *branch, struct playback *playback,
                  const struct played *played, struct comparison *comparison) {
    static struct judged before, after;
    const struct series *series = NULL;
    size_t count = 0;
    enum err err = playback_series(playback, played, &series, &count);
    struct engine_context context = {.clock_error_ms = played->clock_error_ms,
                                     .times_error_ms =
                                         played->several ? 2 * played->clock_error_ms : 0,
                                     .zone = &branch->zone};
    before.set = set_of(&attempt->before, branch, &played->encounter);
    after.set = set_of(&attempt->after, branch, &played->encounter);
    if (!after.set)
        return ctl_fail("there is no branch %s in the other folder", branch->id.text) == CTL_OK;
    for (size_t i = 0; i < 2; i++) {
        struct judged *judged = i ? &after : &before;
        if (err)
            engine_error(judged->set, REASON_BAD_DATA, judged->judgements, &judged->scores);
        else
            engine_evaluate(judged->set, &played->encounter, series, count, &context,
                            judged->judgements, &judged->scores);
    }
    comparison_add(comparison, &played->encounter, &before, &after);
    return true;
}

/// One branch, the spools of which begin at *first: its comparison as JSON, or NULL: told.
static json_t *try_branch(struct attempt *attempt, size_t *first) {
    const struct branch *branch =
        &attempt->before.branches.items[attempt->recording.items[*first].branch];
    struct playback *playback = playback_new(branch, &attempt->before.measures.measures);
    struct comparison comparison = comparison_new(branch->id.text);
    bool good = playback != NULL;
    if (!good) ctl_fail("out of memory");
    good = good && take_branch(attempt, playback, first, &comparison.unread);
    for (size_t i = 0, count = good ? playback_count(playback) : 0; good && i < count; i++) {
        const struct played *played = playback_encounter(playback, i);
        if (played->withdrawn) continue;
        if (played->encounter.ended_ms == TIME_NONE)
            comparison.open++;
        else
            good = judge(attempt, branch, playback, played, &comparison);
        if (attempt->bar && i % REDRAW_EVERY == 0)
            progress_draw((double)(i + 1) / (double)count, "%zu of %zu encounters of %s judged",
                          i + 1, count, branch->id.text);
    }
    playback_free(playback);
    json_t *json = comparison_json(&comparison);
    if (good) return json;
    json_decref(json);
    return NULL;
}

static json_t *try_all(struct attempt *attempt) {
    json_t *branches = json_array();
    for (size_t i = 0; i < attempt->recording.count; i++)
        attempt->batches += attempt->recording.items[i].batches;
    for (size_t first = 0; branches && first < attempt->recording.count;) {
        json_t *branch = try_branch(attempt, &first);
        if (branch) {
            json_array_append_new(branches, branch);
            continue;
        }
        json_decref(branches);
        branches = NULL;
    }
    if (attempt->bar) fputs("\r\033[K", stderr);
    return branches;
}

int ctl_standards_try(struct ctl *ctl) {
    static struct attempt attempt;
    json_t *branches = NULL;
    if (!ctl->recording)
        return ctl_fail("--recording is missing; name a gateway's spool, or a folder of them");
    attempt.bar = !ctl->json && isatty(STDERR_FILENO);
    if (sets_load(ctl->settings.config_dir, &attempt.before) && load_changed(ctl, &attempt.after) &&
        recording_find(ctl->recording, &attempt.before.branches, &attempt.recording))
        branches = try_all(&attempt);
    if (branches && ctl->json)
        ctl_print_json(json_pack("{s:O}", "branches", branches));
    else if (branches)
        comparison_print(branches);
    json_decref(branches);
    catalogue_free(&attempt.before);
    catalogue_free(&attempt.after);
    return branches ? CTL_OK : CTL_FAILED;
}
