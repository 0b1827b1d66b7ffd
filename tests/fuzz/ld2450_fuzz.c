// Radar bytes of any kind: whatever frame comes out is plausible.

#include "sensors-gw/drivers/ld2450_frame.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ld2450_parser parser = {0};
    struct ld2450_frame frame;
    for (size_t i = 0; i < size; i++) {
        if (!ld2450_push(&parser, data[i], &frame)) continue;
        for (size_t k = 0; k < LD2450_TARGETS; k++) {
            const struct ld2450_target *target = &frame.targets[k];
            if (!target->present) continue;
            assert(abs(target->x_mm) <= 8000 && target->y_mm >= 0 && target->y_mm <= 8000);
            assert(abs(target->speed_cms) <= 1000);
        }
    }
    return 0;
}
