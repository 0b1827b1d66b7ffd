#pragma once
// One JSON line of a sensor, in any language, as what it says.
//
// t, from, to, watermark, issued ...: ISO 8601 with Z or an offset, or whole milliseconds since
// 1970. confidence: 0..1. counter: where it is absent, the setting's. Unknown keys are ignored.
//
//   {"t": T, "measure": "distance.client", "counter": "desk-1", "value": 1.25, "confidence": 0.9}
//   {"t": T, "measure": "audio.phrase", "counter": "desk-1", "label": "greeting"}
//   {"watch": {"measure": M, "counter": C, "from": T, "to": T}}      the sensor watched from..to;
//     where a series of samples never says so, from its first to its last
//   {"watermark": T}                                                 nothing older will come
//   {"fact": "encounter", "id": "e-1", "counter": C, "offering": O, "language": "de",
//    "employee": "name", "outcome": "normal", "issued": T, "called": T, "started": T, "ended": T}
//   {"fact": "withdrawn", "id": "e-1", "reason": "mistake"}
//   {"fact": "gap", "counter": C, "from": T, "to": T, "reason": "power"}
//   {"v": 1, "t": T, "ticket": "A012", "ev": "issued", "queue": "cash", "desk": "3"}
//
// The last is the event of a ticket system; see tickets.h. The name of an employee becomes a
// pseudonym when the encounter is handed over and is kept nowhere.

#include "common/base/bytes.h"
#include "sensors-gw/drivers/driver.h"

enum jsonl_kind {
    JSONL_SAMPLE,
    JSONL_EVENT,
    JSONL_WATCH,
    JSONL_WATERMARK,
    JSONL_ENCOUNTER,
    JSONL_WITHDRAWN,
    JSONL_GAP,
    JSONL_TICKET,
};

enum ticket_event {
    TICKET_ISSUED,
    TICKET_CALLED,
    TICKET_STARTED,
    TICKET_ENDED,
    TICKET_NO_SHOW,
    TICKET_ABANDONED,
    TICKET_OTHER,
};

enum { EMPLOYEE_NAME_SIZE = 128 };

struct jsonl_item {
    enum jsonl_kind kind;
    int64_t t_ms;    // the latest of its times
    int64_t from_ms; // WATCH, GAP: to t_ms
    const struct measure *measure;
    struct id counter; // empty: none is said, and none is set
    double value;
    struct name label; // EVENT; WITHDRAWN, GAP: the reason
    uint8_t confidence;
    struct encounter encounter;             // ENCOUNTER; WITHDRAWN: id
    char employee_name[EMPLOYEE_NAME_SIZE]; // ENCOUNTER
    enum ticket_event event;                // TICKET
    struct name ticket;
    struct id offering;    // its queue; empty: not said
    char desk[ID_MAX + 1]; // as said; empty: not said
};

struct jsonl_defaults {
    const struct measures *measures;
    struct id counter; // may be empty
    double confidence;
};

/// *oddity is set with every error: the name under which it is counted.
///
/// ERR_FORMAT   not JSON, or not one of the forms above; *problem says what, without a place
/// ERR_MISSING  a measure that measures.yaml does not declare
/// ERR_VERSION  v is not 1
MUST_CHECK enum err jsonl_line_read(struct bytes line, const struct jsonl_defaults *defaults,
                                    struct jsonl_item *item, const char **oddity,
                                    struct problem *problem);
