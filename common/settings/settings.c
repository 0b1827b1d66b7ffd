#include "common/settings/settings.h"

#include <assert.h>
#include <string.h>

enum { ROWS_MAX = 256 }; // of all tables over one map

static void *member(const struct settings_table *table, const struct setting *row) {
    return (char *)table->target + row->offset;
}

static size_t text_room(const struct setting *row) {
    return row->size - 1;
}

static void add_text(struct setting_texts *texts, const char *text) {
    assert(strlen(text) < SETTING_TEXT_SIZE);
    memcpy(texts->items[texts->count++], text, strlen(text) + 1);
}

/// Write the default. A required one leaves an empty member and is reported by the caller.
static void set_default(const struct setting *row, void *at) {
    memset(at, 0, row->size);
    switch (row->kind) {
    case SETTING_KIND_U64:
        *(uint64_t *)at = row->preset.u64.value;
        break;
    case SETTING_KIND_I64:
        *(int64_t *)at = row->preset.i64.value;
        break;
    case SETTING_KIND_DOUBLE:
        *(double *)at = row->preset.number.value;
        break;
    case SETTING_KIND_BOOL:
        *(bool *)at = row->preset.truth;
        break;
    case SETTING_KIND_CHOICE:
        *(int *)at = row->preset.choice.value;
        break;
    case SETTING_KIND_TEXT:
    case SETTING_KIND_PATH:
    case SETTING_KIND_ID: // struct id begins with its text
        if (row->preset.text) {
            assert(strlen(row->preset.text) <= text_room(row));
            memcpy(at, row->preset.text, strlen(row->preset.text));
        }
        break;
    case SETTING_KIND_ONE_OR_MORE:
        add_text(at, row->preset.text);
        break;
    case SETTING_KIND_TEXTS:
    case SETTING_KIND_TREE:
    case SETTINGS_STOP:
        break;
    }
}

static bool is_required(const struct setting *row) {
    switch (row->kind) {
    case SETTING_KIND_TEXT:
    case SETTING_KIND_PATH:
    case SETTING_KIND_ID:
        return !row->preset.text;
    case SETTING_KIND_TEXTS:
    case SETTING_KIND_TREE:
        return row->preset.required;
    default:
        return false;
    }
}

static void read_text(const struct setting *row, const struct node *node, char *at,
                      struct problems *problems) {
    // An empty text is allowed where the default is one.
    size_t least = row->preset.text && !*row->preset.text ? 0 : 1;
    const char *text = NULL;
    if (!node_text(node, least, text_room(row), &text, problems)) return;
    memset(at, 0, row->size);
    memcpy(at, text, strlen(text));
}

static void read_entries(const struct node *list, struct setting_texts *at,
                         struct problems *problems) {
    for (const struct node *entry = list->first; entry; entry = entry->next) {
        const char *text = NULL;
        if (node_text(entry, 1, SETTING_TEXT_SIZE - 1, &text, problems)) add_text(at, text);
    }
}

static void read_texts(const struct setting *row, const struct node *node, struct setting_texts *at,
                       struct problems *problems) {
    if (node_list(node, row->preset.required ? 1 : 0, SETTING_TEXTS_MAX, problems))
        read_entries(node, at, problems);
}

static void read_one_or_more(const struct node *node, struct setting_texts *at,
                             struct problems *problems) {
    const char *text = NULL;
    bool list = node->kind == NODE_LIST;
    if (list && !node_list(node, 1, SETTING_TEXTS_MAX, problems)) return;
    if (!list && !node_text(node, 1, SETTING_TEXT_SIZE - 1, &text, problems)) return;
    at->count = 0;
    if (text) add_text(at, text);
    if (list) read_entries(node, at, problems);
}

/// The unit for the sentences about a range, from the key itself: "silence_ms", "spool_bytes_max".
static const char *unit_of(const char *key) {
    static const char *const units[] = {"ms",       "s",       "days", "bytes",
                                        "permille", "percent", "m",    NULL};
    static const char bound[] = "_max";
    size_t size = strlen(key), least = sizeof bound - 1;
    if (size > least && strcmp(key + size - least, bound) == 0) size -= least;
    for (size_t i = 0; units[i]; i++) {
        size_t length = strlen(units[i]);
        if (size > length && key[size - length - 1] == '_' &&
            memcmp(key + size - length, units[i], length) == 0)
            return units[i];
    }
    return "";
}

