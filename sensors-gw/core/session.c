#include "sensors-gw/core/session.h"

#include <assert.h>
#include <string.h>

#define NEVER UINT64_MAX

enum { WAIT_LEAST_MS = 10, BACKOFF_FIRST_MS = 100, UNSENT_PAUSE_MS = 20 };

// ------------------------------------------------------------------ small parts

static struct session_action *act(struct session *s, struct session_actions *out,
                                  enum session_action_kind kind) {
    assert(out->count < SESSION_ACTIONS_MAX);
    struct session_action *action = &out->items[out->count++];
    *action = (struct session_action){.kind = kind, .session = s->number};
    return action;
}

static uint64_t min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t doubled(uint64_t first_ms, uint32_t tries, uint64_t most_ms) {
    uint32_t shift = tries < 20 ? tries : 20;
    return min_u64(first_ms << shift, most_ms);
}

static bool sent_unanswered(const struct session *s) {
    return s->next > s->applied + 1;
}

static void stop(struct session *s, enum session_stop reason, struct session_actions *out) {
    s->state = SESSION_STOPPED;
    s->stop = reason;
    s->deadline_ms = NEVER;
    act(s, out, SESSION_STOP)->stop = reason;
}

/// A question repeated without an answer waits longer each time.
static void ask(struct session *s, uint64_t now_ms, struct session_actions *out) {
    s->state = SESSION_ASKING;
    s->number++;
    uint64_t most_ms = s->limits.backoff_most_ms > s->limits.answer_timeout_ms
                           ? s->limits.backoff_most_ms
                           : s->limits.answer_timeout_ms;
    s->deadline_ms = now_ms + doubled(s->limits.answer_timeout_ms, s->tries, most_ms);
    s->tries++;
    act(s, out, SESSION_ASK);
}

/// Whatever is under way does not count any more; ask again after the pause.
static void wait(struct session *s, uint64_t now_ms, uint64_t pause_ms) {
    s->state = SESSION_WAITING;
    s->number++;
    s->deadline_ms = now_ms + (pause_ms > WAIT_LEAST_MS ? pause_ms : WAIT_LEAST_MS);
}

static void back_off(struct session *s, uint64_t now_ms) {
    wait(s, now_ms, doubled(BACKOFF_FIRST_MS, s->tries, s->limits.backoff_most_ms));
    s->tries++;
}

// ------------------------------------------------------------------ sending

/// Of two that begin at the same number the store may have taken either: the shorter is sure.
static void tell_lost(struct session *s, uint64_t from, uint64_t to) {
    s->lost_to = s->lost_from == from ? min_u64(s->lost_to, to) : to;
    s->lost_from = from;
}

/// Send what the window has room for; settle into streaming or idle and set the deadline.
static void proceed(struct session *s, uint64_t now_ms, struct session_actions *out) {
    if (now_ms >= s->send_not_before_ms) s->send_not_before_ms = 0;
    if (!s->send_not_before_ms && s->next <= s->last) {
        uint64_t lost = s->next < s->first ? s->next : 0;
        uint64_t from = lost ? s->first : s->next;
        uint64_t unanswered = s->next - (s->applied + 1); // what is lost takes no place
        if (from <= s->last && unanswered < s->window) {
            if (lost && !s->asked) { // only a question tells behind what the gap is
                ask(s, now_ms, out);
                return;
            }
            struct session_action *send = act(s, out, SESSION_SEND);
            send->position = (struct position){s->epoch, s->applied, s->tag};
            send->from = from;
            send->to = min_u64(s->last, from + (s->window - unanswered) - 1);
            send->lost = lost;
            if (!sent_unanswered(s)) s->deadline_ms = now_ms + s->limits.answer_timeout_ms;
            s->next = send->to + 1;
            s->asked = false;
            if (lost) tell_lost(s, lost, from - 1);
        }
    }

    bool idle = s->applied >= s->last;
    if (idle && s->state != SESSION_IDLE) {
        uint32_t pause_ms = s->asked_when_idle ? s->limits.idle_ask_ms : s->limits.idle_soon_ms;
        s->deadline_ms = now_ms + pause_ms;
    }
    if (!idle) s->asked_when_idle = false;
    s->state = idle ? SESSION_IDLE : SESSION_STREAMING;
    if (s->send_not_before_ms && s->next <= s->last)
        s->deadline_ms = min_u64(s->deadline_ms, s->send_not_before_ms);
}

// ------------------------------------------------------------------ answers

