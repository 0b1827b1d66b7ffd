#include "sensors-gw/shell/gateway.h"

#include "common/base/hash.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/wire/body.h"
#include "sensors-gw/shell/attendance.h"
#include "sensors-gw/shell/folder.h"
#include "sensors-gw/shell/pseudonym_key.h"
#include "sensors-gw/shell/sensors.h"
#include "sensors-gw/shell/uplink.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    READS_A_TURN = 16,       // before the sockets get their turn
    STATUS_MS = 60000,       // between two lines about how it stands
    HOUSEKEEPING_MS = 60000, // between two commits at most, so that retention goes on
    MEASURES_MAX_BROUGHT = 256,
};

struct gateway {
    const struct gateway_settings *settings;
    const struct site *site;
    struct pseudonyms pseudonyms;

    struct loop *loop;
    struct spool *spool;
    struct batching *batching;
    struct sensors *sensors;
    struct attendance *attendance; // NULL: encounters are not made of presence
    struct uplink *uplink;

    size_t brought_count;
    struct id brought[MEASURES_MAX_BROUGHT];
    uint64_t birth;
    bool birth_due; // before the next batch

    struct buffer body;
    bool announce;         // the uplink does not know yet what the spool holds
    uint64_t commit_at_ms; // DEADLINE_NEVER: nothing waits
    uint64_t idle_at_ms;   // next batch with the watermark alone
    uint64_t housekeep_at_ms, status_at_ms;
    bool stopping;
    int exit_status;
    struct problem failure; // of the spool
};

// ------------------------------------------------------------------ giving up

static void stop(struct gateway *g, int exit_status) {
    if (exit_status && !g->exit_status) g->exit_status = exit_status;
    g->stopping = true;
    loop_stop(g->loop);
}

/// The spool failed: what the disk refused must not be tried again, and what a failed sync left is
/// not known before it is read anew. So this process ends, and says why.
static bool spooled(struct gateway *g, enum err err, const struct problem *problem) {
    if (!err) return true;
    if (!g->exit_status) {
        log_error("spool_failed", "reason=%s", problem->text);
        g->failure = *problem;
    }
    stop(g, err == ERR_FORMAT ? GATEWAY_EXIT_CONFIG : GATEWAY_EXIT_IO);
    return false;
}

// ------------------------------------------------------------------ batches into the spool

static void widen(struct span *span, int64_t at_ms) {
    if (at_ms == TIME_NONE) return;
    if (span->from_ms == TIME_NONE || at_ms < span->from_ms) span->from_ms = at_ms;
    if (span->to_ms == TIME_NONE || at_ms > span->to_ms) span->to_ms = at_ms;
}

/// The event times of what is in a batch; of one that has none, its watermark.
static struct span times_of(const struct batch *batch) {
    struct span times = {TIME_NONE, TIME_NONE};
    for (size_t i = 0; i < batch->series_count; i++) {
        widen(&times, batch->series[i].watched.from_ms);
        widen(&times, batch->series[i].watched.to_ms);
    }
    for (size_t i = 0; i < batch->fact_count; i++) {
        const struct fact *fact = &batch->facts[i];
        if (fact->kind == FACT_ENCOUNTER) {
            widen(&times, encounter_begin_ms(&fact->encounter));
            widen(&times, fact->encounter.ended_ms);
        } else if (fact->kind == FACT_GAP) {
            widen(&times, fact->gap.from_ms);
            widen(&times, fact->gap.to_ms);
        }
    }
    if (times.from_ms == TIME_NONE) widen(&times, batch->watermark_ms);
    return times;
}

static void append(struct gateway *g, const struct batch *batch) {
    struct problem problem = {0};
    buffer_clear(&g->body);
    enum err err = body_encode(batch, true, &g->body);
    if (err == ERR_FULL) assert(false && "batching keeps the limits of a body");
    if (err)
        problem_set(&problem, err, "a batch cannot be encoded: out of memory");
    else
        err = spool_append(g->spool, buffer_bytes(&g->body), times_of(batch), batch->watermark_ms,
                           &problem);
    (void)spooled(g, err, &problem);
}

static void append_birth(struct gateway *g) {
    struct fact birth = {.kind = FACT_BIRTH,
                         .measures = {g->brought_count, g->brought},
                         .counters = {g->site->counter_count, g->site->counters}};
    struct batch batch = {.watermark_ms = spool_state(g->spool)->watermark_ms,
                          .clock_error_ms = (uint32_t)g->settings->clock_error_ms,
                          .fact_count = 1,
                          .facts = &birth};
    append(g, &batch);
    spool_set_birth(g->spool, g->birth);
    g->birth_due = false;
}

