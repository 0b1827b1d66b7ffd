#include "sensors-gw/drivers/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

struct lines {
    char *name;  // for sentences
    gzFile file; // a file; NULL: a pipe
    int fd;      // a pipe; -1: a file
    pid_t child; // of a command; 0: none, or ended
    int exit_status;
    int64_t bytes; // size of the file
    uint64_t number;
    size_t line_max;
    size_t at, end; // unread part of buffer
    bool ended;     // nothing more comes into the buffer
    bool skipping;  // inside a line that was too long
    char buffer[];  // line_max + 1 for the zero behind a last line without end
};

static struct lines *lines_new(const char *name, size_t line_max) {
    struct lines *lines = calloc(1, sizeof *lines + line_max + 1);
    if (!lines) return NULL;
    lines->fd = -1;
    lines->line_max = line_max;
    lines->name = strdup(name);
    if (lines->name) return lines;
    free(lines);
    return NULL;
}

static enum err not_opened(struct lines *lines, const char *what, struct problem *problem) {
    enum err err = errno == ENOENT ? ERR_MISSING : ERR_IO;
    problem_set(problem, err, "%s: %s: %s", lines->name, what, strerror(errno));
    lines_close(lines);
    return err;
}

enum err lines_open_file(const char *path, size_t line_max, struct lines **lines_out,
                         struct problem *problem) {
    struct stat status;
    struct lines *lines = lines_new(path, line_max);
    if (!lines) return ERR_NOMEM;
    if (stat(path, &status) != 0) return not_opened(lines, "cannot be read", problem);
    lines->bytes = status.st_size;
    lines->file = gzopen(path, "rbe");
    if (!lines->file) return not_opened(lines, "cannot be opened", problem);
    *lines_out = lines;
    return ERR_NONE;
}

enum err lines_open_pipe(const char *path, size_t line_max, struct lines **lines_out,
                         struct problem *problem) {
    struct lines *lines = lines_new(path, line_max);
    if (!lines) return ERR_NOMEM;
    // A fifo opened for reading and writing stays open while its writers come and go.
    if (strcmp(path, "-") == 0)
        lines->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        lines->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (lines->fd < 0) return not_opened(lines, "cannot be opened", problem);
    int flags = fcntl(lines->fd, F_GETFL);
    if (flags < 0 || fcntl(lines->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return not_opened(lines, "cannot be made non-blocking", problem);
    *lines_out = lines;
    return ERR_NONE;
}

// In the child: its own process group, so that lines_close ends the shell and what it started.
static _Noreturn void run(const char *command, int out) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    dup2(out, STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

enum err lines_open_command(const char *command, size_t line_max, struct lines **lines_out,
                            struct problem *problem) {
    int ends[2];
    struct lines *lines = lines_new(command, line_max);
    if (!lines) return ERR_NOMEM;
    if (pipe2(ends, O_CLOEXEC) != 0) return not_opened(lines, "no pipe", problem);
    lines->fd = ends[0];
    lines->child = fork();
    if (lines->child == 0) run(command, ends[1]);
    close(ends[1]);
    if (lines->child < 0) {
        lines->child = 0;
        return not_opened(lines, "cannot be started", problem);
    }
    setpgid(lines->child, lines->child); // here too: whoever comes first
    if (fcntl(lines->fd, F_SETFL, O_NONBLOCK) != 0)
        return not_opened(lines, "cannot be made non-blocking", problem);
    *lines_out = lines;
    return ERR_NONE;
}

void lines_close(struct lines *lines) {
    if (!lines) return;
    if (lines->file) gzclose_r(lines->file);
    if (lines->fd >= 0) close(lines->fd);
    if (lines->child > 0) {
        kill(-lines->child, SIGKILL);
        while (waitpid(lines->child, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    free(lines->name);
    free(lines);
}

// Put more bytes behind the unread ones. ERR_END: there are none.
static enum err fill(struct lines *lines, struct problem *problem) {
    memmove(lines->buffer, lines->buffer + lines->at, lines->end - lines->at);
    lines->end -= lines->at;
    lines->at = 0;
    char *to = lines->buffer + lines->end;
    size_t room = lines->line_max - lines->end;
    ssize_t got;
    if (lines->file) {
        got = gzread(lines->file, to, (unsigned)room);
        int state = Z_OK;
        const char *why = gzerror(lines->file, &state);
        // A cut gzip file is an end for gzread, but an error all the same.
        if (got < 0 || (got == 0 && state != Z_OK && state != Z_STREAM_END))
            return problem_set(problem, ERR_IO, "%s:%llu: cannot be read on: %s", lines->name,
                               (unsigned long long)lines->number + 1, why);
    } else {
        do
            got = read(lines->fd, to, room);
        while (got < 0 && errno == EINTR);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return ERR_AGAIN;
        if (got < 0) return problem_set(problem, ERR_IO, "%s: %s", lines->name, strerror(errno));
    }
    if (got == 0) return ERR_END;
    lines->end += (size_t)got;
    return ERR_NONE;
}

// Cut the line of `size` bytes off the front; its end takes `end_size` more.
static void cut(struct lines *lines, size_t size, size_t end_size, struct line *line) {
    char *text = lines->buffer + lines->at;
    lines->at += size + end_size;
    if (size > 0 && text[size - 1] == '\r') size--;
    text[size] = '\0';
    *line = (struct line){text, size, lines->number};
}

enum err lines_next(struct lines *lines, struct line *line, struct problem *problem) {
    for (;;) {
        char *from = lines->buffer + lines->at;
        size_t left = lines->end - lines->at;
        char *end = left > 0 ? memchr(from, '\n', left) : NULL;
        if (end && lines->skipping) {
            lines->skipping = false;
            lines->at += (size_t)(end - from) + 1;
            continue;
        }
        if (lines->skipping) lines->at = lines->end, left = 0;
        if (end) {
            lines->number++;
            cut(lines, (size_t)(end - from), 1, line);
            return ERR_NONE;
        }
        if (lines->ended) {
            if (left == 0) return ERR_END;
            lines->number++;
            cut(lines, left, 0, line);
            return ERR_NONE;
        }
        if (left == lines->line_max) {
            lines->number++;
            cut(lines, left, 0, line);
            lines->skipping = true;
            return ERR_RANGE;
        }
        enum err err = fill(lines, problem);
        if (err == ERR_END)
            lines->ended = true;
        else if (err)
            return err;
    }
}

enum err lines_exit_status(struct lines *lines, int *status) {
    if (lines->child > 0) {
        pid_t pid = waitpid(lines->child, &lines->exit_status, WNOHANG);
        if (pid == 0 || (pid < 0 && errno == EINTR)) return ERR_AGAIN;
        lines->child = 0;
    }
    *status = WIFSIGNALED(lines->exit_status) ? 128 + WTERMSIG(lines->exit_status)
                                              : WEXITSTATUS(lines->exit_status);
    return ERR_NONE;
}

int lines_fd(const struct lines *lines) {
    return lines->fd;
}

uint32_t lines_permille(const struct lines *lines) {
    if (!lines->file || lines->bytes <= 0) return 0;
    int64_t read_bytes = gzoffset(lines->file);
    if (lines->ended || read_bytes >= lines->bytes) return 1000;
    return read_bytes < 0 ? 0 : (uint32_t)(read_bytes * 1000 / lines->bytes);
}
