#pragma once
// How the time of a recording becomes event time, and when an event is due: pure arithmetic.
//
// A recording is moved by whole calendar days and keeps its local clock: what was recorded at
// 09:00 in the branch plays at 09:00, also across a change of daylight saving between the two.

#include "common/domain/time.h"

#include <stddef.h>

/// A day of the calendar without clock or zone.
struct day {
    int32_t year;
    uint8_t month, day; // 1..12, 1..31
};

bool day_valid(struct day day);
bool date_parse(const char *text, size_t size, struct day *day); // 2026-11-23
int64_t day_number(struct day day);                              // days since 1970-01-01
struct day day_of_number(int64_t number);
struct day day_local(const struct zone *zone, int64_t at_ms);

/// What every driver of recordings offers: char day[DAY_SETTING_SIZE], int64_t shift_days, double
/// speed are members of its settings.
enum { DAY_SETTING_SIZE = 16 };
#define REPLAY_SETTINGS(type)                                                                      \
    SETTING_DOUBLE(type, speed, 0, 0, 1000000,                                                     \
                   "Recorded seconds played in one second: 1 is real time, 0 is as fast as "       \
                   "possible."),                                                                   \
        SETTING_I64(type, shift_days, 0, -100000, 100000,                                          \
                    "Whole days by which the recording is moved; its local clock is kept."),       \
        SETTING_TEXT(type, day, "",                                                                \
                     "The recording's first day becomes this day (2026-11-23); empty: see "        \
                     "shift_days.")

/// By how many days a recording that begins on `first` is moved.
/// ERR_FORMAT: `to_day` is neither empty nor a day; ERR_CONFLICT: both are given.
MUST_CHECK enum err replay_shift(const char *to_day, int64_t shift_days, struct day first,
                                 int64_t *days, struct problem *problem);

/// The same clock time so many days later, in the zone.
int64_t replay_move(const struct zone *zone, int64_t at_ms, int64_t days);

/// When a recording begins in event time: `start` is a local time of the branch
/// (2026-11-23T09:00:00), or has an offset; then moved as above.
/// ERR_FORMAT, ERR_CONFLICT: *problem names the setting.
MUST_CHECK enum err replay_begin(const char *start, const char *to_day, int64_t shift_days,
                                 const struct zone *zone, int64_t *begin_ms,
                                 struct problem *problem);

/// When, on a monotonic clock, an event is due whose recording began playing at begin_mono_ms
/// with the event time begin_ms. With speed 0 everything is due at once (0).
uint64_t replay_due_ms(double speed, uint64_t begin_mono_ms, int64_t begin_ms, int64_t at_ms);
