#pragma once
// One row of a service log as an encounter: which columns mean what comes from the settings.
//
// The rules, so that anybody can compute the same (names in `quotes` are the counted oddities; the
// first rule that refuses a row decides, and a refused row is no encounter):
//
//  1. A row without as many fields as the header, or with an open quote, is a `torn_line`.
//  2. Outcome: the field through the outcome's map. Not in the map and no default: `bad_outcome`.
//     Mapped to `ignore`: `ignored`. Both refuse.
//  3. Id: the key's fields joined with "-"; every character outside [A-Za-z0-9_.:-] becomes "_";
//     the date column stands there as the day it plays on (2026-11-23). Empty or longer than 64:
//     `bad_key`, refused. A key that an earlier line has had: `repeated_key`, refused.
//  4. Counter, offering, language: the field in lower case, through the map (keys in lower case,
//     too); not in the map: the default, else the field itself. No valid counter: `bad_counter`,
//     refused. An offering or language that is not valid: `bad_offering`, `bad_language`, empty.
//  5. Times. With a `date` column a time is a local clock time of that day; without, an instant
//     (ISO 8601; without offset it is local). A field that is empty or one of `absent` is no time,
//     unless its `absent_unless` column holds a number above 0. A time that cannot be read:
//     `bad_time` (a date: `bad_date`), refused. A clock time more than 12 h before that of
//     `date_of` (if not given: before the first of issued, called, started, ended, left that is
//     there) is of the next day, `over_midnight`; any other that lies before a given `date_of` is
//     `before_date_of`, and kept. Of several columns for one time the first that has a time counts.
//  6. Served (normal, transferred, timeout): started and ended must be there, else
//     `no_service_time`, refused. An ended before started: `negative_time`, refused. A called or
//     issued after what follows it becomes equal to that: `called_after_start`,
//     `issued_after_start`. ended = started: `zero_length`.
//  7. Not served (abandoned, no_show): issued and left must be there, else `never_queued`, refused.
//     left before issued: `negative_time`, refused. ended = left; a called after left becomes left.
//     A started is dropped: `service_of_unserved`. left = issued: `zero_length`.
//  8. Employee: the pseudonym of the field at the time of started; empty or one of `nobody`, and
//     served: `no_employee`, kept without one. Not served: nobody.

#include "common/settings/settings.h"
#include "sensors-gw/drivers/driver.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/table.h"

enum { COLUMN_NAME_SIZE = 64 };

struct queue_settings {
    char path[PATH_SIZE];
    double speed;
    int64_t shift_days;
    char day[DAY_SETTING_SIZE];
    uint64_t rows_max, mebibytes_max;
    struct setting_texts key;
    char date[COLUMN_NAME_SIZE], date_of[COLUMN_NAME_SIZE];
    int date_form;
    struct setting_texts absent;
    const struct node *absent_unless;
    struct setting_texts issued, called, started, ended, left;
    const struct node *outcome, *counter, *offering, *language;
    char employee[COLUMN_NAME_SIZE];
    struct setting_texts nobody;
};

enum date_form { DATE_ISO, DATE_YYMMDD, DATE_YYYYMMDD };

enum queue_oddity {
    QUEUE_TORN_LINE,
    QUEUE_LONG_LINE,
    QUEUE_BAD_OUTCOME,
    QUEUE_IGNORED,
    QUEUE_BAD_KEY,
    QUEUE_REPEATED_KEY,
    QUEUE_BAD_COUNTER,
    QUEUE_BAD_OFFERING,
    QUEUE_BAD_LANGUAGE,
    QUEUE_BAD_DATE,
    QUEUE_BAD_TIME,
    QUEUE_OVER_MIDNIGHT,
    QUEUE_BEFORE_DATE_OF,
    QUEUE_NO_SERVICE_TIME,
    QUEUE_NEVER_QUEUED,
    QUEUE_NEGATIVE_TIME,
    QUEUE_CALLED_AFTER_START,
    QUEUE_ISSUED_AFTER_START,
    QUEUE_ZERO_LENGTH,
    QUEUE_SERVICE_OF_UNSERVED,
    QUEUE_NO_EMPLOYEE,
    QUEUE_ODDITIES,
};
extern const char *const queue_oddity_names[QUEUE_ODDITIES];

/// A field, its translation, and what stands where there is none.
struct queue_word {
    int column;             // -1: none, always the default
    const struct node *map; // from field to word; NULL: the field itself
    const char *fallback;   // NULL: none
};

enum { QUEUE_COLUMNS_MAX = SETTING_TEXTS_MAX };

struct queue_columns {
    size_t count;
    int items[QUEUE_COLUMNS_MAX];
};

enum queue_time { QUEUE_ISSUED, QUEUE_CALLED, QUEUE_STARTED, QUEUE_ENDED, QUEUE_LEFT, QUEUE_TIMES };

/// The settings, with columns as places in the header.
struct queue_log {
    const struct queue_settings *settings;
    const struct driver_context *context;
    size_t column_count;
    char separator;
    struct queue_columns key, times[QUEUE_TIMES];
    int date, date_of, employee;
    struct queue_word outcome, counter, offering, language;
    int unless[TABLE_COLUMNS_MAX]; // of each column: the one that proves an absent time real
    int64_t shift_days;
};

/// Find the settings' columns in the header line (which is cut in place).
/// Every column that is not there is told, and what the header has.
MUST_CHECK enum err queue_log_begin(struct queue_log *log, const struct queue_settings *settings,
                                    const struct driver_context *context, char *header, size_t size,
                                    struct problem *problem);

/// The day of a row, not moved; false: none.
bool queue_log_day(const struct queue_log *log, const struct row *row, int64_t *day);

/// A row as an encounter, counted[] += its oddities. false: refused.
bool queue_log_read(const struct queue_log *log, const struct row *row, struct encounter *encounter,
                    uint64_t counted[QUEUE_ODDITIES]);
