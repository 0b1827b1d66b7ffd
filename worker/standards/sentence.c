#include "worker/standards/sentence.h"

#include "worker/standards/figure_text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CM_OF_M = 100, PERCENT_OF_ONE = 100, MINUTE_S = 60, FIGURES = 4 };

/// Which figure stands there, and how it is written.
enum figure_of { BOUND_LEAST, BOUND_MOST, BAND_LEAST, BAND_MOST };
enum form { WITH_UNIT, NUMBER, PERCENT, TIMES };
struct slot {
    enum figure_of figure;
    enum form form;
};
static const char *const figure_names[FIGURES] = {"least", "most", "band.least", "band.most"};
static const char *const form_names[] = {"", ".number", ".percent", ".times"};

static bool slot_parse(const char *text, size_t size, struct slot *slot) {
    for (size_t figure = 0; figure < FIGURES; figure++)
        for (size_t form = 0; form < sizeof form_names / sizeof form_names[0]; form++) {
            size_t length = strlen(figure_names[figure]);
            if (size != length + strlen(form_names[form]) ||
                memcmp(text, figure_names[figure], length) != 0 ||
                memcmp(text + length, form_names[form], size - length) != 0)
                continue;
            slot->figure = (enum figure_of)figure;
            slot->form = (enum form)form;
            return true;
        }
    return false;
}

static bool is_band(const struct slot *slot) {
    return slot->figure == BAND_LEAST || slot->figure == BAND_MOST;
}

static const char *unit_of(const struct standard *standard, const struct slot *slot) {
    return is_band(slot) ? standard->measure.unit : standard->unit;
}

/// false: the standard has no such figure.
static bool value_of(const struct standard *standard, const struct slot *slot, double *value) {
    const struct bounds *bounds = is_band(slot) ? &standard->band : &standard->bound;
    bool least = slot->figure == BOUND_LEAST || slot->figure == BAND_LEAST;
    int64_t steps = least ? bounds->least : bounds->most;
    double step = is_band(slot) ? standard->measure.resolution : standard->step;
    *value = (double)steps * step;
    return standard->checks.count == 0 && steps != (least ? BOUND_OPEN_LEAST : BOUND_OPEN_MOST);
}

static void put_times(struct buffer *out, double value, const char *language) {
    static const char *const german[] = {NULL, "einmal", "zweimal", "dreimal"};
    static const char *const english[] = {NULL, "once", "twice", "three times"};
    bool de = strcmp(language, "de") == 0;
    if (value == 1 || value == 2 || value == 3) {
        figure_text_words(out, (de ? german : english)[(int)value]);
        return;
    }
    figure_text_number(out, value, language);
    figure_text_words(out, de ? "-mal" : " times");
}

static void put_slot(struct buffer *out, const struct slot *slot, const struct standard *standard,
                     const char *language) {
    double value;
    if (!value_of(standard, slot, &value)) return;
    switch (slot->form) {
    case WITH_UNIT:
        figure_text_put(out, value, unit_of(standard, slot), language);
        break;
    case NUMBER:
        figure_text_number(out, value, language);
        break;
    case PERCENT:
        figure_text_put(out, value * PERCENT_OF_ONE, "%", language);
        break;
    case TIMES:
        put_times(out, value, language);
        break;
    }
}

void sentence_put(struct buffer *out, const char *sentence, const struct standard *standard,
                  const char *language) {
    struct slot slot;
    for (const char *at = sentence, *open; at; at = open) {
        open = strchr(at, '{');
        buffer_put(out, at, open ? (size_t)(open - at) : strlen(at));
        const char *close = open ? strchr(open, '}') : NULL;
        if (!close) return; // sentence_check let no open brace pass
        if (slot_parse(open + 1, (size_t)(close - open - 1), &slot))
            put_slot(out, &slot, standard, language);
        open = close + 1;
    }
}

// ---- what is wrong with a sentence

