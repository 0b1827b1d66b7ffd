#include "common/wire/body.h"
#include "common/wire/body_keys.h"
#include "common/wire/columns.h"

#include <string.h>

/// The map being written: its head is one byte, which counts its pairs (never more than 15).
struct writer {
    struct buffer *out;
    msgpack_packer packer;
    size_t head;
};

enum { FIXMAP = 0x80, BIN8 = 0xc4, BIN16 = 0xc5 };

/// Begin a map inside the present one; returns what map_end needs to go back.
static size_t map_begin(struct writer *writer) {
    size_t outer = writer->head;
    writer->head = writer->out->size;
    buffer_put_u8(writer->out, FIXMAP);
    return outer;
}

static void map_end(struct writer *writer, size_t outer) {
    writer->head = outer;
}

static void put_key(struct writer *writer, struct pack_key key) {
    if (!writer->out->failed) writer->out->data[writer->head]++;
    pack_write_key(&writer->packer, key);
}

static void put_time(struct writer *writer, struct pack_key key, int64_t at_ms) {
    if (at_ms == TIME_NONE) return;
    put_key(writer, key);
    msgpack_pack_int64(&writer->packer, at_ms);
}

static void text(struct writer *writer, const char *value) {
    msgpack_pack_str_with_body(&writer->packer, value, strlen(value));
}

static void put_text(struct writer *writer, struct pack_key key, const char *value) {
    if (!value[0]) return;
    put_key(writer, key);
    text(writer, value);
}

static void put_ids(struct writer *writer, struct pack_key key, const struct id_list *ids) {
    if (ids->count == 0) return;
    put_key(writer, key);
    msgpack_pack_array(&writer->packer, ids->count);
    for (size_t i = 0; i < ids->count; i++)
        text(writer, ids->items[i].text);
}

static void put_packed(struct writer *writer, const struct columns *columns) {
    put_key(writer, series_keys[SERIES_PACKED]);
    // The head holds the size, which only packing tells: room for bin 16 first, then perhaps bin 8.
    struct buffer *out = writer->out;
    size_t head = out->size, content = head + 3;
    if (!buffer_extend(out, content - head)) return;
    columns_pack(columns, out);
    size_t size = out->size - content;
    if (size > UINT16_MAX) out->failed = true;
    if (out->failed) return;
    if (size <= UINT8_MAX) {
        out->data[head] = BIN8;
        out->data[head + 1] = (uint8_t)size;
        memmove(out->data + content - 1, out->data + content, size);
        out->size--;
    } else {
        out->data[head] = BIN16;
        out->data[head + 1] = (uint8_t)(size >> 8);
        out->data[head + 2] = (uint8_t)size;
    }
}

static uint32_t delta_ms(const struct columns *columns, size_t index) {
    return (uint32_t)columns->t_ms[index] - (uint32_t)columns->t_ms[index - 1];
}

static void put_times(struct writer *writer, const struct columns *columns) {
    if (columns->count < 2) return;
    bool constant = true;
    for (size_t i = 2; i < columns->count && constant; i++)
        constant = delta_ms(columns, i) == delta_ms(columns, 1);
    put_key(writer, series_keys[constant ? SERIES_STEP : SERIES_DT]);
    if (constant) {
        msgpack_pack_uint32(&writer->packer, delta_ms(columns, 1));
        return;
    }
    msgpack_pack_array(&writer->packer, columns->count - 1);
    for (size_t i = 1; i < columns->count; i++)
        msgpack_pack_uint32(&writer->packer, delta_ms(columns, i));
}

static void put_values(struct writer *writer, const struct batch_series *series) {
    bool samples = series->measure->kind == MEASURE_SAMPLES;
    put_key(writer, series_keys[samples ? SERIES_VALUES : SERIES_LABELS]);
    msgpack_pack_array(&writer->packer, series->columns.count);
    for (size_t i = 0; i < series->columns.count; i++)
        if (samples)
            pack_write_number(&writer->packer,
                              measure_value(series->measure, series->columns.value[i]));
        else
            text(writer, series->labels[series->columns.value[i]].text);
}

static void put_confidences(struct writer *writer, const struct columns *columns) {
    bool constant = true;
    for (size_t i = 1; i < columns->count && constant; i++)
        constant = columns->confidence[i] == columns->confidence[0];
    if (constant && columns->confidence[0] == 100) return; // what is not said is sure
    put_key(writer, series_keys[SERIES_CONFIDENCE]);
    if (!constant) msgpack_pack_array(&writer->packer, columns->count);
    for (size_t i = 0; i < (constant ? 1 : columns->count); i++)
        pack_write_number(&writer->packer, columns->confidence[i] / 100.0);
}

static void put_label_table(struct writer *writer, const struct batch_series *series) {
    if (series->label_count == 0) return;
    put_key(writer, series_keys[SERIES_LABELS]);
    msgpack_pack_array(&writer->packer, series->label_count);
    for (size_t i = 0; i < series->label_count; i++)
        text(writer, series->labels[i].text);
}

static void put_series(struct writer *writer, const struct batch_series *series, bool packed) {
    put_text(writer, series_keys[SERIES_MEASURE], series->measure->id.text);
    put_text(writer, series_keys[SERIES_COUNTER], series->counter.text);
    put_time(writer, series_keys[SERIES_FROM], series->watched.from_ms);
    put_time(writer, series_keys[SERIES_TO], series->watched.to_ms);
    const struct columns *columns = &series->columns;
    if (columns->count == 0) return;
    put_time(writer, series_keys[SERIES_T0], series->base_ms + columns->t_ms[0]);
    if (packed) {
        put_label_table(writer, series);
        put_packed(writer, columns);
    } else {
        put_times(writer, columns);
        put_values(writer, series);
        put_confidences(writer, columns);
    }
}

