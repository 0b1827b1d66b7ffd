#include "sensors-gw/drivers/spotter.h"

#include <math.h>
#include <pocketsphinx.h>
#include <samplerate.h>
#include <sphinxbase/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MODEL_RATE_HZ = 16000, FRAMES_A_SECOND = 100 };
// Powers of ten a sound: a lower one finds more phrases and more that nobody said. Few sounds are
// easily heard in others, many are easily missed; how that was chosen stands in phrases.c.
enum { LONG_SOUNDS = 8 };
static const double threshold_a_sound_short = -1, threshold_a_sound_long = -3;

struct spotter {
    ps_decoder_t *decoder;
    size_t count;
    const struct phrase *phrases;
};

void spotter_free(struct spotter *spotter) {
    if (!spotter) return;
    if (spotter->decoder) ps_free(spotter->decoder);
    free(spotter);
}

/// How many sounds the words have; 0: the dictionary does not know this one, *unknown.
static size_t count_sounds(ps_decoder_t *decoder, const char *words, char *unknown) {
    char copy[PHRASE_WORDS_SIZE], *rest = NULL;
    size_t sounds = 0;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *spoken = ps_lookup_word(decoder, word);
        if (!spoken) {
            strcpy(unknown, word);
            return 0;
        }
        sounds++;
        for (const char *at = spoken; *at; at++)
            sounds += *at == ' ';
        free(spoken);
    }
    return sounds;
}

static double threshold_of(const struct phrase *phrase, size_t sounds) {
    if (phrase->threshold < 0) return phrase->threshold;
    return (double)sounds *
           (sounds < LONG_SOUNDS ? threshold_a_sound_short : threshold_a_sound_long);
}

/// The list as PocketSphinx reads it, from a file in memory.
static enum err set_phrases(struct spotter *spotter, struct problem *problem) {
    char path[32], unknown[PHRASE_WORDS_SIZE];
    int fd = memfd_create("phrases", MFD_CLOEXEC);
    if (fd < 0) return problem_set(problem, ERR_IO, "no file in memory for the phrases");
    enum err err = ERR_NONE;
    for (size_t i = 0; i < spotter->count && !err; i++) {
        const struct phrase *phrase = &spotter->phrases[i];
        size_t sounds = count_sounds(spotter->decoder, phrase->words, unknown);
        if (sounds == 0)
            err = problem_set(problem, ERR_MISSING, "%s: the dictionary has no word \"%s\"",
                              phrase->label.text, unknown);
        else if (dprintf(fd, "%s /1e%.0f/\n", phrase->words, threshold_of(phrase, sounds)) < 0)
            err = problem_set(problem, ERR_IO, "the list of phrases cannot be written");
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!err && (ps_set_kws(spotter->decoder, "phrases", path) != 0 ||
                 ps_set_search(spotter->decoder, "phrases") != 0))
        err = problem_set(problem, ERR_FORMAT, "PocketSphinx does not take the phrases");
    close(fd);
    return err;
}

enum err spotter_new(const struct phrase *phrases, size_t count, const char *model,
                     const char *dictionary, struct spotter **spotter_out,
                     struct problem *problem) {
    struct spotter *spotter = calloc(1, sizeof *spotter);
    if (!spotter) return ERR_NOMEM;
    spotter->count = count;
    spotter->phrases = phrases;
    err_set_logfp(NULL); // what was heard must not reach a log
    cmd_ln_t *config = cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", model, "-dict", dictionary,
                                   "-remove_silence", "no", NULL);
    if (config) spotter->decoder = ps_init(config);
    if (config) cmd_ln_free_r(config);
    enum err err = ERR_NONE;
    if (!spotter->decoder)
        err = problem_set(problem, ERR_MISSING,
                          "PocketSphinx cannot read the model %s or the dictionary %s", model,
                          dictionary);
    if (!err) err = set_phrases(spotter, problem);
    if (err)
        spotter_free(spotter);
    else
        *spotter_out = spotter;
    return err;
}

// ------------------------------------------------------------------ hearing

/// The sound at the model's rate in 16 bits; NULL: out of memory.
static int16_t *resample(const float *values, size_t count, uint32_t rate_hz, size_t *size) {
    double ratio = (double)MODEL_RATE_HZ / rate_hz;
    size_t room = (size_t)((double)count * ratio) + 1;
    float *out = malloc(room * sizeof *out);
    int16_t *sound = malloc(room * sizeof *sound);
    SRC_DATA data = {.data_in = values,
                     .input_frames = (long)count,
                     .data_out = out,
                     .output_frames = (long)room,
                     .src_ratio = ratio};
    *size = 0;
    if (out && sound && src_simple(&data, SRC_SINC_FASTEST, 1) == 0) {
        *size = (size_t)data.output_frames_gen;
        src_float_to_short_array(out, sound, (int)*size);
    }
    free(out);
    return sound;
}

static size_t which(const struct spotter *spotter, const char *words) {
    size_t size = strlen(words);
    while (size > 0 && words[size - 1] == ' ')
        size--;
    for (size_t i = 0; i < spotter->count; i++)
        if (strlen(spotter->phrases[i].words) == size &&
            memcmp(spotter->phrases[i].words, words, size) == 0)
            return i;
    return spotter->count;
}

static int by_begin(const void *left, const void *right) {
    const struct spotted *a = left, *b = right;
    return a->from_s != b->from_s ? (a->from_s > b->from_s) - (a->from_s < b->from_s)
                                  : (a->phrase > b->phrase) - (a->phrase < b->phrase);
}

static void collect(struct spotter *spotter, struct spotted found[SPOTTED_MAX], size_t *count) {
    for (ps_seg_t *part = ps_seg_iter(spotter->decoder); part; part = ps_seg_next(part)) {
        int from, to;
        size_t phrase = which(spotter, ps_seg_word(part));
        if (phrase == spotter->count || *count == SPOTTED_MAX) continue;
        ps_seg_frames(part, &from, &to);
        double share =
            logmath_exp(ps_get_logmath(spotter->decoder), ps_seg_prob(part, NULL, NULL, NULL));
        double percent = round(fmin(1, fmax(0, share)) * 100);
        found[(*count)++] =
            (struct spotted){phrase, (double)from / FRAMES_A_SECOND, (uint8_t)percent};
    }
    if (*count > 0) qsort(found, *count, sizeof *found, by_begin);
}

enum err spotter_hear(struct spotter *spotter, const float *values, size_t count, uint32_t rate_hz,
                      struct spotted found[SPOTTED_MAX], size_t *found_count,
                      struct problem *problem) {
    size_t size;
    *found_count = 0;
    int16_t *sound = resample(values, count, rate_hz, &size);
    if (!sound) return ERR_NOMEM;
    bool heard = ps_start_stream(spotter->decoder) == 0 && // forgets the noise of the last
                 ps_start_utt(spotter->decoder) == 0 &&
                 ps_process_raw(spotter->decoder, sound, size, FALSE, TRUE) >= 0 &&
                 ps_end_utt(spotter->decoder) == 0;
    free(sound);
    if (!heard) return problem_set(problem, ERR_IO, "PocketSphinx failed");
    collect(spotter, found, found_count);
    return ERR_NONE;
}
