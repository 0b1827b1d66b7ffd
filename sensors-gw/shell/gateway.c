#include "sensors-gw/shell/gateway.h"

#include "common/base/hash.h"
#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/registry/keys.h"
#include "common/wire/body.h"
#include "common/wire/message.h"
#include "sensors-gw/core/session.h"
#include "sensors-gw/shell/folder.h"
#include "sensors-gw/shell/pseudonym_key.h"
#include "sensors-gw/shell/sensors.h"

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
    struct bus *bus;
    struct bus_socket *socket;
    size_t endpoint;           // which of the brokers
    uint64_t connect_until_ms; // then the next one
    char as[KEY_NAME_SIZE];    // its name
    bool plain;                // the socket does not know it: say it in each message

    struct spool *spool;
    struct batching *batching;
    struct sensors *sensors;
    struct session session;

    size_t brought_count;
    struct id brought[MEASURES_MAX_BROUGHT];
    uint64_t birth;
    bool birth_due; // before the next batch

    struct buffer body, frame;
    bool announce;         // the session does not know yet what the spool holds
    uint64_t commit_at_ms; // DEADLINE_NEVER: nothing waits
    uint64_t idle_at_ms;   // next batch with the watermark alone
    uint64_t housekeep_at_ms, status_at_ms;
    bool stopping;
    int exit_status;
};

// ------------------------------------------------------------------ giving up

static void stop(struct gateway *g, int exit_status) {
    if (exit_status && !g->exit_status) g->exit_status = exit_status;
    g->stopping = true;
    loop_stop(g->loop);
}

