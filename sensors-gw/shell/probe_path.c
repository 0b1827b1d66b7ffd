#include "sensors-gw/shell/probe_path.h"

#include "common/io/clock.h"
#include "common/registry/measures.h"
#include "common/settings/file.h"
#include "sensors-gw/drivers/serial.h"
#include "sensors-gw/shell/glimpse.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { START_SIZE = 32768, RADAR_BAUD = 256000, EXIT_NOTHING = 1 };

static enum err open_path(const char *path, int *fd, struct problem *problem) {
    struct stat about;
    if (stat(path, &about) == 0 && S_ISCHR(about.st_mode)) {
        // A port: raw, at the speed of the radar. What is no serial line is opened as it is.
        struct problem no_line;
        if (!serial_open(path, RADAR_BAUD, fd, &no_line)) return ERR_NONE;
    }
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return *fd >= 0 ? ERR_NONE : problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
}

/// What comes until there is enough, the end, or the time is over.
static size_t listen_for(int fd, uint64_t seconds, uint8_t start[START_SIZE]) {
    uint64_t end_ms = clock_monotonic_ms() + seconds * 1000, now_ms;
    size_t size = 0;
    while (size < START_SIZE && (now_ms = clock_monotonic_ms()) < end_ms) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, (int)(end_ms - now_ms)) <= 0) continue;
        ssize_t got = read(fd, start + size, START_SIZE - size);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
        if (got > 0) size += (size_t)got;
    }
    return size;
}

/// The beginning of what was packed; what is not gzip stays.
static struct bytes unpacked(struct bytes start, uint8_t room[START_SIZE]) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)start.data,
                       .avail_in = (uInt)start.size,
                       .next_out = room,
                       .avail_out = START_SIZE};
    bool gzip = start.size > 2 && start.data[0] == 0x1f && start.data[1] == 0x8b;
    if (!gzip || inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return start;
    (void)inflate(&stream, Z_SYNC_FLUSH);
    (void)inflateEnd(&stream);
    return (struct bytes){room, START_SIZE - stream.avail_out};
}

int probe_path(const char *path, const char *config_dir, uint64_t seconds) {
    static uint8_t raw[START_SIZE], room[START_SIZE];
    static struct problems ignored; // without measures.yaml JSON lines are told of without units
    struct measure_catalogue catalogue = {0};
    struct problem problem;
    char file[512];
    int fd;
    if (open_path(path, &fd, &problem)) {
        fprintf(stderr, "%s\n", problem.text);
        return EXIT_NOTHING;
    }
    struct bytes start = unpacked((struct bytes){raw, listen_for(fd, seconds, raw)}, room);
    close(fd);
    if (!start.size) {
        printf("%s: nothing came within %llu s\n", path, (unsigned long long)seconds);
        return EXIT_NOTHING;
    }
    struct recognised is = recognise(start);
    printf("%s: %s\n", path, is.form);
    if (path_join(config_dir, "measures.yaml", file, sizeof file, &ignored))
        (void)measures_load(file, &catalogue, &ignored);
    glimpse_print(start, &is, &catalogue.measures, stdout);
    measures_free(&catalogue);
    if (!is.driver) return EXIT_NOTHING;
    printf("read by the driver %s; its settings: tresen-gateway drivers %s\n"
           "with them in a gateway's file: tresen-gateway probe --config FILE\n",
           is.driver, is.driver);
    return 0;
}
