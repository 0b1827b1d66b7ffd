#include "sensors-gw/drivers/wave.h"

#include <string.h>

enum { UNKNOWN_FROM = 0x7ff00000 }; // what recorders write that do not know their end yet

static bool begins(struct bytes text, const char *with) {
    size_t size = text.size < 4 ? text.size : 4;
    return memcmp(text.data, with, size) == 0;
}

enum err wave_header(struct bytes stream, size_t *offset, uint64_t *size) {
    if (stream.size > 0 && !begins(stream, "RIFF")) return ERR_FORMAT;
    if (stream.size > 8 && !begins((struct bytes){stream.data + 8, stream.size - 8}, "WAVE"))
        return ERR_FORMAT;
    size_t at = 12;
    while (at + 8 <= WAVE_HEADER_MAX) {
        if (stream.size < at + 8) return ERR_AGAIN;
        struct reader reader = reader_of((struct bytes){stream.data + at + 4, 4});
        uint32_t length = reader_u32(&reader);
        if (begins((struct bytes){stream.data + at, 4}, "data")) {
            *offset = at + 8;
            *size = length == 0 || length >= UNKNOWN_FROM ? UINT64_MAX : length;
            return ERR_NONE;
        }
        if (length > WAVE_HEADER_MAX) return ERR_FORMAT;
        at += 8 + (size_t)length + (length & 1);
    }
    return ERR_FORMAT;
}
