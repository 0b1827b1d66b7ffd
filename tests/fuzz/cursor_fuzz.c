// A cursor of any bytes, as a damaged spool or another file beside it may give: the driver goes on
// from there, or says that it cannot. The first byte says which driver, the second how long the
// cursor is; behind it comes the recording.

#include "tests/unit/drivers/stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/entries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    struct play play = {.budget = 8};
    const char *entry = entries[data[0] % ENTRIES].entry;
    size_t length = data[1] % (sizeof play.cursor.bytes + 1);
    data += 2, size -= 2;
    if (length > size) return 0;
    memcpy(play.cursor.bytes, data, length);
    play.cursor.size = (uint8_t)length;
    struct played played = stage_play(&play, entry, fuzzed_file(data + length, size - length));
    assert(played.err == ERR_END || played.problem.text[0]);
    played_free(&played);
    return 0;
}
