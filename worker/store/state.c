#include "worker/store/state.h"

#include <stdlib.h>

// The formats of functions.lua: COUNTER_FORMAT, GATEWAY_FORMAT, STATE_HEAD_SIZE, POLICY_SIZE.
enum { CONFIGURATION_SIZE = 8, POLICY_SIZE = 68, REGISTRY_VERSION = 1 };
#define NEVER (INT64_C(1) << 53)

static int64_t read_i64(struct reader *reader) {
    return (int64_t)reader_u64(reader);
}

/// The store writes -1 for a time that did not happen and 2^53 for one that does not come.
static int64_t read_time(struct reader *reader) {
    int64_t at_ms = read_i64(reader);
    return at_ms < 0 || at_ms >= NEVER ? TIME_NONE : at_ms;
}

static bool read_id(struct reader *reader, struct id *id) {
    struct bytes text = reader_short(reader);
    return !reader->failed && id_set(id, (const char *)text.data, text.size);
}

static enum err read_registry(struct bytes bytes, struct store_state *out) {
    struct reader reader = reader_of(bytes);
    if (reader_u8(&reader) != REGISTRY_VERSION) return ERR_FORMAT;
    reader_take(&reader, CONFIGURATION_SIZE + POLICY_SIZE);
    size_t registered = reader_u16(&reader);
    out->counter_count = reader_u16(&reader);
    if (reader.failed || out->counter_count > STATE_COUNTERS_MAX) return ERR_FORMAT;
    out->counters = calloc(out->counter_count + 1, sizeof *out->counters);
    if (!out->counters) return ERR_NOMEM;
    for (size_t i = 0; i < out->counter_count; i++) {
        out->counters[i].registered = i < registered;
        if (!read_id(&reader, &out->counters[i].id)) return ERR_FORMAT;
    }
    registered = reader_u8(&reader);
    out->gateway_count = reader_u8(&reader);
    out->gateways = calloc(out->gateway_count + 1, sizeof *out->gateways);
    if (!out->gateways) return ERR_NOMEM;
    for (size_t i = 0; i < out->gateway_count; i++) {
        out->gateways[i].registered = i < registered;
        if (!read_id(&reader, &out->gateways[i].id)) return ERR_FORMAT;
    }
    return reader.failed ? ERR_FORMAT : ERR_NONE;
}

static void read_counter(struct reader *reader, struct store_counter *counter) {
    counter->mark_ms = read_time(reader);
    read_i64(reader); // minute_first
    counter->first_ms = read_time(reader);
    read_i64(reader); // wait_first
    read_i64(reader); // judged_last
}

static void read_gateway(struct reader *reader, struct store_gateway *gateway) {
    gateway->position.epoch = reader_u64(reader);
    gateway->position.number = reader_u64(reader);
    for (size_t i = 0; i < sizeof gateway->position.tag.bytes; i++)
        gateway->position.tag.bytes[i] = reader_u8(reader);
    for (size_t i = 0; i < sizeof gateway->spool.bytes; i++)
        gateway->spool.bytes[i] = reader_u8(reader);
    gateway->watermark_ms = read_time(reader);
    gateway->heard_ms = read_i64(reader);
    gateway->applied = reader_u64(reader);
    gateway->dead = reader_u64(reader);
    gateway->lost = reader_u64(reader);
    gateway->departed = reader_u8(reader) != 0;
    reader_u8(reader); // not used
    gateway->clock_error_ms = reader_u32(reader);
}

enum err store_state_read(struct bytes registry, struct bytes state, struct store_state *out) {
    *out = (struct store_state){0};
    enum err err = read_registry(registry, out);
    if (!err) {
        struct reader reader = reader_of(state);
        out->configuration = reader_u64(&reader);
        out->bytes = reader_u64(&reader);
        out->active_ms = read_i64(&reader);
        read_i64(&reader); // seen
        read_i64(&reader); // due_first
        for (size_t i = 0; i < out->counter_count; i++)
            read_counter(&reader, &out->counters[i]);
        for (size_t i = 0; i < out->gateway_count; i++)
            read_gateway(&reader, &out->gateways[i]);
        if (reader.failed || reader_left(&reader) > 0) err = ERR_FORMAT;
    }
    if (err) store_state_free(out);
    return err;
}

void store_state_free(struct store_state *state) {
    free(state->counters);
    free(state->gateways);
    *state = (struct store_state){0};
}
