// The beginning of any file or stream: a driver of the registry, or none.

#include "sensors-gw/drivers/recognise.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recognised found = recognise((struct bytes){data, size});
    assert(!found.driver || found.form);
    return 0;
}
