// A gateway: batching and session as they are; spool, driver and clock simulated. Its turn follows
// sensors-gw/shell/gateway.c.

#include "common/wire/body.h"
#include "tests/simulation/simulation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINGER_MS = 500,
    RESTART_MS = 1000,
    ENDPOINT_MS = 1000, // a broker that cannot be reached for so long: try the next
    SESSIONS_A_RUN = 1 << 24,
    OBSERVATIONS = 8, // a batch
};

static const struct recording *recording_of(const struct simulation *s, const struct gateway *g) {
    return &s->world->gateways[g->identity].recording;
}

static const struct branch *branch_of(const struct simulation *s, const struct gateway *g) {
    return &s->world->branches[s->world->gateways[g->identity].branch];
}

static const struct branch_gateway *registered(const struct simulation *s,
                                               const struct gateway *g) {
    return &branch_of(s, g)->gateways[s->world->gateways[g->identity].place];
}

static void feed(struct simulation *s, struct gateway *g, struct session_input in);

static void announce(struct simulation *s, struct gateway *g) {
    bool early = s->plant == PLANT_SEND_BEFORE_COMMIT;
    g->announce = false;
    feed(s, g,
         (struct session_input){.kind = SESSION_INPUT_SPOOL,
                                .first = early ? g->head.first : g->first_written,
                                .last = early ? g->head.last : g->last_written});
}

/// false: the disk refused it, and the gateway goes no further.
static bool commit(struct simulation *s, struct gateway *g) {
    batching_cut(g->batching);
    if (g->failed) return false;
    if (g->head.last > g->spool.disk.last)
        g->idle_at_ms = s->now_ms + s->world->pace->idle_batch_ms;
    g->commit_at_ms = UINT64_MAX;
    g->announce = spool_commit(s, g);
    return !g->failed;
}

// Batches ----------------------------------------------------------------------------------------

static bool is_poison(const struct batch *batch) {
    for (size_t i = 0; i < batch->fact_count; i++)
        if (batch->facts[i].kind == FACT_GAP && !strcmp(batch->facts[i].reason.text, WORLD_POISON))
            return true;
    return false;
}

struct taking {
    struct simulation *s;
    struct gateway *g;
};
static struct taking taking; // batching hands batches out only while its gateway has its turn

static void take_batch(void *context, const struct batch *batch) {
    (void)context;
    struct simulation *s = taking.s;
    struct gateway *g = taking.g;
    if (g->failed) return;
    struct buffer *body = &s->argument;
    buffer_clear(body);
    enum err err = body_encode(batch, g->head.last % 2, body);
    assert(!err);
    if (spool_append(s, g, buffer_bytes(body), g->head.cursor, is_poison(batch)))
        g->spool.rows[g->head.last - 1].watermark_ms = g->head.watermark_ms = batch->watermark_ms;
}

/// The item as the gateway's clock stamps it. What a person decided has no stamp of it.
static struct item stamped(const struct item *item, int64_t ahead_ms) {
    struct item own = *item;
    int64_t *times[] = {&own.at_ms,
                        &own.watermark_ms,
                        &own.encounter.issued_ms,
                        &own.encounter.called_ms,
                        &own.encounter.started_ms,
                        &own.encounter.ended_ms};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (*times[i] != TIME_NONE) *times[i] += ahead_ms;
    return own;
}

static void read_item(struct gateway *g, const struct simulation *s, const struct item *item) {
    struct source *source = batching_source(g->batching, 0);
    const struct measures *measures = world_measures();
    const struct branch *branch = branch_of(s, g);
    const struct measure *measure = &measures->items[item->kind == ITEM_EVENT];
    if (item->kind == ITEM_FACT) {
        batching_encounter(source, &item->encounter);
    } else if (item->kind == ITEM_WITHDRAWN) {
        batching_withdrawn(source, &item->encounter.id, "mistake");
    } else if (item->kind == ITEM_DECISION) {
        batching_decision(source, &item->decision);
    } else if (item->kind == ITEM_POISON) {
        batching_gap(source, NULL, (struct span){item->at_ms - 1, item->at_ms}, WORLD_POISON);
    } else {
        const struct id *counter = &branch->counters[item->counter];
        batching_watch(source, measure, counter, item->at_ms - recording_of(s, g)->period_ms + 1,
                       item->at_ms + 1);
        if (item->kind == ITEM_SAMPLE)
            batching_sample(source, measure, counter, item->at_ms, item->value, item->confidence);
        else
            batching_event(source, measure, counter, item->at_ms, bytes_of_text(item->label),
                           item->confidence);
    }
    batching_watermark(source, item->watermark_ms);
}

