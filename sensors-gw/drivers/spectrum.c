#include "sensors-gw/drivers/spectrum.h"

#include <assert.h>
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct spectrum {
    size_t length, size; // size: the power of two from length on
    double scale;
    double *window;        // length
    double complex *turns; // size / 2: exp(-2 pi i k / size)
    double complex *work;  // size
    double *power;         // size / 2 + 1
};

struct spectrum *spectrum_new(size_t length) {
    assert(length >= 2 && length <= 65536);
    struct spectrum *spectrum = calloc(1, sizeof *spectrum);
    if (!spectrum) return NULL;
    spectrum->length = length;
    for (spectrum->size = 2; spectrum->size < length;)
        spectrum->size *= 2;
    size_t size = spectrum->size;
    spectrum->window = calloc(length, sizeof *spectrum->window);
    spectrum->turns = calloc(size / 2, sizeof *spectrum->turns);
    spectrum->work = calloc(size, sizeof *spectrum->work);
    spectrum->power = calloc(size / 2 + 1, sizeof *spectrum->power);
    if (!spectrum->window || !spectrum->turns || !spectrum->work || !spectrum->power) {
        spectrum_free(spectrum);
        return NULL;
    }
    double squares = 0;
    for (size_t i = 0; i < length; i++) {
        double value = 0.5 - 0.5 * cos(2 * M_PI * ((double)i + 0.5) / (double)length);
        spectrum->window[i] = value;
        squares += value * value;
    }
    spectrum->scale = 2 / (squares * (double)size);
    for (size_t i = 0; i < size / 2; i++)
        spectrum->turns[i] = cexp(-2 * M_PI * I * (double)i / (double)size);
    return spectrum;
}

void spectrum_free(struct spectrum *spectrum) {
    if (!spectrum) return;
    free(spectrum->window);
    free(spectrum->turns);
    free(spectrum->work);
    free(spectrum->power);
    free(spectrum);
}

size_t spectrum_bins(const struct spectrum *spectrum) {
    return spectrum->size / 2 + 1;
}

// Cooley and Tukey, in place, radix 2.
static void transform(struct spectrum *spectrum) {
    double complex *work = spectrum->work;
    size_t size = spectrum->size;
    for (size_t i = 1, j = 0; i < size; i++) {
        size_t bit = size / 2;
        for (; j & bit; bit /= 2)
            j ^= bit;
        j ^= bit;
        if (i >= j) continue;
        double complex swapped = work[i];
        work[i] = work[j];
        work[j] = swapped;
    }
    for (size_t half = 1; half < size; half *= 2)
        for (size_t at = 0; at < size; at += 2 * half)
            for (size_t i = 0; i < half; i++) {
                double complex left = work[at + i];
                double complex right = work[at + i + half] * spectrum->turns[i * (size / 2 / half)];
                work[at + i] = left + right;
                work[at + i + half] = left - right;
            }
}

const double *spectrum_power(struct spectrum *spectrum, const float *values) {
    for (size_t i = 0; i < spectrum->length; i++)
        spectrum->work[i] = values[i] * spectrum->window[i];
    memset(spectrum->work + spectrum->length, 0,
           (spectrum->size - spectrum->length) * sizeof *spectrum->work);
    transform(spectrum);
    for (size_t i = 0; i < spectrum_bins(spectrum); i++) {
        double real = creal(spectrum->work[i]), imaginary = cimag(spectrum->work[i]);
        spectrum->power[i] = (real * real + imaginary * imaginary) * spectrum->scale;
    }
    return spectrum->power;
}
