// Preloaded into a gateway: while the file $DISK_ERROR is there, the disk refuses for its spool
// what the file names: "write", "sync" or "read".

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static bool is_spool(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, name, sizeof name - 1);
    name[size < 0 ? 0 : size] = '\0';
    return strstr(name, ".spool") != NULL;
}

static bool refuses(int fd, const char *call) {
    const char *path = getenv("DISK_ERROR");
    char named[16] = "";
    int kept = errno, file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool there = file >= 0 && read(file, named, sizeof named - 1) > 0;
    if (file >= 0) close(file);
    errno = kept;
    return there && strcmp(named, call) == 0 && is_spool(fd);
}

#define REFUSING(type, name, call, arguments, ...)                                                 \
    type name arguments {                                                                          \
        static type(*real) arguments;                                                              \
        if (!real) real = (type(*) arguments)dlsym(RTLD_NEXT, #name);                              \
        if (!refuses(fd, call)) return real(__VA_ARGS__);                                          \
        errno = EIO;                                                                               \
        return -1;                                                                                 \
    }

REFUSING(ssize_t, pwrite64, "write", (int fd, const void *bytes, size_t size, off64_t at), fd,
         bytes, size, at)
REFUSING(ssize_t, pread64, "read", (int fd, void *bytes, size_t size, off64_t at), fd, bytes, size,
         at)
REFUSING(int, fsync, "sync", (int fd), fd)
REFUSING(int, fdatasync, "sync", (int fd), fd)
