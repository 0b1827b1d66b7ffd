#include "sensors-gw/shell/spool.h"

#include "common/io/clock.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    APPLICATION_ID = 0x54525350, // "TRSP"
    SCHEMA_VERSION = 1,
    SESSIONS_A_RUN = 1 << 24,
    MARKS = 256,     // marks of application kept over a retention time
    TRIM_ROWS = 512, // rows deleted a commit at most for age: bounds its duration
};

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    APPEND,
    READ,
    TAG,
    BYTES,
    DELETE,
    STATE_READ,
    STATE_WRITE,
    CURSOR_READ,
    CURSOR_WRITE,
    MARK,
    MARKS_BACK,
    MARK_DUE,
    MARKS_DUE_DELETE,
    MARK_NEWEST,
    STATEMENT_COUNT
};

static const char *const texts[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [APPEND] = "INSERT INTO batch(number, tag, from_ms, to_ms, checksum, body)"
               " VALUES(?, ?, ?, ?, ?, ?)",
    [READ] = "SELECT number, tag, from_ms, to_ms, checksum, body FROM batch"
             " WHERE number BETWEEN ? AND ? ORDER BY number",
    [TAG] = "SELECT tag FROM batch WHERE number = ?",
    [BYTES] = "SELECT coalesce(sum(length(body)), 0), count(*), coalesce(min(number), 0),"
              " coalesce(max(number), 0) FROM batch WHERE number BETWEEN ? AND ?",
    [DELETE] = "DELETE FROM batch WHERE number <= ?",
    [STATE_READ] = "SELECT value, checksum FROM state",
    [STATE_WRITE] = "INSERT INTO state(one, value, checksum) VALUES(1, ?, ?)"
                    " ON CONFLICT(one) DO UPDATE SET value = excluded.value,"
                    " checksum = excluded.checksum",
    [CURSOR_READ] = "SELECT value, checksum FROM cursor WHERE driver = ?",
    [CURSOR_WRITE] = "INSERT INTO cursor(driver, value, checksum) VALUES(?, ?, ?)"
                     " ON CONFLICT(driver) DO UPDATE SET value = excluded.value,"
                     " checksum = excluded.checksum",
    // When the store stood at least there, in running time: what the retention counts from.
    [MARK] = "INSERT OR REPLACE INTO applied(run_ms, number) VALUES(?, ?)",
    [MARKS_BACK] = "DELETE FROM applied WHERE number > ?",
    [MARK_DUE] = "SELECT coalesce(max(number), 0) FROM applied WHERE run_ms <= ?",
    [MARKS_DUE_DELETE] = "DELETE FROM applied WHERE run_ms <= ? AND number < ?",
    [MARK_NEWEST] = "SELECT coalesce(max(run_ms), -1) FROM applied",
};

#define TABLE_BATCH                                                                                \
    "CREATE TABLE batch(number INTEGER PRIMARY KEY, tag BLOB NOT NULL, from_ms INTEGER NOT NULL,"  \
    " to_ms INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
static const char schema[] = TABLE_BATCH
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), value BLOB NOT NULL,"
    " checksum INTEGER NOT NULL) STRICT;"
    "CREATE TABLE cursor(driver TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE applied(run_ms INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;";

struct spool {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    char *path;
    struct spool_limits limits;
    struct spool_state state;
    uint64_t clock_ms;   // monotonic time at which run_ms was right; 0: not set in this run
    bool open, failed;   // a transaction is open; one has failed
    size_t uncommitted;  // batches in it
    uint64_t next;       // number of the next append
    uint64_t next_bytes; // bytes of what is uncommitted
};

// ------------------------------------------------------------------ SQLite, shortened

