#pragma once
// Pieces that several readers of documents share.

#include "worker/standards/model.h"

/// Lists whose entries others name.
enum list {
    LIST_VALUES,
    LIST_NORMS,
    LIST_OFFERINGS,
    LIST_STANDARDS,
    LIST_OVERLAYS,
    LIST_MEASURES,
    LIST_COUNT
};

/// One call of standards_read.
struct reading {
    struct standards *model;
    struct problems *problems;
    bool mistaken[LIST_COUNT]; // told already: what seems to be missing may only be misread
    bool no_memory;
};

/// The list has no entry of that name. Silent where the list itself is mistaken.
void name_unknown(struct reading *reading, const struct node *node, enum list list,
                  const char *name);
/// There is such an entry already.
void entry_twice(struct reading *reading, const struct node *node, const char *entry,
                 const char *name);
/// The place of an offering among the model's. false: unknown, reported.
bool read_offering(struct reading *reading, const struct node *node, size_t *place);
/// A list of 1 to `most` entries, none of which stands twice.
bool read_list(struct reading *reading, const struct node *node, size_t most);

/// The German and English text of `node`, copied.
bool read_words(struct reading *reading, const struct node *node, struct words *out);
void words_free(struct words *words);
/// A number of seconds as whole milliseconds.
bool read_seconds(struct reading *reading, const struct node *node, double least_s, double most_s,
                  int64_t *ms);
/// A share 0..1 in millionths.
bool read_share(struct reading *reading, const struct node *node, int32_t *millionths);
/// `value` as a whole multiple of `step`.
bool read_steps(struct reading *reading, const struct node *node, double step, const char *unit,
                double least, double most, int64_t *steps);
