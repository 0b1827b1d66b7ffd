#include "common/wire/pack.h"

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
    KIND_ARRAY,
    KIND_MAP,
};

/// One value; of an array or map its head only.
struct item {
    enum kind kind;
    union {
        bool truth;
        int64_t integer;
        double number;
        struct bytes bytes; // text, bytes
        size_t count;       // array: elements, map: pairs
    };
};

static uint64_t big_endian(struct reader *reader, size_t size) {
    struct bytes taken = reader_take(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.size; i++)
        value = value << 8 | taken.data[i];
    return value;
}

/// RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
static bool utf8_valid(struct bytes text) {
    const uint8_t *at = text.data, *end = text.data + text.size;
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

static struct item integer(int64_t value) {
    return (struct item){.kind = KIND_INTEGER, .integer = value};
}

static struct item signed_integer(struct reader *reader, size_t size) {
    unsigned unused = 64 - 8 * (unsigned)size;
    return integer((int64_t)(big_endian(reader, size) << unused) >> unused);
}

static struct item unsigned_integer(struct reader *reader, size_t size) {
    uint64_t value = big_endian(reader, size);
    if (value > INT64_MAX) return (struct item){.kind = KIND_MALFORMED};
    return integer((int64_t)value);
}

static struct item floating(struct reader *reader, size_t size) {
    uint64_t bits = big_endian(reader, size);
    double value;
    if (size == sizeof(float)) {
        uint32_t narrow = (uint32_t)bits;
        float single;
        memcpy(&single, &narrow, sizeof single);
        value = (double)single;
    } else {
        memcpy(&value, &bits, sizeof value);
    }
    if (!isfinite(value)) return (struct item){.kind = KIND_MALFORMED};
    return (struct item){.kind = KIND_FLOAT, .number = value};
}

static struct item text(struct reader *reader, size_t size) {
    struct bytes bytes = reader_take(reader, size);
    if (size > PACK_TEXT_MAX || !utf8_valid(bytes)) return (struct item){.kind = KIND_MALFORMED};
    return (struct item){.kind = KIND_TEXT, .bytes = bytes};
}

static struct item bytes(struct reader *reader, size_t size) {
    return (struct item){.kind = KIND_BYTES, .bytes = reader_take(reader, size)};
}

/// Every element takes at least a byte: whatever declares more than there are bytes is a lie.
static struct item array(struct reader *reader, size_t count) {
    if (count > reader_left(reader)) return (struct item){.kind = KIND_MALFORMED};
    return (struct item){.kind = KIND_ARRAY, .count = count};
}

static struct item map(struct reader *reader, size_t count) {
    if (count > reader_left(reader) / 2 || count > PACK_KEYS_MAX)
        return (struct item){.kind = KIND_MALFORMED};
    return (struct item){.kind = KIND_MAP, .count = count};
}

static struct item take_long_form(struct reader *reader, uint8_t head) {
    switch (head) {
    case 0xc0:
        return (struct item){.kind = KIND_NIL};
    case 0xc2:
    case 0xc3:
        return (struct item){.kind = KIND_BOOL, .truth = head == 0xc3};
    case 0xc4:
        return bytes(reader, (size_t)big_endian(reader, 1));
    case 0xc5:
        return bytes(reader, (size_t)big_endian(reader, 2));
    case 0xc6:
        return bytes(reader, (size_t)big_endian(reader, 4));
    case 0xca:
        return floating(reader, 4);
    case 0xcb:
        return floating(reader, 8);
    case 0xcc:
        return unsigned_integer(reader, 1);
    case 0xcd:
        return unsigned_integer(reader, 2);
    case 0xce:
        return unsigned_integer(reader, 4);
    case 0xcf:
        return unsigned_integer(reader, 8);
    case 0xd0:
        return signed_integer(reader, 1);
    case 0xd1:
        return signed_integer(reader, 2);
    case 0xd2:
        return signed_integer(reader, 4);
    case 0xd3:
        return signed_integer(reader, 8);
    case 0xd9:
        return text(reader, (size_t)big_endian(reader, 1));
    case 0xda:
        return text(reader, (size_t)big_endian(reader, 2));
    case 0xdb:
        return text(reader, (size_t)big_endian(reader, 4));
    case 0xdc:
        return array(reader, (size_t)big_endian(reader, 2));
    case 0xdd:
        return array(reader, (size_t)big_endian(reader, 4));
    case 0xde:
        return map(reader, (size_t)big_endian(reader, 2));
    case 0xdf:
        return map(reader, (size_t)big_endian(reader, 4));
    default:
        return (struct item){.kind = KIND_MALFORMED}; // extensions and 0xc1
    }
}

static struct item take(struct reader *reader) {
    uint8_t head = reader_u8(reader);
    struct item item;
    if (head < 0x80)
        item = integer(head);
    else if (head >= 0xe0)
        item = integer((int8_t)head);
    else if (head < 0x90)
        item = map(reader, head & 0x0f);
    else if (head < 0xa0)
        item = array(reader, head & 0x0f);
    else if (head < 0xc0)
        item = text(reader, head & 0x1f);
    else
        item = take_long_form(reader, head);
    if (reader->failed) item.kind = KIND_MALFORMED;
    return item;
}

bool pack_read_bool(struct reader *reader, bool *value) {
    struct item item = take(reader);
    if (item.kind != KIND_BOOL) return false;
    *value = item.truth;
    return true;
}

bool pack_read_integer(struct reader *reader, int64_t *value) {
    struct item item = take(reader);
    if (item.kind != KIND_INTEGER) return false;
    *value = item.integer;
    return true;
}

bool pack_read_number(struct reader *reader, double *value) {
    struct item item = take(reader);
    if (item.kind != KIND_INTEGER && item.kind != KIND_FLOAT) return false;
    *value = item.kind == KIND_INTEGER ? (double)item.integer : item.number;
    return true;
}

bool pack_read_text(struct reader *reader, struct bytes *value) {
    struct item item = take(reader);
    if (item.kind != KIND_TEXT) return false;
    *value = item.bytes;
    return true;
}

bool pack_read_bytes(struct reader *reader, struct bytes *value) {
    struct item item = take(reader);
    if (item.kind != KIND_BYTES) return false;
    *value = item.bytes;
    return true;
}

bool pack_read_array(struct reader *reader, size_t *count) {
    struct item item = take(reader);
    if (item.kind != KIND_ARRAY) return false;
    *count = item.count;
    return true;
}

bool pack_is_array(const struct reader *reader) {
    struct reader ahead = *reader;
    return take(&ahead).kind == KIND_ARRAY;
}

/// Take a key and see that the map did not have it yet.
static bool take_key(struct reader *reader, struct bytes keys[], size_t count) {
    if (!pack_read_text(reader, &keys[count])) return false;
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(keys[i], keys[count])) return false;
    return true;
}

