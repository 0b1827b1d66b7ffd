#include "sensors-gw/drivers/serial.h"

// Linux' own termios, which knows speeds as numbers; it cannot be included beside <termios.h>.
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int configure(int fd, unsigned baud) {
    struct termios2 line;
    if (ioctl(fd, TCGETS2, &line) != 0) return -1;
    line.c_iflag = 0;
    line.c_oflag = 0;
    line.c_lflag = 0;
    line.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | BOTHER << IBSHIFT;
    line.c_ispeed = line.c_ospeed = baud;
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    return ioctl(fd, TCSETS2, &line);
}

enum err serial_open(const char *path, unsigned baud, int *fd, struct problem *problem) {
    int opened = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (opened < 0)
        return problem_set(problem, errno == ENOENT ? ERR_MISSING : ERR_IO,
                           "%s: cannot be opened: %s", path, strerror(errno));
    if (configure(opened, baud) != 0) {
        enum err err = problem_set(problem, ERR_IO, "%s: cannot be set to %u baud: %s", path, baud,
                                   strerror(errno));
        close(opened);
        return err;
    }
    *fd = opened;
    return ERR_NONE;
}
