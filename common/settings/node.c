// Typed access to the nodes of a document. Every sentence says what is wrong and the way out.

#include "common/settings/document.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *node_where(const struct node *node, char text[NODE_WHERE_SIZE]) {
    if (node->line)
        snprintf(text, NODE_WHERE_SIZE, "%.220s:%u:%u", node->file, node->line, node->column);
    else
        snprintf(text, NODE_WHERE_SIZE, "%.250s", node->file);
    return text;
}

const char *node_path(const struct node *node, char text[NODE_PATH_SIZE]) {
    const struct node *chain[2 * DOCUMENT_DEPTH_MAX + 1];
    size_t length = 0, used = 0;
    for (; node->parent && length < sizeof chain / sizeof *chain; node = node->parent)
        chain[length++] = node;
    if (!length) {
        snprintf(text, NODE_PATH_SIZE, "the document");
        return text;
    }
    text[0] = '\0';
    while (length-- && used < NODE_PATH_SIZE - 1) {
        const struct node *part = chain[length];
        int wrote = part->key ? snprintf(text + used, NODE_PATH_SIZE - used, "%s%.40s",
                                         used ? "." : "", part->key)
                              : snprintf(text + used, NODE_PATH_SIZE - used, "[%u]", part->index);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return text;
}

void node_problem(const struct node *node, struct problems *problems, enum err err,
                  const char *format, ...) {
    if (!node) return;
    char where[NODE_WHERE_SIZE];
    char sentence[sizeof problems->items[0].text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    problems_add(problems, err, node_where(node, where), "%s", sentence);
}

// --- words for the sentences

enum { EXCERPT_SIZE = 48, NAMES_SIZE = 240 };

/// The beginning of a text, cut between characters.
static const char *excerpt(const char *text, char out[EXCERPT_SIZE]) {
    size_t size = strnlen(text, EXCERPT_SIZE - 4);
    bool cut = text[size] != '\0';
    while (cut && size && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    snprintf(out, EXCERPT_SIZE, "%.*s%s", (int)size, text, cut ? "..." : "");
    return out;
}

/// "a, b, c", as far as it fits.
static const char *listed(const char *const *names, char out[NAMES_SIZE]) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; names[i]; i++) {
        if (used + strlen(names[i]) + sizeof ", ..." > NAMES_SIZE) {
            memcpy(out + used, ", ...", sizeof ", ...");
            break;
        }
        used += (size_t)snprintf(out + used, NAMES_SIZE - used, "%s%s", i ? ", " : "", names[i]);
    }
    return out;
}

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

enum { NEAREST_SIZE_MAX = 64 };

/// How many letters must be changed, added, left out or swapped with their neighbour
/// (Damerau-Levenshtein, restricted). Both at most NEAREST_SIZE_MAX long.
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size) {
    size_t rows[3][NEAREST_SIZE_MAX + 1]; // row i stands in rows[i % 3]
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least_of(changed, least_of(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

const char *nearest_name(const char *text, const char *const *names) {
    size_t size = strlen(text), best = SIZE_MAX;
    const char *nearest = NULL;
    if (size > NEAREST_SIZE_MAX) return NULL;
    for (; *names; names++) {
        size_t other = strlen(*names);
        if (other > NEAREST_SIZE_MAX) continue;
        size_t changes = distance(text, size, *names, other);
        size_t longer = size > other ? size : other;
        if (size >= 3 && strncmp(text, *names, size) == 0) changes = 1; // its beginning
        if (changes * 5 <= longer * 2 && changes < best) // two letters in five may differ
            best = changes, nearest = *names;
    }
    return nearest;
}

// --- maps and lists

static const char *const kind_names[] = {"a single value", "a list", "a map"};

/// Report that the node is not what was expected. Always false.
static bool wrong_kind(const struct node *node, const char *expected, const char *way_out,
                       struct problems *problems) {
    char path[NODE_PATH_SIZE];
    bool empty = node->kind == NODE_SCALAR && !node->quoted && node->size == 0;
    node_problem(node, problems, ERR_FORMAT, "%s must be %s, but is %s; %s", node_path(node, path),
                 expected, empty ? "empty" : kind_names[node->kind], way_out);
    return false;
}

bool node_any_map(const struct node *node, struct problems *problems) {
    if (!node) return false;
    return node->kind == NODE_MAP ||
           wrong_kind(node, "a map", "write 'key: value' lines below it", problems);
}

#define DID_YOU_MEAN "'%s' is not known here; did you mean '%s'?"

bool node_map(const struct node *node, const char *const *keys, struct problems *problems) {
    if (!node_any_map(node, problems)) return false;
    bool known = true;
    for (const struct node *child = node->first; child; child = child->next) {
        const char *const *key = keys;
        while (*key && strcmp(*key, child->key) != 0)
            key++;
        if (*key) continue;
        known = false;
        char shown[EXCERPT_SIZE], names[NAMES_SIZE];
        const char *nearest = nearest_name(child->key, keys);
        excerpt(child->key, shown);
        if (nearest)
            node_problem(child, problems, ERR_MISSING, DID_YOU_MEAN, shown, nearest);
        else
            node_problem(child, problems, ERR_MISSING, "'%s' is not known here; known are: %s",
                         shown, listed(keys, names));
    }
    return known;
}

const struct node *node_find(const struct node *map, const char *key) {
    if (!map || map->kind != NODE_MAP) return NULL;
    const struct node *child = map->first;
    while (child && strcmp(child->key, key) != 0)
        child = child->next;
    return child;
}

/// Whether node_map has told of a key that is probably meant for this one: telling that it is
/// missing would help nobody.
static bool misspelt(const struct node *map, const char *key, const struct problems *problems) {
    char where[NODE_WHERE_SIZE], shown[EXCERPT_SIZE], told[sizeof problems->items[0].text];
    for (const struct node *child = map->first; child; child = child->next) {
        snprintf(told, sizeof told, "%s: " DID_YOU_MEAN, node_where(child, where),
                 excerpt(child->key, shown), key);
        if (problems_told(problems, told)) return true;
    }
    return false;
}

const struct node *node_need(const struct node *map, const char *key, struct problems *problems) {
    if (!node_any_map(map, problems)) return NULL;
    const struct node *child = node_find(map, key);
    char path[NODE_PATH_SIZE];
    if (!child && misspelt(map, key, problems)) return NULL;
    if (!child && map->parent)
        node_problem(map, problems, ERR_MISSING, "'%s' is missing in %s; add it", key,
                     node_path(map, path));
    else if (!child)
        node_problem(map, problems, ERR_MISSING, "'%s' is missing; add it", key);
    return child;
}

bool node_list(const struct node *node, size_t least, size_t most, struct problems *problems) {
    if (!node) return false;
    if (node->kind != NODE_LIST)
        return wrong_kind(node, "a list", "write it as [a, b] or begin each entry with '- '",
                          problems);
    if (node->count >= least && node->count <= most) return true;
    char path[NODE_PATH_SIZE];
    node_problem(node, problems, ERR_RANGE, "%s has %zu entries; it takes %zu to %zu",
                 node_path(node, path), node->count, least, most);
    return false;
}

// --- single values

static bool is_scalar(const struct node *node, const char *expected, const char *way_out,
                      struct problems *problems) {
    if (!node) return false;
    return node->kind == NODE_SCALAR || wrong_kind(node, expected, way_out, problems);
}

/// The scalar is not of the expected form. Always false.
static bool wrong_form(const struct node *node, const char *expected, const char *way_out,
                       struct problems *problems) {
    char path[NODE_PATH_SIZE], shown[EXCERPT_SIZE];
    node_path(node, path);
    if (node->size == 0)
        node_problem(node, problems, ERR_FORMAT, "%s must be %s, but is empty; %s", path, expected,
                     way_out);
    else
        node_problem(node, problems, ERR_FORMAT, "%s: '%s' is not %s; %s", path,
                     excerpt(node->text, shown), expected, way_out);
    return false;
}

/// Numbers and truth values stand without quotes.
static bool is_plain(const struct node *node, const char *expected, struct problems *problems) {
    if (!is_scalar(node, expected, "write one", problems)) return false;
    return !node->quoted ||
           wrong_form(node, expected, "it is in quotes, so it is a text: remove them", problems);
}

static bool out_of_range(const struct node *node, const char *range, struct problems *problems) {
    char path[NODE_PATH_SIZE], shown[EXCERPT_SIZE];
    node_problem(node, problems, ERR_RANGE, "%s: %s is out of range; choose %s",
                 node_path(node, path), excerpt(node->text, shown), range);
    return false;
}

bool node_text(const struct node *node, size_t least, size_t most, const char **out,
               struct problems *problems) {
    if (!is_scalar(node, "a text", "write one, in quotes if it begins with [ or {", problems))
        return false;
    char path[NODE_PATH_SIZE];
    if (node->size < least || node->size > most) {
        if (node->size == 0)
            node_problem(node, problems, ERR_FORMAT, "%s is empty; write a text",
                         node_path(node, path));
        else
            node_problem(node, problems, ERR_RANGE, "%s is %zu bytes long; %zu to %zu are allowed",
                         node_path(node, path), node->size, least, most);
        return false;
    }
    *out = node->text;
    return true;
}

static const char *skip_digits(const char *at) {
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/// -?(0|[1-9][0-9]*)
static bool integer_form(const char *text) {
    const char *digits = text + (*text == '-'), *end = skip_digits(digits);
    return end > digits && !*end && (*digits != '0' || end == digits + 1);
}

/// -?[0-9]+(.[0-9]+)?([eE][+-]?[0-9]+)?
static bool number_form(const char *text) {
    const char *at = text + (*text == '-'), *end = skip_digits(at);
    if (end == at) return false;
    if (*end == '.') {
        at = end + 1;
        end = skip_digits(at);
        if (end == at) return false;
    }
    if (*end == 'e' || *end == 'E') {
        at = end + 1;
        at += *at == '+' || *at == '-';
        end = skip_digits(at);
        if (end == at) return false;
    }
    return !*end;
}

static const char whole[] = "a whole number";
static const char whole_way_out[] = "write digits only, such as 5";

enum { RANGE_SIZE = 96 };

bool node_integer(const struct node *node, int64_t least, int64_t most, const char *unit,
                  int64_t *out, struct problems *problems) {
    if (!is_plain(node, whole, problems)) return false;
    if (!integer_form(node->text)) return wrong_form(node, whole, whole_way_out, problems);
    errno = 0;
    long long value = strtoll(node->text, NULL, 10);
    char range[RANGE_SIZE];
    snprintf(range, sizeof range, "%lld..%lld%s%.32s", (long long)least, (long long)most,
             *unit ? " " : "", unit);
    if (errno || value < least || value > most) return out_of_range(node, range, problems);
    *out = value;
    return true;
}

bool node_unsigned(const struct node *node, uint64_t least, uint64_t most, const char *unit,
                   uint64_t *out, struct problems *problems) {
    if (!is_plain(node, whole, problems)) return false;
    if (!integer_form(node->text)) return wrong_form(node, whole, whole_way_out, problems);
    errno = 0;
    unsigned long long value = strtoull(node->text, NULL, 10);
    char range[RANGE_SIZE];
    snprintf(range, sizeof range, "%llu..%llu%s%.32s", (unsigned long long)least,
             (unsigned long long)most, *unit ? " " : "", unit);
    if (errno || *node->text == '-' || value < least || value > most)
        return out_of_range(node, range, problems);
    *out = value;
    return true;
}

bool node_number(const struct node *node, double least, double most, const char *unit, double *out,
                 struct problems *problems) {
    static const char number[] = "a number";
    if (!is_plain(node, number, problems)) return false;
    if (!number_form(node->text))
        return wrong_form(node, number, "write it like 3 or -0.25, without a unit", problems);
    double value = strtod(node->text, NULL);
    char range[RANGE_SIZE];
    snprintf(range, sizeof range, "%.15g..%.15g%s%.32s", least, most, *unit ? " " : "", unit);
    if (!isfinite(value) || value < least || value > most)
        return out_of_range(node, range, problems);
    *out = value;
    return true;
}

bool node_bool(const struct node *node, bool *out, struct problems *problems) {
    static const char truth[] = "true or false";
    if (!is_plain(node, truth, problems)) return false;
    bool is_true = strcmp(node->text, "true") == 0;
    if (!is_true && strcmp(node->text, "false") != 0)
        return wrong_form(node, truth, "write one of the two", problems);
    *out = is_true;
    return true;
}

bool node_choice(const struct node *node, const char *const *names, int *out,
                 struct problems *problems) {
    char known[NAMES_SIZE], path[NODE_PATH_SIZE], shown[EXCERPT_SIZE];
    if (!is_scalar(node, "one name", "write one of those allowed", problems)) return false;
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], node->text) == 0) {
            *out = i;
            return true;
        }
    const char *nearest = nearest_name(node->text, names);
    node_problem(node, problems, ERR_FORMAT, "%s: '%s' is none of: %s%s%s%s", node_path(node, path),
                 excerpt(node->text, shown), listed(names, known),
                 nearest ? "; did you mean '" : "", nearest ? nearest : "",
                 nearest ? "'?" : "; choose one");
    return false;
}

bool node_id(const struct node *node, struct id *out, struct problems *problems) {
    if (!is_scalar(node, "an id", "write one", problems)) return false;
    return id_set(out, node->text, node->size) ||
           wrong_form(node, "an id", "use 1 to 32 of a-z, 0-9 and -", problems);
}

bool node_measure_id(const struct node *node, struct id *out, struct problems *problems) {
    if (!is_scalar(node, "a measure's id", "write one", problems)) return false;
    if (!measure_id_valid(node->text, node->size))
        return wrong_form(node, "a measure's id", "use 1 to 32 of a-z, 0-9, _ and .", problems);
    *out = (struct id){0};
    memcpy(out->text, node->text, node->size);
    return true;
}

bool node_name(const struct node *node, struct name *out, struct problems *problems) {
    if (!is_scalar(node, "a name", "write one", problems)) return false;
    return name_set(out, node->text, node->size) ||
           wrong_form(node, "a name", "use 1 to 64 of A-Z, a-z, 0-9, _, ., : and -", problems);
}

bool node_language_texts(const struct node *node, size_t most, const char **de, const char **en,
                         struct problems *problems) {
    static const char *const languages[] = {"de", "en", NULL};
    const char *german = NULL, *english = NULL;
    bool known = node_map(node, languages, problems);
    if (!node || node->kind != NODE_MAP) return false;
    bool has_german = node_text(node_need(node, "de", problems), 1, most, &german, problems);
    bool has_english = node_text(node_need(node, "en", problems), 1, most, &english, problems);
    if (!known || !has_german || !has_english) return false;
    *de = german;
    *en = english;
    return true;
}
