#pragma once
// A minute log as it was appended, chunk by chunk: each is one measure of one gateway. For
// watching; what an encounter is judged by is read by worker/core/minutes_reader.c.

#include "common/base/bytes.h"
#include "common/domain/series.h"

enum { CHUNK_MEMBERS_MAX = 65536, CHUNK_LABELS_MAX = 4096 };

struct chunk {
    const struct measure *measure;
    uint16_t gateway_key;
    int64_t minute_ms;
    int64_t watched_ms;     // how much of the minute its sensor watched
    struct columns columns; // times from minute_ms; they live until the next chunk
    size_t label_count;
    struct bytes labels[CHUNK_LABELS_MAX]; // of events; they point into the log
};

/// The next chunk of a log of this minute (since 1970); those of unknown measures are passed over.
/// ERR_END: none; ERR_FORMAT: the log is damaged from here on.
MUST_CHECK enum err chunks_next(struct reader *log, const struct measures *measures, int64_t minute,
                                struct chunk *chunk);
