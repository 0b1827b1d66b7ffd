#pragma once
// The calls of the store's function library: arguments and replies <-> bytes. Pure; KEYS.md gives
// every byte. Each call has one key, one packed argument and one packed reply.

#include "common/base/bytes.h"
#include "common/domain/decision.h"
#include "common/domain/encounter.h"
#include "common/domain/position.h"
#include "common/domain/series.h"
#include "common/registry/branches.h"

enum { STORE_KEY_SIZE = ID_MAX + 16, LEASE_SIZE = 8 };

/// "t:{BRANCH}:state", the key that every call is given.
void store_key(const struct id *branch, char key[STORE_KEY_SIZE]);

struct lease {
    uint8_t bytes[LEASE_SIZE]; // random, never all zero
};

/// How the store treats encounters; goes with the registry (part of the configuration's hash).
struct store_policy {
    uint64_t grace_ms;         // event time to wait behind an encounter's end
    uint64_t settle_after_ms;  // store's time after which an ended one is judged at the latest
    uint64_t settle_pause_ms;  // store's time from a change to judging anew
    uint64_t lease_ms;         // store's time a worker may take for judging
    uint64_t encounter_max_ms; // event time after which an encounter is closed: outcome timeout
    uint64_t horizon_ms;       // active time after which a silent gateway holds nothing back
    uint64_t branch_bytes_max; // of minute logs
    uint32_t tries_max;        // leases that ran out, after which an encounter is an error
    uint32_t dead_max;         // dead letters kept a branch; more are only counted
    uint32_t gaps_max;         // gaps kept a branch, the newest; all are counted
};
struct store_policy store_policy_default(void);

/// What gateways, counters and policy a call was made for; another one is "unconfigured".
uint64_t store_configuration(const struct branch *branch, const struct store_policy *policy);

enum store_status {
    STORE_OK,
    STORE_UNCONFIGURED, // no or another configuration: nothing was done; bring it by configure
    STORE_UNFIT,        // ingest: some gateway's batches do not follow its position; nothing done
    STORE_LATER,        // ingest: no room for what is ahead in event time; nothing done
    STORE_FENCED,       // ask: a newer spool has taken over
    STORE_STALE,        // settle: the lease does not stand any more; nothing done
    STORE_STATUS_COUNT
};
const char *store_status_name(enum store_status status); // "ok", "unconfigured" ...

/// What every reply begins with.
struct reply {
    enum store_status status;
    int64_t due_ms; // until the branch's next encounter is due; -1: none
};
/// ERR_FORMAT: not a reply.
MUST_CHECK enum err reply_read(struct reader *reader, struct reply *reply);

// configure -> reply

void call_configure(const struct branch *branch, const struct store_policy *policy,
                    struct buffer *out);

// ask -> reply, position

struct ask_call {
    uint64_t configuration;
    uint8_t gateway; // place in the branch's gateways
    struct spool_id spool;
    uint64_t epoch; // 0: the spool has none yet
};
struct ask_reply {
    struct reply head;
    struct position position;
};
void call_ask(const struct ask_call *call, struct buffer *out);
MUST_CHECK enum err ask_reply_read(struct bytes bytes, struct ask_reply *reply);

// ingest -> reply, positions, counts

enum presence { PRESENCE_SAME, PRESENCE_DEPARTED, PRESENCE_HERE };

/// What was left out while folding, and why.
enum fold_count {
    FOLD_FUTURE,       // observations and facts later than the store's time
    FOLD_UNDECLARED,   // series of measures that are not declared
    FOLD_OUT_OF_RANGE, // observations outside their measure's range
    FOLD_BAD_FACT,     // facts that contradict themselves
    FOLD_COUNT
};

/// What a fold holds of one gateway: batches first..last, one after the other.
struct fold_gateway {
    uint8_t gateway; // place in the branch's gateways
    enum presence presence;
    uint32_t clock_error_ms;
    uint64_t epoch;
    uint64_t
        first; // the number that must follow the position (the first lost one, if it begins so)
    uint64_t last;
    struct tag behind;      // the batch that the first follows
    struct tag tag;         // of the last
    int64_t watermark_ms;   // largest; TIME_NONE: none
    uint32_t applied, dead; // batches
    uint64_t lost;          // numbers that are gone for good
    uint32_t left_out[FOLD_COUNT];
    bool born;             // a birth was among them, which named these
    struct bytes measures; // separated by blanks
};

