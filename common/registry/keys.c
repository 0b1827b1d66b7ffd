#include "common/registry/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { KEY_BYTES = 32, PATH_MAX_SIZE = 4096, PUBLIC_MODE = 0644, SECRET_MODE = 0600 };

// --- names

static bool part_set(struct id *id, const char *from, const char *to) {
    return to >= from && id_set(id, from, (size_t)(to - from));
}

bool peer_parse(const char *name, size_t size, struct peer *peer) {
    static const char broker[] = "broker", worker[] = "worker.", gateway[] = "gateway.";
    const char *end = name + size;
    struct peer parsed = {.kind = PEER_BROKER};
    bool ok = false;
    if (size == sizeof broker - 1 && memcmp(name, broker, size) == 0) {
        ok = true;
    } else if (size > sizeof worker - 1 && memcmp(name, worker, sizeof worker - 1) == 0) {
        parsed.kind = PEER_WORKER;
        ok = part_set(&parsed.name, name + sizeof worker - 1, end);
    } else if (size > sizeof gateway - 1 && memcmp(name, gateway, sizeof gateway - 1) == 0) {
        const char *branch = name + sizeof gateway - 1;
        const char *dot = memchr(branch, '.', (size_t)(end - branch));
        parsed.kind = PEER_GATEWAY;
        ok = dot && part_set(&parsed.branch, branch, dot) && part_set(&parsed.name, dot + 1, end);
    }
    if (ok) *peer = parsed;
    return ok;
}

void peer_name(const struct peer *peer, char text[KEY_NAME_SIZE]) {
    switch (peer->kind) {
    case PEER_BROKER:
        snprintf(text, KEY_NAME_SIZE, "broker");
        break;
    case PEER_WORKER:
        snprintf(text, KEY_NAME_SIZE, "worker.%s", peer->name.text);
        break;
    case PEER_GATEWAY:
        snprintf(text, KEY_NAME_SIZE, "gateway.%s.%s", peer->branch.text, peer->name.text);
        break;
    }
}

// --- files

static enum err path_of(const char *folder, const char *name, const char *ending,
                        char path[PATH_MAX_SIZE], struct problem *problem) {
    struct peer peer;
    if (!peer_parse(name, strlen(name), &peer))
        return problem_set(problem, ERR_FORMAT,
                           "'%.80s' names no peer; write broker, worker.NAME or "
                           "gateway.BRANCH.NAME",
                           name);
    int written = snprintf(path, PATH_MAX_SIZE, "%s/%s%s", folder, name, ending);
    if (written < 0 || written >= PATH_MAX_SIZE)
        return problem_set(problem, ERR_RANGE, "%.200s...: the path is too long", folder);
    return ERR_NONE;
}

static enum err io_error(struct problem *problem, const char *path, const char *what) {
    enum err err = errno == ENOENT ? ERR_MISSING : errno == EEXIST ? ERR_CONFLICT : ERR_IO;
    return problem_set(problem, err, "%.300s: %s: %s", path, what, strerror(errno));
}

/// Decodes, so a text that is no key never reaches a socket.
static bool key_valid(const char *key) {
    uint8_t bytes[KEY_BYTES];
    bool valid = strlen(key) == KEY_TEXT_SIZE - 1 && zmq_z85_decode(bytes, key) != NULL;
    explicit_bzero(bytes, sizeof bytes);
    return valid;
}

static enum err read_key_from(int fd, const char *path, char key[KEY_TEXT_SIZE],
                              struct problem *problem) {
    char text[KEY_TEXT_SIZE + 2] = {0}; // a line end is allowed, more is not
    ssize_t size = read(fd, text, sizeof text - 1);
    if (size < 0) return io_error(problem, path, "cannot be read");
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        text[--size] = '\0';
    enum err err = ERR_NONE;
    if (strlen(text) == (size_t)size && key_valid(text))
        memcpy(key, text, KEY_TEXT_SIZE);
    else
        err = problem_set(problem, ERR_FORMAT,
                          "%.300s: is not a key (40 characters of Z85); make a new pair with "
                          "tresenctl keys new",
                          path);
    explicit_bzero(text, sizeof text);
    return err;
}

/// Others than the owner may see a file that is not secret only.
static enum err key_read(const char *path, bool secret, char key[KEY_TEXT_SIZE],
                         struct problem *problem) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return io_error(problem, path, "cannot be opened");
    struct stat status;
    enum err err = ERR_NONE;
    if (fstat(fd, &status) != 0)
        err = io_error(problem, path, "cannot be looked at");
    else if (!S_ISREG(status.st_mode))
        err = problem_set(problem, ERR_FORMAT, "%.300s: is not a regular file", path);
    else if (secret && (status.st_mode & (S_IRWXG | S_IRWXO)))
        err = problem_set(problem, ERR_REFUSED,
                          "%.300s: others may use this secret key; run chmod 600 on it, or make a "
                          "new pair if they have",
                          path);
    else
        err = read_key_from(fd, path, key, problem);
    close(fd);
    return err;
}

enum err key_read_public(const char *folder, const char *name, char key[KEY_TEXT_SIZE],
                         struct problem *problem) {
    char path[PATH_MAX_SIZE];
    enum err err = path_of(folder, name, ".pub", path, problem);
    return err ? err : key_read(path, false, key, problem);
}

