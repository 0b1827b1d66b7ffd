#include "sensors-gw/shell/spool.h"

#include "sensors-gw/shell/spool_rows.h"

#include "common/io/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARKS = 256,     // marks of application kept over a retention time
    TRIM_ROWS = 512, // rows deleted a commit at most for age: bounds its duration
};

struct spool {
    struct database database;
    struct spool_limits limits;
    struct spool_state state;
    uint64_t clock_ms;   // monotonic time at which run_ms was right; 0: not set in this run
    size_t uncommitted;  // batches in the open transaction
    uint64_t next;       // number of the next append
    struct tag next_tag; // what it follows
    uint64_t next_bytes; // bytes of what is uncommitted
};

// ------------------------------------------------------------------ retention

/// Bytes of the bodies from..to.
static enum err bytes_of(struct spool *s, uint64_t from, uint64_t to, uint64_t *bytes,
                         struct problem *problem) {
    struct rows_figures figures;
    enum err err = rows_measure(&s->database, from, to, &figures, problem);
    if (!err) *bytes = figures.bytes;
    return err;
}

/// A damaged page may show other rows each time it is asked.
static enum err figures_check(const struct spool *s, struct problem *problem) {
    if (s->state.held_bytes <= s->state.bytes && s->state.bytes <= INT64_MAX) return ERR_NONE;
    return problem_set(problem, ERR_FORMAT,
                       "spool %s: the sizes of its batches do not add up, the file is damaged; "
                       "start once with --new-spool to keep what is intact",
                       s->database.path);
}

/// Delete first..to; figures follow.
static enum err trim(struct spool *s, uint64_t to, struct problem *problem) {
    if (to < s->state.first) return ERR_NONE;
    uint64_t bytes, held = 0;
    enum err err = bytes_of(s, s->state.first, to, &bytes, problem);
    if (err) return err;
    if (to > s->state.applied) {
        uint64_t from =
            s->state.applied + 1 > s->state.first ? s->state.applied + 1 : s->state.first;
        err = bytes_of(s, from, to, &held, problem);
        if (err) return err;
        s->state.dropped += to - from + 1;
    }
    err = rows_delete(&s->database, to, problem);
    if (err) return err;
    s->state.first = to + 1;
    s->state.bytes -= bytes;
    s->state.held_bytes -= held;
    return figures_check(s, problem);
}

/// What has been applied for longer than the retention goes, a bounded part at a time.
static enum err trim_old(struct spool *s, struct problem *problem) {
    if (s->state.run_ms < s->limits.retention_ms) return ERR_NONE;
    uint64_t until_ms = s->state.run_ms - s->limits.retention_ms, due;
    enum err err = rows_marked(&s->database, until_ms, &due, problem);
    if (due > s->state.applied) due = s->state.applied; // whatever a mark says
    if (err || due < s->state.first) return err;
    uint64_t most = s->state.first + TRIM_ROWS - 1;
    err = trim(s, due < most ? due : most, problem);
    if (err) return err;
    return rows_forget_marks(&s->database, until_ms, s->state.first - 1, problem);
}

/// The oldest go while there is more than may be: applied ones first, they are the oldest.
static enum err trim_full(struct spool *s, struct problem *problem) {
    uint64_t last = s->limits.drop_unapplied ? s->state.last - 1 : s->state.applied;
    if (last >= s->state.last) last = s->state.last - 1; // the newest stays in any case
    while (s->state.bytes > s->limits.bytes_max && s->state.first <= last) {
        enum err err = trim(s, s->state.first, problem);
        if (err) return err;
    }
    return ERR_NONE;
}

/// Remember when the store stood where it stands, often enough for the retention's purpose.
static enum err mark_applied(struct spool *s, struct problem *problem) {
    if (!s->state.applied) return ERR_NONE;
    int64_t newest_ms;
    enum err err = rows_newest_mark(&s->database, &newest_ms, problem);
    if (err) return err;
    if (newest_ms >= 0 && s->state.run_ms - (uint64_t)newest_ms < s->limits.retention_ms / MARKS)
        return ERR_NONE;
    return rows_mark(&s->database, s->state.run_ms, s->state.applied, problem);
}

