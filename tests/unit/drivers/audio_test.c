#include "sensors-gw/drivers/ear.h"
#include "sensors-gw/drivers/sound.h"
#include "sensors-gw/drivers/spectrum.h"
#include "sensors-gw/drivers/voice.h"
#include "sensors-gw/drivers/wave.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// ------------------------------------------------------------------ loudness

struct tone {
    double hz, dbfs;
    uint32_t rate_hz, channels;
    double lufs;
};

/// `seconds` of a sine on all channels; what is heard in the last of them.
static struct heard hear_tone(const struct tone *tone, int seconds) {
    size_t count = (size_t)tone->rate_hz * tone->channels;
    float *values = malloc(count * sizeof *values);
    struct ear *ear = ear_new(tone->rate_hz, tone->channels, 0, -50);
    struct heard heard;
    double peak = pow(10, tone->dbfs / 20);
    for (int second = 0; second < seconds; second++) {
        for (size_t i = 0; i < count; i++) {
            double at = (double)(i / tone->channels + (size_t)second * tone->rate_hz);
            values[i] = (float)(peak * sin(2 * M_PI * tone->hz * at / tone->rate_hz));
        }
        cr_assert(ear_second(ear, values, tone->rate_hz, &heard));
    }
    ear_free(ear);
    free(values);
    return heard;
}

// Figures measured with libebur128 1.2.6; the first is a case of EBU Tech 3341.
Test(audio, loudness_is_that_of_ebu_r128) {
    static const struct tone tones[] = {
        {1000, -23, 48000, 2, -22.99}, {1000, -33, 48000, 2, -32.99}, {997, 0, 48000, 1, -3.01},
        {1000, -20, 48000, 1, -23.00}, {1000, -23, 16000, 1, -25.96},
    };
    for (size_t i = 0; i < sizeof tones / sizeof tones[0]; i++) {
        struct heard heard = hear_tone(&tones[i], 5);
        cr_assert(heard.has_loudness && heard.has_peak);
        cr_assert(lt(dbl, fabs(heard.loudness_lufs - tones[i].lufs), 0.02), "%zu: %g", i,
                  heard.loudness_lufs);
        cr_assert(lt(dbl, fabs(heard.peak_lufs - tones[i].lufs), 0.02), "%zu: %g", i,
                  heard.peak_lufs);
        cr_assert(eq(dbl, heard.speech, 0));
        cr_assert(eq(dbl, heard.silence, 0));
    }
}

Test(audio, loudness_waits_for_its_window_and_calibration_moves_it) {
    float values[8000];
    struct heard heard;
    struct ear *ear = ear_new(8000, 1, 6, -50);
    for (size_t i = 0; i < 8000; i++)
        values[i] = 0.1F * sinf((float)(2 * M_PI * 1000 * (double)i / 8000));
    cr_assert(ear_second(ear, values, 3000, &heard));
    cr_assert(eq(int, heard.has_peak + heard.has_loudness, 0));
    ear_free(ear);
    double plain = 0;
    for (int run = 0; run < 2; run++) {
        ear = ear_new(8000, 1, run * 6, -50);
        for (int second = 0; second < 3; second++) {
            cr_assert(ear_second(ear, values, 8000, &heard));
            cr_assert(heard.has_peak);
            cr_assert(eq(int, heard.has_loudness, second == 2));
        }
        if (run == 0) plain = heard.loudness_lufs;
        ear_free(ear);
    }
    cr_assert(lt(dbl, fabs(heard.loudness_lufs - plain - 6), 1e-9));
}

// Digital silence is -infinity LUFS: no number, but nothing to be heard is what it says.
Test(audio, silence_is_the_quietest_loudness_and_no_speech) {
    static float values[16000];
    struct heard heard;
    struct ear *ear = ear_new(16000, 1, 0, -50);
    for (int second = 0; second < 4; second++)
        cr_assert(ear_second(ear, values, 16000, &heard));
    cr_assert(eq(dbl, heard.loudness_lufs, -70));
    cr_assert(eq(dbl, heard.speech, 0));
    cr_assert(eq(dbl, heard.silence, 1));
    for (size_t i = 4000; i < 8000; i++)
        values[i] = 0.5F;
    values[9000] = 1;
    values[9001] = -1;
    cr_assert(ear_second(ear, values, 16000, &heard));
    cr_assert(eq(dbl, heard.silence, 47.0 / 64)); // a quarter is loud, and one part has the clicks
    cr_assert(eq(dbl, heard.clipping, 2.0 / 16000));
    ear_free(ear);
}

