// The audio driver: sound becomes one value a second and measure, and goes nowhere itself. How the
// seconds lie in time stands in listener.h, what is computed of each in ear.h and voice.h.
//
//   sample  at the begin of the second, of audio.loudness, audio.loudness_peak, audio.speech,
//           audio.silence and audio.clipping; those that measures.yaml declares.
//   watch   of each of them, every second that was heard; the last one of a recording may be
//           shorter.

#include "sensors-gw/drivers/ear.h"
#include "sensors-gw/drivers/listener.h"

#include <string.h>

// Seconds that are handed over, and that are heard at all: a restart hears some again, and must get
// on even if each turn were followed by another restart.
enum { SECONDS_A_TURN = 4, HEARD_A_TURN = EAR_MEMORY_S + SECONDS_A_TURN };

struct audio_settings {
    struct listener_settings listener;
    double calibration_offset_db, silence_dbfs, confidence;
};

_Static_assert(offsetof(struct audio_settings, listener) == 0, "the rows say so");

static const struct setting settings_rows[] = {
    LISTENER_SETTINGS,
    SETTING_DOUBLE(
        struct audio_settings, calibration_offset_db, 0, -60, 60,
        "Decibels added to every level, so that the microphones of all counters tell the "
        "same loudness of the same sound."),
    SETTING_DOUBLE(
        struct audio_settings, silence_dbfs, -50, -90, 0,
        "Level in decibels below full scale, after calibration, under which it is silent: "
        "higher calls quiet rooms silent, lower only switched-off microphones."),
    SETTING_DOUBLE(struct audio_settings, confidence, 1, 0, 1, "Confidence 0..1 of every value."),
    SETTINGS_END};

enum feature { LOUDNESS, LOUDNESS_PEAK, SPEECH, SILENCE, CLIPPING, FEATURES };
static const char *const feature_measures[FEATURES] = {
    "audio.loudness", "audio.loudness_peak", "audio.speech", "audio.silence", "audio.clipping"};

struct audio {
    const struct audio_settings *settings;
    const struct measure *measures[FEATURES]; // NULL: not declared
    struct listener listener;
    struct ear *ear; // once the format is known
};

// ------------------------------------------------------------------ one second

static void append(const struct audio *audio, struct source *source, const struct second *second,
                   const struct heard *heard) {
    const struct id *counter = &audio->settings->listener.counter;
    uint8_t confidence = (uint8_t)(audio->settings->confidence * 100 + 0.5);
    const double values[FEATURES] = {heard->loudness_lufs, heard->peak_lufs, heard->speech,
                                     heard->silence, heard->clipping};
    for (size_t i = 0; i < FEATURES; i++) {
        if (!audio->measures[i]) continue;
        batching_watch(source, audio->measures[i], counter, second->span.from_ms,
                       second->span.to_ms);
        if ((i == LOUDNESS && !heard->has_loudness) || (i == LOUDNESS_PEAK && !heard->has_peak))
            continue;
        batching_sample(source, audio->measures[i], counter, second->span.from_ms, values[i],
                        confidence);
    }
}

static enum err hear(struct audio *audio, struct driver_turn *turn, uint32_t *handed_over,
                     struct problem *problem) {
    struct second second;
    struct heard heard;
    enum err err = listener_next(&audio->listener, turn, &second, problem);
    if (err) return err;
    if (!audio->ear)
        audio->ear = ear_new(audio->listener.format.rate_hz, audio->listener.format.channels,
                             audio->settings->calibration_offset_db, audio->settings->silence_dbfs);
    if (!audio->ear || !ear_second(audio->ear, second.values, second.frames, &heard))
        return ERR_NOMEM;
    if (second.known) return ERR_NONE;
    append(audio, turn->source, &second, &heard);
    ++*handed_over;
    return ERR_NONE;
}

static enum err audio_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct audio *audio = state;
    uint32_t handed_over = 0;
    enum err err = ERR_NONE;
    for (uint32_t i = 0; !err && i < HEARD_A_TURN; i++) {
        if (handed_over == SECONDS_A_TURN || handed_over * FEATURES >= turn->budget) break;
        err = hear(audio, turn, &handed_over, problem);
    }
    if (audio->listener.second >= audio->listener.from)
        listener_mark(&audio->listener, turn, audio->listener.second);
    return err;
}

// ------------------------------------------------------------------ open and close

static enum err audio_open(void *state, const struct driver_context *context,
                           const struct cursor *cursor, struct problem *problem) {
    struct audio *audio = state;
    size_t declared = 0;
    audio->settings = context->settings;
    for (size_t i = 0; i < FEATURES; i++) {
        const char *id = feature_measures[i];
        audio->measures[i] = measures_find(context->measures, id, strlen(id));
        declared += audio->measures[i] != NULL;
        if (audio->measures[i] && audio->measures[i]->kind != MEASURE_SAMPLES)
            return problem_set(problem, ERR_CONFLICT, "measures.yaml: %s must be of kind samples",
                               id);
    }
    if (declared == 0)
        return problem_set(problem, ERR_MISSING,
                           "measures.yaml declares none of the measures of sound, such as %s",
                           feature_measures[LOUDNESS]);
    return listener_open(&audio->listener, &audio->settings->listener, context, cursor,
                         EAR_MEMORY_S, problem);
}

static int audio_wait_fd(const void *state) {
    return listener_wait_fd(&((const struct audio *)state)->listener);
}

static size_t audio_brings(const void *state, struct id *measures, size_t most) {
    const struct audio *audio = state;
    size_t count = 0;
    for (size_t i = 0; i < FEATURES && count < most; i++)
        if (audio->measures[i]) measures[count++] = audio->measures[i]->id;
    return count;
}

static uint32_t audio_progress(const void *state) {
    return listener_progress(&((const struct audio *)state)->listener);
}

static void audio_close(void *state) {
    struct audio *audio = state;
    ear_free(audio->ear);
    audio->ear = NULL;
    listener_close(&audio->listener);
}

const struct driver driver_audio = {
    .name = "audio",
    .text = "sound of a file, pipe or command: loudness, speech and silence, second by second",
    .state_size = sizeof(struct audio),
    .settings_size = sizeof(struct audio_settings),
    .settings = settings_rows,
    .open = audio_open,
    .wait_fd = audio_wait_fd,
    .read = audio_read,
    .brings = audio_brings,
    .progress = audio_progress,
    .close = audio_close,
};
