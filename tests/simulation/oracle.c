// What must hold: after every call of the store, whenever a gateway believes a position, and in the
// end.

#include "tests/simulation/simulation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Positions --------------------------------------------------------------------------------------

static struct position position_of(const struct model_gateway *gateway) {
    struct position position = {.epoch = gateway->epoch, .number = gateway->number};
    memcpy(position.tag.bytes, gateway->tag, sizeof gateway->tag);
    return position;
}

static bool same(struct position a, struct position b) {
    return a.epoch == b.epoch && a.number == b.number && tag_equal(a.tag, b.tag);
}

static const struct model_gateway *stored(const struct simulation *s, size_t gateway) {
    const struct model *model = &s->redis.branches[s->world->gateways[gateway].branch];
    return model->configured ? &model->gateways[s->world->gateways[gateway].place] : NULL;
}

/// Remember since when which position has been the store's.
void oracle_store_changed(struct simulation *s, size_t branch) {
    for (size_t i = 0; i < s->world->gateway_count; i++) {
        if (s->world->gateways[i].branch != branch) continue;
        const struct model_gateway *now = stored(s, i);
        struct position position = now ? position_of(now) : (struct position){0};
        size_t *count = &s->truth_count[i];
        struct truth *last = *count ? &s->truths[i][*count - 1] : NULL;
        if (last && same(last->position, position)) continue;
        if (last) last->until_ms = s->now_ms;
        assert(*count < TRUTHS);
        s->truths[i][(*count)++] =
            (struct truth){.since_ms = s->now_ms, .until_ms = UINT64_MAX, .position = position};
    }
}

/// What a gateway believes must have been so at some time since its session began.
void oracle_position_taken(struct simulation *s, const struct gateway *g,
                           struct position position) {
    const struct truth *truths = s->truths[g->identity];
    for (size_t i = s->truth_count[g->identity]; i-- > 0;) {
        if (truths[i].until_ms < g->session_since_ms) break;
        if (same(truths[i].position, position)) return;
    }
    wrong(s, "gateway %u believes position %llu:%llu, which the store did not have in session %llu",
          g->identity, (unsigned long long)position.epoch, (unsigned long long)position.number,
          (unsigned long long)g->session.number);
}

// Calls ------------------------------------------------------------------------------------------

/// The store as it was before the call at hand.
static struct {
    bool configured;
    struct model_gateway gateways[MODEL_GATEWAYS];
    struct model_counts counts;
    bool found;
    uint8_t lease[8];
} before;

static const struct model_encounter *encounter_of(const struct model *model,
                                                  struct bytes argument) {
    struct reader in = reader_of(argument); // of settle
    reader_take(&in, 8 + 8);
    struct bytes id = reader_short(&in);
    for (size_t i = 0; i < model->encounter_count; i++)
        if (bytes_equal(bytes_of_text(model->encounters[i].id.text), id))
            return &model->encounters[i];
    return NULL;
}

void oracle_before(struct simulation *s, const struct store_call *call) {
    const struct model *model = &s->redis.branches[call->branch];
    before.configured = model->configured;
    before.counts = model->counts;
    memcpy(before.gateways, model->gateways, sizeof before.gateways);
    before.found = false;
    if (call->goal != MODEL_SETTLE || call->stage != STAGE_GOAL) return;
    const struct model_encounter *encounter = encounter_of(model, buffer_bytes(&call->argument));
    if (!encounter) return;
    before.found = true;
    memcpy(before.lease, encounter->lease, sizeof before.lease);
}

static size_t gateway_at(const struct simulation *s, size_t branch, uint8_t place) {
    size_t at = 0;
    while (s->world->gateways[at].branch != branch || s->world->gateways[at].place != place)
        at++;
    return at;
}

/// How many of these batches promise something that lies in the future, whatever the clock.
static uint64_t future_rows(const struct simulation *s, size_t branch, uint8_t place,
                            uint64_t epoch, uint64_t first, uint64_t last) {
    size_t at = gateway_at(s, branch, place);
    const struct spool *spool = &s->gateways[at].spool;
    uint64_t count = 0;
    if (s->tampered[at] || s->world->poisoned || spool->disk.epoch != epoch) return 0;
    for (uint64_t n = first; n <= last && n <= spool->disk.last; n++)
        count += spool->rows[n - 1].watermark_ms > s->redis.latest_ms + FUTURE_MS;
    return count;
}

