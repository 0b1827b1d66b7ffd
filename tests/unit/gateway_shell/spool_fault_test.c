// The spool on a disk that refuses, fills up or forgets: an SQLite VFS in front of the real one
// that fails the n-th operation, and keeps of each file what has been synced.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/shell/spool.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ------------------------------------------------------------------ the disk

enum operation { OPEN, READ, WRITE, SYNC, TRUNCATE };

static struct {
    bool armed, power_lost;
    enum operation operation;
    int countdown, code; // the countdown-th such operation and all after it fail with code
} fault;

static sqlite3_vfs *real_vfs;

struct shim {
    sqlite3_file base;
    char path[96];
    sqlite3_file *real; // behind this struct
};

static int refused(enum operation operation) {
    if (!fault.armed || fault.operation != operation) return SQLITE_OK;
    if (fault.countdown > 1) {
        fault.countdown--;
        return SQLITE_OK;
    }
    return fault.code;
}

static void copy_file(const char *from, const char *to) {
    static char block[65536];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    size_t size;
    while (in && out && (size = fread(block, 1, sizeof block, in)) > 0)
        fwrite(block, 1, size, out);
    if (in) fclose(in);
    if (out) fclose(out);
}

static sqlite3_file *real_of(sqlite3_file *file) {
    return ((struct shim *)file)->real;
}
static int shim_close(sqlite3_file *f) {
    return real_of(f)->pMethods->xClose(real_of(f));
}
static int shim_read(sqlite3_file *f, void *to, int size, sqlite3_int64 at) {
    int code = refused(READ);
    return code ? code : real_of(f)->pMethods->xRead(real_of(f), to, size, at);
}
static int shim_write(sqlite3_file *f, const void *from, int size, sqlite3_int64 at) {
    int code = refused(WRITE);
    return code ? code : real_of(f)->pMethods->xWrite(real_of(f), from, size, at);
}
static int shim_truncate(sqlite3_file *f, sqlite3_int64 size) {
    int code = refused(TRUNCATE);
    return code ? code : real_of(f)->pMethods->xTruncate(real_of(f), size);
}
static int shim_sync(sqlite3_file *f, int flags) {
    int code = refused(SYNC);
    (void)flags; // the copy is all that the loss of power leaves: the real disk need not be asked
    if (!code && !fault.power_lost) {
        char synced[112];
        snprintf(synced, sizeof synced, "%s.synced", ((struct shim *)f)->path);
        copy_file(((struct shim *)f)->path, synced);
    }
    return code;
}
static int shim_size(sqlite3_file *f, sqlite3_int64 *size) {
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}
static int shim_lock(sqlite3_file *f, int how) {
    return real_of(f)->pMethods->xLock(real_of(f), how);
}
static int shim_unlock(sqlite3_file *f, int how) {
    return real_of(f)->pMethods->xUnlock(real_of(f), how);
}
static int shim_reserved(sqlite3_file *f, int *out) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}
static int shim_control(sqlite3_file *f, int what, void *argument) {
    return real_of(f)->pMethods->xFileControl(real_of(f), what, argument);
}
static int shim_sector(sqlite3_file *f) {
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}
static int shim_device(sqlite3_file *f) {
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

// Version 1: no shared memory, so the spool's exclusive lock is proved to need none.
static const sqlite3_io_methods methods = {
    1,         shim_close,  shim_read,     shim_write,   shim_truncate, shim_sync,   shim_size,
    shim_lock, shim_unlock, shim_reserved, shim_control, shim_sector,   shim_device, NULL,
    NULL,      NULL,        NULL,          NULL,         NULL};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    struct shim *shim = (struct shim *)file;
    memset(shim, 0, sizeof *shim);
    shim->real = (sqlite3_file *)(shim + 1);
    if (name) snprintf(shim->path, sizeof shim->path, "%s", name);
    int code = refused(OPEN);
    if (!code) code = real_vfs->xOpen(real_vfs, name, shim->real, flags, out);
    if (!code && shim->real->pMethods) shim->base.pMethods = &methods;
    return code;
}

static sqlite3_vfs shim_vfs;

// ------------------------------------------------------------------ the spool on it

static const struct spool_limits limits = {
    .full_sync = true, .bytes_max = 1 << 20, .retention_ms = 3600000, .drop_unapplied = true};
static char folder[40], path[64];
static struct problem problem;

static void begin(void) {
    real_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.szOsFile = (int)sizeof(struct shim) + real_vfs->szOsFile;
    shim_vfs.xOpen = shim_open;
    sqlite3_vfs_register(&shim_vfs, 1);
    strcpy(folder, "/tmp/tresen-fault-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spool", folder);
}

