#include "tests/simulation/store_model_parts.h"

#include <assert.h>
#include <string.h>

void model_empty(struct model *m, enum plant plant) {
    memset(m, 0, offsetof(struct model, encounters));
    m->plant = plant;
}

void model_copy(struct model *to, const struct model *from) {
    memcpy(to, from, offsetof(struct model, encounters));
    memcpy(to->encounters, from->encounters, from->encounter_count * sizeof *to->encounters);
    memcpy(to->decisions, from->decisions, from->decision_count * sizeof *to->decisions);
    memcpy(to->cells, from->cells, from->cell_count * sizeof *to->cells);
    memcpy(to->chunks, from->chunks, from->chunk_count * sizeof *to->chunks);
    memcpy(to->log, from->log, from->log_size);
}

// Small parts ------------------------------------------------------------------------------------

bool model_same_text(const struct model_text *a, const struct model_text *b) {
    return strcmp(a->text, b->text) == 0;
}

struct model_text model_read_text(struct reader *in) {
    struct model_text text = {0};
    struct bytes bytes = reader_short(in);
    if (bytes.size >= MODEL_TEXT) in->failed = true;
    if (!in->failed) memcpy(text.text, bytes.data, bytes.size);
    return text;
}

void model_put_text(struct buffer *out, const struct model_text *text) {
    buffer_put_short(out, bytes_of_text(text->text));
}

int64_t model_read_time(struct reader *in) {
    return (int64_t)reader_u64(in);
}

void model_read_raw(struct reader *in, void *to, size_t size) {
    struct bytes bytes = reader_take(in, size);
    if (!in->failed) memcpy(to, bytes.data, size);
}

bool model_at_end(const struct reader *in) {
    return !in->failed && reader_left(in) == 0;
}

int64_t model_floor_minute(int64_t at) {
    return at >= 0 ? at / MINUTE : -((MINUTE - 1 - at) / MINUTE);
}

size_t model_counter_at(const struct model *m, const struct model_text *id) {
    for (size_t i = 0; i < m->counter_count; i++)
        if (model_same_text(&m->counters[i].id, id)) return i;
    return m->counter_count;
}

bool model_leased(const struct model_encounter *e) {
    return memcmp(e->lease, (const uint8_t[8]){0}, sizeof e->lease) != 0;
}

int64_t model_begin_of(const struct model_encounter *e) {
    for (size_t i = 0; i < 3; i++)
        if (e->times[i] != NONE) return e->times[i];
    return e->times[3];
}

int64_t model_end_of(const struct model_encounter *e) {
    return e->times[3] != NONE ? e->times[3] : model_begin_of(e);
}

bool model_alive(const struct model_encounter *e) {
    return e->state != MODEL_FINAL && !e->deleted;
}

// Watermarks -------------------------------------------------------------------------------------

static struct model_clock tick(struct model_clock clock, int64_t now) {
    int64_t since = now - clock.seen;
    if (since >= 0 && since < TICK) return clock;
    int64_t added = since < 0 ? 0 : since > TICK_MAX ? TICK_MAX : since;
    return (struct model_clock){clock.active + added, now};
}

bool model_holds_back(const struct model *m, const struct model_gateway *g) {
    return !g->departed && m->clock_now.active - g->heard < (int64_t)m->horizon;
}

int64_t model_slowest(const struct model *m, size_t counter) {
    int64_t least = NEVER, most = NONE;
    for (size_t i = 0; i < m->gateway_count; i++) {
        const struct model_gateway *g = &m->gateways[i];
        if (!model_holds_back(m, g) || g->serves[counter] != '1') continue;
        if (g->watermark < least) least = g->watermark;
        if (g->watermark > most) most = g->watermark;
    }
    return m->plant == PLANT_MAX_WATERMARK && least != NEVER ? most : least;
}

static int64_t mark_limit(const struct model *m, size_t counter) {
    int64_t most = model_slowest(m, counter);
    if (most != NEVER) return most;
    most = NONE;
    for (size_t i = 0; i < m->gateway_count; i++)
        if (m->gateways[i].serves[counter] == '1' && m->gateways[i].watermark > most)
            most = m->gateways[i].watermark;
    return most;
}

// Encounters -------------------------------------------------------------------------------------

void model_touch(struct model *m, struct model_encounter *e, int64_t now) {
    if (model_leased(e)) {
        e->changed = true;
        model_forget_lease(m, e->lease);
        memset(e->lease, 0, sizeof e->lease);
        if (e->tries > 0) e->tries--;
        e->new_due = PLACE_SET;
    } else if ((e->state == MODEL_SETTLED ||
                (e->state == MODEL_FINAL && m->plant != PLANT_DEAF_FINAL)) &&
               (e->new_due == PLACE_SAME || e->new_due == PLACE_NONE)) {
        e->changed = true;
        if (e->state == MODEL_FINAL) model_forget_tries(m, e);
        e->new_due = PLACE_KEPT;
    } else {
        return;
    }
    e->due_at = now + (int64_t)m->settle_pause;
    e->paused = true;
}