/// Write what the node says; a wrong value is reported and leaves the default.
static void set_from_node(const struct setting *row, const struct node *node, void *at,
                          struct problems *problems) {
    const char *unit = unit_of(row->key);
    switch (row->kind) {
    case SETTING_KIND_U64:
        node_unsigned(node, row->preset.u64.least, row->preset.u64.most, unit, at, problems);
        break;
    case SETTING_KIND_I64:
        node_integer(node, row->preset.i64.least, row->preset.i64.most, unit, at, problems);
        break;
    case SETTING_KIND_DOUBLE:
        node_number(node, row->preset.number.least, row->preset.number.most, unit, at, problems);
        break;
    case SETTING_KIND_BOOL:
        node_bool(node, at, problems);
        break;
    case SETTING_KIND_CHOICE:
        node_choice(node, row->preset.choice.names, at, problems);
        break;
    case SETTING_KIND_TEXT:
    case SETTING_KIND_PATH:
        read_text(row, node, at, problems);
        break;
    case SETTING_KIND_ID:
        node_id(node, at, problems);
        break;
    case SETTING_KIND_TEXTS:
        read_texts(row, node, at, problems);
        break;
    case SETTING_KIND_ONE_OR_MORE:
        read_one_or_more(node, at, problems);
        break;
    case SETTING_KIND_TREE:
        *(const struct node **)at = node;
        break;
    case SETTINGS_STOP:
        break;
    }
}

static void read_table(const struct node *map, const struct settings_table *table,
                       struct problems *problems) {
    for (const struct setting *row = table->rows; row->kind != SETTINGS_STOP; row++) {
        set_default(row, member(table, row));
        const struct node *node = node_find(map, row->key);
        if (node)
            set_from_node(row, node, member(table, row), problems);
        else if (is_required(row) && map)
            node_need(map, row->key, problems);
        else if (is_required(row))
            problems_add(problems, ERR_MISSING, NULL, "'%s' is missing; add it", row->key);
    }
}

bool settings_read(const struct node *map, const struct settings_table *tables, size_t count,
                   struct problems *problems) {
    size_t before = problems->count, used = 0;
    const char *keys[ROWS_MAX + 1];
    for (size_t i = 0; i < count; i++)
        for (const struct setting *row = tables[i].rows; row->kind != SETTINGS_STOP; row++) {
            assert(used < ROWS_MAX);
            keys[used++] = row->key;
        }
    keys[used] = NULL;
    if (map && !node_map(map, keys, problems) && map->kind != NODE_MAP) {
        for (size_t i = 0; i < count; i++) // the one problem is enough: all members have defaults
            for (const struct setting *row = tables[i].rows; row->kind != SETTINGS_STOP; row++)
                set_default(row, member(&tables[i], row));
        return false;
    }
    for (size_t i = 0; i < count; i++)
        read_table(map, &tables[i], problems);
    return problems->count == before;
}

// --- the reference

enum { REFERENCE_WIDTH = 96 };

/// The text in lines, each begun by `start`.
static void print_wrapped(const char *text, const char *start, FILE *out) {
    size_t room = REFERENCE_WIDTH > strlen(start) ? REFERENCE_WIDTH - strlen(start) : 1;
    while (*text) {
        size_t size = strlen(text);
        if (size > room) {
            size = room;
            while (size && text[size] != ' ')
                size--;
            if (!size) size = strcspn(text, " ");
        }
        fprintf(out, "%s%.*s\n", start, (int)size, text);
        text += size;
        text += strspn(text, " ");
    }
}

static void print_quoted(const char *text, FILE *out) {
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/// The shortest decimal that reads back as the same number.
static void print_number(double value, FILE *out) {
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double back = 0;
        if (sscanf(text, "%lf", &back) == 1 && !(back < value) && !(back > value)) break;
    }
    fputs(text, out);
}

