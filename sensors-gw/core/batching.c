#include "sensors-gw/core/batching.h"

#include "common/base/idmap.h"
#include "sensors-gw/core/bridges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    HASH_HEADS = 512, // a power of two
    LABELS_MAX = 512, // different labels a batch
    ODDITIES_MAX = 64,
    BRIDGES_MAX = 4096, // series
    NO_SLOT = -1,
};

// Upper bounds of what a piece takes in the encoded body (series packed), so that a batch is cut
// before it can exceed body_max.
enum {
    BATCH_BYTES = 128,
    SERIES_BYTES = 256,
    OBSERVATION_BYTES = 12, // 5 time, 4 value, 2 confidence; and a share of the runs
    LABEL_BYTES = NAME_SIZE_MAX + 4,
    FACT_BYTES = 512,
    DECISION_BYTES = 768,
    FACT_ID_BYTES = ID_MAX + 2,
};

struct source {
    struct batching *batching;
    int64_t watermark_ms; // TIME_NONE: none yet
    bool ended;
};

/// One series of the unfinished batch. A series whose watching was interrupted is two of them.
struct slot {
    const struct measure *measure;
    uint32_t counter; // place in limits.counters
    int16_t next;     // in the chain of its hash
    bool declared;    // its span was declared, not only inferred from its members
    struct span watched;
    uint32_t count, label_count;
    int16_t labels; // chain, newest first
};

struct observation {
    int64_t t_ms;
    int32_t value;
    uint16_t slot;
    uint8_t confidence;
};

struct label {
    struct name name;
    int16_t next;
    uint16_t index; // in its series
};

struct oddity {
    const char *name;
    uint64_t count;
};

/// What was looked up for the last observation: the next is mostly of the same series.
struct recent {
    const struct measure *measure; // NULL: nothing yet
    struct id counter_id;
    uint32_t counter;    // its place
    int32_t least, most; // the measure's limits
    int16_t slot;        // of the unfinished batch, NO_SLOT: none of it
};

struct batching {
    struct batching_limits limits;
    batching_take *take;
    void *context;
    batching_observer *observer; // NULL: nobody looks
    void *observer_context;
    struct idmap *counters;
    struct bridges *bridges;
    struct recent recent;

    size_t source_count;
    struct source *sources;
    int64_t floor_ms;    // promised before this run
    int64_t promised_ms; // watermark of the last batch handed out

    uint64_t now_ms, since_ms; // since: first content of the unfinished batch
    size_t bytes;              // upper bound of its encoded size
    size_t slot_count, observation_count, label_count, fact_count;
    int16_t heads[HASH_HEADS];
    struct slot slots[BATCH_SERIES_MAX];
    struct observation observations[BATCH_OBSERVATIONS_MAX];
    struct label labels[LABELS_MAX];
    struct fact facts[BATCH_FACTS_MAX];

    // What a finished batch points into.
    struct batch_series series[BATCH_SERIES_MAX];
    int32_t t_ms[BATCH_OBSERVATIONS_MAX];
    int32_t value[BATCH_OBSERVATIONS_MAX];
    uint8_t confidence[BATCH_OBSERVATIONS_MAX];
    struct name names[LABELS_MAX];

    size_t oddity_count;
    struct oddity oddities[ODDITIES_MAX];
};

// ------------------------------------------------------------------ life

static void clear(struct batching *b) {
    b->bytes = BATCH_BYTES;
    b->recent.slot = NO_SLOT;
    b->slot_count = b->observation_count = b->label_count = b->fact_count = 0;
    for (size_t i = 0; i < HASH_HEADS; i++)
        b->heads[i] = NO_SLOT;
}

struct batching *batching_new(const struct batching_limits *limits, size_t source_count,
                              int64_t watermark_ms, batching_take *take, void *context) {
    assert(limits->observations_max >= 1 && limits->observations_max <= BATCH_OBSERVATIONS_MAX);
    assert(limits->body_max >= 8192 && limits->body_max <= BATCH_BODY_MAX);
    struct batching *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->limits = *limits;
    b->take = take;
    b->context = context;
    b->source_count = source_count;
    b->floor_ms = b->promised_ms = watermark_ms;
    b->sources = calloc(source_count ? source_count : 1, sizeof *b->sources);
    b->counters = idmap_new(limits->counter_count ? limits->counter_count : 1, ID_MAX);
    b->bridges = bridges_new(BRIDGES_MAX);
    if (!b->sources || !b->counters || !b->bridges) {
        batching_free(b);
        return NULL;
    }
    for (size_t i = 0; i < source_count; i++)
        b->sources[i] = (struct source){.batching = b, .watermark_ms = TIME_NONE};
    for (size_t i = 0; i < limits->counter_count; i++) {
        const char *text = limits->counters[i].text;
        bool stored = idmap_put(b->counters, text, strlen(text), (uint32_t)i);
        assert(stored);
        (void)stored;
    }
    clear(b);
    return b;
}

