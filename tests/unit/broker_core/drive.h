#pragma once
// A dispatch under test: two branches with two gateways each, inputs in a word.

#include "broker/core/dispatch.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

enum { GATEWAYS = 4, BRANCHES = 2, BATCH_BYTES = 1000 };

struct drive {
    struct dispatch *dispatch;
    struct dispatch_actions out;
    uint64_t now_ms;
    uint32_t slots;
    bool *taken; // slots that are with dispatch
};

static const struct dispatch_limits drive_limits = {
    .workers = 8,
    .batches = 64,
    .bytes = 1 << 20,
    .window = 8,
    .quantum = 4096,
    .worker_silence_ms = 5000,
    .job_ms = 60000,
    .settle_probe_ms = 30000,
    .death_apart_ms = 2000,
    .deaths = 3,
};

static inline struct drive drive_new(struct dispatch_limits limits) {
    static const uint32_t branch_of[GATEWAYS] = {0, 0, 1, 1};
    struct drive drive = {.dispatch = dispatch_new(&limits, BRANCHES, branch_of, GATEWAYS, 1000),
                          .now_ms = 1000};
    cr_assert(drive.dispatch != NULL);
    drive.slots = dispatch_slots(drive.dispatch);
    drive.taken = calloc(drive.slots, sizeof *drive.taken);
    return drive;
}

static inline void drive_free(struct drive *drive) {
    dispatch_free(drive->dispatch);
    free(drive->taken);
}

static inline uint32_t slot_take(struct drive *drive) {
    uint32_t slot = 0;
    while (slot < drive->slots && drive->taken[slot])
        slot++;
    cr_assert(slot < drive->slots, "one slot is always left");
    drive->taken[slot] = true;
    return slot;
}

static inline void feed(struct drive *drive, struct dispatch_input in) {
    in.now_ms = drive->now_ms;
    dispatch_step(drive->dispatch, &in, &drive->out);
    for (size_t i = 0; i < drive->out.count; i++)
        if (drive->out.items[i].kind == ACTION_FREE) {
            cr_assert(drive->taken[drive->out.items[i].slot], "freed once");
            drive->taken[drive->out.items[i].slot] = false;
        }
}

static inline size_t action_count(const struct drive *drive, enum dispatch_action_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < drive->out.count; i++)
        count += drive->out.items[i].kind == kind;
    return count;
}

/// The nth action of that kind.
static inline struct dispatch_action action(const struct drive *drive,
                                            enum dispatch_action_kind kind, size_t nth) {
    for (size_t i = 0; i < drive->out.count; i++)
        if (drive->out.items[i].kind == kind && nth-- == 0) return drive->out.items[i];
    cr_assert(false, "no such action");
    abort();
}

static inline struct tag tag_of(uint64_t number) {
    struct tag tag;
    memcpy(tag.bytes, &number, sizeof tag.bytes);
    return tag;
}

static inline uint32_t feed_batch(struct drive *drive, uint32_t gateway, uint64_t session,
                                  uint64_t number) {
    uint32_t slot = slot_take(drive);
    feed(drive, (struct dispatch_input){.kind = INPUT_BATCH,
                                        .gateway = gateway,
                                        .session = session,
                                        .position = {1, number, tag_of(number)},
                                        .bytes = BATCH_BYTES,
                                        .slot = slot});
    return slot;
}

static inline void feed_ask(struct drive *drive, uint32_t gateway, uint64_t session) {
    feed(drive,
         (struct dispatch_input){
             .kind = INPUT_ASK, .gateway = gateway, .session = session, .slot = slot_take(drive)});
}

static inline void feed_ready(struct drive *drive, uint32_t worker, uint32_t credit, bool fresh) {
    feed(drive, (struct dispatch_input){
                    .kind = INPUT_READY, .worker = worker, .credit = credit, .fresh = fresh});
}

static inline void feed_reconnected(struct drive *drive, uint32_t worker, uint32_t credit,
                                    uint32_t held) {
    feed(drive,
         (struct dispatch_input){
             .kind = INPUT_READY, .worker = worker, .credit = credit, .held = held, .fresh = true});
}

static inline void feed_worker(struct drive *drive, enum dispatch_input_kind kind,
                               uint32_t worker) {
    feed(drive, (struct dispatch_input){.kind = kind, .worker = worker});
}

static inline void feed_done(struct drive *drive, uint32_t worker, uint64_t job, uint64_t number,
                             int64_t due_ms) {
    feed(drive, (struct dispatch_input){.kind = INPUT_DONE,
                                        .worker = worker,
                                        .jobs = {(const uint8_t *)&job, sizeof job},
                                        .position = {1, number, tag_of(number)},
                                        .due_ms = due_ms});
}

static inline void feed_tick(struct drive *drive, uint64_t at_ms) {
    drive->now_ms = at_ms;
    feed(drive, (struct dispatch_input){.kind = INPUT_TICK});
}

/// A ready worker, with the settle jobs of the start done, so that only batches move.
static inline void worker_settled(struct drive *drive, uint32_t worker, uint32_t credit) {
    uint64_t jobs[BRANCHES];
    feed_ready(drive, worker, BRANCHES, true);
    size_t count = action_count(drive, ACTION_JOB);
    for (size_t i = 0; i < count; i++) {
        cr_assert(eq(int, action(drive, ACTION_JOB, i).what, JOB_SETTLE));
        jobs[i] = action(drive, ACTION_JOB, i).job;
    }
    for (size_t i = 0; i < count; i++)
        feed_done(drive, worker, jobs[i], 0, -1);
    feed_ready(drive, worker, credit, false);
}
