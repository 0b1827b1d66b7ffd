#pragma once
// Two judgements of the same encounters, standard by standard.

#include "worker/engine/evaluate.h"

#include <jansson.h>

struct judged {
    const struct standard_set *set;
    struct judgement judgements[STANDARDS_MAX];
    struct scores scores;
};

struct comparison {
    json_t *standards; // by id
    const char *branch;
    uint64_t encounters, changed; // judged; of these otherwise, by what counts
    uint64_t open, unread;        // encounters without an end; batches that could not be decoded
    struct {
        double sum;
        uint64_t count;
    } scores[2]; // before, after
};
struct comparison comparison_new(const char *branch);
void comparison_add(struct comparison *comparison, const struct encounter *encounter,
                    const struct judged *before, const struct judged *after);

/// {branch, encounters, changed, open, unread, score: {before, after}, standards: [{standard,
/// before: {met: 3 ...}, after: {...}, shadow: {before, after} (the same while it is on trial),
/// changes: [{encounter, before, after}]}]}; ends it.
json_t *comparison_json(struct comparison *comparison);
/// For people, an array of them.
void comparison_print(const json_t *branches);
