#include "tests/simulation/store_model.h"

#include <assert.h>
#include <string.h>

#define NONE (-1)
#define NEVER (INT64_C(1) << 53)

enum { MINUTE = 60000, TICK = 1000, TICK_MAX = 60000 };
enum { HEAD_VALUES = 21, STANDARD_VALUES = 12, HEAD_SIZE = 30, STANDARD_SIZE = 9 };
enum status { OK, UNCONFIGURED, UNFIT, LATER, FENCED, STALE };
enum outcome_code { OUTCOME_IS_NORMAL = 1, OUTCOME_IS_TIMEOUT = 5 };

static const uint8_t NO_LEASE[8];

void model_empty(struct model *m, enum plant plant) {
    memset(m, 0, offsetof(struct model, log));
    m->plant = plant;
}

void model_copy(struct model *to, const struct model *from) {
    memcpy(to, from, offsetof(struct model, log) + from->log_size);
}

// Small parts ------------------------------------------------------------------------------------

static bool same_text(const struct model_text *a, const struct model_text *b) {
    return strcmp(a->text, b->text) == 0;
}

static struct model_text read_text(struct reader *in) {
    struct model_text text = {0};
    struct bytes bytes = reader_short(in);
    if (bytes.size >= MODEL_TEXT) in->failed = true;
    if (!in->failed) memcpy(text.text, bytes.data, bytes.size);
    return text;
}

static void put_text(struct buffer *out, const struct model_text *text) {
    buffer_put_short(out, bytes_of_text(text->text));
}

static int64_t read_time(struct reader *in) {
    return (int64_t)reader_u64(in);
}

static void read_raw(struct reader *in, void *to, size_t size) {
    struct bytes bytes = reader_take(in, size);
    if (!in->failed) memcpy(to, bytes.data, size);
}

static bool at_end(const struct reader *in) {
    return !in->failed && reader_left(in) == 0;
}

static int64_t floor_minute(int64_t at) {
    return at >= 0 ? at / MINUTE : -((MINUTE - 1 - at) / MINUTE);
}

static size_t counter_at(const struct model *m, const struct model_text *id) {
    for (size_t i = 0; i < m->counter_count; i++)
        if (same_text(&m->counters[i].id, id)) return i;
    return m->counter_count;
}

static bool leased(const struct model_encounter *e) {
    return memcmp(e->lease, NO_LEASE, sizeof e->lease) != 0;
}

static int64_t begin_of(const struct model_encounter *e) {
    for (size_t i = 0; i < 3; i++)
        if (e->times[i] != NONE) return e->times[i];
    return e->times[3];
}

static int64_t end_of(const struct model_encounter *e) {
    return e->times[3] != NONE ? e->times[3] : begin_of(e);
}

static bool alive(const struct model_encounter *e) {
    return e->state != MODEL_FINAL && !e->deleted;
}

// Watermarks -------------------------------------------------------------------------------------

static struct model_clock tick(struct model_clock clock, int64_t now) {
    int64_t since = now - clock.seen;
    if (since >= 0 && since < TICK) return clock;
    int64_t added = since < 0 ? 0 : since > TICK_MAX ? TICK_MAX : since;
    return (struct model_clock){clock.active + added, now};
}

static bool holds_back(const struct model *m, const struct model_gateway *g) {
    return !g->departed && m->clock_now.active - g->heard < (int64_t)m->horizon;
}

static int64_t slowest(const struct model *m, size_t counter) {
    int64_t least = NEVER, most = NONE;
    for (size_t i = 0; i < m->gateway_count; i++) {
        const struct model_gateway *g = &m->gateways[i];
        if (!holds_back(m, g) || g->serves[counter] != '1') continue;
        if (g->watermark < least) least = g->watermark;
        if (g->watermark > most) most = g->watermark;
    }
    return m->plant == PLANT_MAX_WATERMARK && least != NEVER ? most : least;
}

