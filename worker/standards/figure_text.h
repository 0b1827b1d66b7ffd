#pragma once
// Figures as people write them, in German ("de") or English ("en").

#include "common/base/bytes.h"

/// "0,45" or "0.45".
void figure_text_number(struct buffer *out, double value, const char *language);
/// With the unit as a word: "0,45 Meter", "2 minutes" of 120 s; a bare number of the unit "1".
void figure_text_put(struct buffer *out, double value, const char *unit, const char *language);

static inline void figure_text_words(struct buffer *out, const char *words) {
    buffer_put(out, words, strlen(words));
}
