#pragma once
// What a worker judges by, and how it takes up others: those of its folder when it gets SIGHUP, or
// those that were published, for which it asks the store at intervals.
//
// New ones are loaded beside the old, a few milliseconds a turn, and replace them at once, between
// two jobs. On any error the old ones stay, and trouble says why.

#include "worker/catalogue/loading.h"
#include "worker/shell/worker_settings.h"
#include "worker/store/store.h"

struct judging_handlers {
    void *context;
    void (*changed)(
        void *context); // others from now on, or known for the first time, or in trouble
};

/// What judged some encounter and must live until the store has answered.
struct judged_by;

struct judging;
/// Begins with the catalogue's, which must outlive it. NULL: out of memory.
struct judging *judging_new(const struct worker_settings *settings,
                            const struct catalogue *catalogue,
                            const struct judging_handlers *handlers);
/// After the store has answered its last call. Accepts NULL.
void judging_free(struct judging *judging);

/// false: what is published has not been heard or could not be read yet, so nothing may be judged.
bool judging_known(const struct judging *judging);
/// One a branch, in force until `changed`.
const struct standards_plan *judging_plans(const struct judging *judging);
const char *judging_hash(const struct judging *judging);
const char *judging_trouble(const struct judging *judging); // empty: none

struct judged_by *judging_hold(struct judging *judging);
void judging_release(struct judged_by *judged_by);

/// SIGHUP: read the folder, or ask for what is published, once more.
void judging_reload(struct judging *judging);
/// The store takes calls: ask it soon.
void judging_store_up(struct judging *judging, struct store *store);
/// At each turn: a few milliseconds of loading; asks the store when that is due.
void judging_step(struct judging *judging);
uint64_t judging_deadline_ms(const struct judging *judging);