/// What was left out while there was no room.
static void append_gap(struct gateway *g) {
    struct span gap = spool_state(g->spool)->gap;
    gap.to_ms++; // which is not in it any more
    struct fact fact = {.kind = FACT_GAP, .gap = gap, .reason = {"spool-full"}};
    struct batch batch = {.watermark_ms = spool_state(g->spool)->watermark_ms,
                          .clock_error_ms = (uint32_t)g->settings->clock_error_ms,
                          .fact_count = 1,
                          .facts = &fact};
    append(g, &batch);
    spool_clear_gap(g->spool);
}

/// Room for one more unapplied batch.
static bool fits(const struct gateway *g) {
    return spool_state(g->spool)->held_bytes < g->settings->spool_bytes_max;
}

static bool leaves_out(const struct gateway *g) {
    return g->settings->spool_when_full == WHEN_FULL_DROP_NEWEST && !fits(g);
}

static void take_batch(void *context, const struct batch *batch) {
    struct gateway *g = context;
    if (g->stopping && g->exit_status) return;
    if (leaves_out(g)) {
        spool_leave_out(g->spool, times_of(batch));
        return;
    }
    if (g->birth_due) append_birth(g);
    if (spool_state(g->spool)->gap.from_ms != TIME_NONE) append_gap(g);
    append(g, batch);
}

/// Everything that has been read, and how far, in one transaction.
static bool commit(struct gateway *g, uint64_t now_ms) {
    struct problem problem = {0};
    batching_cut(g->batching);
    if (g->exit_status) return false;
    if (spool_uncommitted(g->spool)) g->idle_at_ms = now_ms + g->settings->idle_batch_ms;
    enum err err = sensors_keep_cursors(g->sensors, g->spool, &problem);
    if (!err && g->attendance) err = attendance_keep(g->attendance, g->spool, &problem);
    if (!err) err = spool_commit(g->spool, now_ms, &problem);
    g->commit_at_ms = DEADLINE_NEVER;
    uint64_t mark_ms = g->settings->spool_retention_ms / 256;
    g->housekeep_at_ms = now_ms + (mark_ms < HOUSEKEEPING_MS ? mark_ms + 1 : HOUSEKEEPING_MS);
    g->announce = true;
    return spooled(g, err, &problem);
}

// ------------------------------------------------------------------ what the uplink asks

static bool on_commit(void *context) {
    return commit(context, clock_monotonic_ms());
}

static bool on_spooled(void *context, enum err err, const struct problem *problem) {
    return spooled(context, err, problem);
}

static void on_give_up(void *context, int exit_status) {
    stop(context, exit_status);
}

static void on_reading(void *context, uint32_t *permille, bool *ended) {
    const struct gateway *g = context;
    *permille = sensors_permille(g->sensors);
    *ended = sensors_ended(g->sensors);
}

// ------------------------------------------------------------------ the turn

/// Room for what would be read: a recording must not run far ahead of the store.
static bool room(const struct gateway *g) {
    if (spool_uncommitted(g->spool) >= g->settings->commit_batches) return false;
    if (g->settings->spool_when_full != WHEN_FULL_WAIT) return true;
    return spool_unapplied(g->spool) + spool_uncommitted(g->spool) < g->settings->held_max &&
           fits(g);
}

/// True: there may be more to read at once, as soon as there is room.
static bool read_sensors(struct gateway *g, uint64_t now_ms) {
    bool more = true;
    for (int i = 0; i < READS_A_TURN && more && room(g) && !g->exit_status; i++)
        more = sensors_read(g->sensors, now_ms, clock_utc_ms(),
                            (uint32_t)g->settings->batch_observations);
    if (g->attendance) attendance_pass(g->attendance);
    if (g->attendance && sensors_ended(g->sensors)) attendance_end(g->attendance);
    if (g->commit_at_ms == DEADLINE_NEVER &&
        (spool_uncommitted(g->spool) || sensors_moved(g->sensors)))
        g->commit_at_ms = now_ms + g->settings->batch_linger_ms;
    return more;
}

/// Every driver has ended: say so once, behind all that they brought.
static void say_goodbye(struct gateway *g, uint64_t now_ms) {
    const struct spool_state *state = spool_state(g->spool);
    if (!sensors_ended(g->sensors)) return;
    if (spool_uncommitted(g->spool) || sensors_moved(g->sensors) ||
        batching_deadline_ms(g->batching) != DEADLINE_NEVER)
        if (!commit(g, now_ms)) return;
    if (!state->birth || state->departed || leaves_out(g)) return;
    batching_fact(g->batching, &(struct fact){.kind = FACT_GOODBYE});
    spool_set_departed(g->spool);
    if (commit(g, now_ms)) log_info("goodbye", "last=%llu", (unsigned long long)state->last);
}