/// What an answer's position says about this spool; STOP_NONE: it fits.
static enum session_stop position_check(const struct session *s, const struct session_input *in) {
    if (in->position.epoch > s->epoch && s->epoch) return STOP_FENCED;
    if (in->position.number > s->last) return STOP_ROLLED_BACK;
    if (in->own_held && !tag_equal(in->own_tag, in->position.tag)) return STOP_CLONE;
    return STOP_NONE;
}

/// A position in the middle of what is lost was there before the store was told.
static uint64_t passed_over(const struct session *s, uint64_t number) {
    bool all = s->lost_from > s->applied && number > s->lost_to;
    return all ? s->lost_to - s->lost_from + 1 : 0;
}

/// Take over the answered position, forward or back.
static void position_take(struct session *s, const struct session_input *in,
                          struct session_actions *out) {
    if (in->position.number < s->applied) {
        struct session_action *rewound = act(s, out, SESSION_REWOUND);
        rewound->from = in->position.number + 1;
        rewound->to = s->applied;
    }
    struct session_action *stands = act(s, out, SESSION_POSITION);
    stands->position = in->position;
    stands->passed_over = passed_over(s, in->position.number);
    s->applied = in->position.number;
    s->tag = in->position.tag;
    s->asked = s->state == SESSION_ASKING;
}

static void window_take(struct session *s, uint32_t window) {
    s->window = window < s->limits.window_most ? window : s->limits.window_most;
}

/// The answer to a question: whatever it says is where to go on from.
static void asked_answered(struct session *s, const struct session_input *in,
                           struct session_actions *out) {
    if (!s->epoch) {
        s->epoch = in->position.epoch;
        act(s, out, SESSION_EPOCH)->position = in->position;
    }
    position_take(s, in, out);
    s->next = s->applied + 1;
    window_take(s, in->window);
    s->tries = 0;
    s->state = SESSION_STREAMING;
    proceed(s, in->now_ms, out);
}

/// Batches up to the position are applied (or dead letters: then the position moved over them).
static void applied_answered(struct session *s, const struct session_input *in,
                             struct session_actions *out) {
    if (in->position.number < s->applied) { // late or gone back: only a question can tell
        ask(s, in->now_ms, out);
        return;
    }
    bool moved = in->position.number > s->applied;
    if (moved) {
        position_take(s, in, out);
        s->tries = 0;
        s->gap_at = 0;
        if (s->next <= s->applied) s->next = s->applied + 1;
        s->deadline_ms = in->now_ms + s->limits.answer_timeout_ms;
    }
    window_take(s, in->window);
    proceed(s, in->now_ms, out);
}

/// Something between the position and what was sent is missing at the store: send it again.
static void gap_answered(struct session *s, const struct session_input *in,
                         struct session_actions *out) {
    position_take(s, in, out);
    s->next = s->applied + 1;
    window_take(s, in->window);
    bool again = s->gap_at == s->next;
    s->gap_at = s->next;
    if (again) {
        back_off(s, in->now_ms);
        return;
    }
    s->number++;
    s->state = SESSION_STREAMING;
    proceed(s, in->now_ms, out);
}

static void answered(struct session *s, const struct session_input *in,
                     struct session_actions *out) {
    if (in->session != s->number) return;
    if (s->state != SESSION_ASKING && s->state != SESSION_STREAMING && s->state != SESSION_IDLE)
        return;

    switch (in->status) {
    case ANSWER_FENCED:
        stop(s, STOP_FENCED, out);
        return;
    case ANSWER_LATER:
        if (in->wait_ms)
            wait(s, in->now_ms, min_u64(in->wait_ms, s->limits.backoff_most_ms));
        else
            back_off(s, in->now_ms);
        return;
    case ANSWER_REFUSED:
        wait(s, in->now_ms, s->limits.refused_wait_ms);
        return;
    case ANSWER_APPLIED:
    case ANSWER_DEAD:
    case ANSWER_GAP:
        break;
    case ANSWER_STATUS_COUNT:
        assert(false);
    }

    if (!in->position.epoch || in->position.epoch < s->epoch) { // not about this spool
        back_off(s, in->now_ms);
        return;
    }
    enum session_stop reason = position_check(s, in);
    if (reason)
        stop(s, reason, out);
    else if (s->state == SESSION_ASKING)
        asked_answered(s, in, out);
    else if (in->status == ANSWER_GAP)
        gap_answered(s, in, out);
    else
        applied_answered(s, in, out);
}

