#include "sensors-gw/drivers/turns.h"

#include <assert.h>

// In frames, of which 64 are a second.
enum {
    PAUSE_MOST = 13,  // 200 ms
    FLOOR_LEAST = 32, // 500 ms
    BOTH_LEAST = 19,  // 300 ms
    GOES_ON = 64,     // 1 s
    LONG_AGO = -(1 << 20),
};
_Static_assert((GOES_ON + PAUSE_MOST) * 1000 / VOICE_FRAMES_A_SECOND <= TURNS_LATE_S * 1000,
               "an interruption is known in time");
_Static_assert(GOES_ON + FLOOR_LEAST + 3 * PAUSE_MOST <= TURNS_MEMORY_S * VOICE_FRAMES_A_SECOND,
               "a restart hears the same");

void turns_begin(struct turns *turns, double crosstalk_db) {
    const struct talk perhaps = {.begun = LONG_AGO}; // both may be talking already
    *turns = (struct turns){.crosstalk_db = crosstalk_db, .employee = perhaps, .client = perhaps};
}

static bool talks(const struct talk *talk, int64_t now) {
    return now - talk->last <= PAUSE_MOST;
}

/// A voiced frame; whether a talk begins with it.
static bool voiced(struct talk *talk, int64_t now) {
    bool begins = !talks(talk, now);
    if (begins) talk->begun = now;
    talk->last = now;
    return begins;
}

/// The employee begins: while the client has the floor?
static bool takes_floor(const struct turns *turns) {
    const struct talk *client = &turns->client;
    return talks(client, turns->now) && turns->now - client->begun >= FLOOR_LEAST;
}

static void employee_speaks(struct turns *turns, int64_t second_frame, int32_t *begins_ms,
                            size_t *count) {
    struct talk *employee = &turns->employee;
    if (voiced(employee, turns->now)) {
        turns->pending = takes_floor(turns);
        turns->client_begun = turns->client.begun;
        turns->both_until = turns->now;
        return;
    }
    if (!turns->pending || turns->now - employee->begun < GOES_ON) return;
    turns->pending = false;
    if (turns->both_until - employee->begun < BOTH_LEAST) return;
    assert(*count < TURNS_A_SECOND_MAX); // each takes a second
    begins_ms[(*count)++] =
        (int32_t)((employee->begun - second_frame) * 1000 / VOICE_FRAMES_A_SECOND);
}

size_t turns_second(struct turns *turns, const struct voice_frames *employee,
                    const struct voice_frames *client, int32_t begins_ms[TURNS_A_SECOND_MAX]) {
    size_t frames = employee->count < client->count ? employee->count : client->count, count = 0;
    int64_t second_frame = turns->now + 1; // the first of this second
    for (size_t i = 0; i < frames; i++) {
        turns->now++;
        double louder_db = employee->level_db[i] - client->level_db[i];
        bool client_now = client->voiced >> i & 1 && louder_db <= turns->crosstalk_db;
        bool employee_now = employee->voiced >> i & 1 && -louder_db <= turns->crosstalk_db;
        if (client_now) {
            (void)voiced(&turns->client, turns->now);
            if (turns->client.begun == turns->client_begun) turns->both_until = turns->now;
        }
        if (employee_now) employee_speaks(turns, second_frame, begins_ms, &count);
    }
    return count;
}
