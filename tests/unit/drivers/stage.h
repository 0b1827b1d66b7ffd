#pragma once
// What the tests of drivers share: measures, a zone, files, and one call that plays an entry.

#include "common/settings/document.h"
#include "tests/unit/drivers/play.h"

#include <stdio.h>

extern const struct measures stage_measures; // a few of config/measures.yaml
extern const struct zone stage_zone;         // Central Europe in 2026

/// The path of a new file in memory with this text; gzip: compressed. It ends with the program.
const char *stage_file(const char *text, bool gzip);

/// Play the entry written as YAML (a printf format); NULL options: budget 64, no restart.
struct played stage_play(const struct play *options, const char *format, ...) PRINTF_LIKE(2, 3);

/// The entry (a printf format: the path, then more) is refused over a file with this text, and so.
void stage_refused(const char *entry, const char *text, const char *more, const char *told);
