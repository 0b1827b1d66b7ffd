#pragma once
// What a person decides about one verdict. Of equal kind the later one holds; of all kinds, too: so
// it does not matter in which order, how late or how often decisions arrive.

#include "common/domain/ids.h"
#include "common/domain/time.h"

/// The numbers are stored and travel: only ever append.
enum decision_kind {
    DECISION_CONFIRM,  // the verdict stands as found
    DECISION_EXCUSE,   // a violation, but not to be held against anybody
    DECISION_DISPUTE,  // contested: it does not count until somebody confirms or excuses it
    DECISION_WITHDRAW, // as if nobody had decided
    DECISION_KIND_COUNT
};
const char *decision_kind_name(enum decision_kind kind); // "confirm" ...
bool decision_kind_parse(const char *text, size_t size, enum decision_kind *kind);

enum { DECISION_REASON_MAX = 200 };

struct decision {
    struct name encounter, standard;
    struct id counter; // of the encounter
    int64_t began_ms;  // its begin: where no such encounter can come any more, it is too late
    enum decision_kind kind;
    int64_t decided_ms;
    struct name by;
    char reason[DECISION_REASON_MAX + 1]; // a plain sentence
};

/// 1..200 bytes without control characters; that they are UTF-8 is checked by who reads them.
bool decision_reason_valid(const char *text, size_t size);

/// The decision that holds for a standard: the latest, and of equal time the one of the greater
/// kind. NULL: nobody decided.
const struct decision *decision_of(const struct decision *decisions, size_t count,
                                   const struct name *standard);
