#pragma once
// The log of one gateway of the load: in memory alone, or on disk as well, through the gateways'
// own spool; then nothing is sent that is not committed, and what is sent is read from there.

#include "ops/bench/memory_spool.h"
#include "sensors-gw/shell/spool.h"

struct gateway_log {
    struct memory_spool memory; // also knows since when each batch is in the log
    struct spool *disk;         // NULL: in memory alone
};

/// file: of the spool on disk, to be made; empty: in memory alone. capacity is a power of two.
MUST_CHECK enum err gateway_log_init(struct gateway_log *log, uint64_t capacity, const char *file,
                                     struct problem *problem);
void gateway_log_fini(struct gateway_log *log);
/// In memory the batch gets this tag; on disk the spool draws one.
MUST_CHECK enum err gateway_log_append(struct gateway_log *log, struct tag tag,
                                       const struct batch *batch, uint64_t now_ns,
                                       struct problem *problem);
MUST_CHECK enum err gateway_log_commit(struct gateway_log *log, struct problem *problem);
/// Call `each` with from..to, in order, until it returns false.
MUST_CHECK enum err gateway_log_read(struct gateway_log *log, uint64_t from, uint64_t to,
                                     bool (*each)(void *context, const struct spool_batch *batch),
                                     void *context, struct problem *problem);
/// false: it is not held (any more).
bool gateway_log_tag(struct gateway_log *log, uint64_t number, struct tag *tag);
/// What the store has answered.
MUST_CHECK enum err gateway_log_epoch(struct gateway_log *log, uint64_t epoch,
                                      struct problem *problem);
MUST_CHECK enum err gateway_log_applied(struct gateway_log *log, uint64_t number,
                                        struct problem *problem);
struct spool_id gateway_log_id(const struct gateway_log *log);
