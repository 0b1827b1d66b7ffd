#include "sensors-gw/drivers/voice.h"

#include "sensors-gw/drivers/spectrum.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_MS = 64,
    STEADY_LAG = 6,  // frames
    HANGOVER = 13,   // frames
    PEAKS_MAX = 256, // a bin is at least 7.8 Hz wide, so no more than 244 fit into the band
    MEMORY = VOICE_MEMORY_S * VOICE_FRAMES_A_SECOND,
};
static const double band_from_hz = 100, band_to_hz = 3900;
static const double least_db = -60, above_floor_db = 8, flat_from = 0.3, loud_db = 15,
                    music_from = 0.21;
static const double same_pitch = 0.004, same_pitch_hz = 1.5;
static const double peak_width_hz = 16, peak_from = 1e-3; // of the highest bin
static const double nothing = 1e-14;                      // power below all sound

struct peaks {
    size_t count;
    double hz[PEAKS_MAX], power[PEAKS_MAX];
};

struct frame {
    double level_db, flatness, steady;
    bool steady_known; // there was sound six frames before
};

struct steadiness {
    double sum, frames;
};

struct voice {
    uint32_t rate_hz;
    struct spectrum *spectrum;
    size_t window;                       // values
    size_t from_bin, to_bin, peak_width; // bins
    double bin_hz;
    float *sound; // the last window of the second before, then this second
    uint64_t frames;
    struct peaks peaks[STEADY_LAG + 1]; // of frame i at i % (STEADY_LAG + 1)
    double levels_db[MEMORY];           // of frame i at i % MEMORY
    uint32_t since_voiced;              // frames
    struct steadiness before;           // of the second before
    struct voice_frames last;
};

struct voice *voice_new(uint32_t rate_hz) {
    struct voice *voice = calloc(1, sizeof *voice);
    if (!voice) return NULL;
    voice->rate_hz = rate_hz;
    voice->window = (size_t)rate_hz * WINDOW_MS / 1000;
    voice->spectrum = spectrum_new(voice->window);
    voice->sound = calloc(voice->window + rate_hz, sizeof *voice->sound);
    voice->since_voiced = HANGOVER + 1;
    if (!voice->spectrum || !voice->sound) {
        voice_free(voice);
        return NULL;
    }
    size_t bins = spectrum_bins(voice->spectrum);
    voice->bin_hz = rate_hz / (2.0 * (double)(bins - 1));
    voice->from_bin = (size_t)ceil(band_from_hz / voice->bin_hz);
    voice->to_bin = (size_t)(band_to_hz / voice->bin_hz) + 1;
    if (voice->to_bin > bins) voice->to_bin = bins;
    voice->peak_width = (size_t)fmax(1, round(peak_width_hz / voice->bin_hz));
    return voice;
}

void voice_free(struct voice *voice) {
    if (!voice) return;
    spectrum_free(voice->spectrum);
    free(voice->sound);
    free(voice);
}

// ------------------------------------------------------------------ one frame

/// Where a peak lies between the bins: the top of a parabola through three of them in dB.
static double peak_hz(const struct voice *voice, const double *power, size_t at) {
    double left = log(power[at - 1] + nothing), here = log(power[at] + nothing);
    double right = log(power[at + 1] + nothing), bend = left - 2 * here + right;
    double aside = bend < 0 ? 0.5 * (left - right) / bend : 0;
    return ((double)at + aside) * voice->bin_hz;
}

static void find_peaks(const struct voice *voice, const double *power, struct peaks *peaks) {
    double highest = 0;
    peaks->count = 0;
    for (size_t i = voice->from_bin; i < voice->to_bin; i++)
        highest = fmax(highest, power[i]);
    for (size_t i = voice->from_bin + 1; i + 1 < voice->to_bin && peaks->count < PEAKS_MAX; i++) {
        if (power[i] <= power[i - 1] || power[i] < power[i + 1] || power[i] < highest * peak_from)
            continue;
        double sum = 0;
        for (size_t j = i - voice->peak_width; j <= i + voice->peak_width; j++)
            sum += j >= voice->from_bin && j < voice->to_bin ? power[j] : 0;
        peaks->hz[peaks->count] = peak_hz(voice, power, i);
        peaks->power[peaks->count++] = sum;
    }
}

