#include "common/domain/time.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

enum { DAYS_0000_TO_1970 = 719468, ERA_DAYS = 146097, ERA_YEARS = 400 };

struct date {
    int32_t year;
    int month, day;
};

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back.
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms" (years begin in March).
static int64_t days_of_date(struct date date) {
    int64_t year = date.month <= 2 ? (int64_t)date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = year - era * ERA_YEARS;
    int64_t month = (date.month + 9) % 12; // March is 0
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - DAYS_0000_TO_1970;
}

static struct date date_of_days(int64_t days) {
    days += DAYS_0000_TO_1970;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day_of_era = days - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; // March is 0
    int calendar_month = (int)(month < 10 ? month + 3 : month - 9);
    int64_t year = year_of_era + era * ERA_YEARS + (calendar_month <= 2);
    return (struct date){(int32_t)year, calendar_month,
                         (int)(day_of_year - (153 * month + 2) / 5 + 1)};
}

static int days_in_month(int32_t year, int month) {
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (leap && month == 2);
}

static int64_t floor_divide(int64_t value, int64_t by) {
    return value / by - (value % by < 0);
}

bool time_plausible(int64_t at_ms) {
    return at_ms >= 0 && at_ms <= TIME_LAST;
}

/// Index of the offset that holds at an instant.
static size_t zone_index(const struct zone *zone, int64_t at_ms) {
    size_t from = 0, to = zone->count; // transitions_ms[from] <= at_ms
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        if (zone->transitions_ms[middle] <= at_ms)
            from = middle;
        else
            to = middle;
    }
    return from;
}

static int64_t offset_ms(const struct zone *zone, size_t index) {
    return (int64_t)zone->offsets_s[index] * 1000;
}

static struct local_time calendar(int64_t local_ms) {
    int64_t days = floor_divide(local_ms, DAY_MS);
    int64_t in_day = local_ms - days * DAY_MS;
    struct date date = date_of_days(days);
    int64_t weekday = (days + 3) - floor_divide(days + 3, 7) * 7; // 1970-01-01 was a Thursday
    return (struct local_time){.year = date.year,
                               .month = (uint8_t)date.month,
                               .day = (uint8_t)date.day,
                               .hour = (uint8_t)(in_day / HOUR_MS),
                               .minute = (uint8_t)(in_day % HOUR_MS / MINUTE_MS),
                               .weekday = (uint8_t)weekday};
}

struct local_time zone_local(const struct zone *zone, int64_t at_ms) {
    assert(zone->count > 0 && at_ms != TIME_NONE);
    return calendar(at_ms + offset_ms(zone, zone_index(zone, at_ms)));
}

int64_t zone_instant(const struct zone *zone, int32_t year, int month, int day, int64_t ms_of_day) {
    assert(zone->count > 0 && year >= 0 && year <= 9999 && month >= 1 && month <= 12);
    int64_t local_ms = days_of_date((struct date){year, month, day}) * DAY_MS + ms_of_day;
    // Earliest instant that reads local_ms (a fold has two). In a gap none does: then the clock is
    // read as if the change had not come yet, which is the later of the two readings.
    size_t last = zone_index(zone, local_ms + DAY_MS);
    size_t index = zone_index(zone, local_ms - DAY_MS);
    for (; index < last; index++) {
        int64_t at_ms = local_ms - offset_ms(zone, index);
        if (at_ms < zone->transitions_ms[index + 1]) return at_ms;
        if (local_ms - offset_ms(zone, index + 1) < zone->transitions_ms[index + 1]) return at_ms;
    }
    return local_ms - offset_ms(zone, index);
}

void time_day_text(const struct zone *zone, int64_t at_ms, char text[DAY_TEXT_SIZE]) {
    struct local_time local = zone_local(zone, at_ms);
    assert(local.year >= 0 && local.year <= 9999);
    snprintf(text, DAY_TEXT_SIZE, "%04u-%02u-%02u", (unsigned)local.year % 10000u,
             local.month % 100u, local.day % 100u);
}

void time_hour_text(const struct zone *zone, int64_t at_ms, char text[HOUR_TEXT_SIZE]) {
    struct local_time local = zone_local(zone, at_ms);
    assert(local.year >= 0 && local.year <= 9999);
    snprintf(text, HOUR_TEXT_SIZE, "%04u-%02u-%02uT%02u", (unsigned)local.year % 10000u,
             local.month % 100u, local.day % 100u, local.hour % 100u);
}

void time_text(int64_t at_ms, char text[TIME_TEXT_SIZE]) {
    assert(time_plausible(at_ms));
    struct local_time utc = calendar(at_ms);
    snprintf(text, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)utc.year % 10000u, utc.month % 100u, utc.day % 100u, utc.hour % 100u,
             utc.minute % 100u, (unsigned)(at_ms % MINUTE_MS / 1000) % 100u,
             (unsigned)(at_ms % 1000) % 1000u);
}

/// What is left of a text that is read from the front.
struct cursor {
    const char *at, *end;
    bool failed;
};

static bool next_is(struct cursor *cursor, char c) {
    if (cursor->at == cursor->end || *cursor->at != c) return false;
    cursor->at++;
    return true;
}

static void expect(struct cursor *cursor, char c) {
    if (!next_is(cursor, c)) cursor->failed = true;
}

static int digits(struct cursor *cursor, int count, int least, int most) {
    int value = 0;
    for (int i = 0; i < count; i++, cursor->at++) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9') {
            cursor->failed = true;
            return least;
        }
        value = value * 10 + (*cursor->at - '0');
    }
    if (value < least || value > most) {
        cursor->failed = true;
        return least;
    }
    return value;
}

/// A fraction of a second: any number of digits, cut (not rounded) to milliseconds.
static int fraction_ms(struct cursor *cursor) {
    if (!next_is(cursor, '.') && !next_is(cursor, ',')) return 0;
    int value = digits(cursor, 1, 0, 9) * 100, weight = 10;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        value += (*cursor->at - '0') * weight;
        weight /= 10;
    }
    return value;
}

static int offset_minutes(struct cursor *cursor) {
    if (next_is(cursor, 'Z') || next_is(cursor, 'z')) return 0;
    bool west = next_is(cursor, '-');
    if (!west) expect(cursor, '+');
    int minutes = digits(cursor, 2, 0, 23) * 60;
    next_is(cursor, ':');
    minutes += digits(cursor, 2, 0, 59);
    return west ? -minutes : minutes;
}

enum err time_parse(const char *text, size_t size, int64_t *at_ms) {
    struct cursor cursor = {.at = text, .end = text + size};
    struct date date = {.year = digits(&cursor, 4, 0, 9999)};
    expect(&cursor, '-');
    date.month = digits(&cursor, 2, 1, 12);
    expect(&cursor, '-');
    date.day = digits(&cursor, 2, 1, days_in_month(date.year, date.month));
    if (!next_is(&cursor, ' ')) expect(&cursor, 'T');
    int64_t ms = (int64_t)digits(&cursor, 2, 0, 23) * HOUR_MS;
    expect(&cursor, ':');
    ms += digits(&cursor, 2, 0, 59) * MINUTE_MS;
    if (next_is(&cursor, ':')) {
        ms += digits(&cursor, 2, 0, 59) * 1000;
        ms += fraction_ms(&cursor);
    }
    ms -= (int64_t)offset_minutes(&cursor) * MINUTE_MS;
    if (cursor.failed || cursor.at != cursor.end) return ERR_FORMAT;
    ms += days_of_date(date) * DAY_MS;
    if (!time_plausible(ms)) return ERR_RANGE;
    *at_ms = ms;
    return ERR_NONE;
}