static int64_t mark_limit(const struct model *m, size_t counter) {
    int64_t most = slowest(m, counter);
    if (most != NEVER) return most;
    most = NONE;
    for (size_t i = 0; i < m->gateway_count; i++)
        if (m->gateways[i].serves[counter] == '1' && m->gateways[i].watermark > most)
            most = m->gateways[i].watermark;
    return most;
}

// Encounters -------------------------------------------------------------------------------------

static void touch(struct model *m, struct model_encounter *e, int64_t now) {
    if (leased(e)) {
        e->changed = true;
        memset(e->lease, 0, sizeof e->lease);
        if (e->tries > 0) e->tries--;
        e->new_due = PLACE_SET;
    } else if ((e->state == MODEL_SETTLED ||
                (e->state == MODEL_FINAL && m->plant != PLANT_DEAF_FINAL)) &&
               (e->new_due == PLACE_SAME || e->new_due == PLACE_NONE)) {
        e->changed = true;
        if (e->state == MODEL_FINAL) e->tries = 0;
        e->new_due = PLACE_KEPT;
    } else {
        return;
    }
    e->due_at = now + (int64_t)m->settle_pause;
    e->paused = true;
}

static void bound_length(const struct model *m, struct model_encounter *e) {
    int64_t latest = begin_of(e) + (int64_t)m->encounter_max;
    if (e->times[3] == NONE || e->times[3] < latest) return;
    e->times[3] = latest;
    e->outcome = OUTCOME_IS_TIMEOUT;
    for (size_t i = 1; i <= 2; i++)
        if (e->times[i] > latest) e->times[i] = NONE;
}

static void move_on(struct model *m, struct model_encounter *e, int64_t now) {
    if (e->state == MODEL_FINAL) return;
    int64_t passed = slowest(m, counter_at(m, &e->counter));
    int64_t latest = begin_of(e) + (int64_t)m->encounter_max;
    e->changed = true;
    if (e->withdrawn) {
        e->new_wait = PLACE_NONE;
        return;
    }
    if (e->state == MODEL_OPEN && latest <= passed) {
        e->state = MODEL_ENDED;
        e->times[3] = latest;
        bound_length(m, e);
        m->counts.timeouts++;
    }
    if (e->state == MODEL_OPEN) {
        e->new_wait = PLACE_SET;
        e->wait_at = latest;
    } else if (e->times[3] + (int64_t)m->grace <= passed) {
        e->new_wait = PLACE_NONE;
        if (leased(e) || e->paused) return;
        e->new_due = PLACE_SET;
        e->due_at = now;
    } else {
        e->new_wait = PLACE_SET;
        e->wait_at = e->times[3] + (int64_t)m->grace;
    }
}

