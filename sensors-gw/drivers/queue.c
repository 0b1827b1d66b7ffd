// The queue driver: a service log becomes encounters. What a row means stands in queue_log.h.
//
// The rows of such a log are in no order of time, and facts go out in order of time, so the whole
// text is kept in memory (mebibytes_max), with one key per fact (its time and its row), sorted.
// An encounter is told when it is opened, again at each of its times, and at its end; each time
// with all that was known then. The watermark is the time of the next fact.

#include "common/base/hash.h"
#include "sensors-gw/drivers/lines.h"
#include "sensors-gw/drivers/queue_log.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 65536, STEPS_MAX = 4 };

/// Something becomes known: the row's encounter as it stood at this time.
struct moment {
    int64_t at_ms;
    uint64_t row; // place in the text
};

struct key {
    uint64_t hash;
    uint64_t row;
};

struct queue {
    struct queue_log log;
    const struct queue_settings *settings;
    struct buffer text; // the rows, each terminated by a zero
    char *scratch;      // one row, while it is cut
    size_t row_count, key_count, moment_count;
    uint64_t *rows; // places in the text
    struct key *keys;
    struct moment *moments; // sorted
    size_t next;            // of them
    uint64_t fingerprint;   // of the sorted moments
    uint64_t counted[QUEUE_ODDITIES];
    struct problem remark; // the first line that could not be used
    bool told;             // counts and remark have been handed over
    bool playing;          // begin_* are set
    uint64_t begin_mono_ms;
    int64_t begin_ms;
};

static const char *const date_forms[] = {"iso", "yymmdd", "yyyymmdd", NULL};

static const struct setting rows[] = {
    SETTING_PATH(struct queue_settings, path, NULL,
                 "The service log: one header line, a row a line, tab, comma or semicolon, plain "
                 "or gzip."),
    REPLAY_SETTINGS(struct queue_settings),
    SETTING_U64(struct queue_settings, rows_max, 200000, 1, 4000000,
                "Rows that the log may have; a longer one is refused. Each takes about 100 bytes."),
    SETTING_U64(struct queue_settings, mebibytes_max, 64, 1, 1024,
                "Mebibytes of text that the log may have; a larger one is refused."),
    SETTING_TEXTS(struct queue_settings, key, true,
                  "Columns that together name a row for ever: the encounter's id."),
    SETTING_TEXT(struct queue_settings, date, "",
                 "Column of the day, when times are clock times; empty: times hold their day."),
    SETTING_CHOICE(struct queue_settings, date_form, DATE_ISO, date_forms,
                   "How the day is written: 2026-11-23, 261123 or 20261123."),
    SETTING_TEXT(struct queue_settings, date_of, "",
                 "Column of the clock time that the day belongs to; a time more than 12 h before "
                 "it is of the next day. Empty: the row's first time."),
    SETTING_TEXTS(struct queue_settings, absent, false,
                  "Texts that stand where there was no time, such as 0:00:00."),
    SETTING_TREE(struct queue_settings, absent_unless, false,
                 "From column of a time to the column of its duration: above 0 the absent text is "
                 "a time after all (midnight)."),
    SETTING_TEXTS(struct queue_settings, issued, false,
                  "Columns of when the client began to wait; the first that has a time counts."),
    SETTING_TEXTS(struct queue_settings, called, false, "Columns of when the client was called."),
    SETTING_TEXTS(struct queue_settings, started, false, "Columns of when service began."),
    SETTING_TEXTS(struct queue_settings, ended, false, "Columns of when service ended."),
    SETTING_TEXTS(struct queue_settings, left, false,
                  "Columns of when a client who was not served left."),
    SETTING_TREE(struct queue_settings, outcome, true,
                 "{column, map, default}: from field to normal, no_show, transferred, abandoned, "
                 "timeout or ignore."),
    SETTING_TREE(struct queue_settings, counter, true,
                 "{column, map, default}: from field to counter; without map the field in lower "
                 "case."),
    SETTING_TREE(struct queue_settings, offering, false,
                 "{column, map, default}: from field to offering."),
    SETTING_TREE(struct queue_settings, language, false,
                 "{column, map, default}: from field to language, such as de."),
    SETTING_TEXT(struct queue_settings, employee, "",
                 "Column of the employee; leaves the branch as a pseudonym only."),
    SETTING_TEXTS(struct queue_settings, nobody, false,
                  "Texts in that column that name nobody, such as NO_SERVER."),
    SETTINGS_END};

