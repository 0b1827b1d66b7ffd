// Who may send how much. A longer queue gets no batch done faster, and few large frames cost less
// than many small ones. So while batches wait too long, gateways that have much to send take turns:
// whoever has been answered all that it sent waits, with a window of 0, until as much has been done
// as a whole window holds. What others have to send that is little goes through all the while.

#include "broker/core/state.h"

enum { PERMILLE = 1000, SPARE_SHARE = 16, LITTLE = 8 };

static uint32_t narrowest(const struct dispatch *dispatch) {
    const struct dispatch_limits *limits = &dispatch->limits;
    uint32_t least = limits->window_least ? limits->window_least : 1;
    return least < limits->window ? least : limits->window;
}

/// Narrow at first, because after a restart all gateways have much to send at once.
void turns_reset(struct dispatch *dispatch, struct lane *lane) {
    if (list_holds(&lane->in_turns)) dispatch->turns.waiting_count--;
    list_remove(&lane->in_turns);
    lane->sent = 0;
    lane->window = dispatch->limits.queue_ms ? narrowest(dispatch) : dispatch->limits.window;
}

void turns_begin(struct dispatch *dispatch, uint64_t now_ms) {
    list_init(&dispatch->turns.waiting);
    dispatch->turns.rate_permille = PERMILLE;
    dispatch->turns.idle_turns = 1;
    dispatch->turns.since_ms = now_ms;
    for (uint32_t i = 0; i < dispatch->lane_count; i++) {
        list_init(&dispatch->lanes[i].in_turns);
        turns_reset(dispatch, &dispatch->lanes[i]);
    }
}

/// Once in queue_ms: how many may come in for those that are done, by how long those of the period
/// waited in the mean; the longest of them may have waited for a processor only.
void turns_waited(struct dispatch *dispatch, uint64_t waited_ms) {
    struct turns *turns = &dispatch->turns;
    const uint64_t queue_ms = dispatch->limits.queue_ms;
    turns->waited_ms += waited_ms;
    turns->done++;
    if (queue_ms == 0 || dispatch->now_ms - turns->since_ms < queue_ms) return;
    const uint64_t wanted_ms = turns->done * queue_ms;
    turns->rate_permille = PERMILLE;
    if (turns->waited_ms > wanted_ms) // half of what is too much: what was done before still counts
        turns->rate_permille = (uint32_t)((PERMILLE + PERMILLE * wanted_ms / turns->waited_ms) / 2);
    turns->spare = 2 * turns->waited_ms < wanted_ms;
    if (turns->spare)
        turns->room_permille +=
            (uint64_t)dispatch->limits.window * PERMILLE * (1 + turns->waiting_count / SPARE_SHARE);
    turns->over = LITTLE * turns->waited_ms < wanted_ms;
    turns->since_ms = dispatch->now_ms;
    turns->waited_ms = turns->done = 0;
}

uint32_t turns_window(struct dispatch *dispatch, struct lane *lane, bool goes_on) {
    struct turns *turns = &dispatch->turns;
    const uint32_t most = dispatch->limits.window, least = narrowest(dispatch), sent = lane->sent;
    if (lane->unanswered == 0) lane->sent = 0;
    if (dispatch->limits.queue_ms == 0) return most;
    if (!goes_on) { // in another session it would not hear that it is its turn
        turns_reset(dispatch, lane);
        return least;
    }
    if (list_holds(&lane->in_turns)) return 0; // it had sent this before it was told to wait
    if (turns->waiting_count == 0 && turns->rate_permille == PERMILLE) { // nobody has to wait
        uint32_t wider = lane->window + (turns->spare ? lane->window / 8 + 1 : 0);
        return lane->window = wider < most ? wider : most;
    }
    if (sent < least) return lane->window = least;
    if (lane->unanswered > 0) return lane->unanswered; // first the rest, so that frames stay large
    turns->room_permille +=
        (uint64_t)(sent < lane->window ? sent : lane->window) * turns->rate_permille;
    turns->waiting_count++;
    list_append(&turns->waiting, &lane->in_turns);
    return lane->window = 0;
}

static void next_turn(struct dispatch *dispatch, uint32_t window) {
    struct lane *lane = LIST_OWNER(struct lane, in_turns, dispatch->turns.waiting.next);
    turns_reset(dispatch, lane);
    lane->window = window;
    act(dispatch, (struct dispatch_action){.kind = ACTION_WINDOW,
                                           .gateway = lane_number(dispatch, lane),
                                           .session = lane->session,
                                           .window = lane->window});
}

uint64_t turns_deadline_ms(const struct dispatch *dispatch) {
    const struct turns *turns = &dispatch->turns;
    if (turns->waiting_count == 0 || dispatch->batches > 0) return UINT64_MAX;
    return turns->idle_ms + dispatch->limits.queue_ms;
}

void turns_pass(struct dispatch *dispatch) {
    struct turns *turns = &dispatch->turns;
    const uint64_t whole = (uint64_t)dispatch->limits.window * PERMILLE;
    if (dispatch->batches > 0) turns->idle_turns = 1;
    if (dispatch->batches == 0 && turns->waiting_count > 0 &&
        (turns->idle_turns == 1 || dispatch->now_ms >= turns_deadline_ms(dispatch))) {
        turns->room_permille += whole * turns->idle_turns; // some may have nothing left to send
        if (turns->idle_turns < turns->waiting_count) turns->idle_turns *= 2;
        turns->idle_ms = dispatch->now_ms;
    }
    while (turns->waiting_count > 0 && turns->room_permille >= whole) {
        turns->room_permille -= whole;
        next_turn(dispatch, dispatch->limits.window);
    }
    while (turns->waiting_count > 0 && turns->over) // most will have little by now
        next_turn(dispatch, narrowest(dispatch));
    turns->over = false;
    if (turns->waiting_count == 0) turns->room_permille = 0;
}
