#include "sensors-gw/shell/uplink.h"

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/registry/keys.h"
#include "common/wire/message.h"
#include "sensors-gw/shell/gateway.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDLE_SOON_MS = 1000, // having become idle, ask once so soon
    LAST_WORDS_MS = 500, // for them to leave
};

/// Public halves: the gateway's own, and the broker's.
struct keys_used {
    char own[KEY_TEXT_SIZE], broker[KEY_TEXT_SIZE];
};

struct uplink {
    const struct gateway_settings *settings;
    struct uplink_handlers handlers;
    struct spool *spool;
    struct session session;
    struct bus *bus;
    struct bus_socket *socket;
    size_t endpoint;           // which of the brokers
    uint64_t connect_until_ms; // then the next one
    char as[KEY_NAME_SIZE];    // the gateway's name
    bool plain;                // the socket does not know it: say it in each message
    struct keys_used keys;     // that the socket was made with
    struct buffer frame;
    bool over; // the gateway gave up
};

static void stop(struct uplink *u, int exit_status) {
    u->over = true;
    u->handlers.stop(u->handlers.context, exit_status);
}

static bool spooled(struct uplink *u, enum err err, const struct problem *problem) {
    if (u->handlers.spooled(u->handlers.context, err, problem)) return true;
    u->over = true;
    return false;
}

// ------------------------------------------------------------------ what the session wants

static struct bytes as_of(const struct uplink *u) {
    return u->plain ? bytes_of_text(u->as) : (struct bytes){0};
}

/// How the gateway is, by what it remembers of its spool.
static struct message ask_of(const struct uplink *u, uint64_t session) {
    const struct spool_state *state = spool_state(u->spool);
    struct message message = {.type = MESSAGE_ASK,
                              .session = session,
                              .position = {.epoch = state->epoch},
                              .spool = state->id,
                              .has_spool = true,
                              .as = as_of(u),
                              .held = spool_unapplied(u->spool),
                              .spooled = state->last + state->left_out,
                              .dropped = state->dropped + state->left_out,
                              .left_out = state->left_out,
                              .oldest_ms = TIME_NONE};
    u->handlers.reading(u->handlers.context, &message.read_permille, &message.ended);
    return message;
}

/// Unsent or lost is one to the session: it asks again when no answer comes.
static void send_message(struct uplink *u, const struct message *message) {
    buffer_clear(&u->frame);
    enum err err = message_encode(message, &u->frame);
    assert(!err || err == ERR_NOMEM);
    if (!err) err = bus_send(u->socket, BUS_BROKER, buffer_bytes(&u->frame));
    if (err) log_debug("ask_unsent", "reason=%s", err_name(err));
}

static void send_ask(struct uplink *u, const struct session_action *action) {
    struct problem problem = {0};
    struct message message = ask_of(u, action->session);
    if (!spooled(u, spool_oldest_ms(u->spool, &message.oldest_ms, &problem), &problem)) return;
    send_message(u, &message);
}

/// Batches on their way into frames; a frame holds as many as fit.
struct sending {
    struct uplink *u;
    const struct session_action *action;
    uint64_t frame_first; // of those in the frame; 0: it is empty
    uint64_t unsent;      // the first that could not be handed over; 0: none
};

static bool send_frame(struct sending *sending) {
    struct uplink *u = sending->u;
    if (!sending->frame_first) return true;
    if (bus_send(u->socket, BUS_BROKER, buffer_bytes(&u->frame))) {
        sending->unsent = sending->frame_first;
        return false;
    }
    buffer_clear(&u->frame);
    sending->frame_first = 0;
    return true;
}

/// As the spool has it, unless only the store knows what it follows.
static struct tag tag_to_send(const struct spool_batch *batch, const struct position *position,
                              bool lost) {
    bool unknown = batch->number == position->number + 1 && tag_unknown(tag_before(batch->tag));
    return lost || unknown ? tag_behind(batch->tag, position->tag) : batch->tag;
}

