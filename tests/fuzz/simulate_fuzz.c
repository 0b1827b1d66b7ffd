// A branch that is made up from any settings: it plays its day to the end, the same after restarts.
// With one setting that is not allowed it is refused, and the setting is named.

#include "common/base/bytes.h"
#include "tests/unit/drivers/stage.h"

#include <assert.h>
#include <string.h>

/// Those that have a range, in which the fuzzed bytes choose.
static const struct {
    const char *key;
    double least, most, wrong;
} numbers[] = {{"opens_hour", 0, 23, 24},      {"open_hours", 0.25, 0.3, 13},
               {"clients_an_hour", 1, 200, 0}, {"employees", 0, 20, 10001},
               {"noise", 0, 10, -1},           {"person_share", 0, 1, 2},
               {"day_share", 0, 1, -0.5}};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static struct played play(const char *entry, uint32_t restart_every) {
    struct play options = {.budget = 4096, .restart_every = restart_every};
    return stage_play(&options, "%s", entry);
}

/// Settings from the bytes; *wrong: the one that is not allowed, or NULL.
static void put_entry(struct reader *in, char *entry, size_t size, const char **wrong) {
    // All that it knows would take seconds: each has a value a second and counter.
    static const char *const measures[] = {"measures: [distance.client]\n",
                                           "measures: [audio.phrase]\n"};
    uint8_t odd = reader_u8(in);
    unsigned seed = reader_u16(in), month = 1 + reader_u8(in) % 12, day = 1 + reader_u8(in) % 28;
    const char *told = measures[reader_u8(in) % 2];
    int at = snprintf(
        entry, size, "driver: simulate\nseed: %u\nday: 2026-%02u-%02u\ndays: 1\n%sencounters: %s\n",
        seed, month, day, told, reader_u8(in) % 2 ? "true" : "false");
    *wrong = odd < NUMBERS ? numbers[odd].key : NULL;
    for (size_t i = 0; i < NUMBERS; i++) {
        double value =
            numbers[i].least + (numbers[i].most - numbers[i].least) * (double)reader_u8(in) / 255;
        bool whole = numbers[i].most >= 20 && numbers[i].wrong != 0;
        if (whole) value = (int)value;
        if (odd == i) value = numbers[i].wrong;
        at += snprintf(entry + at, size - (size_t)at, "%s: %g\n", numbers[i].key, value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader in = reader_of((struct bytes){data, size});
    char entry[1024];
    const char *wrong;
    put_entry(&in, entry, sizeof entry, &wrong);
    if (in.failed) return 0;
    struct played whole = play(entry, 0);
    if (wrong) {
        assert(whole.err && whole.err != ERR_END && strstr(whole.problem.text, wrong));
    } else {
        struct played parts = play(entry, 3);
        // Shares that leave nothing for the encounters, or a measure that nobody declared.
        assert(whole.err == ERR_END || whole.problem.text[0]);
        assert(whole.err == parts.err && strcmp(whole.facts, parts.facts) == 0);
        played_free(&parts);
    }
    played_free(&whole);
    return 0;
}
