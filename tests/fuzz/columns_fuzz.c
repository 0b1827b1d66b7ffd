// Packed columns of any bytes are refused, or pack and unpack to the same members.

#include "common/wire/columns.h"

#include <assert.h>
#include <string.h>

enum { MEMBERS = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int32_t t_ms[2][MEMBERS], value[2][MEMBERS];
    static uint8_t confidence[2][MEMBERS];
    struct columns columns = {0, t_ms[0], value[0], confidence[0]};
    struct columns again = {0, t_ms[1], value[1], confidence[1]};
    struct reader reader = reader_of((struct bytes){data, size});
    if (columns_unpack(&reader, -1, MEMBERS, &columns)) return 0;
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    columns_pack(&columns, &buffer);
    reader = reader_of(buffer_bytes(&buffer));
    enum err err = columns_unpack(&reader, -1, MEMBERS, &again);
    assert(!err && again.count == columns.count && reader_left(&reader) == 0);
    assert(memcmp(t_ms[0], t_ms[1], columns.count * sizeof t_ms[0][0]) == 0);
    assert(memcmp(value[0], value[1], columns.count * sizeof value[0][0]) == 0);
    assert(memcmp(confidence[0], confidence[1], columns.count) == 0);
    buffer_fini(&buffer);
    return 0;
}
