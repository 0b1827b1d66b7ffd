#include "sensors-gw/drivers/face.h"
#include "sensors-gw/drivers/face_second.h"

#include "common/domain/time.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static char line[32768];

static const char *read_line(const struct face_reader *reader, const char *text,
                             struct face *face) {
    strcpy(line, text);
    return face_read(reader, line, strlen(line), face);
}

static struct face_reader reader_for(enum face_format format, const char *header) {
    struct face_reader reader = {.format = format, .rate_hz = 25};
    struct problem problem = {0};
    if (format == FACE_MEDIAPIPE) return reader;
    strcpy(line, header);
    cr_assert(eq(int, face_reader_header(&reader, line, strlen(line), &problem), ERR_NONE), "%s",
              problem.text);
    return reader;
}

#define OPENFACE "frame, face_id, timestamp, confidence, success, AU06_r, AU12_r, AU06_c, AU12_c"

// OpenFace writes a blank before each column.
Test(face, openface_rows_by_their_header) {
    static const struct {
        const char *row;
        double t_s, sure, lips, cheeks;
        bool found;
    } rows[] = {
        {"1, 0, 0.000, 0.98, 1, 0.00, 0.12, 0, 0\r", 0, 0.98, 0, 0, true},
        {"2, 0, 0.033, 0.98, 1, 1.53, 2.41, 1, 1", 0.033, 0.98, 1, 1, true},
        {"3, 0, 0.067, 0.21, 0, 0.00, 0.00, 0, 0", 0.067, 0.21, 0, 0, false},
        {"4, 0, 0.100, 0.95, 1, 0.10, 2.00, 0, 1", 0.1, 0.95, 1, 0, true},
    };
    struct face_reader reader = reader_for(FACE_OPENFACE, OPENFACE "\r");
    struct face face;
    cr_assert(not(reader.has_head));
    cr_assert(not(reader.has_gaze));
    for (size_t i = 0; i < 4; i++) {
        cr_assert(eq(ptr, (void *)read_line(&reader, rows[i].row, &face), NULL));
        cr_assert(eq(int, face.found, rows[i].found));
        cr_assert(ieee_ulp_eq(dbl, face.t_s, rows[i].t_s, 0));
        if (!face.found) continue;
        cr_assert(ieee_ulp_eq(dbl, face.sure, rows[i].sure, 0));
        cr_assert(ieee_ulp_eq(dbl, face.lips, rows[i].lips, 0));
        cr_assert(ieee_ulp_eq(dbl, face.cheeks, rows[i].cheeks, 0));
    }
}

Test(face, columns_may_stand_in_any_order) {
    struct face_reader reader =
        reader_for(FACE_OPENFACE, "AU12_c,pose_Ry,success,pose_Rx,AU06_c,confidence,timestamp");
    struct face face;
    cr_assert(eq(ptr, (void *)read_line(&reader, "1,0.2,1,-0.1,0,0.9,7.5", &face), NULL));
    cr_assert(reader.has_head && !reader.has_gaze);
    cr_assert(ieee_ulp_eq(dbl, face.t_s, 7.5, 0));
    cr_assert(ieee_ulp_eq(dbl, face.lips, 1, 0));
    cr_assert(ieee_ulp_eq(dbl, face.head.yaw, 0.2, 0));
    cr_assert(ieee_ulp_eq(dbl, face.head.pitch, -0.1, 0));
}

Test(face, all_missing_columns_are_named) {
    struct face_reader reader = {.format = FACE_OPENFACE};
    struct problem problem = {0};
    strcpy(line, "frame,timestamp,confidence,success,AU06_r");
    cr_assert(eq(int, face_reader_header(&reader, line, strlen(line), &problem), ERR_MISSING));
    cr_assert(strstr(problem.text, "AU12_c, AU06_c") != NULL, "%s", problem.text);
}

// OpenFace with all landmarks writes 714 columns.
Test(face, a_header_may_be_very_wide) {
    char header[16384] = "timestamp,confidence,success,AU06_c,AU12_c";
    char row[16384] = "1,1,1,1,1";
    for (int i = 0; i < 709; i++) {
        sprintf(header + strlen(header), ",X_%d", i);
        strcat(row, ",0.25");
    }
    struct face_reader reader = reader_for(FACE_OPENFACE, header);
    struct face face;
    cr_assert(eq(sz, reader.column_count, 714));
    cr_assert(eq(ptr, (void *)read_line(&reader, row, &face), NULL));
    cr_assert(face.found);
}