/// A position moves by exactly what was applied, and only in its own epoch.
static void check_ingest(struct simulation *s, const struct store_call *call,
                         const struct model *model) {
    struct reader in = reader_of(buffer_bytes(&call->argument));
    reader_u64(&in);
    size_t count = reader_u8(&in);
    uint64_t future = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t place = reader_u8(&in);
        reader_take(&in, 1 + 4);
        uint64_t epoch = reader_u64(&in), first = reader_u64(&in), last = reader_u64(&in);
        struct bytes behind = reader_take(&in, TAG_MARK);
        reader_take(&in, sizeof(struct tag) + 8);
        uint64_t batches = reader_u32(&in);
        batches += reader_u32(&in);
        uint64_t lost = reader_u64(&in);
        const struct model_gateway *was = &before.gateways[place], *is = &model->gateways[place];
        if (was->epoch != epoch || is->epoch != epoch || was->number + 1 != first ||
            is->number != last || last - was->number != batches + lost)
            wrong(s,
                  "branch %zu gateway %u: the position went from %llu to %llu by %llu batches and "
                  "%llu lost ones",
                  call->branch, place, (unsigned long long)was->number,
                  (unsigned long long)is->number, (unsigned long long)batches,
                  (unsigned long long)lost);
        if (memcmp(behind.data, was->tag + TAG_MARK, TAG_MARK) != 0)
            wrong(s, "branch %zu gateway %u: batch %llu follows another one than the store's",
                  call->branch, place, (unsigned long long)first);
        if (is->watermark > was->watermark && is->watermark > s->redis.latest_ms + FUTURE_MS)
            wrong(s, "branch %zu gateway %u: its watermark is %.3f s ahead of the store's time",
                  call->branch, place, (double)(is->watermark - s->redis.latest_ms) / 1000);
        if (!lost) future += future_rows(s, call->branch, place, epoch, first, last);
        if (lost && !s->lossy)
            wrong(s, "branch %zu gateway %u: %llu batches are called lost, but nobody dropped any",
                  call->branch, place, (unsigned long long)lost);
    }
    if (model->counts.left_out[FOLD_FUTURE] < before.counts.left_out[FOLD_FUTURE] + future)
        wrong(s, "branch %zu: %llu batches promise what lies in the future, %llu are counted",
              call->branch, (unsigned long long)future,
              (unsigned long long)(model->counts.left_out[FOLD_FUTURE] -
                                   before.counts.left_out[FOLD_FUTURE]));
}

/// Whether some gateway's clock was wrong: of one that opens encounters, or of any.
static bool branch_skewed(const struct simulation *s, size_t branch, bool opens) {
    for (size_t i = 0; i < s->world->gateway_count; i++)
        if (s->world->gateways[i].branch == branch && s->skewed[i] &&
            (!opens || s->world->branches[branch].gateways[s->world->gateways[i].place].opens))
            return true;
    return false;
}

static bool branch_tampered(const struct simulation *s, size_t branch) {
    for (size_t i = 0; i < s->world->gateway_count; i++)
        if (s->world->gateways[i].branch == branch && s->tampered[i]) return true;
    return false;
}

static void check_counts(struct simulation *s, const struct store_call *call,
                         const struct model *model) {
    const struct model_counts *is = &model->counts;
    // What is sent twice may be too late.
    if (s->lossy || branch_tampered(s, call->branch) || s->rebuilt[call->branch]) return;
    if (branch_skewed(s, call->branch, false)) return;
    if (is->too_late_observations || is->too_late_facts || is->orphan_facts || is->timeouts)
        wrong(s, "branch %zu: %llu readings and %llu facts too late, %llu orphans, %llu timeouts",
              call->branch, (unsigned long long)is->too_late_observations,
              (unsigned long long)is->too_late_facts, (unsigned long long)is->orphan_facts,
              (unsigned long long)is->timeouts);
    for (size_t i = 0; i < 4; i++)
        if (is->left_out[i])
            wrong(s, "branch %zu: %llu left out while folding, kind %zu", call->branch,
                  (unsigned long long)is->left_out[i], i);
}

