// A finished batch: its series in columns, handed out.

#include "sensors-gw/core/batching_parts.h"

void batching_clear(struct batching *b) {
    b->bytes = BATCH_BYTES;
    b->recent.slot = NO_SLOT;
    b->slot_count = b->observation_count = b->label_count = b->fact_count = 0;
    for (size_t i = 0; i < HASH_HEADS; i++)
        b->heads[i] = NO_SLOT;
}

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

void batching_hand_out(struct batching *b) {
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
    batching_clear(b);
}
