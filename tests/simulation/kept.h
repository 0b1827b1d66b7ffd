#pragma once
// Seeds that once found something (tests/simulation/kept_seeds): what they found must stay away.

#include <stdbool.h>
#include <stdint.h>

struct kept {
    uint64_t seed;
    uint64_t plan; // finding.plan when it was kept: another one now, and it is just one more seed
    const char *what;
};

/// run: false if it failed. false: some did, or the file is not one (told).
bool kept_each(const char *path, bool (*run)(void *context, const struct kept *kept),
               void *context);
