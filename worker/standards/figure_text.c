#include "worker/standards/figure_text.h"

#include <math.h>
#include <stdio.h>

enum { DIGITS = 12, NUMBER_SIZE = 32, MINUTE_S = 60 };

/// A unit of measures.yaml as a word, for one and for more. What is not here is written as it is.
static const struct unit_word {
    const char *unit, *de, *de_more, *en, *en_more;
} unit_words[] = {
    {"s", "Sekunde", "Sekunden", "second", "seconds"},
    {"min", "Minute", "Minuten", "minute", "minutes"},
    {"m", "Meter", "Meter", "metre", "metres"},
    {"%", "Prozent", "Prozent", "percent", "percent"},
    {"1/min", "je Minute", "je Minute", "a minute", "a minute"},
    {"deg", "Grad", "Grad", "degree", "degrees"},
    {"points", "Punkt", "Punkte", "point", "points"},
    {"persons", "Person", "Personen", "person", "persons"},
};

static const char *word_of(const char *unit, bool german, bool one) {
    for (size_t i = 0; i < sizeof unit_words / sizeof unit_words[0]; i++) {
        const struct unit_word *word = &unit_words[i];
        if (strcmp(word->unit, unit) != 0) continue;
        if (german) return one ? word->de : word->de_more;
        return one ? word->en : word->en_more;
    }
    return unit;
}

static bool is_german(const char *language) {
    return strcmp(language, "de") == 0;
}

void figure_text_number(struct buffer *out, double value, const char *language) {
    char text[NUMBER_SIZE];
    snprintf(text, sizeof text, "%.*g", DIGITS, value);
    char *point = strchr(text, '.');
    if (point && is_german(language)) *point = ',';
    figure_text_words(out, text);
}

void figure_text_put(struct buffer *out, double value, const char *unit, const char *language) {
    if (strcmp(unit, "s") == 0 && value >= MINUTE_S && fmod(value, MINUTE_S) == 0) {
        value /= MINUTE_S;
        unit = "min";
    }
    figure_text_number(out, value, language);
    if (strcmp(unit, "1") == 0) return;
    figure_text_words(out, " ");
    figure_text_words(out, word_of(unit, is_german(language), value == 1));
}
