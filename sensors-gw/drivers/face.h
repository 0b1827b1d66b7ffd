#pragma once
// What one frame of a camera says about a face: read from the files of three programs. Only the
// columns and keys named here are read; an emotion that a program infers from a face (Anger,
// valence, arousal) is never looked at.
//
//   openface   OpenFace 2, CSV: timestamp, confidence, success, AU12_c, AU06_c; if there,
//              pose_Rx (pitch), pose_Ry (yaw), gaze_angle_y (pitch), gaze_angle_x (yaw): radians
//   pyfeat     py-feat, CSV: frame, FaceScore, AU12, AU06; if there, Pitch, Yaw, gaze_pitch,
//              gaze_yaw: radians
//   mediapipe  Face Landmarker results, a JSON line a frame: t (seconds) and faceBlendshapes with
//              mouthSmileLeft, mouthSmileRight, cheekSquintLeft, cheekSquintRight, found by name
//
// lips is action unit 12 (lip corner puller), cheeks is 6 (cheek raiser), both 0..1.

#include "common/base/bytes.h"

#include <stdbool.h>

enum face_format { FACE_OPENFACE, FACE_PYFEAT, FACE_MEDIAPIPE };

/// Where a face or a pair of eyes points to, radians from the camera, as its format signs them.
struct direction {
    double yaw, pitch;
};

struct face {
    double t_s;  // since the recording began
    bool found;  // if not, only t_s is set
    double sure; // how sure the program is that this is a face, 0..1; NAN: it does not say
    double lips, cheeks;
    struct direction head, gaze;
};

struct face_reader {
    enum face_format format;
    double rate_hz;          // pyfeat: frames a second
    bool has_head, has_gaze; // written by face_reader_header
    char separator;
    size_t column_count;
    int time, sure, success, lips, cheeks, head_yaw, head_pitch, gaze_yaw, gaze_pitch;
};

/// CSV only: find the columns. *problem names all that are missing.
/// ERR_FORMAT: no header; ERR_MISSING: columns are missing.
MUST_CHECK enum err face_reader_header(struct face_reader *reader, char *line, size_t size,
                                       struct problem *problem);

/// One line, which is cut in place. NULL: *face is filled in. Otherwise the name under which the
/// line is counted: "torn_line" (not whole, or no numbers in it), "incomplete" (landmarks or
/// blendshapes are missing), "no_face_data" (a result of another kind).
const char *face_read(const struct face_reader *reader, char *line, size_t size, struct face *face);
