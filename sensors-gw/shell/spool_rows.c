#include "sensors-gw/shell/spool_rows.h"

#include "common/domain/batch.h"

#include <string.h>
#include <zlib.h>

enum {
    SESSIONS_A_RUN = 1 << 24,
    STATE_WITHOUT_GAP = 82, // bytes, of the first programs: nothing could be left out
    MISSED_MOST = 4096,     // numbers in a row of which no row can be reached: there are no more
};
#define FIGURE_MAX                                                                                 \
    (NUMBER_MAX / 2) // of the state: no spool gets there, and two of them can be added

static uint32_t checksum_more(uint32_t sum, const void *data, size_t size) {
    return (uint32_t)crc32(sum, size ? data : (const void *)"", (uInt)size);
}

/// Over all that a row says, so that a row in another's place is noticed, too.
static uint32_t batch_checksum(const struct spool_batch *batch) {
    uint32_t sum = checksum_more(0, &batch->number, sizeof batch->number);
    sum = checksum_more(sum, batch->tag.bytes, sizeof batch->tag.bytes);
    sum = checksum_more(sum, &batch->times.from_ms, sizeof batch->times.from_ms);
    sum = checksum_more(sum, &batch->times.to_ms, sizeof batch->times.to_ms);
    return checksum_more(sum, batch->body.data, batch->body.size);
}

static uint32_t named_checksum(const char *name, struct bytes value) {
    uint32_t sum = checksum_more(0, name, strlen(name) + 1);
    return checksum_more(sum, value.data, value.size);
}

static enum err damaged_row(const struct database *d, const char *table, const char *row,
                            struct problem *problem) {
    return problem_set(problem, ERR_FORMAT,
                       "spool %s: %s %s does not match its checksum, the file is damaged; start "
                       "once with --new-spool to keep what is intact",
                       d->path, table, row);
}

static bool cursor_intact(sqlite3_stmt *statement, int place, const char *driver) {
    struct bytes value = column_bytes(statement, place);
    return value.size <= CURSOR_MAX &&
           column_u64(statement, place + 1) == named_checksum(driver, value);
}

// ------------------------------------------------------------------ batches

static void bind_batch(sqlite3_stmt *statement, const struct spool_batch *batch) {
    bind_u64(statement, 1, batch->number);
    bind_bytes(statement, 2, (struct bytes){batch->tag.bytes, sizeof batch->tag.bytes});
    bind_u64(statement, 3, (uint64_t)batch->times.from_ms);
    bind_u64(statement, 4, (uint64_t)batch->times.to_ms);
    bind_u64(statement, 5, batch_checksum(batch));
    bind_bytes(statement, 6, batch->body);
}

enum err rows_append(struct database *d, const struct spool_batch *batch, struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, APPEND);
    bind_batch(statement, batch);
    enum err err = database_step(d, APPEND, NULL, problem);
    sqlite3_clear_bindings(statement);
    return err;
}

/// The batch of the current row. False: damaged.
static bool row_batch(sqlite3_stmt *statement, struct spool_batch *batch) {
    *batch = (struct spool_batch){
        .number = column_u64(statement, 0),
        .times = {sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3)},
        .body = column_bytes(statement, 5)};
    struct bytes tag = column_bytes(statement, 1);
    if (tag.size != sizeof batch->tag.bytes || batch->body.size > BATCH_BODY_MAX) return false;
    memcpy(batch->tag.bytes, tag.data, tag.size);
    return column_u64(statement, 4) == batch_checksum(batch);
}

static enum err damaged_batch(const struct database *d, uint64_t number, struct problem *problem) {
    char text[24];
    sqlite3_snprintf(sizeof text, text, "%llu", (unsigned long long)number);
    return damaged_row(d, "batch", text, problem);
}

