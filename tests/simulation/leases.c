// Who took which encounter, and what became of them: as many deaths as tries_max make it an error,
// nothing else does; and what kills takes others with it once at most.

#include "tests/simulation/simulation.h"
#include "worker/core/settle.h"

#include <assert.h>
#include <string.h>

enum { LEASE_AT = 8 }; // in the arguments of take and settle

/// The branch as it was before the call at hand.
static struct {
    size_t count, alone_count;
    struct {
        enum model_state state;
        uint8_t tries, lease[8];
        bool due;
    } encounters[MODEL_ENCOUNTERS];
    struct model_alone alone[MODEL_ALONE];
} before;

static struct model *model_of(const struct simulation *s, size_t branch) {
    return &s->redis.branches[branch];
}

static bool same_lease(const uint8_t a[8], const uint8_t b[8]) {
    return memcmp(a, b, 8) == 0;
}

static bool leased(const uint8_t lease[8]) {
    return !same_lease(lease, (const uint8_t[8]){0});
}

void leases_before(struct simulation *s, const struct store_call *call) {
    const struct model *model = model_of(s, call->branch);
    before.count = model->encounter_count;
    before.alone_count = model->alone_count;
    memcpy(before.alone, model->alone, model->alone_count * sizeof *model->alone);
    for (size_t i = 0; i < model->encounter_count; i++) {
        const struct model_encounter *e = &model->encounters[i];
        before.encounters[i].state = e->state;
        before.encounters[i].tries = e->tries;
        before.encounters[i].due = e->has_due;
        memcpy(before.encounters[i].lease, e->lease, sizeof e->lease);
    }
}

// Who holds it -----------------------------------------------------------------------------------

/// Nobody will settle what it took, nor give it back: it has died, or its store forgot that it did.
static bool is_gone(const struct simulation *s, const struct model_holder *holder) {
    const struct process *process = &s->workers[holder->worker].process;
    return !process->alive || process->life != holder->life ||
           holder->fallbacks != s->redis.fallbacks;
}

static size_t gone(const struct simulation *s, const struct model_encounter *e) {
    size_t count = 0;
    for (size_t i = 0; i < e->holder_count; i++)
        count += is_gone(s, &e->holders[i]);
    return count;
}

/// It has lost its connection since, and could not give it back yet.
static bool is_cut_off(const struct simulation *s, const struct model_holder *holder) {
    return s->workers[holder->worker].redis_connection != holder->connection;
}

/// How many tries there are good reasons for. A store that is away so often that some cannot give
/// back in time is no reason to give up one that kills nobody.
static size_t reasons(const struct simulation *s, const struct model_encounter *e, bool deadly) {
    size_t count = 0;
    for (size_t i = 0; i < e->holder_count; i++)
        count += e->holders[i].first || is_gone(s, &e->holders[i]) ||
                 (deadly && is_cut_off(s, &e->holders[i]));
    return count;
}

static void forget_holder(struct model_encounter *e, const uint8_t lease[8]) {
    size_t kept = 0;
    for (size_t i = 0; i < e->holder_count; i++)
        if (!same_lease(e->holders[i].lease, lease)) e->holders[kept++] = e->holders[i];
    e->holder_count = kept;
}

static void add_holder(const struct simulation *s, struct model_encounter *e,
                       const struct store_call *call, const uint8_t lease[8], bool first) {
    if (e->holder_count == MODEL_HOLDERS)
        memmove(e->holders, e->holders + 1, --e->holder_count * sizeof *e->holders);
    struct model_holder *holder = &e->holders[e->holder_count++];
    *holder = (struct model_holder){.connection = call->connection,
                                    .worker = call->worker,
                                    .life = call->life,
                                    .fallbacks = s->redis.fallbacks,
                                    .first = first};
    memcpy(holder->lease, lease, sizeof holder->lease);
}

// Calls ------------------------------------------------------------------------------------------

/// It is given up: settled as an error, or left as it was settled.
static void check_given_up(struct simulation *s, size_t branch, struct model_encounter *e) {
    bool deadly = world_deadly(s->world, branch, e->id.text) && e->state != MODEL_FINAL;
    if (reasons(s, e, deadly) < s->world->policy.tries_max)
        wrong(s, "branch %zu: encounter %s is given up, but only %zu of those who took it died",
              branch, e->id.text, gone(s, e));
    if (deadly) return;
    if (!s->faulty) wrong(s, "branch %zu: encounter %s is given up", branch, e->id.text);
    trace(s, "encounter %s of branch %zu is given up, but killed nobody", e->id.text, branch);
    s->blamed[branch] = true;
    e->blamed = e->state != MODEL_FINAL;
}

