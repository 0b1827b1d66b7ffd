#include "common/wire/pack.h"

#include <endian.h>
#include <math.h>
#include <string.h>

enum kind {
    KIND_MALFORMED,
    KIND_NIL,
    KIND_BOOL,
    KIND_INTEGER,
    KIND_FLOAT,
    KIND_TEXT,
    KIND_BYTES,
    KIND_ARRAY, // this and what follows has content
    KIND_MAP,
};

/// One value; of an array or map its head only. Which member holds depends on its kind.
union item {
    bool truth;
    int64_t integer;
    double number;
    struct bytes bytes; // text, bytes
    size_t count;       // array: elements, map: pairs
};

// The two ways in which bytes are taken here; every value passes through them, so both are lean.

static inline bool has(const struct reader *reader, size_t size) {
    return (size_t)(reader->end - reader->at) >= size;
}

static inline uint64_t big_endian(struct reader *reader, size_t size) {
    if (!has(reader, size)) {
        reader->failed = true;
        return 0;
    }
    const uint8_t *at = reader->at;
    reader->at += size;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case 1:
        return at[0];
    case 2:
        memcpy(&two, at, sizeof two);
        return be16toh(two);
    case 4:
        memcpy(&four, at, sizeof four);
        return be32toh(four);
    default:
        memcpy(&eight, at, sizeof eight);
        return be64toh(eight);
    }
}

static inline struct bytes view(struct reader *reader, size_t size) {
    if (!has(reader, size)) {
        reader->failed = true;
        size = 0;
    }
    struct bytes taken = {reader->at, size};
    reader->at += size;
    return taken;
}

/// RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
static bool utf8_valid(struct bytes text) {
    const uint8_t *at = text.data, *end = text.data + text.size;
    uint64_t eight;
    for (; (size_t)(end - at) >= sizeof eight; at += sizeof eight) { // ASCII, most of the time
        memcpy(&eight, at, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080)) break;
    }
    while (at < end) {
        uint8_t lead = *at++;
        if (lead < 0x80) continue;
        size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || (size_t)(end - at) < more) return false;
        uint8_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint8_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (at[0] < least || at[0] > most) return false;
        for (size_t i = 1; i < more; i++)
            if ((at[i] & 0xc0) != 0x80) return false;
        at += more;
    }
    return true;
}

static inline enum kind integer(union item *item, int64_t value) {
    item->integer = value;
    return KIND_INTEGER;
}

static enum kind signed_integer(struct reader *reader, size_t size, union item *item) {
    unsigned unused = 64 - 8 * (unsigned)size;
    return integer(item, (int64_t)(big_endian(reader, size) << unused) >> unused);
}

static enum kind unsigned_integer(struct reader *reader, size_t size, union item *item) {
    uint64_t value = big_endian(reader, size);
    return value > INT64_MAX ? KIND_MALFORMED : integer(item, (int64_t)value);
}

static enum kind float32(struct reader *reader, union item *item) {
    uint32_t bits = (uint32_t)big_endian(reader, sizeof bits);
    float value;
    memcpy(&value, &bits, sizeof value);
    item->number = (double)value;
    return isfinite(value) ? KIND_FLOAT : KIND_MALFORMED;
}

static enum kind float64(struct reader *reader, union item *item) {
    uint64_t bits = big_endian(reader, sizeof bits);
    memcpy(&item->number, &bits, sizeof item->number);
    return isfinite(item->number) ? KIND_FLOAT : KIND_MALFORMED;
}

static inline enum kind text(struct reader *reader, size_t size, union item *item) {
    if (size > PACK_TEXT_MAX) return KIND_MALFORMED;
    item->bytes = view(reader, size);
    return utf8_valid(item->bytes) ? KIND_TEXT : KIND_MALFORMED;
}

static enum kind bytes(struct reader *reader, size_t size, union item *item) {
    item->bytes = view(reader, size);
    return KIND_BYTES;
}

/// Every element takes at least a byte: whatever declares more than there are bytes is a lie.
static inline enum kind array(struct reader *reader, size_t count, union item *item) {
    item->count = count;
    return has(reader, count) ? KIND_ARRAY : KIND_MALFORMED;
}

static inline enum kind map(struct reader *reader, size_t count, union item *item) {
    item->count = count;
    return count <= PACK_KEYS_MAX && has(reader, 2 * count) ? KIND_MAP : KIND_MALFORMED;
}