enum err rows_read(struct database *d, uint64_t from, uint64_t to,
                   bool (*each)(void *context, const struct spool_batch *batch), void *context,
                   struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, READ);
    bind_u64(statement, 1, from);
    bind_u64(statement, 2, to);
    uint64_t expected = from;
    enum err err = ERR_NONE;
    for (bool more = true; more && expected <= to; expected++) {
        struct spool_batch batch;
        bool row;
        err = database_step(d, READ, &row, problem);
        if (err) return err;
        if (!row || !row_batch(statement, &batch) || batch.number != expected) {
            err = damaged_batch(d, expected, problem);
            break;
        }
        more = each(context, &batch);
    }
    sqlite3_reset(statement);
    return err;
}

enum err rows_tag(struct database *d, uint64_t number, struct tag *tag, struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, TAG);
    bind_u64(statement, 1, number);
    bool row;
    enum err err = database_step(d, TAG, &row, problem);
    if (err) return err;
    struct bytes bytes = row ? column_bytes(statement, 0) : (struct bytes){0};
    if (bytes.size == sizeof tag->bytes)
        memcpy(tag->bytes, bytes.data, bytes.size);
    else
        err = damaged_batch(d, number, problem);
    sqlite3_reset(statement);
    return err;
}

enum err rows_delete(struct database *d, uint64_t to, struct problem *problem) {
    bind_u64(database_prepared(d, DELETE), 1, to);
    return database_step(d, DELETE, NULL, problem);
}

enum err rows_measure(struct database *d, uint64_t from, uint64_t to, struct rows_figures *figures,
                      struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, BYTES);
    bind_u64(statement, 1, from);
    bind_u64(statement, 2, to);
    bool row;
    enum err err = database_step(d, BYTES, &row, problem);
    if (err) return err;
    *figures = (struct rows_figures){
        .bytes = column_u64(statement, 0),
        .count = column_u64(statement, 1),
        .least = column_u64(statement, 2),
        .most = column_u64(statement, 3),
    };
    sqlite3_reset(statement);
    return ERR_NONE;
}

/// The drivers of the others begin anew.
static enum err keep_cursors(struct database *d, struct rows_kept *kept, struct problem *problem) {
    sqlite3_stmt *from = NULL, *into = NULL;
    enum err err = ERR_NONE;
    if (sqlite3_prepare_v2(d->handle,
                           "SELECT driver, CASE WHEN length(value) <= ? THEN value END, checksum"
                           " FROM cursor",
                           -1, &from, NULL) ||
        sqlite3_prepare_v2(d->handle, "INSERT OR IGNORE INTO kept_cursor VALUES(?, ?, ?)", -1,
                           &into, NULL))
        err = database_problem(d, problem);
    else
        sqlite3_bind_int(from, 1, CURSOR_MAX);
    int code = SQLITE_DONE;
    while (!err && (code = sqlite3_step(from)) == SQLITE_ROW) {
        const char *driver = (const char *)sqlite3_column_text(from, 0);
        if (!driver || !cursor_intact(from, 1, driver)) {
            kept->damaged++;
            continue;
        }
        for (int i = 0; i < 3; i++)
            sqlite3_bind_value(into, i + 1, sqlite3_column_value(from, i));
        if (sqlite3_step(into) != SQLITE_DONE) err = database_problem(d, problem);
        sqlite3_reset(into);
    }
    if (!err && (code & 0xff) == SQLITE_CORRUPT) {
        kept->torn = true;
        kept->damaged++;
    } else if (!err && code != SQLITE_DONE)
        err = database_problem(d, problem);
    sqlite3_finalize(from);
    sqlite3_finalize(into);
    return err;
}

static enum err keep(struct database *d, sqlite3_stmt *into, const struct spool_batch *batch,
                     struct problem *problem) {
    bind_batch(into, batch);
    enum err err = sqlite3_step(into) == SQLITE_DONE ? ERR_NONE : database_problem(d, problem);
    sqlite3_reset(into);
    sqlite3_clear_bindings(into);
    return err;
}

/// A damaged row's number is believed if it lies near; with torn pages the rows may come in any
/// order, or again and again.
static bool moves_on(uint64_t number, uint64_t behind) {
    return number > behind && number - behind <= MISSED_MOST;
}

