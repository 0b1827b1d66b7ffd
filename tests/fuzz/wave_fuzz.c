// The head of a WAVE stream of any bytes: the sound begins inside what has come, or there is none.

#include "sensors-gw/drivers/wave.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t offset = 0;
    uint64_t sound = 0;
    if (wave_header((struct bytes){data, size}, &offset, &sound)) return 0;
    assert(offset <= size && offset <= WAVE_HEADER_MAX);
    return 0;
}