struct fold_fact {
    uint8_t gateway;
    int16_t counter; // place in the branch's counters; -1: not said
    bool withdrawn;
    const struct encounter *encounter; // as in struct fact; its counter and gateway are not read
};

enum gap_kind { GAP_NUMBERS, GAP_TIME };
struct fold_gap {
    enum gap_kind kind;
    uint8_t gateway;
    int16_t counter;   // GAP_TIME; -1: all
    uint64_t from, to; // numbers, both gone; or event time ms
    struct name reason;
};

struct fold_dead {
    uint8_t gateway;
    uint64_t number;
    struct tag tag;
    struct bytes reason, body; // reason: at most 255 bytes
};

struct fold_decision {
    uint16_t counter; // place in the branch's counters
    const struct decision *decision;
};

/// Batches of one branch, to be applied whole or not at all.
struct fold {
    uint64_t configuration;
    size_t gateway_count, fact_count, gap_count, dead_count, decision_count;
    const struct fold_gateway *gateways;
    const struct fold_fact *facts; // in the order in which they were sent
    const struct fold_gap *gaps;
    const struct fold_dead *dead;
    const struct fold_decision *decisions; // in any order
    uint32_t chunk_count; // minute chunks as minutes_finish (worker/core/minutes.h) writes them
    struct bytes chunks;
};

struct store_position {
    uint8_t gateway; // place in the branch's gateways
    bool unfit;      // STORE_UNFIT: this one does not follow
    bool later;      // STORE_LATER: this one is ahead
    struct position position;
};
struct ingest_reply {
    struct reply head;
    uint32_t too_late_observations, too_late_facts, orphan_facts; // left out, and counted
    size_t position_count;
    struct store_position positions[BRANCH_GATEWAYS_MAX]; // of the fold's gateways, in its order
};
/// out->failed: over the buffer's limit.
void call_ingest(const struct fold *fold, struct buffer *out);
MUST_CHECK enum err ingest_reply_read(struct bytes bytes, struct ingest_reply *reply);

// take -> reply, encounters with their minutes

struct take_call {
    uint64_t configuration;
    struct lease lease; // for all that it takes
    uint8_t most;       // encounters
    uint32_t bytes;     // stop after the one that makes the reply longer than this
};
struct taken {
    struct encounter encounter;
    bool withdrawn;          // to be settled without a contribution
    bool several_clocks;     // told by more than one gateway
    bool crashed;            // leases ran out tries_max times: to be settled as error, unjudged
    bool final;              // its minutes are gone: decide anew about the verdicts that are kept
    uint32_t clock_error_ms; // of the gateway that told it
    struct bytes decisions;  // of people; for decisions_read
    struct bytes verdicts;   // final: as they were settled
    size_t minute_count;
    struct reader minutes; // for taken_minute
};
struct take_reply {
    struct reply head;
    size_t count;
    struct reader rest; // for take_reply_next
};
void call_take(const struct take_call *call, struct buffer *out);
MUST_CHECK enum err take_reply_read(struct bytes bytes, struct take_reply *reply);
/// ERR_END after the last one.
MUST_CHECK enum err take_reply_next(struct take_reply *reply, struct taken *taken);
/// The next minute log: minutes since 1970, ascending. ERR_END after the last one.
MUST_CHECK enum err taken_minute(struct taken *taken, int64_t *minute, struct bytes *log);

// give_back (leases that stand, but for nothing: nobody judges, and nobody died of it) -> reply

enum { GIVE_BACK_MAX = 4 };

struct give_back_call {
    uint64_t configuration;
    uint8_t count;
    struct lease leases[GIVE_BACK_MAX];
};
void call_give_back(const struct give_back_call *call, struct buffer *out);

// settle -> reply, what has become of it

