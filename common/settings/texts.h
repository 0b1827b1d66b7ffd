#pragma once
// The texts of several configuration files, for readers that are pure and want bytes.

#include "common/settings/file.h"

enum { TEXT_NAME_SIZE = 128, TEXTS_MAX = 1024 };

/// One file: its name relative to the folder, "standards/timing.yaml".
struct text {
    char name[TEXT_NAME_SIZE];
    struct buffer bytes;
};
struct texts {
    size_t count;
    struct text *items;
};

/// The named files (NULL-terminated; one that is absent is left out) and all *.yaml of the named
/// subfolders, in that order, subfolders sorted by file name. false: reported; release it anyway.
bool texts_open(const char *folder, const char *const *files, const char *const *subfolders,
                struct texts *out, struct problems *problems);
void texts_free(struct texts *texts);
