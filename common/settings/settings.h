#pragma once
// Settings: one row each, written once; loading, --help and the YAML reference come from the rows.
//
//   struct broker_settings { uint64_t worker_silence_ms; char config_dir[PATH_SIZE]; };
//   const struct setting broker_settings[] = {
//       SETTING_U64(struct broker_settings, worker_silence_ms, 5000, 100, 600000,
//                   "Milliseconds without a heartbeat after which ...: lower ..., higher ..."),
//       SETTING_PATH(struct broker_settings, config_dir, "config", "Folder of ..."),
//       SETTINGS_END};
//
// The key is the member's own name. A text default of NULL makes the setting required.

#include "common/settings/document.h"

#include <stddef.h>

enum setting_kind {
    SETTINGS_STOP, // ends a table
    SETTING_KIND_U64,
    SETTING_KIND_I64,
    SETTING_KIND_DOUBLE,
    SETTING_KIND_BOOL,
    SETTING_KIND_TEXT,
    SETTING_KIND_PATH,
    SETTING_KIND_ID,
    SETTING_KIND_CHOICE,
    SETTING_KIND_TEXTS,
    SETTING_KIND_ONE_OR_MORE,
    SETTING_KIND_TREE,
};

enum { PATH_SIZE = 512, SETTING_TEXTS_MAX = 16, SETTING_TEXT_SIZE = 128 };

/// A list of short texts, such as endpoints.
struct setting_texts {
    size_t count;
    char items[SETTING_TEXTS_MAX][SETTING_TEXT_SIZE];
};

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t offset, size; // of the member
    union {
        struct {
            uint64_t value, least, most;
        } u64;
        struct {
            int64_t value, least, most;
        } i64;
        struct {
            double value, least, most;
        } number;
        bool truth;
        const char *text; // NULL: required
        struct {
            int value;
            const char *const *names; // NULL-terminated; the value is the place in it
        } choice;
        bool required; // TEXTS, TREE
    } preset;
    const char *consequence; // what it is, in which unit, and what a lower or higher value does
};

// A member of another type than the row's does not compile.
#define SETTING_OFFSET(type, member, of)                                                           \
    (offsetof(type, member) + 0 * sizeof(_Generic(&((type *)0)->member, of * : 1)))
#define SETTING_ROW(type, member, of, row_kind, ...)                                               \
    {                                                                                              \
        .key = #member, .kind = row_kind, .offset = SETTING_OFFSET(type, member, of),              \
        .size = sizeof(((type *)0)->member), __VA_ARGS__                                           \
    }
#define SETTING_ARRAY_ROW(type, member, row_kind, standard, words)                                 \
    {                                                                                              \
        .key = #member, .kind = row_kind,                                                          \
        .offset = offsetof(type, member) + 0 * sizeof(_Generic(((type *)0)->member, char * : 1)),  \
        .size = sizeof(((type *)0)->member), .preset.text = standard, .consequence = words         \
    }

#define SETTING_U64(type, member, standard, low, high, words)                                      \
    SETTING_ROW(type, member, uint64_t, SETTING_KIND_U64, .preset.u64 = {standard, low, high},     \
                .consequence = words)
#define SETTING_I64(type, member, standard, low, high, words)                                      \
    SETTING_ROW(type, member, int64_t, SETTING_KIND_I64, .preset.i64 = {standard, low, high},      \
                .consequence = words)
#define SETTING_DOUBLE(type, member, standard, low, high, words)                                   \
    SETTING_ROW(type, member, double, SETTING_KIND_DOUBLE, .preset.number = {standard, low, high}, \
                .consequence = words)
#define SETTING_BOOL(type, member, standard, words)                                                \
    SETTING_ROW(type, member, bool, SETTING_KIND_BOOL, .preset.truth = standard,                   \
                .consequence = words)
/// char member[N]: at most N - 1 bytes.
#define SETTING_TEXT(type, member, standard, words)                                                \
    SETTING_ARRAY_ROW(type, member, SETTING_KIND_TEXT, standard, words)
/// char member[N]: the path of a file or folder, relative to the program's working directory.
#define SETTING_PATH(type, member, standard, words)                                                \
    SETTING_ARRAY_ROW(type, member, SETTING_KIND_PATH, standard, words)
/// struct id
#define SETTING_ID(type, member, standard, words)                                                  \
    SETTING_ROW(type, member, struct id, SETTING_KIND_ID, .preset.text = standard,                 \
                .consequence = words)
/// int member: the place of the chosen name in `table` (NULL-terminated), so usually an enum's
/// value.
#define SETTING_CHOICE(type, member, standard, table, words)                                       \
    SETTING_ROW(type, member, int, SETTING_KIND_CHOICE, .preset.choice = {standard, table},        \
                .consequence = words)
/// struct setting_texts: empty when absent.
#define SETTING_TEXTS(type, member, must, words)                                                   \
    SETTING_ROW(type, member, struct setting_texts, SETTING_KIND_TEXTS, .preset.required = must,   \
                .consequence = words)
/// struct setting_texts: a list, or a text, which is a list of one.
#define SETTING_ONE_OR_MORE(type, member, standard, words)                                         \
    SETTING_ROW(type, member, struct setting_texts, SETTING_KIND_ONE_OR_MORE,                      \
                .preset.text = standard, .consequence = words)
/// const struct node *: a list or map that the program reads itself; NULL when absent. Lives as
/// long as the document.
#define SETTING_TREE(type, member, must, words)                                                    \
    SETTING_ROW(type, member, const struct node *, SETTING_KIND_TREE, .preset.required = must,     \
                .consequence = words)
#define SETTINGS_END                                                                               \
    { .kind = SETTINGS_STOP }

/// A table of rows and the struct that it fills.
struct settings_table {
    const struct setting *rows;
    void *target;
};

/// Fill every member: its default, or what the map says. Several tables may share one map (an
/// entry of `drivers:` has the rows of every driver and those of its own). map may be NULL: all
/// defaults. An unknown key, a wrong value, an absent required one is reported; all at once.
/// false: something was reported.
bool settings_read(const struct node *map, const struct settings_table *tables, size_t count,
                   struct problems *problems);

/// The reference as --help text.
void settings_help(const struct setting *rows, FILE *out);
/// The reference as a commented YAML file with the defaults. `start` begins each line: "" for the
/// top level, "#     " for what is only shown.
void settings_help_yaml(const struct setting *rows, const char *start, FILE *out);
