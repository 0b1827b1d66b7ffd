// What is judged: due encounters are taken under a lease, and settled into the cells.

#include "tests/simulation/store_model_parts.h"

#include <assert.h>
#include <string.h>

enum { HEAD_VALUES = 21, STANDARD_VALUES = 12, HEAD_SIZE = 30, STANDARD_SIZE = 9 };

// alone ------------------------------------------------------------------------------------------

static struct model_alone *find_alone(struct model *m, const uint8_t lease[8]) {
    for (size_t i = 0; i < m->alone_count; i++)
        if (memcmp(m->alone[i].lease, lease, sizeof m->alone[i].lease) == 0) return &m->alone[i];
    return NULL;
}

void model_forget_lease(struct model *m, const uint8_t lease[8]) {
    struct model_alone *alone = find_alone(m, lease);
    if (alone) *alone = m->alone[--m->alone_count];
}

void model_forget_tries(struct model *m, struct model_encounter *e) {
    for (size_t i = m->alone_count; i-- > 0;)
        if (model_same_text(&m->alone[i].encounter, &e->id))
            m->alone[i] = m->alone[--m->alone_count];
    e->tries = 0;
}

static void take_alone(struct model *m, const struct model_encounter *e, const uint8_t lease[8]) {
    if (m->alone_count == MODEL_ALONE) m->alone_count = 0;
    struct model_alone *alone = &m->alone[m->alone_count++];
    memcpy(alone->lease, lease, sizeof alone->lease);
    alone->encounter = e->id;
}

/// The lease has not killed anybody. NULL: it is not known.
static struct model_encounter *take_back(struct model *m, const uint8_t lease[8], int64_t now) {
    struct model_alone *alone = find_alone(m, lease);
    if (!alone) return NULL;
    struct model_encounter *e = model_find_encounter(m, &alone->encounter);
    model_forget_lease(m, lease);
    if (!e) return NULL;
    e->changed = true;
    if (e->tries > 1 && m->plant != PLANT_DEAF_RETURN) e->tries--;
    if (memcmp(e->lease, lease, sizeof e->lease)) return e;
    memset(e->lease, 0, sizeof e->lease);
    e->new_due = PLACE_SET;
    e->due_at = now;
    return e;
}

const char *model_give_back(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    size_t count = reader_u8(in);
    for (size_t i = 0; i < count; i++) {
        uint8_t lease[8] = {0};
        model_read_raw(in, lease, sizeof lease);
        take_back(m, lease, now);
    }
    if (!model_at_end(in)) return "bad give_back";
    model_advance(m, now);
    model_write_branch(m);
    model_put_head(m, OK, now, out);
    return NULL;
}

// take -------------------------------------------------------------------------------------------

static void put_minutes(const struct model *m, const struct model_encounter *e,
                        struct buffer *out) {
    size_t counter = model_counter_at(m, &e->counter);
    size_t count_at = out->size;
    uint32_t count = 0;
    buffer_put_u32(out, 0);
    for (int64_t minute = model_floor_minute(model_begin_of(e));
         minute <= model_floor_minute(model_end_of(e)); minute++) {
        size_t size = 0;
        bool any = false;
        for (size_t i = 0; i < m->chunk_count; i++)
            if (m->chunks[i].counter == counter && m->chunks[i].minute == minute) {
                size += m->chunks[i].size;
                any = true;
            }
        if (!any) continue;
        count++;
        buffer_put_u32(out, (uint32_t)minute);
        buffer_put_u32(out, (uint32_t)size);
        for (size_t i = 0; i < m->chunk_count; i++)
            if (m->chunks[i].counter == counter && m->chunks[i].minute == minute)
                buffer_put(out, m->log + m->chunks[i].offset, m->chunks[i].size);
    }
    for (size_t i = 0; i < 4 && !out->failed; i++)
        out->data[count_at + i] = (uint8_t)(count >> (8 * i));
}

static bool stands_before(const struct model_decision *a, const struct model_decision *b) {
    int order = strcmp(a->standard.text, b->standard.text);
    return order < 0 || (order == 0 && a->kind < b->kind);
}

