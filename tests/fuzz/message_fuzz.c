// A frame of any bytes: every message in it is refused, or can be written and reads the same again.

#include "common/wire/message.h"

#include <assert.h>

static void check(const struct message *message, struct buffer *once, struct buffer *twice) {
    struct message again;
    buffer_clear(once);
    buffer_clear(twice);
    enum err err = message_encode(message, once);
    assert(!err);
    struct reader frame = reader_of(buffer_bytes(once));
    err = message_decode(&frame, &again, NULL);
    assert(!err && reader_left(&frame) == 0);
    err = message_encode(&again, twice);
    assert(!err && bytes_equal(buffer_bytes(once), buffer_bytes(twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader frame = reader_of((struct bytes){data, size});
    struct message message;
    struct problem problem;
    struct buffer once, twice;
    buffer_init(&once, FRAME_MAX);
    buffer_init(&twice, FRAME_MAX);
    for (enum err err = ERR_NONE; err != ERR_END;) {
        err = message_decode(&frame, &message, &problem);
        if (!err) check(&message, &once, &twice);
    }
    buffer_fini(&once);
    buffer_fini(&twice);
    return 0;
}
