#pragma once
// The body of a batch: a MessagePack map <-> struct batch. PROTOCOL.md gives it key by key.

#include "common/base/bytes.h"
#include "common/domain/batch.h"
#include "common/wire/arena.h"

enum { BODY_ARENA_SIZE = 512 * 1024 }; // enough for every body within the batch limits

/// Write a batch; series travel packed (wire/columns.h) if packed is true, else as plain arrays.
/// ERR_RANGE  more series, facts or observations than a batch may hold
/// ERR_FULL   beyond BATCH_BODY_MAX or the buffer's limit; then the buffer holds what it held
/// before
MUST_CHECK enum err body_encode(const struct batch *batch, bool packed, struct buffer *out);

/// What a body held that is not an error of form: counted, named, left out.
struct body_oddities {
    uint32_t undeclared;        // series of measures that measures.yaml does not know
    uint32_t out_of_range;      // observations outside their measure's range
    struct id first_undeclared; // which one
};

/// Read a batch. Depth, counts, strings and trailing bytes are checked before anything is believed
/// or taken from the arena. Values are quantized, so plain and packed give equal columns.
///
/// ERR_FORMAT, ERR_RANGE, ERR_FULL (arena)   *problem names the key and the index
MUST_CHECK enum err body_decode(struct bytes body, const struct measures *measures,
                                struct arena *arena, struct batch *batch,
                                struct body_oddities *oddities, struct problem *problem);