static bool fits(struct reading *reading, const struct node *node, const struct slot *slot,
                 const struct standard *standard) {
    const char *name = figure_names[slot->figure];
    double value;
    if (standard->checks.count > 0) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "{%s}: a standard of several checks has no figure of its own; write it out",
                     name);
        return false;
    }
    if (!value_of(standard, slot, &value)) {
        node_problem(node, reading->problems, ERR_MISSING,
                     "{%s}: %s has no such figure; take it out of the sentence", name,
                     is_band(slot) ? "the band" : "the bound");
        return false;
    }
    if ((slot->form == PERCENT || slot->form == TIMES) &&
        strcmp(unit_of(standard, slot), "1") != 0) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "{%s%s} is for figures of the unit 1, and this one is in %s; write {%s}", name,
                     form_names[slot->form], unit_of(standard, slot), name);
        return false;
    }
    return true;
}

/// Each figure of the sentence; *said has a bit for each.
static bool slots_check(struct reading *reading, const struct node *node,
                        const struct standard *standard, unsigned *said) {
    bool good = true;
    const char *close;
    for (const char *open = node->text; (open = strchr(open, '{')); open = close) {
        struct slot slot;
        close = strchr(open, '}');
        if (!close) {
            node_problem(node, reading->problems, ERR_FORMAT,
                         "a figure such as {most} is not closed; add }");
            return false;
        }
        int size = (int)(close - open - 1);
        if (!slot_parse(open + 1, (size_t)size, &slot)) {
            node_problem(node, reading->problems, ERR_FORMAT,
                         "{%.*s} is no figure; write {least}, {most}, {band.least} or "
                         "{band.most}, or one of them with .number, .percent or .times",
                         size, open + 1);
            good = false;
            continue;
        }
        *said |= 1u << slot.figure;
        good &= fits(reading, node, &slot, standard);
    }
    return good;
}

/// A number that is written as a word; 0: it is none. One stands for more than numbers.
static double number_of_word(const char *word, size_t size) {
    static const struct {
        const char *word;
        double value;
    } words[] = {
        {"zwei", 2},     {"two", 2},     {"drei", 3},     {"three", 3},   {"vier", 4},
        {"four", 4},     {"fünf", 5},    {"five", 5},     {"sechs", 6},   {"six", 6},
        {"sieben", 7},   {"seven", 7},   {"acht", 8},     {"eight", 8},   {"neun", 9},
        {"nine", 9},     {"zehn", 10},   {"ten", 10},     {"zwölf", 12},  {"twelve", 12},
        {"zwanzig", 20}, {"twenty", 20}, {"dreißig", 30}, {"thirty", 30}, {"zweimal", 2},
        {"twice", 2},    {"einmal", 1},  {"once", 1},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == size && strncasecmp(words[i].word, word, size) == 0)
            return words[i].value;
    return 0;
}

