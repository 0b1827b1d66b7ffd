#include "worker/store/library.h"

#include "common/io/clock.h"

#include <stdio.h>
#include <string.h>

enum { PAUSE_MS = 60000 };

#define WORD(text) bytes_of_text(text)

void library_init(struct library *library, struct redis *redis, struct bytes text, int64_t revision,
                  void (*news)(void *context, const struct library_state *state, int64_t found),
                  void *context) {
    *library = (struct library){.redis = redis,
                                .text = text,
                                .state = {.brings = revision, .runs = LIBRARY_UNKNOWN},
                                .news = news,
                                .context = context};
}

static const char *reason_of(const redisReply *reply) {
    if (!reply) return "no reply: the connection was lost or silent";
    return reply->type == REDIS_REPLY_ERROR && reply->str ? reply->str : "an unexpected reply";
}

// The end of a look

/// What is known now, and told if it is new. runs: LIBRARY_UNKNOWN: Redis does not say.
static void know(struct library *library, int64_t runs, enum redis_class refused,
                 const char *refusal) {
    struct library_state *state = &library->state;
    bool same = state->runs == runs && state->refused == refused &&
                !strcmp(state->refusal, refusal) && library->found == runs;
    state->runs = runs;
    state->refused = refused;
    snprintf(state->refusal, sizeof state->refusal, "%s", refusal);
    if (!same && runs != LIBRARY_UNKNOWN) library->news(library->context, state, library->found);
}

static void finish(struct library *library, enum redis_class class, const char *why) {
    struct library_wait *waiting = library->waiting;
    char reason[LIBRARY_REASON_SIZE]; // who is told may leave this Redis, and `why` with it
    snprintf(reason, sizeof reason, "%s", why);
    library->asking = false;
    library->waiting = NULL;
    while (waiting) {
        struct library_wait *next = waiting->next;
        waiting->told(waiting, class, reason);
        waiting = next;
    }
}

/// Redis does not say what it runs: that is nothing to load over.
static void not_told(struct library *library, enum redis_class class, const char *reason) {
    know(library, LIBRARY_UNKNOWN, REDIS_CLASS_OK, "");
    finish(library, class, reason);
}

static void stays_older(struct library *library) {
    enum redis_class refused = library->refused;
    bool lasts = refused == REDIS_CLASS_CONFIGURATION || refused == REDIS_CLASS_ERROR;
    library->load_at_ms = lasts ? clock_monotonic_ms() + PAUSE_MS : 0;
    if (refused == REDIS_CLASS_UNKNOWN)
        not_told(library, refused, library->refusal);
    else {
        know(library, library->found, refused, library->refusal);
        finish(library, refused, library->state.refusal);
    }
}

static void newest_is_there(struct library *library, int64_t runs) {
    library->load_at_ms = 0;
    know(library, runs, REDIS_CLASS_OK, "");
    finish(library, REDIS_CLASS_OK, "");
}

// Looking

static enum err ask_revision(struct library *library, redis_callback *callback) {
    const struct bytes ask[] = {WORD("FCALL"), WORD("tresen_v1_revision"), WORD("0")};
    return redis_call(library->redis, 3, ask, callback, library);
}

/// false: the look is over.
static bool is_older(struct library *library, enum redis_class class, const redisReply *reply) {
    bool number = class == REDIS_CLASS_OK && reply->type == REDIS_REPLY_INTEGER;
    if (!number && class != REDIS_CLASS_REPAIRABLE) {
        if (class == REDIS_CLASS_OK) class = REDIS_CLASS_ERROR;
        not_told(library, class, reason_of(reply));
        return false;
    }
    library->found = number ? reply->integer : 0;
    if (library->found < library->state.brings) return true;
    newest_is_there(library, library->found);
    return false;
}

static void refuse(struct library *library, enum redis_class class, const char *reason) {
    if (class == REDIS_CLASS_OK || library->refused != REDIS_CLASS_OK) return; // the first counts
    library->refused = class;
    snprintf(library->refusal, sizeof library->refusal, "%s", reason);
}