static void advance(struct model *m, int64_t now) {
    for (size_t i = 0; i < m->encounter_count; i++) {
        struct model_encounter *e = &m->encounters[i];
        if (alive(e) && e->has_wait && e->wait <= slowest(m, counter_at(m, &e->counter)))
            move_on(m, e, now);
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
        if (alive(e) && same_text(&e->counter, &c->id) && begin_of(e) < limit) limit = begin_of(e);
    }
    if (limit > c->mark) c->mark = limit;
    int64_t minute = floor_minute(c->mark);
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

static void write_branch(struct model *m) {
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

static void put_head(const struct model *m, enum status status, int64_t now, struct buffer *out) {
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
        names[0][i] = read_text(in);
    size_t gateways = reader_u8(in);
    if (in->failed || gateways > MODEL_GATEWAYS) return "gateways";
    for (size_t i = 0; i < gateways; i++)
        names[1][i] = read_text(in);
    struct bytes serves = reader_take(in, counters * gateways);
    if (!at_end(in)) return "the argument is of another length";
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
    put_head(NULL, OK, 0, out);
    return NULL;
}

// ask --------------------------------------------------------------------------------------------

static void put_position(const struct model_gateway *g, struct buffer *out) {
    buffer_put_u64(out, g->epoch);
    buffer_put_u64(out, g->number);
    buffer_put(out, g->tag, sizeof g->tag);
}

static const char *ask(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    size_t place = reader_u8(in);
    uint8_t spool[16] = {0};
    read_raw(in, spool, sizeof spool);
    uint64_t epoch = reader_u64(in), granted = 0;
    if (!at_end(in) || place >= m->gateway_count) return "bad ask";
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
        g->number = 0;
        memset(g->tag, 0, sizeof g->tag);
        memcpy(g->spool, spool, sizeof spool);
        m->clock = m->clock_now;
    }
    put_head(m, status, now, out);
    put_position(g, out);
    return NULL;
}

// ingest -----------------------------------------------------------------------------------------

enum { FOLD_FACTS = 2048, FOLD_CHUNKS = 2048, FOLD_DECISIONS = 256 };

struct fold_part {
    size_t place;
    uint8_t presence, tag[8];
    uint32_t clock_error, applied, dead;
    uint64_t epoch, first, last, lost;
    int64_t watermark;
};

struct fold_piece {
    size_t counter;
    uint32_t minute, observations;
    int64_t from, to;
    struct bytes data;
};

struct told { // a fact
    bool withdrawn;
    size_t gateway;
    int16_t counter;
    struct model_text id, offering, employee, language;
    int64_t times[4];
    uint8_t outcome;
};

struct decided { // a decision
    size_t counter;
    int64_t began;
    struct model_decision decision;
};

struct argument {
    size_t decision_count;
    struct decided decisions[FOLD_DECISIONS];
    size_t part_count, piece_count, fact_count, gap_count, dead_count;
    struct fold_part parts[MODEL_GATEWAYS];
    struct fold_piece pieces[FOLD_CHUNKS];
    struct told facts[FOLD_FACTS];
    uint64_t bytes;
    uint32_t left_out[4];
};

static bool read_parts(const struct model *m, struct reader *in, struct argument *a) {
    a->part_count = reader_u8(in);
    if (in->failed || a->part_count > m->gateway_count) return false;
    for (size_t i = 0; i < a->part_count; i++) {
        struct fold_part *part = &a->parts[i];
        part->place = reader_u8(in);
        part->presence = reader_u8(in);
        part->clock_error = reader_u32(in);
        part->epoch = reader_u64(in);
        part->first = reader_u64(in);
        part->last = reader_u64(in);
        read_raw(in, part->tag, sizeof part->tag);
        part->watermark = read_time(in);
        part->applied = reader_u32(in);
        part->dead = reader_u32(in);
        part->lost = reader_u64(in);
        if (in->failed || part->place >= m->gateway_count || part->first < 1 ||
            part->last < part->first || part->presence > 2)
            return false;
    }
    return true;
}

static bool read_pieces(const struct model *m, struct reader *in, struct argument *a) {
    a->piece_count = reader_u32(in);
    a->bytes = 0;
    if (in->failed || a->piece_count > FOLD_CHUNKS) return false;
    for (size_t i = 0; i < a->piece_count; i++) {
        struct fold_piece *piece = &a->pieces[i];
        piece->counter = reader_u16(in);
        piece->minute = reader_u32(in);
        int64_t begin = (int64_t)piece->minute * MINUTE;
        piece->from = begin + reader_u16(in);
        piece->to = begin + reader_u16(in);
        piece->observations = reader_u32(in);
        piece->data = reader_take(in, reader_u32(in));
        a->bytes += piece->data.size;
        if (in->failed || piece->counter >= m->counter_count || piece->from > piece->to)
            return false;
    }
    return true;
}

static bool read_facts(const struct model *m, struct reader *in, struct argument *a) {
    a->fact_count = reader_u16(in);
    if (in->failed || a->fact_count > FOLD_FACTS) return false;
    for (size_t i = 0; i < a->fact_count; i++) {
        struct told *fact = &a->facts[i];
        fact->withdrawn = reader_u8(in);
        fact->gateway = reader_u8(in);
        fact->counter = (int16_t)reader_u16(in);
        fact->id = read_text(in);
        for (size_t k = 0; k < 4; k++)
            fact->times[k] = read_time(in);
        fact->outcome = reader_u8(in);
        fact->offering = read_text(in);
        fact->employee = read_text(in);
        fact->language = read_text(in);
        if (in->failed || fact->gateway >= m->gateway_count ||
            fact->counter >= (int)m->counter_count || fact->outcome > OUTCOME_IS_TIMEOUT)
            return false;
    }
    return true;
}

static bool read_letters(struct reader *in, struct argument *a) {
    a->gap_count = reader_u16(in);
    for (size_t i = 0; i < a->gap_count && !in->failed; i++) {
        reader_take(in, 1 + 1 + 2 + 8 + 8);
        reader_short(in);
    }
    a->dead_count = reader_u16(in);
    for (size_t i = 0; i < a->dead_count && !in->failed; i++) {
        reader_take(in, 1 + 8 + 8);
        reader_short(in);
        reader_take(in, reader_u32(in));
    }
    size_t notes = reader_u8(in);
    memset(a->left_out, 0, sizeof a->left_out);
    for (size_t i = 0; i < notes && !in->failed; i++) {
        reader_take(in, 1); // the gateway
        for (size_t k = 0; k < 4; k++)
            a->left_out[k] += reader_u32(in);
        reader_take(in, 1); // whether it was born
        reader_take(in, reader_u32(in));
    }
    return !in->failed;
}

static bool read_decisions(const struct model *m, struct reader *in, struct argument *a) {
    a->decision_count = reader_u16(in);
    if (in->failed || a->decision_count > FOLD_DECISIONS) return false;
    for (size_t i = 0; i < a->decision_count; i++) {
        struct decided *decided = &a->decisions[i];
        struct model_decision *decision = &decided->decision;
        *decided = (struct decided){.counter = reader_u16(in)};
        decision->encounter = read_text(in);
        decided->began = read_time(in);
        const uint8_t *begin = in->at;
        decision->standard = read_text(in);
        decision->kind = reader_u8(in);
        decision->decided = read_time(in);
        reader_short(in); // by
        reader_short(in); // why
        decision->size = (size_t)(in->at - begin);
        if (in->failed || decided->counter >= m->counter_count || decision->kind > 3 ||
            decision->size > MODEL_DECISION)
            return false;
        memcpy(decision->text, begin, decision->size);
    }
    return at_end(in);
}

static bool unfit(const struct model *m, const struct fold_part *part) {
    const struct model_gateway *g = &m->gateways[part->place];
    if (m->plant == PLANT_SKIP_ORDER) return part->epoch != g->epoch || part->last <= g->number;
    return part->epoch != g->epoch || part->first != g->number + 1;
}

static bool ahead(const struct model *m, const struct argument *a, const struct fold_part *part) {
    int64_t least = NEVER;
    for (size_t i = 0; i < m->gateway_count; i++)
        if (memchr(m->gateways[i].serves, '1', m->counter_count) &&
            holds_back(m, &m->gateways[i]) && m->gateways[i].watermark < least)
            least = m->gateways[i].watermark;
    return m->bytes + a->bytes > 2 * m->bytes_max || m->gateways[part->place].watermark > least;
}

static void put_parts(const struct model *m, const struct argument *a, enum status status,
                      const uint32_t late[3], int64_t now, struct buffer *out) {
    put_head(m, status, now, out);
    for (size_t i = 0; i < 3; i++)
        buffer_put_u32(out, late[i]);
    buffer_put_u8(out, (uint8_t)a->part_count);
    for (size_t i = 0; i < a->part_count; i++) {
        const struct fold_part *part = &a->parts[i];
        uint8_t flags = status == UNFIT && unfit(m, part)      ? 1
                        : status == LATER && ahead(m, a, part) ? 2
                                                               : 0;
        buffer_put_u8(out, (uint8_t)part->place);
        buffer_put_u8(out, flags);
        put_position(&m->gateways[part->place], out);
    }
}

static void move_positions(struct model *m, const struct argument *a) {
    for (size_t i = 0; i < a->part_count; i++) {
        const struct fold_part *part = &a->parts[i];
        struct model_gateway *g = &m->gateways[part->place];
        g->number = part->last;
        memcpy(g->tag, part->tag, sizeof g->tag);
        g->heard = m->clock_now.active;
        g->clock_error = part->clock_error;
        if (part->watermark > g->watermark) g->watermark = part->watermark;
        g->applied += part->applied;
        g->dead += part->dead;
        g->lost += part->lost;
        if (part->presence) g->departed = part->presence == 1;
        m->counts.dead += part->dead;
        m->counts.lost += part->lost;
    }
}

static bool merge_text(struct model_text *into, const struct model_text *from) {
    if (!from->text[0] || same_text(into, from)) return false;
    *into = *from;
    return true;
}

/// false: the fact says nothing new.
static bool merge(const struct model *m, struct model_encounter *e, const struct told *fact) {
    bool new = false;
    for (size_t i = 0; i < 4; i++)
        if (fact->times[i] != NONE && fact->times[i] != e->times[i]) {
            e->times[i] = fact->times[i];
            new = true;
        }
    if (fact->counter >= 0) new |= merge_text(&e->counter, &m->counters[fact->counter].id);
    new |= merge_text(&e->offering, &fact->offering);
    new |= merge_text(&e->employee, &fact->employee);
    new |= merge_text(&e->language, &fact->language);
    if (fact->outcome && fact->outcome != e->outcome) {
        e->outcome = fact->outcome;
        new = true;
    }
    if (new && !same_text(&e->gateway, &m->gateways[fact->gateway].id)) e->several = true;
    return new;
}

static void withdraw(struct model *m, struct model_encounter *e, int64_t now) {
    touch(m, e, now);
    e->changed = true;
    e->withdrawn = true;
    if (e->state == MODEL_OPEN) e->state = MODEL_ENDED;
    if (e->new_due == PLACE_SAME || e->new_due == PLACE_NONE) {
        e->new_due = PLACE_SET;
        e->due_at = now;
    }
    m->counts.withdrawn++;
}

static struct model_encounter *find_encounter(struct model *m, const struct model_text *id) {
    for (size_t i = 0; i < m->encounter_count; i++)
        if (!m->encounters[i].deleted && same_text(&m->encounters[i].id, id))
            return &m->encounters[i];
    return NULL;
}

static void change_by(struct model *m, struct model_encounter *e, const struct told *fact,
                      int64_t now, uint32_t *late) {
    struct model_encounter with = {.id = fact->id,
                                   .gateway = m->gateways[fact->gateway].id,
                                   .times = {NONE, NONE, NONE, NONE}};
    if (e) with = *e;
    if (!merge(m, &with, fact)) return;
    bound_length(m, &with);
    if (begin_of(&with) < m->counters[counter_at(m, &with.counter)].mark) {
        ++*late;
        return;
    }
    if (!e) {
        assert(m->encounter_count < MODEL_ENCOUNTERS);
        e = &m->encounters[m->encounter_count++];
    }
    *e = with;
    e->changed = true;
    touch(m, e, now);
    if (e->times[3] == NONE || e->state != MODEL_OPEN) return;
    e->state = MODEL_ENDED;
    e->new_due = PLACE_SET;
    e->due_at = now + (int64_t)m->settle_after;
    if (!e->outcome) e->outcome = OUTCOME_IS_NORMAL;
}

static void apply_fact(struct model *m, const struct told *fact, int64_t now, uint32_t late[3]) {
    struct model_encounter *e = find_encounter(m, &fact->id);
    bool timeless = true;
    for (size_t i = 0; i < 4; i++)
        if (fact->times[i] != NONE) timeless = false;
    if (!e && (fact->withdrawn || fact->counter < 0 || timeless))
        late[2]++;
    else if (e && e->state == MODEL_FINAL)
        late[1]++;
    else if (e && e->withdrawn)
        return;
    else if (fact->withdrawn)
        withdraw(m, e, now);
    else
        change_by(m, e, fact, now, &late[1]);
}

static bool is_later(const struct model_decision *a, const struct model_decision *b) {
    if (a->decided != b->decided) return a->decided > b->decided;
    size_t size = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->text, b->text, size);
    return order > 0 || (order == 0 && a->size > b->size);
}

