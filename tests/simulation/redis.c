// Redis: the store model behind latency, failures and falls back; calls as store.c repeats them.

#include "tests/simulation/simulation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void call_free(struct store_call *call) {
    buffer_fini(&call->argument);
    free(call);
}

void redis_start(struct simulation *s) {
    s->redis.branches = malloc(WORLD_BRANCHES * sizeof(struct model));
    s->redis.snapshots = malloc(SNAPSHOTS * WORLD_BRANCHES * sizeof(struct model));
    assert(s->redis.branches && s->redis.snapshots);
    for (size_t i = 0; i < s->world->branch_count; i++)
        model_empty(&s->redis.branches[i], s->plant);
}

int64_t redis_utc_ms(struct simulation *s) {
    int64_t utc_ms = s->world->begin_ms + (int64_t)s->now_ms + s->redis.clock_ahead_ms;
    if (utc_ms > s->redis.latest_ms) s->redis.latest_ms = utc_ms;
    return utc_ms;
}

// Calls and replies of one connection stay in order
// ------------------------------------------------

static uint64_t after(struct simulation *s, uint64_t *last_ms) {
    uint64_t at_ms = s->now_ms + chance_range(&s->chance, 0, 2);
    if (chance_permille(&s->chance, s->delay_permille)) at_ms += chance_below(&s->chance, 400);
    if (at_ms < *last_ms) at_ms = *last_ms;
    *last_ms = at_ms;
    return at_ms;
}

void redis_call(struct simulation *s, struct store_call *call) {
    event_push(s, (struct event){.at_ms = after(s, &s->workers[call->worker].redis_last_ms[0]),
                                 .kind = EVENT_CALL,
                                 .call = call});
}

static void reply(struct simulation *s, struct store_call *call, struct bytes bytes, bool failed) {
    struct event event = {.at_ms = after(s, &s->redis.answered_ms[call->worker]),
                          .kind = EVENT_REPLY,
                          .call = call,
                          .subject = failed,
                          .data = malloc(bytes.size + 1),
                          .size = bytes.size};
    assert(event.data);
    if (bytes.size) memcpy(event.data, bytes.data, bytes.size);
    event_push(s, event);
}

/// What the connection would say: LOADING, OOM, a wrong type ... the call is not carried out.
static bool turned_away(struct simulation *s, struct store_call *call) {
    bool missing = !s->redis.functions && call->stage != STAGE_LOAD;
    bool turned =
        missing || s->redis.later_until_ms > s->now_ms || s->redis.error_until_ms > s->now_ms;
    if (turned) reply(s, call, (struct bytes){0}, true);
    return turned;
}

static void shadow(struct simulation *s, const struct store_call *call, enum model_call what,
                   struct bytes argument, const char *error) {
    if (!s->shadow) return;
    const char *differs = s->shadow->call(
        s->shadow->context, &s->world->branches[call->branch], what, argument, redis_utc_ms(s),
        &s->redis.branches[call->branch], error, buffer_bytes(&s->reply));
    if (differs)
        wrong(s, "call %d of branch %zu: the model and Redis differ: %s", (int)what, call->branch,
              differs);
}

static void write_set(const struct simulation *s, struct buffer *argument) {
    struct name set;
    memcpy(set.text, world_standards(s->world)->hash_text, sizeof set.text);
    call_publish(&set, bytes_of_text(world_standards(s->world)->json), argument);
}

static void carry_out(struct simulation *s, struct store_call *call) {
    static const char *const names[] = {"configure", "ask",     "ingest",   "take",
                                        "settle",    "publish", "give_back"};
    struct model *model = &s->redis.branches[call->branch];
    enum model_call what = call->stage == STAGE_CONFIGURE ? MODEL_CONFIGURE
                           : call->stage == STAGE_PUBLISH ? MODEL_PUBLISH
                                                          : call->goal;
    struct buffer brought;
    buffer_init(&brought, 4096);
    if (what == MODEL_CONFIGURE)
        call_configure(&s->world->branches[call->branch], &s->world->policy, &brought);
    if (what == MODEL_PUBLISH) write_set(s, &brought);
    struct bytes argument = buffer_bytes(what == call->goal ? &call->argument : &brought);
    buffer_clear(&s->reply);
    oracle_before(s, call);
    leases_before(s, call);
    const char *error = model_call(model, what, argument, redis_utc_ms(s), &s->reply);
    assert(!s->reply.failed);
    shadow(s, call, what, argument, error);
    trace(s, "store: %s of branch %zu by worker %u: %s", names[what], call->branch, call->worker,
          error ? error : store_status_name((enum store_status)s->reply.data[0]));
    if (error)
        wrong(s, "the store refuses %s of branch %zu: %s", names[what], call->branch, error);
    else
        oracle_after(s, call, buffer_bytes(&s->reply));
    if (!error) leases_after(s, call, buffer_bytes(&s->reply));
    reply(s, call, buffer_bytes(&s->reply), error != NULL);
    buffer_fini(&brought);
}

