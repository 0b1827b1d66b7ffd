#pragma once
// The offsets of an IANA time zone from 1970 to 2100, as libc knows them.

#include "common/base/err.h"
#include "common/domain/time.h"

enum { ZONE_NAME_SIZE = 65 };

/// Fills *zone (released by zone_free) for a name such as "Europe/Berlin". Sets TZ for the time of
/// the call, so it may run only while the process has one thread.
/// ERR_FORMAT: not a zone's name; ERR_MISSING: no such zone on this machine
MUST_CHECK enum err zone_load(const char *name, struct zone *zone, struct problem *problem);
void zone_free(struct zone *zone);
