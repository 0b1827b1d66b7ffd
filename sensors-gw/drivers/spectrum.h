#pragma once
// The power spectrum of a stretch of sound. Pure; allocates at new only.

#include <stddef.h>

struct spectrum;

/// Of `length` values, 2..65536, taken through a Hann window. NULL: out of memory.
struct spectrum *spectrum_new(size_t length);
void spectrum_free(struct spectrum *spectrum); // accepts NULL
/// How many bins there are: bin i lies at i / (2 * (bins - 1)) of the sampling rate.
size_t spectrum_bins(const struct spectrum *spectrum);
/// The bins of these values, valid until the next call. Their sum is the mean square of the values
/// (of a full-scale sine 0.5).
const double *spectrum_power(struct spectrum *spectrum, const float *values);
