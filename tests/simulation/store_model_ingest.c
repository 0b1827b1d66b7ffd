// What gateways bring: a fold of batches, whole or not at all.

#include "tests/simulation/store_model_parts.h"

#include <assert.h>
#include <string.h>

enum { FOLD_FACTS = 2048, FOLD_CHUNKS = 2048, FOLD_DECISIONS = 256, LOG_ROOM = 1 << 15 };

struct fold_part {
    size_t place;
    uint8_t presence, behind[4], tag[8]; // behind: the second half of the tag before the first
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
    uint64_t bytes, reported[MODEL_GATEWAYS]; // numbers that gaps name
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
        model_read_raw(in, part->behind, sizeof part->behind);
        model_read_raw(in, part->tag, sizeof part->tag);
        part->watermark = model_read_time(in);
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
        fact->id = model_read_text(in);
        for (size_t k = 0; k < 4; k++)
            fact->times[k] = model_read_time(in);
        fact->outcome = reader_u8(in);
        fact->offering = model_read_text(in);
        fact->employee = model_read_text(in);
        fact->language = model_read_text(in);
        if (in->failed || fact->gateway >= m->gateway_count ||
            fact->counter >= (int)m->counter_count || fact->outcome > OUTCOME_IS_TIMEOUT)
            return false;
    }
    return true;
}

static bool read_letters(const struct model *m, struct reader *in, struct argument *a) {
    a->gap_count = reader_u16(in);
    memset(a->reported, 0, sizeof a->reported);
    for (size_t i = 0; i < a->gap_count && !in->failed; i++) {
        bool in_time = reader_u8(in); // else in numbers
        size_t gateway = reader_u8(in);
        reader_u16(in); // counter
        uint64_t from = reader_u64(in), to = reader_u64(in);
        reader_short(in);
        if (gateway >= m->gateway_count) return false;
        if (!in_time) a->reported[gateway] += to - from + 1;
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
        decision->encounter = model_read_text(in);
        decided->began = model_read_time(in);
        const uint8_t *begin = in->at;
        decision->standard = model_read_text(in);
        decision->kind = reader_u8(in);
        decision->decided = model_read_time(in);
        reader_short(in); // by
        reader_short(in); // why
        decision->size = (size_t)(in->at - begin);
        if (in->failed || decided->counter >= m->counter_count || decision->kind > 3 ||
            decision->size > MODEL_DECISION)
            return false;
        memcpy(decision->text, begin, decision->size);
    }
    return model_at_end(in);
}

static bool unfit(const struct model *m, const struct fold_part *part) {
    const struct model_gateway *g = &m->gateways[part->place];
    if (m->plant == PLANT_SKIP_ORDER) return part->epoch != g->epoch || part->last <= g->number;
    if (part->epoch != g->epoch || part->first != g->number + 1) return true;
    if (m->plant == PLANT_SKIP_CHAIN) return false;
    return memcmp(part->behind, g->tag + 4, sizeof part->behind) != 0;
}

static bool full(const struct model *m, const struct argument *a) {
    return m->bytes + a->bytes > 2 * m->bytes_max;
}

/// Of a counter with minutes the encounter that began first is passed: it will be final.
static bool room_comes(const struct model *m) {
    for (size_t i = 0; i < m->counter_count; i++) {
        bool minutes = false;
        for (size_t k = 0; k < m->chunk_count; k++)
            minutes |= m->chunks[k].counter == i;
        const struct model_encounter *first = NULL;
        for (size_t k = 0; minutes && k < m->encounter_count; k++) {
            const struct model_encounter *e = &m->encounters[k];
            if (!model_alive(e) || !model_same_text(&e->counter, &m->counters[i].id)) continue;
            int64_t later = first ? model_begin_of(e) - model_begin_of(first) : -1;
            if (later < 0 || (later == 0 && strcmp(e->id.text, first->id.text) < 0)) first = e;
        }
        if (first && !first->has_wait) return true;
    }
    return false;
}

/// Nothing will make room unless its gateways go on: they do, without their minutes.
static void leave_out(struct model *m, struct argument *a) {
    for (size_t i = 0; i < a->piece_count; i++)
        m->counts.no_room += a->pieces[i].observations;
    a->piece_count = 0;
    a->gap_count += a->part_count;
}

static bool ahead(const struct model *m, const struct argument *a, const struct fold_part *part) {
    int64_t least = NEVER;
    for (size_t i = 0; i < m->gateway_count; i++)
        if (memchr(m->gateways[i].serves, '1', m->counter_count) &&
            model_holds_back(m, &m->gateways[i]) && m->gateways[i].watermark < least)
            least = m->gateways[i].watermark;
    bool waits = m->plant == PLANT_FULL_IS_STUCK || room_comes(m);
    return (full(m, a) && waits) || m->gateways[part->place].watermark > least;
}

static void put_parts(const struct model *m, const struct argument *a, enum status status,
                      const uint32_t late[3], int64_t now, struct buffer *out) {
    model_put_head(m, status, now, out);
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
        model_put_position(&m->gateways[part->place], out);
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
        g->reported += a->reported[part->place];
        if (part->presence) g->departed = part->presence == 1;
        m->counts.dead += part->dead;
        m->counts.lost += part->lost;
    }
}

