#pragma once
// How far the store has applied a gateway's spool.

#include <stdbool.h>
#include <stdint.h>

#define NUMBER_MAX ((UINT64_C(1) << 53) - 1) // numbers, epochs, sessions: exact in a Lua double

struct tag {
    uint8_t bytes[8]; // of one batch: see tag_mark; all zero before the first batch
};
struct spool_id {
    uint8_t bytes[16]; // random, one a spool
};
struct position {
    uint64_t epoch;  // 0: none granted yet
    uint64_t number; // last number applied; 0: none
    struct tag tag;  // of that batch
};

bool tag_equal(struct tag a, struct tag b);

/// A tag begins with the first bytes of its spool's id, and is random behind them: so a batch shows
/// without a byte more on the wire which spool wrote it.
enum { TAG_SPOOL_SIZE = 4 };
void tag_mark(struct tag *tag, const struct spool_id *spool);
bool tag_of_spool(struct tag tag, const struct spool_id *spool);
bool tag_same_spool(struct tag a, struct tag b);
