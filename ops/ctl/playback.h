#pragma once
// A branch's recording in memory, as the store would have it once everything was applied: its
// encounters and its minute logs.

#include "common/domain/batch.h"
#include "common/registry/branches.h"

struct playback;
struct playback *playback_new(const struct branch *branch, const struct measures *measures);
void playback_free(struct playback *playback); // accepts NULL

/// Add the body of a batch of one of the branch's gateways.
/// ERR_FULL, ERR_NOMEM   no room in memory
/// Others: it cannot be decoded. *problem says what.
MUST_CHECK enum err playback_add(struct playback *playback, const struct branch_gateway *gateway,
                                 struct bytes body, struct problem *problem);

/// What was taken in is put in order: encounters by when they began, logs by counter and minute.
void playback_finish(struct playback *playback);

/// An encounter to be judged.
struct played {
    struct encounter encounter;
    uint32_t clock_error_ms; // of whoever told its times, the largest
    bool several;            // more than one gateway told them
    bool withdrawn;
};
size_t playback_count(const struct playback *playback);
const struct played *playback_encounter(const struct playback *playback, size_t place);
/// Its series; they live until the next call. Errors as minutes_reader_add.
MUST_CHECK enum err playback_series(struct playback *playback, const struct played *played,
                                    const struct series **series, size_t *count);
