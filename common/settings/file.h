#pragma once
// Configuration files: bounded reading, and all documents of a folder in the order of their names.

#include "common/settings/document.h"

/// Read a whole regular file of at most `limit` bytes into buffer (cleared first, its limit is
/// set). false: reported in problems.
bool file_read(const char *path, size_t limit, struct buffer *buffer, struct problems *problems);

/// Read and parse one file. NULL: reported.
struct document *document_open(const char *path, struct problems *problems);

enum { FOLDER_FILES_MAX = 16384 };

/// The names of all *.yaml of a folder, sorted bytewise; those beginning with a dot are left out, a
/// *.yml is a mistake.
struct folder_names {
    size_t count;
    char **items;
};
/// false: reported. Release with folder_names_free in either case.
bool folder_names(const char *folder, struct folder_names *out, struct problems *problems);
void folder_names_free(struct folder_names *names);

/// The documents of those files, in that order.
struct documents {
    size_t count;
    struct document **items;
};

/// Reads as many files as can be read, reporting the others: false if any was reported, and what
/// could be read is in *out. Release it with documents_free in either case.
bool documents_open(const char *folder, struct documents *out, struct problems *problems);
void documents_free(struct documents *documents);

/// "FOLDER/NAME" into text. false: it does not fit; reported.
bool path_join(const char *folder, const char *name, char *text, size_t size,
               struct problems *problems);
