// Whatever bytes arrive, reading ends, reads nothing outside of them, and believes nothing that
// msgpack-c would not read as well. Each input lies in memory of exactly its size, for ASan.

#include "sample.h"

#include "common/wire/columns.h"
#include "common/wire/message.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <msgpack.h>
#include <stdlib.h>

static struct arena arena;
static uint64_t random_state = 4;

static uint32_t random_below(uint32_t bound) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % bound;
}

static void begin(void) {
    cr_assert(eq(int, arena_init(&arena, BODY_ARENA_SIZE), ERR_NONE));
}

static void end(void) {
    arena_fini(&arena);
}

TestSuite(hostile, .init = begin, .fini = end);

static void oracle_agrees(struct bytes bytes) {
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    msgpack_unpack_return result =
        msgpack_unpack_next(&unpacked, (const char *)bytes.data, bytes.size, &offset);
    cr_assert(eq(int, result, MSGPACK_UNPACK_SUCCESS));
    cr_assert(eq(sz, offset, bytes.size));
    cr_assert(eq(int, unpacked.data.type, MSGPACK_OBJECT_MAP));
    msgpack_unpacked_destroy(&unpacked);
}

/// What was read can be written, and reads as the same again.
static void message_is_stable(const struct message *message) {
    struct buffer once, twice;
    struct message again;
    buffer_init(&once, FRAME_MAX);
    buffer_init(&twice, FRAME_MAX);
    cr_assert(eq(int, message_encode(message, &once), ERR_NONE));
    struct reader frame = reader_of(buffer_bytes(&once));
    cr_assert(eq(int, message_decode(&frame, &again, NULL), ERR_NONE));
    cr_assert(eq(int, message_encode(&again, &twice), ERR_NONE));
    cr_assert(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    buffer_fini(&once);
    buffer_fini(&twice);
}

static void read_message(struct bytes bytes) {
    struct reader frame = reader_of(bytes);
    struct message message;
    struct problem problem;
    for (enum err err = ERR_NONE; err != ERR_END;) {
        const uint8_t *begin_at = frame.at;
        err = message_decode(&frame, &message, &problem);
        if (err == ERR_NONE) {
            oracle_agrees((struct bytes){begin_at, (size_t)(frame.at - begin_at)});
            message_is_stable(&message);
        }
    }
}

static void body_is_stable(const struct batch *batch) {
    struct buffer once, twice;
    struct batch again;
    struct body_oddities oddities;
    buffer_init(&once, BATCH_BODY_MAX);
    buffer_init(&twice, BATCH_BODY_MAX);
    cr_assert(eq(int, body_encode(batch, true, &once), ERR_NONE));
    cr_assert(eq(int, body_encode(batch, false, &twice), ERR_NONE));
    arena_reset(&arena);
    cr_assert(eq(
        int, body_decode(buffer_bytes(&twice), &sample_measures, &arena, &again, &oddities, NULL),
        ERR_NONE));
    buffer_clear(&twice);
    cr_assert(eq(int, body_encode(&again, true, &twice), ERR_NONE));
    for (size_t i = 0; i < again.series_count; i++) // the order of a table of labels is free
        if (again.series[i].label_count > 0) goto out;
    cr_assert(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
out:
    buffer_fini(&once);
    buffer_fini(&twice);
}

static void read_body(struct bytes bytes) {
    struct batch batch;
    struct body_oddities oddities;
    struct problem problem;
    arena_reset(&arena);
    if (body_decode(bytes, &sample_measures, &arena, &batch, &oddities, &problem)) return;
    oracle_agrees(bytes);
    body_is_stable(&batch);
}

static void read_columns(struct bytes bytes) {
    static int32_t t_ms[256], value[256];
    static uint8_t confidence[256];
    struct columns columns = {0, t_ms, value, confidence};
    struct reader reader = reader_of(bytes);
    if (columns_unpack(&reader, -7, 256, &columns)) return;
    for (size_t i = 0; i < columns.count; i++) {
        cr_assert(le(u8, confidence[i], 100));
        if (i) cr_assert(ge(i32, t_ms[i], t_ms[i - 1]));
    }
    static int32_t t_again[256], value_again[256];
    static uint8_t confidence_again[256];
    struct columns again = {0, t_again, value_again, confidence_again};
    struct buffer buffer;
    buffer_init(&buffer, 1 << 16);
    columns_pack(&columns, &buffer);
    reader = reader_of(buffer_bytes(&buffer));
    cr_assert(eq(int, columns_unpack(&reader, -7, columns.count, &again), ERR_NONE));
    cr_assert(eq(sz, again.count, columns.count));
    cr_assert(eq(int, memcmp(t_ms, t_again, columns.count * sizeof *t_ms), 0));
    cr_assert(eq(int, memcmp(value, value_again, columns.count * sizeof *value), 0));
    cr_assert(eq(int, memcmp(confidence, confidence_again, columns.count), 0));
    buffer_fini(&buffer);
}

typedef void read_function(struct bytes bytes);

static void read_exactly(read_function *read, const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    read((struct bytes){size ? copy : NULL, size});
    free(copy);
}

static void torture(read_function *read, const struct buffer *valid, uint32_t changes) {
    for (size_t size = 0; size <= valid->size; size++)
        read_exactly(read, valid->data, size);
    uint8_t *copy = malloc(valid->size);
    for (size_t at = 0; at < valid->size; at++) {
        for (uint32_t change = 1; change <= changes; change++) {
            memcpy(copy, valid->data, valid->size);
            copy[at] = (uint8_t)(changes == 255 ? copy[at] + change : random_below(256));
            read_exactly(read, copy, valid->size);
        }
    }
    for (int turn = 0; turn < 20000; turn++) { // several changes, a cut, a doubled stretch
        size_t size = 1 + random_below((uint32_t)valid->size);
        memcpy(copy, valid->data, valid->size);
        for (uint32_t i = random_below(4); i > 0; i--)
            copy[random_below((uint32_t)valid->size)] = (uint8_t)random_below(256);
        size_t from = random_below((uint32_t)size), to = random_below((uint32_t)size);
        memmove(copy + from, copy + to, size - (from > to ? from : to));
        read_exactly(read, copy, size);
    }
    free(copy);
    uint8_t noise[64];
    for (int turn = 0; turn < 20000; turn++) {
        size_t size = random_below(sizeof noise);
        for (size_t i = 0; i < size; i++)
            noise[i] = (uint8_t)random_below(256);
        if (size && turn % 2) noise[0] = (uint8_t)(0x80 | (noise[0] & 0x0f)); // a map at least
        read_exactly(read, noise, size);
    }
}

Test(hostile, messages_are_read_within_their_bytes) {
    static const uint8_t jobs[8] = {1};
    const struct message messages[] = {
        {.type = MESSAGE_ASK,
         .session = 1,
         .spool = {{1}},
         .position.epoch = 2,
         .held = 5,
         .oldest_ms = 9,
         .ended = true,
         .as = bytes_of_text("gateway.b.g")},
        {.type = MESSAGE_BATCH,
         .session = 300,
         .position = {2, 70000, {{1, 2}}},
         .lost = 3,
         .body = bytes_of_text("\x80")},
        {.type = MESSAGE_ANSWER,
         .session = 300,
         .position = {2, 70000, {{1, 2}}},
         .status = ANSWER_LATER,
         .window = 8,
         .wait_ms = 100,
         .reason = bytes_of_text("spät")},
        {.type = MESSAGE_DONE, .jobs = {jobs, 8}, .job_count = 1, .due_ms = 0},
        {.type = MESSAGE_JOB, .what = JOB_SETTLE, .job = 1, .branch = {"b"}},
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct buffer buffer;
        buffer_init(&buffer, FRAME_MAX);
        cr_assert(eq(int, message_encode(&messages[i], &buffer), ERR_NONE));
        torture(read_message, &buffer, 255);
        buffer_fini(&buffer);
    }
}

Test(hostile, bodies_are_read_within_their_bytes) {
    for (int packed = 0; packed <= 1; packed++) {
        struct buffer buffer;
        buffer_init(&buffer, BATCH_BODY_MAX);
        cr_assert(eq(int, body_encode(&sample_batch, packed, &buffer), ERR_NONE));
        torture(read_body, &buffer, 40);
        buffer_fini(&buffer);
    }
}

Test(hostile, packed_columns_are_read_within_their_bytes) {
    for (size_t i = 0; i < 2; i++) {
        struct buffer buffer;
        buffer_init(&buffer, 4096);
        columns_pack(&sample_series[i].columns, &buffer);
        torture(read_columns, &buffer, 255);
        buffer_fini(&buffer);
    }
}

// Every element takes at least a byte, and a nest ends: nothing else bounds what a head declares.
Test(hostile, a_head_is_not_believed) {
    static const char *const lies[] = {
        "\xdd\x20\x00\x00\x00",
        "\xdf\xff\xff\xff\xff",
        "\x82\xdf\xdf\xdf\xdf\xdf\xdf\xdf\xdf",
        "\xc6\xff\xff\xff\xff",
        "\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0",
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct bytes head = bytes_of_text("\x81\xa1x"); // the lie is the value of an unknown key
        struct bytes lie = {(const uint8_t *)lies[i], i == 0 ? 5 : bytes_of_text(lies[i]).size};
        struct buffer buffer;
        struct batch batch;
        struct body_oddities oddities;
        buffer_init(&buffer, 64);
        buffer_put(&buffer, head.data, head.size);
        buffer_put(&buffer, lie.data, lie.size);
        cr_assert(eq(
            int,
            body_decode(buffer_bytes(&buffer), &sample_measures, &arena, &batch, &oddities, NULL),
            ERR_FORMAT));
        cr_assert(eq(sz, arena.used, 0));
        buffer_fini(&buffer);
    }
}

Test(hostile, only_finite_numbers_and_whole_characters) {
    static const struct {
        const char *bytes;
        size_t size;
        bool accepted;
    } values[] = {
        {"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9, false}, // not a number
        {"\xca\x7f\x80\x00\x00", 5, false},                 // infinite
        {"\xca\x3f\x80\x00\x00", 5, true},
        {"\xa2\xc3\xa4", 3, true},          // ä
        {"\xa2\xc0\x80", 3, false},         // overlong
        {"\xa3\xed\xa0\x80", 4, false},     // a surrogate
        {"\xa4\xf4\x90\x80\x80", 5, false}, // above U+10FFFF
        {"\xa4\xf4\x8f\xbf\xbf", 5, true},
        {"\xa1\xc3", 2, false},                             // torn
        {"\xcf\x80\x00\x00\x00\x00\x00\x00\x00", 9, false}, // above int64
        {"\xc1", 1, false},
        {"\xd4\x00\x00", 3, false},           // an extension
        {"\x82\xa1x\xc0\xa1x\xc0", 7, false}, // a key twice, deep inside
        {"\x81\x01\x02", 3, false},           // a key that is no text
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buffer buffer;
        struct batch batch;
        struct body_oddities oddities;
        buffer_init(&buffer, 64);
        buffer_put(&buffer, "\x81\xa1x", 3);
        buffer_put(&buffer, values[i].bytes, values[i].size);
        enum err err =
            body_decode(buffer_bytes(&buffer), &sample_measures, &arena, &batch, &oddities, NULL);
        cr_assert(eq(int, err == ERR_NONE, values[i].accepted), "value %zu", i);
        buffer_fini(&buffer);
    }
}
