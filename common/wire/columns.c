#include "common/wire/columns.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

enum { TIME_STEP = 0, TIME_DELTAS = 1, PERCENT_MAX = 100 };

static uint32_t delta_ms(const struct columns *columns, size_t index) {
    assert(columns->t_ms[index] >= columns->t_ms[index - 1]);
    return (uint32_t)columns->t_ms[index] - (uint32_t)columns->t_ms[index - 1];
}

static void pack_times(const struct columns *columns, struct buffer *out) {
    uint32_t step = columns->count > 1 ? delta_ms(columns, 1) : 0, other = 0;
    for (size_t i = 2; i < columns->count; i++)
        other |= delta_ms(columns, i) ^ step; // without a jump: vectors
    bool constant = other == 0;
    buffer_put_u8(out, constant ? TIME_STEP : TIME_DELTAS);
    if (constant)
        buffer_put_varint(out, step);
    else
        for (size_t i = 1; i < columns->count; i++)
            buffer_put_varint(out, delta_ms(columns, i));
}

// Values above the least, little-endian, 1, 2 or 4 bytes each: a loop for each width, so that the
// compiler makes vectors of them.

static void put_bytes(const int32_t *value, size_t count, uint32_t least, uint8_t *at) {
    for (size_t i = 0; i < count; i++)
        at[i] = (uint8_t)((uint32_t)value[i] - least);
}

static void put_words(const int32_t *value, size_t count, uint32_t least, uint8_t *at) {
    for (size_t i = 0; i < count; i++) {
        uint16_t above = htole16((uint16_t)((uint32_t)value[i] - least));
        memcpy(at + sizeof above * i, &above, sizeof above);
    }
}

static void put_longs(const int32_t *value, size_t count, uint32_t least, uint8_t *at) {
    for (size_t i = 0; i < count; i++) {
        uint32_t above = htole32((uint32_t)value[i] - least);
        memcpy(at + sizeof above * i, &above, sizeof above);
    }
}

static uint32_t take_bytes(const uint8_t *at, size_t count, uint32_t least, int32_t *value) {
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = at[i] > most ? at[i] : most;
        value[i] = (int32_t)(least + at[i]);
    }
    return most;
}

static uint32_t take_words(const uint8_t *at, size_t count, uint32_t least, int32_t *value) {
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t above;
        memcpy(&above, at + sizeof above * i, sizeof above);
        above = le16toh(above);
        most = above > most ? above : most;
        value[i] = (int32_t)(least + above);
    }
    return most;
}

static uint32_t take_longs(const uint8_t *at, size_t count, uint32_t least, int32_t *value) {
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t above;
        memcpy(&above, at + sizeof above * i, sizeof above);
        above = le32toh(above);
        most = above > most ? above : most;
        value[i] = (int32_t)(least + above);
    }
    return most;
}

static uint32_t take_nothing(size_t count, uint32_t least, int32_t *value) {
    for (size_t i = 0; i < count; i++)
        value[i] = (int32_t)least;
    return 0;
}

static void pack_values(const struct columns *columns, struct buffer *out) {
    int32_t least = columns->value[0], most = least;
    for (size_t i = 1; i < columns->count; i++) {
        least = columns->value[i] < least ? columns->value[i] : least;
        most = columns->value[i] > most ? columns->value[i] : most;
    }
    uint32_t range = (uint32_t)most - (uint32_t)least;
    uint8_t width = range == 0 ? 0 : range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : 4;
    buffer_put_u8(out, width);
    buffer_put_zigzag(out, least);
    uint8_t *at = buffer_extend(out, columns->count * width);
    if (!at || width == 0) return;
    (width == 1   ? put_bytes
     : width == 2 ? put_words
                  : put_longs)(columns->value, columns->count, (uint32_t)least, at);
}

static void pack_confidences(const struct columns *columns, struct buffer *out) {
    for (size_t i = 0, end; i < columns->count; i = end) {
        assert(columns->confidence[i] <= PERCENT_MAX);
        for (end = i + 1; end < columns->count; end++)
            if (columns->confidence[end] != columns->confidence[i]) break;
        buffer_put_varint(out, end - i);
        buffer_put_u8(out, columns->confidence[i]);
    }
}

