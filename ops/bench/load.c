// Tresen itself: all gateways of the workload as sessions of one process, with the gateways' own
// session, batching and codec, against a real broker.

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/registry/keys.h"
#include "ops/bench/bench.h"
#include "ops/bench/gateway_log.h"
#include "sensors-gw/core/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMIT_BATCHES = 256 }; // as a gateway has it, if nothing else is set

struct load;

struct gateway {
    struct load *load;
    struct stream stream;
    struct gateway_log log;
    struct session session;
    struct bus_socket *socket;
    struct spool_id id;
    struct tag tag; // of the newest batch
    uint64_t epoch, applied;
    char as[KEY_NAME_SIZE];
    bool asked; // the store has said where it stands
    bool done;
};

struct load {
    const struct bench *bench;
    struct loop *loop;
    struct bus *bus;
    size_t count, all, asked, done; // all: those of other processes, too
    struct gateway *gateways;
    struct buffer frame;
    bool going;
    size_t tag_count; // left of tags
    struct tag tags[512];
    size_t next; // whose turn it is at a fixed rate
    uint64_t paced;
    struct latencies latencies;
    struct bench_result result;
    int status;
};

static void stop(struct load *load, int status) {
    if (!load->status) load->status = status;
    loop_stop(load->loop);
}

/// Its last batch.
static uint64_t spooled(const struct gateway *g) {
    return g->log.memory.last;
}

/// With a key of its own it says no name.
static struct bytes name_of(const struct gateway *g) {
    return g->load->bench->settings.keys_dir[0] ? (struct bytes){0} : bytes_of_text(g->as);
}

static void check(struct gateway *g, enum err err, const struct problem *problem) {
    if (err) stop(g->load, bench_fail("%s: %s", g->as, problem->text));
}

// ------------------------------------------------------------------ what the session wants

static void send_frame(struct gateway *g) {
    struct bytes frame = buffer_bytes(&g->load->frame);
    if (!bus_send(g->socket, BUS_BROKER, frame)) g->load->result.wire_bytes += frame.size;
    buffer_clear(&g->load->frame);
}

static void encode(struct gateway *g, const struct message *message) {
    struct buffer *frame = &g->load->frame;
    enum err err = message_encode(message, frame);
    if (err == ERR_FULL) {
        send_frame(g);
        err = message_encode(message, frame);
    }
    if (err) stop(g->load, bench_fail("a message: %s", err_name(err)));
}

static void send_ask(struct gateway *g, const struct session_action *action) {
    struct message ask = {.type = MESSAGE_ASK,
                          .session = action->session,
                          .position = {.epoch = g->epoch},
                          .spool = g->id,
                          .has_spool = true,
                          .as = name_of(g),
                          .held = spooled(g) - g->applied,
                          .spooled = spooled(g),
                          .oldest_ms = TIME_NONE,
                          .ended = stream_ended(&g->stream)};
    encode(g, &ask);
    send_frame(g);
}

struct sending {
    struct gateway *gateway;
    const struct session_action *action;
};

static bool send_batch(void *context, const struct spool_batch *held) {
    const struct sending *sending = context;
    struct gateway *g = sending->gateway;
    struct message batch = {.type = MESSAGE_BATCH,
                            .session = sending->action->session,
                            .position = {g->epoch, held->number, held->tag},
                            .body = held->body,
                            .as = name_of(g)};
    encode(g, &batch);
    return true;
}

/// What the socket does not take, the session asks about when no answer comes.
static void send_batches(struct gateway *g, const struct session_action *action) {
    struct sending sending = {g, action};
    struct problem problem = {0};
    check(g, gateway_log_read(&g->log, action->from, action->to, send_batch, &sending, &problem),
          &problem);
    send_frame(g);
}

