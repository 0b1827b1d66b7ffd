#pragma once
// How far the store has applied a gateway's spool.

#include <stdbool.h>
#include <stdint.h>

#define NUMBER_MAX ((UINT64_C(1) << 53) - 1) // numbers, epochs, sessions: exact in a Lua double

/// Of one batch: the mark of the batch that it follows, then its own, which is random. So batches
/// are a chain: one can only be applied behind the very batch that its spool has before it.
enum { TAG_MARK = 4 };
struct tag {
    uint8_t bytes[2 * TAG_MARK];
};
struct spool_id {
    uint8_t bytes[16]; // random, one a spool
};
struct position {
    uint64_t epoch;  // 0: none granted yet
    uint64_t number; // last number applied; 0: none
    struct tag tag;  // of that batch
};

/// What batch 1 follows: its mark is the beginning of the spool's id.
struct tag tag_start(const struct spool_id *spool);
/// The same batch: behind a gap it may follow another one.
bool tag_equal(struct tag a, struct tag b);
bool tag_follows(struct tag tag, struct tag before);
/// The same batch, following this one.
struct tag tag_behind(struct tag tag, struct tag before);
/// Of a batch of which only what follows it is known.
struct tag tag_before(struct tag tag);
/// Its mark is 0: nobody knows any more which batch it is of.
bool tag_unknown(struct tag tag);
