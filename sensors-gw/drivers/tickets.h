#pragma once
// The tickets of a queue that have been issued and not ended: from single events (issued, called,
// started, ended) to encounters. Pure; fixed capacity.
//
// The encounter's id is the ticket and the local day of its first event: A012-2026-11-23. An
// encounter needs a counter, and a ticket gets one only when it is called: until then it is
// remembered here, and holds the watermark back, for it will still be reported with that start.

#include "sensors-gw/drivers/jsonl_line.h"

enum { TICKETS_MAX = 1024 };

struct ticket {
    struct name name;
    bool reported;
    struct encounter encounter;
};

struct tickets {
    size_t count;
    struct ticket items[TICKETS_MAX];
};

/// Take one event in. true: *encounter is what is now known, to be reported. Else *oddity says why
/// not, or is NULL (remembered only).
/// counter: of the event, empty if it says none. Names counted: `other_event`, `no_counter`,
/// `tickets_full`.
bool tickets_step(struct tickets *tickets, const struct jsonl_item *event, const struct id *counter,
                  const struct zone *zone, struct encounter *encounter, const char **oddity);

/// Forget one that began before the given time; false: there is none.
bool tickets_expire(struct tickets *tickets, int64_t before_ms);

/// The earliest begin of those that have not been reported; INT64_MAX: none.
int64_t tickets_oldest_ms(const struct tickets *tickets);