static void applied(struct gateway *g, uint64_t number) {
    uint64_t now_ns = bench_now_ns();
    for (uint64_t at = g->applied + 1; at <= number; at++)
        latencies_add(&g->load->latencies,
                      now_ns - memory_spool_at(&g->log.memory, at)->spooled_ns);
    g->applied = number;
    struct problem problem = {0};
    check(g, gateway_log_applied(&g->log, number, &problem), &problem);
}

static void feed(struct gateway *g, struct session_input in) {
    struct session_actions out;
    struct problem problem = {0};
    in.now_ms = clock_monotonic_ms();
    session_step(&g->session, &in, &out);
    for (size_t i = 0; i < out.count; i++) {
        const struct session_action *action = &out.items[i];
        switch (action->kind) {
        case SESSION_ASK:
            send_ask(g, action);
            break;
        case SESSION_SEND:
            send_batches(g, action);
            break;
        case SESSION_EPOCH:
            g->epoch = action->position.epoch;
            check(g, gateway_log_epoch(&g->log, g->epoch, &problem), &problem);
            break;
        case SESSION_POSITION:
            applied(g, action->position.number);
            break;
        case SESSION_REWOUND:
        case SESSION_STOP:
            stop(g->load, bench_fail("%s: the store went back or took another spool", g->as));
            break;
        }
    }
}

// ------------------------------------------------------------------ batches into the spool

/// Drawn for many batches at once: this one process does for all gateways.
static struct tag next_tag(struct gateway *g) {
    struct load *load = g->load;
    if (load->tag_count == 0) {
        load->tag_count = sizeof load->tags / sizeof load->tags[0];
        random_fill(load->tags, sizeof load->tags);
    }
    g->tag = tag_behind(load->tags[--load->tag_count], g->tag);
    return g->tag;
}

static void take_batch(void *context, const struct batch *batch) {
    struct gateway *g = context;
    struct problem problem = {0};
    check(g, gateway_log_append(&g->log, next_tag(g), batch, bench_now_ns(), &problem), &problem);
    g->load->result.batches++;
}

static void announce(struct gateway *g) {
    struct problem problem = {0};
    check(g, gateway_log_commit(&g->log, &problem), &problem);
    feed(g, (struct session_input){
                .kind = SESSION_INPUT_SPOOL, .first = g->log.memory.first, .last = spooled(g)});
}

/// As much as may be unanswered: what waits longer than that only waits for itself. On disk a
/// commit costs as much as a hundred batches, so that as many as a gateway's commit_batches are
/// read ahead.
static void fill(struct gateway *g) {
    uint64_t before = spooled(g), most = g->session.window;
    if (before - g->applied >= most) return;
    if (g->log.disk) most += COMMIT_BATCHES;
    while (!stream_ended(&g->stream) && spooled(g) - g->applied < most)
        stream_next(&g->stream);
    if (spooled(g) != before) announce(g);
}

static void check_done(struct gateway *g) {
    if (g->done || !stream_ended(&g->stream) || g->applied != spooled(g)) return;
    g->done = true;
    if (++g->load->done == g->load->count) loop_stop(g->load->loop);
}

/// At a fixed rate: those that are due, gateway by gateway.
static void pace(struct load *load) {
    double elapsed_s = (double)(bench_now_ns() - load->result.started_ns) / 1e9;
    uint64_t due = (uint64_t)(elapsed_s * (double)load->bench->settings.rate);
    for (size_t passed = 0; load->paced < due && passed < load->count;) {
        struct gateway *g = &load->gateways[load->next];
        load->next = (load->next + 1) % load->count;
        // A spool that is full is left out: its batches come later, and count as slow.
        if (stream_ended(&g->stream) || spooled(g) - g->applied + 2 >= g->log.memory.capacity) {
            passed++;
            continue;
        }
        passed = 0;
        stream_next(&g->stream);
        load->paced++;
        announce(g);
    }
}

// ------------------------------------------------------------------ the broker

