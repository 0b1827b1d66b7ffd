// For whom this worker is kept free: one broker at a time, for one job. It is asked for; what is
// held is finished, and the other brokers get no credit; once nothing is held it is granted. From
// then on jobs of others that were under way wait, unread. It ends with the first job of its broker
// that is done, or after reserve_ms without one. Who asks meanwhile asks again when it has credit.
//
// What waited is taken up a little later: if it kills, the word that the other job is done, or that
// the reservation is over, must have left before.

#include "worker/core/lanes.h"

enum { LEAVE_MS = 100 }; // what is sent has left the process by then

void reservation_ask(struct pipeline *pipeline, uint32_t broker) {
    struct reservation *reservation = &pipeline->reservation;
    if (pipeline->draining || reservation->broker != BROKER_NONE) return;
    reservation->broker = broker;
    reservation->changed = true;
}

static bool idle(const struct pipeline *pipeline) {
    return jobs_held(&pipeline->jobs) == 0 && pipeline->calls == 0 && pipeline->settle_calls == 0;
}

bool reservation_look(struct pipeline *pipeline) {
    struct reservation *reservation = &pipeline->reservation;
    if (reservation->broker != BROKER_NONE && !reservation->granted && idle(pipeline)) {
        reservation->granted = reservation->changed = true;
        reservation->until_ms = pipeline->now_ms + pipeline->limits.reserve_ms;
    }
    bool changed = reservation->changed;
    reservation->changed = false;
    return changed;
}

bool reservation_job(struct pipeline *pipeline, uint32_t at) {
    struct reservation *reservation = &pipeline->reservation;
    if (reservation->granted && pipeline_job(pipeline, at)->broker == reservation->broker) {
        reservation->until_ms = DEADLINE_NEVER;
        return false;
    }
    if (!reservation->granted && reservation->waiting.count == 0) return false;
    job_list_append(&pipeline->jobs, &reservation->waiting, at);
    return true;
}

static void end(struct pipeline *pipeline) {
    struct reservation *reservation = &pipeline->reservation;
    reservation->broker = BROKER_NONE;
    reservation->granted = false;
    reservation->changed = true;
    reservation->until_ms =
        reservation->waiting.count > 0 ? pipeline->now_ms + LEAVE_MS : DEADLINE_NEVER;
}

void reservation_gone(struct pipeline *pipeline, const struct job *job) {
    const struct reservation *reservation = &pipeline->reservation;
    if (reservation->granted && job->broker == reservation->broker) end(pipeline);
}

void reservation_tick(struct pipeline *pipeline) {
    struct reservation *reservation = &pipeline->reservation;
    if (pipeline->now_ms < reservation->until_ms) return;
    reservation->until_ms = DEADLINE_NEVER;
    if (reservation->granted) {
        end(pipeline);
        return;
    }
    for (uint32_t at; (at = job_list_pop(&pipeline->jobs, &reservation->waiting)) != JOB_NONE;)
        job_enqueue(pipeline, at);
}

void reservation_drop(struct pipeline *pipeline) {
    struct reservation *reservation = &pipeline->reservation;
    reservation->broker = BROKER_NONE;
    reservation->granted = false;
    reservation->until_ms = DEADLINE_NEVER;
    jobs_release(pipeline, &reservation->waiting);
}

uint32_t pipeline_waiting(const struct pipeline *pipeline) {
    return pipeline->reservation.waiting.count;
}

bool pipeline_reserved(const struct pipeline *pipeline, uint32_t broker) {
    return pipeline->reservation.granted && pipeline->reservation.broker == broker;
}

uint32_t pipeline_credit(const struct pipeline *pipeline, uint32_t broker) {
    const struct reservation *reservation = &pipeline->reservation;
    bool others = reservation->broker != BROKER_NONE && reservation->broker != broker;
    return pipeline->store_up && !pipeline->draining && !others ? pipeline->limits.jobs_max : 0;
}
