#pragma once
// MessagePack as our protocol uses it. Bodies are written through msgpack-c, messages by the few
// lines below, at a quarter of the cost; reading untrusted bytes is our own, because msgpack-c
// allocates what a header declares before it has seen the content.
//
// What is read here: nil, bool, integers within int64, finite floats, UTF-8 text of at most
// PACK_TEXT_MAX bytes, byte strings, arrays, and maps whose keys are distinct texts. A declared
// count never exceeds the bytes that are left. Anything else is malformed.

#include "common/base/bytes.h"

#include <msgpack/pack.h>

enum { PACK_DEPTH_MAX = 8, PACK_TEXT_MAX = 256, PACK_KEYS_MAX = 64 };

/// Read one value of this kind. false: another kind, malformed or out of bounds; then the reader's
/// place means nothing any more.
bool pack_read_bool(struct reader *reader, bool *value);
bool pack_read_integer(struct reader *reader, int64_t *value);
bool pack_read_number(struct reader *reader, double *value); // integer or float
bool pack_read_text(struct reader *reader, struct bytes *text);
bool pack_read_bytes(struct reader *reader, struct bytes *bytes);
bool pack_read_array(struct reader *reader, size_t *count); // its elements follow

/// Whether the value at the front is of this kind, without taking it.
bool pack_is_array(const struct reader *reader);

/// Step over one whole value, nested at most `depth` deep, checking all of it.
bool pack_skip(struct reader *reader, unsigned depth);

/// A key by which a value is known; also the first member of a row of a larger table.
struct pack_key {
    const char *text;
    size_t size;
};
#define PACK_KEY(literal)                                                                          \
    { (literal), sizeof(literal) - 1 }

/// A map that is being read key by key; its known keys are the first members of `count` rows (at
/// most 64) of row_size bytes. It may be in any order, and is read fastest in that of the rows.
struct pack_map {
    size_t left;     // keys that are still to come
    uint64_t found;  // bit i: row i has come
    uint64_t likely; // rows to look at first; all, unless the caller knows better
    uint64_t ahead;  // rows behind the last one
    size_t unknown_count;
    struct bytes unknown[PACK_KEYS_MAX];
};
#define PACK_UNKNOWN SIZE_MAX
bool pack_map_begin(struct reader *reader, struct pack_map *map);
/// The row of the next key, or PACK_UNKNOWN; its value is next in the reader, to be read or
/// skipped. false: not a key, or one that came before.
bool pack_map_key(struct reader *reader, struct pack_map *map, const void *rows, size_t row_size,
                  size_t count, size_t *row);

/// Take a whole map, checking all of it, and note where the values of known keys begin: values[i]
/// is for row i, its `at` is NULL if the key is not there. Unknown keys are skipped.
bool pack_index(struct reader *reader, unsigned depth, const void *rows, size_t row_size,
                size_t count, struct reader values[]);

// Writing where there is room, the shortest form of each: returns what is behind it.
static inline uint8_t *pack_put_big_endian(uint8_t *at, uint8_t head, uint64_t value,
                                           unsigned size) {
    *at++ = head;
    for (unsigned i = size; i-- > 0;)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}
static inline uint8_t *pack_put_whole(uint8_t *at, uint64_t value) {
    if (value < 0x80) return *at = (uint8_t)value, at + 1;
    if (value <= UINT8_MAX) return pack_put_big_endian(at, 0xcc, value, 1);
    if (value <= UINT16_MAX) return pack_put_big_endian(at, 0xcd, value, 2);
    if (value <= UINT32_MAX) return pack_put_big_endian(at, 0xce, value, 4);
    return pack_put_big_endian(at, 0xcf, value, 8);
}
static inline uint8_t *pack_put_text_head(uint8_t *at, size_t size) {
    if (size < 0x20) return *at = (uint8_t)(0xa0 | size), at + 1;
    if (size <= UINT8_MAX) return pack_put_big_endian(at, 0xd9, size, 1);
    return pack_put_big_endian(at, 0xda, size, 2);
}
static inline uint8_t *pack_put_bytes_head(uint8_t *at, size_t size) {
    if (size <= UINT8_MAX) return pack_put_big_endian(at, 0xc4, size, 1);
    if (size <= UINT16_MAX) return pack_put_big_endian(at, 0xc5, size, 2);
    return pack_put_big_endian(at, 0xc6, size, 4);
}
static inline uint8_t *pack_put_map_head(uint8_t *at, size_t count) {
    if (count < 0x10) return *at = (uint8_t)(0x80 | count), at + 1;
    return pack_put_big_endian(at, 0xde, count, 2);
}

/// Where msgpack-c writes to: msgpack_packer_init(&packer, buffer, pack_write).
static inline int pack_write(void *buffer, const char *data, size_t size) {
    buffer_put(buffer, data, size);
    return 0; // the buffer itself remembers a failure
}
static inline void pack_write_key(msgpack_packer *packer, struct pack_key key) {
    msgpack_pack_str_with_body(packer, key.text, key.size);
}
/// The shortest form that keeps the value: an integer, else float32, else float64.
void pack_write_number(msgpack_packer *packer, double value);