Test(face, a_torn_row_says_nothing) {
    static const char *const rows[] = {
        "1, 0, 0.000, 0.98, 1, 0.00, 0.12, 0",        // cut in the middle
        "1, 0, 0.000, 0.98, 1, 0.00, 0.12, 0, 0, 0",  // one too many
        "1, 0, 0.000, 0.98, 1, 0.00, 0.12, 0, nan",   // not a number
        "1, 0, nan, 0.98, 1, 0.00, 0.12, 0, 0",       //
        "1, 0, -1, 0.98, 1, 0.00, 0.12, 0, 0",        // before the beginning
        "1, 0, 0.0, 0.98, perhaps, 0.00, 0.12, 0, 0", //
    };
    struct face_reader reader = reader_for(FACE_OPENFACE, OPENFACE);
    struct face face;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert(eq(str, (char *)read_line(&reader, rows[i], &face), "torn_line"), "%s", rows[i]);
}

Test(face, pyfeat_counts_frames_and_may_find_no_face) {
    struct face_reader reader = reader_for(
        FACE_PYFEAT, "FaceScore,Pitch,Yaw,AU06,AU12,Happy,Anger,gaze_pitch,gaze_yaw,frame");
    struct face face;
    cr_assert(eq(ptr,
                 (void *)read_line(&reader, "0.99,0.1,-0.2,0.4,0.9,0.97,0.1,0.05,-0.06,50", &face),
                 NULL));
    cr_assert(face.found);
    cr_assert(ieee_ulp_eq(dbl, face.t_s, 2, 0));
    cr_assert(ieee_ulp_eq(dbl, face.lips, 0.9, 0));
    cr_assert(ieee_ulp_eq(dbl, face.gaze.yaw, -0.06, 0));
    cr_assert(eq(ptr, (void *)read_line(&reader, ",,,,,,,,,75", &face), NULL));
    cr_assert(not(face.found));
    cr_assert(ieee_ulp_eq(dbl, face.t_s, 3, 0));
}

Test(face, mediapipe_results_by_name) {
    struct face_reader reader = reader_for(FACE_MEDIAPIPE, NULL);
    struct face face;
    static const char *const smiles[] = {
        "{\"t\":12.480,\"faceBlendshapes\":[{\"categories\":[{\"index\":44,\"score\":0.71,"
        "\"categoryName\":\"mouthSmileLeft\"},{\"index\":45,\"score\":0.69,\"categoryName\":"
        "\"mouthSmileRight\"}]}]}",
        // Python's spelling, another order, and an index that lies
        "{\"t\":12.480,\"face_blendshapes\":[[{\"index\":0,\"score\":0.69,\"category_name\":"
        "\"mouthSmileRight\"},{\"index\":44,\"score\":0.1,\"category_name\":\"jawOpen\"},"
        "{\"index\":2,\"score\":0.71,\"category_name\":\"mouthSmileLeft\"}]]}",
    };
    for (size_t i = 0; i < 2; i++) {
        cr_assert(eq(ptr, (void *)read_line(&reader, smiles[i], &face), NULL));
        cr_assert(face.found);
        cr_assert(isnan(face.sure));
        cr_assert(epsilon_eq(dbl, face.lips, 0.70, 1e-12));
    }
    cr_assert(
        eq(ptr, (void *)read_line(&reader, "{\"t\":12.513,\"faceBlendshapes\":[]}", &face), NULL));
    cr_assert(not(face.found));
    cr_assert(eq(str,
                 (char *)read_line(&reader,
                                   "{\"t\":12.546,\"poseLandmarks\":[[{\"x\":0.51,\"y\":0.22,"
                                   "\"z\":-0.3,\"visibility\":0.99}]]}",
                                   &face),
                 "incomplete"));
    cr_assert(eq(str, (char *)read_line(&reader, "{\"t\":12.5,\"faceBlendsh", &face), "torn_line"));
    cr_assert(eq(str, (char *)read_line(&reader, "{\"t\":12.5}", &face), "no_face_data"));
}

// ------------------------------------------------------------------ seconds

static const struct face_rules rules = {.smile_least = 0.5,
                                        .contact_rad = 0.2,
                                        .nod_rad = 0.1,
                                        .faces_least = 0.5,
                                        .gap_ms = 500,
                                        .confidence = 0.9};