// ------------------------------------------------------------------ writing

static void run_on(struct spool *s, uint64_t now_ms) {
    if (s->clock_ms && now_ms > s->clock_ms) s->state.run_ms += now_ms - s->clock_ms;
    s->clock_ms = now_ms;
}

enum err spool_commit(struct spool *s, uint64_t now_ms, struct problem *problem) {
    enum err err = database_begin(&s->database, problem);
    if (err) return err;
    run_on(s, now_ms);
    s->state.last = s->next - 1;
    s->state.tag = s->next_tag;
    s->state.bytes += s->next_bytes;
    s->state.held_bytes += s->next_bytes;
    s->next_bytes = 0;
    s->uncommitted = 0;
    if ((err = mark_applied(s, problem)) || (err = trim_old(s, problem)) ||
        (err = trim_full(s, problem)) || (err = rows_keep_state(&s->database, &s->state, problem)))
        return database_fail(&s->database, err);
    return database_commit(&s->database, problem);
}

size_t spool_uncommitted(const struct spool *s) {
    return s->uncommitted;
}

enum err spool_append(struct spool *s, struct bytes body, struct span times, int64_t watermark_ms,
                      struct problem *problem) {
    enum err err = database_begin(&s->database, problem);
    if (err) return err;
    assert(s->next <= NUMBER_MAX);
    struct spool_batch batch = {.number = s->next, .body = body, .times = times};
    random_fill(batch.tag.bytes, sizeof batch.tag.bytes);
    batch.tag = tag_behind(batch.tag, s->next_tag);
    err = rows_append(&s->database, &batch, problem);
    if (err) return database_fail(&s->database, err);
    s->next++;
    s->next_tag = batch.tag;
    s->next_bytes += body.size;
    s->uncommitted++;
    s->state.watermark_ms = watermark_ms;
    return ERR_NONE;
}

enum err spool_keep_cursor(struct spool *s, const char *driver, const struct cursor *cursor,
                           struct problem *problem) {
    enum err err = database_begin(&s->database, problem);
    if (err) return err;
    err = rows_keep_cursor(&s->database, driver, cursor, problem);
    return err ? database_fail(&s->database, err) : ERR_NONE;
}

void spool_leave_out(struct spool *s, struct span times) {
    struct span *gap = &s->state.gap;
    s->state.left_out++;
    if (times.from_ms == TIME_NONE) return; // counted all the same
    if (gap->from_ms == TIME_NONE || times.from_ms < gap->from_ms) gap->from_ms = times.from_ms;
    if (gap->to_ms == TIME_NONE || times.to_ms > gap->to_ms) gap->to_ms = times.to_ms;
}

void spool_clear_gap(struct spool *s) {
    s->state.gap = (struct span){TIME_NONE, TIME_NONE};
}

void spool_set_birth(struct spool *s, uint64_t birth) {
    s->state.birth = birth;
    s->state.departed = false;
}

void spool_set_departed(struct spool *s) {
    s->state.departed = true;
}

/// The state alone, now; what is uncommitted stays so only if it was begun after.
static enum err write_through(struct spool *s, struct problem *problem) {
    return spool_commit(s, s->clock_ms, problem);
}

enum err spool_set_epoch(struct spool *s, uint64_t epoch, struct problem *problem) {
    assert(!s->uncommitted);
    s->state.epoch = epoch;
    return write_through(s, problem);
}

enum err spool_set_fenced(struct spool *s, struct problem *problem) {
    assert(!s->uncommitted);
    s->state.fenced = true;
    return write_through(s, problem);
}

