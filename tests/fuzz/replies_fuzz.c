// Whatever Redis answers, or has kept: it is read, or refused. The first byte says as what.

#include "worker/store/decisions.h"
#include "worker/store/record.h"
#include "worker/store/state.h"

#include <assert.h>

enum { STANDARDS = 64 };

static void read_taken(struct bytes bytes) {
    struct take_reply reply;
    struct taken taken;
    static struct decision decisions[DECISIONS_MAX];
    if (take_reply_read(bytes, &reply)) return;
    while (!take_reply_next(&reply, &taken)) {
        int64_t minute;
        struct bytes log;
        size_t count;
        if (!decisions_read(taken.decisions, decisions, &count)) assert(count <= DECISIONS_MAX);
        while (!taken_minute(&taken, &minute, &log))
            assert(log.size <= bytes.size);
    }
}

/// Both keys: the first two bytes say how long the registry is.
static void read_state(struct bytes bytes) {
    struct store_state state;
    struct reader in = reader_of(bytes);
    struct bytes registry = reader_take(&in, reader_u16(&in));
    struct bytes rest = reader_take(&in, reader_left(&in));
    if (in.failed || store_state_read(registry, rest, &state)) return;
    assert(state.counter_count <= STATE_COUNTERS_MAX && state.gateway_count <= STATE_GATEWAYS_MAX);
    store_state_free(&state);
}

static void read_kept(uint8_t what, struct bytes bytes) {
    struct contribution_standard standards[STANDARDS];
    struct cell_standard sums[STANDARDS];
    union {
        struct record record;
        struct record_cells cells;
        struct dead_letter letter;
        struct contribution contribution;
        struct cell cell;
    } kept;
    if (what == 0) (void)!record_read(bytes, &kept.record);
    if (what == 1) (void)!record_cells_read(bytes, &kept.cells);
    if (what == 2) (void)!dead_letter_read(bytes, &kept.letter);
    if (what == 3 && !contribution_read(bytes, &kept.contribution, STANDARDS, standards))
        assert(kept.contribution.count <= STANDARDS);
    if (what == 4 && !cell_read(bytes, &kept.cell, STANDARDS, sums))
        assert(kept.cell.count <= STANDARDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    union {
        struct ask_reply ask;
        struct ingest_reply ingest;
        struct settle_reply settle;
        struct replay_reply replay;
        struct seal_reply seal;
        struct editions_reply editions;
    } reply;
    if (size == 0) return 0;
    struct bytes bytes = {data + 1, size - 1};
    uint8_t what = data[0] % 13;
    if (what == 0) (void)!ask_reply_read(bytes, &reply.ask);
    if (what == 1) (void)!ingest_reply_read(bytes, &reply.ingest);
    if (what == 2) (void)!settle_reply_read(bytes, &reply.settle);
    if (what == 3) (void)!replay_reply_read(bytes, &reply.replay);
    if (what == 4) (void)!seal_reply_read(bytes, &reply.seal);
    if (what == 5) (void)!editions_reply_read(bytes, &reply.editions);
    if (what == 6) read_taken(bytes);
    if (what == 7) read_state(bytes);
    if (what >= 8) read_kept((uint8_t)(what - 8), bytes);
    return 0;
}