static enum kind take_long_form(struct reader *reader, uint8_t head, union item *item) {
    switch (head) {
    case 0xc0:
        return KIND_NIL;
    case 0xc2:
    case 0xc3:
        item->truth = head == 0xc3;
        return KIND_BOOL;
    case 0xc4:
        return bytes(reader, (size_t)big_endian(reader, 1), item);
    case 0xc5:
        return bytes(reader, (size_t)big_endian(reader, 2), item);
    case 0xc6:
        return bytes(reader, (size_t)big_endian(reader, 4), item);
    case 0xca:
        return float32(reader, item);
    case 0xcb:
        return float64(reader, item);
    case 0xcc:
        return unsigned_integer(reader, 1, item);
    case 0xcd:
        return unsigned_integer(reader, 2, item);
    case 0xce:
        return unsigned_integer(reader, 4, item);
    case 0xcf:
        return unsigned_integer(reader, 8, item);
    case 0xd0:
        return signed_integer(reader, 1, item);
    case 0xd1:
        return signed_integer(reader, 2, item);
    case 0xd2:
        return signed_integer(reader, 4, item);
    case 0xd3:
        return signed_integer(reader, 8, item);
    case 0xd9:
        return text(reader, (size_t)big_endian(reader, 1), item);
    case 0xda:
        return text(reader, (size_t)big_endian(reader, 2), item);
    case 0xdb:
        return text(reader, (size_t)big_endian(reader, 4), item);
    case 0xdc:
        return array(reader, (size_t)big_endian(reader, 2), item);
    case 0xdd:
        return array(reader, (size_t)big_endian(reader, 4), item);
    case 0xde:
        return map(reader, (size_t)big_endian(reader, 2), item);
    case 0xdf:
        return map(reader, (size_t)big_endian(reader, 4), item);
    default:
        return KIND_MALFORMED; // extensions and 0xc1
    }
}

static inline enum kind take(struct reader *reader, union item *item) {
    enum kind kind;
    uint8_t head = (uint8_t)big_endian(reader, 1);
    if (head < 0x80)
        kind = integer(item, head);
    else if (head >= 0xe0)
        kind = integer(item, (int8_t)head);
    else if (head < 0x90)
        kind = map(reader, head & 0x0f, item);
    else if (head < 0xa0)
        kind = array(reader, head & 0x0f, item);
    else if (head < 0xc0)
        kind = text(reader, head & 0x1f, item);
    else
        kind = take_long_form(reader, head, item);
    return reader->failed ? KIND_MALFORMED : kind;
}

bool pack_read_bool(struct reader *reader, bool *value) {
    union item item;
    if (take(reader, &item) != KIND_BOOL) return false;
    *value = item.truth;
    return true;
}

bool pack_read_integer(struct reader *reader, int64_t *value) {
    union item item;
    if (take(reader, &item) != KIND_INTEGER) return false;
    *value = item.integer;
    return true;
}

bool pack_read_number(struct reader *reader, double *value) {
    union item item;
    enum kind kind = take(reader, &item);
    if (kind != KIND_INTEGER && kind != KIND_FLOAT) return false;
    *value = kind == KIND_INTEGER ? (double)item.integer : item.number;
    return true;
}

bool pack_read_text(struct reader *reader, struct bytes *value) {
    union item item;
    if (take(reader, &item) != KIND_TEXT) return false;
    *value = item.bytes;
    return true;
}

bool pack_read_bytes(struct reader *reader, struct bytes *value) {
    union item item;
    if (take(reader, &item) != KIND_BYTES) return false;
    *value = item.bytes;
    return true;
}

bool pack_read_array(struct reader *reader, size_t *count) {
    union item item;
    if (take(reader, &item) != KIND_ARRAY) return false;
    *count = item.count;
    return true;
}

bool pack_is_array(const struct reader *reader) {
    struct reader ahead = *reader;
    union item item;
    return take(&ahead, &item) == KIND_ARRAY;
}

/// Remember a key; false: the map has it already.
static bool key_is_new(struct bytes keys[], size_t count, struct bytes key) {
    for (size_t i = 0; i < count; i++)
        if (keys[i].size == key.size && memcmp(keys[i].data, key.data, key.size) == 0) return false;
    keys[count] = key;
    return true;
}

static bool skip_pairs(struct reader *reader, unsigned depth, size_t count) {
    struct bytes keys[PACK_KEYS_MAX];
    union item key;
    for (size_t i = 0; i < count; i++)
        if (take(reader, &key) != KIND_TEXT || !key_is_new(keys, i, key.bytes) ||
            !pack_skip(reader, depth))
            return false;
    return true;
}

static bool skip_elements(struct reader *reader, unsigned depth, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!pack_skip(reader, depth)) return false;
    return true;
}

