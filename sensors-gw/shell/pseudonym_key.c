#include "sensors-gw/shell/pseudonym_key.h"

#include "common/io/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium/utils.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_SIZE = PSEUDONYM_KEY_SIZE * 2 + 1 }; // and a line's end in the file

static enum err io_problem(const char *path, struct problem *problem) {
    return problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
}

static bool write_key(int fd, const uint8_t key[PSEUDONYM_KEY_SIZE]) {
    char text[TEXT_SIZE];
    sodium_bin2hex(text, sizeof text, key, PSEUDONYM_KEY_SIZE);
    text[TEXT_SIZE - 1] = '\n';
    bool written = write(fd, text, TEXT_SIZE) == TEXT_SIZE && fsync(fd) == 0;
    sodium_memzero(text, sizeof text);
    return written;
}

/// Written under a name of its own first, so that a torn key is never taken for one; and linked,
/// not renamed, so that gateways that start together end up with one key.
/// ERR_CONFLICT: another one was made meanwhile.
static enum err make(const char *path, uint8_t key[PSEUDONYM_KEY_SIZE], struct problem *problem) {
    char own[1024];
    int size = snprintf(own, sizeof own, "%s.XXXXXX", path);
    if (size < 0 || (size_t)size >= sizeof own)
        return problem_set(problem, ERR_RANGE, "%s: the path is too long", path);
    int fd = mkostemp(own, O_CLOEXEC); // mode 0600
    if (fd < 0) return io_problem(path, problem);
    random_fill(key, PSEUDONYM_KEY_SIZE);
    enum err err = write_key(fd, key) ? ERR_NONE : io_problem(own, problem);
    if (close(fd) != 0 && !err) err = io_problem(own, problem);
    if (!err && link(own, path) != 0)
        err = errno == EEXIST ? ERR_CONFLICT : io_problem(path, problem);
    unlink(own);
    return err;
}

static enum err load(int fd, const char *path, uint8_t key[PSEUDONYM_KEY_SIZE],
                     struct problem *problem) {
    struct stat status;
    if (fstat(fd, &status) < 0) return io_problem(path, problem);
    if (status.st_mode & 077)
        return problem_set(problem, ERR_REFUSED,
                           "%s: others than its owner may use it; chmod 600 it, or, if they had "
                           "the time to read it, delete it to get a new key",
                           path);
    char text[TEXT_SIZE + 1];
    ssize_t size = read(fd, text, sizeof text);
    if (size < 0) return io_problem(path, problem);
    size_t decoded = 0;
    bool whole =
        size >= TEXT_SIZE - 1 &&
        sodium_hex2bin(key, PSEUDONYM_KEY_SIZE, text, TEXT_SIZE - 1, NULL, &decoded, NULL) == 0 &&
        decoded == PSEUDONYM_KEY_SIZE &&
        (size == TEXT_SIZE - 1 || (size == TEXT_SIZE && text[TEXT_SIZE - 1] == '\n'));
    sodium_memzero(text, sizeof text);
    if (whole) return ERR_NONE;
    return problem_set(problem, ERR_FORMAT,
                       "%s: not a key of %d hexadecimal digits; delete it to get a new one", path,
                       TEXT_SIZE - 1);
}

enum err pseudonym_key_load(const char *path, uint8_t key[PSEUDONYM_KEY_SIZE],
                            struct problem *problem) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        enum err err = make(path, key, problem);
        if (err != ERR_CONFLICT) return err;
        fd = open(path, O_RDONLY | O_CLOEXEC); // somebody else made it meanwhile
    }
    if (fd < 0) return io_problem(path, problem);
    enum err err = load(fd, path, key, problem);
    close(fd);
    return err;
}