static bool merge_text(struct model_text *into, const struct model_text *from) {
    if (!from->text[0] || model_same_text(into, from)) return false;
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
    if (new && !model_same_text(&e->gateway, &m->gateways[fact->gateway].id)) e->several = true;
    return new;
}

static void withdraw(struct model *m, struct model_encounter *e, int64_t now) {
    model_touch(m, e, now);
    e->changed = true;
    e->withdrawn = true;
    if (e->state == MODEL_OPEN) e->state = MODEL_ENDED;
    if (e->new_due == PLACE_SAME || e->new_due == PLACE_NONE) {
        e->new_due = PLACE_SET;
        e->due_at = now;
    }
    m->counts.withdrawn++;
}

static void change_by(struct model *m, struct model_encounter *e, const struct told *fact,
                      int64_t now, uint32_t *late) {
    struct model_encounter with = {.id = fact->id,
                                   .gateway = m->gateways[fact->gateway].id,
                                   .times = {NONE, NONE, NONE, NONE}};
    if (e) with = *e;
    if (!merge(m, &with, fact)) return;
    model_bound_length(m, &with);
    if (model_begin_of(&with) < m->counters[model_counter_at(m, &with.counter)].mark) {
        ++*late;
        return;
    }
    if (!e) {
        assert(m->encounter_count < MODEL_ENCOUNTERS);
        e = &m->encounters[m->encounter_count++];
    }
    *e = with;
    e->changed = true;
    model_touch(m, e, now);
    if (e->times[3] == NONE || e->state != MODEL_OPEN) return;
    e->state = MODEL_ENDED;
    e->new_due = PLACE_SET;
    e->due_at = now + (int64_t)m->settle_after;
    if (!e->outcome) e->outcome = OUTCOME_IS_NORMAL;
}

static void apply_fact(struct model *m, const struct told *fact, int64_t now, uint32_t late[3]) {
    struct model_encounter *e = model_find_encounter(m, &fact->id);
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
    struct model_encounter *e = model_find_encounter(m, &new->encounter);
    if (!e && decided->began < m->counters[decided->counter].mark) return;
    size_t place = 0;
    while (place < m->decision_count &&
           !(model_same_text(&m->decisions[place].encounter, &new->encounter) &&
             model_same_text(&m->decisions[place].standard, &new->standard) &&
             m->decisions[place].kind == new->kind))
        place++;
    assert(place < MODEL_DECISIONS);
    if (place < m->decision_count && !is_later(new, &m->decisions[place])) return;
    if (place == m->decision_count) m->decision_count++;
    m->decisions[place] = *new;
    m->decisions[place].early = !e;
    m->decisions[place].counter = decided->counter;
    m->decisions[place].began = decided->began;
    m->counts.decisions++;
    if (e && !e->withdrawn) model_touch(m, e, now);
}

static void keep_piece(struct model *m, const struct fold_piece *piece) {
    assert(m->chunk_count < MODEL_CHUNKS);
    if (m->log_size > 2 * m->bytes + LOG_ROOM) { // close the holes of what was swept
        static uint8_t kept[MODEL_LOG];
        size_t size = 0;
        for (size_t i = 0; i < m->chunk_count; i++) {
            memcpy(kept + size, m->log + m->chunks[i].offset, m->chunks[i].size);
            m->chunks[i].offset = (uint32_t)size;
            size += m->chunks[i].size;
        }
        memcpy(m->log, kept, size);
        m->log_size = size;
    }
    assert(m->log_size + piece->data.size <= MODEL_LOG);
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
        bool judged = model_alive(e) && (e->state == MODEL_SETTLED || model_leased(e));
        if (judged && model_same_text(&e->counter, &counter->id) &&
            model_begin_of(e) <= piece->to && model_end_of(e) >= piece->from)
            model_touch(m, e, now);
    }
    keep_piece(m, piece);
}

const char *model_ingest(struct model *m, struct reader *in, int64_t now, struct buffer *out) {
    static struct argument argument;
    struct argument *a = &argument;
    uint32_t late[3] = {0};
    if (!read_parts(m, in, a) || !read_pieces(m, in, a) || !read_facts(m, in, a) ||
        !read_letters(m, in, a) || !read_decisions(m, in, a))
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
    if (a->bytes > 0 && full(m, a)) leave_out(m, a);
    move_positions(m, a);
    for (size_t i = 0; i < a->fact_count; i++)
        apply_fact(m, &a->facts[i], now, late);
    for (size_t i = 0; i < a->piece_count; i++)
        apply_piece(m, &a->pieces[i], now, late);
    if (a->decision_count) model_tidy_decisions(m);
    for (size_t i = 0; i < a->decision_count; i++)
        apply_decision(m, &a->decisions[i], now);
    for (size_t i = 0; i < m->encounter_count; i++)
        if (m->encounters[i].changed) model_move_on(m, &m->encounters[i], now);
    model_advance(m, now);
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
    model_write_branch(m);
    put_parts(m, a, OK, late, now, out);
    return NULL;
}