static enum err sqlite_problem(struct spool *s, struct problem *problem) {
    int code = sqlite3_errcode(s->database);
    const char *message = sqlite3_errmsg(s->database);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return problem_set(problem, ERR_CONFLICT,
                           "spool %s: another process has it open; end that one first", s->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return problem_set(problem, ERR_FORMAT,
                           "spool %s: damaged (%s); start once with --new-spool to keep what is "
                           "intact, or move the file away",
                           s->path, message);
    case SQLITE_FULL:
        return problem_set(problem, ERR_IO, "spool %s: no space left on its disk", s->path);
    case SQLITE_NOMEM:
        return problem_set(problem, ERR_NOMEM, "spool %s: out of memory", s->path);
    default:
        return problem_set(problem, ERR_IO, "spool %s: %s", s->path, message);
    }
}

static sqlite3_stmt *prepared(struct spool *s, enum statement which) {
    sqlite3_stmt *statement = s->statements[which];
    sqlite3_reset(statement);
    return statement;
}

/// Run a statement that returns no rows, or take its first row: *row (may be NULL) says if any.
static enum err step(struct spool *s, enum statement which, bool *row, struct problem *problem) {
    int code = sqlite3_step(s->statements[which]);
    if (row) *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        if (!row) sqlite3_reset(s->statements[which]);
        return ERR_NONE;
    }
    enum err err = sqlite_problem(s, problem);
    sqlite3_reset(s->statements[which]);
    return err;
}

static enum err run(struct spool *s, enum statement which, struct problem *problem) {
    (void)prepared(s, which);
    return step(s, which, NULL, problem);
}

static void bind(sqlite3_stmt *statement, int place, uint64_t value) {
    sqlite3_bind_int64(statement, place, (sqlite3_int64)value);
}

static uint64_t column(sqlite3_stmt *statement, int place) {
    return (uint64_t)sqlite3_column_int64(statement, place);
}

static struct bytes column_bytes(sqlite3_stmt *statement, int place) {
    const uint8_t *data = sqlite3_column_blob(statement, place);
    return (struct bytes){data, (size_t)sqlite3_column_bytes(statement, place)};
}

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

// ------------------------------------------------------------------ the transaction

static enum err fail(struct spool *s, enum err err) {
    s->failed = true;
    return err;
}

static enum err begin(struct spool *s, struct problem *problem) {
    if (s->failed)
        return problem_set(problem, ERR_IO, "spool %s: an earlier write has failed", s->path);
    if (s->open) return ERR_NONE;
    enum err err = run(s, BEGIN, problem);
    if (err) return fail(s, err);
    s->open = true;
    return ERR_NONE;
}

