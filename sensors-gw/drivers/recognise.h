#pragma once
// Which driver reads a file or stream that begins so? By what its form cannot hide: a magic number,
// JSON, the names of a table's columns. Pure.

#include "common/base/bytes.h"

struct recognised {
    const char *driver; // as in `driver:`; NULL: not recognised
    const char *form;   // a few words for people
    bool table;         // a header, then a row a line
};

/// start: the first bytes (unpacked, if it was gzip); a few KiB are enough.
struct recognised recognise(struct bytes start);
