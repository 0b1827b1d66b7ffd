// The phrases driver: which agreed phrases are heard, and when; the words go nowhere. It speaks
// English as far as PocketSphinx' model does; any better recogniser comes through jsonl.
//
//   stretch  what is searched at once: seconds with speech (voice.h) that follow each other and the
//            one before and behind them, at most STRETCH_S, then the next overlaps by OVERLAP_S. A
//            phrase counts in the stretch in which it begins, not in one's last second or overlap.
//   rates    of 56 recorded English prompts of one speaker, 14 phrases listened for: 33 of 46 are
//            found (72 %) and 9 heard that nobody said. The thresholds were chosen on one half (13
//            of 20 and 6); the other gives 20 of 26 and 3. It is no clean test: that short and long
//            phrases differ, and from how many sounds on, was seen on both. Short words alone
//            (thank you, goodbye) are mostly missed. drivers_phrases_data_test measures it.
//   event    of audio.phrase at the phrase's begin, its label from the list of phrases.
//   watch    of audio.phrase, every second that was heard.
//
// Cursor: the first second of the stretch that is being collected, and whether speech has begun.

#include "sensors-gw/drivers/listener.h"
#include "sensors-gw/drivers/spotter.h"
#include "sensors-gw/drivers/voice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH_S = 6, OVERLAP_S = 2, HEARD_A_TURN = VOICE_MEMORY_S + STRETCH_S + 2 };

struct phrases_settings {
    struct listener_settings listener;
    char phrases[PATH_SIZE], model[PATH_SIZE], dictionary[PATH_SIZE];
};
_Static_assert(offsetof(struct phrases_settings, listener) == 0, "the rows say so");

#define MODELS "/usr/share/pocketsphinx/model/en-us/"

static const struct setting settings_rows[] = {
    LISTENER_SETTINGS,
    SETTING_PATH(struct phrases_settings, phrases, "config/phrases.yaml",
                 "The phrases and their words."),
    SETTING_PATH(struct phrases_settings, model, MODELS "en-us",
                 "Folder of PocketSphinx' acoustic model, for 16 kHz."),
    SETTING_PATH(struct phrases_settings, dictionary, MODELS "cmudict-en-us.dict",
                 "PocketSphinx' dictionary: the words it can hear."),
    SETTINGS_END};

struct phrases {
    const struct phrases_settings *settings;
    const struct measure *measure;
    struct phrase_list list;
    struct listener listener;
    struct spotter *spotter;
    struct voice *voice; // once the format is known
    bool speech;         // has begun in the stretch
    bool resumes_speech; // had, at the cursor's second
    uint64_t first;      // second of the stretch
    int64_t first_ms, next_ms;
    size_t frames; // of the stretch
    float *values; // STRETCH_S seconds, one channel
};

// ------------------------------------------------------------------ a stretch

static size_t rate(const struct phrases *phrases) {
    return phrases->listener.format.rate_hz;
}

/// Search the stretch; what begins in its last `not_s` seconds is left to the next.
static enum err search(struct phrases *phrases, struct source *source, uint32_t not_s,
                       struct problem *problem) {
    struct spotted found[SPOTTED_MAX];
    size_t count;
    enum err err = spotter_hear(phrases->spotter, phrases->values, phrases->frames,
                                phrases->listener.format.rate_hz, found, &count, problem);
    if (err) return err;
    double end_s = (double)phrases->frames / (double)rate(phrases) - not_s;
    for (size_t i = 0; i < count && found[i].from_s < end_s; i++) {
        const char *label = phrases->list.items[found[i].phrase].label.text;
        batching_event(source, phrases->measure, &phrases->settings->listener.counter,
                       phrases->first_ms + llround(found[i].from_s * 1000), bytes_of_text(label),
                       found[i].confidence);
    }
    return ERR_NONE;
}

/// Only the last seconds of the stretch stay.
static void keep(struct phrases *phrases, uint32_t seconds) {
    size_t frames = seconds * rate(phrases);
    if (frames >= phrases->frames) return;
    memmove(phrases->values, phrases->values + phrases->frames - frames,
            frames * sizeof *phrases->values);
    phrases->frames = frames;
    phrases->first = phrases->listener.second - seconds;
    phrases->first_ms = phrases->next_ms - (int64_t)seconds * 1000;
}

static void add(struct phrases *phrases, const struct second *second) {
    size_t channels = phrases->listener.format.channels;
    float *to = phrases->values + phrases->frames;
    if (phrases->frames == 0) {
        phrases->first = phrases->listener.second - 1;
        phrases->first_ms = second->span.from_ms;
    }
    for (size_t i = 0; i < second->frames; i++) {
        float sum = 0;
        for (size_t j = 0; j < channels; j++)
            sum += second->values[i * channels + j];
        to[i] = sum / (float)channels;
    }
    phrases->frames += second->frames;
    phrases->next_ms = second->span.to_ms;
}

