#include "common/domain/time.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <time.h>

// Berlin's two changes of 2026: 29 March 01:00 UTC, 25 October 01:00 UTC.
#define SUMMER INT64_C(1774746000000)
#define WINTER INT64_C(1792890000000)
static const int64_t transitions[] = {INT64_MIN, SUMMER, WINTER};
static const int32_t offsets[] = {3600, 7200, 3600};
static const struct zone berlin = {3, transitions, offsets};

static int64_t parsed(const char *text) {
    int64_t at_ms = TIME_NONE;
    cr_assert(eq(int, time_parse(text, strlen(text), &at_ms), ERR_NONE), "%s", text);
    return at_ms;
}

Test(time, the_calendar_is_that_of_libc) {
    static const int64_t utc_transition = INT64_MIN;
    static const int32_t utc_offset = 0;
    const struct zone utc = {1, &utc_transition, &utc_offset};
    for (int64_t at_ms = 0; at_ms <= TIME_LAST; at_ms += INT64_C(40) * HOUR_MS + 61001) {
        time_t seconds = (time_t)(at_ms / 1000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        struct local_time local = zone_local(&utc, at_ms);
        cr_assert(eq(i32, local.year, tm.tm_year + 1900));
        cr_assert(eq(int, local.month, tm.tm_mon + 1));
        cr_assert(eq(int, local.day, tm.tm_mday));
        cr_assert(eq(int, local.hour, tm.tm_hour));
        cr_assert(eq(int, local.minute, tm.tm_min));
        cr_assert(eq(int, local.weekday, (tm.tm_wday + 6) % 7));
        cr_assert(
            eq(i64, zone_instant(&utc, local.year, local.month, local.day, at_ms % DAY_MS), at_ms));
        char text[TIME_TEXT_SIZE];
        time_text(at_ms, text);
        cr_assert(eq(i64, parsed(text), at_ms));
    }
}

Test(zone, hour_and_day_are_local) {
    char day[DAY_TEXT_SIZE], hour[HOUR_TEXT_SIZE];
    int64_t at_ms = parsed("2026-07-01T22:30:00Z");
    time_day_text(&berlin, at_ms, day);
    time_hour_text(&berlin, at_ms, hour);
    cr_assert(eq(str, day, "2026-07-02"));
    cr_assert(eq(str, hour, "2026-07-02T00"));
    cr_assert(eq(int, zone_local(&berlin, SUMMER - 1).hour, 1));
    cr_assert(eq(int, zone_local(&berlin, SUMMER).hour, 3));
    cr_assert(eq(int, zone_local(&berlin, WINTER - 1).hour, 2));
    cr_assert(eq(int, zone_local(&berlin, WINTER).hour, 2));
}

Test(zone, a_gap_is_read_later_and_a_fold_earlier) {
    int64_t half_past_two = 2 * HOUR_MS + 30 * MINUTE_MS;
    // 02:30 does not exist on 29 March: winter time's reading is the later one, 03:30 summer time.
    cr_assert(eq(i64, zone_instant(&berlin, 2026, 3, 29, half_past_two), SUMMER + 30 * MINUTE_MS));
    // 02:30 comes twice on 25 October.
    cr_assert(eq(i64, zone_instant(&berlin, 2026, 10, 25, half_past_two), WINTER - 30 * MINUTE_MS));
    cr_assert(eq(i64, zone_instant(&berlin, 2026, 10, 25, 3 * HOUR_MS), WINTER + HOUR_MS));
    cr_assert(eq(i64, zone_instant(&berlin, 2026, 3, 29, 3 * HOUR_MS), SUMMER));
}

Test(zone, every_instant_comes_back_but_in_a_fold) {
    for (int64_t at_ms = parsed("2026-03-01T00:00:00Z"); at_ms < parsed("2026-12-01T00:00:00Z");
         at_ms += 17 * MINUTE_MS) {
        struct local_time local = zone_local(&berlin, at_ms);
        int64_t back = zone_instant(&berlin, local.year, local.month, local.day,
                                    local.hour * (int64_t)HOUR_MS + local.minute * MINUTE_MS);
        bool second_reading = at_ms >= WINTER && at_ms < WINTER + HOUR_MS;
        cr_assert(eq(i64, back, at_ms - (second_reading ? HOUR_MS : 0)));
    }
}

Test(time, offsets_fractions_and_short_forms_are_read) {
    int64_t noon = parsed("2026-11-23T12:00:00Z");
    cr_assert(eq(i64, parsed("2026-11-23T13:00:00+01:00"), noon));
    cr_assert(eq(i64, parsed("2026-11-23T06:30:00-0530"), noon));
    cr_assert(eq(i64, parsed("2026-11-23 12:00Z"), noon));
    cr_assert(eq(i64, parsed("2026-11-23T12:00:00.5Z"), noon + 500));
    cr_assert(eq(i64, parsed("2026-11-23T12:00:00.123999Z"), noon + 123));
    cr_assert(eq(i64, parsed("2024-02-29T00:00:00Z") % DAY_MS, 0));
}

Test(time, what_is_no_time_is_refused) {
    static const char *const wrong[] = {
        "",
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T12:60:00Z",
        "2026-11-23T12:00:00.Z",
        "2026-11-23T12:00:00Zx",
        "2026-11-2312:00:00Z",
        "2026-00-10T00:00:00Z",
        "+026-11-23T12:00:00Z",
        "2026-11-23T12:00:00+1",
    };
    int64_t at_ms = 5;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert(eq(int, time_parse(wrong[i], strlen(wrong[i]), &at_ms), ERR_FORMAT), "%s",
                  wrong[i]);
    cr_assert(eq(int, time_parse("1969-12-31T23:59:59Z", 20, &at_ms), ERR_RANGE));
    cr_assert(eq(int, time_parse("2100-01-01T00:00:01Z", 20, &at_ms), ERR_RANGE));
    cr_assert(eq(i64, at_ms, 5));
}
