#include "common/wire/columns.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 300 };

static int32_t t_ms[MANY], value[MANY], t_back[MANY], value_back[MANY];
static uint8_t confidence[MANY], confidence_back[MANY];
static struct columns back = {0, t_back, value_back, confidence_back};
static struct buffer buffer;

static void begin(void) {
    buffer_init(&buffer, 1 << 16);
}

static void end(void) {
    buffer_fini(&buffer);
}

TestSuite(columns, .init = begin, .fini = end);

static enum err unpack(int32_t first_ms, size_t capacity) {
    struct reader reader = reader_of(buffer_bytes(&buffer));
    enum err err = columns_unpack(&reader, first_ms, capacity, &back);
    if (!err) cr_assert(eq(sz, reader_left(&reader), 0));
    return err;
}

static void round_trip(size_t count) {
    struct columns columns = {count, t_ms, value, confidence};
    buffer_clear(&buffer);
    columns_pack(&columns, &buffer);
    size_t counted;
    cr_assert(eq(int, columns_packed_count(buffer_bytes(&buffer), &counted), ERR_NONE));
    cr_assert(eq(sz, counted, count));
    cr_assert(eq(int, unpack(count ? t_ms[0] : 0, count), ERR_NONE));
    cr_assert(eq(sz, back.count, count));
    cr_assert(eq(int, memcmp(t_ms, t_back, count * sizeof *t_ms), 0));
    cr_assert(eq(int, memcmp(value, value_back, count * sizeof *value), 0));
    cr_assert(eq(int, memcmp(confidence, confidence_back, count), 0));
}

static uint64_t random_state = 20261123;
static uint32_t random_below(uint32_t bound) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % bound;
}

Test(columns, what_is_packed_comes_back) {
    static const uint32_t ranges[] = {1, 2, 256, 257, 65536, 65537, INT32_MAX};
    for (int turn = 0; turn < 2000; turn++) {
        size_t count = random_below(MANY + 1);
        uint32_t range = ranges[turn % 7], step = random_below(3) ? random_below(1000) : 0;
        int32_t at = (int32_t)random_below(1000000) - 500000;
        for (size_t i = 0; i < count; i++) {
            t_ms[i] = at;
            at += (int32_t)(turn % 2 ? step : random_below(5000));
            value[i] = (int32_t)random_below(range) - (turn % 3 ? 0 : INT32_MAX / 2);
            confidence[i] = random_below(10) && i ? confidence[i - 1] : (uint8_t)random_below(101);
        }
        round_trip(count);
    }
}

Test(columns, the_ends_of_the_numbers_come_back) {
    t_ms[0] = INT32_MIN, t_ms[1] = INT32_MAX;
    value[0] = INT32_MAX, value[1] = INT32_MIN;
    confidence[0] = 0, confidence[1] = 100;
    round_trip(2);
    round_trip(1);
    round_trip(0);
    cr_assert(eq(sz, buffer.size, 1));
}

Test(columns, a_steady_sensor_costs_two_bytes_an_observation) {
    for (size_t i = 0; i < MANY; i++) {
        t_ms[i] = (int32_t)i * 200;
        value[i] = 120 + (int32_t)(i % 600);
        confidence[i] = 95;
    }
    round_trip(MANY);
    cr_assert(le(sz, buffer.size, 2 * MANY + 16));
}

Test(columns, torn_or_inconsistent_bytes_are_refused) {
    for (size_t i = 0; i < 5; i++)
        t_ms[i] = (int32_t)(i * i), value[i] = (int32_t)i, confidence[i] = 9;
    round_trip(5);
    for (size_t size = buffer.size; size-- > 0;) {
        struct reader reader = reader_of((struct bytes){buffer.data, size});
        cr_assert(ne(int, columns_unpack(&reader, 0, MANY, &back), ERR_NONE));
        cr_assert(eq(sz, back.count, 0));
    }
    static const struct {
        const char *bytes;
        size_t size;
        enum err err;
    } cases[] = {
        {"\x01\x02\x00\x00\x00\x01\x64", 7, ERR_FORMAT}, // no such form of time
        {"\x01\x00\x00\x03\x00\x01\x64", 7, ERR_FORMAT}, // width 3
        {"\x01\x00\x00\x00\x00\x02\x64", 7, ERR_FORMAT}, // run beyond the count
        {"\x01\x00\x00\x00\x00\x00\x64", 7, ERR_FORMAT}, // run of nothing
        {"\x01\x00\x00\x00\x00\x01\x65", 7, ERR_FORMAT}, // 101 percent
        {"\x01\x00\x00\x01\xfe\xff\xff\xff\x0f\x01\x01\x64", 12, ERR_FORMAT}, // above INT32_MAX
        {"\x03\x00\xff\xff\xff\xff\x0f\x00\x00\x03\x64", 11, ERR_RANGE},      // time beyond int32
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_clear(&buffer);
        buffer_put(&buffer, cases[i].bytes, cases[i].size);
        cr_assert(eq(int, unpack(0, MANY), cases[i].err), "case %zu", i);
    }
}

Test(columns, more_than_the_arrays_hold_is_refused) {
    buffer_put_varint(&buffer, UINT64_MAX);
    cr_assert(eq(int, unpack(0, MANY), ERR_RANGE));
    size_t count;
    cr_assert(eq(int, columns_packed_count(buffer_bytes(&buffer), &count), ERR_FORMAT));
}
