// A list of phrases of any bytes is read, or refused with file and line.

#include "sensors-gw/drivers/phrase_list.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/entries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct phrase_list list;
    struct problem problem = {0};
    enum err err = phrase_list_read(fuzzed_file(data, size), &list, &problem);
    assert(!err == (problem.text[0] == '\0'));
    assert(list.count <= PHRASES_MAX);
    for (size_t i = 0; !err && i < list.count; i++) {
        assert(name_valid(list.items[i].label.text, strlen(list.items[i].label.text)));
        assert(strnlen(list.items[i].words, PHRASE_WORDS_SIZE) < PHRASE_WORDS_SIZE);
        assert(list.items[i].threshold <= 0 && list.items[i].threshold >= -100);
    }
    return 0;
}
