// PROTOCOL.md is what integrators build from: its examples are read here, decoded, compared with
// their JSON, encoded again and compared byte by byte.

#include "sample.h"

#include "common/wire/columns.h"
#include "common/wire/message.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS_LEAST = 25, COLUMNS_MOST = 16 };

struct block {
    char kind[16];
    const char *name, *name_end;
    json_t *json;
    struct buffer bytes;
};

static char *read_page(void) {
    FILE *file = fopen(PROTOCOL_MD, "r");
    cr_assert(ne(ptr, file, NULL), "%s", PROTOCOL_MD);
    char *page = calloc(1, 1 << 20);
    cr_assert(gt(sz, fread(page, 1, (1 << 20) - 1, file), 0));
    fclose(file);
    return page;
}

static void put_hex(struct buffer *buffer, const char *at, const char *end) {
    unsigned byte;
    for (; at < end; at += *at == '\n' ? 1 : 2)
        if (*at != '\n' && sscanf(at, "%2x", &byte) == 1) buffer_put_u8(buffer, (uint8_t)byte);
}

/// The next block from *at on; false: no more.
static bool next_block(char **at, struct block *block) {
    char *begin = strstr(*at, "```golden ");
    if (!begin) return false;
    char *name = strchr(begin + 10, ' ') + 1, *line = strchr(name, '\n');
    char *split = strstr(line, "\n---\n"), *end = strstr(line, "\n```");
    cr_assert(split && end && split < end, "%.40s", begin);
    memset(block, 0, sizeof *block);
    memcpy(block->kind, begin + 10, (size_t)(name - 1 - (begin + 10)));
    block->name = name;
    block->name_end = line;
    json_error_t error;
    block->json = json_loadb(line, (size_t)(split - line), JSON_REJECT_DUPLICATES, &error);
    cr_assert(ne(ptr, block->json, NULL), "%.40s: %s", name, error.text);
    buffer_init(&block->bytes, FRAME_MAX);
    put_hex(&block->bytes, split + 5, end);
    *at = end + 4;
    return true;
}

static void fini_block(struct block *block) {
    json_decref(block->json);
    buffer_fini(&block->bytes);
}

static json_t *json_of(const msgpack_object *object) {
    char hex[1024] = "";
    json_t *json;
    switch (object->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return json_real(object->via.f64);
    case MSGPACK_OBJECT_STR:
        return json_stringn(object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_BIN:
        for (uint32_t i = 0; i < object->via.bin.size; i++)
            sprintf(hex + 2 * i, "%02x", (uint8_t)object->via.bin.ptr[i]);
        return json_pack("{s:s}", "bin", hex);
    case MSGPACK_OBJECT_ARRAY:
        json = json_array();
        for (uint32_t i = 0; i < object->via.array.size; i++)
            json_array_append_new(json, json_of(&object->via.array.ptr[i]));
        return json;
    case MSGPACK_OBJECT_MAP:
        json = json_object();
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            const msgpack_object_kv *pair = &object->via.map.ptr[i];
            char key[64] = "";
            memcpy(key, pair->key.via.str.ptr, pair->key.via.str.size);
            json_object_set_new(json, key, json_of(&pair->val));
        }
        return json;
    default:
        return NULL;
    }
}

/// Somebody else's reading of the bytes gives the JSON of the page.
static void bytes_say_the_json(const struct block *block) {
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    cr_assert(eq(
        int, msgpack_unpack_next(&unpacked, (char *)block->bytes.data, block->bytes.size, &offset),
        MSGPACK_UNPACK_SUCCESS));
    cr_assert(eq(sz, offset, block->bytes.size));
    json_t *json = json_of(&unpacked.data);
    cr_assert(json_equal(json, block->json), "%.*s", (int)(block->name_end - block->name),
              block->name);
    json_decref(json);
    msgpack_unpacked_destroy(&unpacked);
}

static void same_bytes(const struct block *block, struct buffer *encoded) {
    cr_assert(bytes_equal(buffer_bytes(encoded), buffer_bytes(&block->bytes)), "%.*s",
              (int)(block->name_end - block->name), block->name);
    buffer_fini(encoded);
}

