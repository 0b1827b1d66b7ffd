// A publication changes nothing that has begun, wherever on earth.

#include "ops/ctl/edition_days.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <limits.h>
#include <string.h>

static const int64_t always[] = {INT64_MIN};
// 2024-10-27, 01:00 UTC: Berlin's clocks go back.
static const int64_t berlin_changes[] = {INT64_MIN, INT64_C(1729990800000)};
static const int32_t east_s[] = {14 * 3600}, west_s[] = {-12 * 3600}, berlin_s[] = {7200, 3600};

static struct branch items[] = {
    {.zone = {1, always, east_s}},
    {.zone = {1, always, west_s}},
    {.zone = {2, berlin_changes, berlin_s}},
};
enum { EAST, WEST, BERLIN, COUNT };
static const struct branches all = {.count = COUNT, .items = items};
static const struct branches only_berlin = {.count = 1, .items = &items[BERLIN]};

static int64_t utc(const char *text) {
    int64_t at_ms;
    cr_assert(eq(int, time_parse(text, strlen(text), &at_ms), ERR_NONE));
    return at_ms;
}

Test(edition_days, the_first_day_has_begun_nowhere) {
    int64_t noon_ms = utc("2026-11-28T12:00:00Z"); // in the east it is the 29th, 02:00
    cr_assert(eq(i32, edition_today(&items[EAST], noon_ms), 20261129));
    cr_assert(eq(i32, edition_today(&items[WEST], noon_ms), 20261128));
    cr_assert(eq(i32, edition_first_day(&all, noon_ms), 20261130));
    cr_assert(eq(i32, edition_first_day(&only_berlin, noon_ms), 20261129));
}

// Until the last worker has taken it up, encounters go on to begin.
Test(edition_days, shortly_before_midnight_the_next_day_has_as_good_as_begun) {
    cr_assert(eq(i32, edition_first_day(&only_berlin, utc("2026-11-28T22:49:59Z")), 20261129));
    cr_assert(eq(i32, edition_first_day(&only_berlin, utc("2026-11-28T22:50:00Z")), 20261130));
    cr_assert(eq(i32, edition_first_day(&only_berlin, utc("2026-12-31T22:50:00Z")), 20270102));
}

// The day of 25 hours: at its end, adding 24 would still be the same day.
Test(edition_days, a_day_of_25_hours_is_one_day) {
    int64_t morning_ms = utc("2024-10-26T22:05:00Z"); // the 27th, 00:05
    cr_assert(eq(i32, edition_today(&items[BERLIN], morning_ms), 20241027));
    cr_assert(eq(i32, edition_first_day(&only_berlin, morning_ms), 20241028));
}

Test(edition_days, what_is_kept_is_what_any_branch_may_still_ask_for) {
    int64_t noon_ms = utc("2026-11-28T12:00:00Z");
    cr_assert(eq(i32, edition_oldest_day(&all, noon_ms, 90), 20260830));
    int64_t morning_ms = utc("2026-11-28T10:00:00Z"); // in the west it is still the 27th
    cr_assert(eq(i32, edition_oldest_day(&all, morning_ms, 1), 20261126));
    cr_assert(eq(i32, edition_oldest_day(&only_berlin, morning_ms, 1), 20261127));
}

// Ten years of hours: it has begun nowhere, and the day before it somewhere, or in ten minutes.
Test(edition_days, no_hour_of_ten_years_reaches_into_the_past) {
    for (int64_t at_ms = utc("2020-01-01T00:07:00Z"); at_ms < utc("2030-01-01T00:00:00Z");
         at_ms += HOUR_MS) {
        int32_t day = edition_first_day(&all, at_ms);
        bool yesterday = false;
        for (size_t i = 0; i < COUNT; i++) {
            struct local_time local = zone_local(&items[i].zone, at_ms);
            int32_t here = local.year * 10000 + local.month * 100 + local.day;
            cr_assert(gt(i32, day, here));
            cr_assert(gt(i32, day, edition_today(&items[i], at_ms)));
            yesterday |= day_after(edition_today(&items[i], at_ms)) == day;
        }
        cr_assert(yesterday);
    }
}

static struct standard_set sets[] = {{.hash = {1}}, {.hash = {2}}};

// From the day that --from leaves away nothing that has begun changes; from today on something
// does.
Test(edition_days, only_days_that_have_begun_and_are_kept_are_compared) {
    int64_t noon_ms = utc("2026-11-28T12:00:00Z");
    struct dated_set before_sets[] = {{0, &sets[0]}};
    struct standards_plan before = {1, before_sets};
    const struct {
        int32_t from, oldest, change;
    } cases[] = {
        {20261129, 20260830, INT32_MAX}, // tomorrow
        {20261128, 20260830, 20261128},  // today
        {20261101, 20260830, 20261101},
        {20250101, 20260830, 20260830}, // what is older nobody judges again
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dated_set after_sets[] = {{0, &sets[0]}, {cases[i].from, &sets[1]}};
        struct standards_plan after = {2, after_sets};
        cr_assert(eq(i32,
                     edition_past_change(&before, &after, &items[BERLIN], noon_ms, cases[i].oldest),
                     cases[i].change),
                  "%zu", i);
    }
}