static bool recording_ended(const struct simulation *s, const struct gateway *g) {
    return g->head.cursor == recording_of(s, g)->count;
}

static void read_sensors(struct simulation *s, struct gateway *g) {
    const struct recording *recording = recording_of(s, g);
    while (!recording_ended(s, g) && !g->failed) {
        const struct item *item = &recording->items[g->head.cursor];
        if (item->seen_ms > s->now_ms) break;
        if (item->kind == ITEM_POISON) batching_cut(g->batching);
        // A batch that gets full is handed out before the reading that did not fit.
        struct item own = stamped(item, g->clock_ahead_ms);
        read_item(g, s, &own);
        g->head.cursor++;
        if (item->kind == ITEM_POISON) batching_cut(g->batching);
        if (g->commit_at_ms == UINT64_MAX) g->commit_at_ms = s->now_ms + s->commit_linger_ms;
    }
}

static void say_goodbye(struct simulation *s, struct gateway *g) {
    if (!recording_ended(s, g) || g->head.departed) return;
    if (!commit(s, g)) return;
    batching_fact(g->batching, &(struct fact){.kind = FACT_GOODBYE});
    g->head.departed = true;
    (void)commit(s, g);
}

// Session ----------------------------------------------------------------------------------------

/// Only what is written is shown to anybody, and once the spool has failed nothing is. The last
/// words of the real gateway, an ask of no session, are left out.
static void check_written(struct simulation *s, const struct gateway *g, uint64_t to) {
    if (g->failed) wrong(s, "gateway %u sends although its spool has failed", g->identity);
    if (to > g->spool.disk.last || g->head.epoch != g->spool.disk.epoch)
        wrong(s, "gateway %u sends up to %llu of epoch %llu, its spool holds up to %llu of %llu",
              g->identity, (unsigned long long)to, (unsigned long long)g->head.epoch,
              (unsigned long long)g->spool.disk.last, (unsigned long long)g->spool.disk.epoch);
}

static void send_ask(struct simulation *s, struct gateway *g, struct link *link,
                     const struct session_action *action) {
    check_written(s, g, 0);
    struct message message = {.type = MESSAGE_ASK,
                              .session = action->session,
                              .position = {.epoch = g->spool.disk.epoch},
                              .spool = g->spool.disk.id,
                              .has_spool = true,
                              .oldest_ms = TIME_NONE};
    buffer_clear(&s->argument);
    enum err err = message_encode(&message, &s->argument);
    assert(!err);
    (void)network_send(s, link, true, buffer_bytes(&s->argument));
}

/// The first number that could not be sent; 0: all were.
static uint64_t send_batches(struct simulation *s, struct gateway *g, struct link *link,
                             const struct session_action *action) {
    check_written(s, g, action->to);
    if (action->to + 1 - (action->lost ? action->lost : g->session.applied + 1) >
        s->window + (action->lost ? action->from - action->lost : 0))
        wrong(s, "gateway %u sends up to %llu although only %llu is applied: over its window",
              g->identity, (unsigned long long)action->to, (unsigned long long)g->session.applied);
    if (action->lost && !s->lossy)
        wrong(s, "gateway %u says that %llu..%llu are lost", g->identity,
              (unsigned long long)action->lost, (unsigned long long)action->from - 1);
    for (uint64_t n = action->lost; n && n < action->from; n++)
        g->spool.rows[n - 1].told_lost = true;
    buffer_clear(&s->argument);
    for (uint64_t n = action->from; n <= action->to; n++) {
        const struct row *row = &g->spool.rows[n - 1];
        uint64_t lost = n == action->from ? action->lost : 0;
        struct tag tag = lost ? tag_behind(row->tag, action->position.tag) : row->tag;
        struct message message = {.type = MESSAGE_BATCH,
                                  .session = action->session,
                                  .position = {g->head.epoch, n, tag},
                                  .lost = lost,
                                  .body = {row->body, row->size}};
        enum err err = message_encode(&message, &s->argument);
        assert(!err);
    }
    return network_send(s, link, true, buffer_bytes(&s->argument)) ? 0 : action->from;
}