/// The spool failed: what the disk refused must not be tried again.
static bool spooled(struct gateway *g, enum err err, const struct problem *problem) {
    if (!err) return true;
    if (!g->exit_status) log_error("spool_failed", "reason=%s", problem->text);
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
    if (!err)
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

static void take_batch(void *context, const struct batch *batch) {
    struct gateway *g = context;
    if (g->stopping && g->exit_status) return;
    if (g->birth_due) append_birth(g);
    append(g, batch);
}

/// Everything that has been read, and how far, in one transaction.
static bool commit(struct gateway *g, uint64_t now_ms) {
    struct problem problem = {0};
    batching_cut(g->batching);
    if (g->exit_status) return false;
    if (spool_uncommitted(g->spool)) g->idle_at_ms = now_ms + g->settings->idle_batch_ms;
    enum err err = sensors_keep_cursors(g->sensors, g->spool, &problem);
    if (!err) err = spool_commit(g->spool, now_ms, &problem);
    g->commit_at_ms = DEADLINE_NEVER;
    uint64_t mark_ms = g->settings->spool_retention_ms / 256;
    g->housekeep_at_ms = now_ms + (mark_ms < HOUSEKEEPING_MS ? mark_ms + 1 : HOUSEKEEPING_MS);
    g->announce = true;
    return spooled(g, err, &problem);
}

// ------------------------------------------------------------------ what the session wants

static uint64_t unapplied(const struct gateway *g) {
    const struct spool_state *state = spool_state(g->spool);
    return state->last > state->applied ? state->last - state->applied : 0;
}

static struct bytes as_of(const struct gateway *g) {
    return g->plain ? bytes_of_text(g->as) : (struct bytes){0};
}

static void send_ask(struct gateway *g, const struct session_action *action) {
    const struct spool_state *state = spool_state(g->spool);
    struct problem problem = {0};
    struct message message = {.type = MESSAGE_ASK,
                              .session = action->session,
                              .position = {.epoch = state->epoch},
                              .spool = state->id,
                              .has_spool = true,
                              .as = as_of(g),
                              .held = unapplied(g),
                              .spooled = state->last,
                              .dropped = state->dropped,
                              .read_permille = sensors_permille(g->sensors),
                              .ended = sensors_ended(g->sensors)};
    if (!spooled(g, spool_oldest_ms(g->spool, &message.oldest_ms, &problem), &problem)) return;
    buffer_clear(&g->frame);
    enum err err = message_encode(&message, &g->frame);
    assert(!err || err == ERR_NOMEM);
    // Unsent or lost is one to the session: it asks again when no answer comes.
    if (!err) err = bus_send(g->socket, BUS_BROKER, buffer_bytes(&g->frame));
    if (err) log_debug("ask_unsent", "reason=%s", err_name(err));
}

/// Batches on their way into frames; a frame holds as many as fit.
struct sending {
    struct gateway *g;
    const struct session_action *action;
    uint64_t frame_first; // of those in the frame; 0: it is empty
    uint64_t unsent;      // the first that could not be handed over; 0: none
};

static bool send_frame(struct sending *sending) {
    struct gateway *g = sending->g;
    if (!sending->frame_first) return true;
    if (bus_send(g->socket, BUS_BROKER, buffer_bytes(&g->frame))) {
        sending->unsent = sending->frame_first;
        return false;
    }
    buffer_clear(&g->frame);
    sending->frame_first = 0;
    return true;
}

static bool send_batch(void *context, const struct spool_batch *batch) {
    struct sending *sending = context;
    struct gateway *g = sending->g;
    const struct session_action *action = sending->action;
    struct message message = {.type = MESSAGE_BATCH,
                              .session = action->session,
                              .position = {spool_state(g->spool)->epoch, batch->number, batch->tag},
                              .lost = batch->number == action->from ? action->lost : 0,
                              .body = batch->body,
                              .as = as_of(g)};
    enum err err = message_encode(&message, &g->frame);
    if (err == ERR_FULL && sending->frame_first) {
        if (!send_frame(sending)) return false;
        err = message_encode(&message, &g->frame);
    }
    assert(err != ERR_FULL && "a frame holds the largest batch");
    if (err) {
        sending->unsent = sending->frame_first ? sending->frame_first : batch->number;
        return false;
    }
    if (!sending->frame_first) sending->frame_first = batch->number;
    return true;
}

/// The first number that could not be sent; 0: all were.
static uint64_t send_batches(struct gateway *g, const struct session_action *action) {
    struct sending sending = {.g = g, .action = action};
    struct problem problem = {0};
    buffer_clear(&g->frame);
    enum err err = spool_read(g->spool, action->from, action->to, send_batch, &sending, &problem);
    if (!spooled(g, err, &problem)) return action->from;
    if (!sending.unsent) (void)send_frame(&sending);
    return sending.unsent;
}

static void stop_session(struct gateway *g, enum session_stop reason) {
    static const char *const texts[] = {
        [STOP_NONE] = "",
        [STOP_FENCED] = "a newer spool of this gateway has taken over; if this is the one to keep, "
                        "start once with --new-spool",
        [STOP_CLONE] = "the store has another batch under one of our numbers: this spool runs on "
                       "two machines; end one of them and start once with --new-spool",
        [STOP_ROLLED_BACK] = "the store has applied more than this spool holds: it was put back "
                             "from an old copy; start once with --new-spool",
    };
    log_error("session_stopped", "reason=%s text=%s", session_stop_name(reason), texts[reason]);
    struct problem problem = {0};
    if (reason == STOP_FENCED && commit(g, clock_monotonic_ms()))
        (void)spooled(g, spool_set_fenced(g->spool, &problem), &problem);
    stop(g, GATEWAY_EXIT_CONFIG);
}

static void grant_epoch(struct gateway *g, uint64_t epoch, uint64_t now_ms) {
    struct problem problem = {0};
    if (!commit(g, now_ms)) return;
    if (spooled(g, spool_set_epoch(g->spool, epoch, &problem), &problem))
        log_info("epoch_granted", "epoch=%llu", (unsigned long long)epoch);
}

static void feed(struct gateway *g, struct session_input in) {
    struct session_actions out;
    struct problem problem = {0};
    uint64_t unsent = 0;
    in.now_ms = clock_monotonic_ms();
    enum session_state before = session_state(&g->session);
    session_step(&g->session, &in, &out);
    for (size_t i = 0; i < out.count && !g->exit_status; i++) {
        const struct session_action *action = &out.items[i];
        switch (action->kind) {
        case SESSION_ASK:
            send_ask(g, action);
            break;
        case SESSION_SEND:
            unsent = send_batches(g, action);
            break;
        case SESSION_EPOCH:
            grant_epoch(g, action->position.epoch, in.now_ms);
            break;
        case SESSION_POSITION:
            (void)spooled(g,
                          spool_set_applied(g->spool, action->position.number, in.now_ms, &problem),
                          &problem);
            break;
        case SESSION_REWOUND:
            log_warning("store_went_back", "from=%llu to=%llu", (unsigned long long)action->to,
                        (unsigned long long)(action->from - 1));
            break;
        case SESSION_STOP:
            stop_session(g, action->stop);
            break;
        }
    }
    if (unsent && !g->exit_status)
        feed(g, (struct session_input){.kind = SESSION_INPUT_UNSENT, .number = unsent});
    enum session_state after = session_state(&g->session);
    if (before != after)
        log_debug("session", "state=%s applied=%llu last=%llu", session_state_name(after),
                  (unsigned long long)spool_state(g->spool)->applied,
                  (unsigned long long)spool_state(g->spool)->last);
}

// ------------------------------------------------------------------ the broker

static void on_connected(void *context) {
    struct gateway *g = context;
    log_info("connected", "broker=%s", g->settings->brokers.items[g->endpoint]);
    feed(g, (struct session_input){.kind = SESSION_INPUT_CONNECTED});
}

static void on_disconnected(void *context) {
    struct gateway *g = context;
    log_info("disconnected", "broker=%s", g->settings->brokers.items[g->endpoint]);
    g->connect_until_ms = clock_monotonic_ms() + g->settings->answer_timeout_ms;
    feed(g, (struct session_input){.kind = SESSION_INPUT_DISCONNECTED});
}

static void on_refused(void *context, const struct bus_refusal *refusal) {
    (void)context;
    log_warning("handshake_refused", "broker=%s reason=%s", refusal->address, refusal->reason);
}

static void on_answer(struct gateway *g, const struct message *message) {
    struct session_input in = {.kind = SESSION_INPUT_ANSWER,
                               .session = message->session,
                               .status = message->status,
                               .position = message->position,
                               .window = message->window,
                               .wait_ms = message->wait_ms};
    struct problem problem = {0};
    enum err err = spool_tag(g->spool, in.position.number, &in.own_tag, &problem);
    in.own_held = !err;
    if (err != ERR_MISSING && !spooled(g, err, &problem)) return;
    if (in.status != ANSWER_APPLIED && in.status != ANSWER_GAP && in.status != ANSWER_LATER)
        log_warning("answer", "status=%s number=%llu reason=%.*s", answer_status_name(in.status),
                    (unsigned long long)in.position.number, (int)message->reason.size,
                    (const char *)message->reason.data);
    feed(g, in);
}

static void on_message(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct gateway *g = context;
    (void)peer, (void)user;
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    enum err err;
    while (!g->stopping && (err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (err) {
            log_warning("message_not_understood", "reason=%s", problem.text);
        } else if (message.type == MESSAGE_ANSWER) {
            on_answer(g, &message);
        } else if (message.type == MESSAGE_REFUSED) {
            log_warning("refused", "reason=%.*s", (int)message.reason.size,
                        (const char *)message.reason.data);
            feed(g, (struct session_input){.kind = SESSION_INPUT_REFUSED});
        } else {
            log_warning("message_unexpected", "type=%s", message_type_name(message.type));
        }
    }
}

static enum err security_of(const struct gateway *g, struct bus_security *security,
                            struct problem *problem) {
    *security = (struct bus_security){.insecure = g->settings->insecure};
    if (g->plain) return ERR_NONE;
    char secret[KEY_TEXT_SIZE], own[KEY_TEXT_SIZE], broker[KEY_TEXT_SIZE];
    enum err err = key_read_secret(g->settings->keys_dir, g->as, secret, own, problem);
    if (!err) err = key_read_public(g->settings->keys_dir, "broker", broker, problem);
    if (err) return err;
    bool set = curve_key_set(&security->secret_key, secret, strlen(secret)) &&
               curve_key_set(&security->server_key, broker, strlen(broker));
    explicit_bzero(secret, sizeof secret);
    return set ? ERR_NONE : problem_set(problem, ERR_FORMAT, "%s: not a key", g->as);
}

static enum err connect_broker(struct gateway *g, struct problem *problem) {
    const char *endpoint = g->settings->brokers.items[g->endpoint];
    g->plain = g->settings->insecure || !strncmp(endpoint, "ipc://", 6);
    struct bus_settings settings = bus_settings_default();
    struct bus_security security;
    enum err err = security_of(g, &security, problem);
    if (err) return err;
    const struct bus_handlers handlers = {.context = g,
                                          .message = on_message,
                                          .connected = on_connected,
                                          .disconnected = on_disconnected,
                                          .refused = on_refused};
    g->connect_until_ms = clock_monotonic_ms() + g->settings->answer_timeout_ms;
    err = bus_connect(g->bus, endpoint, &security, &settings, &handlers, &g->socket, problem);
    explicit_bzero(&security, sizeof security);
    return err;
}

/// A broker that cannot be reached: try the next one.
static void fail_over(struct gateway *g, uint64_t now_ms) {
    if (session_state(&g->session) != SESSION_CONNECTING || g->settings->brokers.count < 2 ||
        now_ms < g->connect_until_ms)
        return;
    struct problem problem = {0};
    bus_close(g->socket);
    g->socket = NULL;
    g->endpoint = (g->endpoint + 1) % g->settings->brokers.count;
    log_info("next_broker", "broker=%s", g->settings->brokers.items[g->endpoint]);
    if (connect_broker(g, &problem)) {
        log_error("connect_failed", "reason=%s", problem.text);
        stop(g, GATEWAY_EXIT_CONFIG);
    }
}

// ------------------------------------------------------------------ the turn

/// Room for what would be read: a recording must not run far ahead of the store.
static bool room(const struct gateway *g) {
    const struct spool_state *state = spool_state(g->spool);
    if (spool_uncommitted(g->spool) >= g->settings->commit_batches) return false;
    if (g->settings->spool_when_full == WHEN_FULL_DROP_OLDEST) return true;
    return unapplied(g) + spool_uncommitted(g->spool) < g->settings->held_max &&
           state->held_bytes < g->settings->spool_bytes_max;
}

/// True: there may be more to read at once, as soon as there is room.
static bool read_sensors(struct gateway *g, uint64_t now_ms) {
    bool more = true;
    for (int i = 0; i < READS_A_TURN && more && room(g) && !g->exit_status; i++)
        more = sensors_read(g->sensors, now_ms, clock_utc_ms(),
                            (uint32_t)g->settings->batch_observations);
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
    if (!state->birth || state->departed) return;
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
             session_state_name(session_state(&g->session)), (unsigned long long)state->last,
             (unsigned long long)state->applied, (unsigned long long)unapplied(g),
             (unsigned long long)state->dropped, sensors_permille(g->sensors));
    const char *name;
    uint64_t count;
    for (size_t i = 0; batching_oddity_at(g->batching, i, &name, &count); i++)
        log_info("oddity", "name=%s count=%llu", name, (unsigned long long)count);
}

static bool all_done(const struct gateway *g) {
    const struct spool_state *state = spool_state(g->spool);
    return sensors_ended(g->sensors) && !spool_uncommitted(g->spool) && !g->announce &&
           (state->departed || !state->birth) && session_state(&g->session) == SESSION_IDLE;
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
        const struct spool_state *state = spool_state(g->spool);
        feed(g, (struct session_input){
                    .kind = SESSION_INPUT_SPOOL, .first = state->first, .last = state->last});
    }
    if (!g->exit_status && now_ms >= session_deadline_ms(&g->session))
        feed(g, (struct session_input){.kind = SESSION_INPUT_TICK});
    if (!g->exit_status) fail_over(g, now_ms);
    if (now_ms >= g->status_at_ms) {
        report(g);
        g->status_at_ms = now_ms + STATUS_MS;
    }
    if (g->settings->exit_at_end && all_done(g)) stop(g, GATEWAY_EXIT_OK);
    if (g->stopping) return;

    bool reading = room(g);
    sensors_wait(g->sensors, reading);
    uint64_t at_ms = least(session_deadline_ms(&g->session), batching_deadline_ms(g->batching));
    at_ms = least(at_ms, least(g->commit_at_ms, g->housekeep_at_ms));
    at_ms = least(at_ms, least(g->idle_at_ms, g->status_at_ms));
    if (g->settings->brokers.count > 1 && session_state(&g->session) == SESSION_CONNECTING)
        at_ms = least(at_ms, g->connect_until_ms);
    if (reading) at_ms = more ? now_ms : least(at_ms, sensors_deadline_ms(g->sensors));
    loop_timer_set(g->loop, at_ms);
}

