#pragma once
// What tresenctl doctor finds.

#include "ops/ctl/ctl.h"

/// How safe the workers say that a batch is when its gateway is told.
struct promised {
    bool fsync, replicated;
};

/// One more line of it; problem NULL: all is well there. way_out: what to do about the problem.
void doctor_note(json_t *checks, const char *check, const char *value, const char *problem,
                 const char *way_out);
/// How Redis is set, and how it is.
void doctor_redis(const struct ctl *ctl, json_t *checks, const struct promised *promised);
