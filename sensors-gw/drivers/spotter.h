#pragma once
// Finds known phrases in a stretch of speech, with PocketSphinx. Nothing is remembered from one
// stretch to the next, so the same sound yields the same whatever came before.

#include "sensors-gw/drivers/phrase_list.h"

enum { SPOTTED_MAX = 64 };

struct spotted {
    size_t phrase;      // which of them
    double from_s;      // where it begins in the stretch
    uint8_t confidence; // percent, as PocketSphinx has it; no probability
};

struct spotter;

/// model: the folder of an acoustic model for 16 kHz; dictionary: its words.
///
/// ERR_MISSING  model or dictionary is not there, or does not know a word; *problem names it
MUST_CHECK enum err spotter_new(const struct phrase *phrases, size_t count, const char *model,
                                const char *dictionary, struct spotter **spotter_out,
                                struct problem *problem);
void spotter_free(struct spotter *spotter); // accepts NULL

/// found: in order of their begin. About 40 ms of work for each second of sound.
MUST_CHECK enum err spotter_hear(struct spotter *spotter, const float *values, size_t count,
                                 uint32_t rate_hz, struct spotted found[SPOTTED_MAX],
                                 size_t *found_count, struct problem *problem);