static void commit_when_due(struct gateway *g, uint64_t now_ms) {
    if (now_ms >= g->idle_at_ms) {
        g->idle_at_ms = now_ms + g->settings->idle_batch_ms;
        if (!sensors_ended(g->sensors)) batching_cut_watermark(g->batching);
    }
    if (now_ms >= g->commit_at_ms || now_ms >= g->housekeep_at_ms ||
        now_ms >= batching_deadline_ms(g->batching) ||
        spool_uncommitted(g->spool) >= g->settings->commit_batches)
        (void)commit(g, now_ms);
}

static void report(struct gateway *g) {
    const struct spool_state *state = spool_state(g->spool);
    log_info("status", "session=%s last=%llu applied=%llu held=%llu dropped=%llu read_permille=%u",
             session_state_name(uplink_state(g->uplink)), (unsigned long long)state->last,
             (unsigned long long)state->applied, (unsigned long long)spool_unapplied(g->spool),
             (unsigned long long)(state->dropped + state->left_out), sensors_permille(g->sensors));
    const char *name;
    uint64_t count;
    for (size_t i = 0; batching_oddity_at(g->batching, i, &name, &count); i++)
        log_info("oddity", "name=%s count=%llu", name, (unsigned long long)count);
}

static bool all_done(const struct gateway *g) {
    const struct spool_state *state = spool_state(g->spool);
    return sensors_ended(g->sensors) && !spool_uncommitted(g->spool) && !g->announce &&
           (state->departed || !state->birth) && uplink_settled(g->uplink);
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void on_turn(void *context) {
    struct gateway *g = context;
    if (g->stopping) return;
    uint64_t now_ms = clock_monotonic_ms();
    batching_now(g->batching, now_ms);
    bool more = read_sensors(g, now_ms);
    if (!g->exit_status) commit_when_due(g, now_ms);
    if (!g->exit_status) say_goodbye(g, now_ms);
    if (!g->exit_status && g->announce) {
        g->announce = false;
        uplink_spool_grew(g->uplink);
    }
    if (!g->exit_status) uplink_tick(g->uplink, now_ms);
    if (now_ms >= g->status_at_ms) {
        report(g);
        g->status_at_ms = now_ms + STATUS_MS;
    }
    if (g->settings->exit_at_end && all_done(g)) stop(g, GATEWAY_EXIT_OK);
    if (g->stopping) return;

    bool reading = room(g);
    sensors_wait(g->sensors, reading);
    uint64_t at_ms = least(uplink_deadline_ms(g->uplink), batching_deadline_ms(g->batching));
    at_ms = least(at_ms, least(g->commit_at_ms, g->housekeep_at_ms));
    at_ms = least(at_ms, least(g->idle_at_ms, g->status_at_ms));
    if (reading) at_ms = more ? now_ms : least(at_ms, sensors_deadline_ms(g->sensors));
    loop_timer_set(g->loop, at_ms);
}

static void on_stop(void *context, int signal) {
    struct gateway *g = context;
    log_info("stopping", "signal=%d", signal);
    stop(g, GATEWAY_EXIT_OK);
}

static void on_reload(void *context) {
    struct gateway *g = context;
    uplink_take_up_keys(g->uplink);
}

int gateway_run(struct gateway *g) {
    loop_handle(g->loop, &(struct loop_handlers){
                             .context = g, .stop = on_stop, .reload = on_reload, .turn = on_turn});
    loop_run(g->loop);
    if (!g->exit_status) (void)commit(g, clock_monotonic_ms());
    if (g->failure.text[0]) uplink_last_words(g->uplink, g->failure.text);
    report(g);
    return g->exit_status;
}

// ------------------------------------------------------------------ life

/// What the gateway brings, and its hash: a birth is told when that is new.
static void birth_init(struct gateway *g) {
    g->brought_count = sensors_brings(g->sensors, g->brought, MEASURES_MAX_BROUGHT);
    uint64_t hash = hash_fnv64("birth", 5);
    for (size_t i = 0; i < g->brought_count; i++)
        hash = hash * 31 + hash_fnv64(g->brought[i].text, strlen(g->brought[i].text));
    for (size_t i = 0; i < g->site->counter_count; i++)
        hash = hash * 37 + hash_fnv64(g->site->counters[i].text, strlen(g->site->counters[i].text));
    g->birth = hash ? hash : 1;
    const struct spool_state *state = spool_state(g->spool);
    g->birth_due = state->birth != g->birth || state->departed;
}

static enum err spool_init(struct gateway *g, bool new_spool, struct problem *problem) {
    const struct gateway_settings *s = g->settings;
    const struct spool_limits limits = {.full_sync = s->spool_full_sync,
                                        .bytes_max = s->spool_bytes_max,
                                        .retention_ms = s->spool_retention_ms,
                                        .drop_unapplied =
                                            s->spool_when_full == WHEN_FULL_DROP_OLDEST};
    uint64_t damaged;
    enum err err = folder_of_file_make(s->spool, problem);
    if (err) return err;
    err = spool_open(s->spool, &limits, new_spool, &g->spool, &damaged, problem);
    if (err) return err;
    if (damaged)
        log_error("spool_damaged", "spool=%s left_out=%llu", s->spool, (unsigned long long)damaged);
    const struct spool_state *state = spool_state(g->spool);
    if (state->converted)
        log_info("spool_converted", "spool=%s text=earlier programs cannot open it any more",
                 s->spool);
    if (state->fenced)
        return problem_set(problem, ERR_REFUSED,
                           "spool %s: a newer spool of this gateway has taken over; if this is the "
                           "one to keep, start once with --new-spool",
                           s->spool);
    return ERR_NONE;
}

static enum err sensing_init(struct gateway *g, const struct driver_entries *drivers,
                             struct problem *problem) {
    const struct gateway_settings *s = g->settings;
    const struct site *site = g->site;
    const struct batching_limits limits = {.observations_max = (uint32_t)s->batch_observations,
                                           .body_max = (uint32_t)s->batch_bytes,
                                           .linger_ms = (uint32_t)s->batch_linger_ms,
                                           .clock_error_ms = (uint32_t)s->clock_error_ms,
                                           .legal_most = (enum legal_class)s->legal_most,
                                           .counters = site->counters,
                                           .counter_count = site->counter_count};
    bool attended = s->presence_measure[0];
    g->batching = batching_new(&limits, drivers->count + attended,
                               spool_state(g->spool)->watermark_ms, take_batch, g);
    if (!g->batching) return problem_set(problem, ERR_NOMEM, "out of memory");
    g->pseudonyms.period = (enum pseudonym_period)s->pseudonym_period;
    g->pseudonyms.zone = &site->branch->zone;
    enum err err = folder_of_file_make(s->pseudonym_key, problem);
    if (!err) err = pseudonym_key_load(s->pseudonym_key, g->pseudonyms.key, problem);
    if (err) return err;
    const struct driver_context context = {.branch = &s->branch,
                                           .gateway = &s->gateway,
                                           .counters = site->counters,
                                           .counter_count = site->counter_count,
                                           .measures = &site->catalogue.measures,
                                           .zone = &site->branch->zone,
                                           .pseudonyms = &g->pseudonyms};
    err = sensors_new(drivers, &context, g->spool, g->batching, g->loop, &g->sensors, problem);
    if (!err && attended)
        err = attendance_new(s, site, g->spool, g->batching,
                             batching_source(g->batching, drivers->count), &g->attendance, problem);
    if (!err) birth_init(g);
    return err;
}

enum err gateway_new(const struct gateway_settings *settings, const struct driver_entries *drivers,
                     const struct site *site, bool new_spool, struct gateway **gateway_out,
                     struct problem *problem) {
    struct gateway *g = calloc(1, sizeof *g);
    if (!g) return problem_set(problem, ERR_NOMEM, "out of memory");
    g->settings = settings;
    g->site = site;
    g->commit_at_ms = DEADLINE_NEVER;
    buffer_init(&g->body, BATCH_BODY_MAX);

    const struct uplink_handlers handlers = {.context = g,
                                             .commit = on_commit,
                                             .spooled = on_spooled,
                                             .stop = on_give_up,
                                             .reading = on_reading};
    uint64_t now_ms = clock_monotonic_ms();
    g->idle_at_ms = now_ms + settings->idle_batch_ms;
    g->status_at_ms = now_ms + STATUS_MS;
    enum err err = loop_new(&g->loop);
    if (err) problem_set(problem, err, "no event loop: %s", err_name(err));
    if (!err) err = spool_init(g, new_spool, problem);
    if (!err) err = sensing_init(g, drivers, problem);
    if (!err) err = uplink_new(settings, g->spool, g->loop, &handlers, &g->uplink, problem);
    if (err) {
        gateway_free(g);
        return err;
    }
    *gateway_out = g;
    return ERR_NONE;
}

void gateway_free(struct gateway *g) {
    if (!g) return;
    uplink_free(g->uplink);
    sensors_free(g->sensors);
    attendance_free(g->attendance);
    loop_free(g->loop);
    batching_free(g->batching);
    spool_close(g->spool);
    buffer_fini(&g->body);
    explicit_bzero(g->pseudonyms.key, sizeof g->pseudonyms.key);
    free(g);
}
