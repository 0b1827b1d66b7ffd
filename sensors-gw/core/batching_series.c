// What goes into the series of a batch: samples, events, and the spans that were watched.

#include "sensors-gw/core/batching_parts.h"

#include <string.h>

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
    if (full) batching_hand_out(b);
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
    if (reason) batching_odd(b, reason);
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
        batching_odd(b, "out_of_range");
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
        batching_odd(b, "bad_label");
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
        batching_odd(b, "bad_span");
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
