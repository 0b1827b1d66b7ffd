#pragma once
// Views of bytes, a growing buffer with a limit, and little-endian writing and reading.

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/// Bytes that somebody else owns.
struct bytes {
    const uint8_t *data;
    size_t size;
};

struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);

/// A growing buffer that never exceeds its limit. After a failed write `failed` stays set and
/// further writes do nothing, so that a sequence of writes is checked once at its end.
struct buffer {
    uint8_t *data;
    size_t size, capacity, limit;
    bool failed;
    bool no_memory; // why it failed, if not for its limit
};

void buffer_init(struct buffer *buffer, size_t limit); // allocates nothing
void buffer_fini(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); // size 0, not failed, keeps its memory
/// Go back to an earlier size after a failed write, which is forgotten; says why it failed:
/// ERR_NOMEM or ERR_FULL.
enum err buffer_rewind(struct buffer *buffer, size_t size);
struct bytes buffer_bytes(const struct buffer *buffer);
/// buffer_extend where there is no room yet.
uint8_t *buffer_extend_slowly(struct buffer *buffer, size_t size);

/// size bytes to be written by the caller, or NULL (then failed).
static inline uint8_t *buffer_extend(struct buffer *buffer, size_t size) {
    bool room = !buffer->failed && buffer->data && size <= buffer->capacity - buffer->size &&
                buffer->size + size <= buffer->limit; // which may have been lowered
    if (!room) return buffer_extend_slowly(buffer, size);
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

static inline void buffer_put(struct buffer *buffer, const void *data, size_t size) {
    uint8_t *at = size ? buffer_extend(buffer, size) : NULL;
    if (at) memcpy(at, data, size);
}

void buffer_put_u8(struct buffer *buffer, uint8_t value);
void buffer_put_u16(struct buffer *buffer, uint16_t value);
void buffer_put_u32(struct buffer *buffer, uint32_t value);
void buffer_put_u64(struct buffer *buffer, uint64_t value);
void buffer_put_varint(struct buffer *buffer, uint64_t value);   // LEB128, at most 10 bytes
void buffer_put_zigzag(struct buffer *buffer, int64_t value);    // varint of the zigzag form
void buffer_put_short(struct buffer *buffer, struct bytes text); // u8 length, then bytes; <= 255

/// Reads from the front. Past the end or on a malformed varint: `failed` is set, zeros come back.
struct reader {
    const uint8_t *at, *end;
    bool failed;
};

struct reader reader_of(struct bytes bytes);
static inline size_t reader_left(const struct reader *reader) {
    return (size_t)(reader->end - reader->at);
}
struct bytes reader_take(struct reader *reader, size_t size);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
uint64_t reader_varint(struct reader *reader);
int64_t reader_zigzag(struct reader *reader);
struct bytes reader_short(struct reader *reader);