static void apply_decision(struct model *m, const struct decided *decided, int64_t now) {
    const struct model_decision *new = &decided->decision;
    struct model_encounter *e = find_encounter(m, &new->encounter);
    if (!e && decided->began < m->counters[decided->counter].mark) return;
    size_t place = 0;
    while (place < m->decision_count &&
           !(same_text(&m->decisions[place].encounter, &new->encounter) &&
             same_text(&m->decisions[place].standard, &new->standard) &&
             m->decisions[place].kind == new->kind))
        place++;
    assert(place < MODEL_DECISIONS);
    if (place < m->decision_count && !is_later(new, &m->decisions[place])) return;
    if (place == m->decision_count) m->decision_count++;
    m->decisions[place] = *new;
    m->counts.decisions++;
    if (e && !e->withdrawn) touch(m, e, now);
}

static void keep_piece(struct model *m, const struct fold_piece *piece) {
    assert(m->chunk_count < MODEL_CHUNKS);
    if (m->log_size + piece->data.size > MODEL_LOG) { // close the holes of what was swept
        static uint8_t kept[MODEL_LOG];
        size_t size = 0;
        for (size_t i = 0; i < m->chunk_count; i++) {
            memcpy(kept + size, m->log + m->chunks[i].offset, m->chunks[i].size);
            m->chunks[i].offset = (uint32_t)size;
            size += m->chunks[i].size;
        }
        memcpy(m->log, kept, size);
        m->log_size = size;
        assert(size + piece->data.size <= MODEL_LOG);
    }
    m->chunks[m->chunk_count++] = (struct model_chunk){.counter = (uint8_t)piece->counter,
                                                       .minute = piece->minute,
                                                       .offset = (uint32_t)m->log_size,
                                                       .size = (uint32_t)piece->data.size};
    memcpy(m->log + m->log_size, piece->data.data, piece->data.size);
    m->log_size += piece->data.size;
    m->bytes += piece->data.size;
    m->appended += piece->data.size;
}