/// By standard, then kind.
static void put_decisions(const struct model *m, const struct model_encounter *e,
                          struct buffer *out) {
    size_t size_at = out->size;
    buffer_put_u32(out, 0);
    const struct model_decision *last = NULL;
    for (;;) {
        const struct model_decision *next = NULL;
        for (size_t i = 0; i < m->decision_count; i++) {
            const struct model_decision *d = &m->decisions[i];
            if (!model_same_text(&d->encounter, &e->id) || (last && !stands_before(last, d)) ||
                (next && stands_before(next, d)))
                continue;
            next = d;
        }
        if (!next) break;
        buffer_put(out, next->text, next->size);
        last = next;
    }
    for (size_t i = 0; i < 4 && !out->failed; i++)
        out->data[size_at + i] = (uint8_t)((out->size - size_at - 4) >> (8 * i));
}

static void put_taken(const struct model *m, const struct model_encounter *e, struct buffer *out) {
    uint32_t clock_error = 0;
    for (size_t i = 0; i < m->gateway_count; i++)
        if (model_same_text(&m->gateways[i].id, &e->gateway))
            clock_error = m->gateways[i].clock_error;
    buffer_put_u8(out, e->withdrawn);
    buffer_put_u8(out, e->several);
    buffer_put_u8(out, e->tries >= m->tries_max);
    buffer_put_u8(out, e->state == MODEL_FINAL);
    buffer_put_u32(out, clock_error);
    buffer_put_u8(out, e->outcome);
    for (size_t i = 0; i < 4; i++)
        buffer_put_u64(out, (uint64_t)e->times[i]);
    model_put_text(out, &e->id);
    model_put_text(out, &e->counter);
    model_put_text(out, &e->gateway);
    model_put_text(out, &e->offering);
    model_put_text(out, &e->employee);
    model_put_text(out, &e->language);
    put_decisions(m, e, out);
    buffer_put_u32(out, e->state == MODEL_FINAL ? (uint32_t)e->verdicts_size : 0);
    if (e->state == MODEL_FINAL) buffer_put(out, e->verdicts, e->verdicts_size);
    if (e->state == MODEL_FINAL)
        buffer_put_u32(out, 0);
    else
        put_minutes(m, e, out);
}

/// The next one due from..to that has not been loaded in this call: by time, then by name.
static struct model_encounter *next_due(struct model *m, int64_t from, int64_t to) {
    struct model_encounter *best = NULL;
    for (size_t i = 0; i < m->encounter_count; i++) {
        struct model_encounter *e = &m->encounters[i];
        if (e->deleted || e->loaded || !e->has_due || e->due < from || e->due > to) continue;
        if (!best || e->due < best->due ||
            (e->due == best->due && strcmp(e->id.text, best->id.text) < 0))
            best = e;
    }
    return best;
}

/// What is put off for longer was put off by another clock.
static int64_t put_off_most(const struct model *m) {
    uint64_t most = 2 * m->lease_ms;
    if (most < m->settle_after) most = m->settle_after;
    return (int64_t)(most < m->settle_pause ? m->settle_pause : most);
}

/// The next one that this call has made due.
static struct model_encounter *next_made_due(struct model *m, int64_t now) {
    for (size_t i = 0; i < m->encounter_count; i++) {
        struct model_encounter *e = &m->encounters[i];
        if (!e->deleted && !e->loaded && e->changed && e->new_due == PLACE_SET && e->due_at <= now)
            return e;
    }
    return NULL;
}

static void lease_out(struct model *m, struct model_encounter *e, const uint8_t lease[8],
                      int64_t now, struct buffer *out) {
    put_taken(m, e, out);
    e->changed = true;
    if (e->tries == m->tries_max) m->counts.crashed++;
    e->new_due = PLACE_SET;
    e->due_at = now + (int64_t)m->lease_ms;
    if (e->tries > 0) e->due_at += (int64_t)((lease[0] + 256u * lease[1]) * m->lease_ms / 65536);
    memcpy(e->lease, lease, sizeof e->lease);
    if (e->tries < 255 && m->plant != PLANT_UNCOUNTED) e->tries++;
}