// ------------------------------------------------------------------ the other inputs

static void connected(struct session *s, uint64_t now_ms, struct session_actions *out) {
    s->tries = 0;
    ask(s, now_ms, out);
}

static void disconnected(struct session *s) {
    s->state = SESSION_CONNECTING;
    s->number++;
    s->deadline_ms = NEVER;
}

static void spool_changed(struct session *s, const struct session_input *in,
                          struct session_actions *out) {
    assert(in->first >= s->first && in->last >= s->last && in->first <= in->last + 1);
    s->first = in->first;
    s->last = in->last;
    if (s->state == SESSION_STREAMING || s->state == SESSION_IDLE) proceed(s, in->now_ms, out);
}

static void refused(struct session *s, uint64_t now_ms) {
    if (s->state == SESSION_CONNECTING) return;
    wait(s, now_ms, s->limits.refused_wait_ms);
}

static void unsent(struct session *s, const struct session_input *in) {
    if (s->state != SESSION_STREAMING || in->number >= s->next) return;
    s->next = in->number;
    s->send_not_before_ms = in->now_ms + UNSENT_PAUSE_MS;
    s->deadline_ms = min_u64(s->deadline_ms, s->send_not_before_ms);
}

static void tick(struct session *s, uint64_t now_ms, struct session_actions *out) {
    if (now_ms < s->deadline_ms) return;
    if (s->state == SESSION_STREAMING && s->send_not_before_ms) { // the socket had been full
        s->send_not_before_ms = 0;
        s->deadline_ms = now_ms + s->limits.answer_timeout_ms;
        proceed(s, now_ms, out);
        return;
    }
    if (s->state == SESSION_IDLE) {
        s->asked_when_idle = true;
        s->tries = 0;
    }
    ask(s, now_ms, out);
}

// ------------------------------------------------------------------ the machine

void session_init(struct session *s, const struct session_limits *limits, uint64_t first_session,
                  uint64_t epoch, uint64_t first, uint64_t last, enum session_stop reason) {
    *s = (struct session){
        .limits = *limits,
        .state = reason ? SESSION_STOPPED : SESSION_CONNECTING,
        .stop = reason,
        .number = first_session,
        .epoch = epoch,
        .first = first,
        .last = last,
        .next = 1,
        .deadline_ms = NEVER,
    };
}

struct session_input session_answer(const struct message *answer) {
    return (struct session_input){.kind = SESSION_INPUT_ANSWER,
                                  .session = answer->session,
                                  .status = answer->status,
                                  .position = answer->position,
                                  .window = answer->window,
                                  .wait_ms = answer->wait_ms};
}

void session_step(struct session *s, const struct session_input *in, struct session_actions *out) {
    out->count = 0;
    if (s->state == SESSION_STOPPED) return;
    switch (in->kind) {
    case SESSION_INPUT_CONNECTED:
        connected(s, in->now_ms, out);
        break;
    case SESSION_INPUT_DISCONNECTED:
        disconnected(s);
        break;
    case SESSION_INPUT_SPOOL:
        spool_changed(s, in, out);
        break;
    case SESSION_INPUT_ANSWER:
        answered(s, in, out);
        break;
    case SESSION_INPUT_REFUSED:
        refused(s, in->now_ms);
        break;
    case SESSION_INPUT_UNSENT:
        unsent(s, in);
        break;
    case SESSION_INPUT_TICK:
        tick(s, in->now_ms, out);
        break;
    }
}

uint64_t session_deadline_ms(const struct session *s) {
    return s->deadline_ms;
}
enum session_state session_state(const struct session *s) {
    return s->state;
}

bool session_settled(const struct session *s) {
    return s->state == SESSION_IDLE && s->asked_when_idle;
}

const char *session_state_name(enum session_state state) {
    static const char *const names[] = {
        [SESSION_CONNECTING] = "connecting", [SESSION_ASKING] = "asking",
        [SESSION_STREAMING] = "streaming",   [SESSION_IDLE] = "idle",
        [SESSION_WAITING] = "waiting",       [SESSION_STOPPED] = "stopped",
    };
    return names[state];
}

const char *session_stop_name(enum session_stop reason) {
    static const char *const names[] = {
        [STOP_NONE] = "none",
        [STOP_FENCED] = "fenced",
        [STOP_CLONE] = "clone",
        [STOP_ROLLED_BACK] = "rolled_back",
    };
    return names[reason];
}
