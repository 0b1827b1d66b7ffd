#pragma once
// The log of a gateway: every batch it has published or will publish, on disk (SQLite), and with
// each the cursors of the drivers it was read from. What is not committed here is never sent; what
// the store has applied stays for the retention time, because a store may fall back.
//
// Appends gather in one open transaction until spool_commit. One process a file.

#include "common/base/bytes.h"
#include "common/domain/position.h"
#include "common/domain/series.h"
#include "sensors-gw/drivers/driver.h"

struct spool;

struct spool_limits {
    bool full_sync;        // a commit survives the loss of power, not only of the process
    uint64_t bytes_max;    // bodies held; applied ones make room first
    uint64_t retention_ms; // of this gateway's own running time after application
    bool drop_unapplied;   // when full; else only applied ones go
};

/// Read freely; only spool.c writes it. Everything but `held` is as of the last commit.
struct spool_state {
    struct spool_id id;
    uint64_t epoch;       // 0: none granted yet
    bool fenced;          // a newer spool has taken over
    uint64_t first, last; // numbers held; first = last + 1: none
    struct tag tag;       // of the last, also when it is not held any more
    uint64_t applied;     // the store's position, as last heard
    uint64_t dropped;     // never applied, dropped because the spool was full
    uint64_t left_out;    // never written for the same reason: they have no number
    struct span gap;      // event times of those left out since the last batch; TIME_NONE: none
    uint64_t bytes;       // bodies of first..last
    uint64_t held_bytes;  // bodies of applied + 1..last
    uint64_t session;     // first session number of this run: above all of earlier runs
    int64_t watermark_ms; // of the newest batch; TIME_NONE: none
    uint64_t birth;       // hash of the birth last spooled; 0: none
    bool departed;        // goodbye has been spooled since
    uint64_t run_ms;      // how long gateways have run on this spool, all runs together
    bool converted;       // in this run, from an earlier program's
};

/// Open, or make if there is none. renew (--new-spool): a new id, no epoch, everything still held
/// numbered from 1 again; what is damaged is left out and counted in *damaged. One of an earlier
/// program is converted, all or nothing, which that program cannot open any more.
///
/// ERR_CONFLICT  another process has it open
/// ERR_FORMAT    not a spool, or damaged: *problem names file and row
/// ERR_VERSION   of a newer program
/// ERR_IO, ERR_NOMEM
MUST_CHECK enum err spool_open(const char *path, const struct spool_limits *limits, bool renew,
                               struct spool **spool, uint64_t *damaged, struct problem *problem);
void spool_close(struct spool *spool); // what is not committed is forgotten; accepts NULL
const struct spool_state *spool_state(const struct spool *spool);
uint64_t spool_unapplied(const struct spool *spool); // batches held that the store has not applied

// Into the open transaction, begun when needed. After an error nothing more can be written: what
// a disk has refused once, must not be believed the second time.

MUST_CHECK enum err spool_append(struct spool *spool, struct bytes body, struct span times,
                                 int64_t watermark_ms, struct problem *problem);
MUST_CHECK enum err spool_keep_cursor(struct spool *spool, const char *driver,
                                      const struct cursor *cursor, struct problem *problem);
/// Without room for one more, and nobody to make some: count it instead.
void spool_leave_out(struct spool *spool, struct span times);
void spool_clear_gap(struct spool *spool);                 // it has been told
void spool_set_birth(struct spool *spool, uint64_t birth); // and not departed
void spool_set_departed(struct spool *spool);
/// Durable when it returns ERR_NONE. now_ms is monotonic: the running time is kept, what has
/// outlived the retention goes, and so does the oldest that may while there is more than bytes_max.
MUST_CHECK enum err spool_commit(struct spool *spool, uint64_t now_ms, struct problem *problem);
/// Appended, but not committed yet.
size_t spool_uncommitted(const struct spool *spool);

/// Size 0 if there is none.
MUST_CHECK enum err spool_cursor(struct spool *spool, const char *driver, struct cursor *cursor,
                                 struct problem *problem);

// What the session says; written through at once where it must be.

MUST_CHECK enum err spool_set_epoch(struct spool *spool, uint64_t epoch, struct problem *problem);
MUST_CHECK enum err spool_set_fenced(struct spool *spool, struct problem *problem);
/// The store stands at number; forward or back. Written with the next commit. What was dropped on
/// its way and applied all the same is not dropped; passed_over: how many are truly lost on the way.
MUST_CHECK enum err spool_set_applied(struct spool *spool, uint64_t number, uint64_t passed_over,
                                      uint64_t now_ms, struct problem *problem);

struct spool_batch {
    uint64_t number;
    struct tag tag;
    struct bytes body; // valid during the call
    struct span times; // event times of what is in it
};

/// Call `each` with from..to (committed ones) in order, until it returns false. ERR_FORMAT: a row
/// does not match its checksum.
MUST_CHECK enum err spool_read(struct spool *spool, uint64_t from, uint64_t to,
                               bool (*each)(void *context, const struct spool_batch *batch),
                               void *context, struct problem *problem);
/// The one before the first that is held is known by what follows it, unless an earlier program
/// wrote that. ERR_MISSING: not known (any more).
MUST_CHECK enum err spool_tag(struct spool *spool, uint64_t number, struct tag *tag,
                              struct problem *problem);
/// Event time of the oldest batch that is not applied; TIME_NONE: all are.
MUST_CHECK enum err spool_oldest_ms(struct spool *spool, int64_t *oldest_ms,
                                    struct problem *problem);
