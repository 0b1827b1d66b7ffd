#pragma once
// Presence at the counters of this gateway becomes encounters, on top of any driver that brings a
// distance. An encounter is called COUNTER-START, such as desk-1-2026-11-23T09:00:12.500Z: the same
// whenever the same samples come again. Where a counter stands is kept in the spool with the
// batches that it was made of, like a driver's cursor.

#include "sensors-gw/shell/gateway_settings.h"
#include "sensors-gw/shell/site.h"
#include "sensors-gw/shell/spool.h"

struct attendance;

/// false: the settings of presence do not fit what measures.yaml has, or each other; reported.
bool attendance_check(const struct gateway_settings *settings, const struct site *site,
                      struct problems *problems);

/// source: its own, of `batching`, whose samples it observes from now on; the batching outlives it,
/// and may be used after it has been freed only to be freed.
/// ERR_RANGE, ERR_MISSING: the settings do not fit; ERR_FORMAT: what the spool keeps is damaged
MUST_CHECK enum err attendance_new(const struct gateway_settings *settings, const struct site *site,
                                   struct spool *spool, struct batching *batching,
                                   struct source *source, struct attendance **attendance,
                                   struct problem *problem);
void attendance_free(struct attendance *attendance); // accepts NULL

/// The drivers have been read: time has passed up to their watermark.
void attendance_pass(struct attendance *attendance);
/// The drivers have ended. Who is still there was not seen to leave: outcome `timeout`.
void attendance_end(struct attendance *attendance);
/// Put what has changed into the spool's open transaction.
MUST_CHECK enum err attendance_keep(struct attendance *attendance, struct spool *spool,
                                    struct problem *problem);
