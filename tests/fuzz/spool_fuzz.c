// A spool's file after anything but its gateway has written to it: it is opened with all it holds,
// or refused by an error that names it and the way out; what is damaged inside is refused where it
// is read. The bytes say what is done to a good spool: bytes of its pages overwritten, the end cut
// off, rows changed by SQL, or written anew with checksums that are right.

#include "common/domain/batch.h"
#include "sensors-gw/shell/spool_rows.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCHES = 9, EDITS = 6, FILE_MAX = 1 << 17 };

static const struct spool_limits limits = {
    .bytes_max = 1 << 20, .retention_ms = 1000, .drop_unapplied = true};
static char path[64], wal[72];
static uint8_t good[FILE_MAX];
static size_t good_size;

static const char *const edits[] = {
    "UPDATE batch SET number = ?1 WHERE number = ?2",
    "DELETE FROM batch WHERE number = ?2",
    "DELETE FROM batch WHERE number <= ?2",
    "DELETE FROM batch",
    "UPDATE batch SET body = zeroblob(abs(?1 % 2000000)) WHERE number = ?2",
    "UPDATE batch SET tag = zeroblob(abs(?1 % 20)) WHERE number = ?2",
    "UPDATE batch SET checksum = ?1 WHERE number = ?2",
    "INSERT INTO batch SELECT ?1, tag, from_ms, to_ms, checksum, body FROM batch WHERE number = ?2",
    "DELETE FROM state",
    "UPDATE state SET value = zeroblob(abs(?1 % 200))",
    "UPDATE cursor SET value = zeroblob(abs(?1 % 300))",
    "INSERT INTO cursor VALUES('other', zeroblob(?2), ?1)",
    "INSERT OR REPLACE INTO applied VALUES(?2, ?1)",
    "INSERT OR REPLACE INTO applied VALUES(?1, ?2)",
    "DELETE FROM applied",
    "DROP TABLE batch",
    "DROP TABLE state",
    "DROP TABLE cursor",
    "DROP TABLE applied",
    "ALTER TABLE batch RENAME TO old",
    "CREATE TABLE loose AS SELECT * FROM batch",
    "ALTER TABLE loose RENAME TO batch",
    "UPDATE batch SET body = NULL, tag = 'text'",
    "UPDATE batch SET from_ms = 'then', number = 'one' WHERE number = ?2",
    "CREATE TRIGGER thief AFTER INSERT ON batch BEGIN DELETE FROM batch WHERE number = 1; END",
    "CREATE VIEW seen AS SELECT * FROM batch",
    "PRAGMA user_version = 1",
    "PRAGMA user_version = 3",
    "PRAGMA application_id = 7",
};

/// The same for the same bytes: a finding can be shown again.
static uint64_t random_state;

void random_fill(void *data, size_t size) {
    uint8_t *at = data;
    for (; size > 0; size--) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        *at++ = (uint8_t)(random_state >> 56);
    }
}

/// No power is lost here: nobody waits for the disk.
int fsync(int fd) {
    (void)fd;
    return 0;
}
int fdatasync(int fd) {
    return fsync(fd);
}

static void put_file(const uint8_t *data, size_t size) {
    unlink(wal);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    close(fd);
}

