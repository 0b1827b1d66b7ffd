// Drivers at work: who waits for a descriptor is read when something comes on it.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/shell/sensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/// A sensor that is connected anew whenever it is read and nothing has come.
static struct {
    int fd, far; // the driver's end, and ours
    int reads, came, reopened;
} line;

static void connect_line(void) {
    int ends[2];
    if (line.far > 0) close(line.far);
    if (line.fd > 0) close(line.fd);
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0));
    line.fd = ends[0];
    line.far = ends[1];
}

static enum err line_open(void *state, const struct driver_context *context,
                          const struct cursor *cursor, struct problem *out) {
    (void)state, (void)context, (void)cursor, (void)out;
    connect_line();
    return ERR_NONE;
}

static int line_wait_fd(const void *state) {
    (void)state;
    return line.fd;
}

static enum err line_read(void *state, struct driver_turn *turn, struct problem *out) {
    char byte;
    (void)state, (void)out, (void)turn;
    line.reads++;
    if (recv(line.fd, &byte, 1, MSG_DONTWAIT) == 1) {
        line.came++;
    } else if (line.reads > 1) {
        line.reopened++;
        connect_line();
    } else {
        turn->wake_ms = turn->now_ms + 1000;
    }
    return ERR_AGAIN;
}

static void line_close(void *state) {
    (void)state;
}

static const struct driver driver = {.name = "line",
                                     .state_size = 1,
                                     .open = line_open,
                                     .wait_fd = line_wait_fd,
                                     .read = line_read,
                                     .close = line_close};

static char folder[40], path[64];
static struct spool *spool;
static struct batching *batching;
static struct loop *loop;
static struct sensors *sensors;
static struct problem problem;

static void take(void *context, const struct batch *batch) {
    (void)context, (void)batch;
}

static void begin(void) {
    const struct spool_limits spool_limits = {.bytes_max = 1 << 20, .retention_ms = 100000};
    const struct batching_limits limits = {
        .observations_max = 100, .body_max = 8192, .linger_ms = 100};
    const struct driver_entries entries = {1, {{&driver, {"door"}, NULL}}};
    uint64_t damaged;
    strcpy(folder, "/tmp/tresen-sensors-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spool", folder);
    cr_assert(eq(int, spool_open(path, &spool_limits, false, &spool, &damaged, &problem), 0));
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    batching = batching_new(&limits, 1, TIME_NONE, take, NULL);
    enum err err = sensors_new(&entries, &(struct driver_context){0}, spool, batching, loop,
                               &sensors, &problem);
    cr_assert(eq(int, err, ERR_NONE), "%s", problem.text);
}

static void end(void) {
    sensors_free(sensors);
    loop_free(loop);
    batching_free(batching);
    spool_close(spool);
    close(line.far);
    close(line.fd);
    unlink(path);
    rmdir(folder);
}

TestSuite(sensors, .init = begin, .fini = end);

static void turn(uint64_t now_ms) {
    (void)sensors_read(sensors, now_ms, 0, 100);
    sensors_wait(sensors, true);
    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
}

// The poll of the first one was at work when the driver closed it: nothing tells that it is
// another.
Test(sensors, what_comes_on_a_new_descriptor_of_the_same_number_is_read) {
    int fd = line.fd;
    turn(1000);
    turn(2000); // its time has come: it connects anew
    cr_assert(eq(int, line.reopened, 1));
    cr_assert(eq(int, line.fd, fd));
    cr_assert(eq(sz, write(line.far, "x", 1), 1));
    turn(2001);
    turn(2002);
    cr_assert(eq(int, line.came, 1));
}
