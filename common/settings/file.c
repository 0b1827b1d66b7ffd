#include "common/settings/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool report(struct problems *problems, const char *path, const char *what) {
    problems_add(problems, errno == ENOENT ? ERR_MISSING : ERR_IO, path, "%s: %s", what,
                 strerror(errno));
    return false;
}

static bool read_all(int fd, const char *path, size_t limit, struct buffer *buffer,
                     struct problems *problems) {
    char piece[16 * 1024];
    for (;;) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return report(problems, path, "cannot be read");
        if (got == 0) return true;
        buffer_put(buffer, piece, (size_t)got);
        if (!buffer->failed) continue;
        problems_add(problems, ERR_FULL, path, "larger than %zu bytes; divide it", limit);
        return false;
    }
}

bool file_read(const char *path, size_t limit, struct buffer *buffer, struct problems *problems) {
    buffer_clear(buffer);
    buffer->limit = limit;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe must not block us
    if (fd < 0) return report(problems, path, "cannot be opened");
    struct stat status;
    bool done = false;
    if (fstat(fd, &status) != 0)
        report(problems, path, "cannot be looked at");
    else if (!S_ISREG(status.st_mode))
        problems_add(problems, ERR_FORMAT, path, "is not a regular file; name one");
    else
        done = read_all(fd, path, limit, buffer, problems);
    close(fd);
    return done;
}

struct document *document_open(const char *path, struct problems *problems) {
    struct buffer buffer;
    buffer_init(&buffer, DOCUMENT_SIZE_MAX);
    struct document *document = NULL;
    if (file_read(path, DOCUMENT_SIZE_MAX, &buffer, problems))
        document = document_parse(path, buffer_bytes(&buffer), problems);
    buffer_fini(&buffer);
    return document;
}

bool path_join(const char *folder, const char *name, char *text, size_t size,
               struct problems *problems) {
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] == '/' ? "" : "/";
    int written = snprintf(text, size, "%s%s%s", folder, slash, name);
    if (written > 0 && (size_t)written < size) return true;
    problems_add(problems, ERR_RANGE, folder,
                 "the path is longer than %zu bytes; use a shorter one", size - 1);
    return false;
}

static int is_yaml(const struct dirent *entry) {
    size_t size = strlen(entry->d_name), ending = sizeof ".yaml" - 1;
    return entry->d_name[0] != '.' && size > ending &&
           strcmp(entry->d_name + size - ending, ".yaml") == 0;
}

/// Whoever wrote it meant it to be read.
static int is_misnamed(const struct dirent *entry) {
    size_t size = strlen(entry->d_name), ending = sizeof ".yml" - 1;
    return entry->d_name[0] != '.' && size > ending &&
           strcmp(entry->d_name + size - ending, ".yml") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/// Takes the names out of scandir's entries, which it releases.
static bool take_names(struct dirent **entries, size_t count, struct folder_names *out) {
    bool done = out->items != NULL;
    for (size_t i = 0; i < count; i++) {
        if (done) {
            out->items[i] = strdup(entries[i]->d_name);
            done = out->items[i] != NULL;
            out->count += done;
        }
        free(entries[i]);
    }
    free(entries);
    return done;
}

static bool none_misnamed(const char *folder, struct problems *problems) {
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_misnamed, by_name);
    if (count < 0) return report(problems, folder, "the folder cannot be read");
    for (int i = 0; i < count; i++) {
        problems_add(problems, ERR_CONFLICT, folder,
                     "%s is not read for its ending; call it .yaml, or take it away",
                     entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return count == 0;
}

bool folder_names(const char *folder, struct folder_names *out, struct problems *problems) {
    *out = (struct folder_names){0};
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_yaml, by_name);
    if (count < 0) return report(problems, folder, "the folder cannot be read");
    if (count <= FOLDER_FILES_MAX) out->items = calloc((size_t)count + 1, sizeof(char *));
    if (take_names(entries, (size_t)count, out)) return none_misnamed(folder, problems);
    if (count > FOLDER_FILES_MAX)
        problems_add(problems, ERR_FULL, folder, "holds more than %d files; divide it",
                     FOLDER_FILES_MAX);
    else
        problems_add(problems, ERR_NOMEM, folder, "out of memory");
    return false;
}

void folder_names_free(struct folder_names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct folder_names){0};
}

static bool open_entry(const char *folder, const char *name, struct documents *out,
                       struct problems *problems) {
    char path[4096];
    if (!path_join(folder, name, path, sizeof path, problems)) return false;
    struct document *document = document_open(path, problems);
    if (document) out->items[out->count++] = document;
    return document != NULL;
}

bool documents_open(const char *folder, struct documents *out, struct problems *problems) {
    struct folder_names names;
    *out = (struct documents){0};
    bool all = folder_names(folder, &names, problems);
    out->items = calloc(names.count + 1, sizeof(struct document *));
    if (!out->items) {
        problems_add(problems, ERR_NOMEM, folder, "out of memory");
        all = false;
    }
    for (size_t i = 0; out->items && i < names.count; i++)
        all = open_entry(folder, names.items[i], out, problems) && all;
    folder_names_free(&names);
    return all;
}

void documents_free(struct documents *documents) {
    for (size_t i = 0; i < documents->count; i++)
        document_free(documents->items[i]);
    free(documents->items);
    *documents = (struct documents){0};
}
