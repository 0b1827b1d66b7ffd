#include "sensors-gw/drivers/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static enum err not_opened(struct feed *feed, const char *name, const char *what,
                           struct problem *problem) {
    enum err err = errno == ENOENT ? ERR_MISSING : ERR_IO;
    problem_set(problem, err, "%s: %s: %s", name, what, strerror(errno));
    feed_close(feed);
    return err;
}

enum err feed_open_pipe(struct feed *feed, const char *path, struct problem *problem) {
    *feed = FEED_CLOSED;
    // A fifo opened for reading and writing stays open while its writers come and go.
    if (strcmp(path, "-") == 0)
        feed->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        feed->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (feed->fd < 0) return not_opened(feed, path, "cannot be opened", problem);
    int flags = fcntl(feed->fd, F_GETFL);
    if (flags < 0 || fcntl(feed->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return not_opened(feed, path, "cannot be made non-blocking", problem);
    return ERR_NONE;
}

// In the child: its own process group, so that feed_close ends the shell and what it started.
static _Noreturn void run(const char *command, int out) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    dup2(out, STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

enum err feed_open_command(struct feed *feed, const char *command, struct problem *problem) {
    int ends[2];
    *feed = FEED_CLOSED;
    if (pipe2(ends, O_CLOEXEC) != 0) return not_opened(feed, command, "no pipe", problem);
    feed->fd = ends[0];
    feed->child = fork();
    if (feed->child == 0) run(command, ends[1]);
    close(ends[1]);
    if (feed->child < 0) {
        feed->child = 0;
        return not_opened(feed, command, "cannot be started", problem);
    }
    setpgid(feed->child, feed->child); // here too: whoever comes first
    if (fcntl(feed->fd, F_SETFL, O_NONBLOCK) != 0)
        return not_opened(feed, command, "cannot be made non-blocking", problem);
    return ERR_NONE;
}

void feed_close(struct feed *feed) {
    int saved = errno;
    if (feed->fd >= 0) close(feed->fd);
    if (feed->child > 0) {
        kill(-feed->child, SIGKILL);
        while (waitpid(feed->child, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    *feed = FEED_CLOSED;
    errno = saved;
}

enum err feed_read(struct feed *feed, void *to, size_t room, size_t *got) {
    ssize_t count;
    do
        count = read(feed->fd, to, room);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_AGAIN : ERR_IO;
    *got = (size_t)count;
    return count > 0 ? ERR_NONE : ERR_END;
}

enum err feed_exit_status(struct feed *feed, int *status) {
    if (feed->child > 0) {
        pid_t pid = waitpid(feed->child, &feed->exit_status, WNOHANG);
        if (pid == 0 || (pid < 0 && errno == EINTR)) return ERR_AGAIN;
        feed->child = 0;
    }
    *status = WIFSIGNALED(feed->exit_status) ? 128 + WTERMSIG(feed->exit_status)
                                             : WEXITSTATUS(feed->exit_status);
    return ERR_NONE;
}
