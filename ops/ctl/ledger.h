#pragma once
// The cells as they must be: the sums of all contributions that the store holds.

#include "ops/ctl/store_link.h"
#include "worker/store/record.h"

struct ledger;
struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger); // accepts NULL

/// Add one encounter's contribution to its two cells. false: out of memory.
bool ledger_add(struct ledger *ledger, const struct record_cells *where,
                const struct contribution *contribution);
/// Compare with the store: append a sentence for each cell that differs, is missing, or stands
/// there without any contribution. Cells of sealed days are not compared. false: said on stderr why
/// it could not be done.
bool ledger_compare(struct ledger *ledger, struct store_link *link, const char *branch,
                    json_t *differences, size_t *cells);