struct model_encounter *model_find_encounter(struct model *m, const struct model_text *id) {
    for (size_t i = 0; i < m->encounter_count; i++)
        if (!m->encounters[i].deleted && model_same_text(&m->encounters[i].id, id))
            return &m->encounters[i];
    return NULL;
}

void model_bound_length(const struct model *m, struct model_encounter *e) {
    int64_t latest = model_begin_of(e) + (int64_t)m->encounter_max;
    if (e->times[3] == NONE || e->times[3] < latest) return;
    e->times[3] = latest;
    e->outcome = OUTCOME_IS_TIMEOUT;
    for (size_t i = 1; i <= 2; i++)
        if (e->times[i] > latest) e->times[i] = NONE;
}

void model_move_on(struct model *m, struct model_encounter *e, int64_t now) {
    if (e->state == MODEL_FINAL) return;
    int64_t passed = model_slowest(m, model_counter_at(m, &e->counter));
    int64_t latest = model_begin_of(e) + (int64_t)m->encounter_max;
    e->changed = true;
    if (e->withdrawn) {
        e->new_wait = PLACE_NONE;
        return;
    }
    if (e->state == MODEL_OPEN && latest <= passed) {
        e->state = MODEL_ENDED;
        e->times[3] = latest;
        model_bound_length(m, e);
        m->counts.timeouts++;
    }
    if (e->state == MODEL_OPEN) {
        e->new_wait = PLACE_SET;
        e->wait_at = latest;
    } else if (e->times[3] + (int64_t)m->grace <= passed) {
        e->new_wait = PLACE_NONE;
        if (model_leased(e) || e->paused) return;
        e->new_due = PLACE_SET;
        e->due_at = now;
    } else {
        e->new_wait = PLACE_SET;
        e->wait_at = e->times[3] + (int64_t)m->grace;
    }
}

void model_advance(struct model *m, int64_t now) {
    for (size_t i = 0; i < m->encounter_count; i++) {
        struct model_encounter *e = &m->encounters[i];
        if (model_alive(e) && e->has_wait &&
            e->wait <= model_slowest(m, model_counter_at(m, &e->counter)))
            model_move_on(m, e, now);
    }
}

static void write_places(struct model_encounter *e) {
    if (e->state == MODEL_FINAL) {
        e->has_wait = false;
    } else if (e->new_wait == PLACE_SET) {
        e->has_wait = true;
        e->wait = e->wait_at;
    } else if (e->new_wait == PLACE_NONE) {
        e->has_wait = false;
    }
    if (e->new_due == PLACE_NONE) e->has_due = false;
    if (e->new_due == PLACE_SET || (e->new_due == PLACE_KEPT && !e->has_due)) {
        e->has_due = true;
        e->due = e->due_at;
    }
}

static void sweep(struct model *m, size_t counter) {
    struct model_counter *c = &m->counters[counter];
    int64_t limit = mark_limit(m, counter);
    for (size_t i = 0; i < m->encounter_count; i++) {
        const struct model_encounter *e = &m->encounters[i];
        if (model_alive(e) && model_same_text(&e->counter, &c->id) && model_begin_of(e) < limit)
            limit = model_begin_of(e);
    }
    if (limit > c->mark) c->mark = limit;
    int64_t minute = model_floor_minute(c->mark);
    if (minute <= c->swept) return;
    size_t kept = 0;
    for (size_t i = 0; i < m->chunk_count; i++) {
        if (m->chunks[i].counter == counter && m->chunks[i].minute < minute)
            m->bytes -= m->chunks[i].size;
        else
            m->chunks[kept++] = m->chunks[i];
    }
    m->chunk_count = kept;
    c->swept = minute;
}

void model_write_branch(struct model *m) {
    m->clock = m->clock_now;
    for (size_t i = 0; i < m->encounter_count; i++) {
        struct model_encounter *e = &m->encounters[i];
        if (e->changed) write_places(e);
        e->changed = e->paused = e->loaded = false;
        e->new_due = e->new_wait = PLACE_SAME;
    }
    for (size_t i = 0; i < m->counter_count; i++)
        sweep(m, i);
}

void model_put_head(const struct model *m, enum status status, int64_t now, struct buffer *out) {
    int64_t due = NONE;
    for (size_t i = 0; m && i < m->encounter_count; i++) {
        const struct model_encounter *e = &m->encounters[i];
        if (e->has_due && !e->deleted && (due == NONE || e->due < due)) due = e->due;
    }
    if (due != NONE) due = due > now ? due - now : 0;
    buffer_put_u8(out, (uint8_t)status);
    buffer_put_u64(out, (uint64_t)due);
}

// configure --------------------------------------------------------------------------------------

