// The rules of a gateway's talk with the store, one a test.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/core/session.h"

static const struct session_limits limits = {.answer_timeout_ms = 10000,
                                             .idle_ask_ms = 10000,
                                             .idle_soon_ms = 1000,
                                             .refused_wait_ms = 30000,
                                             .backoff_most_ms = 60000,
                                             .window_most = 64};
static struct session s;
static struct session_actions out;

static void step(struct session_input in) {
    session_step(&s, &in, &out);
}

static struct tag tag_of(uint64_t number) {
    return (struct tag){{(uint8_t)(number - 1), 7, 0, 0, (uint8_t)number, 7}};
}

static struct session_input answer(enum answer_status status, uint64_t number) {
    return (struct session_input){.kind = SESSION_INPUT_ANSWER,
                                  .session = s.number,
                                  .status = status,
                                  .position = {.epoch = 5, .number = number, .tag = tag_of(number)},
                                  .own_held = number >= s.first && number <= s.last,
                                  .own_tag = tag_of(number),
                                  .window = 4};
}

static const struct session_action *action(enum session_action_kind kind) {
    for (size_t i = 0; i < out.count; i++)
        if (out.items[i].kind == kind) return &out.items[i];
    return NULL;
}

/// A spool that holds 1..last under epoch 5, connected and answered: the store stands at `number`.
static void streaming(uint64_t last, uint64_t number) {
    session_init(&s, &limits, 100, 5, 1, last, STOP_NONE);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    step(answer(ANSWER_APPLIED, number));
}

#define sent(a, b)                                                                                 \
    do {                                                                                           \
        cr_assert_not_null(action(SESSION_SEND));                                                  \
        cr_assert(eq(u64, action(SESSION_SEND)->from, a));                                         \
        cr_assert(eq(u64, action(SESSION_SEND)->to, b));                                           \
    } while (0)

// Nothing is sent before the store has said where it stands.
Test(session, connecting_asks_first) {
    session_init(&s, &limits, 100, 0, 1, 9, STOP_NONE);
    cr_assert(eq(u64, session_deadline_ms(&s), UINT64_MAX));
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    cr_assert(eq(sz, out.count, 1));
    cr_assert(eq(int, out.items[0].kind, SESSION_ASK));
    cr_assert(eq(u64, out.items[0].session, 101));
    cr_assert(eq(int, session_state(&s), SESSION_ASKING));
}

// The epoch must be on disk before a batch goes out under it.
Test(session, a_granted_epoch_is_written_down_before_sending) {
    session_init(&s, &limits, 100, 0, 1, 9, STOP_NONE);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    step(answer(ANSWER_APPLIED, 0));
    cr_assert(eq(int, out.items[0].kind, SESSION_EPOCH));
    cr_assert(eq(u64, out.items[0].position.epoch, 5));
    cr_assert(eq(int, out.items[out.count - 1].kind, SESSION_SEND));
}

Test(session, sends_within_the_window_only) {
    streaming(9, 0);
    sent(1, 4);
    step(answer(ANSWER_APPLIED, 2));
    sent(5, 6);
}

Test(session, the_own_bound_caps_the_window) {
    session_init(&s, &limits, 100, 5, 1, 1000, STOP_NONE);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    struct session_input in = answer(ANSWER_APPLIED, 0);
    in.window = 900;
    step(in);
    sent(1, 64);
}

// A broker without room may say 0; then only a later question can open it again.
Test(session, without_a_window_it_asks_again_later) {
    session_init(&s, &limits, 100, 5, 1, 9, STOP_NONE);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    struct session_input in = answer(ANSWER_APPLIED, 0);
    in.window = 0;
    step(in);
    cr_assert_null(action(SESSION_SEND));
    for (uint64_t last = 10; last < 20; last++) // new batches must not put the question off
        step((struct session_input){
            .kind = SESSION_INPUT_SPOOL, .now_ms = last * 500, .first = 1, .last = last});
    cr_assert(le(u64, session_deadline_ms(&s), 10000));
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 10000});
    cr_assert_not_null(action(SESSION_ASK));
}

// Work handed to a slow worker is answered long after the gateway went on.
Test(session, answers_of_other_sessions_are_ignored) {
    streaming(9, 0);
    struct session_input in = answer(ANSWER_APPLIED, 3);
    in.session--;
    step(in);
    cr_assert(eq(sz, out.count, 0));
    in.status = ANSWER_FENCED;
    step(in);
    cr_assert(eq(int, session_state(&s), SESSION_STREAMING));
}

Test(session, a_gap_steps_back_in_a_new_session) {
    streaming(9, 0);
    uint64_t before = s.number;
    step(answer(ANSWER_GAP, 1));
    cr_assert(eq(u64, action(SESSION_SEND)->session, before + 1));
    sent(2, 5);
}

// Two machines that disagree about the same number must not spin.
Test(session, a_repeated_gap_backs_off) {
    streaming(9, 0);
    step(answer(ANSWER_GAP, 0));
    step(answer(ANSWER_GAP, 0));
    cr_assert_null(action(SESSION_SEND));
    cr_assert(eq(int, session_state(&s), SESSION_WAITING));
    cr_assert(gt(u64, session_deadline_ms(&s), 0));
}