/// The store has gone on from `before`; what is not held any more was dropped when it was under
/// way.
static void count_dropped(struct spool *s, uint64_t before, uint64_t passed_over) {
    uint64_t end = s->state.applied < s->state.first ? s->state.applied : s->state.first - 1;
    if (end <= before + passed_over) return;
    uint64_t applied = end - before - passed_over;
    s->state.dropped -= applied < s->state.dropped ? applied : s->state.dropped;
}

enum err spool_set_applied(struct spool *s, uint64_t number, uint64_t passed_over, uint64_t now_ms,
                           struct problem *problem) {
    uint64_t before = s->state.applied, bytes;
    if (number == before) return ERR_NONE;
    run_on(s, now_ms);
    uint64_t from = (number < before ? number : before) + 1;
    uint64_t to = number < before ? before : number;
    if (to > s->state.last) to = s->state.last;
    enum err err = bytes_of(s, from, to, &bytes, problem);
    if (err) return err;
    s->state.applied = number;
    if (number > before) {
        count_dropped(s, before, passed_over);
        s->state.held_bytes -= bytes;
        return figures_check(s, problem);
    }
    s->state.held_bytes += bytes; // to be applied again: their retention has not begun
    err = figures_check(s, problem);
    if (!err) err = database_begin(&s->database, problem);
    if (err) return err;
    err = rows_forget_marks_above(&s->database, number, problem);
    return err ? database_fail(&s->database, err) : ERR_NONE;
}

// ------------------------------------------------------------------ reading

enum err spool_read(struct spool *s, uint64_t from, uint64_t to,
                    bool (*each)(void *context, const struct spool_batch *batch), void *context,
                    struct problem *problem) {
    assert(to <= s->state.last);
    return rows_read(&s->database, from, to, each, context, problem);
}

enum err spool_tag(struct spool *s, uint64_t number, struct tag *tag, struct problem *problem) {
    *tag = s->state.tag;
    if (number == 0 || number + 1 < s->state.first || number > s->state.last) return ERR_MISSING;
    if (number < s->state.last) {
        enum err err = rows_tag(&s->database, number + 1, tag, problem);
        if (err) return err;
        *tag = tag_before(*tag);
    }
    return tag_unknown(*tag) ? ERR_MISSING : ERR_NONE;
}

/// What was dropped is not held, though the store does not know of the gap yet.
static uint64_t oldest_unapplied(const struct spool *s) {
    uint64_t number = s->state.applied + 1;
    return number > s->state.first ? number : s->state.first;
}

static bool take_from_ms(void *context, const struct spool_batch *batch) {
    *(int64_t *)context = batch->times.from_ms;
    return false;
}

enum err spool_oldest_ms(struct spool *s, int64_t *oldest_ms, struct problem *problem) {
    *oldest_ms = TIME_NONE;
    uint64_t number = oldest_unapplied(s);
    if (number > s->state.last) return ERR_NONE;
    return spool_read(s, number, number, take_from_ms, oldest_ms, problem);
}

enum err spool_cursor(struct spool *s, const char *driver, struct cursor *cursor,
                      struct problem *problem) {
    return rows_cursor(&s->database, driver, cursor, problem);
}

const struct spool_state *spool_state(const struct spool *s) {
    return &s->state;
}

uint64_t spool_unapplied(const struct spool *s) {
    return s->state.last + 1 - oldest_unapplied(s);
}

// ------------------------------------------------------------------ opening

static void new_identity(struct spool *s) {
    random_fill(s->state.id.bytes, sizeof s->state.id.bytes);
    s->state.tag = tag_start(&s->state.id);
    s->state.epoch = 0;
    s->state.fenced = false;
    s->state.applied = 0;
    s->state.dropped = s->state.left_out = 0; // the store counts anew as well
}

