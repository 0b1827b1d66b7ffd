#include "worker/store/store.h"

#include "worker/store/store_clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const uint8_t store_functions[]; // functions.lua, made into an array by the build
extern const size_t store_functions_size;
extern const int64_t store_functions_revision;

enum {
    ARGUMENT_MAX = 16 << 20, // of one call: a fold and its dead letters
    REASON_SIZE = 320,
};

struct store {
    struct redis *redis;
    struct confirmer confirmer;
    struct store_clock clock;
    struct library library;
    struct library_wait coming_up;
    struct store_policy policy;
    struct store_handlers handlers;
    bool up;
};

/// A call on its way, with what it takes to repeat it.
struct call {
    struct store *store;
    const char *function;
    const struct branch *branch;    // NULL: of all branches
    const struct standard_set *set; // settle: to be published if the store does not know it
    struct buffer argument;         // later the reply that waits for its confirmation
    struct confirmation confirmation;
    struct library_wait library;
    bool loaded, configured, published; // what has been brought for it
    bool confirms;                      // gateways will hear of its answer
    store_callback *callback;
    void *context;
};

static void call_free(struct call *call) {
    buffer_fini(&call->argument);
    free(call);
}

static void call_end(struct call *call, enum redis_class class, struct bytes reply,
                     const char *reason) {
    if (call->callback) call->callback(call->context, class, reply, reason);
    call_free(call);
}

static void call_fail(struct call *call, enum redis_class class, const char *reason) {
    call_end(call, class, (struct bytes){0}, reason);
}

/// What Redis said, as a terminated text.
static const char *reason_of(const redisReply *reply) {
    if (!reply) return "no reply: the connection was lost or silent";
    return reply->type == REDIS_REPLY_ERROR && reply->str ? reply->str : "not a packed reply";
}

static enum err fcall(struct store *store, const char *function, const struct branch *branch,
                      struct bytes argument, redis_callback *callback, void *context) {
    char key[STORE_KEY_SIZE] = EDITIONS_KEY;
    if (branch) store_key(&branch->id, key);
    const struct bytes arguments[] = {bytes_of_text("FCALL"), bytes_of_text(function),
                                      bytes_of_text("1"), bytes_of_text(key), argument};
    return redis_call(store->redis, sizeof arguments / sizeof *arguments, arguments, callback,
                      context);
}

static void replied(void *context, enum redis_class class, const redisReply *reply);

static enum err call_send(struct call *call) {
    return fcall(call->store, call->function, call->branch, buffer_bytes(&call->argument), replied,
                 call);
}

/// A call that Redis did not do. One that refuses because it is only a replica keeps doing so.
static void call_refused(struct call *call, enum redis_class class, const redisReply *reply) {
    struct redis *redis = call->store->redis;
    call_fail(call, class, reason_of(reply));
    if (class == REDIS_CLASS_WRONG_NODE) redis_reconnect(redis, reason_of(reply));
}

/// What was missing has been brought, or not: the call is repeated, or fails for the same reason.
static void brought(void *context, enum redis_class class, const redisReply *reply) {
    struct call *call = context;
    if (class != REDIS_CLASS_OK)
        call_refused(call, class, reply);
    else if (call_send(call))
        call_fail(call, REDIS_CLASS_LATER, "the connection takes no calls");
}

/// Nothing that this worker does brings the function: its reason says what a person can do.
static void call_lacks_function(struct call *call, const char *why, const char *way_out) {
    const struct library_state *library = &call->store->library.state;
    char runs[24] = "an unknown revision", reason[REASON_SIZE];
    if (library->runs != LIBRARY_UNKNOWN)
        snprintf(runs, sizeof runs, "revision %" PRId64, library->runs);
    snprintf(reason, sizeof reason, "Redis' library, %s, lacks %s of revision %" PRId64 ": %s%s",
             runs, call->function, library->brings, why, way_out);
    call_fail(call, REDIS_CLASS_REPAIRABLE, reason);
}

/// Not every worker needs the right to load it: one that has it, or a person, may do so.
static void library_brought(struct library_wait *wait, enum redis_class class, const char *reason) {
    struct call *call = (struct call *)((char *)wait - offsetof(struct call, library));
    if (class == REDIS_CLASS_OK) {
        if (call_send(call)) call_fail(call, REDIS_CLASS_LATER, "the connection takes no calls");
    } else if (class == REDIS_CLASS_CONFIGURATION) {
        call_lacks_function(call, reason,
                            "; give this user the right, or have another worker bring it");
    } else {
        struct redis *redis = call->store->redis;
        call_fail(call, class, reason);
        if (class == REDIS_CLASS_WRONG_NODE) redis_reconnect(redis, reason);
    }
}

static void bring_library(struct call *call) {
    call->loaded = true;
    call->library.told = library_brought;
    library_bring(&call->store->library, &call->library);
}