bool pack_skip(struct reader *reader, unsigned depth) {
    union item item;
    enum kind kind = take(reader, &item);
    if (kind < KIND_ARRAY) return kind != KIND_MALFORMED;
    if (depth == 0) return false;
    return kind == KIND_MAP ? skip_pairs(reader, depth - 1, item.count)
                            : skip_elements(reader, depth - 1, item.count);
}

static inline const struct pack_key *row_key(const void *rows, size_t row_size, size_t index) {
    return (const struct pack_key *)(const void *)((const char *)rows + index * row_size);
}

/// memcmp of short texts, without a call.
static inline bool same_text(const uint8_t *a, const char *b, size_t size) {
    uint64_t eight[4];
    uint32_t four[4];
    if (size >= sizeof *eight) {
        if (size > 2 * sizeof *eight) return memcmp(a, b, size) == 0;
        const size_t rest = size - sizeof *eight;
        memcpy(&eight[0], a, sizeof *eight), memcpy(&eight[1], b, sizeof *eight);
        memcpy(&eight[2], a + rest, sizeof *eight), memcpy(&eight[3], b + rest, sizeof *eight);
        return eight[0] == eight[1] && eight[2] == eight[3];
    }
    if (size >= sizeof *four) {
        const size_t rest = size - sizeof *four;
        memcpy(&four[0], a, sizeof *four), memcpy(&four[1], b, sizeof *four);
        memcpy(&four[2], a + rest, sizeof *four), memcpy(&four[3], b + rest, sizeof *four);
        return four[0] == four[1] && four[2] == four[3];
    }
    for (size_t i = 0; i < size; i++)
        if (a[i] != (uint8_t)b[i]) return false;
    return true;
}

/// The first row among `among` with this key; false: none.
static inline bool find_row(const void *rows, size_t row_size, uint64_t among, struct bytes key,
                            size_t *row) {
    for (; among; among &= among - 1) {
        size_t at = (size_t)__builtin_ctzll(among);
        const struct pack_key *known = row_key(rows, row_size, at);
        if (known->size != key.size || !same_text(key.data, known->text, key.size)) continue;
        *row = at;
        return true;
    }
    return false;
}

/// A short text, as keys are, without looking at its characters; false: no short text is next.
static inline bool take_short_text(struct reader *reader, struct bytes *text) {
    if (!has(reader, 1) || (*reader->at & 0xe0) != 0xa0) return false;
    size_t size = *reader->at & 0x1f;
    if (!has(reader, 1 + size)) return false;
    *text = (struct bytes){reader->at + 1, size};
    reader->at += 1 + size;
    return true;
}

bool pack_map_begin(struct reader *reader, struct pack_map *map) {
    union item item;
    if (take(reader, &item) != KIND_MAP) return false;
    map->left = item.count;
    map->found = map->unknown_count = 0;
    map->likely = map->ahead = UINT64_MAX;
    return true;
}

bool pack_map_key(struct reader *reader, struct pack_map *map, const void *rows, size_t row_size,
                  size_t count, size_t *row) {
    union item key;
    bool is_short = take_short_text(reader, &key.bytes);
    if (!is_short && take(reader, &key) != KIND_TEXT) return false;
    map->left--;
    const uint64_t all = count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
    const uint64_t first = map->likely & map->ahead & all;
    if (!find_row(rows, row_size, first, key.bytes, row) &&
        !find_row(rows, row_size, all & ~first, key.bytes, row)) {
        *row = PACK_UNKNOWN;
        return utf8_valid(key.bytes) && key_is_new(map->unknown, map->unknown_count++, key.bytes);
    }
    map->ahead = UINT64_MAX << *row << 1;
    bool again = map->found >> *row & 1;
    map->found |= UINT64_C(1) << *row;
    return !again;
}

bool pack_index(struct reader *reader, unsigned depth, const void *rows, size_t row_size,
                size_t count, struct reader values[]) {
    struct pack_map map;
    memset(values, 0, count * sizeof values[0]);
    if (!pack_map_begin(reader, &map) || depth == 0) return false;
    while (map.left > 0) {
        size_t row;
        if (!pack_map_key(reader, &map, rows, row_size, count, &row)) return false;
        const uint8_t *at = reader->at;
        if (!pack_skip(reader, depth - 1)) return false;
        if (row != PACK_UNKNOWN) values[row] = (struct reader){.at = at, .end = reader->at};
    }
    return true;
}

void pack_write_number(msgpack_packer *packer, double value) {
    enum { EXACT = 1 << 30 };
    if (value >= -EXACT && value <= EXACT && value == floor(value))
        msgpack_pack_int64(packer, (int64_t)value);
    else if ((double)(float)value == value)
        msgpack_pack_float(packer, (float)value);
    else
        msgpack_pack_double(packer, value);
}
