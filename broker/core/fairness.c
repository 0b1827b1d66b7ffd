// Whose turn it is: deficit round robin over the branches that have something to hand out, by
// bytes (Shreedhar & Varghese, 1995), so that a noisy branch starves nobody.

#include "broker/core/state.h"

enum { JOB_COST = 256 }; // bytes that every job costs besides its body

enum turn {
    TURN_OVER,   // used up what it had
    TURN_EMPTY,  // nothing to hand out
    TURN_PARKED, // its worker has no room; the others may have
    TURN_NOBODY, // no worker takes anything
};

void fairness_wake(struct dispatch *dispatch, struct branch *branch) {
    if (list_holds(&branch->in_turn)) {
        if (!branch->parked) return;
        list_remove(&branch->in_turn);
    }
    branch->parked = false;
    list_append(&dispatch->active, &branch->in_turn);
}

static struct worker *taker_next(struct dispatch *dispatch) {
    struct link *first = dispatch->takers.next;
    list_remove(first);
    list_append(&dispatch->takers, first); // the next branch goes to the next worker
    return LIST_OWNER(struct worker, in_takers, first);
}

static bool turn_pays(struct branch *branch, uint32_t cost) {
    if (branch->deficit < cost) return false;
    branch->deficit -= cost;
    return true;
}

/// Asks and settle jobs first, they are few and small; any worker may have them.
static enum turn turn_take(struct dispatch *dispatch, struct branch *branch) {
    while (!list_empty(&dispatch->takers)) {
        if (!list_empty(&branch->asks)) {
            if (!turn_pays(branch, JOB_COST)) return TURN_OVER;
            struct lane *lane = LIST_OWNER(struct lane, in_asks, branch->asks.next);
            assignment_give(dispatch, lane->ask_queued, taker_next(dispatch));
        } else if (branch->settle_wanted) {
            if (!turn_pays(branch, JOB_COST)) return TURN_OVER;
            settle_give(dispatch, branch, taker_next(dispatch));
        } else if (!list_empty(&branch->lanes) && !suspects_hold(dispatch, branch)) {
            if (branch->worker && !worker_takes(dispatch, branch->worker)) return TURN_PARKED;
            struct lane *lane = LIST_OWNER(struct lane, in_branch, branch->lanes.next);
            if (!turn_pays(branch, lane->next->bytes + JOB_COST)) return TURN_OVER;
            struct worker *worker = branch->worker ? branch->worker : taker_next(dispatch);
            assignment_give(dispatch, lane->next, worker);
        } else {
            return TURN_EMPTY;
        }
    }
    return TURN_NOBODY;
}

/// Behind the other branches; in it, the gateway that was being served behind the others.
static void turn_over(struct dispatch *dispatch, struct branch *branch) {
    list_append(&dispatch->active, &branch->in_turn);
    if (list_empty(&branch->lanes)) return;
    struct link *served = branch->lanes.next;
    list_remove(served);
    list_append(&branch->lanes, served);
}

void fairness_serve(struct dispatch *dispatch) {
    while (!list_empty(&dispatch->active) && !list_empty(&dispatch->takers)) {
        struct branch *branch = LIST_OWNER(struct branch, in_turn, dispatch->active.next);
        if (!branch->in_midst) branch->deficit += dispatch->limits.quantum;
        branch->in_midst = true;
        enum turn turn = turn_take(dispatch, branch);
        if (turn == TURN_NOBODY) return; // goes on when somebody does
        list_remove(&branch->in_turn);
        if (turn == TURN_PARKED) { // its turn goes on as well, when its worker has room
            branch->parked = true;
            list_append(&branch->worker->parked, &branch->in_turn);
            continue;
        }
        branch->in_midst = false;
        if (turn == TURN_OVER)
            turn_over(dispatch, branch);
        else
            branch->deficit = 0;
    }
}
