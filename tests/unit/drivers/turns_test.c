// Who takes the floor from whom: told apart from listening, answering, and an echo of the other.

#include "sensors-gw/drivers/turns.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS = 60, FRAMES = SECONDS * VOICE_FRAMES_A_SECOND, FOUND_MAX = 64 };

/// When each talks, by frames, and what was found in it.
struct scene {
    bool employee[FRAMES], client[FRAMES];
    double fainter_db; // the employee's channel than the client's
};
static struct scene scene;
static int64_t found_ms[FOUND_MAX];
static int found_in[FOUND_MAX]; // the second in which it was known

static void set_up(void) {
    scene = (struct scene){0};
}

TestSuite(turns, .init = set_up);

static void talk(bool *who, double from_s, double to_s) {
    for (int i = (int)round(from_s * VOICE_FRAMES_A_SECOND);
         i < (int)round(to_s * VOICE_FRAMES_A_SECOND); i++)
        who[i] = true;
}

static struct voice_frames second_of(const bool *who, int second, double level_db) {
    struct voice_frames frames = {.count = VOICE_FRAMES_A_SECOND};
    for (int i = 0; i < VOICE_FRAMES_A_SECOND; i++) {
        frames.voiced |= (uint64_t)who[second * VOICE_FRAMES_A_SECOND + i] << i;
        frames.level_db[i] = level_db;
    }
    return frames;
}

/// The begins of all interruptions from one second on.
static size_t find(int from) {
    struct turns turns;
    size_t found = 0;
    turns_begin(&turns, 12);
    for (int second = from; second < SECONDS; second++) {
        struct voice_frames employee = second_of(scene.employee, second, -30 - scene.fainter_db);
        struct voice_frames client = second_of(scene.client, second, -30);
        int32_t begins_ms[TURNS_A_SECOND_MAX];
        size_t count = turns_second(&turns, &employee, &client, begins_ms);
        for (size_t i = 0; i < count; i++) {
            cr_assert(lt(sz, found, FOUND_MAX));
            cr_assert(gt(int, begins_ms[i], -1000 * TURNS_LATE_S));
            found_in[found] = second;
            found_ms[found++] = second * 1000 + begins_ms[i];
        }
    }
    return found;
}

Test(turns, who_begins_while_the_client_talks_and_goes_on_interrupts) {
    talk(scene.client, 2, 8);
    talk(scene.employee, 5, 9);
    cr_assert(eq(sz, find(0), 1));
    cr_assert(eq(i64, found_ms[0], 5000));
    cr_assert(eq(int, found_in[0], 6));
}

Test(turns, an_answer_behind_the_client_is_none) {
    talk(scene.client, 2, 5);
    talk(scene.employee, 5.3, 9);
    talk(scene.client, 9.1, 12); // the client may
    cr_assert(eq(sz, find(0), 0));
}

// Nobody hears to the millisecond when the other will stop.
Test(turns, a_begin_in_the_clients_last_word_is_none) {
    talk(scene.client, 2, 5);
    talk(scene.employee, 4.75, 9);
    cr_assert(eq(sz, find(0), 0));
    talk(scene.client, 5, 5.1);
    cr_assert(eq(sz, find(0), 1));
}

Test(turns, a_sign_of_listening_is_none) {
    talk(scene.client, 2, 12);
    talk(scene.employee, 4, 4.4);
    talk(scene.employee, 6, 6.9);
    talk(scene.employee, 7.2, 7.9);
    cr_assert(eq(sz, find(0), 0));
}

// Lips close between words; a pause between two sentences is longer.
Test(turns, pauses_of_words_do_not_end_a_talk) {
    talk(scene.client, 2, 12);
    talk(scene.employee, 4, 4.4);
    talk(scene.employee, 4.55, 5.2);
    cr_assert(eq(sz, find(0), 1));
    cr_assert(eq(i64, found_ms[0], 4000));
    set_up();
    talk(scene.client, 2, 4.1);
    talk(scene.client, 4.2, 9);
    talk(scene.employee, 4.25, 7); // the client has the floor since 2 s
    cr_assert(eq(sz, find(0), 1));
}

Test(turns, both_at_once_is_nobodys_floor) {
    talk(scene.client, 2, 6);
    talk(scene.employee, 2.3, 6);
    cr_assert(eq(sz, find(0), 0));
}

Test(turns, one_talk_is_one_interruption) {
    talk(scene.client, 2, 30);
    talk(scene.employee, 5, 20);
    talk(scene.employee, 22, 25);
    cr_assert(eq(sz, find(0), 2));
}

// The microphone of the one hears the other, too.
Test(turns, a_voice_that_comes_over_is_no_voice) {
    talk(scene.client, 2, 12);
    talk(scene.employee, 5, 9);
    scene.fainter_db = 12;
    cr_assert(eq(sz, find(0), 1));
    scene.fainter_db = 12.5;
    cr_assert(eq(sz, find(0), 0));
    scene.fainter_db = -12.5; // then it is the client who is not there
    cr_assert(eq(sz, find(0), 0));
}

