#pragma once
// The list of phrases that the driver phrases listens for (config/phrases.yaml).

#include "common/base/err.h"
#include "common/domain/ids.h"

enum { PHRASES_MAX = 64, PHRASE_WORDS_SIZE = 64 };

struct phrase {
    struct name label;
    char words[PHRASE_WORDS_SIZE]; // lower case, as the dictionary writes them
    double threshold;              // power of ten; 0: by the number of sounds in the words
};

struct phrase_list {
    size_t count; // wordings: of one label there may be several
    struct phrase items[PHRASES_MAX];
};

/// ERR_MISSING ... : *problem names file, line and column
MUST_CHECK enum err phrase_list_read(const char *path, struct phrase_list *list,
                                     struct problem *problem);
