#pragma once
// Sound second by second in event time: what the drivers audio and phrases share.
//
//   recording  `start` says when its first value was; second k is start + k s, moved as `day` and
//              shift_days say. Cursor: the second that has not been handed over.
//   live       a pipe or command without `start`: the wall clock when the first second was whole,
//              then by counting values. Where that comes to lie more than clock_slack_ms behind the
//              clock (nothing came for a while), the second is put at the clock: `sound_gap`. As
//              far ahead of it, the second is left out: `sound_ahead`.
// A value that is no number counts as 0: `not_a_number`.

#include "common/settings/settings.h"
#include "sensors-gw/drivers/driver.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/sound.h"

struct listener_settings {
    char path[PATH_SIZE], command[PATH_SIZE];
    bool standard_input;
    char start[40];
    double speed;
    int64_t shift_days;
    char day[DAY_SETTING_SIZE];
    uint64_t clock_slack_ms;
    struct id counter;
};

/// The rows of these settings, for a driver whose own settings have them as first member
/// `listener`.
#define LISTENER_SETTINGS                                                                          \
    SETTING_PATH(struct listener_settings, path, "",                                               \
                 "A sound file (WAVE, FLAC ...), or a fifo that brings WAVE."),                    \
        SETTING_TEXT(struct listener_settings, command, "",                                        \
                     "A shell command that writes WAVE, such as arecord, read instead of a path; " \
                     "ended with the gateway."),                                                   \
        SETTING_BOOL(struct listener_settings, standard_input, false,                              \
                     "Read WAVE from the gateway's own standard input instead of a path."),        \
        SETTING_TEXT(                                                                              \
            struct listener_settings, start, "",                                                   \
            "When the recording began: a local time of the branch "                                \
            "(2026-11-23T09:00:00), or with Z or an offset. Empty: a pipe is heard now."),         \
        REPLAY_SETTINGS(struct listener_settings),                                                 \
        SETTING_U64(struct listener_settings, clock_slack_ms, 2000, 100, 60000,                    \
                    "Milliseconds by which the clock of live sound may differ from the wall "      \
                    "clock: lower keeps time more exactly, higher loses nothing when the gateway " \
                    "pauses."),                                                                    \
        SETTING_ID(struct listener_settings, counter, NULL, "The counter that is heard.")

struct listener {
    const struct listener_settings *settings;
    struct sound *sound;
    struct sound_format format; // rate_hz 0: not known yet
    bool live, ended;
    int64_t begin_ms; // of second 0; live: of the next second, TIME_NONE before the first
    uint64_t second;  // the next
    uint64_t from;    // seconds before this one were handed over before the restart
    float *values;    // one second
    size_t frames;    // of it that have come
    bool playing;     // play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

struct second {
    const float *values; // interleaved, finite
    size_t frames;       // the rate; less in the last one of a recording
    struct span span;
    bool known; // handed over before the restart: only to hear what follows as before
};

/// memory_s: how many seconds before the cursor's are read again.
MUST_CHECK enum err listener_open(struct listener *listener,
                                  const struct listener_settings *settings,
                                  const struct driver_context *context, const struct cursor *cursor,
                                  uint64_t memory_s, struct problem *problem);
void listener_close(struct listener *listener); // also after a failed open

/// The next second, valid until the next call. Errors as driver.read's.
MUST_CHECK enum err listener_next(struct listener *listener, struct driver_turn *turn,
                                  struct second *second, struct problem *problem);

/// Everything before this second has been handed over, but for events that are known up to late_s
/// later: moves the turn's cursor and the watermark.
void listener_mark(const struct listener *listener, struct driver_turn *turn, uint64_t second,
                   uint32_t late_s);
/// When a second begins; live: one not before the last gap.
int64_t listener_second_ms(const struct listener *listener, uint64_t second);

int listener_wait_fd(const struct listener *listener);
uint32_t listener_progress(const struct listener *listener);