static uint64_t state = 7;

static double chance(void) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (double)(state >> 33) / (double)(1U << 31);
}

static void chatter(bool *who) {
    for (double at = chance(); at < SECONDS - 8;) {
        double until = at + 0.1 + 4 * chance() * chance();
        talk(who, at, until);
        at = until + (chance() < 0.5 ? 0.25 * chance() : 3 * chance());
    }
}

// A gateway that restarts hears some seconds again, and must find what it would have found.
Test(turns, memory_of_three_seconds_is_enough) {
    size_t compared = 0;
    for (int round = 0; round < 200; round++) {
        set_up();
        chatter(scene.employee);
        chatter(scene.client);
        int64_t whole_ms[FOUND_MAX];
        int whole_in[FOUND_MAX];
        size_t whole = find(0);
        memcpy(whole_ms, found_ms, sizeof whole_ms);
        memcpy(whole_in, found_in, sizeof whole_in);
        for (int cut = TURNS_MEMORY_S; cut < SECONDS; cut += 7) {
            size_t again = find(cut - TURNS_MEMORY_S), i = 0, k = 0;
            while (i < whole && whole_in[i] < cut)
                i++;
            while (k < again && found_in[k] < cut)
                k++;
            cr_assert(eq(sz, again - k, whole - i));
            for (; i < whole; i++, k++, compared++)
                cr_assert(eq(i64, found_ms[k], whole_ms[i]));
        }
    }
    cr_assert(gt(sz, compared, 1000));
}

// ------------------------------------------------------------------ of sound

enum { RATE_HZ = 16000 };

static double noise(void) {
    return 2 * chance() - 1;
}

/// A made-up voice: harmonics of a gliding pitch under two formants, in syllables.
static double voice_at(double t, double pitch_hz) {
    double phase = 2 * M_PI * pitch_hz * t - 28 * cos(2 * M_PI * 0.7 * t), sum = 0;
    for (int k = 1; k <= 20; k++) {
        double hz = pitch_hz * k, first = (hz - 600) / 200, second = (hz - 1500) / 300;
        sum += (exp(-first * first) + 0.5 * exp(-second * second) + 0.02) * sin(k * phase);
    }
    return fmod(t, 0.25) < 0.2 ? 0.1 * sum : 0;
}

/// Interruptions in ten seconds: the client talks from 2 to 7 s, the employee from begin_s to
/// end_s, and each comes over to the other's channel, fainter by crosstalk_db.
static size_t hear(double begin_s, double end_s, double crosstalk_db) {
    static float employee[RATE_HZ], client[RATE_HZ];
    struct voice *voices[] = {voice_new(RATE_HZ), voice_new(RATE_HZ)};
    struct turns turns;
    size_t found = 0;
    double over = pow(10, -crosstalk_db / 20);
    turns_begin(&turns, 12);
    for (int second = 0; second < 10; second++) {
        for (int i = 0; i < RATE_HZ; i++) {
            double t = second + (double)i / RATE_HZ;
            double one = t >= begin_s && t < end_s ? voice_at(t - begin_s, 120) : 0;
            double other = t >= 2 && t < 7 ? voice_at(t - 2, 210) : 0;
            employee[i] = (float)(one + over * other + 0.001 * noise());
            client[i] = (float)(other + over * one + 0.001 * noise());
        }
        (void)voice_second(voices[0], employee, RATE_HZ);
        (void)voice_second(voices[1], client, RATE_HZ);
        int32_t begins_ms[TURNS_A_SECOND_MAX];
        size_t count =
            turns_second(&turns, voice_last(voices[0]), voice_last(voices[1]), begins_ms);
        for (size_t i = 0; i < count; i++)
            found_ms[found++] = second * 1000 + begins_ms[i];
    }
    voice_free(voices[0]);
    voice_free(voices[1]);
    return found;
}

Test(turns, voices_are_told_apart_in_sound) {
    for (double crosstalk_db = 18; crosstalk_db <= 60; crosstalk_db += 14) {
        cr_assert(eq(sz, hear(4.5, 9, crosstalk_db), 1), "%g dB", crosstalk_db);
        cr_assert(lt(i64, llabs(found_ms[0] - 4500), 100), "%lld", (long long)found_ms[0]);
        cr_assert(eq(sz, hear(7.4, 9.5, crosstalk_db), 0), "%g dB", crosstalk_db);
        cr_assert(eq(sz, hear(4.5, 5, crosstalk_db), 0), "%g dB", crosstalk_db);
        cr_assert(eq(sz, hear(10, 10, crosstalk_db), 0), "%g dB", crosstalk_db);
    }
}
