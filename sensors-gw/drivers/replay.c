#include "sensors-gw/drivers/replay.h"

#include "sensors-gw/drivers/table.h"

#include <string.h>

// Days from civil and back: Howard Hinnant, "chrono-compatible low-level date algorithms".
// Years begin in March there, so that the leap day is the last day of the year.
int64_t day_number(struct day day) {
    int64_t year = day.year - (day.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month = day.month > 2 ? day.month - 3 : day.month + 9;
    int64_t day_of_year = (153 * month + 2) / 5 + day.day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

struct day day_of_number(int64_t number) {
    int64_t shifted = number + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    return (struct day){(int32_t)(year + era * 400 + (month <= 2)), (uint8_t)month, (uint8_t)day};
}

bool day_valid(struct day day) {
    if (day.month < 1 || day.month > 12 || day.day < 1 || day.year < 1970 || day.year > 2100)
        return false;
    struct day same = day_of_number(day_number(day));
    return same.month == day.month && same.day == day.day;
}

static bool digits(const char *text, size_t count, int32_t *value) {
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *value = *value * 10 + (text[i] - '0');
    }
    return true;
}

bool date_parse(const char *text, size_t size, struct day *day) {
    int32_t year, month, of_month;
    if (size != 10 || text[4] != '-' || text[7] != '-') return false;
    if (!digits(text, 4, &year) || !digits(text + 5, 2, &month) || !digits(text + 8, 2, &of_month))
        return false;
    struct day parsed = {year, (uint8_t)month, (uint8_t)of_month};
    if (!day_valid(parsed)) return false;
    *day = parsed;
    return true;
}

struct day day_local(const struct zone *zone, int64_t at_ms) {
    struct local_time local = zone_local(zone, at_ms);
    return (struct day){local.year, local.month, local.day};
}

enum err replay_shift(const char *to_day, int64_t shift_days, struct day first, int64_t *days,
                      struct problem *problem) {
    struct day day;
    if (to_day[0] == '\0') {
        *days = shift_days;
        return ERR_NONE;
    }
    if (shift_days != 0)
        return problem_set(problem, ERR_CONFLICT,
                           "day and shift_days are both given; leave one of them out");
    if (!date_parse(to_day, strlen(to_day), &day))
        return problem_set(problem, ERR_FORMAT,
                           "day: \"%s\" is not a day; write it like 2026-11-23", to_day);
    *days = day_number(day) - day_number(first);
    return ERR_NONE;
}

int64_t replay_move(const struct zone *zone, int64_t at_ms, int64_t days) {
    if (days == 0) return at_ms;
    struct local_time local = zone_local(zone, at_ms);
    struct day from = {local.year, local.month, local.day};
    int64_t of_day = local.hour * (int64_t)HOUR_MS + local.minute * (int64_t)MINUTE_MS;
    // What a minute of the local clock does not show; zones differ from UTC by whole minutes
    // except for a few before 1972.
    int64_t below = at_ms - zone_instant(zone, from.year, from.month, from.day, of_day);
    below = (below % MINUTE_MS + MINUTE_MS) % MINUTE_MS;
    struct day to = day_of_number(day_number(from) + days);
    return zone_instant(zone, to.year, to.month, to.day, of_day + below);
}

enum err replay_begin(const char *start, const char *to_day, int64_t shift_days,
                      const struct zone *zone, int64_t *begin_ms, struct problem *problem) {
    size_t size = strlen(start);
    struct day day;
    int64_t at_ms, ms_of_day, days = 0;
    if (time_parse(start, size, &at_ms) == ERR_NONE) {
        day = day_local(zone, at_ms);
    } else if (size > 11 && (start[10] == 'T' || start[10] == ' ') && date_parse(start, 10, &day) &&
               text_clock((struct bytes){(const uint8_t *)start + 11, size - 11}, &ms_of_day)) {
        at_ms = zone_instant(zone, day.year, day.month, day.day, ms_of_day);
    } else {
        return problem_set(problem, ERR_FORMAT,
                           "start: \"%s\" is no time; write it like 2026-11-23T09:00:00", start);
    }
    enum err err = replay_shift(to_day, shift_days, day, &days, problem);
    if (!err) *begin_ms = replay_move(zone, at_ms, days);
    return err;
}

uint64_t replay_due_ms(double speed, uint64_t begin_mono_ms, int64_t begin_ms, int64_t at_ms) {
    if (speed <= 0 || at_ms <= begin_ms) return speed <= 0 ? 0 : begin_mono_ms;
    return begin_mono_ms + (uint64_t)((double)(at_ms - begin_ms) / speed);
}