// ------------------------------------------------------------------ speech

static uint64_t state = 7;

static float noise(void) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (float)((double)(state >> 33) / (1U << 30) - 1);
}

static double speech_of(float (*value)(double t), int seconds) {
    static float values[16000];
    struct voice *voice = voice_new(16000);
    double sum = 0;
    for (int second = 0; second < seconds; second++) {
        for (size_t i = 0; i < 16000; i++)
            values[i] = value(second + (double)i / 16000);
        sum += voice_second(voice, values, 16000);
    }
    voice_free(voice);
    return sum / seconds;
}

static float tone_bursts(double t) {
    return fmod(t, 1) < 0.5 ? (float)(0.1 * sin(2 * M_PI * 1000 * t)) : 0;
}

static float chords(double t) {
    static const double notes_hz[] = {220, 277.18, 329.63};
    double sum = 0, decay = exp(-3 * fmod(t, 0.5));
    for (size_t i = 0; i < 3; i++)
        for (int k = 1; k <= 5; k++)
            sum += sin(2 * M_PI * notes_hz[i] * k * t) / k;
    return (float)(0.05 * decay * sum);
}

static float steady_noise(double t) {
    (void)t;
    return 0.05F * noise();
}

static float knocks(double t) {
    return (fmod(t, 1) < 0.2 ? 0.4F : 0.002F) * noise();
}

/// A made-up voice: harmonics of a gliding pitch under two formants, in syllables, with pauses.
static float voice_like(double t) {
    double phase = 2 * M_PI * (120 * t - 20 / (2 * M_PI * 0.7) * cos(2 * M_PI * 0.7 * t));
    double sum = 0, syllable = fmod(t, 0.25) < 0.2 ? 1 : 0;
    for (int k = 1; k <= 24; k++) {
        double hz = 120.0 * k, first = (hz - 600) / 200, second = (hz - 1500) / 300;
        sum += (exp(-first * first) + 0.5 * exp(-second * second) + 0.02) * sin(k * phase);
    }
    return (float)(0.1 * syllable * sum) + 0.002F * noise();
}

Test(audio, only_a_voice_is_speech) {
    cr_assert(eq(dbl, speech_of(tone_bursts, 8), 0));
    cr_assert(eq(dbl, speech_of(chords, 8), 0));
    cr_assert(eq(dbl, speech_of(steady_noise, 8), 0));
    cr_assert(lt(dbl, speech_of(knocks, 8), 0.05));
    cr_assert(gt(dbl, speech_of(voice_like, 8), 0.9));
}

// A cut last second may be shorter than a frame.
Test(audio, any_length_of_a_last_second_is_heard) {
    static float values[8000];
    struct heard heard;
    for (size_t count = 1; count <= 8000; count += 61) {
        struct ear *ear = ear_new(8000, 1, 0, -50);
        cr_assert(ear_second(ear, values, count, &heard));
        cr_assert(heard.speech == 0 && heard.clipping == 0);
        ear_free(ear);
    }
}

Test(audio, a_spectrum_holds_the_mean_square) {
    float values[1411];
    struct spectrum *spectrum = spectrum_new(1411);
    for (size_t i = 0; i < 1411; i++)
        values[i] = (float)sin(2 * M_PI * 1000 * (double)i / 22050);
    const double *power = spectrum_power(spectrum, values);
    double sum = 0;
    size_t highest = 0;
    for (size_t i = 0; i < spectrum_bins(spectrum); i++) {
        sum += power[i];
        if (power[i] > power[highest]) highest = i;
    }
    cr_assert(lt(dbl, fabs(sum - 0.5), 0.001));
    cr_assert(eq(sz, spectrum_bins(spectrum), 1025));
    cr_assert(lt(dbl, fabs((double)highest * 22050 / 2048 - 1000), 11));
    spectrum_free(spectrum);
}

// ------------------------------------------------------------------ WAVE and its traps

struct wave_file {
    uint16_t tag, channels, bits;
    uint32_t rate_hz, riff_size, data_size; // sizes 1: the true ones
    bool list;                              // an odd chunk before the sound, and one behind it
    const char *sound;
    size_t sound_size;
};

static size_t put(uint8_t *to, size_t at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        to[at + i] = (uint8_t)(value >> (8 * i));
    return at + size;
}

static size_t put_text(uint8_t *to, size_t at, const char *text, size_t size) {
    memcpy(to + at, text, size);
    return at + size;
}