static void print_default(const struct setting *row, FILE *out) {
    switch (row->kind) {
    case SETTING_KIND_U64:
        fprintf(out, "%llu", (unsigned long long)row->preset.u64.value);
        break;
    case SETTING_KIND_I64:
        fprintf(out, "%lld", (long long)row->preset.i64.value);
        break;
    case SETTING_KIND_DOUBLE:
        print_number(row->preset.number.value, out);
        break;
    case SETTING_KIND_BOOL:
        fputs(row->preset.truth ? "true" : "false", out);
        break;
    case SETTING_KIND_CHOICE:
        fputs(row->preset.choice.names[row->preset.choice.value], out);
        break;
    case SETTING_KIND_TEXT:
    case SETTING_KIND_PATH:
    case SETTING_KIND_ID:
    case SETTING_KIND_ONE_OR_MORE:
        print_quoted(row->preset.text ? row->preset.text : "", out);
        break;
    case SETTING_KIND_TEXTS:
        fputs("[]", out);
        break;
    case SETTING_KIND_TREE:
    case SETTINGS_STOP:
        break;
    }
}

/// What may stand there: "100..600000", "one of: a, b", "text of at most 63 bytes".
static void print_domain(const struct setting *row, FILE *out) {
    switch (row->kind) {
    case SETTING_KIND_U64:
        fprintf(out, "%llu..%llu", (unsigned long long)row->preset.u64.least,
                (unsigned long long)row->preset.u64.most);
        break;
    case SETTING_KIND_I64:
        fprintf(out, "%lld..%lld", (long long)row->preset.i64.least,
                (long long)row->preset.i64.most);
        break;
    case SETTING_KIND_DOUBLE:
        print_number(row->preset.number.least, out);
        fputs("..", out);
        print_number(row->preset.number.most, out);
        break;
    case SETTING_KIND_BOOL:
        fputs("true or false", out);
        break;
    case SETTING_KIND_CHOICE:
        for (size_t i = 0; row->preset.choice.names[i]; i++)
            fprintf(out, "%s%s", i ? ", " : "one of: ", row->preset.choice.names[i]);
        break;
    case SETTING_KIND_TEXT:
        fprintf(out, "text of at most %zu bytes", text_room(row));
        break;
    case SETTING_KIND_PATH:
        fputs("path", out);
        break;
    case SETTING_KIND_ID:
        fputs("id: 1 to 32 of a-z, 0-9 and -", out);
        break;
    case SETTING_KIND_TEXTS:
        fprintf(out, "list of at most %d texts", SETTING_TEXTS_MAX);
        break;
    case SETTING_KIND_ONE_OR_MORE:
        fprintf(out, "text, or list of at most %d", SETTING_TEXTS_MAX);
        break;
    case SETTING_KIND_TREE:
        fputs("list or map", out);
        break;
    case SETTINGS_STOP:
        break;
    }
}

void settings_help(const struct setting *rows, FILE *out) {
    for (const struct setting *row = rows; row->kind != SETTINGS_STOP; row++) {
        fprintf(out, "  %s (", row->key);
        print_domain(row, out);
        if (is_required(row)) {
            fputs("; required", out);
        } else if (row->kind != SETTING_KIND_TREE) {
            fputs("; default ", out);
            print_default(row, out);
        }
        fputs(")\n", out);
        print_wrapped(row->consequence, "      ", out);
    }
}

void settings_help_yaml(const struct setting *rows, const char *start, FILE *out) {
    char comment[REFERENCE_WIDTH];
    snprintf(comment, sizeof comment, "%s# ", start);
    for (const struct setting *row = rows; row->kind != SETTINGS_STOP; row++) {
        print_wrapped(row->consequence, comment, out);
        fputs(comment, out);
        print_domain(row, out);
        fputs(is_required(row) ? "; required\n" : "\n", out);
        // What has no default to show is left for the reader to write.
        if (is_required(row) || row->kind == SETTING_KIND_TREE) {
            fprintf(out, "%s%s:\n%s\n", comment, row->key, start);
            continue;
        }
        fprintf(out, "%s%s: ", start, row->key);
        print_default(row, out);
        fprintf(out, "\n%s\n", start);
    }
}
