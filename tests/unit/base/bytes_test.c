#include "common/base/bytes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

Test(buffer, what_is_put_is_read_back) {
    struct buffer buffer;
    buffer_init(&buffer, 4096);
    static const uint64_t numbers[] = {0, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    static const int64_t signeds[] = {0, -1, 1, -64, 64, INT64_MAX, INT64_MIN};
    buffer_put_u8(&buffer, 0xfe);
    buffer_put_u16(&buffer, 0xfedc);
    buffer_put_u32(&buffer, 0xfedcba98);
    buffer_put_u64(&buffer, 0xfedcba9876543210);
    for (size_t i = 0; i < 7; i++) {
        buffer_put_varint(&buffer, numbers[i]);
        buffer_put_zigzag(&buffer, signeds[i]);
    }
    buffer_put_short(&buffer, bytes_of_text("desk-1"));
    buffer_put_short(&buffer, (struct bytes){0});

    struct reader reader = reader_of(buffer_bytes(&buffer));
    cr_assert(eq(u8, reader_u8(&reader), 0xfe));
    cr_assert(eq(u16, reader_u16(&reader), 0xfedc));
    cr_assert(eq(u32, reader_u32(&reader), 0xfedcba98));
    cr_assert(eq(u64, reader_u64(&reader), 0xfedcba9876543210));
    for (size_t i = 0; i < 7; i++) {
        cr_assert(eq(u64, reader_varint(&reader), numbers[i]));
        cr_assert(eq(i64, reader_zigzag(&reader), signeds[i]));
    }
    cr_assert(bytes_equal(reader_short(&reader), bytes_of_text("desk-1")));
    cr_assert(eq(sz, reader_short(&reader).size, 0));
    cr_assert(eq(sz, reader_left(&reader), 0));
    cr_assert(not(reader.failed));
    buffer_fini(&buffer);
}

Test(buffer, numbers_are_little_endian) {
    struct buffer buffer;
    buffer_init(&buffer, 16);
    buffer_put_u32(&buffer, 1);
    buffer_put_varint(&buffer, 300);
    cr_assert(bytes_equal(buffer_bytes(&buffer),
                          (struct bytes){(const uint8_t *)"\x01\x00\x00\x00\xac\x02", 6}));
    buffer_fini(&buffer);
}

// A sequence of writes is checked once, at its end: nothing after a failed one may slip in.
Test(buffer, beyond_its_limit_it_has_failed_and_stays_so) {
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    for (int i = 0; i < 1000; i++)
        buffer_put_u8(&buffer, 7);
    cr_assert(not(buffer.failed));
    buffer_put_u8(&buffer, 7);
    cr_assert(buffer.failed);
    cr_assert(eq(sz, buffer.size, 1000));
    cr_assert(eq(ptr, buffer_extend(&buffer, 0), NULL));
    buffer_clear(&buffer);
    buffer_put_u8(&buffer, 7);
    cr_assert(not(buffer.failed));
    buffer_put(&buffer, NULL, 0);
    cr_assert(eq(ptr, buffer_extend(&buffer, SIZE_MAX), NULL));
    buffer_fini(&buffer);
}

Test(reader, past_the_end_zeros_come_back) {
    struct reader reader = reader_of((struct bytes){(const uint8_t *)"\x01\x02\x03", 3});
    cr_assert(eq(u32, reader_u32(&reader), 0));
    cr_assert(reader.failed);
    cr_assert(eq(u8, reader_u8(&reader), 0)); // the rest is not read either
    cr_assert(eq(sz, reader_left(&reader), 0));

    reader = reader_of((struct bytes){0});
    cr_assert(eq(sz, reader_take(&reader, 0).size, 0));
    cr_assert(not(reader.failed));
    cr_assert(eq(u64, reader_varint(&reader), 0));
    cr_assert(reader.failed);
}

Test(reader, a_varint_has_one_form_and_64_bits) {
    static const char *const malformed[] = {
        "\x80",                                     // torn
        "\x81\x00",                                 // 1 in two bytes
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", // 65 bits
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    };
    static const size_t sizes[] = {1, 2, 10, 11};
    for (size_t i = 0; i < 4; i++) {
        struct reader reader = reader_of((struct bytes){(const uint8_t *)malformed[i], sizes[i]});
        cr_assert(eq(u64, reader_varint(&reader), 0));
        cr_assert(reader.failed, "case %zu", i);
    }
}