static void stop(struct simulation *s, struct gateway *g, enum session_stop reason) {
    trace(s, "gateway %u%s stops: %s", g->identity, g->clone ? " (clone)" : "",
          session_stop_name(reason));
    if (!s->tampered[g->identity])
        wrong(s, "gateway %u stops although nobody touched its spool: %s", g->identity,
              session_stop_name(reason));
    if (reason == STOP_FENCED) g->head.fenced = true;
    if (!commit(s, g)) return; // it learns of it once more
    g->stopped = s->any_stopped = true;
    g->stop = reason;
    g->spool.synced = g->spool.disk;
}

static void act(struct simulation *s, struct gateway *g, const struct session_action *action,
                uint64_t *unsent) {
    size_t process = (size_t)(g - s->gateways);
    struct link *link = network_link(s, END_GATEWAY, process, 0);
    switch (action->kind) {
    case SESSION_ASK:
        trace(s, "gateway %u asks, session %llu", g->identity, (unsigned long long)action->session);
        send_ask(s, g, link, action);
        break;
    case SESSION_SEND:
        trace(s, "gateway %u sends %llu..%llu lost %llu, session %llu", g->identity,
              (unsigned long long)action->from, (unsigned long long)action->to,
              (unsigned long long)action->lost, (unsigned long long)action->session);
        *unsent = send_batches(s, g, link, action);
        put_back_over(s, g);
        break;
    case SESSION_EPOCH:
        g->head.epoch = action->position.epoch;
        if (commit(s, g)) g->spool.synced = g->spool.disk;
        break;
    case SESSION_POSITION:
        trace(s, "gateway %u takes position %llu:%llu", g->identity,
              (unsigned long long)action->position.epoch,
              (unsigned long long)action->position.number);
        oracle_position_taken(s, g, action->position);
        if (action->position.number < g->head.applied && !spool_write(s, g, "goes back")) break;
        spool_applied(s, g, action->position.number, action->passed_over);
        if (s->plant == PLANT_TRIM_ON_ANSWER && g->head.first <= g->head.applied)
            g->head.first = g->head.applied + 1;
        break;
    case SESSION_REWOUND:
        trace(s, "gateway %u: the store went back to %llu", g->identity,
              (unsigned long long)action->from - 1);
        break;
    case SESSION_STOP:
        stop(s, g, action->stop);
        break;
    }
}

static void feed(struct simulation *s, struct gateway *g, struct session_input in) {
    struct session_actions out;
    uint64_t unsent = 0;
    in.now_ms = s->now_ms;
    session_step(&g->session, &in, &out);
    for (size_t i = 0; i < out.count && !g->stopped && !g->failed; i++)
        act(s, g, &out.items[i], &unsent);
    if (g->session.number != g->session_seen) { // only now: an answer was of the session before
        g->session_seen = g->session.number;
        g->session_since_ms = s->now_ms;
    }
    if (unsent && !g->stopped && !g->failed)
        feed(s, g, (struct session_input){.kind = SESSION_INPUT_UNSENT, .number = unsent});
}

/// As spool_tag.
static bool known(const struct spool *spool, uint64_t number, struct tag *tag) {
    if (number == 0 || number + 1 < spool->disk.first || number > spool->disk.last) return false;
    *tag = number == spool->disk.last ? spool->disk.tag : tag_before(spool->rows[number].tag);
    return true;
}

