#pragma once
// The figures of a branch, added up over days and over the sets of standards that were in force.

#include "ops/ctl/json_text.h"
#include "ops/ctl/store_link.h"
#include "worker/standards/standard.h"
#include "worker/store/calls.h"

enum { CARD_STANDARDS_MAX = 1024 };

/// Verdicts, and how many of the violations a person has yet to confirm.
struct card_counts {
    uint32_t verdicts[VERDICTS], unconfirmed;
};

struct card_row {
    const json_t *standard; // its definition in the first set that has it so; belongs to the card
    enum dimension dimension;
    bool shadow; // on trial then: told beside the others, and counted nowhere
    struct cell_standard sum;
};
struct card {
    json_t *sets; // array of {hash, text}
    json_t *days; // array of texts, ascending
    struct cell total;
    struct card_counts severities[SEVERITY_COUNT]; // of what counts, as grave as it was at the time
    size_t row_count;
    struct card_row *rows; // sorted by id; one that was on trial on some days only has two
};

/// Collect all days of a branch, or one. false: said on stderr why not; free it anyway.
bool card_collect(struct store_link *link, const char *branch, const char *day, struct card *card);
void card_free(struct card *card);

/// Add one cell, the sums of encounters that this set ({hash, text}) judged; the card keeps
/// pointing into the set. false: said on stderr why not.
bool card_add(struct card *card, struct bytes cell, const json_t *set);

/// All its figures: dimensions with their standards, severities, and those on trial beside.
json_t *card_json(const char *branch, const struct card *card);

/// The texts of all sets that the branch was judged by: array of {hash, text}. NULL: said why.
json_t *card_sets(struct store_link *link, const char *branch);
/// The days that have encounters: array of texts, ascending; only `day` if it is not NULL and
/// among them. NULL: said why.
json_t *card_days(struct store_link *link, const char *branch, const char *day);

/// Its sentences as they hold for an offering: {de, en}; NULL: it has none.
json_t *standard_sentences(const json_t *standard, const char *offering);
bool standard_shadow(const json_t *standard); // NULL: false
/// An object with all eight verdicts.
json_t *verdicts_json(const uint32_t verdicts[VERDICTS]);
void card_count(struct card_counts *counts, const struct cell_standard *standard);