static void on_stop(void *context, int signal) {
    struct gateway *g = context;
    log_info("stopping", "signal=%d", signal);
    stop(g, GATEWAY_EXIT_OK);
}

int gateway_run(struct gateway *g) {
    loop_handle(g->loop, &(struct loop_handlers){.context = g, .stop = on_stop, .turn = on_turn});
    loop_run(g->loop);
    if (!g->exit_status) (void)commit(g, clock_monotonic_ms());
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
    if (state->fenced)
        return problem_set(problem, ERR_REFUSED,
                           "spool %s: a newer spool of this gateway has taken over; if this is the "
                           "one to keep, start once with --new-spool",
                           s->spool);
    const struct session_limits session = {.answer_timeout_ms = (uint32_t)s->answer_timeout_ms,
                                           .idle_ask_ms = (uint32_t)s->idle_ask_ms,
                                           .idle_soon_ms = (uint32_t)least(s->idle_ask_ms, 1000),
                                           .refused_wait_ms = (uint32_t)s->refused_wait_ms,
                                           .backoff_most_ms = (uint32_t)s->backoff_most_ms,
                                           .window_most = (uint32_t)s->window_most};
    session_init(&g->session, &session, state->session, state->epoch, state->first, state->last,
                 STOP_NONE);
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
    g->batching =
        batching_new(&limits, drivers->count, spool_state(g->spool)->watermark_ms, take_batch, g);
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
    buffer_init(&g->frame, FRAME_MAX);
    struct peer self = {PEER_GATEWAY, settings->branch, settings->gateway};
    peer_name(&self, g->as);

    uint64_t now_ms = clock_monotonic_ms();
    g->idle_at_ms = now_ms + settings->idle_batch_ms;
    g->status_at_ms = now_ms + STATUS_MS;
    enum err err = loop_new(&g->loop);
    if (err) problem_set(problem, err, "no event loop: %s", err_name(err));
    if (!err) err = spool_init(g, new_spool, problem);
    if (!err) err = sensing_init(g, drivers, problem);
    if (!err) err = bus_new(g->loop, &g->bus);
    if (err && !problem->text[0]) problem_set(problem, err, "no sockets: %s", err_name(err));
    if (!err) err = connect_broker(g, problem);
    if (err) {
        gateway_free(g);
        return err;
    }
    *gateway_out = g;
    return ERR_NONE;
}

void gateway_free(struct gateway *g) {
    if (!g) return;
    bus_close(g->socket);
    bus_free(g->bus);
    sensors_free(g->sensors);
    loop_free(g->loop);
    batching_free(g->batching);
    spool_close(g->spool);
    buffer_fini(&g->body);
    buffer_fini(&g->frame);
    explicit_bzero(g->pseudonyms.key, sizeof g->pseudonyms.key);
    free(g);
}