static const char *configure(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    uint64_t configuration = reader_u64(in);
    uint64_t *policy[] = {&m->grace,         &m->settle_after, &m->settle_pause, &m->lease_ms,
                          &m->encounter_max, &m->horizon,      &m->bytes_max};
    uint64_t policies[7];
    for (size_t i = 0; i < 7; i++)
        policies[i] = reader_u64(in);
    uint32_t limits[3];
    for (size_t i = 0; i < 3; i++)
        limits[i] = reader_u32(in);
    struct model_text names[2][MODEL_GATEWAYS + MODEL_COUNTERS] = {0};
    size_t counters = reader_u16(in);
    if (in->failed || counters == 0 || counters > MODEL_COUNTERS) return "counters";
    for (size_t i = 0; i < counters; i++)
        names[0][i] = model_read_text(in);
    size_t gateways = reader_u8(in);
    if (in->failed || gateways > MODEL_GATEWAYS) return "gateways";
    for (size_t i = 0; i < gateways; i++)
        names[1][i] = model_read_text(in);
    struct bytes serves = reader_take(in, counters * gateways);
    if (!model_at_end(in)) return "the argument is of another length";
    if (!m->configured) { // here the registry never changes: a second time brings nothing new
        for (size_t i = 0; i < counters; i++)
            m->counters[i] = (struct model_counter){.id = names[0][i]};
        for (size_t i = 0; i < gateways; i++) {
            m->gateways[i] = (struct model_gateway){.id = names[1][i], .watermark = NONE};
            memcpy(m->gateways[i].serves, serves.data + i * counters, counters);
        }
        m->clock = (struct model_clock){.seen = now};
        for (size_t i = 0; i < 7; i++)
            *policy[i] = policies[i];
        m->tries_max = limits[0];
        m->dead_max = limits[1];
        m->gaps_max = limits[2];
        m->counter_count = counters;
        m->gateway_count = gateways;
        m->configuration = configuration;
        m->configured = true;
    }
    if (m->configuration != configuration) return "another registry than that of this world";
    model_put_head(NULL, OK, 0, out);
    return NULL;
}

// ask --------------------------------------------------------------------------------------------

void model_put_position(const struct model_gateway *g, struct buffer *out) {
    buffer_put_u64(out, g->epoch);
    buffer_put_u64(out, g->number);
    buffer_put(out, g->tag, sizeof g->tag);
}

void model_begin_spool(struct model *m, struct model_gateway *g) {
    g->number = 0;
    memset(g->tag, 0, 4); // as if a batch had ended in the beginning of the spool's id
    memcpy(g->tag + 4, g->spool, 4);
    g->applied = g->dead = g->lost = g->reported = 0;
    g->departed = false;
    g->heard = m->clock_now.active;
    for (size_t i = 0; i < m->counter_count; i++)
        if (g->serves[i] == '1' && g->watermark > m->counters[i].mark)
            g->watermark = m->counters[i].mark;
}

static const char *ask(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    size_t place = reader_u8(in);
    uint8_t spool[16] = {0};
    model_read_raw(in, spool, sizeof spool);
    uint64_t epoch = reader_u64(in), granted = 0;
    if (!model_at_end(in) || place >= m->gateway_count) return "bad ask";
    struct model_gateway *g = &m->gateways[place];
    bool same = memcmp(g->spool, spool, sizeof spool) == 0;
    enum status status = OK;
    if (epoch == 0) {
        if (g->epoch == 0 || !same) granted = g->epoch + 1;
    } else if (epoch > g->epoch || (m->plant == PLANT_BLIND_EPOCH && epoch != g->epoch)) {
        granted = epoch;
    } else if (epoch < g->epoch || !same) {
        status = FENCED;
    }
    if (granted) {
        g->epoch = granted;
        memcpy(g->spool, spool, sizeof spool);
        model_begin_spool(m, g);
        m->clock = m->clock_now;
    }
    model_put_head(m, status, now, out);
    model_put_position(g, out);
    return NULL;
}

// ------------------------------------------------------------------------------------------------

const char *model_call(struct model *m, enum model_call call, struct bytes argument, int64_t now,
                       struct buffer *out) {
    struct reader in = reader_of(argument);
    if (call == MODEL_CONFIGURE) return configure(m, &in, now, out);
    if (call == MODEL_PUBLISH) {
        m->set_known = true;
        model_put_head(NULL, OK, now, out);
        return NULL;
    }
    uint64_t configuration = reader_u64(&in);
    if (in.failed) return "too short";
    if (!m->configured || m->configuration != configuration) {
        model_put_head(NULL, UNCONFIGURED, now, out);
        return NULL;
    }
    m->clock_now = tick(m->clock, now);
    switch (call) {
    case MODEL_ASK:
        return ask(m, &in, now, out);
    case MODEL_INGEST:
        return model_ingest(m, &in, now, out);
    case MODEL_TAKE:
        return model_take(m, &in, now, out);
    case MODEL_GIVE_BACK:
        return model_give_back(m, &in, now, out);
    case MODEL_SETTLE:
        return model_settle(m, &in, now, out);
    case MODEL_SEAL:
        return model_seal(m, &in, now, out);
    case MODEL_REBUILD:
        return model_rebuild(m, &in, now, out);
    default:
        return "no such function";
    }
}
