#pragma once
// A YAML document as a small read-only tree in which every node knows its line and column, and
// typed access to it that reports what is wrong instead of guessing.
//
// Less than YAML on purpose: one document, keys are plain texts and stand once, no anchors,
// aliases and tags. What a scalar means is decided by who reads it: `5` is an integer for
// node_integer and a text for node_text; nothing is ever converted silently.

#include "common/base/bytes.h"
#include "common/domain/ids.h"
#include "common/settings/problems.h"

enum {
    DOCUMENT_SIZE_MAX = 1 << 20,  // bytes
    DOCUMENT_DEPTH_MAX = 16,      // lists and maps inside each other
    DOCUMENT_NODES_MAX = 1 << 16, // scalars, lists and maps
    DOCUMENT_KEYS_MAX = 1024,     // of one map
    NODE_WHERE_SIZE = 256,
    NODE_PATH_SIZE = 128,
};

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

/// Read the fields freely; only document.c writes them.
struct node {
    enum node_kind kind;
    bool quoted;           // a scalar written in quotes or as a block: never a number or bool
    const char *file;      // as given to document_parse, or "--set key=value" (then line is 0)
    uint32_t line, column; // from 1, column in characters
    uint32_t index;        // place in the list or map
    const char *key;       // in a map; else NULL
    const char *text;      // scalar: UTF-8, terminated, no zero byte inside; else NULL
    size_t size;           // of text
    size_t count;          // children of a list or map
    struct node *first, *last, *next, *parent;
};

struct document;

/// Parse the bytes; `file` is copied and named in every problem. An empty file is an empty map.
/// NULL: reported in problems. The tree lives until document_free.
struct document *document_parse(const char *file, struct bytes yaml, struct problems *problems);
void document_free(struct document *document); // accepts NULL
const struct node *document_root(const struct document *document);

/// Put `value` at a dotted path ("drivers.0.speed"; numbers count list entries from 0), over what
/// stands there. Missing maps on the way are made, list entries are not. A value that begins with
/// [ or { is YAML (a list or map), any other is the scalar itself.
/// false: reported in problems, the tree is unchanged.
bool document_set(struct document *document, const char *path, const char *value,
                  struct problems *problems);

// Every function below takes NULL for a node, does nothing and returns false or NULL: what is
// missing was reported by who looked it up, so calls can stand one inside the other. On false the
// problem has been reported and *out is unchanged.

/// Report something about a node: "FILE:LINE:COLUMN: " comes in front.
void node_problem(const struct node *node, struct problems *problems, enum err err,
                  const char *format, ...) PRINTF_LIKE(4, 5);
/// "FILE:LINE:COLUMN", for sentences that point to a second place.
const char *node_where(const struct node *node, char text[NODE_WHERE_SIZE]);
/// "gateways[1].counters[0]": where the node stands in its document; the root is "the document".
const char *node_path(const struct node *node, char text[NODE_PATH_SIZE]);

/// The node is a map and has no other keys than these (NULL-terminated); for an unknown one the
/// nearest known key is suggested. false: not a map, or unknown keys (the known ones may be read
/// on).
bool node_map(const struct node *node, const char *const *keys, struct problems *problems);
/// The node is a map; any keys (for maps whose keys are data).
bool node_any_map(const struct node *node, struct problems *problems);
/// A key that may be absent: NULL then, and when node is not a map.
const struct node *node_find(const struct node *map, const char *key);
/// A key that must be there: reports its absence, unless node_map has told of a misspelt one.
const struct node *node_need(const struct node *map, const char *key, struct problems *problems);
/// The node is a list of least..most entries; walk it with node->first and ->next.
bool node_list(const struct node *node, size_t least, size_t most, struct problems *problems);

/// A text of least..most bytes.
bool node_text(const struct node *node, size_t least, size_t most, const char **out,
               struct problems *problems);
/// Whole numbers in decimal; "5x", "5.0" and "0x10" are errors. unit ("ms", "m", "") is for the
/// sentence only.
bool node_integer(const struct node *node, int64_t least, int64_t most, const char *unit,
                  int64_t *out, struct problems *problems);
bool node_unsigned(const struct node *node, uint64_t least, uint64_t most, const char *unit,
                   uint64_t *out, struct problems *problems);
/// Finite decimal numbers: 3, -0.5, 1e-3.
bool node_number(const struct node *node, double least, double most, const char *unit, double *out,
                 struct problems *problems);
bool node_bool(const struct node *node, bool *out, struct problems *problems); // true or false
/// One of the names (NULL-terminated): its place in the table.
bool node_choice(const struct node *node, const char *const *names, int *out,
                 struct problems *problems);
bool node_id(const struct node *node, struct id *out, struct problems *problems);
bool node_measure_id(const struct node *node, struct id *out, struct problems *problems);
bool node_name(const struct node *node, struct name *out, struct problems *problems);

/// The text of a key in a language, from a map like {de: "...", en: "..."}.
bool node_language_texts(const struct node *node, size_t most, const char **de, const char **en,
                         struct problems *problems);

/// The name in the NULL-terminated list that is most like `text` (few letters differ, or it begins
/// with it), or NULL when none is.
const char *nearest_name(const char *text, const char *const *names);
