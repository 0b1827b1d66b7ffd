// A recording of any bytes: the driver (FUZZED_DRIVER, or its format) plays it to its end or says
// why not, and a restart from a cursor after every few turns gives the same.

#include "tests/unit/drivers/stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/entries.h"

static struct played play(const char *path, uint32_t restart_every) {
    struct play options = {.budget = 8, .restart_every = restart_every};
    for (size_t i = 0; i < ENTRIES; i++)
        if (strcmp(entries[i].driver, FUZZED_DRIVER) == 0)
            return stage_play(&options, entries[i].entry, path);
    assert(!"an entry for this driver");
    return (struct played){0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzzed_file(data, size);
    struct played whole = play(path, 0), parts = play(path, 2);
    assert(whole.err == ERR_END || whole.problem.text[0]);
    assert(whole.err == parts.err);
    if (whole.err == ERR_END) assert(strcmp(whole.facts, parts.facts) == 0);
    played_free(&whole);
    played_free(&parts);
    return 0;
}