static void put_state(const struct spool_state *state, struct buffer *out) {
    buffer_put(out, state->id.bytes, sizeof state->id.bytes);
    buffer_put_u64(out, state->epoch);
    buffer_put_u8(out, state->fenced);
    buffer_put_u64(out, state->last);
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

static bool get_state(struct bytes bytes, struct spool_state *state) {
    struct reader reader = reader_of(bytes);
    struct bytes id = reader_take(&reader, sizeof state->id.bytes);
    if (reader.failed) return false;
    memcpy(state->id.bytes, id.data, id.size);
    state->epoch = reader_u64(&reader);
    state->fenced = reader_u8(&reader);
    state->last = reader_u64(&reader);
    state->applied = reader_u64(&reader);
    state->dropped = reader_u64(&reader);
    state->left_out = reader_u64(&reader);
    state->gap.from_ms = (int64_t)reader_u64(&reader);
    state->gap.to_ms = (int64_t)reader_u64(&reader);
    state->session = reader_u64(&reader);
    state->watermark_ms = (int64_t)reader_u64(&reader);
    state->birth = reader_u64(&reader);
    state->departed = reader_u8(&reader);
    state->run_ms = reader_u64(&reader);
    return !reader.failed && reader_left(&reader) == 0;
}

static enum err write_state(struct spool *s, struct problem *problem) {
    struct buffer buffer;
    buffer_init(&buffer, 256);
    put_state(&s->state, &buffer);
    if (buffer.failed) {
        buffer_fini(&buffer);
        return problem_set(problem, ERR_NOMEM, "spool %s: out of memory", s->path);
    }
    sqlite3_stmt *statement = prepared(s, STATE_WRITE);
    sqlite3_bind_blob(statement, 1, buffer.data, (int)buffer.size, SQLITE_STATIC);
    bind(statement, 2, named_checksum("state", buffer_bytes(&buffer)));
    enum err err = step(s, STATE_WRITE, NULL, problem);
    sqlite3_clear_bindings(statement);
    buffer_fini(&buffer);
    return err;
}

/// Bodies and rows of from..to.
static enum err measure_rows(struct spool *s, uint64_t from, uint64_t to, uint64_t *bytes,
                             uint64_t *count, uint64_t *least, uint64_t *most,
                             struct problem *problem) {
    sqlite3_stmt *statement = prepared(s, BYTES);
    bind(statement, 1, from);
    bind(statement, 2, to);
    bool row;
    enum err err = step(s, BYTES, &row, problem);
    if (err) return err;
    *bytes = column(statement, 0);
    if (count) *count = column(statement, 1);
    if (least) *least = column(statement, 2);
    if (most) *most = column(statement, 3);
    sqlite3_reset(statement);
    return ERR_NONE;
}

/// Delete first..to; figures follow.
static enum err trim(struct spool *s, uint64_t to, struct problem *problem) {
    if (to < s->state.first) return ERR_NONE;
    uint64_t bytes, held = 0;
    enum err err = measure_rows(s, s->state.first, to, &bytes, NULL, NULL, NULL, problem);
    if (err) return err;
    if (to > s->state.applied) {
        uint64_t from =
            s->state.applied + 1 > s->state.first ? s->state.applied + 1 : s->state.first;
        err = measure_rows(s, from, to, &held, NULL, NULL, NULL, problem);
        if (err) return err;
        s->state.dropped += to - from + 1;
    }
    bind(prepared(s, DELETE), 1, to);
    err = step(s, DELETE, NULL, problem);
    if (err) return err;
    s->state.first = to + 1;
    s->state.bytes -= bytes;
    s->state.held_bytes -= held;
    return ERR_NONE;
}

/// What has been applied for longer than the retention goes, a bounded part at a time.
static enum err trim_old(struct spool *s, struct problem *problem) {
    if (s->state.run_ms < s->limits.retention_ms) return ERR_NONE;
    uint64_t until_ms = s->state.run_ms - s->limits.retention_ms;
    sqlite3_stmt *statement = prepared(s, MARK_DUE);
    bind(statement, 1, until_ms);
    bool row;
    enum err err = step(s, MARK_DUE, &row, problem);
    if (err) return err;
    uint64_t due = column(statement, 0), most = s->state.first + TRIM_ROWS;
    sqlite3_reset(statement);
    if (due < s->state.first) return ERR_NONE;
    err = trim(s, due < most ? due : most, problem);
    if (err) return err;
    statement = prepared(s, MARKS_DUE_DELETE);
    bind(statement, 1, until_ms);
    bind(statement, 2, s->state.first - 1);
    return step(s, MARKS_DUE_DELETE, NULL, problem);
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
    bool row;
    sqlite3_stmt *statement = prepared(s, MARK_NEWEST);
    enum err err = step(s, MARK_NEWEST, &row, problem);
    if (err) return err;
    int64_t newest = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (newest >= 0 && s->state.run_ms - (uint64_t)newest < s->limits.retention_ms / MARKS)
        return ERR_NONE;
    statement = prepared(s, MARK);
    bind(statement, 1, s->state.run_ms);
    bind(statement, 2, s->state.applied);
    return step(s, MARK, NULL, problem);
}

static void run_on(struct spool *s, uint64_t now_ms) {
    if (s->clock_ms && now_ms > s->clock_ms) s->state.run_ms += now_ms - s->clock_ms;
    s->clock_ms = now_ms;
}

enum err spool_commit(struct spool *s, uint64_t now_ms, struct problem *problem) {
    enum err err = begin(s, problem);
    if (err) return err;
    run_on(s, now_ms);
    s->state.last = s->next - 1;
    s->state.bytes += s->next_bytes;
    s->state.held_bytes += s->next_bytes;
    s->next_bytes = 0;
    s->uncommitted = 0;
    if ((err = mark_applied(s, problem)) || (err = trim_old(s, problem)) ||
        (err = trim_full(s, problem)) || (err = write_state(s, problem)) ||
        (err = run(s, COMMIT, problem)))
        return fail(s, err);
    s->open = false;
    return ERR_NONE;
}

size_t spool_uncommitted(const struct spool *s) {
    return s->uncommitted;
}

// ------------------------------------------------------------------ writing

/// One row into the open transaction.
static enum err insert(struct spool *s, const struct spool_batch *batch, struct problem *problem) {
    sqlite3_stmt *statement = prepared(s, APPEND);
    bind(statement, 1, batch->number);
    sqlite3_bind_blob(statement, 2, batch->tag.bytes, sizeof batch->tag.bytes, SQLITE_STATIC);
    bind(statement, 3, (uint64_t)batch->times.from_ms);
    bind(statement, 4, (uint64_t)batch->times.to_ms);
    bind(statement, 5, batch_checksum(batch));
    sqlite3_bind_blob(statement, 6, batch->body.data, (int)batch->body.size, SQLITE_STATIC);
    enum err err = step(s, APPEND, NULL, problem);
    sqlite3_clear_bindings(statement);
    return err;
}

enum err spool_append(struct spool *s, struct bytes body, struct span times, int64_t watermark_ms,
                      struct problem *problem) {
    enum err err = begin(s, problem);
    if (err) return err;
    assert(s->next <= NUMBER_MAX);
    struct spool_batch batch = {.number = s->next, .body = body, .times = times};
    random_fill(batch.tag.bytes, sizeof batch.tag.bytes);
    tag_mark(&batch.tag, &s->state.id);
    err = insert(s, &batch, problem);
    if (err) return fail(s, err);
    s->next++;
    s->next_bytes += body.size;
    s->uncommitted++;
    s->state.watermark_ms = watermark_ms;
    return ERR_NONE;
}

enum err spool_keep_cursor(struct spool *s, const char *driver, const struct cursor *cursor,
                           struct problem *problem) {
    enum err err = begin(s, problem);
    if (err) return err;
    sqlite3_stmt *statement = prepared(s, CURSOR_WRITE);
    sqlite3_bind_text(statement, 1, driver, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, cursor->bytes, cursor->size, SQLITE_STATIC);
    bind(statement, 3, named_checksum(driver, (struct bytes){cursor->bytes, cursor->size}));
    err = step(s, CURSOR_WRITE, NULL, problem);
    sqlite3_clear_bindings(statement);
    return err ? fail(s, err) : ERR_NONE;
}

void spool_leave_out(struct spool *s, struct span times) {
    struct span *gap = &s->state.gap;
    s->state.left_out++;
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

enum err spool_set_applied(struct spool *s, uint64_t number, uint64_t now_ms,
                           struct problem *problem) {
    uint64_t before = s->state.applied, bytes;
    if (number == before) return ERR_NONE;
    run_on(s, now_ms);
    uint64_t from = (number < before ? number : before) + 1;
    uint64_t to = number < before ? before : number;
    if (to > s->state.last) to = s->state.last;
    enum err err = measure_rows(s, from, to, &bytes, NULL, NULL, NULL, problem);
    if (err) return err;
    s->state.applied = number;
    if (number > before) {
        s->state.held_bytes -= bytes;
        return ERR_NONE;
    }
    s->state.held_bytes += bytes; // to be applied again: their retention has not begun
    err = begin(s, problem);
    if (err) return err;
    bind(prepared(s, MARKS_BACK), 1, number);
    err = step(s, MARKS_BACK, NULL, problem);
    return err ? fail(s, err) : ERR_NONE;
}

// ------------------------------------------------------------------ reading

static enum err damaged_row(const struct spool *s, const char *table, const char *row,
                            struct problem *problem) {
    return problem_set(problem, ERR_FORMAT,
                       "spool %s: %s %s does not match its checksum, the file is damaged; start "
                       "once with --new-spool to keep what is intact",
                       s->path, table, row);
}

/// The batch of the current row. False: damaged.
static bool row_batch(sqlite3_stmt *statement, struct spool_batch *batch) {
    *batch = (struct spool_batch){
        .number = column(statement, 0),
        .times = {sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3)},
        .body = column_bytes(statement, 5)};
    struct bytes tag = column_bytes(statement, 1);
    if (tag.size != sizeof batch->tag.bytes) return false;
    memcpy(batch->tag.bytes, tag.data, tag.size);
    return column(statement, 4) == batch_checksum(batch);
}

static enum err damaged_batch(const struct spool *s, uint64_t number, struct problem *problem) {
    char text[24];
    sqlite3_snprintf(sizeof text, text, "%llu", (unsigned long long)number);
    return damaged_row(s, "batch", text, problem);
}

enum err spool_read(struct spool *s, uint64_t from, uint64_t to,
                    bool (*each)(void *context, const struct spool_batch *batch), void *context,
                    struct problem *problem) {
    assert(to <= s->state.last);
    sqlite3_stmt *statement = prepared(s, READ);
    bind(statement, 1, from);
    bind(statement, 2, to);
    uint64_t expected = from;
    enum err err = ERR_NONE;
    for (bool more = true; more && expected <= to; expected++) {
        struct spool_batch batch;
        bool row;
        err = step(s, READ, &row, problem);
        if (err) return err;
        if (!row || !row_batch(statement, &batch) || batch.number != expected) {
            err = damaged_batch(s, expected, problem);
            break;
        }
        more = each(context, &batch);
    }
    sqlite3_reset(statement);
    return err;
}

enum err spool_tag(struct spool *s, uint64_t number, struct tag *tag, struct problem *problem) {
    if (number < s->state.first || number > s->state.last) return ERR_MISSING;
    sqlite3_stmt *statement = prepared(s, TAG);
    bind(statement, 1, number);
    bool row;
    enum err err = step(s, TAG, &row, problem);
    if (err) return err;
    struct bytes bytes = row ? column_bytes(statement, 0) : (struct bytes){0};
    if (bytes.size == sizeof tag->bytes)
        memcpy(tag->bytes, bytes.data, bytes.size);
    else
        err = damaged_batch(s, number, problem);
    sqlite3_reset(statement);
    return err;
}

static bool take_from_ms(void *context, const struct spool_batch *batch) {
    *(int64_t *)context = batch->times.from_ms;
    return false;
}

enum err spool_oldest_ms(struct spool *s, int64_t *oldest_ms, struct problem *problem) {
    *oldest_ms = TIME_NONE;
    uint64_t number = s->state.applied + 1 > s->state.first ? s->state.applied + 1 : s->state.first;
    if (number > s->state.last) return ERR_NONE;
    return spool_read(s, number, number, take_from_ms, oldest_ms, problem);
}

enum err spool_cursor(struct spool *s, const char *driver, struct cursor *cursor,
                      struct problem *problem) {
    *cursor = (struct cursor){0};
    sqlite3_stmt *statement = prepared(s, CURSOR_READ);
    sqlite3_bind_text(statement, 1, driver, -1, SQLITE_STATIC);
    bool row;
    enum err err = step(s, CURSOR_READ, &row, problem);
    if (err) return err;
    struct bytes value = row ? column_bytes(statement, 0) : (struct bytes){0};
    if (row && (value.size > CURSOR_MAX || column(statement, 1) != named_checksum(driver, value)))
        err = damaged_row(s, "cursor", driver, problem);
    else if (value.size) {
        cursor->size = (uint8_t)value.size;
        memcpy(cursor->bytes, value.data, value.size);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return err;
}

const struct spool_state *spool_state(const struct spool *s) {
    return &s->state;
}

uint64_t spool_unapplied(const struct spool *s) {
    return s->state.last > s->state.applied ? s->state.last - s->state.applied : 0;
}

// ------------------------------------------------------------------ opening

static enum err execute(struct spool *s, const char *sql, struct problem *problem) {
    return sqlite3_exec(s->database, sql, NULL, NULL, NULL) ? sqlite_problem(s, problem) : ERR_NONE;
}

static enum err pragma(struct spool *s, const char *name, int64_t *value, struct problem *problem) {
    char sql[64];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA %s", name);
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(s->database, sql, -1, &statement, NULL))
        return sqlite_problem(s, problem);
    int code = sqlite3_step(statement);
    enum err err = code == SQLITE_ROW ? ERR_NONE : sqlite_problem(s, problem);
    if (!err) *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return err;
}

/// Make the tables in a new file, or check that these are ours.
static enum err schema_open(struct spool *s, struct problem *problem) {
    int64_t application = 0, version = 0, objects = 0;
    enum err err = pragma(s, "application_id", &application, problem);
    if (!err) err = pragma(s, "user_version", &version, problem);
    if (!err) err = pragma(s, "schema_version", &objects, problem);
    if (err) return err;
    if (objects == 0) {
        char sql[96];
        sqlite3_snprintf(sizeof sql, sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                         APPLICATION_ID, SCHEMA_VERSION);
        err = execute(s, "BEGIN IMMEDIATE", problem);
        if (!err) err = execute(s, schema, problem);
        if (!err) err = execute(s, sql, problem);
        return err ? err : execute(s, "COMMIT", problem);
    }
    if (application != APPLICATION_ID)
        return problem_set(problem, ERR_FORMAT,
                           "spool %s: a database, but not a spool; name another file", s->path);
    if (version != SCHEMA_VERSION)
        return problem_set(problem, ERR_VERSION,
                           "spool %s: of version %lld, this program knows %d; use the program "
                           "that wrote it",
                           s->path, (long long)version, SCHEMA_VERSION);
    return ERR_NONE;
}

static enum err database_open(struct spool *s, struct problem *problem) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(s->path, &s->database, flags, NULL)) return sqlite_problem(s, problem);
    sqlite3_extended_result_codes(s->database, 1);
    enum err err =
        execute(s, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL", problem);
    if (err) return err;
    err = execute(s,
                  s->limits.full_sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                  problem);
    if (!err) err = schema_open(s, problem);
    for (int i = 0; i < STATEMENT_COUNT && !err; i++)
        if (sqlite3_prepare_v3(s->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[i], NULL))
            err = sqlite_problem(s, problem);
    return err;
}