/// The power of those peaks that stood at the same frequency before. Both lists ascend.
static double steady_power(const struct peaks *now, const struct peaks *before) {
    double sum = 0;
    for (size_t i = 0, j = 0; i < now->count; i++) {
        double reach_hz = fmax(same_pitch * now->hz[i], same_pitch_hz);
        while (j < before->count && before->hz[j] < now->hz[i] - reach_hz)
            j++;
        if (j < before->count && before->hz[j] <= now->hz[i] + reach_hz) sum += now->power[i];
    }
    return sum;
}

static struct frame hear_frame(struct voice *voice, const float *values) {
    const double *power = spectrum_power(voice->spectrum, values);
    struct peaks *peaks = &voice->peaks[voice->frames % (STEADY_LAG + 1)];
    double sum = nothing, logs = 0;
    for (size_t i = voice->from_bin; i < voice->to_bin; i++) {
        sum += power[i];
        logs += log(power[i] + nothing);
    }
    double count = (double)(voice->to_bin - voice->from_bin);
    find_peaks(voice, power, peaks);
    struct frame frame = {.level_db = 10 * log10(sum), .flatness = exp(logs / count) * count / sum};
    frame.steady_known = voice->frames >= STEADY_LAG;
    if (frame.steady_known) {
        size_t before = (voice->frames - STEADY_LAG) % (STEADY_LAG + 1);
        frame.steady = fmin(1, steady_power(peaks, &voice->peaks[before]) / sum);
    }
    voice->levels_db[voice->frames++ % MEMORY] = frame.level_db;
    return frame;
}

// ------------------------------------------------------------------ one second

static int by_level(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double threshold_db(const struct voice *voice) {
    double sorted[MEMORY];
    size_t count = voice->frames < MEMORY ? (size_t)voice->frames : MEMORY;
    memcpy(sorted, voice->levels_db, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_level);
    return fmax(least_db, sorted[count / 10] + above_floor_db);
}

/// Of the loud frames of a second.
static struct steadiness steadiness(const struct frame *frames, size_t count) {
    struct steadiness of = {0};
    double from_db = least_db;
    for (size_t i = 0; i < count; i++)
        from_db = fmax(from_db, frames[i].level_db - loud_db);
    for (size_t i = 0; i < count; i++) {
        if (frames[i].level_db <= from_db || !frames[i].steady_known) continue;
        of.sum += frames[i].steady;
        of.frames++;
    }
    return of;
}

static bool is_music(struct steadiness now, struct steadiness before) {
    double frames = now.frames + before.frames;
    return frames > 0 && now.sum + before.sum >= music_from * frames;
}

double voice_second(struct voice *voice, const float *values, size_t count) {
    struct frame frames[VOICE_FRAMES_A_SECOND];
    size_t frame_count = 0, speech = 0;
    assert(count <= voice->rate_hz);
    memcpy(voice->sound + voice->window, values, count * sizeof *values);
    for (; frame_count < VOICE_FRAMES_A_SECOND; frame_count++) {
        size_t end = (frame_count + 1) * voice->rate_hz / VOICE_FRAMES_A_SECOND;
        if (end > count) break;
        frames[frame_count] = hear_frame(voice, voice->sound + end);
    }
    memmove(voice->sound, voice->sound + count, voice->window * sizeof *values);
    voice->last = (struct voice_frames){.count = frame_count};
    if (frame_count == 0) return 0;
    double from_db = threshold_db(voice);
    struct steadiness now = steadiness(frames, frame_count);
    bool music = is_music(now, voice->before);
    voice->before = now;
    for (size_t i = 0; i < frame_count; i++) {
        bool voiced = !music && frames[i].level_db > from_db && frames[i].flatness < flat_from;
        voice->last.level_db[i] = frames[i].level_db;
        voice->last.voiced |= (uint64_t)voiced << i;
        if (voiced)
            voice->since_voiced = 0;
        else if (voice->since_voiced <= HANGOVER)
            voice->since_voiced++;
        speech += !music && voice->since_voiced <= HANGOVER;
    }
    return (double)speech / (double)frame_count;
}

const struct voice_frames *voice_last(const struct voice *voice) {
    return &voice->last;
}