static void check_message(const struct block *block) {
    struct reader frame = reader_of(buffer_bytes(&block->bytes));
    struct message message;
    struct problem problem = {0};
    struct buffer encoded;
    bytes_say_the_json(block);
    cr_assert(eq(int, message_decode(&frame, &message, &problem), ERR_NONE), "%s", problem.text);
    cr_assert(eq(sz, reader_left(&frame), 0));
    cr_assert(eq(str, (char *)message_type_name(message.type),
                 (char *)json_string_value(json_object_get(block->json, "type"))));
    buffer_init(&encoded, FRAME_MAX);
    cr_assert(eq(int, message_encode(&message, &encoded), ERR_NONE));
    same_bytes(block, &encoded);
}

static void check_body(const struct block *block) {
    struct arena arena;
    struct batch batch;
    struct body_oddities oddities;
    struct problem problem = {0};
    struct buffer encoded;
    bytes_say_the_json(block);
    cr_assert(eq(int, arena_init(&arena, BODY_ARENA_SIZE), ERR_NONE));
    cr_assert(eq(int,
                 body_decode(buffer_bytes(&block->bytes), &sample_measures, &arena, &batch,
                             &oddities, &problem),
                 ERR_NONE),
              "%s", problem.text);
    cr_assert(eq(u32, oddities.undeclared + oddities.out_of_range, 0));
    json_t *series = json_array_get(json_object_get(block->json, "series"), 0);
    buffer_init(&encoded, BATCH_BODY_MAX);
    cr_assert(eq(int, body_encode(&batch, json_object_get(series, "packed") != NULL, &encoded),
                 ERR_NONE));
    same_bytes(block, &encoded);
    arena_fini(&arena);
}

static int32_t number_at(const struct block *block, const char *key, size_t index) {
    return (int32_t)json_integer_value(json_array_get(json_object_get(block->json, key), index));
}

static void check_columns(const struct block *block) {
    int32_t t_ms[COLUMNS_MOST], value[COLUMNS_MOST];
    uint8_t confidence[COLUMNS_MOST];
    struct columns columns = {0, t_ms, value, confidence};
    struct reader reader = reader_of(buffer_bytes(&block->bytes));
    struct buffer encoded;
    cr_assert(eq(int, columns_unpack(&reader, 0, COLUMNS_MOST, &columns), ERR_NONE));
    cr_assert(eq(sz, reader_left(&reader), 0));
    cr_assert(eq(sz, columns.count, json_array_size(json_object_get(block->json, "t"))));
    for (size_t i = 0; i < columns.count; i++) {
        cr_assert(eq(i32, t_ms[i], number_at(block, "t", i)));
        cr_assert(eq(i32, value[i], number_at(block, "values", i)));
        cr_assert(eq(i32, confidence[i], number_at(block, "confidence", i)));
    }
    buffer_init(&encoded, FRAME_MAX);
    columns_pack(&columns, &encoded);
    same_bytes(block, &encoded);
}

Test(golden, the_examples_of_the_page_are_what_we_read_and_write) {
    char *page = read_page(), *at = page;
    struct block block;
    size_t blocks = 0;
    bool types[MESSAGE_TYPE_COUNT] = {0};
    for (; next_block(&at, &block); blocks++) {
        if (strcmp(block.kind, "message") == 0)
            check_message(&block);
        else if (strcmp(block.kind, "body") == 0)
            check_body(&block);
        else if (strcmp(block.kind, "columns") == 0)
            check_columns(&block);
        else
            cr_fail("golden %s", block.kind);
        for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
            const char *name = json_string_value(json_object_get(block.json, "type"));
            if (name && strcmp(name, message_type_name((enum message_type)type)) == 0)
                types[type] = true;
        }
        fini_block(&block);
    }
    cr_assert(ge(sz, blocks, BLOCKS_LEAST));
    for (int type = 0; type < MESSAGE_TYPE_COUNT; type++)
        cr_assert(types[type], "no example of %s", message_type_name((enum message_type)type));
    free(page);
}