static size_t write_wave(const struct wave_file *wave, uint8_t *to) {
    size_t frame = (size_t)wave->channels * wave->bits / 8;
    size_t at = put_text(to, 0, "RIFF\0\0\0\0WAVEfmt ", 16);
    at = put(to, at, 16, 4);
    at = put(to, at, wave->tag, 2);
    at = put(to, at, wave->channels, 2);
    at = put(to, at, wave->rate_hz, 4);
    at = put(to, at, wave->rate_hz * frame, 4);
    at = put(to, at, frame, 2);
    at = put(to, at, wave->bits, 2);
    if (wave->list) at = put_text(to, at, "LIST\5\0\0\0INFOx", 14);
    at = put_text(to, at, "data", 4);
    at = put(to, at, wave->data_size == 1 ? wave->sound_size : wave->data_size, 4);
    at = put_text(to, at, wave->sound, wave->sound_size);
    if (wave->list) at = put_text(to, at, "LIST\4\0\0\0INFO", 12);
    put(to, 4, wave->riff_size == 1 ? at - 8 : wave->riff_size, 4);
    return at;
}

/// Goes on where the last call ended, *count values having been read.
static enum err read_all(struct sound *sound, float *values, size_t room, size_t *count,
                         struct problem *problem) {
    struct sound_format format;
    enum err err = sound_format(sound, &format, problem);
    size_t got;
    while (!err && *count < room) {
        err = sound_read(sound, values + *count, (room - *count) / format.channels, &got, problem);
        if (!err) *count += got * format.channels;
    }
    return err;
}

static enum err from_file(const uint8_t *bytes, size_t size, float *values, size_t room,
                          size_t *count, struct problem *problem) {
    char path[32];
    struct sound *sound = NULL;
    int fd = memfd_create("sound", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    cr_assert(eq(sz, (size_t)write(fd, bytes, size), size));
    enum err err = sound_open_file(path, &sound, problem);
    *count = 0;
    if (!err) {
        err = read_all(sound, values, room, count, problem);
        sound_close(sound);
    }
    close(fd);
    return err;
}

static enum err from_command(const uint8_t *bytes, size_t size, float *values, size_t room,
                             size_t *count, struct problem *problem) {
    char path[] = "/tmp/tresen-sound-XXXXXX", command[64];
    struct sound *sound = NULL;
    int fd = mkstemp(path);
    cr_assert(eq(sz, (size_t)write(fd, bytes, size), size));
    close(fd);
    snprintf(command, sizeof command, "cat %s", path);
    cr_assert(eq(int, sound_open_command(command, &sound, problem), ERR_NONE));
    enum err err;
    *count = 0;
    while ((err = read_all(sound, values, room, count, problem)) == ERR_AGAIN) {
        struct pollfd ready = {.fd = sound_fd(sound), .events = POLLIN};
        cr_assert(ge(int, poll(&ready, 1, 10000), 1));
    }
    sound_close(sound);
    unlink(path);
    return err;
}

#define SIXTEEN "\x00\x40\x00\xc0\x00\x20\x00\x00"

Test(audio, every_shape_of_wave_says_the_same) {
    static const struct wave_file shapes[] = {
        {1, 1, 16, 8000, 1, 1, false, SIXTEEN, 8},
        {1, 1, 16, 8000, 1, 1, true, SIXTEEN, 8},
        {1, 1, 16, 8000, 1, 4000, false, SIXTEEN, 8},                // larger than the file
        {1, 1, 16, 8000, 0, 0, false, SIXTEEN, 8},                   // a recorder that was cut off
        {1, 1, 16, 8000, 36, 0, false, SIXTEEN, 8},                  //
        {1, 1, 16, 8000, UINT32_MAX, UINT32_MAX, false, SIXTEEN, 8}, // a stream
        {1, 1, 24, 8000, 1, 1, false, "\0\0\x40\0\0\xc0\0\0\x20\0\0\0", 12},
        {1, 1, 8, 8000, 1, 1, false, "\xc0\x40\xa0\x80", 4}, // unsigned
        {3, 1, 32, 8000, 1, 1, false, "\0\0\0\x3f\0\0\0\xbf\0\0\x80\x3e\0\0\0\0", 16},
    };
    static const float expected[] = {0.5F, -0.5F, 0.25F, 0};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        uint8_t bytes[256];
        float values[16];
        size_t count = 0, size = write_wave(&shapes[i], bytes);
        struct problem problem = {0};
        enum err err = from_file(bytes, size, values, 16, &count, &problem);
        cr_assert(eq(int, err, ERR_END), "shape %zu: %s", i, problem.text);
        cr_assert(eq(sz, count, 4), "shape %zu", i);
        cr_assert(eq(int, memcmp(values, expected, sizeof expected), 0), "shape %zu", i);
        err = from_command(bytes, size, values, 16, &count, &problem);
        cr_assert(eq(int, err, ERR_END), "shape %zu: %s", i, problem.text);
        cr_assert(eq(sz, count, 4), "shape %zu", i);
        cr_assert(eq(int, memcmp(values, expected, sizeof expected), 0), "shape %zu", i);
    }
}

