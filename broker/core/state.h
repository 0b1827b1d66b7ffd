#pragma once
// What the parts of dispatch share: jobs, lanes, branches, workers. Included by this folder only.
//
// A *lane* is one gateway's batches in order. Those handed out are always a prefix of the lane and,
// like all batches of the branch, with one worker; `next` is the first that is not handed out.

#include "broker/core/dispatch.h"
#include "broker/core/list.h"
#include "common/base/deadlines.h"

struct job {
    struct link in_lane;   // batches: in their gateway's order
    struct link in_worker; // handed out, oldest first
    struct link in_age;    // batches, oldest first
    struct lane *lane;     // NULL: a settle job
    struct branch *branch;
    struct worker *worker; // NULL: queued
    uint64_t assignment;   // the job number, new each time it is handed out; 0: free or queued
    uint64_t assigned_ms, came_ms;
    uint64_t life, session; // the lane's when it came
    struct position position;
    uint32_t bytes;
    enum job_kind what; // JOB_DEAD only while handed out as such
    bool used;
};

/// Numbers up to `through` of that epoch were in a worker that died. Outlives the gateway's
/// session, so that a batch which kills its workers cannot start afresh.
struct suspicion {
    uint64_t epoch, through; // through 0: none
    uint64_t number;         // the batch that `deaths` counts
    struct tag tag;
    uint32_t deaths;
};

struct lane {
    struct link in_branch;   // has a batch for the branch's next turn
    struct link in_suspects; // its next batch is suspect and may be tried now
    struct link jobs;
    struct job *next;
    struct job *ask;        // handed out
    struct job *ask_queued; // the newest one
    struct link in_asks;
    struct branch *branch;
    uint64_t session, life; // life: counted up whenever older messages lose their meaning
    uint64_t later_number;  // first batch refused in this session; 0: none
    uint32_t unanswered;    // batches of this life
    struct link in_turns;   // waits for its turn to send
    uint32_t window;        // as told last, but for the rest of a turn
    uint32_t sent;          // batches that came since all were answered
    uint32_t held, assigned;
    struct position top; // highest that came, of its epoch
    uint64_t repeated;   // batches that had come before: after a lost answer, or by a bad gateway
    struct suspicion suspicion;
    bool resting; // its suspect has just killed a worker
};

struct branch {
    struct link in_turn; // active, or parked at its worker
    struct link lanes, asks;
    struct worker *worker; // has the assigned batches
    uint32_t queued, assigned;
    uint64_t bytes;
    uint64_t deficit;
    uint64_t settle_ms;
    bool settle_wanted, settle_out;
    bool in_midst; // of its turn
    bool parked;   // in_turn is in its worker's list
};

struct worker {
    struct link in_takers; // ready, has credit, and is not kept for a suspect
    struct link jobs;
    struct link parked; // branches that wait for room at this worker
    bool ready, draining;
    bool sharing;  // serves other brokers too: alone is only what it is reserved for
    bool reserved; // for us, until a job of ours is done
    uint32_t credit, assigned;
    uint32_t ghosts;  // jobs taken back that the same process may still hold: they need credit
    uint64_t lost_ms; // when; after job_ms they count no more
    uint64_t heard_ms;
};

struct dispatch {
    struct dispatch_limits limits;
    uint32_t branch_count, lane_count, slot_count, job_count;
    struct job *jobs; // one a slot, then one settle job a branch
    struct lane *lanes;
    struct branch *branches;
    struct worker *workers;
    struct deadlines *deadlines; // workers, then branches (settle), then lanes (rest)
    struct link active, takers, suspects, age;
    struct {
        struct lane *lane;      // whose suspect is next, or being tried
        struct worker *worker;  // kept for it
        struct worker *speaker; // whose message this step is about, if that proves it alive
        bool running;
        bool alone;        // nothing of another broker can have come between
        uint64_t death_ms; // begin of the last cluster of deaths; UINT64_MAX: none yet
    } trial;
    struct turns {
        struct link waiting; // gateways, the first is next
        uint32_t waiting_count;
        uint32_t rate_permille;   // that may come in for what is done; by the last period
        bool over;                // next to nobody waited in it: no turns any more
        bool spare;               // nobody waited half as long as they may
        uint64_t since_ms;        // begin of the period that is looked at
        uint64_t done, waited_ms; // batches in it, and for how long all together
        uint64_t room_permille;   // batches, for those that wait
        uint64_t idle_ms;         // when some were told to send because there was nothing else
        uint32_t idle_turns;      // how many of them the next time, if nothing comes until then
    } turns;
    uint64_t now_ms, assignments;
    uint32_t ready; // workers
    uint64_t bytes;
    uint32_t batches;
    struct dispatch_counters counters;
    struct dispatch_action *actions;
    size_t action_count, action_limit;
};