static void answered(struct simulation *s, struct gateway *g, const struct message *message) {
    struct session_input in = session_answer(message);
    in.own_held = known(&g->spool, message->position.number, &in.own_tag);
    if (s->plant == PLANT_OLD_SESSION) in.session = g->session.number;
    feed(s, g, in);
}

// What happens to it -----------------------------------------------------------------------------

/// Its supervisor does, whatever it ended with.
static void start_again(struct simulation *s, const struct gateway *g) {
    event_push(s, (struct event){.at_ms = s->now_ms + RESTART_MS,
                                 .kind = EVENT_START_GATEWAY,
                                 .subject = (uint32_t)(g - s->gateways)});
}

void gateway_start(struct simulation *s, size_t process) {
    struct gateway *g = &s->gateways[process];
    g->failed = false;
    if (!spool_write(s, g, "opens")) { // it reserves the numbers of its sessions
        start_again(s, g);
        return;
    }
    if (g->renew) spool_renew(s, g);
    g->renew = g->stopped = g->announce = false;
    g->process = (struct process){.alive = true, .life = g->process.life + 1};
    g->spool.disk.session += SESSIONS_A_RUN;
    g->head = g->spool.disk;
    g->first_written = g->head.first;
    g->last_written = g->head.last;
    if (s->plant == PLANT_DRIVER_RESTART) g->head.cursor = 0;
    g->items_cut = g->head.cursor;
    const struct branch_gateway *own = registered(s, g);
    struct id counters[WORLD_COUNTERS];
    for (size_t i = 0; i < own->counter_count; i++)
        counters[i] = branch_of(s, g)->counters[own->counters[i]];
    struct batching_limits limits = {.observations_max = OBSERVATIONS,
                                     .body_max = BATCH_BODY_MAX,
                                     .linger_ms = LINGER_MS,
                                     .legal_most = LEGAL_P3,
                                     .counters = branch_of(s, g)->counters,
                                     .counter_count = branch_of(s, g)->counter_count};
    g->batching = batching_new(&limits, 1, g->head.watermark_ms, take_batch, NULL);
    assert(g->batching);
    batching_now(g->batching, s->now_ms);
    g->commit_at_ms = UINT64_MAX;
    g->idle_at_ms = s->now_ms + s->world->pace->idle_batch_ms;
    taking = (struct taking){s, g};
    if (!g->head.birth || g->head.departed) {
        struct id brought[2] = {world_measures()->items[0].id, world_measures()->items[1].id};
        batching_fact(g->batching, &(struct fact){.kind = FACT_BIRTH,
                                                  .measures = {2, brought},
                                                  .counters = {own->counter_count, counters}});
        batching_cut(g->batching);
        g->head.birth = true;
        g->head.departed = false;
        (void)commit(s, g);
    }
    const struct world_pace *pace = s->world->pace;
    struct session_limits session_limits = {.answer_timeout_ms = pace->answer_timeout_ms,
                                            .idle_ask_ms = pace->idle_ask_ms,
                                            .idle_soon_ms = 500,
                                            .refused_wait_ms = pace->refused_wait_ms,
                                            .backoff_most_ms = pace->backoff_most_ms,
                                            .window_most = 6};
    session_init(&g->session, &session_limits, g->head.session, g->head.epoch, g->head.first,
                 g->head.last, g->head.fenced ? STOP_FENCED : STOP_NONE);
    if (g->head.fenced) {
        g->stopped = s->any_stopped = true;
        g->stop = STOP_FENCED;
    }
    g->session_seen = g->session.number;
    g->session_since_ms = s->now_ms;
    g->endpoint_since_ms = s->now_ms;
    network_link(s, END_GATEWAY, process, 0)->wanted = true;
    network_changed(s);
}

void gateway_kill(struct simulation *s, size_t process) {
    struct gateway *g = &s->gateways[process];
    if (!g->process.alive) return;
    g->process.alive = false;
    batching_free(g->batching);
    g->batching = NULL;
    network_link(s, END_GATEWAY, process, 0)->wanted = false;
    network_changed(s);
}