const char *model_take(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    uint8_t lease[8] = {0};
    model_read_raw(in, lease, sizeof lease);
    size_t most = reader_u8(in), count = 0;
    uint32_t bytes_max = reader_u32(in);
    if (!model_at_end(in) || memcmp(lease, (const uint8_t[8]){0}, sizeof lease) == 0)
        return "bad take";
    model_advance(m, now);
    struct buffer taken;
    buffer_init(&taken, 1 << 22);
    bool alone = false;
    for (size_t seen = 0; seen < most && taken.size <= bytes_max && !alone; seen++) {
        struct model_encounter *e = next_due(m, NONE, now);
        if (!e && m->plant != PLANT_CLOCK_BACK) e = next_due(m, now + put_off_most(m) + 1, NEVER);
        if (!e) e = next_made_due(m, now);
        if (!e) break;
        e->loaded = true;
        if (e->state == MODEL_FINAL && e->tries >= m->tries_max) { // until the next decision
            m->counts.crashed++;
            memset(e->lease, 0, sizeof e->lease);
            e->changed = true;
            e->new_due = PLACE_NONE;
            continue;
        }
        bool again = e->tries > 0 && m->plant != PLANT_COMPANY;
        if (again && count > 0) continue; // it is taken alone
        alone = again;
        if (alone) take_alone(m, e, lease);
        lease_out(m, e, lease, now, &taken);
        count++;
    }
    assert(!taken.failed);
    model_write_branch(m);
    model_put_head(m, OK, now, out);
    buffer_put_u8(out, (uint8_t)count);
    buffer_put(out, taken.data, taken.size);
    buffer_fini(&taken);
    return NULL;
}

// settle -----------------------------------------------------------------------------------------

/// What a contribution adds to a cell; 0: it is malformed.
static size_t amounts(const uint8_t *data, size_t size, int64_t values[MODEL_CELL_VALUES]) {
    struct reader in = reader_of((struct bytes){data, size});
    if (size < HEAD_SIZE || (size - HEAD_SIZE) % STANDARD_SIZE) return 0;
    size_t standards = (size - HEAD_SIZE) / STANDARD_SIZE;
    assert(standards <= MODEL_STANDARDS);
    memset(values, 0, sizeof(int64_t) * MODEL_CELL_VALUES);
    uint8_t outcome = reader_u8(&in);
    if (outcome < 1 || outcome > 5) return 0;
    values[0] = 1;
    values[1] = reader_u8(&in);
    values[1 + outcome] = 1;
    for (size_t i = 0; i < 7; i++) {
        int32_t score = (int32_t)reader_u32(&in);
        if (score == NONE) continue;
        values[7 + 2 * i] = 1;
        values[8 + 2 * i] = score;
    }
    for (size_t i = 0; i < standards; i++) {
        int64_t *of = values + HEAD_VALUES + STANDARD_VALUES * i;
        uint8_t verdict = reader_u8(&in);
        int32_t degree = (int32_t)reader_u32(&in), coverage = (int32_t)reader_u32(&in);
        if (verdict > 8) return 0;
        if (verdict < 8) of[verdict] = 1; // 8: not met, if a person confirms it
        if (degree != NONE) of[8] = 1, of[10] = degree;
        if (coverage != NONE) of[9] = 1, of[11] = coverage;
    }
    return HEAD_VALUES + STANDARD_VALUES * standards;
}

static struct model_cell *cell_at(struct model_cell *cells, size_t *count, bool hourly,
                                  const struct model_encounter *e, size_t values) {
    const struct model_text *when = hourly ? &e->hour : &e->day;
    for (size_t i = 0; i < *count; i++)
        if (cells[i].hourly == hourly && model_same_text(&cells[i].when, when) &&
            model_same_text(&cells[i].set, &e->set) &&
            (!hourly || model_same_text(&cells[i].counter, &e->where_counter)))
            return &cells[i];
    if (*count == MODEL_CELLS) return NULL;
    struct model_cell *cell = &cells[(*count)++];
    *cell = (struct model_cell){.hourly = hourly, .when = *when, .set = e->set, .count = values};
    if (hourly) cell->counter = e->where_counter;
    return cell;
}

/// cells += sign * the encounter's contribution.
static bool add(struct model_cell *cells, size_t *count, const struct model_encounter *e,
                int64_t sign) {
    int64_t values[MODEL_CELL_VALUES];
    if (e->contribution_size == 0) return true;
    size_t length = amounts(e->contribution, e->contribution_size, values);
    if (!length) return false;
    for (int hourly = 0; hourly < 2; hourly++) {
        struct model_cell *cell = cell_at(cells, count, hourly, e, length);
        if (!cell || cell->count != length) return false;
        for (size_t i = 0; i < length; i++)
            cell->values[i] += sign * values[i];
        if (cell->values[0] == 0) *cell = cells[--*count];
    }
    return true;
}

bool model_add_to_cells(struct model *m, const struct model_encounter *e, int64_t sign) {
    return add(m->cells, &m->cell_count, e, sign);
}