static void on_answer(struct gateway *g, const struct message *message) {
    struct session_input in = session_answer(message);
    in.own_held = gateway_log_tag(&g->log, in.position.number, &in.own_tag);
    if (message->status == ANSWER_REFUSED || message->status == ANSWER_DEAD)
        stop(g->load, bench_fail("%s: %.*s", g->as, (int)message->reason.size,
                                 (const char *)message->reason.data));
    feed(g, in);
    if (!g->asked && g->epoch) {
        g->asked = true;
        g->load->asked++;
    }
}

static void go_on(struct gateway *g) {
    if (g->load->going && !g->load->bench->settings.rate) fill(g);
    check_done(g);
}

static void on_message(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct gateway *g = context;
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem = {0};
    enum err err;
    (void)peer, (void)user;
    while ((err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (err || message.type != MESSAGE_ANSWER) {
            stop(g->load, bench_fail("%s: not an answer: %s", g->as, problem.text));
            return;
        }
        on_answer(g, &message);
    }
    go_on(g);
}

static void on_connected(void *context) {
    feed(context, (struct session_input){.kind = SESSION_INPUT_CONNECTED});
}

static void on_disconnected(void *context) {
    feed(context, (struct session_input){.kind = SESSION_INPUT_DISCONNECTED});
}

// ------------------------------------------------------------------ the turn

static void begin(struct load *load) {
    load->going = true;
    load->result.started_ns = bench_ready();
    for (size_t i = 0; i < load->count; i++)
        go_on(&load->gateways[i]);
}

static void on_turn(void *context) {
    struct load *load = context;
    bool paced = load->bench->settings.rate;
    if (!load->going && load->asked == load->count) begin(load);
    uint64_t now_ms = clock_monotonic_ms(), deadline_ms = now_ms + 100;
    if (load->going && paced) {
        pace(load);
        deadline_ms = now_ms + 1;
    }
    loop_timer_set(load->loop, deadline_ms);
}

static void on_timer(void *context) {
    struct load *load = context;
    uint64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < load->count; i++)
        if (now_ms >= session_deadline_ms(&load->gateways[i].session))
            feed(&load->gateways[i], (struct session_input){.kind = SESSION_INPUT_TICK});
}

static void on_stop(void *context, int signal) {
    (void)signal;
    stop(context, 1);
}

// ------------------------------------------------------------------ life

/// Plain, or with the gateway's own key.
static enum err security_of(const struct gateway *g, struct bus_security *security,
                            struct problem *problem) {
    const char *folder = g->load->bench->settings.keys_dir;
    char secret[KEY_TEXT_SIZE], own[KEY_TEXT_SIZE], broker[KEY_TEXT_SIZE];
    *security = (struct bus_security){.insecure = !folder[0]};
    if (!folder[0]) return ERR_NONE;
    enum err err = key_read_secret(folder, g->as, secret, own, problem);
    if (!err) err = key_read_public(folder, "broker", broker, problem);
    if (err) return err;
    bool set = curve_key_set(&security->secret_key, secret, strlen(secret)) &&
               curve_key_set(&security->server_key, broker, strlen(broker));
    return set ? ERR_NONE : problem_set(problem, ERR_FORMAT, "%s: not a key", g->as);
}

static enum err log_init(struct gateway *g, struct problem *problem) {
    const struct bench_settings *settings = &g->load->bench->settings;
    char file[PATH_SIZE + KEY_NAME_SIZE + sizeof "/.spool"] = "";
    uint64_t capacity = 4;
    while (capacity < 2 * (settings->window + COMMIT_BATCHES) + 2 ||
           capacity < settings->spool_batches)
        capacity *= 2;
    if (settings->spool_dir[0])
        snprintf(file, sizeof file, "%s/%s.spool", settings->spool_dir, g->as);
    enum err err = gateway_log_init(&g->log, capacity, file, problem);
    if (!err) g->id = gateway_log_id(&g->log);
    g->tag = tag_start(&g->id);
    return err;
}