static void new_identity(struct spool *s) {
    random_fill(s->state.id.bytes, sizeof s->state.id.bytes);
    s->state.epoch = 0;
    s->state.fenced = false;
    s->state.applied = 0;
    s->state.dropped = s->state.left_out = 0; // the store counts anew as well
}

/// A damaged state is none, if all is to be new anyway.
static enum err state_load(struct spool *s, bool renew, struct problem *problem) {
    sqlite3_stmt *statement = prepared(s, STATE_READ);
    bool row;
    enum err err = step(s, STATE_READ, &row, problem);
    if (err) return err;
    struct bytes value = row ? column_bytes(statement, 0) : (struct bytes){0};
    bool intact = row && column(statement, 1) == named_checksum("state", value) &&
                  get_state(value, &s->state);
    if (row && !intact && !renew) err = damaged_row(s, "state", "1", problem);
    if (!intact) {
        s->state = (struct spool_state){.watermark_ms = TIME_NONE, .gap = {TIME_NONE, TIME_NONE}};
        new_identity(s);
    }
    sqlite3_reset(statement);
    return err;
}

/// What lies between first and last must be whole.
static enum err figures_load(struct spool *s, struct problem *problem) {
    uint64_t count, least, most;
    enum err err = measure_rows(s, 0, INT64_MAX, &s->state.bytes, &count, &least, &most, problem);
    if (err) return err;
    s->state.first = count ? least : s->state.last + 1;
    if (count && (most != s->state.last || count != most - least + 1))
        return problem_set(problem, ERR_FORMAT,
                           "spool %s: batches %llu..%llu should be there, but are %llu up to "
                           "%llu; start once with --new-spool to keep what is intact",
                           s->path, (unsigned long long)least, (unsigned long long)s->state.last,
                           (unsigned long long)count, (unsigned long long)most);
    return measure_rows(s, s->state.applied + 1, INT64_MAX, &s->state.held_bytes, NULL, NULL, NULL,
                        problem);
}

