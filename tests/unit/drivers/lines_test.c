#include "sensors-gw/drivers/lines.h"
#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lines *lines;
static struct line line;
static struct problem problem;

static void expect(const char *text, uint64_t number) {
    cr_assert(eq(int, lines_next(lines, &line, &problem), ERR_NONE));
    cr_assert(eq(str, line.text, (char *)text));
    cr_assert(eq(u64, line.number, number));
    cr_assert(eq(sz, line.size, strlen(text)));
}

static void expect_err(enum err err) {
    cr_assert(eq(int, lines_next(lines, &line, &problem), err));
}

static void open_text(const char *text, bool gzip, size_t line_max) {
    cr_assert(
        eq(int, lines_open_file(stage_file(text, gzip), line_max, &lines, &problem), ERR_NONE));
}

Test(lines, plain_and_gzip_are_read_alike) {
    for (int gzip = 0; gzip < 2; gzip++) {
        open_text("first\r\n\nthird\nlast", gzip, 16);
        expect("first", 1);
        expect("", 2);
        expect("third", 3);
        expect("last", 4); // a file need not end with a line end
        expect_err(ERR_END);
        expect_err(ERR_END);
        cr_assert(eq(u32, lines_permille(lines), 1000));
        lines_close(lines);
    }
}

// One bad line must neither stop the rest nor take memory.
Test(lines, a_line_that_is_too_long_is_told_and_skipped) {
    open_text("ok\n0123456789abcdefghij\nafter\n0123456789", false, 8);
    expect("ok", 1);
    expect_err(ERR_RANGE);
    cr_assert(eq(u64, line.number, 2));
    cr_assert(eq(str, line.text, "01234567"));
    expect("after", 3);
    expect_err(ERR_RANGE);
    cr_assert(eq(u64, line.number, 4));
    expect_err(ERR_END);
    lines_close(lines);
}

Test(lines, a_cut_gzip_file_is_an_error_that_names_it) {
    char text[20000];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = (char)(i % 50 == 49 ? '\n' : 'a' + (i * i + i / 7) % 26);
    text[sizeof text - 1] = '\0';
    const char *path = stage_file(text, true);
    struct stat status;
    cr_assert(eq(int, stat(path, &status), 0));
    cr_assert(eq(int, truncate(path, status.st_size / 2), 0));
    cr_assert(eq(int, lines_open_file(path, 64, &lines, &problem), ERR_NONE));
    enum err err;
    while (!(err = lines_next(lines, &line, &problem)))
        continue;
    cr_assert(eq(int, err, ERR_IO));
    cr_assert(ne(ptr, strstr(problem.text, path), NULL));
    lines_close(lines);
}

Test(lines, a_file_that_is_not_there_is_named) {
    cr_assert(eq(int, lines_open_file("/nowhere/x.csv", 64, &lines, &problem), ERR_MISSING));
    cr_assert(ne(ptr, strstr(problem.text, "/nowhere/x.csv"), NULL));
}

static void wait_readable(void) {
    struct pollfd fd = {.fd = lines_fd(lines), .events = POLLIN};
    cr_assert(eq(int, poll(&fd, 1, 10000), 1));
}

Test(lines, a_pipe_never_blocks_and_keeps_half_a_line) {
    char path[] = "/tmp/tresen-fifo-XXXXXX";
    cr_assert(ne(ptr, mkdtemp(path), NULL));
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", path);
    cr_assert(eq(int, mkfifo(fifo, 0600), 0));
    cr_assert(eq(int, lines_open_pipe(fifo, 64, &lines, &problem), ERR_NONE));
    expect_err(ERR_AGAIN);
    int out = open(fifo, O_WRONLY);
    cr_assert(eq(int, (int)write(out, "one\nha", 6), 6));
    wait_readable();
    expect("one", 1);
    expect_err(ERR_AGAIN);
    cr_assert(eq(int, (int)write(out, "lf\n", 3), 3));
    wait_readable();
    expect("half", 2);
    close(out);
    expect_err(ERR_AGAIN); // writers come and go
    lines_close(lines);
    unlink(fifo);
    rmdir(path);
}

static enum err next_waiting(void) {
    enum err err;
    while ((err = lines_next(lines, &line, &problem)) == ERR_AGAIN)
        wait_readable();
    return err;
}

Test(lines, a_command_is_read_to_its_end_and_its_status_is_told) {
    int status = -1;
    cr_assert(
        eq(int, lines_open_command("echo one; echo two; exit 3", 64, &lines, &problem), ERR_NONE));
    cr_assert(eq(int, next_waiting(), ERR_NONE));
    cr_assert(eq(str, line.text, "one"));
    cr_assert(eq(int, next_waiting(), ERR_NONE));
    cr_assert(eq(int, next_waiting(), ERR_END));
    while (lines_exit_status(lines, &status) == ERR_AGAIN)
        continue;
    cr_assert(eq(int, status, 3));
    lines_close(lines);
}

Test(lines, closing_ends_a_command_that_would_run_for_ever) {
    cr_assert(
        eq(int, lines_open_command("echo $$; sleep 1000 & wait", 64, &lines, &problem), ERR_NONE));
    cr_assert(eq(int, next_waiting(), ERR_NONE));
    lines_close(lines); // returns only when the child has been waited for
}