static void apply_piece(struct model *m, const struct fold_piece *piece, int64_t now,
                        uint32_t late[3]) {
    const struct model_counter *counter = &m->counters[piece->counter];
    if (((int64_t)piece->minute + 1) * MINUTE <= counter->mark) {
        late[0] += piece->observations;
        return;
    }
    for (size_t i = 0; i < m->encounter_count; i++) {
        struct model_encounter *e = &m->encounters[i];
        bool judged = alive(e) && (e->state == MODEL_SETTLED || leased(e));
        if (judged && same_text(&e->counter, &counter->id) && begin_of(e) <= piece->to &&
            end_of(e) >= piece->from)
            touch(m, e, now);
    }
    keep_piece(m, piece);
}

static const char *ingest(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    static struct argument argument;
    struct argument *a = &argument;
    uint32_t late[3] = {0};
    if (!read_parts(m, in, a) || !read_pieces(m, in, a) || !read_facts(m, in, a) ||
        !read_letters(in, a) || !read_decisions(m, in, a))
        return "bad fold";
    bool any_unfit = false, any_ahead = false;
    for (size_t i = 0; i < a->part_count; i++) {
        any_unfit |= unfit(m, &a->parts[i]);
        any_ahead |= ahead(m, a, &a->parts[i]);
    }
    if (any_unfit) {
        put_parts(m, a, UNFIT, late, now, out);
        return NULL;
    }
    if (a->bytes > 0 && m->bytes + a->bytes > m->bytes_max && any_ahead) {
        put_parts(m, a, LATER, late, now, out);
        return NULL;
    }
    move_positions(m, a);
    for (size_t i = 0; i < a->fact_count; i++)
        apply_fact(m, &a->facts[i], now, late);
    for (size_t i = 0; i < a->piece_count; i++)
        apply_piece(m, &a->pieces[i], now, late);
    for (size_t i = 0; i < a->decision_count; i++)
        apply_decision(m, &a->decisions[i], now);
    for (size_t i = 0; i < m->encounter_count; i++)
        if (m->encounters[i].changed) move_on(m, &m->encounters[i], now);
    advance(m, now);
    m->counts.too_late_observations += late[0];
    m->counts.too_late_facts += late[1];
    m->counts.orphan_facts += late[2];
    m->counts.gaps += a->gap_count;
    for (size_t i = 0; i < a->dead_count; i++) {
        if (m->dead_count < m->dead_max)
            m->dead_count++;
        else
            m->counts.dead_dropped++;
    }
    for (size_t i = 0; i < 4; i++)
        m->counts.left_out[i] += a->left_out[i];
    write_branch(m);
    put_parts(m, a, OK, late, now, out);
    return NULL;
}

