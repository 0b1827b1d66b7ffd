#pragma once
// A gateway's log in memory: the numbers, tags and bodies of sensors-gw/shell/spool.h without the
// disk, so that its cost can be told from that of the rest.

#include "common/base/bytes.h"
#include "common/domain/batch.h"
#include "common/domain/position.h"

struct memory_batch {
    struct tag tag;
    struct buffer body;
    uint64_t spooled_ns;
};
struct memory_spool {
    uint64_t capacity;    // a power of two
    uint64_t first, last; // numbers held; first = last + 1: none
    struct memory_batch *batches;
};

MUST_CHECK enum err memory_spool_init(struct memory_spool *spool, uint64_t capacity);
void memory_spool_fini(struct memory_spool *spool);
/// The oldest batch makes room, whatever it is.
MUST_CHECK enum err memory_spool_append(struct memory_spool *spool, struct tag tag,
                                        const struct batch *batch, uint64_t now_ns);
/// NULL: not held (any more).
const struct memory_batch *memory_spool_at(const struct memory_spool *spool, uint64_t number);
