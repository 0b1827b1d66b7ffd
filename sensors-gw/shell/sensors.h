#pragma once
// The drivers of a gateway at work: opens them where they left off, reads them while they have
// something, waits for their descriptors, opens a broken one again later.

#include "common/io/loop.h"
#include "sensors-gw/shell/gateway_settings.h"
#include "sensors-gw/shell/spool.h"

struct sensors;

/// context is the same for all but its settings. Opens every driver with the cursor that the spool
/// keeps; *problem names the entry that cannot be opened.
MUST_CHECK enum err sensors_new(const struct driver_entries *entries,
                                const struct driver_context *context, struct spool *spool,
                                struct batching *batching, struct loop *loop,
                                struct sensors **sensors, struct problem *problem);
void sensors_free(struct sensors *sensors); // before the loop; accepts NULL

/// Let each driver that has something read once. True: at least one has more at once.
bool sensors_read(struct sensors *sensors, uint64_t now_ms, int64_t utc_ms, uint32_t budget);
/// Wake the loop when a descriptor is readable, or do not (there is no room).
void sensors_wait(struct sensors *sensors, bool wanted);
/// When one must be read again whatever its descriptor says; DEADLINE_NEVER: none.
uint64_t sensors_deadline_ms(const struct sensors *sensors);
/// Put the cursors that moved into the spool's open transaction.
MUST_CHECK enum err sensors_keep_cursors(struct sensors *sensors, struct spool *spool,
                                         struct problem *problem);
bool sensors_moved(const struct sensors *sensors); // a cursor has moved since it was kept
bool sensors_ended(const struct sensors *sensors); // all of them
/// The least of the recordings' progress; 0 without recordings.
uint32_t sensors_permille(const struct sensors *sensors);
/// All measures that they bring, sorted, once each.
size_t sensors_brings(const struct sensors *sensors, struct id *measures, size_t most);