bool redis_operate(struct simulation *s, size_t branch, enum model_call what, int64_t from_ms) {
    const struct branch *configured = &s->world->branches[branch];
    uint64_t configuration = store_configuration(configured, &s->world->policy);
    bool answers = !s->redis.away && s->redis.functions && s->redis.slow_until_ms <= s->now_ms;
    if (!answers) return false;
    struct buffer argument;
    char day[DAY_TEXT_SIZE];
    struct store_call call = {.branch = branch};
    buffer_init(&argument, 256);
    time_day_text(&configured->zone, from_ms, day);
    if (what == MODEL_SEAL)
        call_seal(configuration, day, from_ms + DAY_MS, &argument);
    else
        call_rebuild(configuration, day, from_ms, &argument);
    buffer_clear(&s->reply);
    const char *error = model_call(&s->redis.branches[branch], what, buffer_bytes(&argument),
                                   redis_utc_ms(s), &s->reply);
    shadow(s, &call, what, buffer_bytes(&argument), error);
    enum store_status status = error ? STORE_STATUS_COUNT : (enum store_status)s->reply.data[0];
    trace(s, "operator: %s %s of branch %zu: %s", what == MODEL_SEAL ? "seal" : "rebuild", day,
          branch, error ? error : store_status_name(status));
    if (error) wrong(s, "the store refuses to touch %s of branch %zu: %s", day, branch, error);
    if (status == STORE_OK && what == MODEL_REBUILD && from_ms == WORLD_MIDNIGHT_MS)
        s->rebuilt[branch] = true;
    oracle_operated(s, branch);
    buffer_fini(&argument);
    return status == STORE_OK;
}

void redis_arrived(struct simulation *s, struct store_call *call) {
    const struct worker *worker = &s->workers[call->worker];
    bool gone = worker->process.life != call->life || worker->redis_connection != call->connection;
    if (s->redis.away || (gone && chance_permille(&s->chance, 500))) {
        call_free(call); // lost with its connection
        return;
    }
    if (s->redis.slow_until_ms > s->now_ms) {
        event_push(
            s, (struct event){.at_ms = s->redis.slow_until_ms, .kind = EVENT_CALL, .call = call});
        return;
    }
    if (turned_away(s, call)) return;
    if (call->stage == STAGE_LOAD) {
        s->redis.functions = true;
        reply(s, call, (struct bytes){0}, false);
        return;
    }
    carry_out(s, call);
}

// What came back: as worker/store/store.c, missing functions, configurations and sets are brought
// --------

static enum call_class class_of(const struct simulation *s, bool failed) {
    if (!failed) return CALL_OK;
    return s->redis.error_until_ms > s->now_ms ? CALL_ERROR : CALL_RETRY;
}

void redis_replied(struct simulation *s, struct store_call *call, struct bytes bytes, bool failed) {
    struct worker *worker = &s->workers[call->worker];
    if (!worker->process.alive || worker->process.life != call->life ||
        worker->redis_connection != call->connection) {
        call_free(call);
        return;
    }
    bool missing = failed && !s->redis.functions;
    bool unconfigured =
        !failed && call->stage == STAGE_GOAL && bytes.size && bytes.data[0] == STORE_UNCONFIGURED;
    struct settle_reply settled;
    bool set_missing = !failed && call->stage == STAGE_GOAL && call->goal == MODEL_SETTLE &&
                       !settle_reply_read(bytes, &settled) && settled.set_missing;
    if (missing && !call->loaded) {
        call->loaded = true;
        call->stage = STAGE_LOAD;
        redis_call(s, call);
    } else if (unconfigured && !call->configured) {
        call->configured = true;
        call->stage = STAGE_CONFIGURE;
        redis_call(s, call);
    } else if (set_missing && !call->published) {
        call->published = true;
        call->stage = STAGE_PUBLISH;
        redis_call(s, call);
    } else if (!failed && call->stage != STAGE_GOAL) {
        call->stage = STAGE_GOAL;
        redis_call(s, call);
    } else {
        worker_reply(s, call, bytes, class_of(s, failed || set_missing));
        call_free(call);
    }
}

// What can happen to it ---------------------------------------------------------------------------

static void break_connections(struct simulation *s) {
    for (size_t i = 0; i < s->worker_count; i++)
        worker_redis_lost(s, i);
}

void redis_go_away(struct simulation *s, uint64_t until_ms) {
    s->redis.away = true;
    s->redis.away_until_ms = until_ms;
    break_connections(s);
}

/// round: 0 is the oldest.
static struct model *snapshot_at(struct simulation *s, size_t round, size_t branch) {
    size_t at = (s->redis.snapshot_first + round) % SNAPSHOTS;
    return &s->redis.snapshots[at * WORLD_BRANCHES + branch];
}

void redis_snapshot(struct simulation *s) {
    if (s->redis.snapshot_count == SNAPSHOTS) { // the oldest makes room
        s->redis.snapshot_first = (s->redis.snapshot_first + 1) % SNAPSHOTS;
        s->redis.snapshot_count--;
    }
    for (size_t i = 0; i < s->world->branch_count; i++)
        model_copy(snapshot_at(s, s->redis.snapshot_count, i), &s->redis.branches[i]);
    s->redis.snapshot_count++;
}

void redis_fall_back(struct simulation *s) {
    if (s->redis.snapshot_count == 0) return;
    size_t round = chance_below(&s->chance, (uint32_t)s->redis.snapshot_count);
    trace(s, "the store falls back");
    s->shadow = NULL; // it cannot follow
    break_connections(s);
    for (size_t i = 0; i < s->world->branch_count; i++) {
        model_copy(&s->redis.branches[i], snapshot_at(s, round, i));
        oracle_store_changed(s, i);
    }
    s->redis.snapshot_count = round; // those after it are of a history that is no more
    s->redis.fallbacks++;
}

void redis_empty(struct simulation *s) {
    trace(s, "the store is emptied");
    if (s->shadow) s->shadow->empty(s->shadow->context);
    break_connections(s);
    for (size_t i = 0; i < s->world->branch_count; i++) {
        model_empty(&s->redis.branches[i], s->plant);
        oracle_store_changed(s, i);
    }
    s->redis.functions = false;
    s->redis.snapshot_count = 0;
    s->redis.fallbacks++;
}
