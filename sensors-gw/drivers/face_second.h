#pragma once
// From frames to one sample a second, and nods. Pure.
//
//   second      frames whose event time lies in the same whole second, without a pause longer than
//               gap_ms in it; its time is that of its first frame
//   confidence  mean of those of its frames with a face
//   smile       share of its frames with a face in which lips (and cheeks, if wanted) reach
//               smile_least
//   facing_deg  mean angle between head and client, over its frames with a face
//   gaze        share of its frames with a face whose eyes are within contact of the client
//   nod         the head goes at least nod_rad one way and at least as far back within 1.5 s; told
//               at the frame in which it is back. A pause of more than 250 ms, or a frame without a
//               face, ends the search: slower cameras see no nods.
//
// A second in which fewer than faces_least of the frames have a face says nothing (has_face false),
// but was watched.

#include "common/domain/series.h"
#include "sensors-gw/drivers/face.h"

struct face_rules {
    double smile_least;
    bool cheeks_too;
    struct direction client; // where the client stands, as the format signs directions
    double contact_rad, nod_rad, faces_least;
    int64_t gap_ms;
    double confidence; // of a face where the format does not say, 0..1
};

enum {
    NODS_MAX = 8,     // a second has no more
    PITCHES_MAX = 96, // 1.5 s at 60 frames a second
};

struct face_second {
    int64_t t_ms;
    uint64_t line;       // of its first frame
    struct span watched; // up to the next frame, if that comes in time
    bool paused;         // it did not
    bool has_face;       // what follows is set
    uint8_t confidence;
    double smile, facing_deg, gaze;
    size_t nod_count; // set also without has_face
    int64_t nods_ms[NODS_MAX];
};

/// Begin with {.t_ms = TIME_NONE}.
struct face_seconds {
    int64_t t_ms, last_ms; // first and last frame of the unfinished second
    uint64_t line;
    uint32_t frames, faces, smiles, contacts;
    double confidence, turned; // sums
    size_t nod_count;
    int64_t nods_ms[NODS_MAX];
    size_t pitch_count; // the head's last 1.5 s
    struct {
        int64_t t_ms;
        double pitch;
    } pitches[PITCHES_MAX];
};

/// Angle between two directions in radians, 0..pi.
double direction_angle(struct direction a, struct direction b);

/// The next frame, later than all before. true: a second is complete and in *out.
bool face_seconds_add(struct face_seconds *seconds, const struct face_rules *rules,
                      const struct face *face, int64_t t_ms, uint64_t line,
                      struct face_second *out);
/// The last second, if there is one.
bool face_seconds_end(struct face_seconds *seconds, const struct face_rules *rules,
                      struct face_second *out);
