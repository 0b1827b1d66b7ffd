// A branch's due encounters: taken under a lease, judged by the engine, settled.

#include "worker/core/lanes.h"
#include "worker/engine/decide.h"

#include <assert.h>
#include <string.h>

enum {
    ROUNDS_MAX = 16,     // takes for one job; then other branches have their turn
    TRY_AGAIN_MS = 1000, // when nothing is known of what is due
};

/// Leases need not be secret, only never equal: a counter through a bijection (Steele et al.,
/// SplitMix64), seeded at random once a process.
static struct lease lease_next(struct pipeline *pipeline) {
    uint64_t z = pipeline->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    if (z == 0) return lease_next(pipeline);
    struct lease lease;
    for (int i = 0; i < LEASE_SIZE; i++)
        lease.bytes[i] = (uint8_t)(z >> (8 * i));
    return lease;
}

static void finish(struct pipeline *pipeline, uint32_t index, int64_t due_ms) {
    struct lane *lane = &pipeline->lanes[index];
    uint32_t job = lane->settle_job;
    lane->settle = SETTLE_IDLE;
    lane->settle_job = JOB_NONE;
    lane->rounds = 0;
    pipeline_job(pipeline, job)->due_ms = due_ms;
    job_finish(pipeline, job, ANSWER_APPLIED, (struct position){0});
}

/// The lease at hand may stand in the store, and count there, though nobody judges under it: its
/// answer has not come. Of many the oldest is forgotten; it counts then.
static void lose_lease(struct lane *lane) {
    if (lane->lost_count > 0 &&
        memcmp(&lane->lost[lane->lost_count - 1], &lane->lease, sizeof lane->lease) == 0)
        return; // several settles of one lease
    if (lane->lost_count == GIVE_BACK_MAX)
        memmove(lane->lost, lane->lost + 1, --lane->lost_count * sizeof *lane->lost);
    lane->lost[lane->lost_count++] = lane->lease;
    lane->gives_back = true;
}

bool settle_lane_wants(const struct lane *lane) {
    return lane->settle == SETTLE_WANTED || (lane->settle == SETTLE_IDLE && lane->gives_back);
}

static void start_giving_back(struct pipeline *pipeline, uint32_t index,
                              struct pipeline_action *action) {
    struct lane *lane = &pipeline->lanes[index];
    lane->settle = SETTLE_GIVING_BACK;
    lane->gives_back = false;
    pipeline->calls++;
    *action = (struct pipeline_action){
        .kind = ACTION_GIVE_BACK,
        .branch = index,
        .give_back = {.configuration = pipeline->branches[index].configuration,
                      .count = lane->lost_count}};
    memcpy(action->give_back.leases, lane->lost, sizeof lane->lost);
}

void settle_lane_given_back(struct pipeline *pipeline, uint32_t index, enum call_class class,
                            struct bytes bytes) {
    struct lane *lane = &pipeline->lanes[index];
    struct reader reader = reader_of(bytes);
    struct reply reply;
    assert(lane->settle == SETTLE_GIVING_BACK && pipeline->calls > 0);
    pipeline->calls--;

    // Refused they stay until the store comes up again: meanwhile others are taken.
    bool done = class == CALL_OK && !reply_read(&reader, &reply) && reply.status == STORE_OK;
    if (done) lane->lost_count = 0;
    if (lane->settle_job == JOB_NONE) {
        lane->settle = SETTLE_IDLE;
    } else if (done && !pipeline->draining) {
        lane->settle = SETTLE_WANTED;
        lane_queue(pipeline, index);
    } else {
        finish(pipeline, index, TRY_AGAIN_MS);
    }
}

