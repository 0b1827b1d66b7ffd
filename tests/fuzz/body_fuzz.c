// A body of any bytes is refused, or what was read can be written packed and plain.

#include "tests/unit/wire/sample.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena first, second;
    if (!first.memory) {
        enum err err = arena_init(&first, BODY_ARENA_SIZE);
        if (!err) err = arena_init(&second, BODY_ARENA_SIZE);
        assert(!err);
    }
    struct batch batch, again;
    struct body_oddities oddities;
    struct problem problem;
    arena_reset(&first);
    if (body_decode((struct bytes){data, size}, &sample_measures, &first, &batch, &oddities,
                    &problem))
        return 0;
    for (int packed = 0; packed <= 1; packed++) {
        struct buffer buffer;
        buffer_init(&buffer, BATCH_BODY_MAX);
        enum err err = body_encode(&batch, packed, &buffer);
        assert(!err || err == ERR_FULL); // a packed run may be larger than a body when plain
        arena_reset(&second);
        if (!err)
            err = body_decode(buffer_bytes(&buffer), &sample_measures, &second, &again, &oddities,
                              &problem);
        assert(!err || err == ERR_FULL);
        if (!err) assert(again.series_count == batch.series_count);
        if (!err) assert(oddities.out_of_range == 0);
        buffer_fini(&buffer);
    }
    return 0;
}
