#pragma once
// Columns packed into few bytes: about 2 to 3 an observation. The same form on the wire
// (key `packed`) and in Redis' minute logs. The layout stands in PROTOCOL.md, with example bytes.
//
//   varint count | time: u8 0 + varint step, or u8 1 + count-1 varint deltas
//   value: u8 width (0, 1, 2, 4 bytes), zigzag base, count x width little-endian (value - base)
//   confidence: runs of (varint length, u8 percent) until count is reached
// The first time is not in it: whoever holds the packed columns says what t_ms[0] is.

#include "common/base/bytes.h"
#include "common/domain/series.h"

/// Append; columns are sorted by time, count may be 0 (then only the count is written).
void columns_pack(const struct columns *columns, struct buffer *out);

/// How many members the packed bytes hold, without unpacking: to make room first.
MUST_CHECK enum err columns_packed_count(struct bytes packed, size_t *count);

/// Unpack into arrays of at least `capacity` members; t_ms start at first_ms.
/// ERR_FORMAT: torn or inconsistent; ERR_RANGE: more than capacity, or a time beyond int32.
MUST_CHECK enum err columns_unpack(struct reader *packed, int32_t first_ms, size_t capacity,
                                   struct columns *columns);
