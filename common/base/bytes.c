#include "common/base/bytes.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_LEAST = 256, VARINT_BITS = 7 };

struct bytes bytes_of_text(const char *text) {
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void buffer_init(struct buffer *buffer, size_t limit) {
    *buffer = (struct buffer){.limit = limit};
}

void buffer_fini(struct buffer *buffer) {
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer) {
    buffer->size = 0;
    buffer->failed = buffer->no_memory = false;
}

enum err buffer_rewind(struct buffer *buffer, size_t size) {
    assert(size <= buffer->size);
    enum err err = buffer->no_memory ? ERR_NOMEM : ERR_FULL;
    buffer_clear(buffer);
    buffer->size = size;
    return err;
}

struct bytes buffer_bytes(const struct buffer *buffer) {
    return (struct bytes){buffer->data, buffer->size};
}

/// Room for at least `needed` bytes; doubles, so that appending stays linear.
static bool grow(struct buffer *buffer, size_t needed) {
    size_t capacity = buffer->capacity < CAPACITY_LEAST ? CAPACITY_LEAST : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (capacity > buffer->limit) capacity = buffer->limit;
    uint8_t *data = realloc(buffer->data, capacity ? capacity : 1);
    buffer->no_memory = !data;
    if (!data) return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *buffer_extend_slowly(struct buffer *buffer, size_t size) {
    if (buffer->failed) return NULL;
    bool fits = size <= buffer->limit - buffer->size;
    if (!fits || ((!buffer->data || size > buffer->capacity - buffer->size) &&
                  !grow(buffer, buffer->size + size))) {
        buffer->failed = true;
        return NULL;
    }
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

static void put_little_endian(struct buffer *buffer, uint64_t value, size_t size) {
    uint8_t *at = buffer_extend(buffer, size);
    if (!at) return;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void buffer_put_u8(struct buffer *buffer, uint8_t value) {
    put_little_endian(buffer, value, 1);
}

void buffer_put_u16(struct buffer *buffer, uint16_t value) {
    put_little_endian(buffer, value, 2);
}

void buffer_put_u32(struct buffer *buffer, uint32_t value) {
    put_little_endian(buffer, value, 4);
}

void buffer_put_u64(struct buffer *buffer, uint64_t value) {
    put_little_endian(buffer, value, 8);
}

void buffer_put_varint(struct buffer *buffer, uint64_t value) {
    uint8_t bytes[10];
    size_t size = 0;
    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= VARINT_BITS;
    }
    bytes[size++] = (uint8_t)value;
    buffer_put(buffer, bytes, size);
}

void buffer_put_zigzag(struct buffer *buffer, int64_t value) {
    uint64_t doubled = (uint64_t)value << 1;
    buffer_put_varint(buffer, value < 0 ? ~doubled : doubled);
}

void buffer_put_short(struct buffer *buffer, struct bytes text) {
    assert(text.size <= UINT8_MAX);
    buffer_put_u8(buffer, (uint8_t)text.size);
    buffer_put(buffer, text.data, text.size);
}

struct reader reader_of(struct bytes bytes) {
    // A view without bytes may be NULL; pointers into nothing are still compared and subtracted.
    static const uint8_t nothing;
    const uint8_t *data = bytes.data ? bytes.data : &nothing;
    return (struct reader){.at = data, .end = data + bytes.size};
}

static void fail(struct reader *reader) {
    reader->failed = true;
    reader->at = reader->end;
}

struct bytes reader_take(struct reader *reader, size_t size) {
    if (size > reader_left(reader)) {
        fail(reader);
        return (struct bytes){reader->end, 0};
    }
    struct bytes taken = {reader->at, size};
    reader->at += size;
    return taken;
}

static uint64_t take_little_endian(struct reader *reader, size_t size) {
    struct bytes taken = reader_take(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.size; i++)
        value |= (uint64_t)taken.data[i] << (8 * i);
    return value;
}

uint8_t reader_u8(struct reader *reader) {
    return (uint8_t)take_little_endian(reader, 1);
}

uint16_t reader_u16(struct reader *reader) {
    return (uint16_t)take_little_endian(reader, 2);
}

uint32_t reader_u32(struct reader *reader) {
    return (uint32_t)take_little_endian(reader, 4);
}

uint64_t reader_u64(struct reader *reader) {
    return take_little_endian(reader, 8);
}

uint64_t reader_varint(struct reader *reader) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += VARINT_BITS) {
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1) break; // more than 64 bits
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            // One form a number: a last byte of zero only for the number zero itself.
            if (byte == 0 && shift > 0) break;
            return value;
        }
    }
    fail(reader);
    return 0;
}

int64_t reader_zigzag(struct reader *reader) {
    uint64_t value = reader_varint(reader);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

struct bytes reader_short(struct reader *reader) {
    return reader_take(reader, reader_u8(reader));
}
