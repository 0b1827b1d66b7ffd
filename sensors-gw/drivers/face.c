#include "sensors-gw/drivers/face.h"

#include "sensors-gw/drivers/table.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POSE_LANDMARKS = 33 };

static const char torn_line[] = "torn_line", incomplete[] = "incomplete",
                  no_face_data[] = "no_face_data";

// ------------------------------------------------------------------ CSV

/// The columns of a format; NULL: it has none of this.
struct face_columns {
    const char *time, *sure, *success, *lips, *cheeks;
    const char *head_yaw, *head_pitch, *gaze_yaw, *gaze_pitch; // may be absent
};

static const struct face_columns columns[] = {
    [FACE_OPENFACE] = {"timestamp", "confidence", "success", "AU12_c", "AU06_c", "pose_Ry",
                       "pose_Rx", "gaze_angle_x", "gaze_angle_y"},
    [FACE_PYFEAT] = {"frame", "FaceScore", NULL, "AU12", "AU06", "Yaw", "Pitch", "gaze_yaw",
                     "gaze_pitch"},
};

static int need(const struct row *header, const char *name, char *missing, size_t size) {
    if (!name) return -1;
    int column = row_find(header, name);
    size_t used = strlen(missing);
    if (column < 0) snprintf(missing + used, size - used, "%s%s", used ? ", " : "", name);
    return column;
}

enum err face_reader_header(struct face_reader *reader, char *line, size_t size,
                            struct problem *problem) {
    const struct face_columns *names = &columns[reader->format];
    char missing[128] = "";
    struct row row;
    reader->separator = row_separator((struct bytes){(const uint8_t *)line, size});
    if (row_cut(line, size, reader->separator, &row) != ERR_NONE)
        return problem_set(problem, ERR_FORMAT, "the header cannot be read");
    reader->column_count = row.count;
    reader->time = need(&row, names->time, missing, sizeof missing);
    reader->sure = need(&row, names->sure, missing, sizeof missing);
    reader->success = need(&row, names->success, missing, sizeof missing);
    reader->lips = need(&row, names->lips, missing, sizeof missing);
    reader->cheeks = need(&row, names->cheeks, missing, sizeof missing);
    if (missing[0] != '\0')
        return problem_set(problem, ERR_MISSING, "the header lacks the columns %s", missing);
    reader->head_yaw = row_find(&row, names->head_yaw);
    reader->head_pitch = row_find(&row, names->head_pitch);
    reader->gaze_yaw = row_find(&row, names->gaze_yaw);
    reader->gaze_pitch = row_find(&row, names->gaze_pitch);
    reader->has_head = reader->head_yaw >= 0 && reader->head_pitch >= 0;
    reader->has_gaze = reader->gaze_yaw >= 0 && reader->gaze_pitch >= 0;
    return ERR_NONE;
}

static bool read_direction(const struct row *row, int yaw, int pitch, struct direction *out) {
    return text_number(row->fields[yaw], &out->yaw) && text_number(row->fields[pitch], &out->pitch);
}

static const char *read_row(const struct face_reader *reader, char *line, size_t size,
                            struct face *face) {
    struct row row;
    double success = 1;
    if (row_cut(line, size, reader->separator, &row) != ERR_NONE ||
        row.count != reader->column_count || !text_number(row.fields[reader->time], &face->t_s))
        return torn_line;
    if (reader->format == FACE_PYFEAT) face->t_s /= reader->rate_hz;
    bool sure = text_number(row.fields[reader->sure], &face->sure);
    if (reader->format == FACE_PYFEAT && !sure) return NULL; // its way to say: no face
    if (!sure || (reader->success >= 0 && !text_number(row.fields[reader->success], &success)))
        return torn_line;
    if (success == 0) return NULL;
    if (!text_number(row.fields[reader->lips], &face->lips) ||
        !text_number(row.fields[reader->cheeks], &face->cheeks) ||
        (reader->has_head &&
         !read_direction(&row, reader->head_yaw, reader->head_pitch, &face->head)) ||
        (reader->has_gaze &&
         !read_direction(&row, reader->gaze_yaw, reader->gaze_pitch, &face->gaze)))
        return torn_line;
    face->found = true;
    return NULL;
}

// ------------------------------------------------------------------ JSON

/// The web's spelling or Python's.
static const json_t *either(const json_t *map, const char *web, const char *python) {
    const json_t *value = json_object_get(map, web);
    return value ? value : json_object_get(map, python);
}

static bool score_of(const json_t *categories, const char *name, double *score) {
    size_t index;
    const json_t *category;
    json_array_foreach((json_t *)categories, index, category) {
        const char *its = json_string_value(either(category, "categoryName", "category_name"));
        const json_t *value = json_object_get(category, "score");
        if (!its || strcmp(its, name) != 0) continue;
        *score = json_number_value(value);
        return json_is_number(value) && *score >= 0 && *score <= 1;
    }
    return false;
}

static bool mean_of(const json_t *categories, const char *left, const char *right, double *mean) {
    double a, b;
    if (!score_of(categories, left, &a) || !score_of(categories, right, &b)) return false;
    *mean = (a + b) / 2;
    return true;
}

static const char *read_pose(const json_t *poses) {
    const json_t *pose = json_array_get(poses, 0);
    return json_array_size(pose) == POSE_LANDMARKS ? no_face_data : incomplete;
}

static const char *read_result(const json_t *root, struct face *face) {
    const json_t *time = json_object_get(root, "t");
    if (!json_is_number(time)) return torn_line;
    face->t_s = json_number_value(time);
    const json_t *faces = either(root, "faceBlendshapes", "face_blendshapes");
    if (!faces) {
        const json_t *poses = either(root, "poseLandmarks", "pose_landmarks");
        return poses ? read_pose(poses) : no_face_data;
    }
    if (!json_is_array(faces)) return torn_line;
    if (json_array_size(faces) == 0) return NULL; // nobody
    const json_t *first = json_array_get(faces, 0);
    const json_t *categories = json_is_array(first) ? first : json_object_get(first, "categories");
    if (!mean_of(categories, "mouthSmileLeft", "mouthSmileRight", &face->lips)) return incomplete;
    if (!mean_of(categories, "cheekSquintLeft", "cheekSquintRight", &face->cheeks))
        face->cheeks = 0;
    face->sure = NAN;
    face->found = true;
    return NULL;
}

static const char *read_json(const char *line, size_t size, struct face *face) {
    json_t *root = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    const char *oddity = json_is_object(root) ? read_result(root, face) : torn_line;
    json_decref(root);
    return oddity;
}

const char *face_read(const struct face_reader *reader, char *line, size_t size,
                      struct face *face) {
    *face = (struct face){0};
    const char *oddity = reader->format == FACE_MEDIAPIPE ? read_json(line, size, face)
                                                          : read_row(reader, line, size, face);
    if (!oddity && !(face->t_s >= 0 && face->t_s <= 1e10)) return torn_line;
    return oddity;
}