void columns_pack(const struct columns *columns, struct buffer *out) {
    buffer_put_varint(out, columns->count);
    if (columns->count == 0) return;
    pack_times(columns, out);
    pack_values(columns, out);
    pack_confidences(columns, out);
}

enum err columns_packed_count(struct bytes packed, size_t *count) {
    struct reader reader = reader_of(packed);
    uint64_t members = reader_varint(&reader);
    if (reader.failed || members > INT32_MAX) return ERR_FORMAT;
    *count = (size_t)members;
    return ERR_NONE;
}

static enum err unpack_times(struct reader *packed, int32_t first_ms, struct columns *columns) {
    uint8_t form = reader_u8(packed);
    if (form > TIME_DELTAS) return ERR_FORMAT;
    uint64_t delta = form == TIME_STEP ? reader_varint(packed) : 0;
    columns->t_ms[0] = first_ms;
    if (form == TIME_STEP) {
        if (packed->failed) return ERR_FORMAT;
        uint64_t furthest = (uint64_t)(INT32_MAX - (int64_t)first_ms);
        if (delta > 0 && columns->count - 1 > furthest / delta) return ERR_RANGE;
        for (size_t i = 1; i < columns->count; i++)
            columns->t_ms[i] = (int32_t)((uint32_t)first_ms + (uint32_t)i * (uint32_t)delta);
        return ERR_NONE;
    }
    int64_t at_ms = first_ms;
    for (size_t i = 1; i < columns->count; i++) {
        delta = reader_varint(packed);
        if (delta > UINT32_MAX || (at_ms += (int64_t)delta) > INT32_MAX) return ERR_RANGE;
        columns->t_ms[i] = (int32_t)at_ms;
    }
    return packed->failed ? ERR_FORMAT : ERR_NONE;
}

static enum err unpack_values(struct reader *packed, struct columns *columns) {
    uint8_t width = reader_u8(packed);
    int64_t least = reader_zigzag(packed);
    if (width == 3 || width > 4 || least < INT32_MIN || least > INT32_MAX) return ERR_FORMAT;
    if (columns->count > reader_left(packed) / (width ? width : 1) && width) return ERR_FORMAT;
    const uint8_t *at = reader_take(packed, columns->count * width).data;
    if (packed->failed) return ERR_FORMAT;
    uint32_t from = (uint32_t)(int32_t)least;
    uint32_t most = width == 0   ? take_nothing(columns->count, from, columns->value)
                    : width == 1 ? take_bytes(at, columns->count, from, columns->value)
                    : width == 2 ? take_words(at, columns->count, from, columns->value)
                                 : take_longs(at, columns->count, from, columns->value);
    return least + most > INT32_MAX ? ERR_FORMAT : ERR_NONE;
}

static enum err unpack_confidences(struct reader *packed, struct columns *columns) {
    for (size_t i = 0; i < columns->count;) {
        uint64_t run = reader_varint(packed);
        uint8_t percent = reader_u8(packed);
        if (run == 0 || run > columns->count - i || percent > PERCENT_MAX) return ERR_FORMAT;
        memset(columns->confidence + i, percent, (size_t)run);
        i += (size_t)run;
    }
    return packed->failed ? ERR_FORMAT : ERR_NONE;
}

enum err columns_unpack(struct reader *packed, int32_t first_ms, size_t capacity,
                        struct columns *columns) {
    columns->count = 0;
    uint64_t count = reader_varint(packed);
    if (packed->failed) return ERR_FORMAT;
    if (count > capacity) return ERR_RANGE;
    if (count == 0) return ERR_NONE;
    struct columns unpacked = *columns;
    unpacked.count = (size_t)count;
    enum err err = unpack_times(packed, first_ms, &unpacked);
    if (!err) err = unpack_values(packed, &unpacked);
    if (!err) err = unpack_confidences(packed, &unpacked);
    if (!err) columns->count = unpacked.count;
    return err;
}
