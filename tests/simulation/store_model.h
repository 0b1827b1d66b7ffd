#pragma once
// What worker/store/functions.lua does, once more, in plain C: one branch's keys as one struct,
// packed calls in, packed replies out. Indexes and marks that the functions keep for speed are
// found here by looking at everything, so that both are unlikely to be wrong alike.

#include "common/base/bytes.h"
#include "common/domain/position.h"
#include "tests/simulation/plants.h"

#include <stddef.h>

enum {
    MODEL_COUNTERS = 4,
    MODEL_GATEWAYS = 4,
    MODEL_ENCOUNTERS = 24,
    MODEL_CHUNKS = 8192,
    MODEL_CELLS = 64,
    MODEL_STANDARDS = 4,
    MODEL_CELL_VALUES = 21 + 12 * MODEL_STANDARDS,
    MODEL_CONTRIBUTION = 30 + 9 * MODEL_STANDARDS,
    MODEL_DEAD = 16,
    MODEL_DECISIONS = 64,
    MODEL_DECISION = 512, // bytes of one
    MODEL_SEALED = 4,     // days
    MODEL_ALONE = 64,
    MODEL_VERDICTS = 8192,
    MODEL_TEXT = 65,
    MODEL_LOG = 1 << 20,
};

enum model_state { MODEL_OPEN, MODEL_ENDED, MODEL_SETTLED, MODEL_FINAL };

struct model_text {
    char text[MODEL_TEXT];
};

/// A worker that took an encounter.
struct model_holder {
    uint32_t worker, life, connection;
    uint64_t fallbacks; // of the store before it
    uint8_t lease[8];
    bool first; // since it was settled: perhaps with others, and cannot be given back
};
enum { MODEL_HOLDERS = 16 };

struct model_encounter {
    struct model_text id, counter, gateway, offering, employee, language;
    enum model_state state;
    bool withdrawn, several;
    uint8_t tries, outcome;
    uint8_t lease[8];
    int64_t times[4]; // issued, called, started, ended
    bool has_due, has_wait;
    int64_t due, wait;
    bool contributed;
    uint8_t contribution[MODEL_CONTRIBUTION];
    size_t contribution_size, verdicts_size;
    uint8_t verdicts[MODEL_VERDICTS];
    bool waits;
    struct model_text where_counter, day, hour, set;
    bool deleted; // only by a planted bug
    // What the call at hand makes of it.
    bool loaded, changed, paused;
    enum { PLACE_SAME, PLACE_NONE, PLACE_SET, PLACE_KEPT } new_due, new_wait;
    int64_t due_at, wait_at;
    // The oracle's (leases.c): who took it since it was settled last, but for those that gave it
    // back.
    struct model_holder holders[MODEL_HOLDERS];
    size_t holder_count;
    bool blamed; // an error, though it kills nobody: whoever took it died of something else
};

/// The newest of its encounter, standard and kind; perhaps its encounter is not known yet.
struct model_decision {
    struct model_text encounter, standard;
    uint8_t kind, text[MODEL_DECISION]; // text: as it travelled
    size_t size;
    int64_t decided;
    bool early; // it came before its encounter, which was to begin at `began` at `counter`
    size_t counter;
    int64_t began;
};

/// Who was taken alone, under which lease.
struct model_alone {
    uint8_t lease[8];
    struct model_text encounter;
};

struct model_gateway {
    struct model_text id;
    uint8_t serves[MODEL_COUNTERS];
    uint64_t epoch, number;
    uint8_t tag[8], spool[16];
    int64_t watermark;
    int64_t heard; // active time
    uint64_t applied, dead, lost;
    uint64_t reported; // numbers that gaps name; lost ones must be
    bool departed;
    uint32_t clock_error;
};

struct model_counter {
    struct model_text id;
    int64_t mark, swept;
};

struct model_cell {
    bool hourly;
    struct model_text counter, when, set; // counter: hourly only
    uint64_t sealed;                      // 0, or the hash of the values when the day was sealed
    size_t count;
    int64_t values[MODEL_CELL_VALUES];
};

/// A piece of a minute log.
struct model_chunk {
    uint8_t counter;
    uint32_t minute, offset, size;
};

/// The store's time while there were calls (KEYS.md, active time).
struct model_clock {
    int64_t active, seen;
};

struct model_counts {
    uint64_t timeouts, withdrawn, dead, dead_dropped, lost, gaps, crashed;
    uint64_t too_late_observations, too_late_facts, orphan_facts, left_out[4];
    uint64_t decisions, no_room;
};

struct model {
    enum plant plant;
    bool configured;
    uint64_t configuration;
    uint64_t grace, settle_after, settle_pause, lease_ms, encounter_max, horizon, bytes_max;
    struct model_clock clock, clock_now; // written, and as the call at hand sees it
    uint32_t tries_max, dead_max, gaps_max;
    size_t counter_count, gateway_count, encounter_count, cell_count, dead_count, chunk_count;
    size_t decision_count, sealed_count, sealed_encounters; // sealed_encounters: gone for good
    struct model_text sealed[MODEL_SEALED];
    size_t alone_count;
    struct model_alone alone[MODEL_ALONE];
    struct model_counter counters[MODEL_COUNTERS];
    struct model_gateway gateways[MODEL_GATEWAYS];
    struct model_counts counts;
    bool set_known;
    uint64_t bytes, appended; // appended: ever
    size_t log_size;
    // Of each of these so many hold as their count says.
    struct model_encounter encounters[MODEL_ENCOUNTERS];
    struct model_decision decisions[MODEL_DECISIONS];
    struct model_cell cells[MODEL_CELLS];
    struct model_chunk chunks[MODEL_CHUNKS];
    uint8_t log[MODEL_LOG];
};

enum model_call {
    MODEL_CONFIGURE,
    MODEL_ASK,
    MODEL_INGEST,
    MODEL_TAKE,
    MODEL_SETTLE,
    MODEL_PUBLISH,
    MODEL_GIVE_BACK,
    MODEL_SEAL,
    MODEL_REBUILD
};

void model_empty(struct model *model, enum plant plant);
void model_copy(struct model *to, const struct model *from);

/// One call at the store's time. NULL: *reply is the answer (appended); else why it failed, and
/// nothing was changed.
const char *model_call(struct model *model, enum model_call call, struct bytes argument,
                       int64_t now_ms, struct buffer *reply);

/// Whether the day, or that of the hour, is sealed.
bool model_is_sealed(const struct model *model, const char *when);
/// Never 0.
uint64_t model_cell_hash(const struct model_cell *cell);

/// The cells as they should be: from the contributions alone. false: too many.
bool model_sum(const struct model *model, struct model_cell cells[MODEL_CELLS], size_t *count);
/// Same cells, in whatever order.
bool model_cells_equal(const struct model_cell *a, size_t a_count, const struct model_cell *b,
                       size_t b_count);
