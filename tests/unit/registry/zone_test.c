#include "common/registry/zone.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <time.h>

static struct problem problem;

static struct zone load(const char *name) {
    struct zone zone;
    cr_assert(eq(int, zone_load(name, &zone, &problem), ERR_NONE), "%s", problem.text);
    return zone;
}

// The table must say what libc says, at every change and around it.
Test(zone, the_table_agrees_with_libc) {
    static const char *const names[] = {"Europe/Berlin",     "Asia/Jerusalem", "America/St_Johns",
                                        "Africa/Casablanca", "Asia/Kathmandu", "UTC"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct zone zone = load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (size_t k = 1; k < zone.count; k++) {
            cr_assert(ne(i32, zone.offsets_s[k], zone.offsets_s[k - 1]));
            for (int64_t off_s = -1; off_s <= 0; off_s++) {
                time_t at = (time_t)(zone.transitions_ms[k] / 1000 + off_s);
                struct tm local;
                localtime_r(&at, &local);
                cr_assert(eq(i64, local.tm_gmtoff, zone.offsets_s[off_s ? k - 1 : k]));
            }
        }
        for (int64_t at_ms = 0; at_ms < TIME_LAST; at_ms += 987654321) {
            time_t at = (time_t)(at_ms / 1000);
            struct tm local;
            localtime_r(&at, &local);
            struct local_time ours = zone_local(&zone, at_ms);
            cr_assert(eq(int, ours.year, local.tm_year + 1900));
            cr_assert(eq(int, ours.month, local.tm_mon + 1));
            cr_assert(eq(int, ours.day, local.tm_mday));
            cr_assert(eq(int, ours.hour, local.tm_hour));
            cr_assert(eq(int, ours.weekday, (local.tm_wday + 6) % 7));
        }
        zone_free(&zone);
    }
}

// Berlin put its clocks forward on 2026-03-29 at 01:00 UTC and back on 2026-10-25 at 01:00 UTC.
Test(zone, known_changes_are_there) {
    struct zone zone = load("Europe/Berlin");
    cr_assert(eq(int, zone_local(&zone, INT64_C(1774745999000)).hour, 1));
    cr_assert(eq(int, zone_local(&zone, INT64_C(1774746000000)).hour, 3));
    cr_assert(eq(int, zone_local(&zone, INT64_C(1792889999000)).hour, 2));
    cr_assert(eq(int, zone_local(&zone, INT64_C(1792890000000)).hour, 2));
    zone_free(&zone);
}

Test(zone, a_zone_without_changes_has_one_entry) {
    struct zone zone = load("UTC");
    cr_assert(eq(sz, zone.count, 1));
    cr_assert(eq(i64, zone.transitions_ms[0], INT64_MIN));
    cr_assert(eq(i32, zone.offsets_s[0], 0));
    zone_free(&zone);
}

Test(zone, the_environment_is_left_as_it_was) {
    setenv("TZ", "Asia/Tokyo", 1);
    struct zone zone = load("Europe/Berlin");
    cr_assert(eq(str, getenv("TZ"), "Asia/Tokyo"));
    zone_free(&zone);
    unsetenv("TZ");
    zone = load("Europe/Berlin");
    cr_assert(eq(ptr, getenv("TZ"), NULL));
    zone_free(&zone);
}

// libc would silently take UTC.
Test(zone, an_unknown_zone_is_an_error) {
    struct zone zone;
    static const char *const malformed[] = {
        "", "../passwd", "/etc/passwd", "Europe/Berlin\n", "CET-1CEST,M3", "tzdata.zi"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        cr_assert(eq(int, zone_load(malformed[i], &zone, &problem), ERR_FORMAT));
    cr_assert(eq(int, zone_load("Europe", &zone, &problem), ERR_MISSING)); // a folder
    cr_assert(eq(int, zone_load("Europe/Musterstadt", &zone, &problem), ERR_MISSING));
    cr_assert(eq(str, problem.text,
                 "this machine knows no time zone 'Europe/Musterstadt'; check its spelling, or "
                 "install tzdata"));
}
