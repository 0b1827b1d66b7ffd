#pragma once
// Employees leave the branch as pseudonyms only: a keyed hash of the name that changes by period.
// The key never leaves the machine; without it a pseudonym cannot be tied to a name.

#include "common/domain/ids.h"
#include "common/domain/time.h"

enum { PSEUDONYM_KEY_SIZE = 32, PSEUDONYM_SIZE = 16 };

enum pseudonym_period { PSEUDONYM_DAY, PSEUDONYM_MONTH, PSEUDONYM_YEAR };

struct pseudonyms {
    uint8_t key[PSEUDONYM_KEY_SIZE];
    enum pseudonym_period period;
    const struct zone *zone; // whose calendar the periods follow
};

/// 16 characters [a-z2-7] for a name in the period that holds at_ms: equal for the same person in
/// the same period, unrelated otherwise. An empty name gives an empty pseudonym.
void pseudonym_make(const struct pseudonyms *pseudonyms, const char *name, size_t size,
                    int64_t at_ms, char pseudonym[EMPLOYEE_MAX + 1]);
