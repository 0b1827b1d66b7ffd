#include "common/registry/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP_S = 86400, TRANSITIONS_MAX = 1024 };

/// Letters, digits, _ + - and / between parts; so the name stays inside the zones' folder.
static bool name_ok(const char *name) {
    size_t size = strlen(name);
    if (!size || size >= ZONE_NAME_SIZE) return false;
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    return strspn(name, allowed) == size && *name != '/' && name[size - 1] != '/' &&
           !strstr(name, "//");
}

/// libc takes an unknown zone for UTC without a word: look whether it has a file for it.
static bool is_known(const char *name) {
    const char *folder = getenv("TZDIR");
    char path[512], magic[4];
    int written = snprintf(path, sizeof path, "%s/%s",
                           folder && *folder ? folder : "/usr/share/zoneinfo", name);
    if (written < 0 || (size_t)written >= sizeof path) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool known = read(fd, magic, sizeof magic) == (ssize_t)sizeof magic &&
                 memcmp(magic, "TZif", sizeof magic) == 0;
    close(fd);
    return known;
}

static int32_t offset_at(int64_t at_s) {
    time_t at = (time_t)at_s;
    struct tm local;
    return localtime_r(&at, &local) ? (int32_t)local.tm_gmtoff : 0;
}

/// The first second with the offset of `to`, where from and to have different ones.
static int64_t change_between(int64_t from, int64_t to) {
    int32_t before = offset_at(from);
    while (to - from > 1) {
        int64_t middle = from + (to - from) / 2;
        if (offset_at(middle) == before)
            from = middle;
        else
            to = middle;
    }
    return to;
}

/// All changes of the zone that TZ names; the number of entries, or 0: too many.
static size_t sample(int64_t *transitions_ms, int32_t *offsets_s) {
    size_t count = 1;
    transitions_ms[0] = INT64_MIN;
    offsets_s[0] = offset_at(0);
    for (int64_t at = 0; at < TIME_LAST / 1000; at += STEP_S) {
        int64_t from = at, to = at + STEP_S;
        while (offset_at(to) != offsets_s[count - 1]) { // a day may have two changes
            if (count == TRANSITIONS_MAX) return 0;
            int64_t change = change_between(from, to);
            transitions_ms[count] = change * 1000;
            offsets_s[count] = offset_at(change);
            from = change;
            count++;
        }
    }
    return count;
}

/// Run with TZ set to the zone, and leave it as it was.
static size_t sample_zone(const char *name, int64_t *transitions_ms, int32_t *offsets_s) {
    const char *set = getenv("TZ");
    char *before = set ? strdup(set) : NULL, wanted[ZONE_NAME_SIZE + 1];
    snprintf(wanted, sizeof wanted, ":%s", name);
    size_t count = 0;
    if ((!set || before) && setenv("TZ", wanted, 1) == 0) {
        tzset();
        count = sample(transitions_ms, offsets_s);
        if (before ? setenv("TZ", before, 1) : unsetenv("TZ")) count = 0;
        tzset();
    }
    free(before);
    return count;
}

enum err zone_load(const char *name, struct zone *zone, struct problem *problem) {
    if (!name_ok(name))
        return problem_set(problem, ERR_FORMAT,
                           "'%.64s' is not a time zone's name; write one such as Europe/Berlin",
                           name);
    if (!is_known(name))
        return problem_set(problem, ERR_MISSING,
                           "this machine knows no time zone '%s'; check its spelling, or install "
                           "tzdata",
                           name);
    int64_t *transitions_ms = calloc(TRANSITIONS_MAX, sizeof *transitions_ms);
    int32_t *offsets_s = calloc(TRANSITIONS_MAX, sizeof *offsets_s);
    size_t count = 0;
    if (transitions_ms && offsets_s) count = sample_zone(name, transitions_ms, offsets_s);
    if (!count) {
        free(transitions_ms);
        free(offsets_s);
        return problem_set(problem, ERR_NOMEM, "out of memory for time zone '%s'", name);
    }
    *zone = (struct zone){count, transitions_ms, offsets_s};
    return ERR_NONE;
}

void zone_free(struct zone *zone) {
    free((void *)zone->transitions_ms);
    free((void *)zone->offsets_s);
    *zone = (struct zone){0};
}