// ------------------------------------------------------------------ reading the log once

static void remark(struct queue *queue, uint64_t number, const char *what) {
    if (queue->remark.text[0] != '\0') return;
    problem_set(&queue->remark, ERR_FORMAT, "%s:%llu: %s; left out, as all like it",
                queue->settings->path, (unsigned long long)number, what);
}

/// Cut the row at a place of the text; false: torn.
static bool cut(struct queue *queue, uint64_t place, struct row *row) {
    const char *text = (const char *)queue->text.data + place;
    size_t size = strlen(text);
    memcpy(queue->scratch, text, size + 1);
    return row_cut(queue->scratch, size, queue->log.separator, row) == ERR_NONE &&
           row->count == queue->log.column_count;
}

static enum err keep(struct queue *queue, const struct line *line, struct problem *problem) {
    const struct queue_settings *settings = queue->settings;
    struct row row;
    if (memchr(line->text, '\0', line->size)) goto torn;
    if (queue->row_count == settings->rows_max)
        return problem_set(problem, ERR_FULL,
                           "%s has more than %llu rows; raise rows_max or cut the log into parts",
                           settings->path, (unsigned long long)settings->rows_max);
    uint64_t place = queue->text.size;
    buffer_put(&queue->text, line->text, line->size + 1);
    if (queue->text.failed)
        return problem_set(problem, ERR_FULL,
                           "%s has more than %llu MiB of text (or memory is short); raise "
                           "mebibytes_max or cut the log into parts",
                           settings->path, (unsigned long long)settings->mebibytes_max);
    if (cut(queue, place, &row)) {
        queue->rows[queue->row_count++] = place;
        return ERR_NONE;
    }
    queue->text.size = place;
torn:
    queue->counted[QUEUE_TORN_LINE]++;
    remark(queue, line->number, "torn line: not as many fields as the header has");
    return ERR_NONE;
}

static enum err read_lines(struct queue *queue, struct lines *lines,
                           const struct driver_context *context, struct problem *problem) {
    struct line line;
    bool begun = false;
    for (;;) {
        enum err err = lines_next(lines, &line, problem);
        if (err == ERR_END && !begun)
            return problem_set(problem, ERR_FORMAT, "%s: it is empty; a header line is needed",
                               queue->settings->path);
        if (err == ERR_END) return ERR_NONE;
        if (err == ERR_RANGE) {
            queue->counted[QUEUE_LONG_LINE]++;
            remark(queue, line.number, "longer than 64 KiB");
            continue;
        }
        if (err) return err;
        if (line.size == 0 || line.text[0] == '#') continue;
        if (begun) {
            err = keep(queue, &line, problem);
        } else {
            err = queue_log_begin(&queue->log, queue->settings, context, line.text, line.size,
                                  problem);
            begun = true;
        }
        if (err) return err;
    }
}

static enum err load(struct queue *queue, const struct driver_context *context,
                     struct problem *problem) {
    struct lines *lines = NULL;
    queue->rows = malloc(queue->settings->rows_max * sizeof *queue->rows);
    queue->keys = malloc(queue->settings->rows_max * sizeof *queue->keys);
    queue->scratch = malloc(LINE_MAX_BYTES + 1);
    if (!queue->rows || !queue->keys || !queue->scratch)
        return problem_set(problem, ERR_NOMEM, "no memory for rows_max rows; lower it");
    enum err err = lines_open_file(queue->settings->path, LINE_MAX_BYTES, &lines, problem);
    if (err) return err;
    err = read_lines(queue, lines, context, problem);
    lines_close(lines);
    return err;
}

// ------------------------------------------------------------------ the order of time

