#pragma once
// All that is wrong with a file or a set of files, told at once: a person who mends a
// configuration should not have to run the program once for every mistake.

#include "common/base/err.h"

#include <stdbool.h>
#include <stdio.h>

enum { PROBLEMS_MAX = 64 };

/// A bounded list of sentences, in the order found; starts as {0}. Needs no release.
/// For warnings a caller keeps a second list.
struct problems {
    size_t count; // all that were reported; the first PROBLEMS_MAX are kept
    struct problem items[PROBLEMS_MAX];
};

/// Add "what; way out", unless the same sentence is there. `where` ("file.yaml:3:7", "--set
/// speed=x") comes in front, unless NULL.
void problems_add(struct problems *problems, enum err err, const char *where, const char *format,
                  ...) PRINTF_LIKE(4, 5);

/// Whether this very text, with its place, is among those kept.
bool problems_told(const struct problems *problems, const char *text);

/// Join the first one and the number of others into one sentence, for a caller that has room
/// for one; returns its err. ERR_NONE: there are none.
enum err problems_first(const struct problems *problems, struct problem *problem);

/// One line each, and a last line for those that were not kept.
void problems_print(const struct problems *problems, FILE *out);