static bool is_letter(char c) {
    return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

/// The next number of a sentence outside of braces, in digits or as a word; false: no more.
static bool next_number(const char **at, double *value) {
    for (const char *text = *at; *text;) {
        const char *end = text;
        if (*text == '{') {
            end = strchr(text, '}'); // it is there
            text = end + 1;
            continue;
        }
        if (isdigit((unsigned char)*text)) {
            *value = 0;
            double place = 0; // of the next digit behind the comma
            for (; isdigit((unsigned char)*end) ||
                   ((*end == ',' || *end == '.') && place == 0 && isdigit((unsigned char)end[1]));
                 end++) {
                if (!isdigit((unsigned char)*end)) {
                    place = 1;
                } else if (place == 0) {
                    *value = *value * 10 + (*end - '0');
                } else {
                    place /= 10;
                    *value += place * (*end - '0');
                }
            }
            *at = end;
            return true;
        }
        while (is_letter(*end))
            end++;
        *value = number_of_word(text, (size_t)(end - text));
        text = end == text ? text + 1 : end;
        if (*value == 0) continue;
        *at = text;
        return true;
    }
    return false;
}

static bool near(double a, double b) {
    return fabs(a - b) < 1e-9;
}

/// Whether the sentence says a figure in numbers, perhaps in centimetres, percent or minutes.
static bool written_out(const char *sentence, double figure, const char *unit) {
    double other = figure, number;
    if (strcmp(unit, "m") == 0) other = figure * CM_OF_M;
    if (strcmp(unit, "1") == 0) other = figure * PERCENT_OF_ONE;
    if (strcmp(unit, "s") == 0) other = figure / MINUTE_S;
    for (const char *at = sentence; next_number(&at, &number);)
        if (near(number, figure) || near(number, other)) return true;
    return false;
}

static void warn_of_written(struct reading *reading, const struct node *node,
                            const struct standard *standard, unsigned said) {
    for (int figure = BOUND_LEAST; figure <= BOUND_MOST; figure++) {
        struct slot slot = {.figure = (enum figure_of)figure};
        double value;
        if ((said >> figure & 1) || !value_of(standard, &slot, &value) ||
            !written_out(node->text, value, standard->unit))
            continue;
        node_problem(node, &reading->model->warnings, ERR_CONFLICT,
                     "bound.%s is written out; write {%s}, so that a layer which moves it moves "
                     "the sentence",
                     figure_names[figure], figure_names[figure]);
    }
}

bool sentence_check(struct reading *reading, const struct node *text, const struct rule *rule) {
    const struct node *de = node_find(text, "de"), *en = node_find(text, "en");
    unsigned german = 0, english = 0;
    if (!de || !en || !de->text || !en->text) return false; // told by who read them
    bool good = slots_check(reading, de, &rule->standard, &german);
    good &= slots_check(reading, en, &rule->standard, &english);
    if (!good) return false;
    for (size_t i = 0; i < FIGURES; i++)
        if ((german ^ english) >> i & 1) {
            node_problem(german >> i & 1 ? en : de, reading->problems, ERR_MISSING,
                         "{%s} is missing here and stands in the other language; say it in both",
                         figure_names[i]);
            return false;
        }
    warn_of_written(reading, de, &rule->standard, german);
    warn_of_written(reading, en, &rule->standard, english);
    return true;
}

static bool says(const char *sentence, size_t figure) {
    for (const char *open = sentence, *close; (open = strchr(open, '{')); open = close) {
        struct slot slot;
        close = strchr(open, '}');
        if (!close) return false;
        if (slot_parse(open + 1, (size_t)(close - open - 1), &slot) && slot.figure == figure)
            return true;
    }
    return false;
}

void sentence_check_moved(struct reading *reading, const struct rule *rule,
                          const struct overlay *overlay) {
    const struct bounds *own = &rule->standard.bound, *moved = &overlay->bound;
    const bool moves[] = {moved->least != BOUND_OPEN_LEAST && moved->least != own->least,
                          moved->most != BOUND_OPEN_MOST && moved->most != own->most};
    const bool adds[] = {own->least == BOUND_OPEN_LEAST, own->most == BOUND_OPEN_MOST};
    for (size_t figure = BOUND_LEAST; figure <= BOUND_MOST; figure++)
        if (moves[figure] && adds[figure])
            problems_add(&reading->model->warnings, ERR_MISSING, overlay->place,
                         "sets bound.%s of %s, whose sentence cannot say it; give the standard "
                         "such a bound of its own, and its text {%s}",
                         figure_names[figure], rule->standard.id.text, figure_names[figure]);
        else if (moves[figure] && !says(rule->text.en, figure))
            problems_add(&reading->model->warnings, ERR_MISSING, overlay->place,
                         "moves bound.%s of %s, whose sentence does not say it; write {%s} into "
                         "the text of the standard",
                         figure_names[figure], rule->standard.id.text, figure_names[figure]);
}
