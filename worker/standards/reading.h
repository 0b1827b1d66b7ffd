#pragma once
// Pieces that several readers of documents share.

#include "worker/standards/model.h"

/// One call of standards_read.
struct reading {
    struct standards *model;
    struct problems *problems;
    bool no_memory;
};

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