void gateway_connected(struct simulation *s, size_t process, bool up) {
    struct gateway *g = &s->gateways[process];
    taking = (struct taking){s, g};
    g->endpoint_since_ms = s->now_ms;
    if (g->stopped || g->failed) return;
    feed(s, g,
         (struct session_input){.kind = up ? SESSION_INPUT_CONNECTED : SESSION_INPUT_DISCONNECTED});
}

void gateway_frame(struct simulation *s, size_t process, struct bytes frame) {
    struct gateway *g = &s->gateways[process];
    taking = (struct taking){s, g};
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    enum err err;
    while (!g->stopped && !g->failed &&
           (err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (err)
            not_understood(s, "gateway", g->identity, problem.text);
        else if (message.type == MESSAGE_ANSWER)
            answered(s, g, &message);
        else if (message.type == MESSAGE_REFUSED)
            feed(s, g, (struct session_input){.kind = SESSION_INPUT_REFUSED});
    }
}

static void fail_over(struct simulation *s, struct gateway *g, struct link *link) {
    if (s->broker_count < 2 || session_state(&g->session) != SESSION_CONNECTING) return;
    if (s->now_ms - g->endpoint_since_ms < ENDPOINT_MS) return;
    g->endpoint_since_ms = s->now_ms;
    if (link->up) return;
    link->broker = (uint8_t)((link->broker + 1) % s->broker_count);
    network_changed(s);
}

uint64_t gateway_deadline_ms(const struct simulation *s, size_t process) {
    const struct gateway *g = &s->gateways[process];
    if (g->stopped) return UINT64_MAX;
    if (g->failed) return s->now_ms; // it ends
    uint64_t at[] = {session_deadline_ms(&g->session),
                     batching_deadline_ms(g->batching),
                     g->commit_at_ms,
                     g->idle_at_ms,
                     s->broker_count > 1 && session_state(&g->session) == SESSION_CONNECTING
                         ? g->endpoint_since_ms + ENDPOINT_MS
                         : UINT64_MAX,
                     recording_ended(s, g) ? UINT64_MAX
                                           : recording_of(s, g)->items[g->head.cursor].seen_ms};
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (at[i] < least) least = at[i];
    return least;
}

/// Read, write what is due, go on with the session: until the spool fails.
static void take_turn(struct simulation *s, struct gateway *g) {
    taking = (struct taking){s, g};
    batching_now(g->batching, s->now_ms);
    read_sensors(s, g);
    if (s->plant == PLANT_SEND_BEFORE_COMMIT && g->head.last > g->session.last) announce(s, g);
    if (s->now_ms >= batching_deadline_ms(g->batching)) batching_cut(g->batching);
    if (s->now_ms >= g->commit_at_ms) (void)commit(s, g);
    if (s->now_ms >= g->idle_at_ms) {
        batching_cut_watermark(g->batching);
        (void)commit(s, g);
        g->idle_at_ms = s->now_ms + s->world->pace->idle_batch_ms;
    }
    if (!g->failed) say_goodbye(s, g);
    if (!g->failed && g->announce) announce(s, g);
    bool due = s->now_ms >= session_deadline_ms(&g->session);
    if (!g->stopped && !g->failed && due)
        feed(s, g, (struct session_input){.kind = SESSION_INPUT_TICK});
    if (!g->stopped && !g->failed)
        fail_over(s, g, network_link(s, END_GATEWAY, (size_t)(g - s->gateways), 0));
}

void gateway_turn(struct simulation *s, size_t process) {
    struct gateway *g = &s->gateways[process];
    if (g->stopped) return;
    if (!g->failed) take_turn(s, g);
    if (!g->failed) return;
    gateway_kill(s, process);
    start_again(s, g);
}

bool gateway_done(const struct simulation *s, size_t process) {
    const struct gateway *g = &s->gateways[process];
    return g->process.alive && !g->stopped && recording_ended(s, g) && g->spool.disk.departed &&
           g->spool.disk.last == g->head.last && session_state(&g->session) == SESSION_IDLE;
}