/// Where pages are torn, look for the next one behind them.
static enum err keep_batches(struct database *d, sqlite3_stmt *from, sqlite3_stmt *into,
                             struct rows_kept *kept, struct problem *problem) {
    enum err err = ERR_NONE;
    uint64_t newest = 0, behind = 0, missed = 0; // newest: the last intact one
    int code;
    sqlite3_bind_int(from, 1, BATCH_BODY_MAX);
    bind_u64(from, 2, behind);
    while (!err && missed < MISSED_MOST && (code = sqlite3_step(from)) != SQLITE_DONE) {
        if (code == SQLITE_ROW) {
            struct spool_batch batch;
            bool intact = row_batch(from, &batch), near = moves_on(batch.number, behind);
            bool next = intact && batch.number > newest;
            kept->damaged += !intact || (!next && !missed); // or seen before: one place
            if (next) {
                newest = behind = batch.number;
                missed = 0;
                batch.number = ++kept->last;
                batch.tag = kept->tag = tag_behind(batch.tag, kept->tag);
                err = keep(d, into, &batch, problem);
            } else if (!intact && near) {
                behind = batch.number;
                missed = 0;
            } else {
                kept->torn = kept->torn || batch.number <= behind;
                missed++;
            }
        } else if ((code & 0xff) == SQLITE_CORRUPT) {
            kept->torn = true;
            kept->damaged += !missed++;
            sqlite3_reset(from);
            bind_u64(from, 2, ++behind);
        } else
            err = database_problem(d, problem);
    }
    return err;
}

enum err rows_keep_intact(struct database *d, struct rows_kept *kept, struct problem *problem) {
    enum err err = database_execute(
        d,
        "CREATE TEMP TABLE kept(number INTEGER PRIMARY KEY, tag, from_ms, to_ms, checksum, body);"
        "CREATE TEMP TABLE kept_cursor(driver TEXT PRIMARY KEY, value, checksum)",
        problem);
    if (err) return err;
    sqlite3_stmt *from = NULL, *into = NULL;
    if (sqlite3_prepare_v2(d->handle,
                           "SELECT number, tag, from_ms, to_ms, checksum,"
                           " CASE WHEN length(body) <= ? THEN body END FROM batch"
                           " WHERE number > ? ORDER BY number",
                           -1, &from, NULL) ||
        sqlite3_prepare_v2(d->handle, "INSERT INTO kept VALUES(?, ?, ?, ?, ?, ?)", -1, &into, NULL))
        err = database_problem(d, problem);
    else
        err = keep_batches(d, from, into, kept, problem);
    sqlite3_finalize(from);
    sqlite3_finalize(into);
    return err ? err : keep_cursors(d, kept, problem);
}

enum err rows_renew(struct database *d, const struct rows_kept *kept, struct problem *problem) {
    // A table with torn pages cannot be dropped; what is forgotten takes its room for ever.
    enum err err = database_execute(
        d,
        kept->torn ? "PRAGMA writable_schema = ON;"
                     "DELETE FROM sqlite_schema WHERE name IN ('batch', 'cursor', 'applied');"
                     "PRAGMA writable_schema = RESET"
                   : "DROP TABLE batch; DROP TABLE cursor; DROP TABLE applied",
        problem);
    return err ? err
               : database_execute(d,
                                  TABLE_BATCH TABLE_CURSOR TABLE_APPLIED
                                  "INSERT INTO batch SELECT * FROM kept;"
                                  "INSERT INTO cursor SELECT * FROM kept_cursor;"
                                  "DROP TABLE kept; DROP TABLE kept_cursor",
                                  problem);
}

enum err rows_chain(struct database *d, struct tag *last, struct problem *problem) {
    sqlite3_stmt *all = database_prepared(d, READ), *write = database_prepared(d, TAG_WRITE);
    bind_u64(all, 1, 0);
    bind_u64(all, 2, INT64_MAX);
    *last = (struct tag){{0}};
    enum err err;
    for (bool row = true; !(err = database_step(d, READ, &row, problem)) && row;) {
        struct spool_batch batch;
        if (!row_batch(all, &batch)) {
            err = damaged_batch(d, batch.number, problem);
            break;
        }
        batch.tag = *last = tag_behind(batch.tag, *last);
        bind_bytes(write, 1, (struct bytes){batch.tag.bytes, sizeof batch.tag.bytes});
        bind_u64(write, 2, batch_checksum(&batch));
        bind_u64(write, 3, batch.number);
        err = database_step(d, TAG_WRITE, NULL, problem);
        sqlite3_clear_bindings(write);
        if (err) break;
    }
    sqlite3_reset(all);
    return err;
}

