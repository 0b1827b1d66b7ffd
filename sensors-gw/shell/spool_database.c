#include "sensors-gw/shell/spool_database.h"

#include <stdlib.h>
#include <string.h>

enum {
    APPLICATION_ID = 0x54525350, // "TRSP"
    SCHEMA_OLDEST = 1,           // its tags are no chain, its state does not name the last one
    SCHEMA_VERSION = 2,
    VALUE_MAX = 1 << 20, // bytes of the largest value read; what is larger is none of ours
};

static const char *const texts[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
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
    [TAG_WRITE] = "UPDATE batch SET tag = ?, checksum = ? WHERE number = ?",
};

static const char *const tables[] = {
    TABLE_BATCH,
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), value BLOB NOT NULL,"
    " checksum INTEGER NOT NULL) STRICT;",
    TABLE_CURSOR,
    TABLE_APPLIED,
};
enum { TABLES = sizeof tables / sizeof tables[0] };

enum err database_problem(struct database *d, struct problem *problem) {
    int code = sqlite3_errcode(d->handle);
    const char *message = sqlite3_errmsg(d->handle);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return problem_set(problem, ERR_CONFLICT,
                           "spool %s: another process has it open; end that one first", d->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_TOOBIG:
        return problem_set(problem, ERR_FORMAT,
                           "spool %s: damaged (%s); start once with --new-spool to keep what is "
                           "intact, or move the file away",
                           d->path, message);
    case SQLITE_FULL:
        return problem_set(problem, ERR_IO, "spool %s: no space left on its disk", d->path);
    case SQLITE_NOMEM:
        return problem_set(problem, ERR_NOMEM, "spool %s: out of memory", d->path);
    default:
        return problem_set(problem, ERR_IO, "spool %s: %s", d->path, message);
    }
}

sqlite3_stmt *database_prepared(struct database *d, enum statement which) {
    sqlite3_stmt *statement = d->statements[which];
    sqlite3_reset(statement);
    return statement;
}

enum err database_step(struct database *d, enum statement which, bool *row,
                       struct problem *problem) {
    int code = sqlite3_step(d->statements[which]);
    if (row) *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        if (!row) sqlite3_reset(d->statements[which]);
        return ERR_NONE;
    }
    enum err err = database_problem(d, problem);
    sqlite3_reset(d->statements[which]);
    return err;
}

void bind_u64(sqlite3_stmt *statement, int place, uint64_t value) {
    sqlite3_bind_int64(statement, place, (sqlite3_int64)value);
}

void bind_bytes(sqlite3_stmt *statement, int place, struct bytes value) {
    sqlite3_bind_blob(statement, place, value.data, (int)value.size, SQLITE_STATIC);
}

uint64_t column_u64(sqlite3_stmt *statement, int place) {
    return (uint64_t)sqlite3_column_int64(statement, place);
}

struct bytes column_bytes(sqlite3_stmt *statement, int place) {
    const uint8_t *data = sqlite3_column_blob(statement, place);
    return (struct bytes){data, (size_t)sqlite3_column_bytes(statement, place)};
}

// ------------------------------------------------------------------ the transaction

enum err database_fail(struct database *d, enum err err) {
    d->failed = true;
    return err;
}

static enum err run(struct database *d, enum statement which, struct problem *problem) {
    (void)database_prepared(d, which);
    return database_step(d, which, NULL, problem);
}

enum err database_begin(struct database *d, struct problem *problem) {
    if (d->failed)
        return problem_set(problem, ERR_IO, "spool %s: an earlier write has failed", d->path);
    if (d->begun) return ERR_NONE;
    enum err err = run(d, BEGIN, problem);
    if (err) return database_fail(d, err);
    d->begun = true;
    return ERR_NONE;
}

enum err database_commit(struct database *d, struct problem *problem) {
    enum err err = run(d, COMMIT, problem);
    if (err) return database_fail(d, err);
    d->begun = false;
    return ERR_NONE;
}

enum err database_execute(struct database *d, const char *sql, struct problem *problem) {
    return sqlite3_exec(d->handle, sql, NULL, NULL, NULL) ? database_problem(d, problem) : ERR_NONE;
}

