#include "worker/shell/judging.h"

#include "common/io/clock.h"
#include "common/wire/message.h"

#include <stdlib.h>
#include <string.h>

enum {
    STEP_MS = 5,      // of loading a turn
    ASK_SOON_MS = 500 // while nothing is known
};

struct judged_by {
    struct plans *plans;
    bool borrowed; // they are the catalogue's
    size_t holders;
};

/// Editions as they came from the store; hash empty: the folder's.
struct source {
    char hash[SET_HASH_TEXT_SIZE];
    char edition[SET_HASH_TEXT_SIZE]; // the hash of the newest
    struct buffer text;               // to be put back where a Redis has lost all
};

struct judging {
    const struct worker_settings *settings;
    const struct catalogue *catalogue;
    struct judging_handlers handlers;
    struct store *store;
    struct judged_by *now;
    char registry[PLANS_HASH_SIZE]; // of the folder as it was read at the start
    struct loading *loading;        // NULL: none
    struct source current, next;    // next: of what is being loaded
    char seen[SET_HASH_TEXT_SIZE];  // what the store said last, taken up or not
    bool known, asking;
    uint64_t ask_at_ms;
    char trouble[REASON_MAX + 1];
};

// Who holds what

static struct judged_by *judged_by_new(struct plans *plans, bool borrowed) {
    struct judged_by *judged_by = plans ? calloc(1, sizeof *judged_by) : NULL;
    if (judged_by) *judged_by = (struct judged_by){plans, borrowed, 1};
    return judged_by;
}

struct judged_by *judging_hold(struct judging *judging) {
    judging->now->holders++;
    return judging->now;
}

void judging_release(struct judged_by *judged_by) {
    if (!judged_by || --judged_by->holders > 0) return;
    if (judged_by->borrowed)
        free(judged_by->plans);
    else
        plans_free(judged_by->plans);
    free(judged_by);
}

static struct plans *borrow(const struct catalogue *catalogue) {
    struct plans *plans = calloc(1, sizeof *plans);
    if (!plans) return NULL;
    *plans = (struct plans){.count = catalogue->branches.count, .items = catalogue->plans};
    memcpy(plans->hash, catalogue->hash_text, sizeof plans->hash);
    return plans;
}

static void source_clear(struct source *source) {
    source->hash[0] = source->edition[0] = '\0';
    buffer_clear(&source->text);
}

static void source_move(struct source *from, struct source *to) {
    buffer_fini(&to->text);
    *to = *from;
    from->hash[0] = from->edition[0] = '\0';
    buffer_init(&from->text, EDITIONS_BYTES_MAX);
}

struct judging *judging_new(const struct worker_settings *settings,
                            const struct catalogue *catalogue,
                            const struct judging_handlers *handlers) {
    struct judging *judging = calloc(1, sizeof *judging);
    struct plans *plans = borrow(catalogue);
    struct judged_by *now = judged_by_new(plans, true);
    if (!judging || !now) {
        free(judging);
        free(now ? NULL : plans);
        judging_release(now);
        return NULL;
    }
    static struct problems ignored; // the folder has just been read; a later change is refused
    *judging = (struct judging){.settings = settings,
                                .catalogue = catalogue,
                                .handlers = *handlers,
                                .now = now,
                                .known = settings->standards == STANDARDS_OF_FOLDER,
                                .ask_at_ms = DEADLINE_NEVER};
    buffer_init(&judging->current.text, EDITIONS_BYTES_MAX);
    buffer_init(&judging->next.text, EDITIONS_BYTES_MAX);
    catalogue_registry(settings->config_dir, judging->registry, &ignored);
    return judging;
}

void judging_free(struct judging *judging) {
    if (!judging) return;
    loading_free(judging->loading);
    judging_release(judging->now);
    buffer_fini(&judging->current.text);
    buffer_fini(&judging->next.text);
    free(judging);
}

bool judging_known(const struct judging *judging) {
    return judging->known;
}

const struct standards_plan *judging_plans(const struct judging *judging) {
    return judging->now->plans->items;
}

