#include "sensors-gw/drivers/replay.h"
#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(replay, days_count_from_1970_and_back) {
    cr_assert(eq(i64, day_number((struct day){1970, 1, 1}), 0));
    cr_assert(eq(i64, day_number((struct day){2000, 2, 29}), 11016));
    cr_assert(eq(i64, day_number((struct day){2026, 11, 23}), 20780));
    for (int64_t number = 0; number < 47500; number++)
        cr_assert(eq(i64, day_number(day_of_number(number)), number));
}

Test(replay, what_is_no_day_is_refused) {
    struct day day;
    cr_assert(date_parse("2024-02-29", 10, &day));
    cr_assert(not(date_parse("2026-02-29", 10, &day)));
    cr_assert(not(date_parse("2026-13-01", 10, &day)));
    cr_assert(not(date_parse("2026-1-1", 8, &day)));
    cr_assert(not(date_parse("2026-11-2x", 10, &day)));
}

// A recording of February plays in November with the same opening hours.
Test(replay, the_first_day_becomes_the_wanted_day) {
    int64_t days;
    struct day first = {1999, 2, 1};
    cr_assert(eq(int, replay_shift("2026-11-23", 0, first, &days, NULL), ERR_NONE));
    cr_assert(eq(i64, days, 20780 - 10623));
    cr_assert(eq(int, replay_shift("", -3, first, &days, NULL), ERR_NONE));
    cr_assert(eq(i64, days, -3));
    cr_assert(eq(int, replay_shift("2026-11-23", 1, first, &days, NULL), ERR_CONFLICT));
    cr_assert(eq(int, replay_shift("tomorrow", 0, first, &days, NULL), ERR_FORMAT));
}

// 2026-03-28 09:00:12.345 in winter becomes 09:00:12.345 of the 29th, in summer.
Test(replay, the_local_clock_is_kept_across_a_change_of_daylight_saving) {
    int64_t winter_ms = zone_instant(&stage_zone, 2026, 3, 28, 9 * HOUR_MS + 12345);
    int64_t summer_ms = zone_instant(&stage_zone, 2026, 3, 29, 9 * HOUR_MS + 12345);
    cr_assert(eq(i64, summer_ms - winter_ms, 23 * HOUR_MS));
    cr_assert(eq(i64, replay_move(&stage_zone, winter_ms, 1), summer_ms));
    cr_assert(eq(i64, replay_move(&stage_zone, summer_ms, -1), winter_ms));
    cr_assert(eq(i64, replay_move(&stage_zone, winter_ms, 0), winter_ms));
}

Test(replay, speed_says_when_an_event_is_due) {
    cr_assert(eq(u64, replay_due_ms(0, 500, 1000, 9000), 0));
    cr_assert(eq(u64, replay_due_ms(1, 500, 1000, 9000), 8500));
    cr_assert(eq(u64, replay_due_ms(4, 500, 1000, 9000), 2500));
    cr_assert(eq(u64, replay_due_ms(4, 500, 1000, 900), 500));
}
