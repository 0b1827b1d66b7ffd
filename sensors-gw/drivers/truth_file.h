#pragma once
// What was true of simulated encounters, beside what sensors made of it: a JSON line a client.
//
//   {"encounter": "1-2026-11-23-0", "counter": "desk-1", "day": 20780, "employee": 3, "started":
//    "2026-11-23T08:00:41.000Z", "ended": ..., "outcome": "normal", "standards":
//    {"proxemics.mean": {"met": true, "value": 1.07}, ...}}
//
// A standard that does not apply is not in it; value null: what was asked for never happened.

#include "sensors-gw/simulate/day.h"

#include <stdio.h>

/// day: days since 1970; opened_ms: when the branch opened on it.
void truth_file_put(FILE *file, const struct name *encounter, const struct id *counter, int64_t day,
                    int64_t opened_ms, const struct visit *visit);
