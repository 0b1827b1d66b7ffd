#pragma once
// The files of a configuration folder, parsed, each where it belongs.

#include "worker/standards/reading.h"

enum { SOURCES_MAX = 256 };

/// One that has to be there.
struct source {
    bool given;
    struct document *document; // NULL: not given, or damaged, which is told
};

struct sources {
    struct source values, norms, offerings, scoring;
    size_t standard_count, overlay_count;
    struct document *standards[SOURCES_MAX], *overlays[SOURCES_MAX]; // NULL: damaged
};

/// Parses all files. What is damaged is a mistake in its list.
void sources_parse(struct reading *reading, const struct standards_file *files, size_t count,
                   struct sources *out);
void sources_free(struct sources *sources);

/// The root of a document that has to be there. NULL: told.
const struct node *source_root(struct reading *reading, const struct source *source,
                               const char *name);
