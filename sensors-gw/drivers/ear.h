#pragma once
// What a second of sound is reduced to. Pure; allocates at new only.
//
//   loudness  short-term (3 s) loudness by EBU R 128 at the end of the second; known when 3 s have
//             been heard
//   peak      greatest of the ten momentary (400 ms) loudnesses at the tenths of the second; known
//             when 400 ms have been heard
//   speech    voice.h, of the mean of the channels
//   silence   share of its 64 parts whose mean square over all channels is below silence_dbfs
//   clipping  share of its values at 32767/32768 of full scale or above
// Loudness below -70 LUFS, the gate of BS.1770, is told as -70: nothing to be heard. Channels are
// weighted as in BS.1770: a tone on two is 3 LU louder than on one.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EAR_CHANNELS_MAX = 8, EAR_RATE_LEAST_HZ = 8000, EAR_RATE_MOST_HZ = 192000 };

/// What was heard longer ago changes nothing.
enum { EAR_MEMORY_S = 10 };

struct heard {
    bool has_loudness, has_peak;
    double loudness_lufs, peak_lufs;
    double speech, silence, clipping; // 0..1
};

struct ear;

/// calibration_db is added to every level. NULL: out of memory.
struct ear *ear_new(uint32_t rate_hz, uint32_t channels, double calibration_db,
                    double silence_dbfs);
void ear_free(struct ear *ear); // accepts NULL
/// The next second: `count` frames of interleaved values, finite, full scale 1. rate_hz; less in
/// the last, which is cut. false: out of memory.
bool ear_second(struct ear *ear, const float *values, size_t count, struct heard *heard);
