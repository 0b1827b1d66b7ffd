// A recording of any bytes: the driver (FUZZED_DRIVER, or its format) plays it to its end or says why not, and a
// restart from a cursor after every few turns gives the same.

#include "tests/unit/drivers/stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/// The seeds are cut from ops/day; so are the columns.
static const struct {
    const char *driver, *entry;
} entries[] = {
    {"queue", "driver: queue\npath: %s\nkey: [date, ticket]\ndate: date\nissued: [printed]\n"
              "called: [called]\nstarted: [began]\nended: [done]\nleft: [left]\n"
              "outcome: {column: result, map: {DONE: normal, TRANSFER: transferred,"
              " LEFT: abandoned, NOSHOW: no_show}}\ncounter: {column: desk, map: {1: desk-1}}\n"
              "offering: {column: queue}\nlanguage: {column: language}\nemployee: clerk\n"},
    {"tracks", "driver: tracks\npath: %s\nstart: 2026-11-23T09:00:00\ncounters:\n"
               "  - {counter: desk-1, x: 0, y: 0, reach: 2.2,"
               " employee_zone: {x: 0, y: -0.5, radius: 0.4}}\n"},
    {"jsonl", "driver: jsonl\npath: %s\ndesk_prefix: desk-\ncounter: desk-4\n"},
    {"vision", "driver: vision\npath: %s\nformat: pyfeat\nrate_hz: 2\ncounter: desk-1\n"
               "start: 2026-11-23T09:00:00\n"},
    {"openface", "driver: vision\npath: %s\nformat: openface\ncounter: desk-1\ncheeks_too: true\n"
                 "start: 2026-11-23T09:00:00\n"},
    {"mediapipe", "driver: vision\npath: %s\nformat: mediapipe\ncounter: desk-1\n"
                  "start: 2026-11-23T09:00:00\n"},
    {"form", "driver: form\npath: %s\ncounter: desk\ncounter_prefix: desk-\nsure: sure\n"
             "answers:\n  - {column: badge, measure: appearance.badge, values: {yes: 1, no: 0}}\n"
             "  - {column: tidy, measure: appearance.tidiness}\n"},
};

static struct played play(const char *path, uint32_t restart_every) {
    struct play options = {.budget = 8, .restart_every = restart_every};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (strcmp(entries[i].driver, FUZZED_DRIVER) == 0)
            return stage_play(&options, entries[i].entry, path);
    assert(!"an entry for this driver");
    return (struct played){0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("fuzzed", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    struct played whole = play(path, 0), parts = play(path, 2);
    assert(whole.err == ERR_END || whole.problem.text[0]);
    assert(whole.err == parts.err);
    if (whole.err == ERR_END) assert(strcmp(whole.facts, parts.facts) == 0);
    played_free(&whole);
    played_free(&parts);
    return 0;
}