bool pack_skip(struct reader *reader, unsigned depth) {
    struct item item = take(reader);
    if (item.kind == KIND_MALFORMED) return false;
    if (item.kind != KIND_ARRAY && item.kind != KIND_MAP) return true;
    if (depth == 0) return false;
    struct bytes keys[PACK_KEYS_MAX];
    for (size_t i = 0; i < item.count; i++) {
        if (item.kind == KIND_MAP && !take_key(reader, keys, i)) return false;
        if (!pack_skip(reader, depth - 1)) return false;
    }
    return true;
}

static struct pack_key row_key(const void *rows, size_t row_size, size_t index) {
    struct pack_key key;
    memcpy(&key, (const char *)rows + index * row_size, sizeof key);
    return key;
}

bool pack_index(struct reader *reader, unsigned depth, const void *rows, size_t row_size,
                size_t count, struct reader values[]) {
    for (size_t i = 0; i < count; i++)
        values[i] = (struct reader){0};
    struct item item = take(reader);
    if (item.kind != KIND_MAP || depth == 0) return false;
    struct bytes keys[PACK_KEYS_MAX];
    size_t row = 0; // most senders keep the order of the rows: look on from the last one found
    for (size_t i = 0; i < item.count; i++) {
        if (!take_key(reader, keys, i)) return false;
        struct reader value = *reader;
        if (!pack_skip(reader, depth - 1)) return false;
        value.end = reader->at;
        for (size_t tried = 0; tried < count; tried++, row = row + 1 < count ? row + 1 : 0) {
            struct pack_key key = row_key(rows, row_size, row);
            if (key.size != keys[i].size || memcmp(key.text, keys[i].data, key.size) != 0) continue;
            values[row] = value;
            break;
        }
    }
    return true;
}

int pack_write(void *buffer, const char *data, size_t size) {
    buffer_put(buffer, data, size);
    return 0; // the buffer itself remembers a failure
}

void pack_write_key(msgpack_packer *packer, struct pack_key key) {
    msgpack_pack_str_with_body(packer, key.text, key.size);
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
