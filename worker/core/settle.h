#pragma once
// From a taken encounter to series, and from judgements to what is settled.

#include "worker/core/minutes.h"
#include "worker/engine/evaluate.h"
#include "worker/store/calls.h"

/// The span from which an encounter's evidence comes: its begin to its end.
struct span settle_span(const struct encounter *encounter);

/// The time by whose hour and day an encounter counts: its start, or when the client came.
int64_t settle_counted_ms(const struct encounter *encounter);

/// Read the minute logs of a taken encounter. Errors as minutes_reader_add.
MUST_CHECK enum err settle_series(struct taken *taken, const struct measures *measures,
                                  struct minutes_reader *reader, const struct series **series,
                                  size_t *count);

/// Writes the settle call; contribution and verdicts point into the buffers, which it clears.
/// judgements NULL: contributes nothing (withdrawn).
/// ERR_NOMEM  no memory for the buffers
MUST_CHECK enum err settle_write(const struct taken *taken, const struct zone *zone,
                                 const struct standard_set *set, const struct judgement *judgements,
                                 const struct scores *scores, struct buffer *contribution,
                                 struct buffer *verdicts, struct settle_call *call);

/// Verdicts for explaining: MessagePack, version, set, scores, then a map a standard.
void verdicts_write(const struct standard_set *set, const struct judgement *judgements,
                    const struct scores *scores, struct buffer *out);

struct verdicts_head {
    char set[SET_HASH_TEXT_SIZE];
    struct scores scores;
    size_t count; // standards
};
struct verdict_entry {
    struct name standard;
    struct judgement judgement;
};
/// The judgements of verdicts that are kept, by the set that they were made by.
/// ERR_CONFLICT  other standards than the set's
MUST_CHECK enum err verdicts_judgements(struct bytes verdicts, const struct standard_set *set,
                                        struct judgement *judgements);
MUST_CHECK enum err verdicts_read(struct reader *reader, struct verdicts_head *head);
/// count times after verdicts_read.
MUST_CHECK enum err verdicts_next(struct reader *reader, struct verdict_entry *entry);
