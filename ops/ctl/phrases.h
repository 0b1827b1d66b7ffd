#pragma once
// What standards listen for, and phrases.yaml, which has the words of it.

#include "ops/ctl/sets.h"

/// The labels on audio.phrase that the sets ask for which hold on the day or later: a new object
/// with the labels as keys. NULL: out of memory.
json_t *phrases_asked(const struct standards_plan *plan, int32_t day);
/// All entries of the file, [{"phrase", "en": [...], "threshold"}]. NULL: reported.
json_t *phrases_read(const char *path, struct problems *problems);

/// Checks the folder's phrases.yaml, if there is one; warns of each phrase that a standard of some
/// branch asks for and that it has no words for: unless some other gateway tells of it, it will
/// never be heard.
void phrases_check(const char *folder, const struct catalogue *catalogue, struct problems *problems,
                   struct problems *warnings);
