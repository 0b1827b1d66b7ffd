#pragma once
// From decoded batches to a fold: what is checked before anything reaches the store.

#include "common/wire/body.h"
#include "worker/store/calls.h"

enum { FUTURE_MS = 5000 }; // how far behind our own time a stamp may lie ahead

/// A batch as the broker stamped it.
struct envelope {
    uint8_t gateway; // place in the branch's gateways
    uint64_t epoch, number;
    uint64_t lost; // first number gone for good; 0: none
    struct tag tag;
};

/// How much one fold holds.
struct ingest_limits {
    size_t observations; // 64 batches of 4096 need 262144
    size_t chunks;
    size_t labels;
    size_t facts;
    size_t decisions;
    size_t dead;
    size_t bytes; // of the packed argument
};
struct ingest_limits ingest_limits_default(void);

/// A fold under construction: batches of one branch, per gateway in ascending order.
struct ingest;
struct ingest *ingest_new(const struct ingest_limits *limits); // NULL: out of memory
void ingest_free(struct ingest *ingest);                       // accepts NULL
/// Empty it and begin a fold of this branch, which must outlive it.
void ingest_begin(struct ingest *ingest, const struct branch *branch, uint64_t configuration);
size_t ingest_batches(const struct ingest *ingest);

/// Add a batch (its memory may be reused afterwards). oddities may be NULL.
///
/// ERR_FULL      no room: hand in the fold, begin anew, add again (never into an empty fold)
/// ERR_CONFLICT  it does not follow the fold's last batch of this gateway
/// ERR_REFUSED   it speaks of a counter that its gateway does not serve; *problem names it
/// ERR_RANGE     more minutes or bytes than any batch may have: a dead letter; *problem says why
/// On every error the fold is as before.
MUST_CHECK enum err ingest_add(struct ingest *ingest, const struct envelope *envelope,
                               const struct batch *batch, const struct body_oddities *oddities,
                               int64_t now_ms, struct problem *problem);
/// Add a batch as a dead letter: the position moves over it, the body is kept with the reason.
/// ERR_FULL, ERR_CONFLICT as above
MUST_CHECK enum err ingest_add_dead(struct ingest *ingest, const struct envelope *envelope,
                                    struct bytes body, const char *reason);
/// The fold; it lives until the next begin. ERR_NOMEM: what was added is to be added again.
MUST_CHECK enum err ingest_fold(struct ingest *ingest, struct fold *fold);
