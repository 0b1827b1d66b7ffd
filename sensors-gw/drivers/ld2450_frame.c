#include "sensors-gw/drivers/ld2450_frame.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_SIZE = 4, TAIL_AT = 28, TARGET_SIZE = 8, REACH_MM = 8000, SPEED_MOST_CMS = 1000 };

static const uint8_t head[HEAD_SIZE] = {0xAA, 0xFF, 0x03, 0x00};

static uint32_t u16(const uint8_t *at) {
    return (uint32_t)(at[0] | at[1] << 8);
}

static int32_t signed_u16(const uint8_t *at) {
    int32_t size = (int32_t)(u16(at) & 0x7FFF);
    return u16(at) & 0x8000 ? size : -size;
}

static bool read_target(const uint8_t *at, struct ld2450_target *target) {
    static const uint8_t absent[TARGET_SIZE];
    *target = (struct ld2450_target){.present = memcmp(at, absent, TARGET_SIZE) != 0};
    if (!target->present) return true;
    target->x_mm = signed_u16(at);
    target->y_mm = signed_u16(at + 2);
    target->speed_cms = signed_u16(at + 4);
    target->resolution_mm = u16(at + 6);
    return abs(target->x_mm) <= REACH_MM && target->y_mm >= 0 && target->y_mm <= REACH_MM &&
           abs(target->speed_cms) <= SPEED_MOST_CMS && target->resolution_mm >= 1 &&
           target->resolution_mm <= 1000;
}

/// Drop bytes from the front until what is left may begin a frame.
static void synchronise(struct ld2450_parser *parser, size_t from) {
    size_t count = parser->count;
    for (; from < count; from++) {
        size_t seen = count - from < HEAD_SIZE ? count - from : HEAD_SIZE;
        if (memcmp(parser->bytes + from, head, seen) == 0) break;
    }
    if (from > 0 && !parser->lost) {
        parser->lost = true;
        parser->resyncs++;
    }
    parser->count = count - from;
    memmove(parser->bytes, parser->bytes + from, parser->count);
}

bool ld2450_push(struct ld2450_parser *parser, uint8_t byte, struct ld2450_frame *frame) {
    const uint8_t *bytes = parser->bytes;
    bool plausible = true;
    parser->bytes[parser->count++] = byte;
    synchronise(parser, 0);
    if (parser->count < LD2450_FRAME_SIZE) return false;
    if (bytes[TAIL_AT] != 0x55 || bytes[TAIL_AT + 1] != 0xCC) {
        synchronise(parser, 1);
        return false;
    }
    for (size_t i = 0; i < LD2450_TARGETS; i++)
        plausible =
            read_target(bytes + HEAD_SIZE + i * TARGET_SIZE, &frame->targets[i]) && plausible;
    parser->count = 0;
    parser->lost = false;
    parser->implausible += !plausible;
    return plausible;
}