static void taken(struct simulation *s, const struct store_call *call, struct model_encounter *e,
                  size_t tries) {
    const uint8_t *lease = call->argument.data + LEASE_AT;
    size_t most = s->world->policy.tries_max;
    e->blamed = e->blamed && e->state == MODEL_FINAL;
    if (tries >= most)
        check_given_up(s, call->branch, e);
    else if (gone(s, e) >= most)
        wrong(s, "branch %zu: encounter %s is judged once more, but %zu workers died of it",
              call->branch, e->id.text, gone(s, e));
    add_holder(s, e, call, lease, tries == 0);
}

static void after_take(struct simulation *s, const struct store_call *call, struct model *model) {
    for (size_t i = 0; i < model->encounter_count; i++) {
        struct model_encounter *e = &model->encounters[i];
        if (same_lease(e->lease, call->argument.data + LEASE_AT))
            taken(s, call, e, before.encounters[i].tries);
        else if (before.encounters[i].due && !e->has_due) // final, and none shall take it
            check_given_up(s, call->branch, e);
    }
}

/// Whoever had these leases told that it lives, and the store knew them.
static void after_return(struct model *model, const uint8_t *leases, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < before.alone_count; k++)
            if (same_lease(before.alone[k].lease, leases + 8 * i))
                for (size_t n = 0; n < model->encounter_count; n++)
                    forget_holder(&model->encounters[n], leases + 8 * i);
}

void leases_after(struct simulation *s, const struct store_call *call, struct bytes reply) {
    struct model *model = model_of(s, call->branch);
    if (call->stage != STAGE_GOAL || reply.data[0] == STORE_UNCONFIGURED) return;
    const uint8_t *argument = call->argument.data;
    if (call->goal == MODEL_GIVE_BACK)
        after_return(model, argument + LEASE_AT + 1, argument[LEASE_AT]);
    if (call->goal == MODEL_SETTLE) after_return(model, argument + LEASE_AT, 1);
    if (call->goal == MODEL_TAKE) after_take(s, call, model);
    for (size_t i = 0; i < model->encounter_count; i++) {
        struct model_encounter *e = &model->encounters[i];
        if (leased(e->lease)) continue;
        if (i < before.count && call->goal == MODEL_INGEST) // touched: the try is given back
            forget_holder(e, before.encounters[i].lease);
        if (e->tries == 0) e->holder_count = 0;
    }
}

// Deaths -----------------------------------------------------------------------------------------

/// The first standard's reason: all have the same, or it is not a crash.
static bool is_crash(struct bytes verdicts) {
    struct reader in = reader_of(verdicts);
    struct verdicts_head head;
    struct verdict_entry entry;
    return verdicts.size && !verdicts_read(&in, &head) && !verdicts_next(&in, &entry) &&
           entry.judgement.verdict == VERDICT_ERROR && entry.judgement.reason == REASON_CRASH;
}

bool leases_kills(const struct simulation *s, size_t branch, const struct settle_call *settle) {
    bool judged = settle->contribution.size && !is_crash(settle->verdicts);
    return judged && world_deadly(s->world, branch, settle->encounter.text);
}

void leases_killed(struct simulation *s, size_t branch, const struct settle_call *settle) {
    const struct model *model = model_of(s, branch);
    for (size_t i = 0; i < model->encounter_count; i++) {
        const struct model_encounter *e = &model->encounters[i];
        if (strcmp(e->id.text, settle->encounter.text) != 0 && e->tries > 1 &&
            same_lease(e->lease, settle->lease.bytes))
            wrong(s, "branch %zu: encounter %s is taken once more together with %s, which kills",
                  branch, e->id.text, settle->encounter.text);
    }
}

void leases_end(struct simulation *s, size_t branch) {
    const struct model *model = model_of(s, branch);
    for (size_t i = 0; i < model->encounter_count; i++) {
        const struct model_encounter *e = &model->encounters[i];
        if (e->deleted || e->contribution_size == 0) continue; // withdrawn, or not judged
        bool crash = is_crash((struct bytes){e->verdicts, e->verdicts_size});
        if (crash != (world_deadly(s->world, branch, e->id.text) || e->blamed))
            wrong(s, "branch %zu: encounter %s %s, but ends%s as a crash", branch, e->id.text,
                  crash ? "kills nobody" : "kills", crash ? "" : " not");
    }
}