/// Everything intact once more, numbered from 1, under a new identity; in one transaction.
static enum err renew_rows(struct spool *s, uint64_t *damaged, struct problem *problem) {
    enum err err = execute(s, "ALTER TABLE batch RENAME TO old", problem);
    if (!err) err = execute(s, TABLE_BATCH "DELETE FROM applied", problem);
    if (err) return err;
    sqlite3_stmt *old;
    if (sqlite3_prepare_v2(s->database,
                           "SELECT number, tag, from_ms, to_ms, checksum, body FROM old"
                           " ORDER BY number",
                           -1, &old, NULL))
        return sqlite_problem(s, problem);
    int code;
    uint64_t next = 1;
    while (!err && (code = sqlite3_step(old)) == SQLITE_ROW) {
        struct spool_batch batch;
        if (!row_batch(old, &batch)) {
            ++*damaged;
            continue;
        }
        batch.number = next++;
        tag_mark(&batch.tag, &s->state.id);
        err = insert(s, &batch, problem);
    }
    if (!err && code != SQLITE_DONE) ++*damaged; // torn pages: what comes behind cannot be reached
    sqlite3_finalize(old);
    s->state.last = next - 1;
    return err ? err : execute(s, "DROP TABLE old", problem);
}

static enum err renew_spool(struct spool *s, uint64_t *damaged, struct problem *problem) {
    enum err err = begin(s, problem);
    new_identity(s);
    if (!err) err = renew_rows(s, damaged, problem);
    if (err) return err;
    err = write_state(s, problem);
    if (!err) err = run(s, COMMIT, problem);
    s->open = false;
    return err;
}

/// Session numbers of this run lie above those of all earlier ones.
static enum err session_reserve(struct spool *s, struct problem *problem) {
    enum err err = begin(s, problem);
    if (err) return err;
    err = write_state(s, problem);
    if (!err) err = run(s, COMMIT, problem);
    s->open = false;
    return err;
}

enum err spool_open(const char *path, const struct spool_limits *limits, bool renew,
                    struct spool **spool_out, uint64_t *damaged, struct problem *problem) {
    *damaged = 0;
    struct spool *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return problem_set(problem, ERR_NOMEM, "spool %s: out of memory", path);
    }
    s->limits = *limits;
    enum err err = database_open(s, problem);
    if (!err) err = state_load(s, renew, problem);
    if (!err && renew) err = renew_spool(s, damaged, problem);
    if (!err) err = figures_load(s, problem);
    if (!err) err = session_reserve(s, problem);
    if (err) {
        spool_close(s);
        return err;
    }
    s->next = s->state.last + 1;
    *spool_out = s;
    return ERR_NONE;
}

void spool_close(struct spool *s) {
    if (!s) return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->database); // rolls back what is open
    free(s->path);
    free(s);
}