bool database_is_old(const struct database *d) {
    return d->version < SCHEMA_VERSION;
}

enum err database_renewed(struct database *d, struct problem *problem) {
    char sql[40];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA user_version = %d", SCHEMA_VERSION);
    d->version = SCHEMA_VERSION;
    return database_execute(d, sql, problem);
}

// ------------------------------------------------------------------ opening

static enum err pragma(struct database *d, const char *name, int64_t *value,
                       struct problem *problem) {
    char sql[64];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA %s", name);
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(d->handle, sql, -1, &statement, NULL))
        return database_problem(d, problem);
    int code = sqlite3_step(statement);
    enum err err = code == SQLITE_ROW ? ERR_NONE : database_problem(d, problem);
    if (!err) *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return err;
}

/// The tables are there, as they were made, and nothing else.
static enum err tables_check(struct database *d, struct problem *problem) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(d->handle,
                           "SELECT count(*), sum(sql || ';' IN (?, ?, ?, ?)) FROM sqlite_schema",
                           -1, &statement, NULL))
        return database_problem(d, problem);
    for (int i = 0; i < TABLES; i++)
        sqlite3_bind_text(statement, i + 1, tables[i], -1, SQLITE_STATIC);
    enum err err = sqlite3_step(statement) == SQLITE_ROW ? ERR_NONE : database_problem(d, problem);
    bool whole =
        sqlite3_column_int(statement, 0) == TABLES && sqlite3_column_int(statement, 1) == TABLES;
    sqlite3_finalize(statement);
    return err || whole ? err
                        : problem_set(problem, ERR_FORMAT,
                                      "spool %s: its tables are not those of a spool; put back "
                                      "what was changed, or move the file away",
                                      d->path);
}

/// Make the tables in a new file, or check that these are ours.
static enum err schema_open(struct database *d, struct problem *problem) {
    int64_t application = 0, objects = 0;
    enum err err = pragma(d, "application_id", &application, problem);
    if (!err) err = pragma(d, "user_version", &d->version, problem);
    if (!err) err = pragma(d, "schema_version", &objects, problem);
    if (err) return err;
    if (objects == 0) {
        char sql[96];
        sqlite3_snprintf(sizeof sql, sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                         APPLICATION_ID, SCHEMA_VERSION);
        err = database_execute(d, "BEGIN IMMEDIATE", problem);
        for (int i = 0; i < TABLES && !err; i++)
            err = database_execute(d, tables[i], problem);
        if (!err) err = database_execute(d, sql, problem);
        d->version = SCHEMA_VERSION;
        return err ? err : database_execute(d, "COMMIT", problem);
    }
    if (application != APPLICATION_ID)
        return problem_set(problem, ERR_FORMAT,
                           "spool %s: a database, but not a spool; name another file", d->path);
    if (d->version < SCHEMA_OLDEST || d->version > SCHEMA_VERSION)
        return problem_set(problem, ERR_VERSION,
                           "spool %s: of version %lld, this program knows %d to %d; use the "
                           "program that wrote it",
                           d->path, (long long)d->version, SCHEMA_OLDEST, SCHEMA_VERSION);
    return tables_check(d, problem);
}

enum err database_open(struct database *d, const char *path, bool full_sync,
                       struct problem *problem) {
    if (!(d->path = strdup(path)))
        return problem_set(problem, ERR_NOMEM, "spool %s: out of memory", path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(d->path, &d->handle, flags, NULL)) return database_problem(d, problem);
    sqlite3_extended_result_codes(d->handle, 1);
    sqlite3_limit(d->handle, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    enum err err =
        database_execute(d, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL", problem);
    if (err) return err;
    err = database_execute(
        d, full_sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", problem);
    if (!err) err = schema_open(d, problem);
    for (int i = 0; i < STATEMENT_COUNT && !err; i++)
        if (sqlite3_prepare_v3(d->handle, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &d->statements[i], NULL))
            err = database_problem(d, problem);
    return err;
}

void database_close(struct database *d) {
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->handle);
    free(d->path);
}
