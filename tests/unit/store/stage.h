#pragma once
// A branch in a real Redis, and calls of it in few words: counters desk-1 and desk-2; gateway 0
// (desk) opens encounters at both, gateway 1 (floor) watches desk-1 only.

#include "tests/support/redis_server.h"
#include "worker/store/calls.h"

#include <hiredis/hiredis.h>

enum { DESK, FLOOR, GATEWAYS };
#define FOREVER_MS UINT64_C(1000000000000)
#define NOON_MS INT64_C(1700049600000) // a whole minute

struct stage {
    struct redis_server *server;
    redisContext *redis;
    struct branch branch;
    struct branch_gateway gateways[GATEWAYS];
    struct store_policy policy;
    uint64_t configuration;
    uint64_t epochs[GATEWAYS], numbers[GATEWAYS]; // as the gateways believe
    const char *set, *day, *hour;                 // where stage_settle puts contributions
    redisReply *reply;                            // the last one
};

/// Nothing becomes due and no lease runs out by the clock; then configured, epochs granted.
void stage_open(struct stage *stage);
void stage_close(struct stage *stage);
void stage_reset(struct stage *stage);     // an empty Redis, then as stage_open
void stage_configure(struct stage *stage); // with the policy and branch as they are now

/// The packed reply; empty after an error (stage->reply then holds it).
struct bytes stage_call(struct stage *stage, const char *function, const struct buffer *argument);
/// The same for a call about what is published for all branches.
struct bytes stage_call_editions(struct stage *stage, const char *function,
                                 const struct buffer *argument);
/// Any other command, split at blanks; the reply lives until the next call.
const redisReply *stage_command(struct stage *stage, const char *format, ...);
/// Of the whole data set: equal exactly if nothing has changed.
void stage_digest(struct stage *stage, char digest[41]);

/// So much more of the store's time has passed since the last call; it may be negative.
void stage_pass(struct stage *stage, int64_t ms);
struct ask_reply stage_ask(struct stage *stage, int gateway, uint8_t spool, uint64_t epoch);

/// Of what the gateways bring; of 0: what batch 1 follows.
struct tag stage_tag(uint64_t number);
/// One batch; what is 0 or NULL is not in it.
struct stage_batch {
    int gateway;
    uint64_t number;      // 0: the next one
    bool astray;          // it follows another batch than the one before it
    int64_t watermark_ms; // 0: none
    enum presence presence;
    const struct encounter *encounter;
    int counter; // of encounter and chunk
    bool withdrawn;
    const char *chunk;
    int64_t chunk_ms; // its minute
    uint64_t lost;    // so many numbers before it are gone
};
void stage_pack(struct stage *stage, const struct stage_batch *batch, struct buffer *argument);
struct ingest_reply stage_ingest(struct stage *stage, struct stage_batch batch);
/// Every gateway promises this.
void stage_watermark(struct stage *stage, int64_t watermark_ms);

/// How many were taken; *taken is the first of them.
size_t stage_take_up_to(struct stage *stage, uint8_t lease, uint8_t most, struct taken *taken);
/// At most one; false: none is due. The lease is `lease` eight times.
bool stage_take(struct stage *stage, uint8_t lease, struct taken *taken);
void stage_give_back(struct stage *stage, uint8_t lease);
/// Settles with one standard of this verdict; withdrawn: nothing.
struct settle_reply stage_settle_once(struct stage *stage, const struct taken *taken, uint8_t lease,
                                      uint8_t verdict);
/// As a worker does: a set that is missing is published, and the same settled again.
struct settle_reply stage_settle(struct stage *stage, const struct taken *taken, uint8_t lease,
                                 uint8_t verdict);

struct encounter stage_encounter(const char *id, int64_t start_ms, int64_t end_ms);
/// The cell of day or hour; encounters 0 if there is none.
struct cell stage_cell(struct stage *stage, const char *name, struct cell_standard *standard);
int64_t stage_count(struct stage *stage, const char *counter);
