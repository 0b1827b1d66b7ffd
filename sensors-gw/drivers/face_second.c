#include "sensors-gw/drivers/face_second.h"

#include "common/domain/time.h"

#include <math.h>
#include <string.h>

enum { SECOND_MS = 1000, NOD_MS = 1500, NOD_PAUSE_MS = 250 };

double direction_angle(struct direction a, struct direction b) {
    double cosine = cos(a.pitch) * cos(b.pitch) * cos(a.yaw - b.yaw) + sin(a.pitch) * sin(b.pitch);
    return acos(cosine > 1 ? 1 : cosine < -1 ? -1 : cosine);
}

// ------------------------------------------------------------------ nods

/// Forget what is older than NOD_MS, or everything after a pause.
static void nod_forget(struct face_seconds *seconds, int64_t t_ms) {
    size_t old = 0, count = seconds->pitch_count;
    while (old < count && t_ms - seconds->pitches[old].t_ms > NOD_MS)
        old++;
    if (old == 0 && count == PITCHES_MAX) old = 1;
    if (count > 0 && t_ms - seconds->pitches[count - 1].t_ms > NOD_PAUSE_MS) old = count;
    seconds->pitch_count = count - old;
    memmove(seconds->pitches, seconds->pitches + old,
            seconds->pitch_count * sizeof seconds->pitches[0]);
}

/// Whether the head has come from one side of some earlier pitch and is back there, by nod_rad.
static bool nod_seen(const struct face_seconds *seconds, double nod_rad, double pitch) {
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < seconds->pitch_count; i++) {
        double middle = seconds->pitches[i].pitch;
        if (most - middle >= nod_rad && pitch - middle >= nod_rad) return true;
        if (middle - least >= nod_rad && middle - pitch >= nod_rad) return true;
        least = fmin(least, middle);
        most = fmax(most, middle);
    }
    return false;
}

static void nod_step(struct face_seconds *seconds, double nod_rad, double pitch, int64_t t_ms) {
    nod_forget(seconds, t_ms);
    if (nod_seen(seconds, nod_rad, pitch)) {
        if (seconds->nod_count < NODS_MAX) seconds->nods_ms[seconds->nod_count++] = t_ms;
        seconds->pitch_count = 0; // the next nod needs a way of its own
    }
    seconds->pitches[seconds->pitch_count].t_ms = t_ms;
    seconds->pitches[seconds->pitch_count++].pitch = pitch;
}

// ------------------------------------------------------------------ seconds

static void begin(struct face_seconds *seconds, int64_t t_ms, uint64_t line) {
    seconds->t_ms = seconds->last_ms = t_ms;
    seconds->line = line;
    seconds->frames = seconds->faces = seconds->smiles = seconds->contacts = 0;
    seconds->confidence = seconds->turned = 0;
    seconds->nod_count = 0;
}

static void count(struct face_seconds *seconds, const struct face_rules *rules,
                  const struct face *face, int64_t t_ms) {
    seconds->last_ms = t_ms;
    seconds->frames++;
    if (!face->found) {
        seconds->pitch_count = 0;
        return;
    }
    seconds->faces++;
    seconds->confidence += isnan(face->sure) ? rules->confidence : fmin(fmax(face->sure, 0), 1);
    seconds->smiles += face->lips >= rules->smile_least &&
                       (!rules->cheeks_too || face->cheeks >= rules->smile_least);
    seconds->turned += direction_angle(face->head, rules->client);
    seconds->contacts += direction_angle(face->gaze, rules->client) <= rules->contact_rad;
    nod_step(seconds, rules->nod_rad, face->head.pitch, t_ms);
}

static void finish(const struct face_seconds *seconds, const struct face_rules *rules,
                   int64_t next_ms, struct face_second *out) {
    double faces = seconds->faces;
    *out = (struct face_second){.t_ms = seconds->t_ms, .line = seconds->line};
    out->paused = next_ms == TIME_NONE || next_ms - seconds->last_ms > rules->gap_ms;
    out->watched = (struct span){seconds->t_ms, out->paused ? seconds->last_ms + 1 : next_ms};
    out->nod_count = seconds->nod_count;
    memcpy(out->nods_ms, seconds->nods_ms, sizeof out->nods_ms);
    out->has_face = faces > 0 && faces >= rules->faces_least * seconds->frames;
    if (!out->has_face) return;
    out->confidence = (uint8_t)lround(seconds->confidence / faces * 100);
    out->smile = seconds->smiles / faces;
    out->facing_deg = seconds->turned / faces * 180 / M_PI;
    out->gaze = seconds->contacts / faces;
}

bool face_seconds_add(struct face_seconds *seconds, const struct face_rules *rules,
                      const struct face *face, int64_t t_ms, uint64_t line,
                      struct face_second *out) {
    bool first = seconds->t_ms == TIME_NONE;
    bool over = !first && (t_ms / SECOND_MS != seconds->t_ms / SECOND_MS ||
                           t_ms - seconds->last_ms > rules->gap_ms);
    if (over) finish(seconds, rules, t_ms, out);
    if (first || over) begin(seconds, t_ms, line);
    count(seconds, rules, face, t_ms);
    return over;
}

bool face_seconds_end(struct face_seconds *seconds, const struct face_rules *rules,
                      struct face_second *out) {
    if (seconds->t_ms == TIME_NONE) return false;
    finish(seconds, rules, TIME_NONE, out);
    out->paused = false; // the recording is over, the sensor did not pause
    seconds->t_ms = TIME_NONE;
    return true;
}