static void bring_configuration(struct call *call) {
    call->configured = true;
    struct buffer argument;
    buffer_init(&argument, ARGUMENT_MAX);
    call_configure(call->branch, &call->store->policy, &argument);
    enum err err = argument.failed ? ERR_NOMEM
                                   : fcall(call->store, "tresen_v1_configure", call->branch,
                                           buffer_bytes(&argument), brought, call);
    buffer_fini(&argument);
    if (err) call_fail(call, REDIS_CLASS_LATER, "the connection takes no calls");
}

static void bring_set(struct call *call) {
    call->published = true;
    struct buffer argument;
    struct name name = {0};
    memcpy(name.text, call->set->hash_text, sizeof call->set->hash_text);
    buffer_init(&argument, ARGUMENT_MAX);
    call_publish(&name, (struct bytes){(const uint8_t *)call->set->json, call->set->json_size},
                 &argument);
    enum err err = argument.failed ? ERR_NOMEM
                                   : fcall(call->store, "tresen_v1_publish", call->branch,
                                           buffer_bytes(&argument), brought, call);
    buffer_fini(&argument);
    if (err) call_fail(call, REDIS_CLASS_LATER, "the connection takes no calls");
}

static void confirmed(struct confirmation *confirmation, enum redis_class class,
                      const char *reason) {
    struct call *call = (struct call *)((char *)confirmation - offsetof(struct call, confirmation));
    call_end(call, class,
             class == REDIS_CLASS_OK ? buffer_bytes(&call->argument) : (struct bytes){0}, reason);
}

/// Keep the reply until it is as safe as asked.
static void confirm(struct call *call, struct bytes reply) {
    buffer_clear(&call->argument);
    buffer_put(&call->argument, reply.data, reply.size);
    call->confirmation.told = confirmed;
    if (call->argument.failed)
        call_fail(call, REDIS_CLASS_LATER, "out of memory");
    else
        confirmer_ask(&call->store->confirmer, &call->confirmation);
}

static void replied(void *context, enum redis_class class, const redisReply *redis_reply) {
    struct call *call = context;
    if (class == REDIS_CLASS_REPAIRABLE && !call->loaded) {
        bring_library(call);
        return;
    }
    if (class == REDIS_CLASS_REPAIRABLE) { // of a newer one, which no longer has it
        call_lacks_function(call, "a newer library is left as it is",
                            "; start workers of the newest version");
        return;
    }
    if (class != REDIS_CLASS_OK) {
        call_refused(call, class, redis_reply);
        return;
    }
    struct bytes bytes = {0};
    if (redis_reply->type == REDIS_REPLY_STRING)
        bytes = (struct bytes){(const uint8_t *)redis_reply->str, (size_t)redis_reply->len};
    struct reader reader = reader_of(bytes);
    struct reply head;
    if (reply_read(&reader, &head)) {
        call_fail(call, REDIS_CLASS_ERROR, "not a packed reply");
        return;
    }
    if (head.status == STORE_UNCONFIGURED && call->branch && !call->configured) {
        bring_configuration(call);
        return;
    }
    struct settle_reply settled;
    if (call->set && !settle_reply_read(bytes, &settled) && settled.set_missing) {
        if (call->published)
            call_fail(call, REDIS_CLASS_LATER, "the store does not keep the text of a set");
        else
            bring_set(call);
        return;
    }
    if (call->confirms)
        confirm(call, bytes);
    else
        call_end(call, class, bytes, "");
}

/// Takes the call; on an error it is gone and its callback does not come.
static enum err call_start(struct call *call) {
    enum err err = call->argument.failed ? ERR_FULL : call->store->up ? call_send(call) : ERR_AGAIN;
    if (err) call_free(call);
    return err;
}

static struct call *call_new(struct store *store, const char *function, const struct branch *branch,
                             store_callback *callback, void *context) {
    struct call *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    call->store = store;
    call->function = function;
    call->branch = branch;
    call->callback = callback;
    call->context = context;
    buffer_init(&call->argument, ARGUMENT_MAX);
    return call;
}

enum err store_ask(struct store *store, const struct branch *branch, const struct ask_call *ask,
                   store_callback *callback, void *context) {
    struct call *call = call_new(store, "tresen_v1_ask", branch, callback, context);
    if (!call) return ERR_NOMEM;
    call->confirms = true;
    call_ask(ask, &call->argument);
    return call_start(call);
}

enum err store_ingest(struct store *store, const struct branch *branch, const struct fold *fold,
                      store_callback *callback, void *context) {
    struct call *call = call_new(store, "tresen_v1_ingest", branch, callback, context);
    if (!call) return ERR_NOMEM;
    call->confirms = true;
    call_ingest(fold, &call->argument);
    return call_start(call);
}

enum err store_take(struct store *store, const struct branch *branch, const struct take_call *take,
                    store_callback *callback, void *context) {
    struct call *call = call_new(store, "tresen_v1_take", branch, callback, context);
    if (!call) return ERR_NOMEM;
    call_take(take, &call->argument);
    return call_start(call);
}

enum err store_give_back(struct store *store, const struct branch *branch,
                         const struct give_back_call *back, store_callback *callback,
                         void *context) {
    struct call *call = call_new(store, "tresen_v1_give_back", branch, callback, context);
    if (!call) return ERR_NOMEM;
    call_give_back(back, &call->argument);
    return call_start(call);
}