bool settle_lane_start(struct pipeline *pipeline, uint32_t index, struct pipeline_action *action) {
    struct lane *lane = &pipeline->lanes[index];
    if (!settle_lane_wants(lane)) return false;
    if (lane->gives_back) {
        start_giving_back(pipeline, index, action);
        return true;
    }
    lane->settle = SETTLE_TAKING;
    lane->lease = lease_next(pipeline);
    lane->rounds++;
    pipeline->calls++;
    *action =
        (struct pipeline_action){.kind = ACTION_TAKE,
                                 .branch = index,
                                 .take = {.configuration = pipeline->branches[index].configuration,
                                          .lease = lane->lease,
                                          .most = (uint8_t)pipeline->limits.take_max,
                                          .bytes = pipeline->limits.take_bytes}};
    return true;
}

/// All that was taken is settled, one way or the other: take more, or be done.
static void round_over(struct pipeline *pipeline, uint32_t index) {
    struct lane *lane = &pipeline->lanes[index];
    if (lane->due_ms == 0 && lane->rounds < ROUNDS_MAX && !pipeline->draining) {
        lane->settle = SETTLE_WANTED;
        lane_queue(pipeline, index);
        return;
    }
    finish(pipeline, index, lane->due_ms);
}

void settle_lane_taken(struct pipeline *pipeline, uint32_t index, enum call_class class,
                       struct bytes reply) {
    struct lane *lane = &pipeline->lanes[index];
    assert(lane->settle == SETTLE_TAKING && pipeline->calls > 0);
    assert(pipeline->taken_lane == UINT32_MAX);
    pipeline->calls--;

    if (class != CALL_OK || take_reply_read(reply, &pipeline->taken) ||
        pipeline->taken.head.status != STORE_OK) {
        if (class == CALL_RETRY) lose_lease(lane);
        finish(pipeline, index, TRY_AGAIN_MS);
        return;
    }
    lane->due_ms = pipeline->taken.head.due_ms;
    if (pipeline->taken.count == 0) {
        finish(pipeline, index, lane->due_ms);
        return;
    }
    lane->settle = SETTLE_JUDGING;
    pipeline->taken_lane = index;
}

/// How sure a comparison of the encounter's own times is.
static struct engine_context context_of(const struct pipeline *pipeline, const struct taken *taken,
                                        const struct zone *zone) {
    return (struct engine_context){.clock_error_ms = taken->clock_error_ms,
                                   .decisions = pipeline->decisions,
                                   .decision_count = pipeline->decision_count,
                                   .times_error_ms =
                                       taken->several_clocks ? 2 * taken->clock_error_ms : 0,
                                   .zone = zone};
}

/// The set that held on the day on which the encounter counts; of a final one the set that judged
/// it, or NULL: this worker does not have that one.
static const struct standard_set *set_of(const struct pipeline_branch *branch,
                                         const struct taken *taken) {
    const struct encounter *encounter = &taken->encounter;
    if (taken->final) {
        struct verdicts_head head;
        struct reader verdicts = reader_of(taken->verdicts);
        return verdicts_read(&verdicts, &head) ? NULL : standards_plan_set(branch->plan, head.set);
    }
    struct local_time local = zone_local(&branch->branch->zone, settle_counted_ms(encounter));
    return standards_plan_at(branch->plan, local.year * 10000 + local.month * 100 + local.day);
}

static void judge(struct pipeline *pipeline, uint32_t index, struct taken *taken,
                  const struct standard_set *set, struct scores *scores) {
    const struct series *series = NULL;
    size_t series_count = 0;
    if (taken->crashed) {
        pipeline_notice(pipeline, index, "judging encounter %s failed again and again",
                        taken->encounter.id.text);
        engine_error(set, REASON_CRASH, pipeline->judgements, scores);
        return;
    }
    if (settle_series(taken, pipeline->measures, pipeline->minutes, &series, &series_count)) {
        pipeline_notice(pipeline, index, "minute logs of encounter %s cannot be read",
                        taken->encounter.id.text);
        engine_error(set, REASON_BAD_DATA, pipeline->judgements, scores);
        return;
    }
    struct engine_context context =
        context_of(pipeline, taken, &pipeline->branches[index].branch->zone);
    engine_evaluate(set, &taken->encounter, series, series_count, &context, pipeline->judgements,
                    scores);
}

