#pragma once
// Entries of a gateway's `drivers:` for the fuzzed drivers; %s is the file of fuzzed bytes. Only
// tests/fuzz reads it.

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
    {"decisions", "driver: decisions\npath: %s\nfollow: false\n"},
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

/// The path of a file in memory that holds these bytes from now on; always the same one.
static inline const char *fuzzed_file(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("fuzzed", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    return path;
}