Test(audio, what_is_no_sound_is_refused_with_a_sentence) {
    static const struct wave_file shapes[] = {
        {1, 0, 16, 8000, 1, 1, false, SIXTEEN, 8}, // zero channels
        {1, 9, 16, 8000, 1, 1, false, SIXTEEN SIXTEEN SIXTEEN, 18},
        {1, 1, 16, 4000, 1, 1, false, SIXTEEN, 8},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        uint8_t bytes[256];
        float values[16];
        size_t count = 0, size = write_wave(&shapes[i], bytes);
        for (int piped = 0; piped < 2; piped++) {
            struct problem problem = {0};
            enum err err =
                (piped ? from_command : from_file)(bytes, size, values, 16, &count, &problem);
            cr_assert(err == ERR_FORMAT || err == ERR_RANGE, "shape %zu", i);
            cr_assert(ne(int, problem.text[0], 0));
        }
    }
    struct problem problem = {0};
    struct sound *sound;
    cr_assert(eq(int, sound_open_file("/nowhere.wav", &sound, &problem), ERR_MISSING));
}

// A pipe brings its header in pieces of any size.
Test(audio, a_header_is_whole_at_its_last_byte_and_not_before) {
    uint8_t bytes[256];
    struct wave_file shape = {1, 1, 16, 8000, 1, 1, true, SIXTEEN, 8};
    size_t offset = 0, whole = write_wave(&shape, bytes) - 8 - 12;
    uint64_t length = 0;
    for (size_t size = 0; size < whole; size++)
        cr_assert(eq(int, wave_header((struct bytes){bytes, size}, &offset, &length), ERR_AGAIN));
    cr_assert(eq(int, wave_header((struct bytes){bytes, whole}, &offset, &length), ERR_NONE));
    cr_assert(eq(sz, offset, whole));
    cr_assert(eq(u64, length, 8));
    bytes[0] = 'r';
    cr_assert(eq(int, wave_header((struct bytes){bytes, 1}, &offset, &length), ERR_FORMAT));
    // A chunk that says it is longer than any header.
    bytes[0] = 'R';
    put(bytes, 16, UINT32_MAX, 4);
    cr_assert(eq(int, wave_header((struct bytes){bytes, whole}, &offset, &length), ERR_FORMAT));
}

// Frames come over a pipe byte by byte, and each is read once and whole.
Test(audio, a_pipe_may_cut_a_frame_anywhere) {
    char path[] = "/tmp/tresen-fifo-XXXXXX";
    uint8_t bytes[256];
    struct wave_file shape = {1, 2, 16, 8000, 0, 0, false, SIXTEEN, 8};
    size_t size = write_wave(&shape, bytes), total = 0, got;
    struct sound *sound;
    struct sound_format format;
    struct problem problem = {0};
    float values[16];
    cr_assert(ne(ptr, mkdtemp(path), NULL));
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", path);
    cr_assert(eq(int, mkfifo(fifo, 0600), 0));
    cr_assert(eq(int, sound_open_pipe(fifo, &sound, &problem), ERR_NONE));
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < size; i++) {
        cr_assert(eq(sz, (size_t)write(fd, bytes + i, 1), 1));
        enum err err = sound_format(sound, &format, &problem);
        if (!err) err = sound_read(sound, values + total, 4, &got, &problem);
        if (!err) total += got * 2;
        cr_assert(err == ERR_NONE || err == ERR_AGAIN, "byte %zu", i);
        cr_assert(eq(sz, total, i < 44 ? 0 : (i - 43) / 4 * 2));
    }
    cr_assert(eq(u32, format.channels, 2));
    cr_assert(values[0] == 0.5F && values[1] == -0.5F && values[2] == 0.25F && values[3] == 0);
    sound_close(sound);
    close(fd);
    unlink(fifo);
    rmdir(path);
}