static void put_encounter(struct writer *writer, const struct encounter *encounter) {
    put_text(writer, fact_keys[FACT_KEY_ID], encounter->id.text);
    put_text(writer, fact_keys[FACT_KEY_COUNTER], encounter->counter.text);
    put_text(writer, fact_keys[FACT_KEY_OFFERING], encounter->offering.text);
    put_text(writer, fact_keys[FACT_KEY_EMPLOYEE], encounter->employee);
    put_text(writer, fact_keys[FACT_KEY_LANGUAGE], encounter->language);
    if (encounter->outcome != OUTCOME_OPEN)
        put_text(writer, fact_keys[FACT_KEY_OUTCOME], outcome_name(encounter->outcome));
    put_time(writer, fact_keys[FACT_KEY_ISSUED], encounter->issued_ms);
    put_time(writer, fact_keys[FACT_KEY_CALLED], encounter->called_ms);
    put_time(writer, fact_keys[FACT_KEY_STARTED], encounter->started_ms);
    put_time(writer, fact_keys[FACT_KEY_ENDED], encounter->ended_ms);
}

static void put_decision(struct writer *writer, const struct decision *decision) {
    put_text(writer, fact_keys[FACT_KEY_ID], decision->encounter.text);
    put_text(writer, fact_keys[FACT_KEY_COUNTER], decision->counter.text);
    put_text(writer, fact_keys[FACT_KEY_STANDARD], decision->standard.text);
    put_text(writer, fact_keys[FACT_KEY_DECISION], decision_kind_name(decision->kind));
    put_time(writer, fact_keys[FACT_KEY_BEGAN], decision->began_ms);
    put_time(writer, fact_keys[FACT_KEY_DECIDED], decision->decided_ms);
    put_text(writer, fact_keys[FACT_KEY_BY], decision->by.text);
    put_text(writer, fact_keys[FACT_KEY_WHY], decision->reason);
}

static void put_fact(struct writer *writer, const struct fact *fact) {
    put_text(writer, fact_keys[FACT_KEY_FACT], fact_kind_name(fact->kind));
    switch (fact->kind) {
    case FACT_ENCOUNTER:
        put_encounter(writer, &fact->encounter);
        break;
    case FACT_WITHDRAWN:
        put_text(writer, fact_keys[FACT_KEY_ID], fact->encounter.id.text);
        put_text(writer, fact_keys[FACT_KEY_COUNTER], fact->encounter.counter.text);
        put_text(writer, fact_keys[FACT_KEY_REASON], fact->reason.text);
        break;
    case FACT_BIRTH:
        put_ids(writer, fact_keys[FACT_KEY_MEASURES], &fact->measures);
        put_ids(writer, fact_keys[FACT_KEY_COUNTERS], &fact->counters);
        break;
    case FACT_GAP:
        put_text(writer, fact_keys[FACT_KEY_COUNTER], fact->counter.text);
        put_time(writer, fact_keys[FACT_KEY_FROM], fact->gap.from_ms);
        put_time(writer, fact_keys[FACT_KEY_TO], fact->gap.to_ms);
        put_text(writer, fact_keys[FACT_KEY_REASON], fact->reason.text);
        break;
    case FACT_DECISION:
        put_decision(writer, &fact->decision);
        break;
    case FACT_GOODBYE:
    case FACT_KIND_COUNT:
        break;
    }
}

static void put_all_series(struct writer *writer, const struct batch *batch, bool packed) {
    if (batch->series_count == 0) return;
    put_key(writer, body_keys[BODY_SERIES]);
    msgpack_pack_array(&writer->packer, batch->series_count);
    for (size_t i = 0; i < batch->series_count; i++) {
        size_t outer = map_begin(writer);
        put_series(writer, &batch->series[i], packed);
        map_end(writer, outer);
    }
}

static void put_facts(struct writer *writer, const struct batch *batch) {
    if (batch->fact_count == 0) return;
    put_key(writer, body_keys[BODY_FACTS]);
    msgpack_pack_array(&writer->packer, batch->fact_count);
    for (size_t i = 0; i < batch->fact_count; i++) {
        size_t outer = map_begin(writer);
        put_fact(writer, &batch->facts[i]);
        map_end(writer, outer);
    }
}

static bool within_limits(const struct batch *batch) {
    size_t observations = 0;
    for (size_t i = 0; i < batch->series_count; i++)
        observations += batch->series[i].columns.count;
    return batch->series_count <= BATCH_SERIES_MAX && batch->fact_count <= BATCH_FACTS_MAX &&
           observations <= BATCH_OBSERVATIONS_MAX;
}

enum err body_encode(const struct batch *batch, bool packed, struct buffer *out) {
    if (out->failed) return ERR_FULL;
    if (!within_limits(batch)) return ERR_RANGE;
    size_t begin = out->size;
    struct writer writer = {.out = out};
    msgpack_packer_init(&writer.packer, out, pack_write);
    map_begin(&writer);
    put_time(&writer, body_keys[BODY_WATERMARK], batch->watermark_ms);
    if (batch->clock_error_ms) {
        put_key(&writer, body_keys[BODY_CLOCK_ERROR_MS]);
        msgpack_pack_uint32(&writer.packer, batch->clock_error_ms);
    }
    put_all_series(&writer, batch, packed);
    put_facts(&writer, batch);
    if (!out->failed && out->size - begin <= BATCH_BODY_MAX) return ERR_NONE;
    return buffer_rewind(out, begin);
}
