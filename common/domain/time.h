#pragma once
// Event time: UTC milliseconds since 1970, int64. And the calendar of a branch's time zone.

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TIME_NONE INT64_MIN
#define TIME_LAST                                                                                  \
    INT64_C(4102444800000) // 2100-01-01: whatever lies outside 0..TIME_LAST is no time
enum { MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000 };

bool time_plausible(int64_t at_ms);

/// Offsets of one time zone, oldest first; transitions[i] is when offsets_s[i] begins to hold.
struct zone {
    size_t count;
    const int64_t *transitions_ms; // transitions_ms[0] is INT64_MIN
    const int32_t *offsets_s;
};

/// Local calendar day and hour of an instant.
struct local_time {
    int32_t year;
    uint8_t month, day, hour, minute, weekday; // month 1..12, weekday 0 = Monday
};
struct local_time zone_local(const struct zone *zone, int64_t at_ms);
/// UTC instant of a local wall-clock time; in a gap the later, in a fold the earlier reading.
int64_t zone_instant(const struct zone *zone, int32_t year, int month, int day, int64_t ms_of_day);

enum { DAY_TEXT_SIZE = 11, HOUR_TEXT_SIZE = 14, TIME_TEXT_SIZE = 25 };
void time_day_text(const struct zone *zone, int64_t at_ms, char text[DAY_TEXT_SIZE]); // 2026-11-23
void time_hour_text(const struct zone *zone, int64_t at_ms,
                    char text[HOUR_TEXT_SIZE]);           // 2026-11-23T09
void time_text(int64_t at_ms, char text[TIME_TEXT_SIZE]); // 2026-11-23T09:00:00.000Z
/// ISO 8601 with Z or an offset (with or without colon), fraction optional.
/// ERR_FORMAT: not of that form; ERR_RANGE: outside 0..TIME_LAST.
MUST_CHECK enum err time_parse(const char *text, size_t size, int64_t *at_ms);
