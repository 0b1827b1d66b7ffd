#include "ops/ctl/recording.h"

#include "ops/ctl/ctl.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char ending[] = ".spool";

/// "musterstadt-desk.spool" or "gateway.musterstadt.desk.spool".
static bool named_after(const char *file, const struct branch *branch,
                        const struct branch_gateway *gateway) {
    char dashed[256], dotted[256];
    snprintf(dashed, sizeof dashed, "%s-%s%s", branch->id.text, gateway->id.text, ending);
    snprintf(dotted, sizeof dotted, "gateway.%s.%s%s", branch->id.text, gateway->id.text, ending);
    return strcmp(file, dashed) == 0 || strcmp(file, dotted) == 0;
}

static bool find_gateway(const char *file, const struct branches *branches,
                         struct recorded_spool *spool) {
    for (size_t i = 0; i < branches->count; i++)
        for (size_t k = 0; k < branches->items[i].gateway_count; k++) {
            const struct branch_gateway *gateway = &branches->items[i].gateways[k];
            if (!named_after(file, &branches->items[i], gateway)) continue;
            spool->branch = i;
            spool->gateway = gateway;
            return true;
        }
    ctl_fail("%s: whose spool is this? name it BRANCH-GATEWAY.spool after a gateway in "
             "config/branches",
             file);
    return false;
}

/// A statement on a spool, or NULL: said.
static sqlite3_stmt *ask(const char *path, const char *sql, sqlite3 **database) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_open_v2(path, database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(*database, sql, -1, &statement, NULL) == SQLITE_OK)
        return statement;
    ctl_fail(
        "%s cannot be read: %s; a gateway that runs keeps its spool to itself: stop it, or take "
        "a copy",
        path, sqlite3_errmsg(*database));
    return NULL;
}

static bool count_batches(struct recorded_spool *spool) {
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = ask(spool->path, "SELECT count(*) FROM batch", &database);
    bool done = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (done) spool->batches = (uint64_t)sqlite3_column_int64(statement, 0);
    if (statement && !done)
        ctl_fail("%s cannot be read: %s", spool->path, sqlite3_errmsg(database));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return done;
}

static bool add(const char *path, const struct branches *branches, struct recording *out) {
    if (out->count == RECORDING_SPOOLS_MAX) {
        ctl_fail("more than %d spools; name a folder with fewer", RECORDING_SPOOLS_MAX);
        return false;
    }
    struct recorded_spool *spool = &out->items[out->count];
    const char *slash = strrchr(path, '/');
    snprintf(spool->path, sizeof spool->path, "%s", path);
    if (!find_gateway(slash ? slash + 1 : path, branches, spool) || !count_batches(spool))
        return false;
    out->count++;
    return true;
}

static bool add_folder(const char *folder, const struct branches *branches, struct recording *out) {
    DIR *directory = opendir(folder);
    bool good = directory != NULL;
    if (!good) ctl_fail("%s cannot be opened", folder);
    for (struct dirent *entry; good && (entry = readdir(directory));) {
        size_t length = strlen(entry->d_name), tail = sizeof ending - 1;
        if (length <= tail || strcmp(entry->d_name + length - tail, ending) != 0) continue;
        char path[512];
        good = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path;
        if (!good)
            ctl_fail("%s/%s is too long a path", folder, entry->d_name);
        else
            good = add(path, branches, out);
    }
    if (directory) closedir(directory);
    if (good && out->count == 0) {
        ctl_fail("%s: no spool there; name a gateway's spool, or a folder of them", folder);
        return false;
    }
    return good;
}

static int compare(const void *a, const void *b) {
    const struct recorded_spool *left = a, *right = b;
    if (left->branch != right->branch) return left->branch < right->branch ? -1 : 1;
    return strcmp(left->gateway->id.text, right->gateway->id.text);
}

bool recording_find(const char *path, const struct branches *branches, struct recording *out) {
    struct stat about;
    out->count = 0;
    if (stat(path, &about) != 0) {
        ctl_fail("%s: there is no such file or folder", path);
        return false;
    }
    bool good = S_ISDIR(about.st_mode) ? add_folder(path, branches, out) : add(path, branches, out);
    qsort(out->items, out->count, sizeof out->items[0], compare);
    return good;
}

bool recording_read(const struct recorded_spool *spool,
                    bool (*each)(void *context, uint64_t number, struct bytes body),
                    void *context) {
    sqlite3 *database = NULL;
    sqlite3_stmt *rows =
        ask(spool->path, "SELECT number, body FROM batch ORDER BY number", &database);
    bool good = rows != NULL;
    int step = SQLITE_DONE;
    while (good && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct bytes body = {sqlite3_column_blob(rows, 1), (size_t)sqlite3_column_bytes(rows, 1)};
        good = each(context, (uint64_t)sqlite3_column_int64(rows, 0), body);
    }
    if (good && step != SQLITE_DONE) {
        ctl_fail("%s cannot be read: %s", spool->path, sqlite3_errmsg(database));
        good = false;
    }
    sqlite3_finalize(rows);
    sqlite3_close(database);
    return good;
}