void batching_free(struct batching *b) {
    if (!b) return;
    idmap_free(b->counters);
    bridges_free(b->bridges);
    free(b->sources);
    free(b);
}

void batching_observe(struct batching *b, batching_observer *observer, void *context) {
    b->observer = observer;
    b->observer_context = context;
}

struct source *batching_source(struct batching *b, size_t index) {
    assert(index < b->source_count);
    return &b->sources[index];
}

// ------------------------------------------------------------------ oddities

static void odd(struct batching *b, const char *name) {
    for (size_t i = 0; i < b->oddity_count; i++)
        if (b->oddities[i].name == name || !strcmp(b->oddities[i].name, name)) {
            b->oddities[i].count++;
            return;
        }
    assert(b->oddity_count < ODDITIES_MAX); // names are literals in our own code
    b->oddities[b->oddity_count++] = (struct oddity){.name = name, .count = 1};
}

void batching_oddity(struct source *source, const char *name) {
    odd(source->batching, name);
}

bool batching_oddity_at(const struct batching *b, size_t index, const char **name,
                        uint64_t *count) {
    if (index >= b->oddity_count) return false;
    *name = b->oddities[index].name;
    *count = b->oddities[index].count;
    return true;
}

// ------------------------------------------------------------------ watermark

void batching_watermark(struct source *source, int64_t t_ms) {
    if (!time_plausible(t_ms))
        odd(source->batching, "bad_watermark");
    else if (t_ms > source->watermark_ms)
        source->watermark_ms = t_ms;
}

void batching_end(struct source *source) {
    source->ended = true;
}

int64_t batching_watermark_ms(const struct batching *b) {
    int64_t least = INT64_MAX, most = TIME_NONE;
    for (size_t i = 0; i < b->source_count; i++) {
        const struct source *source = &b->sources[i];
        if (!source->ended && source->watermark_ms < least) least = source->watermark_ms;
        if (source->watermark_ms > most) most = source->watermark_ms;
    }
    int64_t now = least == INT64_MAX ? most : least; // all have ended: nothing comes any more
    return now > b->promised_ms ? now : b->promised_ms;
}

int64_t batching_others_ms(const struct source *source) {
    const struct batching *b = source->batching;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < b->source_count; i++) {
        const struct source *other = &b->sources[i];
        if (other != source && !other->ended && other->watermark_ms < least)
            least = other->watermark_ms;
    }
    return least == INT64_MAX ? TIME_NONE : least;
}

/// Nothing older than this may come from a source.
static int64_t least_ms(const struct source *source) {
    int64_t floor_ms = source->batching->floor_ms;
    return source->watermark_ms > floor_ms ? source->watermark_ms : floor_ms;
}

// ------------------------------------------------------------------ a finished batch

/// Columns in the order of the slots, in each by time; what came in order stays so.
static void columns_build(struct batching *b, struct batch_series *series) {
    size_t starts[BATCH_SERIES_MAX], filled[BATCH_SERIES_MAX] = {0}, at = 0;
    for (size_t i = 0; i < b->slot_count; i++) {
        starts[i] = at;
        series[i].base_ms = b->slots[i].watched.from_ms;
        series[i].columns = (struct columns){.count = b->slots[i].count,
                                             .t_ms = b->t_ms + at,
                                             .value = b->value + at,
                                             .confidence = b->confidence + at};
        at += b->slots[i].count;
    }
    for (size_t i = 0; i < b->observation_count; i++) {
        const struct observation *o = &b->observations[i];
        int32_t t_ms = (int32_t)(o->t_ms - series[o->slot].base_ms);
        size_t begin = starts[o->slot], place = begin + filled[o->slot]++;
        for (; place > begin && b->t_ms[place - 1] > t_ms; place--) {
            b->t_ms[place] = b->t_ms[place - 1];
            b->value[place] = b->value[place - 1];
            b->confidence[place] = b->confidence[place - 1];
        }
        b->t_ms[place] = t_ms;
        b->value[place] = o->value;
        b->confidence[place] = o->confidence;
    }
    for (size_t i = 0; i < b->slot_count; i++) { // the base is the first member
        struct columns *columns = &series[i].columns;
        int32_t first = columns->count ? columns->t_ms[0] : 0;
        series[i].base_ms += first;
        for (size_t k = 0; k < columns->count; k++)
            columns->t_ms[k] -= first;
    }
}