const char *judging_hash(const struct judging *judging) {
    return judging->now->plans->hash;
}

const char *judging_trouble(const struct judging *judging) {
    return judging->trouble;
}

// Taking up

static const char *name_of(const struct source *source) {
    return source->edition[0] ? source->edition : source->hash[0] ? source->hash : "folder";
}

/// On any error the old ones stay; without old ones nothing is judged.
static void keep(struct judging *judging, enum err err, const char *reason) {
    const char *standards = judging->known ? judging_hash(judging) : "none";
    snprintf(judging->trouble, sizeof judging->trouble, "standards: %s kept: %.150s", standards,
             reason);
    log_error("standards_kept", "standards=%s offered=%.12s reason=%s", standards,
              name_of(&judging->next), reason);
    loading_free(judging->loading);
    judging->loading = NULL;
    if (err == ERR_NOMEM) judging->seen[0] = '\0'; // the next look brings it again
    judging->handlers.changed(judging->handlers.context);
}

static void keep_problems(struct judging *judging, const struct problems *problems) {
    struct problem first;
    enum err err = problems_first(problems, &first);
    keep(judging, err, first.text);
}

/// Takes the editions; steps follow.
static void load(struct judging *judging, struct editions **editions) {
    const struct catalogue *catalogue = judging->catalogue;
    loading_free(judging->loading);
    judging->loading = loading_new(editions, &catalogue->branches, &catalogue->measures.measures);
    if (judging->loading) return;
    editions_free(*editions);
    keep(judging, ERR_NOMEM, "out of memory");
}

static void take_up(struct judging *judging) {
    struct plans *plans = loading_take(judging->loading);
    struct judged_by *new = judged_by_new(plans, false);
    if (!new) {
        plans_free(plans);
        keep(judging, ERR_NOMEM, "out of memory");
        return;
    }
    log_info("standards", "standards=%s before=%s from=%.12s", plans->hash, judging_hash(judging),
             name_of(&judging->next));
    loading_free(judging->loading);
    judging->loading = NULL;
    judging_release(judging->now);
    judging->now = new;
    source_move(&judging->next, &judging->current);
    judging->known = true;
    judging->trouble[0] = '\0';
    judging->handlers.changed(judging->handlers.context);
}

static void load_on(struct judging *judging) {
    static struct problems problems;
    uint64_t began_ms = clock_monotonic_ms();
    enum loading_state state = LOADING_MORE;
    problems = (struct problems){0};
    while (state == LOADING_MORE && clock_monotonic_ms() - began_ms < STEP_MS)
        state = loading_step(judging->loading, &problems);
    if (state == LOADING_DONE) take_up(judging);
    if (state == LOADING_FAILED) keep_problems(judging, &problems);
}

// The folder

static void reload_folder(struct judging *judging) {
    static struct problems problems;
    char registry[PLANS_HASH_SIZE];
    const char *folder = judging->settings->config_dir;
    struct editions *editions = calloc(1, sizeof *editions);
    problems = (struct problems){0};
    source_clear(&judging->next);
    if (!editions)
        problems_add(&problems, ERR_NOMEM, folder, "out of memory");
    else if (catalogue_registry(folder, registry, &problems) &&
             strcmp(registry, judging->registry) != 0)
        problems_add(&problems, ERR_CONFLICT, folder,
                     "branches or measures.yaml have changed too: restart this worker; no branch "
                     "waits for it");
    else
        catalogue_edition(folder, &editions->items[editions->count++], &problems);
    if (problems.count == 0) {
        load(judging, &editions);
        return;
    }
    editions_free(editions);
    keep_problems(judging, &problems);
}

// What is published

static void ask_in(struct judging *judging, uint64_t pause_ms) {
    judging->ask_at_ms = clock_monotonic_ms() + pause_ms;
}

static void ask_later(struct judging *judging) {
    uint64_t poll_ms = judging->settings->standards_poll_ms;
    ask_in(judging, judging->known || poll_ms < ASK_SOON_MS ? poll_ms : ASK_SOON_MS);
}

