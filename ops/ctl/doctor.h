#pragma once
// What tresenctl doctor finds.

#include "ops/ctl/ctl.h"

/// What the workers say: how safe a batch is when its gateway is told, and which function library
/// the newest of them brings.
struct promised {
    bool fsync, replicated;
    int64_t library; // its revision; 0: none says
};

/// One more line of it; problem NULL: all is well there. way_out: what to do about the problem.
void doctor_note(json_t *checks, const char *check, const char *value, const char *problem,
                 const char *way_out);
/// How Redis is set, and how it is.
void doctor_redis(const struct ctl *ctl, json_t *checks, const struct promised *promised);