// dispatch.c
void act(struct dispatch *dispatch, struct dispatch_action action);
uint32_t branch_number(const struct dispatch *dispatch, const struct branch *branch);
uint32_t lane_number(const struct dispatch *dispatch, const struct lane *lane);
uint32_t worker_number(const struct dispatch *dispatch, const struct worker *worker);
uint32_t job_number(const struct dispatch *dispatch, const struct job *job); // the slot

// window.c: what is let in
void window_batch(struct dispatch *dispatch, const struct dispatch_input *in);
void window_ask(struct dispatch *dispatch, const struct dispatch_input *in);
void window_connected(struct dispatch *dispatch, struct lane *lane);
void window_drop(struct dispatch *dispatch, struct job *job); // forget it; frees its slot

// turns.c: who may send how much
void turns_begin(struct dispatch *dispatch, uint64_t now_ms);     // after the lanes
void turns_reset(struct dispatch *dispatch, struct lane *lane);   // its gateway begins anew
void turns_waited(struct dispatch *dispatch, uint64_t waited_ms); // a batch was done after that
/// The window to tell with an answer. goes_on: the gateway goes on in its session.
uint32_t turns_window(struct dispatch *dispatch, struct lane *lane, bool goes_on);
void turns_pass(struct dispatch *dispatch); // after the answer: whose turn it is now
uint64_t turns_deadline_ms(const struct dispatch *dispatch);

// fairness.c: whose turn it is
void fairness_wake(struct dispatch *dispatch, struct branch *branch); // it may have work
void fairness_serve(struct dispatch *dispatch);                       // hand out all that can be

// assignment.c: what a worker has
bool worker_takes(const struct dispatch *dispatch, const struct worker *worker);
void assignment_give(struct dispatch *dispatch, struct job *job, struct worker *worker);
void assignment_take_back(struct dispatch *dispatch, struct worker *worker); // all it has
void assignment_done(struct dispatch *dispatch, const struct dispatch_input *in);
void lane_place(struct dispatch *dispatch, struct lane *lane); // after its `next` changed

// roster.c: who is there
void roster_watch(struct dispatch *dispatch, struct worker *worker); // set its deadline
void roster_offer(struct dispatch *dispatch, struct worker *worker); // takes more, or no more
void roster_ready(struct dispatch *dispatch, const struct dispatch_input *in);
void roster_drain(struct dispatch *dispatch, struct worker *worker);
void roster_lost(struct dispatch *dispatch, struct worker *worker, enum dispatch_reason reason);
void roster_expired(struct dispatch *dispatch, struct worker *worker);

// suspects.c: who is tried alone
bool suspects_is(const struct dispatch *dispatch, const struct lane *lane, const struct job *job);
bool suspects_is_dead(const struct dispatch *dispatch, const struct lane *lane,
                      const struct job *job);
bool suspects_hold(const struct dispatch *dispatch, const struct branch *branch);
void suspects_death(struct dispatch *dispatch, struct worker *worker, bool counts);
void suspects_over(struct dispatch *dispatch); // the trial that is running, or its worker left
void suspects_passed(struct lane *lane, const struct dispatch_input *done);
void suspects_rested(struct dispatch *dispatch, struct lane *lane);
void suspects_serve(struct dispatch *dispatch);

// settle.c: when a branch is asked for due encounters
void settle_start(struct dispatch *dispatch, struct branch *branch);
void settle_expired(struct dispatch *dispatch, struct branch *branch);
void settle_give(struct dispatch *dispatch, struct branch *branch, struct worker *worker);
void settle_done(struct dispatch *dispatch, struct branch *branch, const struct dispatch_input *in);
void settle_lost(struct dispatch *dispatch, struct branch *branch);
void settle_heard(struct dispatch *dispatch, struct branch *branch, int64_t due_ms);