static void restored(void *context, enum redis_class class, struct bytes reply,
                     const char *reason) {
    struct judging *judging = context;
    (void)reply;
    log_warning("standards_restored", "offered=%.12s class=%s reason=%s", judging->current.edition,
                redis_class_name(class), reason);
}

/// A Redis that has lost all gets back what is run; others may be faster.
static void nothing_is_published(struct judging *judging) {
    memcpy(judging->seen, judging->current.hash, sizeof judging->seen);
    if (judging->current.hash[0]) {
        enum err err =
            store_restore_editions(judging->store, judging->current.hash,
                                   buffer_bytes(&judging->current.text), restored, judging);
        if (err) log_debug("standards_not_restored", "reason=%s", err_name(err));
        return;
    }
    if (judging->known) return;
    log_info("standards", "standards=%s from=folder reason=%s", judging_hash(judging),
             "nothing is published");
    judging->known = true;
    judging->handlers.changed(judging->handlers.context);
}

static void something_is_published(struct judging *judging, const struct editions_reply *reply) {
    struct editions *editions = NULL;
    struct problem problem = {0};
    enum err err;
    struct source *next = &judging->next;
    source_clear(next);
    sha256_text(reply->text, next->hash);
    buffer_put(&next->text, reply->text.data, reply->text.size);
    if (strcmp(judging->seen, next->hash) != 0)
        keep(judging, ERR_FORMAT,
             "what is published has another hash than it says; delete " EDITIONS_KEY
             " in Redis: a worker puts back what it runs");
    else if (next->text.no_memory)
        keep(judging, ERR_NOMEM, "out of memory");
    else if (next->text.failed)
        keep(judging, ERR_FULL, "what is published is too large");
    else if ((err = editions_read(reply->text, &editions, &problem)))
        keep(judging, err, problem.text);
    else {
        memcpy(next->edition, editions->items[editions->count - 1].hash, sizeof next->edition);
        load(judging, &editions);
    }
}

static void take_answer(struct judging *judging, enum redis_class class, struct bytes bytes,
                        const char *reason) {
    struct editions_reply reply;
    if (class != REDIS_CLASS_OK || editions_reply_read(bytes, &reply)) {
        log_warning("standards_not_asked", "class=%s reason=%s", redis_class_name(class), reason);
        return;
    }
    if (reply.hash.size == 0) {
        nothing_is_published(judging);
    } else if (reply.text.size > 0) {
        snprintf(judging->seen, sizeof judging->seen, "%.*s", (int)reply.hash.size,
                 (const char *)reply.hash.data);
        something_is_published(judging, &reply);
    } else if (judging->trouble[0] && strcmp(judging->seen, judging->current.hash) == 0) {
        judging->trouble[0] = '\0'; // what it kept is what is published again
        judging->handlers.changed(judging->handlers.context);
    }
}

static void answered(void *context, enum redis_class class, struct bytes bytes,
                     const char *reason) {
    struct judging *judging = context;
    judging->asking = false;
    take_answer(judging, class, bytes, reason);
    ask_later(judging);
}

static void ask(struct judging *judging) {
    judging->ask_at_ms = DEADLINE_NEVER;
    if (!judging->store || judging->asking) return;
    judging->asking = !store_editions(judging->store, judging->seen, answered, judging);
    if (!judging->asking) ask_later(judging);
}

// Inputs

void judging_reload(struct judging *judging) {
    if (judging->settings->standards == STANDARDS_OF_FOLDER) {
        reload_folder(judging);
        return;
    }
    judging->seen[0] = '\0';
    ask(judging);
}

void judging_store_up(struct judging *judging, struct store *store) {
    if (judging->settings->standards == STANDARDS_OF_FOLDER) return;
    judging->store = store;
    ask_in(judging, 0);
}

void judging_step(struct judging *judging) {
    if (judging->loading) load_on(judging);
    if (clock_monotonic_ms() >= judging->ask_at_ms) ask(judging);
}

uint64_t judging_deadline_ms(const struct judging *judging) {
    return judging->loading ? 0 : judging->ask_at_ms;
}