static enum err gateway_init(struct gateway *g, struct load *load, const struct branch *branch,
                             const struct branch_gateway *gateway, struct problem *problem) {
    const struct bench_settings *settings = &load->bench->settings;
    const struct session_limits limits = {.answer_timeout_ms = 30000,
                                          .idle_ask_ms = 60000,
                                          .idle_soon_ms = 60000,
                                          .refused_wait_ms = 5000,
                                          .backoff_most_ms = 1000,
                                          .window_most = (uint32_t)settings->window};
    const struct bus_handlers handlers = {.context = g,
                                          .message = on_message,
                                          .connected = on_connected,
                                          .disconnected = on_disconnected};
    struct bus_security security;
    struct bus_settings bus = bus_settings_default();
    bus.heartbeat_ms = 0; // of thousands in one process, each would walk over all
    struct peer self = {PEER_GATEWAY, branch->id, gateway->id};
    g->load = load;
    peer_name(&self, g->as);
    session_init(&g->session, &limits, 1, 0, 1, 0, STOP_NONE);
    enum err err = log_init(g, problem);
    if (!err) err = security_of(g, &security, problem);
    if (err) return err;
    err = stream_init(&g->stream, &load->bench->workload, branch, gateway, take_batch, g);
    if (err)
        return problem_set(problem, err, "%s: no measure is called like it, or no memory", g->as);
    return bus_connect(load->bus, settings->endpoint, &security, &bus, &handlers, &g->socket,
                       problem);
}

static enum err load_init(struct load *load, struct problem *problem) {
    const struct branches *branches = &load->bench->catalogue.branches;
    buffer_init(&load->frame, FRAME_MAX);
    for (size_t i = 0; i < branches->count; i++)
        load->count += branches->items[i].gateway_count;
    load->gateways = calloc(load->count, sizeof load->gateways[0]);
    if (!load->gateways) return problem_set(problem, ERR_NOMEM, "out of memory");
    enum err err = loop_new(&load->loop);
    if (!err) err = bus_new(load->loop, &load->bus);
    if (!err) bus_expect(load->bus, load->count);
    if (err) return problem_set(problem, err, "no loop");
    // Gateway by gateway, so that neighbours are of different branches.
    const struct bench_settings *settings = &load->bench->settings;
    size_t place = 0;
    load->all = load->count;
    load->count = 0;
    for (size_t at = 0; place < load->all && !err; at++)
        for (size_t i = 0; i < branches->count && !err; i++)
            if (at < branches->items[i].gateway_count &&
                place++ % settings->parts == settings->part)
                err = gateway_init(&load->gateways[load->count++], load, &branches->items[i],
                                   &branches->items[i].gateways[at], problem);
    return err;
}

static void load_fini(struct load *load) {
    for (size_t i = 0; load->gateways && i < load->count; i++) {
        bus_close(load->gateways[i].socket);
        stream_fini(&load->gateways[i].stream);
        gateway_log_fini(&load->gateways[i].log);
    }
    bus_free(load->bus);
    loop_free(load->loop);
    buffer_fini(&load->frame);
    free(load->gateways);
}

static int run(const struct bench *bench) {
    static struct load load;
    struct problem problem = {0};
    load.bench = bench;
    if (load_init(&load, &problem)) {
        load.status = bench_fail("%s", problem.text);
    } else {
        loop_handle(load.loop,
                    &(struct loop_handlers){
                        .context = &load, .stop = on_stop, .timer = on_timer, .turn = on_turn});
        loop_run(load.loop);
    }
    if (!load.status) {
        load.result.ended_ns = bench_now_ns();
        load.result.observations = workload_observations(&bench->workload) * load.count / load.all;
        load.result.latencies = &load.latencies;
        bench_result(&load.result);
    }
    load_fini(&load);
    return load.status;
}

const struct bench_path bench_load = {
    .name = "load", .summary = "through a broker, workers and Redis", .run = run};
