#include "sensors-gw/drivers/ear.h"

#include "sensors-gw/drivers/voice.h"

#include <assert.h>
#include <ebur128.h>
#include <math.h>
#include <stdlib.h>

_Static_assert((int)EAR_MEMORY_S >= (int)VOICE_MEMORY_S && EAR_MEMORY_S >= 3,
               "a restart from the cursor hears the same");

enum { TENTHS = 10, PARTS = 64 };
static const double gate_lufs = -70;
static const float full_scale = 32767.0F / 32768.0F;

struct ear {
    uint32_t rate_hz, channels;
    double calibration_db, silence_square;
    uint64_t frames; // heard so far
    ebur128_state *loudness;
    struct voice *voice;
    float *mono; // one second
};

struct ear *ear_new(uint32_t rate_hz, uint32_t channels, double calibration_db,
                    double silence_dbfs) {
    assert(rate_hz >= EAR_RATE_LEAST_HZ && rate_hz <= EAR_RATE_MOST_HZ);
    assert(channels >= 1 && channels <= EAR_CHANNELS_MAX);
    struct ear *ear = calloc(1, sizeof *ear);
    if (!ear) return NULL;
    ear->rate_hz = rate_hz;
    ear->channels = channels;
    ear->calibration_db = calibration_db;
    ear->silence_square = pow(10, (silence_dbfs - calibration_db) / 10);
    ear->loudness = ebur128_init(channels, rate_hz, EBUR128_MODE_M | EBUR128_MODE_S);
    ear->voice = voice_new(rate_hz);
    ear->mono = calloc(rate_hz, sizeof *ear->mono);
    if (ear->loudness && ear->voice && ear->mono) return ear;
    ear_free(ear);
    return NULL;
}

void ear_free(struct ear *ear) {
    if (!ear) return;
    if (ear->loudness) ebur128_destroy(&ear->loudness);
    voice_free(ear->voice);
    free(ear->mono);
    free(ear);
}

static double calibrated(const struct ear *ear, double lufs) {
    return fmax(gate_lufs, lufs + ear->calibration_db); // silence is -infinity
}

static bool hear_loudness(struct ear *ear, const float *values, size_t count, struct heard *heard) {
    double lufs;
    for (size_t i = 0, from = 0; i < TENTHS && from < count; i++) {
        size_t to = (i + 1) * ear->rate_hz / TENTHS;
        bool whole = to <= count;
        if (!whole) to = count;
        if (ebur128_add_frames_float(ear->loudness, values + from * ear->channels, to - from))
            return false;
        ear->frames += to - from;
        from = to;
        if (!whole || ear->frames * 10 < ear->rate_hz * (uint64_t)4) continue;
        if (ebur128_loudness_momentary(ear->loudness, &lufs)) return false;
        lufs = calibrated(ear, lufs);
        if (!heard->has_peak || lufs > heard->peak_lufs) heard->peak_lufs = lufs;
        heard->has_peak = true;
    }
    if (ear->frames < ear->rate_hz * (uint64_t)3) return true;
    if (ebur128_loudness_shortterm(ear->loudness, &lufs)) return false;
    heard->loudness_lufs = calibrated(ear, lufs);
    heard->has_loudness = true;
    return true;
}

static double clipped_share(const float *values, size_t count) {
    size_t clipped = 0;
    for (size_t i = 0; i < count; i++)
        clipped += fabsf(values[i]) >= full_scale;
    return (double)clipped / (double)count;
}

static double silent_share(const struct ear *ear, const float *values, size_t count) {
    size_t parts = 0, silent = 0, from = 0;
    for (; parts < PARTS; parts++) {
        size_t to = (parts + 1) * ear->rate_hz / PARTS * ear->channels;
        if (to > count * ear->channels) break;
        double squares = 0, values_in_part = (double)(to - from);
        for (; from < to; from++)
            squares += (double)values[from] * values[from];
        silent += squares / values_in_part < ear->silence_square;
    }
    return parts > 0 ? (double)silent / (double)parts : 0;
}

bool ear_second(struct ear *ear, const float *values, size_t count, struct heard *heard) {
    assert(count > 0 && count <= ear->rate_hz);
    *heard = (struct heard){0};
    for (size_t i = 0; i < count; i++) {
        float sum = 0;
        for (size_t j = 0; j < ear->channels; j++)
            sum += values[i * ear->channels + j];
        ear->mono[i] = sum / (float)ear->channels;
    }
    heard->speech = voice_second(ear->voice, ear->mono, count);
    heard->silence = silent_share(ear, values, count);
    heard->clipping = clipped_share(values, count * ear->channels);
    return hear_loudness(ear, values, count, heard);
}