static void labels_build(struct batching *b, struct batch_series *series) {
    size_t at = 0;
    for (size_t i = 0; i < b->slot_count; i++) {
        const struct slot *slot = &b->slots[i];
        series[i].labels = b->names + at;
        series[i].label_count = slot->label_count;
        for (int16_t l = slot->labels; l != NO_SLOT; l = b->labels[l].next)
            b->names[at + b->labels[l].index] = b->labels[l].name;
        at += slot->label_count;
    }
}

static struct bridge_series series_of(const struct slot *slot) {
    return (struct bridge_series){slot->measure->key, slot->counter};
}

static void remember_ends(struct batching *b) {
    for (size_t i = 0; i < b->slot_count; i++) {
        const struct slot *slot = &b->slots[i];
        if (slot->measure->kind != MEASURE_SAMPLES) continue;
        if (slot->declared)
            bridges_declare(b->bridges, series_of(slot));
        else
            bridges_end(b->bridges, series_of(slot), slot->watched.to_ms);
    }
}

static void hand_out(struct batching *b) {
    for (size_t i = 0; i < b->slot_count; i++)
        b->series[i] = (struct batch_series){.measure = b->slots[i].measure,
                                             .counter = b->limits.counters[b->slots[i].counter],
                                             .watched = b->slots[i].watched};
    columns_build(b, b->series);
    labels_build(b, b->series);
    b->promised_ms = batching_watermark_ms(b);
    struct batch batch = {.watermark_ms = b->promised_ms,
                          .clock_error_ms = b->limits.clock_error_ms,
                          .series_count = b->slot_count,
                          .series = b->series,
                          .fact_count = b->fact_count,
                          .facts = b->facts};
    b->take(b->context, &batch);
    remember_ends(b);
    clear(b);
}

static bool waiting(const struct batching *b) {
    return b->slot_count || b->fact_count;
}

void batching_cut(struct batching *b) {
    if (waiting(b)) hand_out(b);
}

void batching_cut_watermark(struct batching *b) {
    if (waiting(b) || batching_watermark_ms(b) > b->promised_ms) hand_out(b);
}

void batching_now(struct batching *b, uint64_t now_ms) {
    b->now_ms = now_ms;
}

uint64_t batching_deadline_ms(const struct batching *b) {
    return waiting(b) ? b->since_ms + b->limits.linger_ms : UINT64_MAX;
}

// ------------------------------------------------------------------ what goes in

static void began(struct batching *b) {
    if (!waiting(b)) b->since_ms = b->now_ms;
}

static uint32_t hash_of(const struct measure *measure, uint32_t counter) {
    return (measure->key * 2654435761U + counter * 40503U) >> 7 & (HASH_HEADS - 1);
}