// ------------------------------------------------------------------ state

static void put_state(const struct spool_state *state, struct buffer *out) {
    buffer_put(out, state->id.bytes, sizeof state->id.bytes);
    buffer_put_u64(out, state->epoch);
    buffer_put_u8(out, state->fenced);
    buffer_put_u64(out, state->last);
    buffer_put(out, state->tag.bytes, sizeof state->tag.bytes);
    buffer_put_u64(out, state->applied);
    buffer_put_u64(out, state->dropped);
    buffer_put_u64(out, state->left_out);
    buffer_put_u64(out, (uint64_t)state->gap.from_ms);
    buffer_put_u64(out, (uint64_t)state->gap.to_ms);
    buffer_put_u64(out, state->session + SESSIONS_A_RUN); // where the next run begins
    buffer_put_u64(out, (uint64_t)state->watermark_ms);
    buffer_put_u64(out, state->birth);
    buffer_put_u8(out, state->departed);
    buffer_put_u64(out, state->run_ms);
}

static bool time_sane(int64_t at_ms) {
    return at_ms == TIME_NONE || (at_ms >= 0 && at_ms <= TIME_LAST);
}

/// Of figures that a gateway can have written.
static bool state_sane(const struct spool_state *state) {
    return state->epoch <= NUMBER_MAX && state->last <= FIGURE_MAX &&
           state->applied <= state->last && state->dropped <= FIGURE_MAX &&
           state->left_out <= FIGURE_MAX && state->session <= FIGURE_MAX &&
           state->run_ms <= FIGURE_MAX && time_sane(state->gap.from_ms) &&
           time_sane(state->gap.to_ms) && time_sane(state->watermark_ms);
}

/// An old one has no tag, and perhaps nothing about what was left out.
static bool get_state(struct bytes bytes, bool old, struct spool_state *state) {
    *state = (struct spool_state){.gap = {TIME_NONE, TIME_NONE}};
    struct reader reader = reader_of(bytes);
    struct bytes id = reader_take(&reader, sizeof state->id.bytes);
    if (reader.failed) return false;
    memcpy(state->id.bytes, id.data, id.size);
    state->epoch = reader_u64(&reader);
    state->fenced = reader_u8(&reader);
    state->last = reader_u64(&reader);
    struct bytes tag = reader_take(&reader, old ? 0 : sizeof state->tag.bytes);
    if (reader.failed) return false;
    if (!old) memcpy(state->tag.bytes, tag.data, tag.size);
    state->applied = reader_u64(&reader);
    state->dropped = reader_u64(&reader);
    if (!old || bytes.size != STATE_WITHOUT_GAP) {
        state->left_out = reader_u64(&reader);
        state->gap.from_ms = (int64_t)reader_u64(&reader);
        state->gap.to_ms = (int64_t)reader_u64(&reader);
    }
    state->session = reader_u64(&reader);
    state->watermark_ms = (int64_t)reader_u64(&reader);
    state->birth = reader_u64(&reader);
    state->departed = reader_u8(&reader);
    state->run_ms = reader_u64(&reader);
    return !reader.failed && reader_left(&reader) == 0 && state_sane(state);
}

enum err rows_state(struct database *d, struct spool_state *state, enum rows_found *found,
                    struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, STATE_READ);
    bool row;
    enum err err = database_step(d, STATE_READ, &row, problem);
    if (err) return err;
    *found = ROWS_NONE;
    if (row) {
        struct bytes value = column_bytes(statement, 0);
        bool intact = column_u64(statement, 1) == named_checksum("state", value) &&
                      get_state(value, database_is_old(d), state);
        *found = intact ? ROWS_INTACT : ROWS_DAMAGED;
    }
    sqlite3_reset(statement);
    return ERR_NONE;
}

