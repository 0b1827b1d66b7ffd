#pragma once
// Does somebody speak? Tells speech from silence, noise, tones and music, second by second. Pure;
// allocates at new only.
//
// The rules. A frame is the 64 ms up to its end; 64 frames end in a second. Only 100..3900 Hz
// count, so that a telephone and a microphone in the room are judged alike.
//
//   active    louder than the floor by 8 dB, and than -60 dBFS. The floor is the level that a tenth
//             of the frames of this second and the nine before it do not reach.
//   voiced    active, and the spectrum is not flat: geometric mean of its bins below 0.3 of the
//             arithmetic mean. A voice has harmonics; rustling and knocking do not.
//   steady    share of the level in peaks that stood at the same frequency (0.4 %, at least 1.5 Hz)
//             six frames, 94 ms, before. Strings and beeps hold their pitch, voices glide.
//   music     the loud frames of this second and the one before (within 15 dB of the loudest of
//             their second) are on average at least 21 % steady.
//   speech    a frame at most 200 ms behind a voiced one, in a second that is not music.
//
// The figures were chosen on recordings: over two seconds, telephone prompts in English and German
// and acted German sentences are at most 14 % steady, guitar music on hold at least 29 %.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VOICE_MEMORY_S = 10, // what was heard earlier changes nothing
    VOICE_FRAMES_A_SECOND = 64,
};

/// A second by its frames.
struct voice_frames {
    size_t count;    // VOICE_FRAMES_A_SECOND; less in the last second
    uint64_t voiced; // bit i: frame i is, and it is no music
    double level_db[VOICE_FRAMES_A_SECOND];
};

struct voice;

struct voice *voice_new(uint32_t rate_hz); // NULL: out of memory
void voice_free(struct voice *voice);      // accepts NULL
/// The share of this second that is speech, 0..1. count: rate_hz; less in the last, which is cut.
double voice_second(struct voice *voice, const float *values, size_t count);
/// The second that voice_second was last given.
const struct voice_frames *voice_last(const struct voice *voice);
