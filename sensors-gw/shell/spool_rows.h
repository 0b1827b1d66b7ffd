#pragma once
// The rows of a spool: batches, its state, the drivers' cursors, and marks of when the store stood
// where. Each row carries a checksum over all it says, so that a damaged one, or one in another's
// place, is noticed.

#include "sensors-gw/shell/spool.h"
#include "sensors-gw/shell/spool_database.h"

// Batches.

MUST_CHECK enum err rows_append(struct database *d, const struct spool_batch *batch,
                                struct problem *problem);
/// As spool_read.
MUST_CHECK enum err rows_read(struct database *d, uint64_t from, uint64_t to,
                              bool (*each)(void *context, const struct spool_batch *batch),
                              void *context, struct problem *problem);
MUST_CHECK enum err rows_tag(struct database *d, uint64_t number, struct tag *tag,
                             struct problem *problem);
MUST_CHECK enum err rows_delete(struct database *d, uint64_t to, struct problem *problem);

struct rows_figures {
    uint64_t bytes; // of the bodies
    uint64_t count, least, most;
};
/// Of the batches from..to.
MUST_CHECK enum err rows_measure(struct database *d, uint64_t from, uint64_t to,
                                 struct rows_figures *figures, struct problem *problem);

struct rows_kept {
    uint64_t last;    // they are numbered from 1 up to this
    struct tag tag;   // which the first one follows; then that of the last one
    uint64_t damaged; // rows, or stretches of them on torn pages, that are left out
    bool torn;
};
/// Put everything intact aside, cursors too, outside of any transaction: SQLite commits none that
/// saw damage.
MUST_CHECK enum err rows_keep_intact(struct database *d, struct rows_kept *kept,
                                     struct problem *problem);
/// Only that from now on. Into the transaction.
MUST_CHECK enum err rows_renew(struct database *d, const struct rows_kept *kept,
                               struct problem *problem);

/// Of schema 1: make the tags of all a chain, and *last that of the last one. What the first one
/// follows nobody knows.
MUST_CHECK enum err rows_chain(struct database *d, struct tag *last, struct problem *problem);

// The state: all but `first`, `bytes` and `held_bytes`, which follow from the batches.

enum rows_found { ROWS_NONE, ROWS_DAMAGED, ROWS_INTACT };
MUST_CHECK enum err rows_state(struct database *d, struct spool_state *state,
                               enum rows_found *found, struct problem *problem);
MUST_CHECK enum err rows_keep_state(struct database *d, const struct spool_state *state,
                                    struct problem *problem);
enum err rows_state_damaged(const struct database *d, struct problem *problem);

// Cursors.

MUST_CHECK enum err rows_cursor(struct database *d, const char *driver, struct cursor *cursor,
                                struct problem *problem);
MUST_CHECK enum err rows_keep_cursor(struct database *d, const char *driver,
                                     const struct cursor *cursor, struct problem *problem);

// Marks: at this running time the store stood at least at this number.

MUST_CHECK enum err rows_mark(struct database *d, uint64_t run_ms, uint64_t number,
                              struct problem *problem);
/// Running time of the newest mark; -1: none.
MUST_CHECK enum err rows_newest_mark(struct database *d, int64_t *run_ms, struct problem *problem);
/// The highest number marked up to then; 0: none.
MUST_CHECK enum err rows_marked(struct database *d, uint64_t run_ms, uint64_t *number,
                                struct problem *problem);
MUST_CHECK enum err rows_forget_marks_above(struct database *d, uint64_t number,
                                            struct problem *problem);
/// Those up to then that lie below the number.
MUST_CHECK enum err rows_forget_marks(struct database *d, uint64_t run_ms, uint64_t number,
                                      struct problem *problem);
