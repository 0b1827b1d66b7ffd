#pragma once
// How far a share that was counted may be from the share that is.

#include "common/base/err.h"

#include <stdint.h>

/// Wilson score interval of a share at 95 % confidence, without continuity correction.
///
/// met, all      counts; met <= all
/// *low, *high   0..1; written only on success
///
/// ERR_RANGE     all is 0, or met > all
/// Source        Wilson (1927), J. Amer. Statist. Assoc. 22
MUST_CHECK enum err wilson_interval(uint64_t met, uint64_t all, double *low, double *high);
