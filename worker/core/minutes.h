#pragma once
// Minute logs: what sensors saw at a counter, minute by minute, in few bytes.
//
// A log is a sequence of chunks in any order; a chunk is one measure of one gateway:
//
//   varint size of what follows
//   u32 measure key, u16 gateway key, varint clock error ms
//   varint number of watched spans, each: varint from (behind the end of the one before it, the
//     first: behind the minute's start), varint length, in ms
//   varint number of labels, each: u8 length, text   (samples: 0)
//   varint first time (ms behind the minute's start), then columns packed (common/wire/columns.h)
//
// A log is a set: chunks may come twice and in any order.

#include "common/base/bytes.h"
#include "common/domain/batch.h"

enum {
    MINUTES_SPAN_MAX_MS = DAY_MS, // how long one series may say that its sensor watched
    MINUTES_BATCH_MAX = 4096,     // chunks that one batch may need
};

/// Collects series of several batches of a branch and writes their chunks.
struct minutes_builder;
/// observations, chunks, labels: how many it holds at most. NULL: out of memory.
struct minutes_builder *minutes_builder_new(size_t observations, size_t chunks, size_t labels);
void minutes_builder_free(struct minutes_builder *builder); // accepts NULL
void minutes_builder_clear(struct minutes_builder *builder);

/// What room a batch needs; ERR_RANGE: more than any batch may.
MUST_CHECK enum err minutes_room(const struct batch *batch, size_t *observations, size_t *chunks,
                                 size_t *labels);
bool minutes_fits(const struct minutes_builder *builder, size_t observations, size_t chunks,
                  size_t labels);
/// Add a series; the columns are copied. There must be room. counter is its place in the branch.
/// Members and watching later than latest_ms are left out; returns how many members those are.
uint32_t minutes_add(struct minutes_builder *builder, const struct batch_series *series,
                     uint16_t counter, uint16_t gateway_key, uint32_t clock_error_ms,
                     int64_t latest_ms);
/// Merge by counter, minute, measure and gateway and append to out, as an ingest call takes them
/// (worker/store/KEYS.md); returns how many. The builder is then to be cleared.
uint32_t minutes_finish(struct minutes_builder *builder, struct buffer *out);

/// Turns the minute logs of an encounter into series.
struct minutes_reader;
/// observations: most that one encounter may have. NULL: out of memory.
struct minutes_reader *minutes_reader_new(size_t observations);
void minutes_reader_free(struct minutes_reader *reader); // accepts NULL
/// Begin with an encounter: only what lies in the span is read.
void minutes_reader_begin(struct minutes_reader *reader, struct span span,
                          const struct measures *measures);
/// Chunks of measures that are not declared any more are skipped.
/// ERR_FORMAT: the log is damaged; ERR_FULL: too many observations, labels or spans.
MUST_CHECK enum err minutes_reader_add(struct minutes_reader *reader, int64_t minute,
                                       struct bytes log);
/// The series, one a measure, by its id; they live until the next begin. Members are sorted by
/// time; of those of one gateway at one time (and label) the most confident, then the smallest
/// value stays. Whatever order the chunks came in, the result is the same.
MUST_CHECK enum err minutes_reader_end(struct minutes_reader *reader, const struct series **series,
                                       size_t *count);