uint64_t model_cell_hash(const struct model_cell *cell) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < cell->count; i++)
        hash = (hash ^ (uint64_t)cell->values[i]) * UINT64_C(0x100000001b3);
    return hash | 1;
}

bool model_sum(const struct model *m, struct model_cell cells[MODEL_CELLS], size_t *count) {
    *count = 0;
    for (size_t i = 0; i < m->encounter_count; i++) {
        const struct model_encounter *e = &m->encounters[i];
        if (e->contributed && !e->deleted && !add(cells, count, e, 1)) return false;
    }
    return true;
}

static bool cell_equal(const struct model_cell *a, const struct model_cell *b) {
    return a->hourly == b->hourly && model_same_text(&a->counter, &b->counter) &&
           model_same_text(&a->when, &b->when) && model_same_text(&a->set, &b->set) &&
           a->count == b->count && memcmp(a->values, b->values, a->count * sizeof *a->values) == 0;
}

bool model_cells_equal(const struct model_cell *a, size_t a_count, const struct model_cell *b,
                       size_t b_count) {
    if (a_count != b_count) return false;
    for (size_t i = 0; i < a_count; i++) {
        bool found = false;
        for (size_t k = 0; k < b_count && !found; k++)
            found = cell_equal(&a[i], &b[k]);
        if (!found) return false;
    }
    return true;
}

const char *model_settle(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    uint8_t lease[8] = {0};
    model_read_raw(in, lease, sizeof lease);
    struct model_text id = model_read_text(in), set = model_read_text(in),
                      day = model_read_text(in), hour = model_read_text(in);
    struct bytes contribution = reader_take(in, reader_u32(in));
    struct bytes verdicts = reader_take(in, reader_u32(in));
    bool waits = reader_u8(in);
    if (!model_at_end(in) || verdicts.size > MODEL_VERDICTS ||
        contribution.size > MODEL_CONTRIBUTION)
        return "bad settle";
    struct model_encounter *e = model_find_encounter(m, &id);
    bool stands = e && model_leased(e) && memcmp(e->lease, lease, sizeof lease) == 0;
    if (m->plant == PLANT_NO_LEASE) stands = e && (e->state == MODEL_ENDED || model_leased(e));
    if (!stands) {
        const struct model_alone *late = find_alone(m, lease);
        if (e && late && model_same_text(&late->encounter, &id)) { // but nobody died
            take_back(m, lease, now);
            model_advance(m, now);
            model_write_branch(m);
        }
        model_put_head(m, STALE, now, out);
        buffer_put_u16(out, 0);
        return NULL;
    }
    if (e->withdrawn != (contribution.size == 0)) return "only a withdrawn one contributes nothing";
    if (!m->set_known) {
        model_put_head(m, OK, now, out);
        buffer_put_u8(out, 0);
        buffer_put_u8(out, 1);
        return NULL;
    }

    bool final =
        e->state == MODEL_FINAL || e->withdrawn ||
        e->times[3] + (int64_t)m->grace <= model_slowest(m, model_counter_at(m, &e->counter));
    if (e->contributed && m->plant != PLANT_ADD_WITHOUT_SUBTRACT &&
        !add(m->cells, &m->cell_count, e, -1))
        return "cells cannot be added to";
    if (contribution.size) memcpy(e->contribution, contribution.data, contribution.size);
    e->contribution_size = contribution.size;
    if (verdicts.size) memcpy(e->verdicts, verdicts.data, verdicts.size);
    e->verdicts_size = verdicts.size;
    e->waits = waits;
    if (contribution.size) e->contribution[1] = !final;
    e->contributed = true;
    e->where_counter = e->counter;
    e->day = day;
    e->hour = hour;
    e->set = set;
    if (!add(m->cells, &m->cell_count, e, 1)) return "bad contribution";
    e->changed = true;
    model_advance(m, now);
    e->state = final ? MODEL_FINAL : MODEL_SETTLED;
    memset(e->lease, 0, sizeof e->lease);
    model_forget_tries(m, e);
    e->new_due = PLACE_NONE;
    e->new_wait = final ? PLACE_NONE : PLACE_SET;
    e->wait_at = e->times[3] + (int64_t)m->grace;
    model_write_branch(m);
    if (final && m->plant == PLANT_DELETE_CONTRIBUTION) e->deleted = true;
    model_put_head(m, OK, now, out);
    buffer_put_u8(out, final);
    buffer_put_u8(out, 0);
    return NULL;
}