static bool send_batch(void *context, const struct spool_batch *batch) {
    struct sending *sending = context;
    struct uplink *u = sending->u;
    const struct session_action *action = sending->action;
    uint64_t lost = batch->number == action->from ? action->lost : 0;
    struct tag tag = tag_to_send(batch, &action->position, lost);
    struct message message = {.type = MESSAGE_BATCH,
                              .session = action->session,
                              .position = {spool_state(u->spool)->epoch, batch->number, tag},
                              .lost = lost,
                              .body = batch->body,
                              .as = as_of(u)};
    enum err err = message_encode(&message, &u->frame);
    if (err == ERR_FULL && sending->frame_first) {
        if (!send_frame(sending)) return false;
        err = message_encode(&message, &u->frame);
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
static uint64_t send_batches(struct uplink *u, const struct session_action *action) {
    struct sending sending = {.u = u, .action = action};
    struct problem problem = {0};
    buffer_clear(&u->frame);
    enum err err = spool_read(u->spool, action->from, action->to, send_batch, &sending, &problem);
    if (!spooled(u, err, &problem)) return action->from;
    if (!sending.unsent) (void)send_frame(&sending);
    return sending.unsent;
}

static bool committed(struct uplink *u) {
    if (u->handlers.commit(u->handlers.context)) return true;
    u->over = true; // nothing is sent any more
    return false;
}

static void stop_session(struct uplink *u, enum session_stop reason) {
    static const char *const texts[] = {
        [STOP_NONE] = "",
        [STOP_FENCED] = "a newer spool of this gateway has taken over; if this is the one to keep, "
                        "start once with --new-spool",
        [STOP_CLONE] = "the store has another batch under one of our numbers: this spool runs on "
                       "two machines, or was put back from an old copy; end the other one and "
                       "start once with --new-spool",
        [STOP_ROLLED_BACK] = "the store has applied more than this spool holds: it was put back "
                             "from an old copy; start once with --new-spool",
    };
    log_error("session_stopped", "reason=%s text=%s", session_stop_name(reason), texts[reason]);
    struct problem problem = {0};
    if (reason == STOP_FENCED && committed(u))
        (void)spooled(u, spool_set_fenced(u->spool, &problem), &problem);
    stop(u, GATEWAY_EXIT_CONFIG);
}

static void grant_epoch(struct uplink *u, uint64_t epoch) {
    struct problem problem = {0};
    if (!committed(u)) return;
    if (spooled(u, spool_set_epoch(u->spool, epoch, &problem), &problem))
        log_info("epoch_granted", "epoch=%llu", (unsigned long long)epoch);
}

static void feed(struct uplink *u, struct session_input in) {
    struct session_actions out;
    struct problem problem = {0};
    uint64_t unsent = 0;
    in.now_ms = clock_monotonic_ms();
    enum session_state before = session_state(&u->session);
    session_step(&u->session, &in, &out);
    for (size_t i = 0; i < out.count && !u->over; i++) {
        const struct session_action *action = &out.items[i];
        switch (action->kind) {
        case SESSION_ASK:
            send_ask(u, action);
            break;
        case SESSION_SEND:
            unsent = send_batches(u, action);
            break;
        case SESSION_EPOCH:
            grant_epoch(u, action->position.epoch);
            break;
        case SESSION_POSITION:
            (void)spooled(u,
                          spool_set_applied(u->spool, action->position.number, action->passed_over,
                                            in.now_ms, &problem),
                          &problem);
            break;
        case SESSION_REWOUND:
            log_warning("store_went_back", "from=%llu to=%llu", (unsigned long long)action->to,
                        (unsigned long long)(action->from - 1));
            break;
        case SESSION_STOP:
            stop_session(u, action->stop);
            break;
        }
    }
    if (unsent && !u->over)
        feed(u, (struct session_input){.kind = SESSION_INPUT_UNSENT, .number = unsent});
    enum session_state after = session_state(&u->session);
    if (before != after)
        log_debug("session", "state=%s applied=%llu last=%llu", session_state_name(after),
                  (unsigned long long)spool_state(u->spool)->applied,
                  (unsigned long long)spool_state(u->spool)->last);
}

// ------------------------------------------------------------------ the broker

static void on_connected(void *context) {
    struct uplink *u = context;
    log_info("connected", "broker=%s", u->settings->brokers.items[u->endpoint]);
    feed(u, (struct session_input){.kind = SESSION_INPUT_CONNECTED});
}

static void on_disconnected(void *context) {
    struct uplink *u = context;
    log_info("disconnected", "broker=%s", u->settings->brokers.items[u->endpoint]);
    u->connect_until_ms = clock_monotonic_ms() + u->settings->answer_timeout_ms;
    feed(u, (struct session_input){.kind = SESSION_INPUT_DISCONNECTED});
}

static void on_refused(void *context, const struct bus_refusal *refusal) {
    log_warning("handshake_refused", "broker=%s reason=%s", refusal->address, refusal->reason);
    uplink_take_up_keys(context); // it may be the broker that has another one
}

static void on_answer(struct uplink *u, const struct message *message) {
    struct session_input in = session_answer(message);
    struct problem problem = {0};
    enum err err = spool_tag(u->spool, in.position.number, &in.own_tag, &problem);
    in.own_held = !err;
    if (err != ERR_MISSING && !spooled(u, err, &problem)) return;
    if (in.status != ANSWER_APPLIED && in.status != ANSWER_GAP && in.status != ANSWER_LATER)
        log_warning("answer", "status=%s number=%llu reason=%.*s", answer_status_name(in.status),
                    (unsigned long long)in.position.number, (int)message->reason.size,
                    (const char *)message->reason.data);
    feed(u, in);
}

static void on_message(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct uplink *u = context;
    (void)peer, (void)user;
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    enum err err;
    while (!u->over && (err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (err) {
            log_warning("message_not_understood", "reason=%s", problem.text);
        } else if (message.type == MESSAGE_ANSWER) {
            on_answer(u, &message);
        } else if (message.type == MESSAGE_REFUSED) {
            log_warning("refused", "reason=%.*s", (int)message.reason.size,
                        (const char *)message.reason.data);
            feed(u, (struct session_input){.kind = SESSION_INPUT_REFUSED});
        } else {
            log_warning("message_unexpected", "type=%s", message_type_name(message.type));
        }
    }
}

static enum err security_of(const struct uplink *u, struct bus_security *security,
                            struct keys_used *keys, struct problem *problem) {
    *security = (struct bus_security){.insecure = u->settings->insecure};
    *keys = (struct keys_used){"", ""};
    if (u->plain) return ERR_NONE;
    char secret[KEY_TEXT_SIZE];
    enum err err = key_read_secret(u->settings->keys_dir, u->as, secret, keys->own, problem);
    if (!err) err = key_read_public(u->settings->keys_dir, "broker", keys->broker, problem);
    if (err) return err;
    bool set = curve_key_set(&security->secret_key, secret, strlen(secret)) &&
               curve_key_set(&security->server_key, keys->broker, strlen(keys->broker));
    explicit_bzero(secret, sizeof secret);
    return set ? ERR_NONE : problem_set(problem, ERR_FORMAT, "%s: not a key", u->as);
}

static enum err connect_broker(struct uplink *u, struct problem *problem) {
    const char *endpoint = u->settings->brokers.items[u->endpoint];
    u->plain = u->settings->insecure || !strncmp(endpoint, "ipc://", 6);
    struct bus_settings settings = bus_settings_default();
    struct bus_security security;
    enum err err = security_of(u, &security, &u->keys, problem);
    if (err) return err;
    const struct bus_handlers handlers = {.context = u,
                                          .message = on_message,
                                          .connected = on_connected,
                                          .disconnected = on_disconnected,
                                          .refused = on_refused};
    u->connect_until_ms = clock_monotonic_ms() + u->settings->answer_timeout_ms;
    err = bus_connect(u->bus, endpoint, &security, &settings, &handlers, &u->socket, problem);
    explicit_bzero(&security, sizeof security);
    return err;
}

static void connect_anew(struct uplink *u) {
    struct problem problem = {0};
    bus_close(u->socket);
    u->socket = NULL;
    if (connect_broker(u, &problem)) {
        log_error("connect_failed", "reason=%s", problem.text);
        stop(u, GATEWAY_EXIT_CONFIG);
    }
}

/// A broker that cannot be reached: try the next one.
static void fail_over(struct uplink *u, uint64_t now_ms) {
    if (session_state(&u->session) != SESSION_CONNECTING || u->settings->brokers.count < 2 ||
        now_ms < u->connect_until_ms)
        return;
    u->endpoint = (u->endpoint + 1) % u->settings->brokers.count;
    log_info("next_broker", "broker=%s", u->settings->brokers.items[u->endpoint]);
    connect_anew(u);
}

void uplink_take_up_keys(struct uplink *u) {
    struct bus_security security;
    struct keys_used keys;
    struct problem problem = {0};
    enum err err = security_of(u, &security, &keys, &problem);
    explicit_bzero(&security, sizeof security);
    if (err) {
        log_error("keys_not_changed", "reason=%s", problem.text); // those before still hold
        return;
    }
    if (!strcmp(keys.own, u->keys.own) && !strcmp(keys.broker, u->keys.broker)) return;
    log_info("keys_changed", "own=%s broker=%s", keys.own, keys.broker);
    feed(u, (struct session_input){.kind = SESSION_INPUT_DISCONNECTED});
    if (!u->over) connect_anew(u);
}

// ------------------------------------------------------------------ what the gateway calls

void uplink_spool_grew(struct uplink *u) {
    const struct spool_state *state = spool_state(u->spool);
    feed(u, (struct session_input){
                .kind = SESSION_INPUT_SPOOL, .first = state->first, .last = state->last});
}

void uplink_tick(struct uplink *u, uint64_t now_ms) {
    if (now_ms >= session_deadline_ms(&u->session))
        feed(u, (struct session_input){.kind = SESSION_INPUT_TICK});
    if (!u->over) fail_over(u, now_ms);
}

uint64_t uplink_deadline_ms(const struct uplink *u) {
    uint64_t at_ms = session_deadline_ms(&u->session);
    bool elsewhere =
        u->settings->brokers.count > 1 && session_state(&u->session) == SESSION_CONNECTING;
    return elsewhere && u->connect_until_ms < at_ms ? u->connect_until_ms : at_ms;
}

void uplink_last_words(struct uplink *u, const char *reason) {
    if (!u->socket) return;                // it could not be connected anew
    struct message message = ask_of(u, 0); // no session: there will be no answer
    message.reason = bytes_of_text(reason);
    send_message(u, &message);
    bus_linger(u->socket, LAST_WORDS_MS);
}

enum session_state uplink_state(const struct uplink *u) {
    return session_state(&u->session);
}

bool uplink_settled(const struct uplink *u) {
    return session_settled(&u->session);
}

static void begin_session(struct uplink *u) {
    const struct gateway_settings *s = u->settings;
    const struct spool_state *state = spool_state(u->spool);
    const struct session_limits limits = {
        .answer_timeout_ms = (uint32_t)s->answer_timeout_ms,
        .idle_ask_ms = (uint32_t)s->idle_ask_ms,
        .idle_soon_ms = (uint32_t)(s->idle_ask_ms < IDLE_SOON_MS ? s->idle_ask_ms : IDLE_SOON_MS),
        .refused_wait_ms = (uint32_t)s->refused_wait_ms,
        .backoff_most_ms = (uint32_t)s->backoff_most_ms,
        .window_most = (uint32_t)s->window_most};
    session_init(&u->session, &limits, state->session, state->epoch, state->first, state->last,
                 STOP_NONE);
}

enum err uplink_new(const struct gateway_settings *settings, struct spool *spool, struct loop *loop,
                    const struct uplink_handlers *handlers, struct uplink **uplink_out,
                    struct problem *problem) {
    struct uplink *u = calloc(1, sizeof *u);
    if (!u) return problem_set(problem, ERR_NOMEM, "out of memory");
    u->settings = settings;
    u->handlers = *handlers;
    u->spool = spool;
    buffer_init(&u->frame, FRAME_MAX);
    struct peer self = {PEER_GATEWAY, settings->branch, settings->gateway};
    peer_name(&self, u->as);
    begin_session(u);
    enum err err = bus_new(loop, &u->bus);
    if (err) problem_set(problem, err, "no sockets: %s", err_name(err));
    if (!err) err = connect_broker(u, problem);
    if (err) {
        uplink_free(u);
        return err;
    }
    *uplink_out = u;
    return ERR_NONE;
}

void uplink_free(struct uplink *u) {
    if (!u) return;
    bus_close(u->socket);
    bus_free(u->bus);
    buffer_fini(&u->frame);
    free(u);
}
