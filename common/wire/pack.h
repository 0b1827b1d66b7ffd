#pragma once
// MessagePack as our protocol uses it. Writing goes through msgpack-c; reading untrusted bytes is
// our own, because msgpack-c allocates what a header declares before it has seen the content.
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

/// A key by which pack_index knows a value; also the first member of a row of a larger table.
struct pack_key {
    const char *text;
    size_t size;
};
#define PACK_KEY(literal)                                                                          \
    { (literal), sizeof(literal) - 1 }

/// Take a whole map, checking all of it, and note where the values of `count` known keys begin:
/// values[i] is for row i, its `at` is NULL if the key is not there. Unknown keys are skipped.
/// The rows, row_size bytes each, begin with their struct pack_key. The map may be in any order;
/// it is read fastest in that of the rows.
bool pack_index(struct reader *reader, unsigned depth, const void *rows, size_t row_size,
                size_t count, struct reader values[]);
/// The same, and bit i of *found for row i; what is not found stays as it was in values.
bool pack_index_found(struct reader *reader, unsigned depth, const void *rows, size_t row_size,
                      size_t count, struct reader values[], uint64_t *found);

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
