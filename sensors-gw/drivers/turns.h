#pragma once
// Does the employee take the floor from the client? From two channels, of which one is the
// employee's microphone and one the client's. Pure; no memory but the struct.
//
//   voiced    a frame of voice.h that is not fainter than the other channel's by crosstalk_db: what
//             is, is the other's voice, come over.
//   talk      of one speaker: voiced frames with pauses of at most 200 ms between them, which words
//             have in them, too.
//   interruption  the employee's talk begins while the client has talked for half a second, both
//             then talk at once for 300 ms at least, and the employee goes on for a second: a `yes`
//             or `mhm` of somebody who listens is shorter.
// It is known at most TURNS_LATE_S after its begin. Who is talking when the sound begins may have
// been for long.

#include "sensors-gw/drivers/voice.h"

enum {
    TURNS_A_SECOND_MAX = 2,
    TURNS_LATE_S = 2,
    TURNS_MEMORY_S = 3, // what was heard earlier changes nothing
};

struct talk {
    int64_t begun, last; // frames: of the talk, and its last voiced one
};

struct turns {
    double crosstalk_db;
    int64_t now; // frames heard
    struct talk employee, client;
    bool pending;         // the employee's talk may be an interruption
    int64_t client_begun; // then: the talk that is interrupted
    int64_t both_until;   // and when the client last spoke in it
};

/// Nothing was heard yet; also where sound is missing.
void turns_begin(struct turns *turns, double crosstalk_db);

/// The next second of both channels. The begins of the interruptions that are known now, in ms from
/// the begin of this second (below 0: in one before) go to begins_ms; returns how many.
size_t turns_second(struct turns *turns, const struct voice_frames *employee,
                    const struct voice_frames *client, int32_t begins_ms[TURNS_A_SECOND_MAX]);