// A failover loses what was acknowledged; the gateway still has it.
Test(session, a_store_that_went_back_is_asked_and_then_brought_forward) {
    streaming(9, 6);
    step(answer(ANSWER_APPLIED, 9));
    step(answer(ANSWER_APPLIED, 3)); // perhaps only a late answer
    cr_assert_not_null(action(SESSION_ASK));
    cr_assert_null(action(SESSION_SEND));
    step(answer(ANSWER_APPLIED, 3));
    cr_assert(eq(u64, action(SESSION_REWOUND)->from, 4));
    cr_assert(eq(u64, action(SESSION_REWOUND)->to, 9));
    sent(4, 7);
}

Test(session, an_idle_gateway_asks_soon_and_then_at_intervals) {
    streaming(3, 0);
    struct session_input in = answer(ANSWER_APPLIED, 3);
    in.now_ms = 500;
    step(in);
    cr_assert(eq(int, session_state(&s), SESSION_IDLE));
    cr_assert(eq(u64, session_deadline_ms(&s), 1500));
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 1500});
    cr_assert_not_null(action(SESSION_ASK));
    in = answer(ANSWER_APPLIED, 3);
    in.now_ms = 1600;
    step(in);
    cr_assert(eq(int, session_state(&s), SESSION_IDLE));
    cr_assert(eq(u64, session_deadline_ms(&s), 11600));
}

Test(session, a_new_batch_leaves_idle_at_once) {
    streaming(3, 3);
    step((struct session_input){.kind = SESSION_INPUT_SPOOL, .now_ms = 5, .first = 1, .last = 4});
    sent(4, 4);
    cr_assert(eq(u64, session_deadline_ms(&s), 10005));
}

// Rows older than the retention are gone; if the store needs them, it must hear so.
Test(session, what_was_trimmed_behind_the_position_is_lost) {
    session_init(&s, &limits, 100, 5, 4, 9, STOP_NONE);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    step(answer(ANSWER_APPLIED, 1));
    sent(4, 7);
    cr_assert(eq(u64, action(SESSION_SEND)->lost, 2));
    cr_assert(tag_equal(action(SESSION_SEND)->position.tag, tag_of(1)));
    step(answer(ANSWER_APPLIED, 4));
    cr_assert(eq(u64, action(SESSION_SEND)->lost, 0));
    cr_assert(eq(u64, action(SESSION_POSITION)->passed_over, 2));
    step(answer(ANSWER_APPLIED, 5));
    cr_assert(eq(u64, action(SESSION_POSITION)->passed_over, 0));
}

// A full spool drops its oldest while earlier ones are under way. Behind which of those the gap is,
// only the store can say: batches of a copy may have taken their numbers.
Test(session, what_is_dropped_ahead_is_lost_from_the_position_that_an_ask_finds) {
    streaming(20, 0);
    step((struct session_input){.kind = SESSION_INPUT_SPOOL, .first = 10, .last = 20});
    step(answer(ANSWER_APPLIED, 4));
    cr_assert_null(action(SESSION_SEND));
    cr_assert_not_null(action(SESSION_ASK));
    step(answer(ANSWER_APPLIED, 4));
    sent(10, 13);
    cr_assert(eq(u64, action(SESSION_SEND)->lost, 5));
    cr_assert(tag_equal(action(SESSION_SEND)->position.tag, tag_of(4)));
    step(answer(ANSWER_GAP, 6)); // it had more under way, and was not told
    cr_assert(eq(u64, action(SESSION_POSITION)->passed_over, 0));
}

// A gap without an ask may speak of another spool that holds the same epoch: the ask would be
// fenced.
Test(session, a_gap_that_leads_to_what_is_lost_is_asked_about) {
    streaming(9, 4);
    step((struct session_input){.kind = SESSION_INPUT_SPOOL, .first = 4, .last = 9});
    step(answer(ANSWER_GAP, 1));
    cr_assert_null(action(SESSION_SEND));
    cr_assert_not_null(action(SESSION_ASK));
    step(answer(ANSWER_APPLIED, 1));
    sent(4, 7);
    cr_assert(eq(u64, action(SESSION_SEND)->lost, 2));
}

Test(session, later_waits_as_long_as_told_then_asks) {
    streaming(9, 0);
    struct session_input in = answer(ANSWER_LATER, 0);
    in.wait_ms = 700;
    in.now_ms = 10;
    step(in);
    cr_assert(eq(sz, out.count, 0));
    cr_assert(eq(u64, session_deadline_ms(&s), 710));
    step((struct session_input){.kind = SESSION_INPUT_SPOOL, .now_ms = 20, .first = 1, .last = 10});
    cr_assert(eq(sz, out.count, 0));
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 710});
    cr_assert_not_null(action(SESSION_ASK));
}

