// The audio driver: sound becomes one value a second and measure, and goes nowhere itself. How the
// seconds lie in time stands in listener.h, what is computed of each in ear.h and voice.h.
//
//   sample  at the begin of the second, of audio.loudness, audio.loudness_peak, audio.speech,
//           audio.silence and audio.clipping; those that measures.yaml declares.
//   event   of audio.turn, interruption, at its begin (turns.h); where employee_channel tells the
//   two
//           channels apart.
//   watch   of each of them, every second that was heard; the last one of a recording may be
//           shorter.

#include "sensors-gw/drivers/ear.h"
#include "sensors-gw/drivers/listener.h"
#include "sensors-gw/drivers/turns.h"

#include <stdlib.h>
#include <string.h>

// Seconds that are handed over, and that are heard at all: a restart hears some again, and must get
// on even if each turn were followed by another restart.
enum {
    SECONDS_A_TURN = 4,
    MEMORY_S = EAR_MEMORY_S + TURNS_MEMORY_S, // what the turns need has to be heard as before
    HEARD_A_TURN = MEMORY_S + SECONDS_A_TURN,
    PARTIES = 2,
};

struct audio_settings {
    struct listener_settings listener;
    double calibration_offset_db, silence_dbfs, confidence, crosstalk_db;
    uint64_t employee_channel;
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
    SETTING_U64(
        struct audio_settings, employee_channel, 0, 0, PARTIES,
        "Which of two channels is the employee's, 1 or 2, where the other is the client's: then it "
        "is told when the employee interrupts (audio.turn). 0: they are not told apart."),
    SETTING_DOUBLE(
        struct audio_settings, crosstalk_db, 12, 0, 60,
        "Decibels by which a voice that is fainter in one channel than in the other counts as come "
        "over from there: lower misses interruptions in a low voice, higher takes an echo for a "
        "voice."),
    SETTINGS_END};

enum feature { LOUDNESS, LOUDNESS_PEAK, SPEECH, SILENCE, CLIPPING, FEATURES };
static const char *const feature_measures[FEATURES] = {
    "audio.loudness", "audio.loudness_peak", "audio.speech", "audio.silence", "audio.clipping"};

