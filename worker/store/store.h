#pragma once
// The store: calls of the function library, asynchronously, on one connection to Redis.
//
// The library is loaded if Redis does not have it, or an older revision (library.h). A call that is
// answered "unconfigured" brings the branch's configuration and is then repeated, once; a caller
// sees STORE_UNCONFIGURED only if another worker with another registry was faster. So is a settle
// by a set of standards that the store does not know, behind the publication of its text. Answers
// that gateways will hear of (ask, ingest) come only when what they say is as safe as asked. A
// Redis that is only a replica is left for the next connection, which may find another one behind
// the same name.

#include "common/io/redis.h"
#include "worker/standards/standard.h"
#include "worker/store/acknowledge.h"
#include "worker/store/calls.h"
#include "worker/store/library.h"

struct store_handlers {
    void *context;
    void (*up)(void *context); // the library is there: calls are taken from now on
    /// CONFIGURATION: only a person can help; also when Redis is not set up for `acknowledge`.
    void (*down)(void *context, enum redis_class class, const char *reason);
    /// Redis runs another library than was told, or keeps an older one; found: before this worker
    /// loaded its own.
    void (*library)(void *context, const struct library_state *state, int64_t found);
};

struct store;
MUST_CHECK enum err store_new(struct loop *loop, const struct redis_settings *settings,
                              const struct acknowledge_settings *acknowledge,
                              const struct store_policy *policy,
                              const struct store_handlers *handlers, struct store **store);
/// Outstanding calls are answered REDIS_CLASS_UNKNOWN first. Not from a callback. Accepts NULL.
void store_free(struct store *store);
bool store_is_up(const struct store *store);
/// UTC now by Redis' clock, as last looked at: when it came up, and by store_look.
int64_t store_utc_ms(const struct store *store);
/// Look again at Redis' clock and library.
void store_look(struct store *store);
/// Revision of the function library that this program brings, and of the one that Redis runs
/// (LIBRARY_UNKNOWN while it is not up).
int64_t store_library_brought(const struct store *store);
int64_t store_library_run(const struct store *store);
/// What calls for this branch must name as their configuration.
uint64_t store_branch_configuration(const struct store *store, const struct branch *branch);

/// class OK: reply holds the packed reply (ask_reply_read ...), valid during the call.
/// Otherwise reply is empty and reason says why, for a log: ERROR the call is at fault,
/// CONFIGURATION only a person can help, others: the same call again, later, is safe.
typedef void store_callback(void *context, enum redis_class class, struct bytes reply,
                            const char *reason);

/// Each callback comes exactly once and never from within the call. branch and set must live until
/// then; what else is given is copied.
/// ERR_AGAIN: not up; ERR_FULL: too much outstanding, or the argument is over its bound; ERR_NOMEM
MUST_CHECK enum err store_ask(struct store *store, const struct branch *branch,
                              const struct ask_call *call, store_callback *callback, void *context);
MUST_CHECK enum err store_ingest(struct store *store, const struct branch *branch,
                                 const struct fold *fold, store_callback *callback, void *context);
MUST_CHECK enum err store_take(struct store *store, const struct branch *branch,
                               const struct take_call *call, store_callback *callback,
                               void *context);
MUST_CHECK enum err store_give_back(struct store *store, const struct branch *branch,
                                    const struct give_back_call *call, store_callback *callback,
                                    void *context);
MUST_CHECK enum err store_settle(struct store *store, const struct branch *branch,
                                 const struct settle_call *call, const struct standard_set *set,
                                 store_callback *callback, void *context);

/// What is published for all branches (editions_reply_read), unless its hash is `known`.
MUST_CHECK enum err store_editions(struct store *store, const char *known, store_callback *callback,
                                   void *context);
/// Put it back where nothing is published (reply_read: STORE_STALE: something is).
MUST_CHECK enum err store_restore_editions(struct store *store, const char *hash, struct bytes text,
                                           store_callback *callback, void *context);