static void watched(void *context, enum redis_class class, const redisReply *reply) {
    refuse(context, class, reason_of(reply));
}

static void load(struct library *library);

static void looked_again(void *context, enum redis_class class, const redisReply *reply) {
    struct library *library = context;
    if (!is_older(library, class, reply)) return; // the watch stays: one look more at worst
    if (library->refused != REDIS_CLASS_OK)
        stays_older(library);
    else
        load(library);
}

/// From here on a load by somebody else is noticed.
static void watch(struct library *library) {
    const struct bytes watch[] = {WORD("WATCH"), WORD(LIBRARY_KEY)};
    library->refused = REDIS_CLASS_OK;
    if (!redis_call(library->redis, 2, watch, watched, library) &&
        !ask_revision(library, looked_again))
        return;
    not_told(library, REDIS_CLASS_LATER, "the connection takes no calls");
}

static void looked(void *context, enum redis_class class, const redisReply *reply) {
    struct library *library = context;
    if (!is_older(library, class, reply)) return;
    if (library->waiting || clock_monotonic_ms() >= library->load_at_ms)
        watch(library);
    else
        finish(library, REDIS_CLASS_OK, ""); // nobody waits; what was told stands
}

static void begin(struct library *library) {
    library->asking = true;
    library->found = LIBRARY_UNKNOWN;
    if (ask_revision(library, looked))
        not_told(library, REDIS_CLASS_LATER, "the connection takes no calls");
}

void library_bring(struct library *library, struct library_wait *wait) {
    wait->next = library->waiting;
    library->waiting = wait;
    if (!library->asking) begin(library);
}

void library_look(struct library *library) {
    if (!library->asking && redis_is_up(library->redis)) begin(library);
}

// Loading

enum { LOADS = 2, COMMANDS = 5 }; // LOADS: its place in what EXEC answers

static void queued(void *context, enum redis_class class, const redisReply *reply) {
    refuse(context, class, reason_of(reply));
}

static void executed(void *context, enum redis_class class, const redisReply *reply) {
    struct library *library = context;
    if (class == REDIS_CLASS_OK && reply->type == REDIS_REPLY_NIL) { // somebody else has loaded
        watch(library);
        return;
    }
    refuse(library, class, reason_of(reply));
    if (class == REDIS_CLASS_OK) {
        bool all = reply->type == REDIS_REPLY_ARRAY && reply->elements > LOADS;
        const redisReply *done = all ? reply->element[LOADS] : NULL;
        refuse(library, done ? redis_classify(done) : REDIS_CLASS_ERROR, reason_of(done));
    }
    if (library->refused != REDIS_CLASS_OK)
        stays_older(library);
    else
        newest_is_there(library, library->state.brings);
}

static void load(struct library *library) {
    const struct bytes multi[] = {WORD("MULTI")};
    const struct bytes set[] = {WORD("SET"), WORD(LIBRARY_KEY), WORD("")};
    const struct bytes del[] = {WORD("DEL"), WORD(LIBRARY_KEY)};
    const struct bytes text[] = {WORD("FUNCTION"), WORD("LOAD"), WORD("REPLACE"), library->text};
    const struct bytes exec[] = {WORD("EXEC")};
    const struct {
        const struct bytes *words;
        size_t count;
        redis_callback *callback;
    } commands[COMMANDS] = {
        {multi, 1, queued}, {set, 3, queued},    {del, 2, queued},
        {text, 4, queued},  {exec, 1, executed},
    };
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!redis_call(library->redis, commands[i].count, commands[i].words, commands[i].callback,
                        library))
            continue;
        // A transaction without its end would take all calls that follow.
        redis_reconnect(library->redis, "no room for a transaction");
        not_told(library, REDIS_CLASS_UNKNOWN, "the connection takes no calls");
        return;
    }
}