/// A damaged state is none, if all is to be new anyway.
static enum err state_load(struct spool *s, bool renew, struct problem *problem) {
    enum rows_found found;
    enum err err = rows_state(&s->database, &s->state, &found, problem);
    if (err) return err;
    if (found == ROWS_DAMAGED && !renew) return rows_state_damaged(&s->database, problem);
    if (found != ROWS_INTACT) {
        s->state = (struct spool_state){.watermark_ms = TIME_NONE, .gap = {TIME_NONE, TIME_NONE}};
        new_identity(s);
    }
    return ERR_NONE;
}

/// What lies between first and last must be whole.
static enum err figures_load(struct spool *s, struct problem *problem) {
    struct rows_figures all;
    enum err err = rows_measure(&s->database, (uint64_t)INT64_MIN, INT64_MAX, &all, problem);
    if (err) return err;
    s->state.bytes = all.bytes;
    s->state.first = all.count ? all.least : s->state.last + 1;
    if (all.count && ((int64_t)all.least < 1 || all.most != s->state.last ||
                      all.count != all.most - all.least + 1))
        return problem_set(problem, ERR_FORMAT,
                           "spool %s: batches up to %llu should be there, but are %llu from %lld "
                           "to %lld; start once with --new-spool to keep what is intact",
                           s->database.path, (unsigned long long)s->state.last,
                           (unsigned long long)all.count, (long long)all.least,
                           (long long)all.most);
    err = bytes_of(s, s->state.applied + 1, INT64_MAX, &s->state.held_bytes, problem);
    return err ? err : figures_check(s, problem);
}

static enum err renew_spool(struct spool *s, uint64_t *damaged, struct problem *problem) {
    new_identity(s);
    struct rows_kept kept = {.tag = s->state.tag};
    enum err err = rows_keep_intact(&s->database, &kept, problem);
    if (!err) err = database_begin(&s->database, problem);
    if (!err) err = rows_renew(&s->database, &kept, problem);
    s->state.last = kept.last;
    s->state.tag = kept.tag;
    *damaged = kept.damaged;
    if (!err) err = rows_keep_state(&s->database, &s->state, problem);
    if (!err) err = database_renewed(&s->database, problem);
    return err ? err : database_commit(&s->database, problem);
}

/// The store knows the batches by the second half of their tags, which stays.
static enum err convert(struct spool *s, struct problem *problem) {
    enum err err = database_begin(&s->database, problem);
    if (!err) err = rows_chain(&s->database, &s->state.tag, problem);
    if (!err) err = rows_keep_state(&s->database, &s->state, problem);
    if (!err) err = database_renewed(&s->database, problem);
    return err ? err : database_commit(&s->database, problem);
}

/// Session numbers of this run lie above those of all earlier ones.
static enum err session_reserve(struct spool *s, struct problem *problem) {
    enum err err = database_begin(&s->database, problem);
    if (!err) err = rows_keep_state(&s->database, &s->state, problem);
    return err ? err : database_commit(&s->database, problem);
}

enum err spool_open(const char *path, const struct spool_limits *limits, bool renew,
                    struct spool **spool_out, uint64_t *damaged, struct problem *problem) {
    *damaged = 0;
    struct spool *s = calloc(1, sizeof *s);
    if (!s) return problem_set(problem, ERR_NOMEM, "spool %s: out of memory", path);
    s->limits = *limits;
    enum err err = database_open(&s->database, path, limits->full_sync, problem);
    if (!err) err = state_load(s, renew, problem);
    s->state.converted = database_is_old(&s->database);
    if (!err && renew) err = renew_spool(s, damaged, problem);
    if (!err) err = figures_load(s, problem);
    if (!err && database_is_old(&s->database)) err = convert(s, problem);
    if (!err) err = session_reserve(s, problem);
    if (err) {
        spool_close(s);
        return err;
    }
    s->next = s->state.last + 1;
    s->next_tag = s->state.tag;
    *spool_out = s;
    return ERR_NONE;
}

void spool_close(struct spool *s) {
    if (!s) return;
    database_close(&s->database);
    free(s);
}
