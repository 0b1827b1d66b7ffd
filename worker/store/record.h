#pragma once
// Reading what the store keeps of one encounter, for people and audits. KEYS.md gives the bytes.

#include "common/base/bytes.h"
#include "common/domain/encounter.h"
#include "worker/store/calls.h"

enum record_state { RECORD_OPEN, RECORD_ENDED, RECORD_SETTLED, RECORD_FINAL, RECORD_STATE_COUNT };
const char *record_state_name(enum record_state state); // "open" ...

/// Field `record` of an encounter's hash.
struct record {
    enum record_state state;
    bool withdrawn;
    uint8_t tries;
    struct encounter encounter; // its id is not in the bytes
};
MUST_CHECK enum err record_read(struct bytes bytes, struct record *record);

/// Field `cells`: where its contribution was added.
struct record_cells {
    struct id counter;
    char day[DAY_TEXT_SIZE], hour[HOUR_TEXT_SIZE];
    struct name set;
};
MUST_CHECK enum err record_cells_read(struct bytes bytes, struct record_cells *cells);

/// A dead letter; reason and body lie in the bytes.
struct dead_letter {
    int64_t at_ms; // store's time
    struct tag tag;
    struct bytes reason, body;
};
MUST_CHECK enum err dead_letter_read(struct bytes bytes, struct dead_letter *letter);

/// Field `contribution`. standards has room for `capacity` (ERR_FULL); contribution->standards
/// points to it.
MUST_CHECK enum err contribution_read(struct bytes bytes, struct contribution *contribution,
                                      size_t capacity, struct contribution_standard *standards);