/// A final encounter's minutes are gone; its verdicts hold what was found. false: they cannot be
/// read, and what was settled stays.
static bool judge_kept(struct pipeline *pipeline, uint32_t index, const struct taken *taken,
                       const struct standard_set *set, struct scores *scores) {
    if (!set || verdicts_judgements(taken->verdicts, set, pipeline->judgements)) {
        pipeline_notice(pipeline, index,
                        "a decision about encounter %s waits: no set of this worker judged it",
                        taken->encounter.id.text);
        return false;
    }
    engine_decide(set, pipeline->decisions, pipeline->decision_count, pipeline->judgements, scores);
    return true;
}

static void read_decisions(struct pipeline *pipeline, uint32_t index, const struct taken *taken) {
    if (!decisions_read(taken->decisions, pipeline->decisions, &pipeline->decision_count)) return;
    pipeline_notice(pipeline, index, "decisions about encounter %s cannot be read",
                    taken->encounter.id.text);
    pipeline->decision_count = 0;
}

bool settle_lane_judge(struct pipeline *pipeline, struct pipeline_action *action) {
    if (pipeline->taken_lane == UINT32_MAX) return false;
    uint32_t index = pipeline->taken_lane;
    struct lane *lane = &pipeline->lanes[index];
    const struct pipeline_branch *branch = &pipeline->branches[index];

    struct taken taken;
    struct scores scores = {0};
    enum err err = take_reply_next(&pipeline->taken, &taken);
    if (err) { // ERR_END; a damaged rest becomes due again when its lease runs out
        if (err != ERR_END) pipeline_notice(pipeline, index, "the store's answer to take is torn");
        pipeline->taken_lane = UINT32_MAX;
        if (lane->settle_calls == 0) round_over(pipeline, index);
        return false;
    }
    const struct standard_set *set = set_of(branch, &taken);
    read_decisions(pipeline, index, &taken);
    if (taken.final) {
        if (!judge_kept(pipeline, index, &taken, set, &scores))
            return settle_lane_judge(pipeline, action);
    } else if (!taken.withdrawn) {
        judge(pipeline, index, &taken, set, &scores);
    }

    *action = (struct pipeline_action){.kind = ACTION_SETTLE, .branch = index, .set = set};
    if (settle_write(&taken, &branch->branch->zone, set,
                     taken.withdrawn ? NULL : pipeline->judgements, &scores,
                     &pipeline->contribution, &pipeline->verdicts, &action->settle)) {
        pipeline_notice(pipeline, index, "no memory to write what encounter %s comes to",
                        taken.encounter.id.text);
        return settle_lane_judge(pipeline, action); // it becomes due again with its lease
    }
    action->settle.configuration = branch->configuration;
    action->settle.lease = lane->lease;
    lane->settle_calls++;
    pipeline->settle_calls++;
    return true;
}

void settle_lane_settled(struct pipeline *pipeline, uint32_t index, enum call_class class,
                         struct bytes bytes) {
    struct lane *lane = &pipeline->lanes[index];
    struct settle_reply reply;
    assert(lane->settle_calls > 0 && pipeline->settle_calls > 0);
    lane->settle_calls--;
    pipeline->settle_calls--;

    // Not settled: the lease runs out, or was voided, and the encounter becomes due again.
    if (class == CALL_OK && !settle_reply_read(bytes, &reply) &&
        reply.head.status != STORE_UNCONFIGURED)
        lane->due_ms = reply.head.due_ms;
    else
        lane->due_ms = TRY_AGAIN_MS;
    if (class == CALL_RETRY) lose_lease(lane);
    if (lane->settle_calls == 0 && pipeline->taken_lane != index) round_over(pipeline, index);
}