enum err rows_state_damaged(const struct database *d, struct problem *problem) {
    return damaged_row(d, "state", "1", problem);
}

enum err rows_keep_state(struct database *d, const struct spool_state *state,
                         struct problem *problem) {
    struct buffer buffer;
    buffer_init(&buffer, 256);
    put_state(state, &buffer);
    if (buffer.failed) {
        buffer_fini(&buffer);
        return problem_set(problem, ERR_NOMEM, "spool %s: out of memory", d->path);
    }
    sqlite3_stmt *statement = database_prepared(d, STATE_WRITE);
    bind_bytes(statement, 1, buffer_bytes(&buffer));
    bind_u64(statement, 2, named_checksum("state", buffer_bytes(&buffer)));
    enum err err = database_step(d, STATE_WRITE, NULL, problem);
    sqlite3_clear_bindings(statement);
    buffer_fini(&buffer);
    return err;
}

// ------------------------------------------------------------------ cursors

enum err rows_cursor(struct database *d, const char *driver, struct cursor *cursor,
                     struct problem *problem) {
    *cursor = (struct cursor){0};
    sqlite3_stmt *statement = database_prepared(d, CURSOR_READ);
    sqlite3_bind_text(statement, 1, driver, -1, SQLITE_STATIC);
    bool row;
    enum err err = database_step(d, CURSOR_READ, &row, problem);
    if (err) return err;
    struct bytes value = row ? column_bytes(statement, 0) : (struct bytes){0};
    if (row && !cursor_intact(statement, 0, driver))
        err = damaged_row(d, "cursor", driver, problem);
    else if (value.size) {
        cursor->size = (uint8_t)value.size;
        memcpy(cursor->bytes, value.data, value.size);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return err;
}

enum err rows_keep_cursor(struct database *d, const char *driver, const struct cursor *cursor,
                          struct problem *problem) {
    struct bytes value = {cursor->bytes, cursor->size};
    sqlite3_stmt *statement = database_prepared(d, CURSOR_WRITE);
    sqlite3_bind_text(statement, 1, driver, -1, SQLITE_STATIC);
    bind_bytes(statement, 2, value);
    bind_u64(statement, 3, named_checksum(driver, value));
    enum err err = database_step(d, CURSOR_WRITE, NULL, problem);
    sqlite3_clear_bindings(statement);
    return err;
}

// ------------------------------------------------------------------ marks

static enum err run_with(struct database *d, enum statement which, uint64_t first, uint64_t second,
                         struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, which);
    bind_u64(statement, 1, first);
    bind_u64(statement, 2, second);
    return database_step(d, which, NULL, problem);
}

enum err rows_mark(struct database *d, uint64_t run_ms, uint64_t number, struct problem *problem) {
    return run_with(d, MARK, run_ms, number, problem);
}

enum err rows_newest_mark(struct database *d, int64_t *run_ms, struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, MARK_NEWEST);
    bool row;
    enum err err = database_step(d, MARK_NEWEST, &row, problem);
    if (err) return err;
    *run_ms = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return ERR_NONE;
}

enum err rows_marked(struct database *d, uint64_t run_ms, uint64_t *number,
                     struct problem *problem) {
    sqlite3_stmt *statement = database_prepared(d, MARK_DUE);
    bind_u64(statement, 1, run_ms);
    bool row;
    enum err err = database_step(d, MARK_DUE, &row, problem);
    if (err) return err;
    *number = column_u64(statement, 0);
    sqlite3_reset(statement);
    return ERR_NONE;
}

enum err rows_forget_marks_above(struct database *d, uint64_t number, struct problem *problem) {
    bind_u64(database_prepared(d, MARKS_BACK), 1, number);
    return database_step(d, MARKS_BACK, NULL, problem);
}

enum err rows_forget_marks(struct database *d, uint64_t run_ms, uint64_t number,
                           struct problem *problem) {
    return run_with(d, MARKS_DUE_DELETE, run_ms, number, problem);
}