static enum err hear(struct phrases *phrases, const struct second *second, struct source *source,
                     bool *searched, struct problem *problem) {
    enum err err = ERR_NONE;
    *searched = false;
    if (phrases->frames > 0 && second->span.from_ms != phrases->next_ms) { // live, after a pause
        *searched = phrases->speech;
        if (phrases->speech) err = search(phrases, source, 0, problem);
        phrases->frames = 0;
        phrases->speech = false;
    }
    if (err) return err;
    add(phrases, second);
    const float *mono = phrases->values + phrases->frames - second->frames;
    double share = voice_second(phrases->voice, mono, second->frames);
    if (second->known) { // heard again after a restart
        phrases->frames = 0;
        phrases->speech = phrases->resumes_speech;
        return ERR_NONE;
    }
    batching_watch(source, phrases->measure, &phrases->settings->listener.counter,
                   second->span.from_ms, second->span.to_ms);
    bool was_speech = phrases->speech, full = phrases->frames >= STRETCH_S * rate(phrases);
    phrases->speech = share > 0;
    if (was_speech && (full || !phrases->speech)) {
        uint32_t stays_s = phrases->speech ? OVERLAP_S : 1;
        err = search(phrases, source, stays_s, problem);
        *searched = true;
        keep(phrases, stays_s);
    } else if (!phrases->speech) {
        keep(phrases, 1);
    }
    return err;
}

// ------------------------------------------------------------------ turns

static void mark(const struct phrases *phrases, struct driver_turn *turn) {
    if (phrases->listener.second < phrases->listener.from) return;
    listener_mark(&phrases->listener, turn,
                  phrases->frames > 0 ? phrases->first : phrases->listener.second, 0);
    if (turn->cursor.size > 0) turn->cursor.bytes[turn->cursor.size++] = phrases->speech;
}

static enum err begin(struct phrases *phrases) {
    if (phrases->voice) return ERR_NONE;
    phrases->voice = voice_new(phrases->listener.format.rate_hz);
    phrases->values = calloc(STRETCH_S * rate(phrases), sizeof *phrases->values);
    return phrases->voice && phrases->values ? ERR_NONE : ERR_NOMEM;
}

static enum err phrases_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct phrases *phrases = state;
    struct second second;
    bool searched = false;
    enum err err = ERR_NONE;
    for (uint32_t i = 0; !err && !searched && i < HEARD_A_TURN; i++) {
        err = listener_next(&phrases->listener, turn, &second, problem);
        if (!err) err = begin(phrases);
        if (!err) err = hear(phrases, &second, turn->source, &searched, problem);
    }
    if (err == ERR_END) {
        if (phrases->speech && phrases->frames > 0) {
            enum err last = search(phrases, turn->source, 0, problem);
            if (last) return last;
        }
        phrases->frames = 0;
        phrases->speech = false;
    }
    mark(phrases, turn);
    return err;
}

// ------------------------------------------------------------------ open and close

static enum err phrases_open(void *state, const struct driver_context *context,
                             const struct cursor *cursor, struct problem *problem) {
    struct phrases *phrases = state;
    static const char id[] = "audio.phrase";
    phrases->settings = context->settings;
    phrases->measure = measures_find(context->measures, id, sizeof id - 1);
    if (!phrases->measure || phrases->measure->kind != MEASURE_EVENTS)
        return problem_set(problem, ERR_MISSING, "measures.yaml has no %s of kind events", id);
    enum err err = phrase_list_read(phrases->settings->phrases, &phrases->list, problem);
    if (!err)
        err = spotter_new(phrases->list.items, phrases->list.count, phrases->settings->model,
                          phrases->settings->dictionary, &phrases->spotter, problem);
    if (err) return err;
    phrases->resumes_speech = cursor->size > 8 && cursor->bytes[8] != 0;
    phrases->speech = phrases->resumes_speech;
    return listener_open(&phrases->listener, &phrases->settings->listener, context, cursor,
                         VOICE_MEMORY_S, problem);
}

static int phrases_wait_fd(const void *state) {
    return listener_wait_fd(&((const struct phrases *)state)->listener);
}

static size_t phrases_brings(const void *state, struct id *measures, size_t most) {
    const struct phrases *phrases = state;
    if (most > 0) measures[0] = phrases->measure->id;
    return most > 0;
}

static uint32_t phrases_progress(const void *state) {
    return listener_progress(&((const struct phrases *)state)->listener);
}

static void phrases_close(void *state) {
    struct phrases *phrases = state;
    spotter_free(phrases->spotter);
    voice_free(phrases->voice);
    free(phrases->values);
    phrases->spotter = NULL;
    phrases->voice = NULL;
    phrases->values = NULL;
    listener_close(&phrases->listener);
}

const struct driver driver_phrases = {
    .name = "phrases",
    .text = "sound of a file, pipe or command: which agreed phrases are heard (English)",
    .state_size = sizeof(struct phrases),
    .settings_size = sizeof(struct phrases_settings),
    .settings = settings_rows,
    .open = phrases_open,
    .wait_fd = phrases_wait_fd,
    .read = phrases_read,
    .brings = phrases_brings,
    .progress = phrases_progress,
    .close = phrases_close,
};