enum err key_read_secret(const char *folder, const char *name, char secret[KEY_TEXT_SIZE],
                         char public_key[KEY_TEXT_SIZE], struct problem *problem) {
    char path[PATH_MAX_SIZE];
    enum err err = path_of(folder, name, ".key", path, problem);
    if (!err) err = key_read(path, true, secret, problem);
    if (!err && zmq_curve_public(public_key, secret) != 0) {
        explicit_bzero(secret, KEY_TEXT_SIZE);
        err = problem_set(problem, ERR_FORMAT, "%.300s: has no public half: %s", path,
                          zmq_strerror(zmq_errno()));
    }
    return err;
}

/// Write a file that is not there yet, whole and to the disk.
static enum err key_write(const char *path, mode_t mode, const char *key, struct problem *problem) {
    char line[KEY_TEXT_SIZE + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, SECRET_MODE);
    if (fd < 0) return io_error(problem, path, "cannot be made");
    int size = snprintf(line, sizeof line, "%s\n", key);
    enum err err = ERR_NONE;
    if (write(fd, line, (size_t)size) != size || fchmod(fd, mode) != 0 || fsync(fd) != 0)
        err = io_error(problem, path, "cannot be written");
    explicit_bzero(line, sizeof line);
    close(fd);
    if (err) unlink(path);
    return err;
}

enum err key_make(const char *folder, const char *name, char public_key[KEY_TEXT_SIZE],
                  struct problem *problem) {
    char secret_path[PATH_MAX_SIZE], public_path[PATH_MAX_SIZE];
    char secret[KEY_TEXT_SIZE], public_half[KEY_TEXT_SIZE];
    enum err err = path_of(folder, name, ".key", secret_path, problem);
    if (!err) err = path_of(folder, name, ".pub", public_path, problem);
    if (err) return err;
    if (zmq_curve_keypair(public_half, secret) != 0)
        return problem_set(problem, ERR_IO, "no key pair: %s", zmq_strerror(zmq_errno()));
    err = key_write(secret_path, SECRET_MODE, secret, problem);
    explicit_bzero(secret, sizeof secret);
    if (err) return err;
    err = key_write(public_path, PUBLIC_MODE, public_half, problem);
    if (err) {
        unlink(secret_path);
        return err;
    }
    memcpy(public_key, public_half, KEY_TEXT_SIZE);
    return ERR_NONE;
}

// --- who may connect

static int is_public(const struct dirent *entry) {
    size_t size = strlen(entry->d_name), ending = sizeof ".pub" - 1;
    return entry->d_name[0] != '.' && size > ending &&
           strcmp(entry->d_name + size - ending, ".pub") == 0;
}

static int compare_keys(const void *a, const void *b) {
    const struct key_entry *left = a, *right = b;
    return strcmp(left->key, right->key);
}

static enum err load_entry(const char *folder, const char *file, struct key_entry *entry,
                           struct problem *problem) {
    size_t size = strlen(file) - (sizeof ".pub" - 1);
    if (size >= sizeof entry->name)
        return problem_set(problem, ERR_FORMAT,
                           "%.200s/%.100s: names no peer; write gateway.BRANCH.NAME.pub or "
                           "worker.NAME.pub",
                           folder, file);
    memcpy(entry->name, file, size);
    entry->name[size] = '\0';
    return key_read_public(folder, entry->name, entry->key, problem);
}

static enum err find_shared(const struct key_table *table, const char *folder,
                            struct problem *problem) {
    for (size_t i = 1; i < table->count; i++) {
        const struct key_entry *a = &table->items[i - 1], *b = &table->items[i];
        if (strcmp(a->key, b->key) == 0)
            return problem_set(problem, ERR_CONFLICT,
                               "%.200s: %s and %s have the same key; make a new pair for one",
                               folder, a->name, b->name);
    }
    return ERR_NONE;
}

enum err keys_load(const char *folder, struct key_table *table, struct problem *problem) {
    *table = (struct key_table){0};
    struct dirent **files = NULL;
    int count = scandir(folder, &files, is_public, alphasort);
    if (count < 0) return io_error(problem, folder, "the folder cannot be read");
    enum err err = ERR_NONE;
    if (count > KEYS_MAX)
        err = problem_set(problem, ERR_FULL, "%.300s: holds more than %d keys", folder, KEYS_MAX);
    else if (!(table->items = calloc(count ? (size_t)count : 1, sizeof *table->items)))
        err = problem_set(problem, ERR_NOMEM, "out of memory");
    for (int i = 0; i < count; i++) {
        if (!err) err = load_entry(folder, files[i]->d_name, &table->items[table->count], problem);
        if (!err) table->count++;
        free(files[i]);
    }
    free(files);
    if (!err) {
        qsort(table->items, table->count, sizeof *table->items, compare_keys);
        err = find_shared(table, folder, problem);
    }
    if (err) keys_free(table);
    return err;
}

void keys_free(struct key_table *table) {
    free(table->items);
    *table = (struct key_table){0};
}

const char *keys_find(const struct key_table *table, const char *key) {
    struct key_entry wanted = {0};
    if (!table->count || strlen(key) != KEY_TEXT_SIZE - 1) return NULL;
    memcpy(wanted.key, key, KEY_TEXT_SIZE);
    const struct key_entry *found =
        bsearch(&wanted, table->items, table->count, sizeof wanted, compare_keys);
    return found ? found->name : NULL;
}