/// The recording's first day, for the setting `day`.
static enum err shift(struct queue *queue, struct problem *problem) {
    const struct zone *zone = queue->log.context->zone;
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < queue->row_count; i++) {
        uint64_t ignored[QUEUE_ODDITIES] = {0};
        struct encounter encounter;
        struct row row;
        int64_t day;
        if (!cut(queue, queue->rows[i], &row)) continue;
        if (queue->log.date < 0 && queue_log_read(&queue->log, &row, &encounter, ignored))
            day = day_number(day_local(zone, encounter_begin_ms(&encounter)));
        else if (!queue_log_day(&queue->log, &row, &day))
            continue;
        if (day < first) first = day;
    }
    if (first == INT64_MAX) first = 0; // no row, nothing to move
    return replay_shift(queue->settings->day, queue->settings->shift_days, day_of_number(first),
                        &queue->log.shift_days, problem);
}

static int by_hash(const void *left, const void *right) {
    const struct key *a = left, *b = right;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static int by_row(const void *left, const void *right) {
    const struct key *a = left, *b = right;
    return (a->row > b->row) - (a->row < b->row);
}

static int by_time(const void *left, const void *right) {
    const struct moment *a = left, *b = right;
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/// Of the rows with one key only the first stays.
static void drop_repeated(struct queue *queue) {
    size_t kept = 0;
    qsort(queue->keys, queue->key_count, sizeof *queue->keys, by_hash);
    for (size_t i = 0; i < queue->key_count; i++) {
        if (kept > 0 && queue->keys[kept - 1].hash == queue->keys[i].hash)
            queue->counted[QUEUE_REPEATED_KEY]++;
        else
            queue->keys[kept++] = queue->keys[i];
    }
    queue->key_count = kept;
    qsort(queue->keys, queue->key_count, sizeof *queue->keys, by_row);
}

static size_t steps(const struct encounter *encounter, int64_t at_ms[STEPS_MAX]) {
    const int64_t times[STEPS_MAX] = {encounter->issued_ms, encounter->called_ms,
                                      encounter->started_ms, encounter->ended_ms};
    size_t count = 0;
    for (size_t i = 0; i < STEPS_MAX; i++)
        if (times[i] != TIME_NONE && (count == 0 || at_ms[count - 1] != times[i]))
            at_ms[count++] = times[i];
    return count;
}

static enum err order(struct queue *queue, struct problem *problem) {
    uint64_t ignored[QUEUE_ODDITIES] = {0};
    struct encounter encounter;
    struct row row;
    for (size_t i = 0; i < queue->row_count; i++) {
        if (!cut(queue, queue->rows[i], &row) ||
            !queue_log_read(&queue->log, &row, &encounter, queue->counted))
            continue;
        uint64_t hash = hash_fnv64(encounter.id.text, strlen(encounter.id.text));
        queue->keys[queue->key_count++] = (struct key){hash, queue->rows[i]};
    }
    drop_repeated(queue);
    queue->moments = malloc((queue->key_count + 1) * STEPS_MAX * sizeof *queue->moments);
    if (!queue->moments)
        return problem_set(problem, ERR_NOMEM, "no memory to sort %zu rows", queue->key_count);
    for (size_t i = 0; i < queue->key_count; i++) {
        int64_t at_ms[STEPS_MAX];
        (void)cut(queue, queue->keys[i].row, &row);
        (void)queue_log_read(&queue->log, &row, &encounter, ignored);
        size_t count = steps(&encounter, at_ms);
        for (size_t step = 0; step < count; step++)
            queue->moments[queue->moment_count++] =
                (struct moment){at_ms[step], queue->keys[i].row};
    }
    qsort(queue->moments, queue->moment_count, sizeof *queue->moments, by_time);
    queue->fingerprint = hash_fnv64(queue->moments, queue->moment_count * sizeof *queue->moments);
    return ERR_NONE;
}

// ------------------------------------------------------------------ the driver

static enum err resume(struct queue *queue, const struct cursor *cursor, struct problem *problem) {
    if (cursor->size == 0) return ERR_NONE;
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    uint64_t next = reader_u64(&reader), fingerprint = reader_u64(&reader);
    if (reader.failed || fingerprint != queue->fingerprint || next > queue->moment_count)
        return problem_set(problem, ERR_CONFLICT,
                           "%s or its settings are not those that have been read up to now; put "
                           "them back, or begin with a new spool",
                           queue->settings->path);
    queue->next = (size_t)next;
    return ERR_NONE;
}

static enum err queue_open(void *state, const struct driver_context *context,
                           const struct cursor *cursor, struct problem *problem) {
    struct queue *queue = state;
    queue->settings = context->settings;
    buffer_init(&queue->text, (size_t)queue->settings->mebibytes_max << 20);
    enum err err = load(queue, context, problem);
    if (!err) err = shift(queue, problem);
    if (!err) err = order(queue, problem);
    if (!err) err = resume(queue, cursor, problem);
    return err;
}

static void tell(struct queue *queue, struct driver_turn *turn) {
    if (queue->told) return;
    queue->told = true;
    turn->remark = queue->remark;
    for (size_t i = 0; i < QUEUE_ODDITIES; i++)
        for (uint64_t count = queue->counted[i]; count > 0; count--)
            batching_oddity(turn->source, queue_oddity_names[i]);
}

/// What was known of an encounter at a time.
static void forget_later(struct encounter *encounter, int64_t at_ms) {
    int64_t *times[] = {&encounter->issued_ms, &encounter->called_ms, &encounter->started_ms,
                        &encounter->ended_ms};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (*times[i] > at_ms) *times[i] = TIME_NONE;
    if (encounter->ended_ms == TIME_NONE) encounter->outcome = OUTCOME_OPEN;
    if (encounter->started_ms == TIME_NONE) encounter->employee[0] = '\0';
}

static void append(struct queue *queue, struct source *source) {
    const struct moment *moment = &queue->moments[queue->next++];
    uint64_t ignored[QUEUE_ODDITIES] = {0};
    struct encounter encounter;
    struct row row;
    (void)cut(queue, moment->row, &row);
    (void)queue_log_read(&queue->log, &row, &encounter, ignored);
    forget_later(&encounter, moment->at_ms);
    batching_encounter(source, &encounter);
}

static void mark(const struct queue *queue, struct cursor *cursor) {
    const uint64_t places[2] = {queue->next, queue->fingerprint};
    cursor->size = sizeof places;
    for (size_t i = 0; i < sizeof places; i++)
        cursor->bytes[i] = (uint8_t)(places[i / 8] >> (i % 8 * 8));
}

static enum err queue_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct queue *queue = state;
    enum err err = ERR_NONE;
    (void)problem;
    tell(queue, turn);
    for (uint32_t used = 0; !err && used < turn->budget; used++) {
        if (queue->next == queue->moment_count) {
            err = ERR_END;
            break;
        }
        int64_t at_ms = queue->moments[queue->next].at_ms;
        if (!queue->playing) {
            queue->playing = true;
            queue->begin_ms = at_ms;
            queue->begin_mono_ms = turn->now_ms;
        }
        turn->wake_ms =
            replay_due_ms(queue->settings->speed, queue->begin_mono_ms, queue->begin_ms, at_ms);
        if (turn->wake_ms > turn->now_ms)
            err = ERR_AGAIN;
        else
            append(queue, turn->source);
    }
    if (queue->next < queue->moment_count)
        batching_watermark(turn->source, queue->moments[queue->next].at_ms);
    else if (queue->moment_count > 0)
        batching_watermark(turn->source, queue->moments[queue->moment_count - 1].at_ms + 1);
    mark(queue, &turn->cursor);
    return err;
}

static uint32_t queue_progress(const void *state) {
    const struct queue *queue = state;
    if (queue->moment_count == 0) return 1000;
    return (uint32_t)(queue->next * 1000 / queue->moment_count);
}

static void queue_close(void *state) {
    struct queue *queue = state;
    buffer_fini(&queue->text);
    free(queue->scratch);
    free(queue->rows);
    free(queue->keys);
    free(queue->moments);
    *queue = (struct queue){0};
}

const struct driver driver_queue = {
    .name = "queue",
    .text = "a service log (tab, comma or semicolon separated, plain or gzip): encounters",
    .state_size = sizeof(struct queue),
    .settings_size = sizeof(struct queue_settings),
    .settings = rows,
    .open = queue_open,
    .read = queue_read,
    .progress = queue_progress,
    .close = queue_close,
};