/// What is sealed is as it was then; all else is the sum of what is known.
static void check_cells(struct simulation *s, size_t branch) {
    static struct model_cell sums[MODEL_CELLS], unsealed[MODEL_CELLS];
    const struct model *model = &s->redis.branches[branch];
    size_t sum_count, count = 0;
    for (size_t i = 0; i < model->cell_count; i++) {
        const struct model_cell *cell = &model->cells[i];
        bool sealed = model_is_sealed(model, cell->when.text);
        if (sealed && model_cell_hash(cell) != cell->sealed)
            wrong(s, "branch %zu: %s is sealed, and its sums have changed", branch,
                  cell->when.text);
        if (!sealed) unsealed[count++] = *cell;
    }
    if (!model_sum(model, sums, &sum_count) || !model_cells_equal(sums, sum_count, unsealed, count))
        wrong(s, "branch %zu: the cells are not the sum of the contributions", branch);
}

/// Every number up to the position was applied, is dead, or is called lost by a gap that names it.
static void check_numbers(struct simulation *s, size_t branch) {
    const struct model *model = &s->redis.branches[branch];
    for (size_t i = 0; i < model->gateway_count; i++) {
        const struct model_gateway *g = &model->gateways[i];
        if (g->applied + g->dead + g->lost != g->number || g->reported != g->lost)
            wrong(s,
                  "branch %zu gateway %zu: of %llu batches %llu are applied, %llu dead, %llu lost; "
                  "gaps name %llu",
                  branch, i, (unsigned long long)g->number, (unsigned long long)g->applied,
                  (unsigned long long)g->dead, (unsigned long long)g->lost,
                  (unsigned long long)g->reported);
    }
}

void oracle_after(struct simulation *s, const struct store_call *call, struct bytes reply) {
    const struct model *model = &s->redis.branches[call->branch];
    bool ok = reply.data[0] == STORE_OK && call->stage == STAGE_GOAL;
    for (size_t i = 0; before.configured && i < model->gateway_count; i++)
        if (model->gateways[i].epoch < before.gateways[i].epoch)
            wrong(s, "branch %zu gateway %zu: its epoch goes back from %llu to %llu", call->branch,
                  i, (unsigned long long)before.gateways[i].epoch,
                  (unsigned long long)model->gateways[i].epoch);
    if (ok && call->goal == MODEL_INGEST) {
        check_ingest(s, call, model);
        check_numbers(s, call->branch);
    }
    struct settle_reply settled;
    if (ok && call->goal == MODEL_SETTLE && !settle_reply_read(reply, &settled) &&
        !settled.set_missing) {
        if (!before.found || memcmp(before.lease, call->argument.data + 8, 8) != 0)
            wrong(s, "branch %zu: a judgement was accepted although its lease did not stand",
                  call->branch);
        check_cells(s, call->branch);
    }
    check_counts(s, call, model);
    if (model->appended > s->most_bytes) s->most_bytes = model->appended;
    if (model->bytes > 2 * model->bytes_max)
        wrong(s, "branch %zu: %llu bytes of minutes, over twice its bound", call->branch,
              (unsigned long long)model->bytes);
    oracle_store_changed(s, call->branch);
}

void oracle_operated(struct simulation *s, size_t branch) {
    check_cells(s, branch);
    oracle_store_changed(s, branch);
}

bool oracle_decided(const struct simulation *s, size_t branch, int64_t over_ms) {
    for (size_t i = 0; i < s->world->gateway_count; i++) {
        const struct branch *of = &s->world->branches[s->world->gateways[i].branch];
        if (s->world->gateways[i].branch != branch) continue;
        if (!of->gateways[s->world->gateways[i].place].office) continue;
        const struct model_gateway *stands = stored(s, i);
        const struct gateway *g = &s->gateways[i];
        const struct recording *recording = &s->world->gateways[i].recording;
        bool own = stands && stands->epoch == g->head.epoch && stands->number > 0 &&
                   stands->number <= g->head.last;
        size_t applied = own ? g->spool.rows[stands->number - 1].to : 0;
        for (size_t k = applied; k < recording->count; k++)
            if (recording->items[k].decision.began_ms < over_ms) return false;
    }
    return true;
}

// The end ----------------------------------------------------------------------------------------