enum err store_settle(struct store *store, const struct branch *branch,
                      const struct settle_call *settle, const struct standard_set *set,
                      store_callback *callback, void *context) {
    struct call *call = call_new(store, "tresen_v1_settle", branch, callback, context);
    if (!call) return ERR_NOMEM;
    call->set = set;
    call_settle(settle, &call->argument);
    return call_start(call);
}

enum err store_editions(struct store *store, const char *known, store_callback *callback,
                        void *context) {
    struct call *call = call_new(store, "tresen_v1_editions", NULL, callback, context);
    if (!call) return ERR_NOMEM;
    call_editions(bytes_of_text(known), &call->argument);
    return call_start(call);
}

enum err store_restore_editions(struct store *store, const char *hash, struct bytes text,
                                store_callback *callback, void *context) {
    struct call *call = call_new(store, "tresen_v1_replace_editions", NULL, callback, context);
    if (!call) return ERR_NOMEM;
    call_replace_editions((struct bytes){0}, bytes_of_text(hash), text, &call->argument);
    return call_start(call);
}

bool store_is_up(const struct store *store) {
    return store->up;
}

int64_t store_utc_ms(const struct store *store) {
    return store_clock_utc_ms(&store->clock);
}

void store_look(struct store *store) {
    store_clock_look(&store->clock, NULL, NULL);
    library_look(&store->library);
}

int64_t store_library_brought(const struct store *store) {
    return store->library.state.brings;
}

int64_t store_library_run(const struct store *store) {
    return store->up ? store->library.state.runs : LIBRARY_UNKNOWN;
}

uint64_t store_branch_configuration(const struct store *store, const struct branch *branch) {
    return store_configuration(branch, &store->policy);
}

/// The last step of coming up, or the reason why it failed.
static void came_up(void *context, enum redis_class class, const char *reason) {
    struct store *store = context;
    if (class == REDIS_CLASS_UNKNOWN) return; // down follows, or has come already
    store->up = class == REDIS_CLASS_OK;
    if (store->up)
        store->handlers.up(store->handlers.context);
    else if (class == REDIS_CLASS_CONFIGURATION)
        store->handlers.down(store->handlers.context, class, reason);
    else
        redis_reconnect(store->redis, reason);
}

static void checked(void *context, enum redis_class class, const char *reason) {
    struct store *store = context;
    if (class == REDIS_CLASS_OK)
        store_clock_look(&store->clock, came_up, store);
    else
        came_up(store, class, reason);
}

// Whatever came of it: an older library may do, and a call that misses something looks again.
static void library_came(struct library_wait *wait, enum redis_class class, const char *reason) {
    struct store *store = (struct store *)((char *)wait - offsetof(struct store, coming_up));
    (void)reason;
    if (class != REDIS_CLASS_UNKNOWN) // down follows, or has come already
        confirmer_check(&store->confirmer, checked, store);
}

/// A replica is left at once; whatever else refuses will say so again.
static void writable(void *context, enum redis_class class, const redisReply *reply) {
    struct store *store = context;
    bool replica = class == REDIS_CLASS_WRONG_NODE && !strncmp(reply->str, "READONLY", 8);
    if (replica) redis_reconnect(store->redis, reply->str);
}

static void redis_came_up(void *context) {
    struct store *store = context;
    const struct bytes write[] = {bytes_of_text("DEL"), bytes_of_text(LIBRARY_KEY)};
    store->coming_up.told = library_came;
    if (redis_call(store->redis, 2, write, writable, store))
        redis_reconnect(store->redis, "the connection takes no calls");
    else
        library_bring(&store->library, &store->coming_up);
}

static void library_news(void *context, const struct library_state *state, int64_t found) {
    struct store *store = context;
    store->handlers.library(store->handlers.context, state, found);
}

static void redis_went_down(void *context, enum redis_class class, const char *reason) {
    struct store *store = context;
    store->up = false;
    store->handlers.down(store->handlers.context, class, reason);
}

enum err store_new(struct loop *loop, const struct redis_settings *settings,
                   const struct acknowledge_settings *acknowledge,
                   const struct store_policy *policy, const struct store_handlers *handlers,
                   struct store **store_out) {
    struct store *store = calloc(1, sizeof *store);
    if (!store) return ERR_NOMEM;
    store->policy = *policy;
    store->handlers = *handlers;
    struct redis_handlers redis_handlers = {store, redis_came_up, redis_went_down};
    enum err err = redis_new(loop, settings, &redis_handlers, &store->redis);
    if (err) {
        free(store);
        return err;
    }
    confirmer_init(&store->confirmer, store->redis, acknowledge);
    store_clock_init(&store->clock, store->redis);
    library_init(&store->library, store->redis,
                 (struct bytes){store_functions, store_functions_size}, store_functions_revision,
                 library_news, store);
    *store_out = store;
    return ERR_NONE;
}

void store_free(struct store *store) {
    if (!store) return;
    store->up = false;
    redis_free(store->redis);
    free(store);
}
