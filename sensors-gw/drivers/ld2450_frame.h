#pragma once
// The byte stream of a Hi-Link HLK-LD2450 radar (serial protocol V1.03). Pure; byte by byte and all
// at once give the same.
//
//   AA FF 03 00 | target | target | target | 55 CC        30 bytes, little-endian, no checksum
//   target: x u16 | y u16 | speed u16 | resolution u16    mm, mm, cm/s, mm; all zero: absent
//   bit 15 of x, y and speed is the sign: set is +, clear is - (no two's complement)
//
// As there is no checksum, a frame counts only with its head, its tail and plausible values:
// |x| <= 8000, 0 <= y <= 8000, |speed| <= 1000, resolution 1..1000.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LD2450_FRAME_SIZE = 30, LD2450_TARGETS = 3 };

struct ld2450_target {
    bool present;
    int32_t x_mm, y_mm, speed_cms; // x to the right of the radar, y away from it
    uint32_t resolution_mm;
};

struct ld2450_frame {
    struct ld2450_target targets[LD2450_TARGETS];
};

/// Begin with {0}.
struct ld2450_parser {
    uint8_t bytes[LD2450_FRAME_SIZE];
    size_t count;
    bool lost;            // garbage since the last frame
    uint64_t resyncs;     // how often garbage came, however long
    uint64_t implausible; // frames with values that cannot be
};

/// The next byte. true: it ended a good frame, which is in *frame.
bool ld2450_push(struct ld2450_parser *parser, uint8_t byte, struct ld2450_frame *frame);
