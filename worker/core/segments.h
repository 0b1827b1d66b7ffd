#pragma once
// What the chunks of an encounter hold, until its series are joined: chunk by chunk as they come,
// each a segment of one series. Mostly they come in the order of time, and joining is copying; what
// came late is put in its place as a whole; only where segments overlap are members sorted.

#include "common/base/err.h"
#include "common/domain/series.h"

#include <stdbool.h>
#include <stddef.h>

enum { SEGMENT_SERIES_MAX = 256 };

struct segments {
    size_t capacity, member_count, count;
    struct columns incoming; // behind each other; times from the encounter's begin
    struct segment *items;
    uint32_t *order; // those of one series, by their first time
    struct member *members;
    struct segment_list {
        uint32_t first, last;
    } lists[SEGMENT_SERIES_MAX]; // in the order in which they came
};

/// false: out of memory, and nothing is held. capacity: members kept in all, and of one chunk.
bool segments_init(struct segments *segments, size_t capacity);
void segments_fini(struct segments *segments);
void segments_clear(struct segments *segments);
void segments_open(struct segments *segments, uint16_t series); // a new one, without segments
/// Where the next chunk is to be unpacked: room for `capacity` members.
struct columns segments_next(const struct segments *segments);
/// The first `count` members there are a segment. ERR_FULL: too many members or segments.
MUST_CHECK enum err segments_keep(struct segments *segments, uint16_t series, uint16_t gateway_key,
                                  size_t count);
/// Values of a series, that are places, become what stands at those places.
void segments_replace(struct segments *segments, uint16_t series, const int32_t *places);
/// Sorted by time, and equal members (of one gateway and time; events: and value) once; into
/// columns that have room for all of the series.
void segments_join(struct segments *segments, uint16_t series, bool events,
                   struct columns *columns);