static void remove_all(void) {
    static const char *const suffixes[] = {"",        "-wal",        "-journal",
                                           ".synced", "-wal.synced", "-journal.synced"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void end(void) {
    remove_all();
    rmdir(folder);
}

TestSuite(spool_fault, .init = begin, .fini = end);

static struct spool *open_spool(void) {
    struct spool *spool = NULL;
    uint64_t damaged;
    enum err err = spool_open(path, &limits, false, &spool, &damaged, &problem);
    cr_assert(eq(int, err, ERR_NONE), "%s", problem.text);
    return spool;
}

/// Two batches and a cursor that says how many there are; then commit.
static enum err write_on(struct spool *spool) {
    static uint8_t body[3000];
    enum err err = ERR_NONE;
    uint64_t last = spool_state(spool)->last;
    for (int i = 0; i < 2 && !err; i++)
        err = spool_append(spool, (struct bytes){body, sizeof body}, (struct span){1, 2}, 3,
                           &problem);
    struct cursor cursor = {.size = 1, .bytes = {(uint8_t)(last + 2)}};
    if (!err) err = spool_keep_cursor(spool, "driver", &cursor, &problem);
    return err ? err : spool_commit(spool, 1, &problem);
}

static bool count_batch(void *context, const struct spool_batch *batch) {
    (void)batch;
    ++*(uint64_t *)context;
    return true;
}

/// Whole, at least what was reported, and the cursor that belongs to it.
static void check_spool(uint64_t reported, const char *what, int k) {
    struct spool *spool = open_spool();
    uint64_t last = spool_state(spool)->last, count = 0;
    cr_assert(last == reported || last == reported + 2, "%s %d: %lu after %lu", what, k,
              (unsigned long)last, (unsigned long)reported);
    cr_assert(eq(int, spool_read(spool, 1, last, count_batch, &count, &problem), ERR_NONE));
    cr_assert(eq(u64, count, last));
    struct cursor cursor;
    cr_assert(eq(int, spool_cursor(spool, "driver", &cursor, &problem), ERR_NONE));
    cr_assert(eq(u64, cursor.size ? cursor.bytes[0] : 0, last));
    spool_close(spool);
}

static void refuse_each(enum operation operation, int code, const char *what, int most) {
    for (int k = 1; k <= most; k++) {
        remove_all();
        struct spool *spool = open_spool();
        fault.armed = true;
        fault.operation = operation;
        fault.countdown = k;
        fault.code = code;
        uint64_t reported = 0;
        enum err err = ERR_NONE;
        for (int i = 0; i < 60 && !(err = write_on(spool)); i++)
            reported = spool_state(spool)->last;
        cr_assert(eq(int, err, ERR_IO), "%s %d", what, k);
        cr_assert_not_null(strstr(problem.text, path));
        fault.armed = false; // what was refused once is not tried again, even if it would work now
        cr_assert(eq(int, write_on(spool), ERR_IO));
        spool_close(spool);
        check_spool(reported, what, k);
    }
}

Test(spool_fault, a_refused_write_is_told_and_loses_nothing_reported) {
    refuse_each(WRITE, SQLITE_IOERR_WRITE, "write", 60);
}

Test(spool_fault, a_full_disk_is_told_and_loses_nothing_reported) {
    refuse_each(WRITE, SQLITE_FULL, "full", 60);
}

Test(spool_fault, a_refused_sync_is_told_and_never_believed_later) {
    refuse_each(SYNC, SQLITE_IOERR_FSYNC, "sync", 20);
}

static struct spool *written_spool(uint64_t *reported) {
    remove_all();
    struct spool *spool = open_spool();
    for (int i = 0; i < 20; i++)
        cr_assert(eq(int, write_on(spool), ERR_NONE));
    *reported = spool_state(spool)->last;
    return spool;
}

// What cannot be read now is there all the same: a spool must not be given up, or begun anew.
static void refuse_to_open(enum operation operation, int code, const char *what, int most) {
    for (int k = 1; k <= most; k++) {
        uint64_t reported, damaged, count = 0;
        spool_close(written_spool(&reported));
        fault.armed = true;
        fault.operation = operation;
        fault.countdown = k;
        fault.code = code;
        struct spool *spool = NULL;
        enum err err = spool_open(path, &limits, false, &spool, &damaged, &problem);
        if (!err) err = spool_read(spool, 1, reported, count_batch, &count, &problem);
        fault.armed = false;
        if (k == 1) cr_assert(eq(int, err, ERR_IO), "%s", what);
        if (err) {
            cr_assert(eq(int, err, ERR_IO), "%s %d: %s", what, k, problem.text);
            cr_assert_not_null(strstr(problem.text, path), "%s %d: %s", what, k, problem.text);
        } else {
            cr_assert(eq(u64, count, reported), "%s %d", what, k);
        }
        if (spool) spool_close(spool);
        check_spool(reported, what, k);
    }
}

Test(spool_fault, a_refused_read_is_told_and_loses_nothing) {
    refuse_to_open(READ, SQLITE_IOERR_READ, "read", 60);
}

Test(spool_fault, a_refused_open_is_told_and_loses_nothing) {
    refuse_to_open(OPEN, SQLITE_CANTOPEN, "open", 6);
}

// Power fails: every write that was not synced is gone.
Test(spool_fault, what_was_reported_survives_the_loss_of_power) {
    static const char *const suffixes[] = {"", "-wal"};
    for (int k = 0; k < 50; k += 7) {
        remove_all();
        fault.power_lost = false;
        struct spool *spool = open_spool();
        for (int i = 0; i < k; i++)
            cr_assert(eq(int, write_on(spool), ERR_NONE));
        uint64_t reported = spool_state(spool)->last;
        struct problem none;
        static uint8_t body[3000]; // begun, never committed
        cr_assert(eq(
            int,
            spool_append(spool, (struct bytes){body, sizeof body}, (struct span){1, 2}, 3, &none),
            ERR_NONE));
        fault.power_lost = true;
        spool_close(spool);
        for (size_t i = 0; i < 2; i++) {
            char name[96], synced[112];
            snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
            snprintf(synced, sizeof synced, "%s.synced", name);
            unlink(name);
            if (access(synced, F_OK) == 0) copy_file(synced, name);
        }
        check_spool(reported, "power", k);
    }
}