static size_t nods_of(const double *pitches, size_t count, int64_t step_ms) {
    struct face_seconds seconds = {.t_ms = TIME_NONE};
    struct face_second second;
    size_t nods = 0;
    for (size_t i = 0; i < count; i++) {
        struct face face = {.found = true, .sure = 1, .head = {0, pitches[i]}};
        if (face_seconds_add(&seconds, &rules, &face, (int64_t)i * step_ms, i, &second))
            nods += second.nod_count;
    }
    if (face_seconds_end(&seconds, &rules, &second)) nods += second.nod_count;
    return nods;
}

Test(face, a_nod_goes_one_way_and_back_in_time) {
    static const double still[20] = {0};
    static const double nod[] = {0, 0, 0, 0, 0, .05, .1, .12, .1, .05, 0, 0, 0, 0, 0, 0};
    static const double up[] = {0, 0, 0, 0, 0, -.05, -.1, -.12, -.1, -.05, 0, 0, 0, 0, 0, 0};
    static const double two[] = {0, .06, .12, .06, 0, 0, .06, .12, .06, 0, 0};
    static const double bow[] = {0, 0, .06, .12, .12, .12, .12, .12, .12, .12, .12, .12};
    static const double slow[] = {0, .02, .04, .06, .08, .1, .12, .1, .08, .06, .04, .02, 0};
    static const double small[] = {0, .04, .09, .04, 0, .04, .09, .04, 0, .04};
    cr_assert(eq(sz, nods_of(still, 20, 40), 0));
    cr_assert(eq(sz, nods_of(nod, 16, 40), 1));
    cr_assert(eq(sz, nods_of(up, 16, 40), 1));
    cr_assert(eq(sz, nods_of(two, 11, 40), 2));
    cr_assert(eq(sz, nods_of(bow, 12, 40), 0));
    cr_assert(eq(sz, nods_of(small, 10, 40), 0));
    cr_assert(eq(sz, nods_of(slow, 13, 150), 0)); // 1.8 s are no nod
    cr_assert(eq(sz, nods_of(nod, 16, 260), 0));  // and between slow frames nobody can tell
}

Test(face, a_second_is_the_mean_of_its_faces) {
    struct face_seconds seconds = {.t_ms = TIME_NONE};
    struct face_second second;
    const struct face faces[] = {
        {.found = true, .sure = 0.8, .lips = 0.6, .head = {0.3, 0}, .gaze = {0.1, 0.1}},
        {.found = false},
        {.found = true, .sure = 1, .lips = 0.4, .head = {-0.3, 0}, .gaze = {0.3, 0}},
    };
    for (size_t i = 0; i < 3; i++)
        cr_assert(not(face_seconds_add(&seconds, &rules, &faces[i], 5100 + 300 * (int64_t)i, 7 + i,
                                       &second)));
    cr_assert(face_seconds_add(&seconds, &rules, &faces[1], 6000, 10, &second));
    cr_assert(eq(i64, second.t_ms, 5100));
    cr_assert(eq(u64, second.line, 7));
    cr_assert(eq(i64, second.watched.from_ms, 5100));
    cr_assert(eq(i64, second.watched.to_ms, 6000));
    cr_assert(second.has_face && !second.paused);
    cr_assert(eq(u8, second.confidence, 90));
    cr_assert(ieee_ulp_eq(dbl, second.smile, 0.5, 0));
    cr_assert(epsilon_eq(dbl, second.facing_deg, 0.3 * 180 / M_PI, 1e-9));
    cr_assert(ieee_ulp_eq(dbl, second.gaze, 0.5, 0));
    // The frame of 6.0 s has no face, and none follows in time.
    cr_assert(face_seconds_add(&seconds, &rules, &faces[0], 6600, 11, &second));
    cr_assert(not(second.has_face));
    cr_assert(second.paused);
    cr_assert(eq(i64, second.watched.to_ms, 6001));
}

Test(face, an_angle_is_that_between_directions) {
    struct direction ahead = {0, 0};
    cr_assert(epsilon_eq(dbl, direction_angle(ahead, (struct direction){0.4, 0}), 0.4, 1e-12));
    cr_assert(epsilon_eq(dbl, direction_angle(ahead, (struct direction){0, -0.4}), 0.4, 1e-12));
    cr_assert(epsilon_eq(dbl, direction_angle(ahead, (struct direction){M_PI, 0}), M_PI, 1e-6));
    cr_assert(epsilon_eq(dbl, direction_angle(ahead, (struct direction){0.3, 0.4}),
                         acos(cos(0.3) * cos(0.4)), 1e-12));
}
