#include "sensors-gw/drivers/lines.h"

#include "sensors-gw/drivers/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

struct lines {
    char *name;       // for sentences
    gzFile file;      // a file; NULL: a pipe
    struct feed feed; // a pipe or a command
    int64_t bytes;    // size of the file
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
    lines->feed = FEED_CLOSED;
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

static enum err opened(enum err err, struct lines *lines, struct lines **lines_out) {
    if (err)
        lines_close(lines);
    else
        *lines_out = lines;
    return err;
}

enum err lines_open_pipe(const char *path, size_t line_max, struct lines **lines_out,
                         struct problem *problem) {
    struct lines *lines = lines_new(path, line_max);
    if (!lines) return ERR_NOMEM;
    return opened(feed_open_pipe(&lines->feed, path, problem), lines, lines_out);
}

enum err lines_open_command(const char *command, size_t line_max, struct lines **lines_out,
                            struct problem *problem) {
    struct lines *lines = lines_new(command, line_max);
    if (!lines) return ERR_NOMEM;
    return opened(feed_open_command(&lines->feed, command, problem), lines, lines_out);
}

void lines_close(struct lines *lines) {
    if (!lines) return;
    if (lines->file) gzclose_r(lines->file);
    feed_close(&lines->feed);
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
    size_t got = 0;
    if (lines->file) {
        int state = Z_OK, count = gzread(lines->file, to, (unsigned)room);
        const char *why = gzerror(lines->file, &state);
        // A cut gzip file is an end for gzread, but an error all the same.
        if (count < 0 || (count == 0 && state != Z_OK && state != Z_STREAM_END))
            return problem_set(problem, ERR_IO, "%s:%llu: cannot be read on: %s", lines->name,
                               (unsigned long long)lines->number + 1, why);
        if (count == 0) return ERR_END;
        got = (size_t)count;
    } else {
        enum err err = feed_read(&lines->feed, to, room, &got);
        if (err == ERR_IO)
            return problem_set(problem, ERR_IO, "%s: %s", lines->name, strerror(errno));
        if (err) return err;
    }
    lines->end += got;
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
    return feed_exit_status(&lines->feed, status);
}

int lines_fd(const struct lines *lines) {
    return lines->feed.fd;
}

uint32_t lines_permille(const struct lines *lines) {
    if (!lines->file || lines->bytes <= 0) return 0;
    int64_t read_bytes = gzoffset(lines->file);
    if (lines->ended || read_bytes >= lines->bytes) return 1000;
    return read_bytes < 0 ? 0 : (uint32_t)(read_bytes * 1000 / lines->bytes);
}