// take -------------------------------------------------------------------------------------------

static void put_minutes(const struct model *m, const struct model_encounter *e,
                        struct buffer *out) {
    size_t counter = counter_at(m, &e->counter);
    size_t count_at = out->size;
    uint32_t count = 0;
    buffer_put_u32(out, 0);
    for (int64_t minute = floor_minute(begin_of(e)); minute <= floor_minute(end_of(e)); minute++) {
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
            if (!same_text(&d->encounter, &e->id) || (last && !stands_before(last, d)) ||
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
        if (same_text(&m->gateways[i].id, &e->gateway)) clock_error = m->gateways[i].clock_error;
    buffer_put_u8(out, e->withdrawn);
    buffer_put_u8(out, e->several);
    buffer_put_u8(out, e->tries >= m->tries_max);
    buffer_put_u8(out, e->state == MODEL_FINAL);
    buffer_put_u32(out, clock_error);
    buffer_put_u8(out, e->outcome);
    for (size_t i = 0; i < 4; i++)
        buffer_put_u64(out, (uint64_t)e->times[i]);
    put_text(out, &e->id);
    put_text(out, &e->counter);
    put_text(out, &e->gateway);
    put_text(out, &e->offering);
    put_text(out, &e->employee);
    put_text(out, &e->language);
    put_decisions(m, e, out);
    buffer_put_u32(out, e->state == MODEL_FINAL ? (uint32_t)e->verdicts_size : 0);
    if (e->state == MODEL_FINAL) buffer_put(out, e->verdicts, e->verdicts_size);
    if (e->state == MODEL_FINAL)
        buffer_put_u32(out, 0);
    else
        put_minutes(m, e, out);
}

/// The next one due that has not been loaded in this call: by time, then by name.
static struct model_encounter *next_due(struct model *m, int64_t now) {
    struct model_encounter *best = NULL;
    for (size_t i = 0; i < m->encounter_count; i++) {
        struct model_encounter *e = &m->encounters[i];
        if (e->deleted || e->loaded || !e->has_due || e->due > now) continue;
        if (!best || e->due < best->due ||
            (e->due == best->due && strcmp(e->id.text, best->id.text) < 0))
            best = e;
    }
    return best;
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
    if (e->tries < 255) e->tries++;
}

static const char *take(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    uint8_t lease[8] = {0};
    read_raw(in, lease, sizeof lease);
    size_t most = reader_u8(in), count = 0;
    uint32_t bytes_max = reader_u32(in);
    if (!at_end(in) || memcmp(lease, NO_LEASE, sizeof lease) == 0) return "bad take";
    advance(m, now);
    struct buffer taken;
    buffer_init(&taken, 1 << 22);
    bool alone = false;
    for (size_t seen = 0; seen < most && taken.size <= bytes_max && !alone; seen++) {
        struct model_encounter *e = next_due(m, now);
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
        if (e->tries > 0 && count > 0) continue; // it is taken alone
        alone = e->tries > 0;
        lease_out(m, e, lease, now, &taken);
        count++;
    }
    assert(!taken.failed);
    write_branch(m);
    put_head(m, OK, now, out);
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
        if (verdict >= 8) return 0;
        of[verdict] = 1;
        if (degree != NONE) of[8] = 1, of[10] = degree;
        if (coverage != NONE) of[9] = 1, of[11] = coverage;
    }
    return HEAD_VALUES + STANDARD_VALUES * standards;
}

static struct model_cell *cell_at(struct model_cell *cells, size_t *count, bool hourly,
                                  const struct model_encounter *e, size_t values) {
    const struct model_text *when = hourly ? &e->hour : &e->day;
    for (size_t i = 0; i < *count; i++)
        if (cells[i].hourly == hourly && same_text(&cells[i].when, when) &&
            same_text(&cells[i].set, &e->set) &&
            (!hourly || same_text(&cells[i].counter, &e->where_counter)))
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

bool model_sum(const struct model *m, struct model_cell cells[MODEL_CELLS], size_t *count) {
    *count = 0;
    for (size_t i = 0; i < m->encounter_count; i++) {
        const struct model_encounter *e = &m->encounters[i];
        if (e->contributed && !e->deleted && !add(cells, count, e, 1)) return false;
    }
    return true;
}

static bool cell_equal(const struct model_cell *a, const struct model_cell *b) {
    return a->hourly == b->hourly && same_text(&a->counter, &b->counter) &&
           same_text(&a->when, &b->when) && same_text(&a->set, &b->set) && a->count == b->count &&
           memcmp(a->values, b->values, a->count * sizeof *a->values) == 0;
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

static const char *settle(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    uint8_t lease[8] = {0};
    read_raw(in, lease, sizeof lease);
    struct model_text id = read_text(in), set = read_text(in), day = read_text(in),
                      hour = read_text(in);
    struct bytes contribution = reader_take(in, reader_u32(in));
    struct bytes verdicts = reader_take(in, reader_u32(in));
    bool waits = reader_u8(in);
    if (!at_end(in) || verdicts.size > MODEL_VERDICTS || contribution.size > MODEL_CONTRIBUTION)
        return "bad settle";
    struct model_encounter *e = find_encounter(m, &id);
    bool stands = e && leased(e) && memcmp(e->lease, lease, sizeof lease) == 0;
    if (m->plant == PLANT_NO_LEASE) stands = e && (e->state == MODEL_ENDED || leased(e));
    if (!stands) {
        put_head(m, STALE, now, out);
        buffer_put_u16(out, 0);
        return NULL;
    }
    if (e->withdrawn != (contribution.size == 0)) return "only a withdrawn one contributes nothing";

    bool final = e->state == MODEL_FINAL || e->withdrawn ||
                 e->times[3] + (int64_t)m->grace <= slowest(m, counter_at(m, &e->counter));
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
    advance(m, now);
    e->state = final ? MODEL_FINAL : MODEL_SETTLED;
    memset(e->lease, 0, sizeof e->lease);
    e->tries = 0;
    e->new_due = PLACE_NONE;
    e->new_wait = final ? PLACE_NONE : PLACE_SET;
    e->wait_at = e->times[3] + (int64_t)m->grace;
    bool missing = !m->set_known;
    write_branch(m);
    if (final && m->plant == PLANT_DELETE_CONTRIBUTION) e->deleted = true;
    put_head(m, OK, now, out);
    buffer_put_u8(out, final);
    buffer_put_u8(out, missing);
    return NULL;
}

// ------------------------------------------------------------------------------------------------

const char *model_call(struct model *m, enum model_call call, struct bytes argument, int64_t now,
                       struct buffer *out) {
    struct reader in = reader_of(argument);
    if (call == MODEL_CONFIGURE) return configure(m, &in, now, out);
    if (call == MODEL_PUBLISH) {
        m->set_known = true;
        put_head(NULL, OK, now, out);
        return NULL;
    }
    uint64_t configuration = reader_u64(&in);
    if (in.failed) return "too short";
    if (!m->configured || m->configuration != configuration) {
        put_head(NULL, UNCONFIGURED, now, out);
        return NULL;
    }
    m->clock_now = tick(m->clock, now);
    switch (call) {
    case MODEL_ASK:
        return ask(m, &in, now, out);
    case MODEL_INGEST:
        return ingest(m, &in, now, out);
    case MODEL_TAKE:
        return take(m, &in, now, out);
    case MODEL_SETTLE:
        return settle(m, &in, now, out);
    default:
        return "no such function";
    }
}
