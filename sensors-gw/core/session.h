#pragma once
// A gateway's talk with the store, through the broker: where does it stand with my spool, and what
// comes next? Pure: inputs in, actions out; no clock, no socket, no spool.
//
// The store's position is the truth, what the gateway believes a guess. Each connection, question
// and step back begins a new session number; answers echo it, and any other answer is ignored.

#include "common/domain/position.h"
#include "common/wire/message.h"

#include <stddef.h>

enum session_state {
    SESSION_CONNECTING, // no link to a broker
    SESSION_ASKING,     // waits for the position
    SESSION_STREAMING,  // sends, as far as the window lets it
    SESSION_IDLE,       // the store has applied all there is
    SESSION_WAITING,    // told to come back later, or refused
    SESSION_STOPPED,    // for good: session_stop_reason says why
};

enum session_stop {
    STOP_NONE,
    STOP_FENCED,      // a newer spool of this gateway has taken over
    STOP_CLONE,       // the store applied another batch under one of our numbers
    STOP_ROLLED_BACK, // the store has applied more than this spool ever wrote
};

struct session_limits {
    uint32_t answer_timeout_ms; // an unanswered question or batch: ask (again)
    uint32_t idle_ask_ms;       // an idle gateway asks so often
    uint32_t idle_soon_ms;      // and once so soon after becoming idle
    uint32_t refused_wait_ms;   // pause after a refusal
    uint32_t backoff_most_ms;   // pauses double up to this
    uint32_t window_most;       // batches unanswered at most, whatever the broker grants
};

enum session_input_kind {
    SESSION_INPUT_CONNECTED,
    SESSION_INPUT_DISCONNECTED,
    SESSION_INPUT_SPOOL,   // first, last: what the spool holds now
    SESSION_INPUT_ANSWER,  // all of the answer's fields and, if held, own_tag
    SESSION_INPUT_REFUSED, // a message was not understood at all
    SESSION_INPUT_UNSENT,  // number could not be handed to the socket, nor what follows it
    SESSION_INPUT_TICK,
};

struct session_input {
    enum session_input_kind kind;
    uint64_t now_ms;      // monotonic; never goes back
    uint64_t first, last; // SPOOL: numbers it holds; first = last + 1: none
    uint64_t number;      // UNSENT
    uint64_t session;     // ANSWER ...
    enum answer_status status;
    struct position position;
    uint32_t window, wait_ms;
    bool own_held; // the spool still knows the batch of position.number, and its tag is own_tag
    struct tag own_tag;
};

enum session_action_kind {
    SESSION_ASK,      // send ask
    SESSION_SEND,     // send batches from..to; lost goes into the first, which follows position
    SESSION_EPOCH,    // write the epoch down, before anything is sent under it
    SESSION_POSITION, // the store stands here: retention counts from now
    SESSION_REWOUND,  // for the log: the store went back to `from` - 1, from `to`
    SESSION_STOP,     // write the reason down if it is STOP_FENCED; send nothing any more
};

struct session_action {
    enum session_action_kind kind;
    uint64_t session;
    uint64_t from, to, lost;  // SEND, REWOUND
    uint64_t passed_over;     // POSITION: how many of those behind it the store was told are lost
    struct position position; // EPOCH, POSITION, SEND
    enum session_stop stop;
};

enum { SESSION_ACTIONS_MAX = 6 };
struct session_actions {
    size_t count;
    struct session_action items[SESSION_ACTIONS_MAX];
};

/// Plain data: init in place, nothing to free. Only session.c looks inside.
struct session {
    struct session_limits limits;
    enum session_state state;
    enum session_stop stop;
    uint64_t number;      // of the session
    uint64_t epoch;       // 0: none granted yet
    uint64_t first, last; // held by the spool
    uint64_t applied;     // the store's position, as last answered
    struct tag tag;       // ditto
    bool asked;           // and nothing was sent since the ask that it answered
    uint64_t next;        // next batch to send
    uint32_t window;
    uint32_t tries;              // questions and waits without progress, for the back-off
    uint64_t deadline_ms;        // UINT64_MAX: none
    uint64_t lost_from, lost_to; // what the store was last told is gone
    uint64_t gap_at;             // position + 1 of the last gap, so that a repeated one backs off
    uint64_t send_not_before_ms; // the socket was full; 0: not
    bool asked_when_idle;
};

/// first_session: larger than any number an earlier run of this spool has used.
/// stop: STOP_FENCED if the spool remembers that it was fenced.
void session_init(struct session *session, const struct session_limits *limits,
                  uint64_t first_session, uint64_t epoch, uint64_t first, uint64_t last,
                  enum session_stop stop);

/// What an answer of the broker says; the caller adds own_held and own_tag.
struct session_input session_answer(const struct message *answer);

/// Feed one input; *out then lists what the shell must do, in order.
void session_step(struct session *session, const struct session_input *in,
                  struct session_actions *out);

/// When the shell must next feed SESSION_INPUT_TICK; UINT64_MAX: not before another input.
uint64_t session_deadline_ms(const struct session *session);

enum session_state session_state(const struct session *session);
/// Idle, and the store has said so when asked: what the gateway told with the question is the last
/// word.
bool session_settled(const struct session *session);
const char *session_state_name(enum session_state state);
const char *session_stop_name(enum session_stop stop); // "fenced", "clone", "rolled_back"