static int64_t min_ms(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t max_ms(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static struct span hull(struct span a, struct span b) {
    return (struct span){min_ms(a.from_ms, b.from_ms), max_ms(a.to_ms, b.to_ms)};
}

/// A slot that may be extended by the span: they touch, or the slot bridges what lies between
/// because it holds samples and nothing was ever declared.
static bool slot_fits(const struct slot *slot, struct span span, bool declared) {
    struct span both = hull(slot->watched, span);
    if (both.to_ms - both.from_ms > DAY_MS) return false;
    bool touch = span.from_ms <= slot->watched.to_ms && slot->watched.from_ms <= span.to_ms;
    bool bridge = !slot->declared && !declared && slot->measure->kind == MEASURE_SAMPLES;
    return touch || bridge;
}

static int16_t slot_find(const struct batching *b, const struct measure *measure, uint32_t counter,
                         struct span span, bool declared) {
    int16_t at = b->heads[hash_of(measure, counter)];
    for (; at != NO_SLOT; at = b->slots[at].next) {
        const struct slot *slot = &b->slots[at];
        if (slot->measure == measure && slot->counter == counter && slot_fits(slot, span, declared))
            return at;
    }
    return NO_SLOT;
}

/// The span with what lies before it since the batch in which the series ended, unless promised.
static struct span bridged(const struct batching *b, const struct measure *measure,
                           uint32_t counter, struct span span) {
    struct bridge_series series = {measure->key, counter};
    int64_t from_ms = max_ms(bridges_from(b->bridges, series, span.from_ms), b->promised_ms);
    return (struct span){min_ms(from_ms, span.from_ms), span.to_ms};
}

static int16_t slot_add(struct batching *b, const struct measure *measure, uint32_t counter,
                        struct span span, bool declared) {
    began(b);
    if (!declared && measure->kind == MEASURE_SAMPLES) span = bridged(b, measure, counter, span);
    int16_t *head = &b->heads[hash_of(measure, counter)];
    int16_t at = (int16_t)b->slot_count++;
    b->slots[at] = (struct slot){
        .measure = measure, .counter = counter, .next = *head, .watched = span, .labels = NO_SLOT};
    *head = at;
    b->bytes += SERIES_BYTES;
    return at;
}

/// The slot for something of the recent series that takes `bytes` more; cuts the batch where there
/// is no room.
static struct slot *slot_for(struct batching *b, struct span span, bool declared,
                             size_t observations, size_t bytes) {
    bool full = b->observation_count + observations > b->limits.observations_max ||
                b->slot_count == BATCH_SERIES_MAX || b->label_count == LABELS_MAX ||
                b->bytes + SERIES_BYTES + bytes > b->limits.body_max;
    if (full) hand_out(b);
    struct recent *recent = &b->recent;
    if (recent->slot == NO_SLOT || !slot_fits(&b->slots[recent->slot], span, declared)) {
        recent->slot = slot_find(b, recent->measure, recent->counter, span, declared);
        if (recent->slot == NO_SLOT)
            recent->slot = slot_add(b, recent->measure, recent->counter, span, declared);
    }
    struct slot *slot = &b->slots[recent->slot];
    slot->watched = hull(slot->watched, span);
    slot->declared = slot->declared || declared;
    return slot;
}

/// Makes them the recent ones; false: not one of the gateway's counters.
static bool look_up(struct batching *b, const struct measure *measure, const struct id *counter) {
    struct recent *recent = &b->recent;
    if (recent->measure == measure && id_equal(&recent->counter_id, counter)) return true;
    uint32_t place;
    if (!idmap_get(b->counters, counter->text, strlen(counter->text), &place)) return false;
    *recent = (struct recent){
        .measure = measure, .counter_id = *counter, .counter = place, .slot = NO_SLOT};
    measure_limits(measure, &recent->least, &recent->most);
    return true;
}

/// What holds for every observation and span; its measure and counter are the recent ones then.
static bool admitted(struct source *source, const struct measure *measure, enum measure_kind kind,
                     const struct id *counter, int64_t t_ms) {
    struct batching *b = source->batching;
    const char *reason = NULL;
    if (measure->kind != kind)
        reason = "wrong_kind";
    else if (measure->legal > b->limits.legal_most)
        reason = "forbidden_measure";
    else if (!look_up(b, measure, counter))
        reason = "foreign_counter";
    else if (!time_plausible(t_ms))
        reason = "bad_time";
    else if (t_ms < least_ms(source))
        reason = "late";
    if (reason) odd(b, reason);
    return !reason;
}

static void observe(struct batching *b, struct slot *slot, int64_t t_ms, int32_t value,
                    uint8_t confidence) {
    b->observations[b->observation_count++] =
        (struct observation){.t_ms = t_ms,
                             .value = value,
                             .slot = (uint16_t)(slot - b->slots),
                             .confidence = confidence < 100 ? confidence : 100};
    slot->count++;
    b->bytes += OBSERVATION_BYTES;
}

void batching_sample(struct source *source, const struct measure *measure, const struct id *counter,
                     int64_t t_ms, double value, uint8_t confidence) {
    struct batching *b = source->batching;
    if (!admitted(source, measure, MEASURE_SAMPLES, counter, t_ms)) return;
    int32_t stored;
    if (measure_quantize_within(measure, b->recent.least, b->recent.most, value, &stored)) {
        odd(b, "out_of_range");
        return;
    }
    if (b->observer)
        b->observer(b->observer_context,
                    &(struct taken_sample){measure, b->recent.counter, t_ms, stored, confidence});
    struct span instant = {t_ms, t_ms + 1};
    struct slot *slot = slot_for(b, instant, false, 1, OBSERVATION_BYTES);
    observe(b, slot, t_ms, stored, confidence);
}

/// The index of a label in its series, added if new. slot_for has made room.
static int32_t label_index(struct batching *b, struct slot *slot, const struct name *name) {
    for (int16_t l = slot->labels; l != NO_SLOT; l = b->labels[l].next)
        if (!strcmp(b->labels[l].name.text, name->text)) return b->labels[l].index;
    struct label *label = &b->labels[b->label_count];
    *label =
        (struct label){.name = *name, .next = slot->labels, .index = (uint16_t)slot->label_count++};
    slot->labels = (int16_t)b->label_count++;
    b->bytes += LABEL_BYTES;
    return label->index;
}

void batching_event(struct source *source, const struct measure *measure, const struct id *counter,
                    int64_t t_ms, struct bytes text, uint8_t confidence) {
    struct batching *b = source->batching;
    struct name name;
    if (!admitted(source, measure, MEASURE_EVENTS, counter, t_ms)) return;
    if (!name_set(&name, (const char *)text.data, text.size)) {
        odd(b, "bad_label");
        return;
    }
    struct span instant = {t_ms, t_ms + 1};
    struct slot *slot = slot_for(b, instant, false, 1, OBSERVATION_BYTES + LABEL_BYTES);
    observe(b, slot, t_ms, label_index(b, slot, &name), confidence);
}

void batching_watch(struct source *source, const struct measure *measure, const struct id *counter,
                    int64_t from_ms, int64_t to_ms) {
    struct batching *b = source->batching;
    if (!time_plausible(from_ms) || !time_plausible(to_ms) || from_ms > to_ms ||
        to_ms - from_ms > DAY_MS) {
        odd(b, "bad_span");
        return;
    }
    from_ms = max_ms(from_ms, least_ms(source));
    if (from_ms >= to_ms || !admitted(source, measure, measure->kind, counter, from_ms)) return;
    (void)slot_for(b, (struct span){from_ms, to_ms}, true, 0, 0);
}

void batching_sample_passed(struct source *source, const struct measure *measure,
                            const struct id *counter, int64_t t_ms, double value) {
    struct batching *b = source->batching;
    int32_t stored;
    if (measure->kind != MEASURE_SAMPLES || !look_up(b, measure, counter)) return;
    if (measure_quantize_within(measure, b->recent.least, b->recent.most, value, &stored)) return;
    bridges_end(b->bridges, (struct bridge_series){measure->key, b->recent.counter}, t_ms + 1);
}

void batching_watch_passed(struct source *source, const struct measure *measure,
                           const struct id *counter) {
    struct batching *b = source->batching;
    if (!look_up(b, measure, counter)) return;
    bridges_declare(b->bridges, (struct bridge_series){measure->key, b->recent.counter});
}

// ------------------------------------------------------------------ facts

void batching_fact(struct batching *b, const struct fact *fact) {
    size_t bytes = (fact->kind == FACT_DECISION ? DECISION_BYTES : FACT_BYTES) +
                   (fact->measures.count + fact->counters.count) * FACT_ID_BYTES;
    if (b->fact_count == BATCH_FACTS_MAX || b->bytes + bytes > b->limits.body_max) hand_out(b);
    began(b);
    b->facts[b->fact_count++] = *fact;
    b->bytes += bytes;
}

static bool counter_known(const struct batching *b, const struct id *counter) {
    uint32_t at;
    return idmap_get(b->counters, counter->text, strlen(counter->text), &at);
}

void batching_encounter(struct source *source, const struct encounter *encounter) {
    struct batching *b = source->batching;
    if (encounter->counter.text[0] && !counter_known(b, &encounter->counter))
        odd(b, "foreign_counter");
    else if (encounter_check(encounter, NULL))
        odd(b, "bad_encounter");
    else
        batching_fact(b, &(struct fact){.kind = FACT_ENCOUNTER, .encounter = *encounter});
}

void batching_withdrawn(struct source *source, const struct name *encounter, const char *reason) {
    struct fact fact = {.kind = FACT_WITHDRAWN};
    fact.encounter.id = *encounter;
    if (!name_set(&fact.reason, reason, strlen(reason)))
        odd(source->batching, "bad_reason");
    else
        batching_fact(source->batching, &fact);
}

void batching_decision(struct source *source, const struct decision *decision) {
    batching_fact(source->batching, &(struct fact){.kind = FACT_DECISION, .decision = *decision});
}

void batching_gap(struct source *source, const struct id *counter, struct span span,
                  const char *reason) {
    struct batching *b = source->batching;
    struct fact fact = {.kind = FACT_GAP, .gap = span};
    if (counter) fact.counter = *counter;
    if (counter && !counter_known(b, counter))
        odd(b, "foreign_counter");
    else if (!time_plausible(span.from_ms) || !time_plausible(span.to_ms) ||
             span.from_ms >= span.to_ms)
        odd(b, "bad_span");
    else if (!name_set(&fact.reason, reason, strlen(reason)))
        odd(b, "bad_reason");
    else
        batching_fact(b, &fact);
}
