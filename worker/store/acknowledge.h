#pragma once
// How safe what Redis has applied must be before a batch is acknowledged.
//
// Whatever the level, a Redis that falls back is brought forward from the spools. A stricter level
// costs latency and makes falling back rarer; it is for those whose spools may be lost, too.

#include "common/io/redis.h"

enum acknowledge {
    ACKNOWLEDGE_APPLIED, // it is in Redis' memory
    ACKNOWLEDGE_FSYNC,   // it is on Redis' disk: appendfsync always, which is checked, or WAITAOF
    ACKNOWLEDGE_REPLICATED, // it is in the memory of so many replicas, too: WAIT
};
extern const char *const acknowledge_names[]; // by level; ends with NULL

/// What is written before WAITAOF; it holds nothing.
#define ACKNOWLEDGE_MARK_KEY "t:{.mark}"

struct acknowledge_settings {
    enum acknowledge level;
    uint32_t replicas; // ACKNOWLEDGE_REPLICATED: that must have it
    uint32_t wait_ms;  // WAIT, WAITAOF: for so long; well below the connection's command_ms
};

/// Somebody who waits; a member of the caller's own structure.
struct confirmation {
    struct confirmation *next;
    /// class OK: it is as safe as asked. LATER: not in time. UNKNOWN: the connection was lost.
    void (*told)(struct confirmation *confirmation, enum redis_class class, const char *reason);
};

enum { ACKNOWLEDGE_REASON_SIZE = 200, ACKNOWLEDGE_REFUSAL_SIZE = 140 };

/// Of one connection. One WAIT at a time is on its way; who asks meanwhile shares the next, and it
/// is their only one, as it speaks for all that was answered before the mark in front of it.
struct confirmer {
    struct redis *redis;
    struct acknowledge_settings settings;
    bool waits;                             // by WAIT or WAITAOF; false: an answer is enough
    struct confirmation *covered, *waiting; // by the WAIT on its way; for the next
    bool asking;
    enum redis_class marked;                // what became of the write in front of it
    enum redis_class probed;                // whether Redis has a WAITAOF that can be relied on
    char refusal[ACKNOWLEDGE_REFUSAL_SIZE]; // of that mark, or why there is no such WAITAOF
    void *context;                          // of the check
    void (*checked)(void *context, enum redis_class class, const char *reason);
};

void confirmer_init(struct confirmer *confirmer, struct redis *redis,
                    const struct acknowledge_settings *settings);
/// For each new connection: whether Redis is set up for the level. CONFIGURATION: it is not, and
/// reason says what is missing. `checked` comes exactly once, perhaps from within this call.
void confirmer_check(struct confirmer *confirmer,
                     void (*checked)(void *context, enum redis_class class, const char *reason),
                     void *context);
/// Tell when everything that this connection has answered is as safe as asked, and so is whatever
/// others had written before; perhaps from within this call.
void confirmer_ask(struct confirmer *confirmer, struct confirmation *confirmation);
