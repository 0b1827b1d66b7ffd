// What becomes of whole days: sealed for good, or emptied so that the gateways bring them again.

#include "tests/simulation/store_model_parts.h"

#include <assert.h>
#include <string.h>

enum { DATE_LENGTH = 10 }; // of a day's text, and of an hour's before its T

static void remove_encounter(struct model *m, size_t at) {
    size_t kept = 0;
    for (size_t i = 0; i < m->decision_count; i++)
        if (!model_same_text(&m->decisions[i].encounter, &m->encounters[at].id))
            m->decisions[kept++] = m->decisions[i];
    m->decision_count = kept;
    m->encounter_count--;
    memmove(&m->encounters[at], &m->encounters[at + 1],
            (m->encounter_count - at) * sizeof *m->encounters);
}

static const char *put_answer(const struct model *m, enum status status, uint32_t encounters,
                              int64_t now, struct buffer *out) {
    model_put_head(m, status, now, out);
    buffer_put_u32(out, encounters);
    return NULL;
}

/// Those of encounters that never came and cannot come any more.
void model_tidy_decisions(struct model *m) {
    size_t kept = 0;
    for (size_t i = 0; i < m->decision_count; i++) {
        const struct model_decision *d = &m->decisions[i];
        bool past = d->early && d->began < m->counters[d->counter].mark;
        if (!past || model_find_encounter(m, &d->encounter)) m->decisions[kept++] = *d;
    }
    m->decision_count = kept;
}

// seal -------------------------------------------------------------------------------------------

static bool of_day(const struct model_encounter *e, const struct model_text *day) {
    return e->contributed && !e->deleted && model_same_text(&e->day, day);
}

static bool may_change(const struct model *m, int64_t over) {
    for (size_t i = 0; i < m->counter_count; i++)
        if (model_slowest(m, i) < over) return true;
    for (size_t i = 0; i < m->encounter_count; i++)
        if (model_alive(&m->encounters[i]) && model_begin_of(&m->encounters[i]) < over) return true;
    return false;
}

static void seal_cells(struct model *m, const struct model_text *day) {
    for (size_t i = 0; i < m->cell_count; i++)
        if (strncmp(m->cells[i].when.text, day->text, DATE_LENGTH) == 0)
            m->cells[i].sealed = model_cell_hash(&m->cells[i]);
}

const char *model_seal(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    struct model_text day = model_read_text(in);
    int64_t over = model_read_time(in);
    uint32_t count = 0;
    bool hasty = m->plant == PLANT_HASTY_SEAL;
    if (!model_at_end(in) || strlen(day.text) != DATE_LENGTH) return "bad day";
    if (!hasty && may_change(m, over)) return put_answer(m, STALE, 0, now, out);
    for (size_t i = 0; i < m->encounter_count; i++)
        if (of_day(&m->encounters[i], &day) && (m->encounters[i].has_due && !hasty))
            return put_answer(m, STALE, 0, now, out);
    for (size_t i = 0; i < m->counter_count && !hasty; i++)
        if (m->counters[i].mark < over) m->counters[i].mark = over;
    model_tidy_decisions(m);
    for (size_t i = m->encounter_count; i-- > 0;)
        if (of_day(&m->encounters[i], &day)) {
            remove_encounter(m, i);
            count++;
        }
    if (count && !model_is_sealed(m, day.text)) {
        assert(m->sealed_count < MODEL_SEALED);
        m->sealed[m->sealed_count++] = day;
    }
    if (count) seal_cells(m, &day);
    m->sealed_encounters += count;
    model_write_branch(m);
    return put_answer(m, OK, count, now, out);
}

bool model_is_sealed(const struct model *m, const char *when) {
    for (size_t i = 0; i < m->sealed_count; i++)
        if (strncmp(m->sealed[i].text, when, DATE_LENGTH) == 0) return true;
    return false;
}

// rebuild ----------------------------------------------------------------------------------------

static void remove_minutes(struct model *m, size_t counter, int64_t from) {
    struct model_counter *c = &m->counters[counter];
    size_t kept = 0;
    for (size_t i = 0; i < m->chunk_count; i++) {
        if (m->chunks[i].counter == counter && m->chunks[i].minute >= model_floor_minute(from))
            m->bytes -= m->chunks[i].size;
        else
            m->chunks[kept++] = m->chunks[i];
    }
    m->chunk_count = kept;
    if (c->mark > from) c->mark = from;
    if (c->swept > model_floor_minute(c->mark)) c->swept = model_floor_minute(c->mark);
}

static void rewind_gateway(struct model *m, struct model_gateway *g, int64_t from) {
    if (g->watermark > from) g->watermark = from;
    model_begin_spool(m, g);
}

const char *model_rebuild(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    struct model_text day = model_read_text(in);
    int64_t from = model_read_time(in);
    uint32_t count = 0;
    if (!model_at_end(in) || strlen(day.text) != DATE_LENGTH || from % MINUTE) return "bad day";
    for (size_t i = 0; i < m->sealed_count; i++)
        if (strcmp(m->sealed[i].text, day.text) >= 0) return put_answer(m, STALE, 0, now, out);
    for (size_t i = m->encounter_count; i-- > 0;) {
        const struct model_encounter *e = &m->encounters[i];
        if (e->deleted || model_begin_of(e) < from) continue;
        if (e->contributed && m->plant != PLANT_REBUILD_KEEPS && !model_add_to_cells(m, e, -1))
            return "cells cannot be added to";
        remove_encounter(m, i);
        count++;
    }
    m->alone_count = 0;
    for (size_t i = 0; i < m->counter_count; i++)
        remove_minutes(m, i, from);
    for (size_t i = 0; i < m->gateway_count; i++)
        rewind_gateway(m, &m->gateways[i], from);
    model_write_branch(m);
    return put_answer(m, OK, count, now, out);
}
