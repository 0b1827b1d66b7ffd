#include "common/io/clock.h"
#include "common/io/log.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];
static char written[65536];

static void log_into_pipe(uint32_t lines_max, bool priority) {
    cr_assert(eq(int, pipe(ends), 0));
    log_setup(&(struct log_settings){.least = LOG_LEVEL_INFO,
                                     .fd = ends[1],
                                     .priority = priority,
                                     .lines_max = lines_max,
                                     .window_ms = 1000000});
}

static const char *take(void) {
    ssize_t size = read(ends[0], written, sizeof written - 1);
    written[size > 0 ? size : 0] = '\0';
    char *from = strstr(written, "level=");
    return from ? from : written;
}

Test(log, a_line_is_level_event_and_fields) {
    log_into_pipe(100, false);
    log_info("batch_applied", "gateway=%s number=%" PRIu64 " took_ms=%.2f size=%zu", "desk",
             UINT64_C(9007199254740991), 1.5, (size_t)7);
    cr_assert(eq(str, (char *)take(),
                 "level=info event=batch_applied gateway=desk number=9007199254740991 took_ms=1.50 "
                 "size=7\n"));
    log_error("gone");
    cr_assert(eq(str, (char *)take(), "level=error event=gone\n"));
    const char *volatile nothing = NULL;
    log_warning("mixed", "at=%s:%d hex=%04x left=%-3d| part=%.*s percent=%d%% nothing=%s", "a", -1,
                0xabu, 5, 2, "xyz", 50, nothing);
    cr_assert(eq(str, (char *)take(),
                 "level=warning event=mixed at=a:-1 hex=00ab left=\"5  |\" part=xy percent=50% "
                 "nothing=\"\"\n"));
}

// Gateways choose some of these bytes: none may forge a line, a field or obey a terminal.
Test(log, no_value_can_begin_a_line_or_a_field) {
    log_into_pipe(100, false);
    log_info("refused", "who=%s key=%s", "x\r\nlevel=error event=fire", "a b=\"c\\");
    cr_assert(eq(str, (char *)take(),
                 "level=info event=refused who=\"x\\r\\nlevel=error event=fire\" "
                 "key=\"a b=\\\"c\\\\\"\n"));
    log_info("bytes", "a=%s b=%s c=%s d=%s", "\x1b[2J",
             "Stra\xc3\x9f"
             "e",
             "\xc2\x9b", "\xc3");
    cr_assert(eq(str, (char *)take(),
                 "level=info event=bytes a=\"\\x1b[2J\" b=\"Stra\xc3\x9f"
                 "e\" c=\"\\xc2\\x9b\" d=\"\\xc3\"\n"));
}

Test(log, a_long_value_is_cut_and_the_line_still_ends) {
    log_into_pipe(100, false);
    static char text[10000];
    memset(text, '\n', sizeof text - 1);
    log_info("long", "a=%s b=%s c=%s d=%s", text, text, text, text);
    const char *line = take();
    size_t size = strlen(line);
    cr_assert(lt(sz, size, 4200));
    cr_assert(eq(ptr, strchr(line, '\n'), (char *)line + size - 1));
}

Test(log, more_lines_of_an_event_than_allowed_are_not_written) {
    log_into_pipe(2, false);
    for (int i = 0; i < 5; i++)
        log_info("often", "i=%d", i);
    log_info("other");
    take();
    cr_assert(strstr(written, "event=often i=1\n") && strstr(written, "event=other\n"));
    cr_assert(eq(ptr, strstr(written, "i=2"), NULL));
}

Test(log, the_next_line_says_how_many_were_left_out) {
    log_into_pipe(1, false);
    log_setup(&(struct log_settings){
        .least = LOG_LEVEL_INFO, .fd = ends[1], .lines_max = 1, .window_ms = 5});
    uint64_t end_ms = clock_monotonic_ms() + 5000;
    log_info("often");
    cr_assert(eq(ptr, strstr(take(), "left_out"), NULL));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (clock_monotonic_ms() < end_ms) {
        log_info("often");
        if (strstr(take(), "event=often left_out=")) return;
    }
    cr_assert(false, "no line said what was left out");
}

Test(log, lines_below_the_least_level_are_not_written) {
    log_into_pipe(100, false);
    log_debug("quiet");
    log_info("loud");
    cr_assert(eq(str, (char *)take(), "level=info event=loud\n"));
}

Test(log, the_journal_gets_priorities_and_no_time) {
    log_into_pipe(100, true);
    log_error("broken");
    take();
    cr_assert(eq(str, written, "<3>level=error event=broken\n"));

    struct stat status;
    char stream[64];
    cr_assert(eq(int, fstat(STDERR_FILENO, &status), 0));
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    cr_assert(log_settings_default().priority);
    setenv("JOURNAL_STREAM", "1:2", 1);
    cr_assert(not(log_settings_default().priority));
}