// A refusal is for a person to mend; nothing is lost meanwhile.
Test(session, a_refusal_is_retried_slowly) {
    streaming(9, 0);
    step(answer(ANSWER_REFUSED, 0));
    cr_assert(eq(u64, session_deadline_ms(&s), 30000));
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 30000});
    cr_assert_not_null(action(SESSION_ASK));
    step((struct session_input){.kind = SESSION_INPUT_REFUSED, .now_ms = 30001});
    cr_assert(eq(u64, session_deadline_ms(&s), 60001));
}

Test(session, a_dead_letter_moves_the_position_over_it) {
    streaming(9, 0);
    step(answer(ANSWER_DEAD, 1));
    cr_assert(eq(u64, action(SESSION_POSITION)->position.number, 1));
    sent(5, 5);
}

Test(session, silence_begins_a_new_session_with_a_question) {
    streaming(9, 0);
    uint64_t before = s.number;
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 9999});
    cr_assert(eq(sz, out.count, 0));
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 10000});
    cr_assert(eq(u64, action(SESSION_ASK)->session, before + 1));
    uint64_t first = session_deadline_ms(&s) - 10000;
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = session_deadline_ms(&s)});
    cr_assert(ge(u64, session_deadline_ms(&s) - 10000, 2 * first));
}

Test(session, an_answer_puts_the_time_out_off) {
    streaming(9, 0);
    struct session_input in = answer(ANSWER_APPLIED, 1);
    in.now_ms = 9000;
    step(in);
    cr_assert(eq(u64, session_deadline_ms(&s), 19000));
}

Test(session, a_lost_connection_begins_anew) {
    streaming(9, 0);
    struct session_input late = answer(ANSWER_APPLIED, 2);
    step((struct session_input){.kind = SESSION_INPUT_DISCONNECTED});
    cr_assert(eq(int, session_state(&s), SESSION_CONNECTING));
    step(late);
    cr_assert(eq(sz, out.count, 0));
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    cr_assert_not_null(action(SESSION_ASK));
}

// Two machines with one spool: each would take the other's numbers for its own.
Test(session, another_tag_under_our_number_is_a_clone) {
    streaming(9, 0);
    struct session_input in = answer(ANSWER_APPLIED, 2);
    in.position.tag = tag_of(77);
    step(in);
    cr_assert(eq(int, action(SESSION_STOP)->stop, STOP_CLONE));
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    cr_assert(eq(sz, out.count, 0));
    cr_assert(eq(u64, session_deadline_ms(&s), UINT64_MAX));
}

// A spool put back from an old copy would give used numbers to new batches.
Test(session, a_position_beyond_the_spool_is_a_rollback) {
    session_init(&s, &limits, 100, 5, 1, 9, STOP_NONE);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    step(answer(ANSWER_APPLIED, 10));
    cr_assert(eq(int, action(SESSION_STOP)->stop, STOP_ROLLED_BACK));
}

Test(session, fenced_stops_for_good) {
    streaming(9, 0);
    step(answer(ANSWER_FENCED, 0));
    cr_assert(eq(int, action(SESSION_STOP)->stop, STOP_FENCED));
    session_init(&s, &limits, 100, 5, 1, 9, STOP_FENCED);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    cr_assert(eq(sz, out.count, 0));
}

Test(session, a_higher_epoch_than_ours_is_fencing) {
    streaming(9, 0);
    struct session_input in = answer(ANSWER_APPLIED, 1);
    in.position.epoch = 6;
    step(in);
    cr_assert(eq(int, action(SESSION_STOP)->stop, STOP_FENCED));
}

// An emptied store takes our epoch at the question; a position of another time is none of ours.
Test(session, a_position_without_our_epoch_changes_nothing) {
    streaming(9, 3);
    struct session_input in = answer(ANSWER_APPLIED, 0);
    in.position.epoch = 0;
    step(in);
    cr_assert_null(action(SESSION_POSITION));
    cr_assert(eq(int, session_state(&s), SESSION_WAITING));
}

Test(session, a_full_socket_is_tried_again_from_the_unsent) {
    streaming(9, 0);
    step((struct session_input){.kind = SESSION_INPUT_UNSENT, .now_ms = 5, .number = 3});
    cr_assert(eq(u64, session_deadline_ms(&s), 25));
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 25});
    sent(3, 4);
}

// The answer to the last that went out comes meanwhile, and nothing else will.
Test(session, a_full_socket_is_tried_again_whatever_is_answered_meanwhile) {
    streaming(9, 0);
    step((struct session_input){.kind = SESSION_INPUT_UNSENT, .now_ms = 5, .number = 3});
    struct session_input in = answer(ANSWER_APPLIED, 2);
    in.now_ms = 6;
    step(in);
    cr_assert_null(action(SESSION_SEND));
    cr_assert(eq(u64, session_deadline_ms(&s), 25));
    step((struct session_input){.kind = SESSION_INPUT_TICK, .now_ms = 25});
    sent(3, 6);
}

Test(session, an_emptied_store_gets_all_that_is_still_held) {
    session_init(&s, &limits, 100, 5, 51, 60, STOP_NONE);
    step((struct session_input){.kind = SESSION_INPUT_CONNECTED});
    step(answer(ANSWER_APPLIED, 0));
    sent(51, 54);
    cr_assert(eq(u64, action(SESSION_SEND)->lost, 1));
}