static bool branch_settled(const struct simulation *s, size_t branch, char *why, size_t size) {
    const struct model *model = &s->redis.branches[branch];
    size_t known = model->encounter_count + model->sealed_encounters;
    bool moved = branch_skewed(s, branch, true); // some are left out, some told at two times
    if (!s->lossy && !moved && known < s->world->encounters[branch]) {
        snprintf(why, size, "branch %zu knows %zu of %zu encounters", branch, known,
                 s->world->encounters[branch]);
        return false;
    }
    for (size_t i = 0; i < model->encounter_count; i++) {
        const struct model_encounter *e = &model->encounters[i];
        // One whose end was lost with a dropped batch stays open until encounter_max.
        bool decided = e->state == MODEL_FINAL && !e->has_due;
        if (decided || (s->lossy && e->state == MODEL_OPEN)) continue;
        if (moved && e->state != MODEL_FINAL) continue;
        snprintf(why, size, "branch %zu: encounter %s is in state %d", branch, e->id.text,
                 (int)e->state);
        return false;
    }
    return true;
}

/// The store has the spool's last batch, and no other one of that number.
static bool stands_at_end(const struct simulation *s, size_t gateway) {
    const struct model_gateway *stands = stored(s, gateway);
    const struct spool_head *head = &s->gateways[gateway].head;
    const struct row *last = &s->gateways[gateway].spool.rows[head->last - 1];
    return stands && stands->number == head->last && stands->epoch == head->epoch &&
           tag_equal(position_of(stands).tag, last->tag);
}

bool oracle_drained(struct simulation *s, char *why, size_t size) {
    for (size_t i = 0; i < s->world->gateway_count; i++) {
        const struct gateway *g = &s->gateways[i];
        if (gateway_done(s, i)) continue;
        snprintf(why, size, "gateway %zu: %s, holds %llu..%llu, applied %llu, read %zu of %zu", i,
                 !g->process.alive ? "dead" : session_state_name(session_state(&g->session)),
                 (unsigned long long)g->head.first, (unsigned long long)g->head.last,
                 (unsigned long long)g->head.applied, g->head.cursor,
                 s->world->gateways[i].recording.count);
        return false;
    }
    for (size_t i = 0; i < s->world->gateway_count; i++) {
        if (stands_at_end(s, i)) continue;
        snprintf(why, size, "gateway %zu does not know that the store stands elsewhere", i);
        return false;
    }
    for (size_t i = 0; i < s->broker_count; i++)
        if (!broker_idle(s, i)) {
            snprintf(why, size, "broker %zu still holds batches", i);
            return false;
        }
    for (size_t i = 0; i < s->world->branch_count; i++)
        if (!branch_settled(s, i, why, size)) return false;
    return true;
}

/// The store may have lost fewer: they were still under way when it was told, or it has fallen
/// back behind a rebuild, to when it had them.
static uint64_t told_lost(const struct spool *spool) {
    uint64_t count = 0;
    for (uint64_t n = 1; n <= spool->disk.last; n++)
        count += spool->rows[n - 1].told_lost;
    return count;
}

/// Everything that was spooled has been applied, is a dead letter, or is counted as lost.
static void check_positions(struct simulation *s) {
    for (size_t i = 0; i < s->world->gateway_count; i++) {
        const struct model_gateway *stands = stored(s, i);
        const struct spool_head *head = &s->gateways[i].head;
        if (!stands_at_end(s, i))
            wrong(s, "gateway %zu ends at %llu:%llu, the store has %llu:%llu", i,
                  (unsigned long long)head->epoch, (unsigned long long)head->last,
                  (unsigned long long)(stands ? stands->epoch : 0),
                  (unsigned long long)(stands ? stands->number : 0));
        else if (head->dropped > told_lost(&s->gateways[i].spool))
            wrong(s, "gateway %zu: %llu batches are called dropped, but only %llu were told lost",
                  i, (unsigned long long)head->dropped,
                  (unsigned long long)told_lost(&s->gateways[i].spool));
    }
}

static void check_expected(struct simulation *s, size_t branch) {
    const struct model *model = &s->redis.branches[branch];
    if (!s->expected) {
        memcpy(s->become->cells[branch], model->cells, sizeof model->cells);
        s->become->counts[branch] = model->cell_count;
        return;
    }
    bool other = s->lossy || model->counts.no_room || s->blamed[branch];
    if (other || branch_skewed(s, branch, false)) return;
    if (!model_cells_equal(s->expected->cells[branch], s->expected->counts[branch], model->cells,
                           model->cell_count))
        wrong(s, "branch %zu: the cells differ from those of the run without faults", branch);
}

void oracle_end(struct simulation *s) {
    check_positions(s);
    for (size_t i = 0; i < s->world->branch_count; i++) {
        leases_end(s, i);
        check_expected(s, i);
    }
}
