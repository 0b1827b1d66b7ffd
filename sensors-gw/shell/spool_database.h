#pragma once
// The file below a spool: its tables in SQLite, the statements on them, one transaction at a time.
// What a row means, spool_rows.h knows.

#include "common/base/bytes.h"
#include "common/base/err.h"

#include <sqlite3.h>

enum statement {
    BEGIN,
    COMMIT,
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
    TAG_WRITE,
    STATEMENT_COUNT
};

#define TABLE_BATCH                                                                                \
    "CREATE TABLE batch(number INTEGER PRIMARY KEY, tag BLOB NOT NULL, from_ms INTEGER NOT NULL,"  \
    " to_ms INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
#define TABLE_CURSOR                                                                               \
    "CREATE TABLE cursor(driver TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL)" \
    " STRICT, WITHOUT ROWID;"
#define TABLE_APPLIED                                                                              \
    "CREATE TABLE applied(run_ms INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;"

struct database {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    char *path;
    int64_t version;    // of its schema
    bool begun, failed; // a transaction is open; one has failed
};

/// Open or make it; database_close copes with what is half open. ERR_CONFLICT: another process has
/// it; ERR_FORMAT, ERR_VERSION: it is something else; ERR_IO, ERR_NOMEM.
MUST_CHECK enum err database_open(struct database *d, const char *path, bool full_sync,
                                  struct problem *problem);
void database_close(struct database *d); // rolls back what is open

/// Nothing is written any more: what a disk has refused once, must not be believed the next time.
enum err database_fail(struct database *d, enum err err);
MUST_CHECK enum err database_begin(struct database *d, struct problem *problem); // unless begun
MUST_CHECK enum err database_commit(struct database *d, struct problem *problem);
MUST_CHECK enum err database_execute(struct database *d, const char *sql, struct problem *problem);
/// Its rows are of an earlier program's version; those of schema 1 have the same columns.
bool database_is_old(const struct database *d);
/// From this transaction on they are of this one's.
MUST_CHECK enum err database_renewed(struct database *d, struct problem *problem);

/// The statement, ready for its values.
sqlite3_stmt *database_prepared(struct database *d, enum statement which);
/// Run a statement that returns no rows, or take its next row: *row (may be NULL) says if any.
MUST_CHECK enum err database_step(struct database *d, enum statement which, bool *row,
                                  struct problem *problem);
enum err database_problem(struct database *d, struct problem *problem); // what SQLite says

// SQLite, shortened.
void bind_u64(sqlite3_stmt *statement, int place, uint64_t value);
void bind_bytes(sqlite3_stmt *statement, int place, struct bytes value); // lives until the step
uint64_t column_u64(sqlite3_stmt *statement, int place);
struct bytes column_bytes(sqlite3_stmt *statement, int place); // lives until the next step