struct settle_call {
    uint64_t configuration;
    struct lease lease;
    struct name encounter;
    struct name set;           // hash of the standards as text
    char day[DAY_TEXT_SIZE];   // local, of the encounter's start: 2026-11-23
    char hour[HOUR_TEXT_SIZE]; // 2026-11-23T09
    struct bytes contribution; // worker/core/settle.h; empty: contributes nothing
    struct bytes verdicts;     // opaque, for explaining
    bool waits;                // some verdict waits for a person
};
struct settle_reply {
    struct reply head;
    bool final;       // else provisional: it becomes due again
    bool set_missing; // the store has no text of this set: publish it, and settle again
};
void call_settle(const struct settle_call *call, struct buffer *out);
MUST_CHECK enum err settle_reply_read(struct bytes bytes, struct settle_reply *reply);

// replay (a dead letter is applied and gone), drop (it is gone) -> reply; STORE_STALE: no such
// entry

/// Of the fold only minutes, facts, gaps and notes; no position moves.
void call_replay(const char *entry, const struct fold *fold, struct buffer *out);
struct replay_reply {
    struct reply head;
    uint32_t too_late_observations, too_late_facts, orphan_facts; // left out, and counted
};
MUST_CHECK enum err replay_reply_read(struct bytes bytes, struct replay_reply *reply);
void call_drop(uint64_t configuration, const char *entry, struct buffer *out);

// seal (the records of a day's encounters go, its sums stay) -> reply, how many;
// STORE_STALE: some encounter of the day is not final, or a gateway may still bring one

/// day: the local one that is over at over_ms.
void call_seal(uint64_t configuration, const char *day, int64_t over_ms, struct buffer *out);
struct seal_reply {
    struct reply head;
    uint32_t encounters;
};
MUST_CHECK enum err seal_reply_read(struct bytes bytes, struct seal_reply *reply);

// rebuild (what begins at from_ms or later goes, every position is 0 again: the gateways bring what
// their spools hold) -> reply, how many; STORE_STALE: that day or a later one is sealed

/// day: the local one that begins at from_ms. Read the answer with seal_reply_read.
void call_rebuild(uint64_t configuration, const char *day, int64_t from_ms, struct buffer *out);

// publish (the text of a set, for readers) -> reply

void call_publish(const struct name *set, struct bytes json, struct buffer *out);

// editions (what is published for all branches) -> reply, hash, text

#define EDITIONS_KEY "t:{.standards}:editions"

struct editions_reply {
    struct reply head;
    struct bytes hash, text; // hash empty: nothing is published; text empty: it is what was known
};
void call_editions(struct bytes known, struct buffer *out);
MUST_CHECK enum err editions_reply_read(struct bytes bytes, struct editions_reply *reply);

// replace_editions: unless they are what is known (empty: none), stale -> reply

void call_replace_editions(struct bytes known, struct bytes hash, struct bytes text,
                           struct buffer *out);

// Contributions and cells: integers, degrees and scores in millionths

enum {
    SCORES = 7, // overall, then the dimensions
    OUTCOMES = OUTCOME_COUNT - 1,
    VERDICTS = 8,
    CONTRIBUTION_UNCONFIRMED = VERDICTS, // in place of a verdict: not_met, if a person confirms it
    CONTRIBUTION_STANDARD_SIZE = 9,
    CONTRIBUTION_HEAD_SIZE = 2 + 4 * SCORES,
};

/// What one encounter adds to a cell, for one standard.
struct contribution_standard {
    uint8_t verdict;          // or CONTRIBUTION_UNCONFIRMED
    int32_t degree, coverage; // -1: none
};
struct contribution {
    uint8_t outcome;
    bool provisional;       // set by the store
    int32_t scores[SCORES]; // -1: none
    size_t count;
    const struct contribution_standard *standards;
};
void contribution_write(const struct contribution *contribution, struct buffer *out);

struct cell_standard {
    uint32_t verdicts[VERDICTS];
    uint32_t unconfirmed; // of those not met: so many a person has yet to confirm
    uint32_t degree_count, coverage_count;
    int64_t degree_sum, coverage_sum;
};
/// Sums of the contributions of the encounters of one hour at a counter, or one day of the branch.
struct cell {
    uint32_t encounters, provisional, outcomes[OUTCOMES];
    uint32_t score_count[SCORES];
    int64_t score_sum[SCORES];
    size_t count;
};
/// ERR_FORMAT: not a cell; standards has room for `capacity` (ERR_FULL).
MUST_CHECK enum err cell_read(struct bytes bytes, struct cell *cell, size_t capacity,
                              struct cell_standard *standards);