struct audio {
    const struct audio_settings *settings;
    const struct measure *measures[FEATURES]; // NULL: not declared
    const struct measure *turn;               // NULL: not declared, or the channels are one
    struct listener listener;
    struct ear *ear;               // once the format is known
    struct voice *voices[PARTIES]; // likewise, of the employee and of the client; with `turn`
    struct turns turns;
    int64_t turns_next_ms; // when the second that follows for them begins
    float *channel;        // one second of one
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

static const struct voice_frames *listen_to(struct audio *audio, const struct second *second,
                                            size_t party) {
    size_t employee = (size_t)audio->settings->employee_channel - 1;
    size_t channel = party == 0 ? employee : 1 - employee;
    for (size_t i = 0; i < second->frames; i++)
        audio->channel[i] = second->values[i * PARTIES + channel];
    (void)voice_second(audio->voices[party], audio->channel, second->frames);
    return voice_last(audio->voices[party]);
}

/// Interruptions of which this second lets know.
static void append_turns(struct audio *audio, struct source *source, const struct second *second) {
    const struct id *counter = &audio->settings->listener.counter;
    uint8_t confidence = (uint8_t)(audio->settings->confidence * 100 + 0.5);
    int32_t begins_ms[TURNS_A_SECOND_MAX];
    if (second->span.from_ms != audio->turns_next_ms)
        turns_begin(&audio->turns, audio->settings->crosstalk_db);
    audio->turns_next_ms = second->span.to_ms;
    const struct voice_frames *employee = listen_to(audio, second, 0);
    const struct voice_frames *client = listen_to(audio, second, 1);
    size_t count = turns_second(&audio->turns, employee, client, begins_ms);
    if (second->known) return;
    batching_watch(source, audio->turn, counter, second->span.from_ms, second->span.to_ms);
    for (size_t i = 0; i < count; i++)
        batching_event(source, audio->turn, counter, second->span.from_ms + begins_ms[i],
                       bytes_of_text("interruption"), confidence);
}

static const char *sound_name(const struct listener_settings *settings) {
    if (settings->path[0] != '\0') return settings->path;
    return settings->command[0] != '\0' ? settings->command : "standard input";
}

/// What the format, once it is known, asks for.
static enum err prepare(struct audio *audio, struct problem *problem) {
    const struct sound_format *format = &audio->listener.format;
    if (audio->ear) return ERR_NONE;
    if (audio->turn && format->channels != PARTIES)
        return problem_set(problem, ERR_CONFLICT,
                           "%s has %u channels, and employee and client are told apart by two; "
                           "record two, or set employee_channel: 0",
                           sound_name(&audio->settings->listener), format->channels);
    for (size_t i = 0; audio->turn && i < PARTIES; i++)
        if (!audio->voices[i] && !(audio->voices[i] = voice_new(format->rate_hz))) return ERR_NOMEM;
    if (audio->turn && !audio->channel)
        audio->channel = calloc(format->rate_hz, sizeof *audio->channel);
    if (audio->turn && !audio->channel) return ERR_NOMEM;
    audio->ear = ear_new(format->rate_hz, format->channels, audio->settings->calibration_offset_db,
                         audio->settings->silence_dbfs);
    return audio->ear ? ERR_NONE : ERR_NOMEM;
}

static enum err hear(struct audio *audio, struct driver_turn *turn, uint32_t *handed_over,
                     struct problem *problem) {
    struct second second;
    struct heard heard;
    enum err err = listener_next(&audio->listener, turn, &second, problem);
    if (!err) err = prepare(audio, problem);
    if (err) return err;
    if (!ear_second(audio->ear, second.values, second.frames, &heard)) return ERR_NOMEM;
    if (audio->turn) append_turns(audio, turn->source, &second);
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
        listener_mark(&audio->listener, turn, audio->listener.second,
                      audio->turn && err != ERR_END ? TURNS_LATE_S : 0);
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
    const char *turn = "audio.turn";
    if (audio->settings->employee_channel > 0) {
        audio->turn = measures_find(context->measures, turn, strlen(turn));
        if (!audio->turn || audio->turn->kind != MEASURE_EVENTS)
            return problem_set(problem, ERR_MISSING,
                               "employee_channel: measures.yaml must declare %s, of kind events, "
                               "for who interrupts",
                               turn);
    }
    if (declared == 0)
        return problem_set(problem, ERR_MISSING,
                           "measures.yaml declares none of the measures of sound, such as %s",
                           feature_measures[LOUDNESS]);
    return listener_open(&audio->listener, &audio->settings->listener, context, cursor,
                         audio->turn ? MEMORY_S : EAR_MEMORY_S, problem);
}

static int audio_wait_fd(const void *state) {
    return listener_wait_fd(&((const struct audio *)state)->listener);
}

static size_t audio_brings(const void *state, struct id *measures, size_t most) {
    const struct audio *audio = state;
    size_t count = 0;
    for (size_t i = 0; i < FEATURES && count < most; i++)
        if (audio->measures[i]) measures[count++] = audio->measures[i]->id;
    if (audio->turn && count < most) measures[count++] = audio->turn->id;
    return count;
}

static uint32_t audio_progress(const void *state) {
    return listener_progress(&((const struct audio *)state)->listener);
}

static void audio_close(void *state) {
    struct audio *audio = state;
    ear_free(audio->ear);
    audio->ear = NULL;
    for (size_t i = 0; i < PARTIES; i++) {
        voice_free(audio->voices[i]);
        audio->voices[i] = NULL;
    }
    free(audio->channel);
    audio->channel = NULL;
    listener_close(&audio->listener);
}

const struct driver driver_audio = {
    .name = "audio",
    .text =
        "sound of a file, pipe or command: loudness, speech and silence, second by second; of two "
        "channels, when the employee interrupts the client",
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
