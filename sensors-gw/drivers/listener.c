#include "sensors-gw/drivers/listener.h"

#include "common/base/bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SECOND_MS = 1000 };

// ------------------------------------------------------------------ open and close

static enum err open_sound(struct listener *listener, struct problem *problem) {
    const struct listener_settings *settings = listener->settings;
    struct stat status;
    int ways =
        (settings->path[0] != '\0') + (settings->command[0] != '\0') + settings->standard_input;
    if (ways != 1)
        return problem_set(problem, ERR_CONFLICT,
                           "give exactly one of path, command and standard_input");
    listener->live = settings->start[0] == '\0';
    if (settings->command[0] != '\0')
        return sound_open_command(settings->command, &listener->sound, problem);
    if (settings->standard_input) return sound_open_pipe("-", &listener->sound, problem);
    if (stat(settings->path, &status) == 0 && !S_ISREG(status.st_mode))
        return sound_open_pipe(settings->path, &listener->sound, problem);
    if (listener->live)
        return problem_set(problem, ERR_MISSING,
                           "start: says when %s was recorded; write it like 2026-11-23T09:00:00",
                           settings->path);
    return sound_open_file(settings->path, &listener->sound, problem);
}

/// A file begins again memory_s before the cursor's second; a recording from a pipe at its begin.
static enum err go_back(struct listener *listener, const struct cursor *cursor, uint64_t memory_s,
                        struct problem *problem) {
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    listener->from = reader_u64(&reader);
    if (reader.failed)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: the spool holds the place of another driver; begin with a new one",
                           listener->settings->path);
    if (sound_fd(listener->sound) >= 0 || listener->from <= memory_s) return ERR_NONE;
    enum err err = sound_format(listener->sound, &listener->format, problem);
    if (err) return err;
    listener->second = listener->from - memory_s;
    return sound_seek(listener->sound, listener->second * listener->format.rate_hz, problem);
}

enum err listener_open(struct listener *listener, const struct listener_settings *settings,
                       const struct driver_context *context, const struct cursor *cursor,
                       uint64_t memory_s, struct problem *problem) {
    *listener = (struct listener){.settings = settings, .begin_ms = TIME_NONE};
    enum err err = open_sound(listener, problem);
    if (err || listener->live) return err;
    err = replay_begin(settings->start, settings->day, settings->shift_days, context->zone,
                       &listener->begin_ms, problem);
    if (err || cursor->size == 0) return err;
    return go_back(listener, cursor, memory_s, problem);
}

void listener_close(struct listener *listener) {
    sound_close(listener->sound);
    free(listener->values);
    *listener = (struct listener){0};
}

// ------------------------------------------------------------------ one second

static enum err learn_format(struct listener *listener, struct problem *problem) {
    if (listener->values) return ERR_NONE;
    enum err err = sound_format(listener->sound, &listener->format, problem);
    if (err) return err;
    listener->values = calloc((size_t)listener->format.rate_hz * listener->format.channels,
                              sizeof *listener->values);
    return listener->values ? ERR_NONE : ERR_NOMEM;
}

/// Until the second is whole, or the sound has ended within it.
static enum err fill(struct listener *listener, struct problem *problem) {
    size_t got = 0, rate = listener->format.rate_hz, channels = listener->format.channels;
    while (listener->frames < rate && !listener->ended) {
        enum err err = sound_read(listener->sound, listener->values + listener->frames * channels,
                                  rate - listener->frames, &got, problem);
        if (err == ERR_END)
            listener->ended = true;
        else if (err)
            return err;
        else
            listener->frames += got;
    }
    return listener->frames > 0 ? ERR_NONE : ERR_END;
}

/// A recording plays when its time has come.
static bool is_due(struct listener *listener, struct driver_turn *turn, struct span span,
                   bool known) {
    if (listener->live || known) return true;
    if (!listener->playing) {
        listener->playing = true;
        listener->play_ms = span.from_ms;
        listener->play_mono_ms = turn->now_ms;
    }
    turn->wake_ms = replay_due_ms(listener->settings->speed, listener->play_mono_ms,
                                  listener->play_ms, span.to_ms);
    return turn->wake_ms <= turn->now_ms;
}

/// false: the second is left out.
static bool keep_time(struct listener *listener, struct driver_turn *turn) {
    int64_t slack_ms = (int64_t)listener->settings->clock_slack_ms;
    int64_t clock_ms = turn->utc_ms - SECOND_MS; // where the second lay, by the clock
    if (listener->begin_ms == TIME_NONE) listener->begin_ms = clock_ms;
    if (listener->begin_ms > clock_ms + slack_ms) {
        batching_oddity(turn->source, "sound_ahead");
        return false;
    }
    if (listener->begin_ms < clock_ms - slack_ms) {
        batching_oddity(turn->source, "sound_gap");
        listener->begin_ms = clock_ms;
    }
    return true;
}

static void mend(struct listener *listener, struct source *source) {
    size_t count = listener->frames * listener->format.channels;
    bool odd = false;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(listener->values[i])) continue;
        listener->values[i] = 0;
        odd = true;
    }
    if (odd) batching_oddity(source, "not_a_number");
}

int64_t listener_second_ms(const struct listener *listener, uint64_t second) {
    int64_t seconds = (int64_t)(listener->live ? second - listener->second : second);
    return listener->begin_ms + seconds * SECOND_MS;
}

enum err listener_next(struct listener *listener, struct driver_turn *turn, struct second *second,
                       struct problem *problem) {
    for (;;) {
        enum err err = learn_format(listener, problem);
        if (!err) err = fill(listener, problem);
        if (err) return err;
        size_t rate = listener->format.rate_hz;
        int64_t length_ms = (int64_t)((listener->frames * SECOND_MS + rate - 1) / rate);
        bool known = listener->second < listener->from;
        if (listener->live && !keep_time(listener, turn)) {
            listener->frames = 0;
            continue;
        }
        int64_t from_ms = listener_second_ms(listener, listener->second);
        struct span span = {from_ms, from_ms + length_ms};
        if (!is_due(listener, turn, span, known)) return ERR_AGAIN;
        mend(listener, turn->source);
        *second = (struct second){listener->values, listener->frames, span, known};
        listener->frames = 0;
        listener->second++;
        if (listener->live) listener->begin_ms += SECOND_MS;
        return ERR_NONE;
    }
}

void listener_mark(const struct listener *listener, struct driver_turn *turn, uint64_t second,
                   uint32_t late_s) {
    if (listener->begin_ms == TIME_NONE) return;
    batching_watermark(turn->source,
                       listener_second_ms(listener, second) - (int64_t)late_s * SECOND_MS);
    if (listener->live) return;
    turn->cursor.size = 8;
    for (size_t i = 0; i < 8; i++)
        turn->cursor.bytes[i] = (uint8_t)(second >> (i * 8));
}

int listener_wait_fd(const struct listener *listener) {
    return listener->sound ? sound_fd(listener->sound) : -1;
}

uint32_t listener_progress(const struct listener *listener) {
    return listener->sound ? sound_permille(listener->sound) : 0;
}