static void remove_folder(void) {
    unlink(path), unlink(wal);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static void make_good(void) {
    char folder[] = "/tmp/tresen-fuzz-XXXXXX";
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/spool", folder);
    snprintf(wal, sizeof wal, "%s-wal", path);
    atexit(remove_folder);
    static uint8_t body[1500];
    struct spool *s;
    struct problem problem;
    uint64_t damaged;
    enum err err = spool_open(path, &limits, false, &s, &damaged, &problem);
    assert(!err);
    err = spool_set_epoch(s, 3, &problem);
    assert(!err);
    for (int i = 0; i < BATCHES && !err; i++) {
        memset(body, i, sizeof body);
        err = spool_append(s, (struct bytes){body, i % 3 ? 40 : sizeof body},
                           (struct span){1000 * i, 1000 * i + 999}, 1000 * i, &problem);
    }
    assert(!err);
    err = spool_keep_cursor(s, "tracks", &(struct cursor){3, {1, 2, 3}}, &problem);
    assert(!err);
    err = spool_commit(s, 1, &problem);
    assert(!err);
    err = spool_set_applied(s, 4, 0, 2, &problem);
    assert(!err);
    err = spool_commit(s, 2, &problem);
    assert(!err);
    err = spool_commit(s, 800, &problem);
    assert(!err);
    spool_close(s);
    // Small pages: more of them, and of every kind.
    sqlite3 *database;
    if (sqlite3_open(path, &database) ||
        sqlite3_exec(database,
                     "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;"
                     "PRAGMA journal_mode = WAL",
                     NULL, NULL, NULL))
        abort();
    sqlite3_close(database);
    FILE *file = fopen(path, "r");
    good_size = fread(good, 1, sizeof good, file);
    fclose(file);
    assert(good_size < sizeof good);
}

// ------------------------------------------------------------------ what is done to it

static void overwrite(struct reader *in) {
    uint64_t at = reader_u16(in);
    struct bytes bytes = reader_take(in, 1 + reader_u8(in) % 8);
    int fd = open(path, O_WRONLY);
    if (fd >= 0 && pwrite(fd, bytes.data, bytes.size, (off_t)(at % good_size)) < 0) abort();
    close(fd);
}

static void edit(struct reader *in) {
    const char *text = edits[reader_u8(in) % (sizeof edits / sizeof edits[0])];
    int64_t big = (int64_t)reader_u64(in);
    int small = reader_u8(in);
    sqlite3 *database;
    sqlite3_stmt *statement = NULL;
    if (!sqlite3_open(path, &database) &&
        !sqlite3_exec(database, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL) &&
        !sqlite3_prepare_v2(database, text, -1, &statement, NULL)) {
        sqlite3_bind_int64(statement, 1, big);
        sqlite3_bind_int(statement, 2, small % 16);
        (void)sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

/// One figure of the state, or a batch, with a checksum that is right.
static void forge(struct reader *in) {
    struct database d = {0};
    struct spool_state state;
    struct problem problem;
    enum rows_found found;
    uint8_t which = reader_u8(in);
    uint64_t value = reader_u64(in);
    static uint8_t body[BATCH_BODY_MAX + 8];
    if (database_open(&d, path, false, &problem) || rows_state(&d, &state, &found, &problem) ||
        found != ROWS_INTACT)
        goto out;
    uint64_t *const figures[] = {&state.epoch,    &state.last,    &state.applied, &state.dropped,
                                 &state.left_out, &state.session, &state.birth,   &state.run_ms};
    int64_t *const times[] = {&state.gap.from_ms, &state.gap.to_ms, &state.watermark_ms};
    if (which < 160)
        *figures[which % 8] = value;
    else if (which < 200)
        *times[which % 3] = (int64_t)value;
    else if (rows_append(&d,
                         &(struct spool_batch){.number = value & 0xffff000000000001 ? value : 10,
                                               .body = {body, which > 220 ? which : sizeof body}},
                         &problem))
        goto out;
    (void)!rows_keep_state(&d, &state, &problem);
out:
    database_close(&d);
}

// ------------------------------------------------------------------ what must hold then

static void check_refused(enum err err, const struct problem *problem) {
    assert(strstr(problem->text, path));
    assert(err == ERR_FORMAT || err == ERR_VERSION || err == ERR_IO);
    assert(err == ERR_IO || strstr(problem->text, "--new-spool") ||
           strstr(problem->text, "another file") || strstr(problem->text, "move the file away") ||
           strstr(problem->text, "the program that wrote it"));
}

static bool count_batch(void *context, const struct spool_batch *batch) {
    assert(batch->body.size <= BATCH_BODY_MAX);
    ++*(uint64_t *)context;
    return true;
}

/// How many of first..last are intact.
static uint64_t readable(struct spool *s, uint64_t last) {
    uint64_t count = 0;
    struct problem problem;
    for (uint64_t n = spool_state(s)->first; n <= last; n++) {
        enum err err = spool_read(s, n, n, count_batch, &count, &problem);
        if (err) check_refused(err, &problem);
    }
    return count;
}

static void check_sane(const struct spool_state *state) {
    assert(state->first >= 1 && state->first <= state->last + 1 && state->last <= NUMBER_MAX);
    assert(state->applied <= state->last && state->epoch <= NUMBER_MAX);
    assert(state->last + state->left_out <= NUMBER_MAX && state->session <= NUMBER_MAX);
    assert(state->dropped + state->left_out <= NUMBER_MAX);
    assert(state->held_bytes <= state->bytes && state->bytes < FILE_MAX * 32);
}

/// The gateway at work: what it appends comes behind all there was, what is not applied stays.
/// Returns the last batch that is there for good: what a failed commit leaves open is undone.
static uint64_t work(struct spool *s) {
    const struct spool_state *state = spool_state(s);
    struct problem problem;
    struct cursor cursor;
    struct tag tag;
    int64_t oldest_ms;
    uint64_t last = state->last, dropped = state->dropped;
    enum err err = spool_cursor(s, "tracks", &cursor, &problem);
    if (err) check_refused(err, &problem);
    for (uint64_t n = state->first - 1; n <= last; n++)
        if ((err = spool_tag(s, n, &tag, &problem)) && err != ERR_MISSING)
            check_refused(err, &problem);
    if ((err = spool_oldest_ms(s, &oldest_ms, &problem))) check_refused(err, &problem);
    for (uint64_t now = 1000; now < 6000; now += 1000) {
        bool room = state->bytes + 64 < limits.bytes_max;
        err = spool_append(s, bytes_of_text("more"), (struct span){1, 2}, 3, &problem);
        if (!err) err = spool_commit(s, now, &problem);
        if (err) {
            check_refused(err, &problem);
            return last;
        }
        assert(state->last == ++last);
        check_sane(state);
        assert(state->dropped == dropped || !room);
        dropped = state->dropped;
    }
    if ((err = spool_set_applied(s, last, 0, 7000, &problem)) ||
        (err = spool_commit(s, 7000, &problem)))
        check_refused(err, &problem);
    else
        check_sane(state);
    return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!good_size) make_good();
    put_file(good, good_size);
    random_state = 1;
    struct reader in = reader_of((struct bytes){data, size});
    for (int i = 0; i < EDITS && reader_left(&in) && !in.failed; i++)
        switch (reader_u8(&in) % 8) {
        case 0: {
            int cut = truncate(path, (off_t)(reader_u16(&in) % good_size));
            (void)cut;
            break;
        }
        case 1:
        case 2:
            forge(&in);
            break;
        case 3:
        case 4:
            overwrite(&in);
            break;
        default:
            edit(&in);
        }

    struct spool *s = NULL;
    struct problem problem = {0};
    uint64_t damaged, held = 0;
    enum err err = spool_open(path, &limits, false, &s, &damaged, &problem);
    if (err)
        check_refused(err, &problem);
    else {
        check_sane(spool_state(s));
        held = readable(s, work(s));
        spool_close(s);
    }
    // The way out: it is taken, or there is a last one.
    s = NULL;
    if (err && !strstr(problem.text, "--new-spool")) return 0;
    err = spool_open(path, &limits, true, &s, &damaged, &problem);
    if (err) {
        check_refused(err, &problem);
        return 0;
    }
    check_sane(spool_state(s));
    assert(damaged || spool_state(s)->last >= held);
    assert(readable(s, spool_state(s)->last) == spool_state(s)->last);
    struct cursor cursor;
    err = spool_cursor(s, "tracks", &cursor, &problem);
    assert(!err);
    spool_close(s);
    return 0;
}
