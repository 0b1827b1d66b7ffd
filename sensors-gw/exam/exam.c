#include "sensors-gw/exam/exam.h"

#include "sensors-gw/exam/script.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPOCH = 3,         // what the examiner grants
    WINDOW = 4,        // ditto
    BACK_BY = 3,       // batches that the store falls back by
    FRAME_ROOM = 2048, // bytes
    OPENING_WINDOW = 64,
};

struct exam {
    struct exam_settings settings;
    struct witness witness;
    // the script
    const struct exam_row *row;
    unsigned next; // row
    bool recovering, over;
    const char *why;
    uint64_t entered_ms, now_ms;
    // the program
    uint32_t run, connection, cut; // connections up to cut do not count any more
    // the session
    bool asked; // and not answered yet
    bool first; // no batch of this session has come
    uint64_t session, due;
    uint64_t window;
    uint64_t arrived_ms;      // the last batch
    struct position position; // the store's
    uint64_t top;             // highest number that came in this session
    bool report_empty;        // its last ask held nothing
    bool apply_due;           // at the end of this step
    // out
    struct exam_actions *out;
    struct buffer frames[EXAM_ACTIONS_MAX];
};

static void enter(struct exam *e, const struct exam_row *row);

// ------------------------------------------------------------------ doing

static struct exam_action *act(struct exam *e, enum exam_action_kind kind) {
    assert(e->out->count < EXAM_ACTIONS_MAX);
    struct exam_action *action = &e->out->items[e->out->count++];
    *action = (struct exam_action){.kind = kind, .connection = e->connection};
    return action;
}

static struct buffer *frame(struct exam *e) {
    struct exam_action *action = act(e, EXAM_SEND);
    struct buffer *buffer = &e->frames[action - e->out->items];
    buffer_clear(buffer);
    return buffer;
}

/// Frames grow while they are written: name them when they are whole.
static void frames_close(struct exam *e) {
    for (size_t i = 0; i < e->out->count; i++)
        if (e->out->items[i].kind == EXAM_SEND)
            e->out->items[i].frame = buffer_bytes(&e->frames[i]);
}

static void answer_as(struct exam *e, uint64_t session, enum answer_status status,
                      struct position position, uint64_t window, uint64_t wait_ms) {
    struct message answer = {.type = MESSAGE_ANSWER,
                             .session = session,
                             .status = status,
                             .position = position,
                             .window = (uint32_t)window,
                             .wait_ms = (uint32_t)wait_ms,
                             .reason = bytes_of_text("check-peer")};
    enum err err = message_encode(&answer, frame(e));
    assert(!err || err == ERR_NOMEM);
    (void)err;
}

static void answer(struct exam *e, enum answer_status status, uint64_t window) {
    answer_as(e, e->session, status, e->position, window, 0);
    e->window = window;
}

static struct position position_at(const struct exam *e, uint64_t number) {
    return (struct position){EPOCH, number, witness_tag(&e->witness, number)};
}

static uint64_t older(const struct exam *e) {
    return e->position.number > BACK_BY ? e->position.number - BACK_BY : 0;
}

static void apply(struct exam *e) {
    if (e->top > e->position.number) e->position = position_at(e, e->top);
    if (e->position.number > e->witness.applied_top) e->witness.applied_top = e->position.number;
}

static void grant(struct exam *e, uint64_t window) {
    if (!e->asked) return;
    if (!e->position.epoch) e->position = position_at(e, 0);
    e->witness.epoch = EPOCH;
    e->asked = false;
    e->first = true;
    e->top = e->position.number;
    e->due = e->position.number + 1;
    answer(e, ANSWER_APPLIED, window);
}

static void mislead(struct exam *e, uint64_t session) {
    struct position beyond = {EPOCH + 1, e->witness.last + 1000, {"elsewher"}};
    answer_as(e, session, ANSWER_FENCED, beyond, 0, 0);
    answer_as(e, session, ANSWER_GAP, (struct position){EPOCH, 0, {{0}}}, OPENING_WINDOW, 0);
    answer_as(e, session, ANSWER_APPLIED, beyond, OPENING_WINDOW, 0);
    answer_as(e, session, ANSWER_LATER, beyond, 0, 600000);
}

static void garbage(struct exam *e) {
#define GARBAGE(text)                                                                              \
    { (const uint8_t *)(text), sizeof(text) - 1 }
    static const struct bytes frames[] = {
        GARBAGE("\xc1\xff\x00 no message"),
        GARBAGE("\x93\x01\x02\x03"), // no map
        GARBAGE("\x82\xa1v\x02\xa4type\xa6"
                "answer"), // another version
        GARBAGE("\x83\xa1v\x01\xa4type\xa6"
                "answer\xa6window\xd9"),                                  // cut off
        GARBAGE("\x83\xa1v\x01\xa4type\xa8tomorrow\xa4more\x92\x01\xc0"), // unknown type, key
        GARBAGE(""),
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        buffer_put(frame(e), frames[i].data, frames[i].size);
}

static void start(struct exam *e, bool kill) {
    if (kill) act(e, EXAM_KILL);
    act(e, EXAM_START);
    e->run++;
    e->cut = e->connection;
    e->asked = false;
    e->top = e->position.number;
}

static void carry_out(struct exam *e, enum exam_act what) {
    struct position there = e->position;
    switch (what) {
    case ACT_NOTHING:
        break;
    case ACT_START:
    case ACT_RESTART:
        start(e, what == ACT_RESTART);
        break;
    case ACT_CUT:
        act(e, EXAM_CUT);
        e->cut = e->connection;
        break;
    case ACT_STRANGE:
        mislead(e, e->session + 1000);
        break;
    case ACT_GRANT:
        grant(e, WINDOW);
        break;
    case ACT_TWICE:
        apply(e);
        answer(e, ANSWER_APPLIED, WINDOW);
        answer(e, ANSWER_APPLIED, WINDOW);
        answer(e, ANSWER_APPLIED, WINDOW);
        break;
    case ACT_APPLY:
        apply(e);
        answer(e, ANSWER_APPLIED, WINDOW);
        break;
    case ACT_BACK:
        apply(e);
        answer(e, ANSWER_APPLIED, 0);
        e->position = position_at(e, older(e));
        answer(e, ANSWER_APPLIED, WINDOW);
        break;
    case ACT_OLD:
        mislead(e, e->session - 1);
        break;
    case ACT_GAP:
        answer(e, ANSWER_GAP, WINDOW);
        e->due = e->position.number + 1;
        e->top = e->position.number;
        break;
    case ACT_LATER:
        answer_as(e, e->session, ANSWER_LATER, there, 0, 2 * e->settings.quiet_ms);
        break;
    case ACT_REFUSE:
        answer(e, ANSWER_REFUSED, 0);
        break;
    case ACT_WINDOW_ZERO:
        apply(e);
        answer(e, ANSWER_APPLIED, 0);
        break;
    case ACT_GARBAGE:
        garbage(e);
        break;
    case ACT_BEYOND:
        there.number = e->witness.last + 1000;
        answer_as(e, e->session, ANSWER_APPLIED, there, WINDOW, 0);
        break;
    case ACT_OTHER_TAG: // a number behind which it has more to send
        there = position_at(e, older(e));
        there.tag.bytes[TAG_MARK] ^= 0xff;
        answer_as(e, e->session, ANSWER_APPLIED, there, WINDOW, 0);
        break;
    case ACT_FENCE:
        there.epoch++;
        answer_as(e, e->session, ANSWER_FENCED, there, 0, 0);
        break;
    }
}

// ------------------------------------------------------------------ the script

static uint64_t settle_ms(const struct exam *e) {
    return e->settings.quiet_ms / 2;
}

static bool held(const struct exam *e) {
    if (e->asked || e->top <= e->position.number) return false;
    return e->top - e->position.number >= e->window || e->now_ms >= e->arrived_ms + settle_ms(e);
}

static void finish(struct exam *e, const char *why) {
    e->over = true;
    e->why = why;
    act(e, EXAM_KILL);
}

static void go_on(struct exam *e) {
    if (e->recovering) {
        e->recovering = false;
    } else if (++e->next == exam_row_count) {
        finish(e, NULL);
        return;
    }
    enter(e, &exam_rows[e->next]);
}

/// After a failure: on to the next row that can stand alone, if need be by starting again.
static void skip(struct exam *e) {
    if (e->recovering) {
        finish(e, "it did not come back into step after a failure");
        return;
    }
    do {
        if (++e->next == exam_row_count) {
            finish(e, NULL);
            return;
        }
    } while (!exam_rows[e->next].begins && !exam_rows[e->next].talks);
    e->recovering = exam_rows[e->next].talks;
    enter(e, e->recovering ? &exam_recovery : &exam_rows[e->next]);
}

static void claim(struct exam *e, bool holds, const char *instead) {
    const struct exam_row *row = e->row;
    witness_check(&e->witness, row->rule, holds, "not seen: that it %s (%s)", row->claim, instead);
    if (holds)
        go_on(e);
    else
        skip(e);
}

static void enter(struct exam *e, const struct exam_row *row) {
    e->row = row;
    e->entered_ms = e->now_ms;
    carry_out(e, row->act);
    if (row->want == WANT_HELD) grant(e, WINDOW);
    // What is wanted may be there already: an ask that came while it was quiet.
    if (row->want == WANT_ASK && e->asked) claim(e, true, "");
}

static bool gentle(const struct exam *e) { // what was under way may still arrive
    return !e->asked && e->row->act != ACT_START && e->row->act != ACT_RESTART;
}

/// Something came. Forbidden here?
static bool forbidden(struct exam *e, unsigned what, const char *instead) {
    if (!(e->row->forbid & what)) return false;
    if (what == FORBID_BATCH && gentle(e) && e->now_ms < e->entered_ms + settle_ms(e)) return false;
    claim(e, false, instead);
    return true;
}

// ------------------------------------------------------------------ inputs

static void on_ask(struct exam *e, const struct message *m) {
    witness_ask(&e->witness, m);
    e->session = m->session;
    e->asked = true;
    e->report_empty = !m->held;
    if (forbidden(e, FORBID_ASK, "an ask came")) return;
    switch (e->row->want) {
    case WANT_ASK:
    case WANT_TURN:
    case WANT_IDLE:
        claim(e, true, "");
        break;
    case WANT_HELD:
        grant(e, WINDOW);
        break;
    case WANT_QUIET:
        break;
    }
}

static void on_batch(struct exam *e, const struct message *m) {
    if (m->session < e->session) return; // was under way
    if (e->asked) {
        witness_check(&e->witness, 3, false, "batch %llu came before the ask was answered",
                      (unsigned long long)m->position.number);
        (void)forbidden(e, FORBID_BATCH, "a batch came");
        return;
    }
    bool turned = m->session > e->session;
    if (turned) {
        witness_check(&e->witness, 3, e->row->act == ACT_GAP,
                      "session %llu began with a batch, not with an ask",
                      (unsigned long long)m->session);
        e->session = e->witness.session = m->session;
        e->first = true;
    }
    if (e->row->want == WANT_TURN && !turned) return; // was under way
    witness_batch(&e->witness, m, e->due, e->first, e->run);
    e->first = false;
    e->due = m->position.number + 1;
    if (m->position.number > e->top) e->top = m->position.number;
    e->arrived_ms = e->now_ms;
    if (e->window && !m->lost)
        witness_check(&e->witness, 9, m->position.number <= e->position.number + e->window,
                      "batch %llu was sent beyond the window of %llu from position %llu",
                      (unsigned long long)m->position.number, (unsigned long long)e->window,
                      (unsigned long long)e->position.number);
    if (forbidden(e, FORBID_BATCH, "a batch came")) return;
    if (e->row->want == WANT_TURN && turned) claim(e, true, "");
    e->apply_due = e->row->want == WANT_IDLE;
}

static void on_message(struct exam *e, const struct message *m) {
    bool fits = m->type == MESSAGE_ASK || m->type == MESSAGE_BATCH;
    witness_check(&e->witness, 0, fits, "a gateway does not send `%s`", message_type_name(m->type));
    if (m->type == MESSAGE_ASK) on_ask(e, m);
    if (m->type == MESSAGE_BATCH) on_batch(e, m);
}

static void on_frame(struct exam *e, const struct exam_input *in) {
    struct reader reader = reader_of(in->frame);
    struct message message;
    struct problem problem = {0};
    enum err err;
    // What comes over a connection that is cut, or from a program that was killed, is of no
    // account.
    while (!e->over && in->connection > e->cut &&
           (err = message_decode(&reader, &message, &problem)) != ERR_END) {
        if (!witness_check(&e->witness, 0, !err, "%.200s", problem.text)) continue;
        if (in->connection > e->connection) {
            witness_check(&e->witness, 3, message.type == MESSAGE_ASK,
                          "a connection began with `%s`, not with an ask",
                          message_type_name(message.type));
            e->connection = in->connection;
        }
        if (in->connection == e->connection) on_message(e, &message);
    }
}

static void on_time(struct exam *e) {
    enum exam_want want = e->row->want;
    if (want == WANT_HELD && held(e)) {
        claim(e, true, "");
        return;
    }
    if (want == WANT_QUIET && e->now_ms >= e->entered_ms + e->settings.quiet_ms) {
        claim(e, true, "");
        return;
    }
    if (want == WANT_QUIET || e->now_ms < e->entered_ms + e->settings.patience_ms) return;
    if (want == WANT_HELD && e->witness.last == e->position.number && e->report_empty)
        finish(e, "it has no more batches to send: give it more to read");
    else if (want == WANT_IDLE && e->now_ms < e->arrived_ms + e->settings.patience_ms / 2)
        go_on(e); // it was never idle: nothing is known
    else
        claim(e, false, "nothing came in time");
}

void exam_step(struct exam *e, const struct exam_input *in, struct exam_actions *out) {
    out->count = 0;
    e->out = out;
    e->now_ms = in->now_ms;
    if (e->over) return;
    if (!e->row) {
        enter(e, &exam_rows[0]);
    } else if (in->kind == EXAM_INPUT_FRAME) {
        on_frame(e, in);
    } else if (in->kind == EXAM_INPUT_ENDED) {
        if (e->row->rule != 8) claim(e, false, "the program ended");
    }
    if (e->apply_due && e->row->want == WANT_IDLE && !e->asked) {
        apply(e);
        answer(e, ANSWER_APPLIED, OPENING_WINDOW);
    }
    e->apply_due = false;
    if (!e->over && !out->count) on_time(e);
    frames_close(e);
}

uint64_t exam_deadline_ms(const struct exam *e) {
    uint64_t span = e->row->want == WANT_QUIET ? e->settings.quiet_ms : e->settings.patience_ms;
    uint64_t at = e->entered_ms + span;
    uint64_t settled = e->arrived_ms + settle_ms(e);
    bool settles = e->row->want == WANT_HELD && !e->asked && e->top > e->position.number;
    return settles && settled < at ? settled : at;
}

// ------------------------------------------------------------------ life

struct exam *exam_new(const struct exam_settings *settings) {
    struct exam *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->settings = *settings;
    for (size_t i = 0; i < EXAM_ACTIONS_MAX; i++)
        buffer_init(&e->frames[i], FRAME_ROOM);
    if (witness_init(&e->witness, settings->measures)) {
        exam_free(e);
        return NULL;
    }
    return e;
}

void exam_free(struct exam *e) {
    if (!e) return;
    witness_fini(&e->witness);
    for (size_t i = 0; i < EXAM_ACTIONS_MAX; i++)
        buffer_fini(&e->frames[i]);
    free(e);
}

bool exam_over(const struct exam *e, const char **why) {
    *why = e->why;
    return e->over;
}

const struct exam_rule *exam_rule(const struct exam *e, unsigned rule) {
    return &e->witness.rules[rule];
}

const char *exam_trying(const struct exam *e) {
    return e->row ? e->row->claim : "";
}
