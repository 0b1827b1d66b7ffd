#include "worker/store/calls.h"

#include "common/base/hash.h"
#include "worker/store/decisions.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { MINUTE_NUMBER_SIZE = 8 };

static const char *const status_names[STORE_STATUS_COUNT] = {
    [STORE_OK] = "ok",         [STORE_UNCONFIGURED] = "unconfigured",
    [STORE_UNFIT] = "unfit",   [STORE_LATER] = "later",
    [STORE_FENCED] = "fenced", [STORE_STALE] = "stale",
};

const char *store_status_name(enum store_status status) {
    assert(status < STORE_STATUS_COUNT);
    return status_names[status];
}

void store_key(const struct id *branch, char key[STORE_KEY_SIZE]) {
    snprintf(key, STORE_KEY_SIZE, "t:{%s}:state", branch->text);
}

struct store_policy store_policy_default(void) {
    return (struct store_policy){
        .grace_ms = 5000,
        .settle_after_ms = 60000,
        .settle_pause_ms = 5000,
        .lease_ms = 30000,
        .encounter_max_ms = UINT64_C(4) * HOUR_MS,
        .horizon_ms = UINT64_C(72) * HOUR_MS,
        .branch_bytes_max = UINT64_C(64) << 20,
        .tries_max = 3,
        .dead_max = 256,
        .gaps_max = 1024,
    };
}

// A time that did not happen is -1 in the store.
static void put_time(struct buffer *out, int64_t at_ms) {
    buffer_put_u64(out, at_ms == TIME_NONE ? UINT64_MAX : (uint64_t)at_ms);
}

static int64_t read_time(struct reader *reader) {
    int64_t at_ms = (int64_t)reader_u64(reader);
    return at_ms == -1 ? TIME_NONE : at_ms;
}

static void put_text(struct buffer *out, const char *text) {
    buffer_put_short(out, bytes_of_text(text));
}

static void put_long(struct buffer *out, struct bytes bytes) {
    assert(bytes.size <= UINT32_MAX);
    buffer_put_u32(out, (uint32_t)bytes.size);
    buffer_put(out, bytes.data, bytes.size);
}

static void put_policy(const struct store_policy *policy, struct buffer *out) {
    buffer_put_u64(out, policy->grace_ms);
    buffer_put_u64(out, policy->settle_after_ms);
    buffer_put_u64(out, policy->settle_pause_ms);
    buffer_put_u64(out, policy->lease_ms);
    buffer_put_u64(out, policy->encounter_max_ms);
    buffer_put_u64(out, policy->horizon_ms);
    buffer_put_u64(out, policy->branch_bytes_max);
    buffer_put_u32(out, policy->tries_max);
    buffer_put_u32(out, policy->dead_max);
    buffer_put_u32(out, policy->gaps_max);
}

enum { POLICY_SIZE = 68 };

uint64_t store_configuration(const struct branch *branch, const struct store_policy *policy) {
    struct buffer text;
    buffer_init(&text, POLICY_SIZE);
    put_policy(policy, &text);
    assert(text.failed || text.size == POLICY_SIZE);
    uint64_t hash = hash_fnv64(text.data, text.size) ^ branch->hash;
    buffer_fini(&text);
    return hash;
}

enum err reply_read(struct reader *reader, struct reply *reply) {
    uint8_t status = reader_u8(reader);
    int64_t due_ms = (int64_t)reader_u64(reader);
    if (reader->failed || status >= STORE_STATUS_COUNT || due_ms < -1) return ERR_FORMAT;
    *reply = (struct reply){.status = (enum store_status)status, .due_ms = due_ms};
    return ERR_NONE;
}

/// Nothing may be left over, and nothing may have been missing.
static enum err read_all(const struct reader *reader) {
    return reader->failed || reader_left(reader) > 0 ? ERR_FORMAT : ERR_NONE;
}

static struct position read_position(struct reader *reader) {
    struct position position = {.epoch = reader_u64(reader), .number = reader_u64(reader)};
    struct bytes tag = reader_take(reader, sizeof position.tag.bytes);
    if (!reader->failed) memcpy(position.tag.bytes, tag.data, tag.size);
    return position;
}

void call_configure(const struct branch *branch, const struct store_policy *policy,
                    struct buffer *out) {
    assert(branch->counter_count <= BRANCH_COUNTERS_MAX &&
           branch->gateway_count <= BRANCH_GATEWAYS_MAX);
    buffer_put_u64(out, store_configuration(branch, policy));
    put_policy(policy, out);
    buffer_put_u16(out, (uint16_t)branch->counter_count);
    for (size_t i = 0; i < branch->counter_count; i++)
        put_text(out, branch->counters[i].text);
    buffer_put_u8(out, (uint8_t)branch->gateway_count);
    for (size_t i = 0; i < branch->gateway_count; i++)
        put_text(out, branch->gateways[i].id.text);
    for (size_t i = 0; i < branch->gateway_count; i++)
        for (size_t counter = 0; counter < branch->counter_count; counter++)
            buffer_put_u8(out, branch_gateway_serves(&branch->gateways[i], counter) ? '1' : '0');
}

void call_ask(const struct ask_call *call, struct buffer *out) {
    buffer_put_u64(out, call->configuration);
    buffer_put_u8(out, call->gateway);
    buffer_put(out, call->spool.bytes, sizeof call->spool.bytes);
    buffer_put_u64(out, call->epoch);
}

enum err ask_reply_read(struct bytes bytes, struct ask_reply *reply) {
    struct reader reader = reader_of(bytes);
    *reply = (struct ask_reply){0};
    enum err err = reply_read(&reader, &reply->head);
    if (err) return err;
    if (reply->head.status != STORE_UNCONFIGURED) reply->position = read_position(&reader);
    return read_all(&reader);
}

static void put_gateway(const struct fold_gateway *gateway, struct buffer *out) {
    assert(gateway->first >= 1 && gateway->first <= gateway->last && gateway->last <= NUMBER_MAX);
    buffer_put_u8(out, gateway->gateway);
    buffer_put_u8(out, (uint8_t)gateway->presence);
    buffer_put_u32(out, gateway->clock_error_ms);
    buffer_put_u64(out, gateway->epoch);
    buffer_put_u64(out, gateway->first);
    buffer_put_u64(out, gateway->last);
    buffer_put(out, gateway->behind.bytes + TAG_MARK, TAG_MARK);
    buffer_put(out, gateway->tag.bytes, sizeof gateway->tag.bytes);
    put_time(out, gateway->watermark_ms);
    buffer_put_u32(out, gateway->applied);
    buffer_put_u32(out, gateway->dead);
    buffer_put_u64(out, gateway->lost);
}

static void put_fact(const struct fold_fact *fact, struct buffer *out) {
    const struct encounter *encounter = fact->encounter;
    buffer_put_u8(out, fact->withdrawn);
    buffer_put_u8(out, fact->gateway);
    buffer_put_u16(out, (uint16_t)fact->counter);
    put_text(out, encounter->id.text);
    put_time(out, encounter->issued_ms);
    put_time(out, encounter->called_ms);
    put_time(out, encounter->started_ms);
    put_time(out, encounter->ended_ms);
    buffer_put_u8(out, (uint8_t)encounter->outcome);
    put_text(out, encounter->offering.text);
    put_text(out, encounter->employee);
    put_text(out, encounter->language);
}

static void put_gap(const struct fold_gap *gap, struct buffer *out) {
    buffer_put_u8(out, (uint8_t)gap->kind);
    buffer_put_u8(out, gap->gateway);
    buffer_put_u16(out, (uint16_t)gap->counter);
    buffer_put_u64(out, gap->from);
    buffer_put_u64(out, gap->to);
    put_text(out, gap->reason.text);
}

static void put_dead(const struct fold_dead *dead, struct buffer *out) {
    buffer_put_u8(out, dead->gateway);
    buffer_put_u64(out, dead->number);
    buffer_put(out, dead->tag.bytes, sizeof dead->tag.bytes);
    buffer_put_short(out, dead->reason);
    put_long(out, dead->body);
}

/// What people should know of a gateway besides; false: nothing.
static bool noteworthy(const struct fold_gateway *gateway) {
    for (size_t i = 0; i < FOLD_COUNT; i++)
        if (gateway->left_out[i]) return true;
    return gateway->born;
}

static void put_notes(const struct fold *fold, struct buffer *out) {
    uint8_t count = 0;
    for (size_t i = 0; i < fold->gateway_count; i++)
        count = (uint8_t)(count + noteworthy(&fold->gateways[i]));
    buffer_put_u8(out, count);
    for (size_t i = 0; i < fold->gateway_count; i++) {
        const struct fold_gateway *gateway = &fold->gateways[i];
        if (!noteworthy(gateway)) continue;
        buffer_put_u8(out, gateway->gateway);
        for (size_t k = 0; k < FOLD_COUNT; k++)
            buffer_put_u32(out, gateway->left_out[k]);
        buffer_put_u8(out, gateway->born);
        put_long(out, gateway->measures);
    }
}

static void put_decision(const struct fold_decision *fold, struct buffer *out) {
    buffer_put_u16(out, fold->counter);
    put_text(out, fold->decision->encounter.text);
    put_time(out, fold->decision->began_ms);
    decision_write(fold->decision, out);
}

/// All of a fold but its gateways' positions.
static void put_rest(const struct fold *fold, struct buffer *out) {
    assert(fold->fact_count <= UINT16_MAX && fold->gap_count <= UINT16_MAX &&
           fold->dead_count <= UINT16_MAX && fold->decision_count <= UINT16_MAX);
    buffer_put_u32(out, fold->chunk_count);
    buffer_put(out, fold->chunks.data, fold->chunks.size);
    buffer_put_u16(out, (uint16_t)fold->fact_count);
    for (size_t i = 0; i < fold->fact_count; i++)
        put_fact(&fold->facts[i], out);
    buffer_put_u16(out, (uint16_t)fold->gap_count);
    for (size_t i = 0; i < fold->gap_count; i++)
        put_gap(&fold->gaps[i], out);
    buffer_put_u16(out, (uint16_t)fold->dead_count);
    for (size_t i = 0; i < fold->dead_count; i++)
        put_dead(&fold->dead[i], out);
    put_notes(fold, out);
    buffer_put_u16(out, (uint16_t)fold->decision_count);
    for (size_t i = 0; i < fold->decision_count; i++)
        put_decision(&fold->decisions[i], out);
}

void call_ingest(const struct fold *fold, struct buffer *out) {
    assert(fold->gateway_count <= BRANCH_GATEWAYS_MAX);
    buffer_put_u64(out, fold->configuration);
    buffer_put_u8(out, (uint8_t)fold->gateway_count);
    for (size_t i = 0; i < fold->gateway_count; i++)
        put_gateway(&fold->gateways[i], out);
    put_rest(fold, out);
}

enum { FLAG_UNFIT = 1, FLAG_LATER = 2 };

enum err ingest_reply_read(struct bytes bytes, struct ingest_reply *reply) {
    struct reader reader = reader_of(bytes);
    *reply = (struct ingest_reply){0};
    enum err err = reply_read(&reader, &reply->head);
    if (err) return err;
    if (reply->head.status == STORE_UNCONFIGURED) return read_all(&reader);
    reply->too_late_observations = reader_u32(&reader);
    reply->too_late_facts = reader_u32(&reader);
    reply->orphan_facts = reader_u32(&reader);
    reply->position_count = reader_u8(&reader);
    if (reader.failed || reply->position_count > BRANCH_GATEWAYS_MAX) return ERR_FORMAT;
    for (size_t i = 0; i < reply->position_count; i++) {
        struct store_position *position = &reply->positions[i];
        position->gateway = reader_u8(&reader);
        uint8_t flags = reader_u8(&reader);
        position->unfit = flags & FLAG_UNFIT;
        position->later = flags & FLAG_LATER;
        position->position = read_position(&reader);
    }
    return read_all(&reader);
}

void call_take(const struct take_call *call, struct buffer *out) {
    buffer_put_u64(out, call->configuration);
    buffer_put(out, call->lease.bytes, LEASE_SIZE);
    buffer_put_u8(out, call->most);
    buffer_put_u32(out, call->bytes);
}

enum err take_reply_read(struct bytes bytes, struct take_reply *reply) {
    struct reader reader = reader_of(bytes);
    *reply = (struct take_reply){0};
    enum err err = reply_read(&reader, &reply->head);
    if (err) return err;
    if (reply->head.status == STORE_UNCONFIGURED) return read_all(&reader);
    reply->count = reader_u8(&reader);
    reply->rest = reader;
    return reader.failed ? ERR_FORMAT : ERR_NONE;
}

/// An optional text into a fixed place of `size` bytes; what does not fit fails the reader.
static void read_text(struct reader *reader, char *text, size_t size) {
    struct bytes bytes = reader_short(reader);
    if (bytes.size >= size) reader->failed = true;
    if (reader->failed) return;
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
}

static void read_encounter(struct reader *reader, struct encounter *encounter) {
    uint8_t outcome = reader_u8(reader);
    if (outcome >= OUTCOME_COUNT) reader->failed = true;
    encounter->outcome = (enum outcome)outcome;
    encounter->issued_ms = read_time(reader);
    encounter->called_ms = read_time(reader);
    encounter->started_ms = read_time(reader);
    encounter->ended_ms = read_time(reader);
    read_text(reader, encounter->id.text, sizeof encounter->id.text);
    read_text(reader, encounter->counter.text, sizeof encounter->counter.text);
    read_text(reader, encounter->gateway.text, sizeof encounter->gateway.text);
    read_text(reader, encounter->offering.text, sizeof encounter->offering.text);
    read_text(reader, encounter->employee, sizeof encounter->employee);
    read_text(reader, encounter->language, sizeof encounter->language);
}

enum err take_reply_next(struct take_reply *reply, struct taken *taken) {
    if (reply->count == 0) return reader_left(&reply->rest) > 0 ? ERR_FORMAT : ERR_END;
    struct reader *reader = &reply->rest;
    *taken = (struct taken){0};
    taken->withdrawn = reader_u8(reader);
    taken->several_clocks = reader_u8(reader);
    taken->crashed = reader_u8(reader);
    taken->final = reader_u8(reader);
    taken->clock_error_ms = reader_u32(reader);
    read_encounter(reader, &taken->encounter);
    taken->decisions = reader_take(reader, reader_u32(reader));
    taken->verdicts = reader_take(reader, reader_u32(reader));
    taken->minute_count = reader_u32(reader);
    if (reader->failed || taken->minute_count > reader_left(reader) / MINUTE_NUMBER_SIZE)
        return ERR_FORMAT;
    const uint8_t *minutes = reader->at;
    for (size_t i = 0; i < taken->minute_count; i++) {
        reader_u32(reader);
        reader_take(reader, reader_u32(reader));
    }
    if (reader->failed) return ERR_FORMAT;
    taken->minutes = reader_of((struct bytes){minutes, (size_t)(reader->at - minutes)});
    reply->count--;
    return ERR_NONE;
}

enum err taken_minute(struct taken *taken, int64_t *minute, struct bytes *log) {
    if (taken->minute_count == 0) return ERR_END;
    *minute = reader_u32(&taken->minutes);
    *log = reader_take(&taken->minutes, reader_u32(&taken->minutes));
    taken->minute_count--;
    return taken->minutes.failed ? ERR_FORMAT : ERR_NONE;
}

void call_give_back(const struct give_back_call *call, struct buffer *out) {
    assert(call->count <= GIVE_BACK_MAX);
    buffer_put_u64(out, call->configuration);
    buffer_put_u8(out, call->count);
    for (size_t i = 0; i < call->count; i++)
        buffer_put(out, call->leases[i].bytes, LEASE_SIZE);
}

void call_settle(const struct settle_call *call, struct buffer *out) {
    buffer_put_u64(out, call->configuration);
    buffer_put(out, call->lease.bytes, LEASE_SIZE);
    put_text(out, call->encounter.text);
    put_text(out, call->set.text);
    put_text(out, call->day);
    put_text(out, call->hour);
    put_long(out, call->contribution);
    put_long(out, call->verdicts);
    buffer_put_u8(out, call->waits);
}

enum err settle_reply_read(struct bytes bytes, struct settle_reply *reply) {
    struct reader reader = reader_of(bytes);
    *reply = (struct settle_reply){0};
    enum err err = reply_read(&reader, &reply->head);
    if (err) return err;
    if (reply->head.status == STORE_UNCONFIGURED) return read_all(&reader);
    reply->final = reader_u8(&reader);
    reply->set_missing = reader_u8(&reader);
    return read_all(&reader);
}

void call_replay(const char *entry, const struct fold *fold, struct buffer *out) {
    assert(fold->dead_count == 0);
    buffer_put_u64(out, fold->configuration);
    put_text(out, entry);
    put_rest(fold, out);
}

enum err replay_reply_read(struct bytes bytes, struct replay_reply *reply) {
    struct reader reader = reader_of(bytes);
    *reply = (struct replay_reply){0};
    enum err err = reply_read(&reader, &reply->head);
    if (err) return err;
    if (reply->head.status == STORE_UNCONFIGURED) return read_all(&reader);
    reply->too_late_observations = reader_u32(&reader);
    reply->too_late_facts = reader_u32(&reader);
    reply->orphan_facts = reader_u32(&reader);
    return read_all(&reader);
}

void call_drop(uint64_t configuration, const char *entry, struct buffer *out) {
    buffer_put_u64(out, configuration);
    put_text(out, entry);
}

static void put_day(uint64_t configuration, const char *day, int64_t at_ms, struct buffer *out) {
    buffer_put_u64(out, configuration);
    put_text(out, day);
    buffer_put_u64(out, (uint64_t)at_ms);
}

void call_seal(uint64_t configuration, const char *day, int64_t over_ms, struct buffer *out) {
    put_day(configuration, day, over_ms, out);
}

void call_rebuild(uint64_t configuration, const char *day, int64_t from_ms, struct buffer *out) {
    put_day(configuration, day, from_ms, out);
}

enum err seal_reply_read(struct bytes bytes, struct seal_reply *reply) {
    struct reader reader = reader_of(bytes);
    *reply = (struct seal_reply){0};
    enum err err = reply_read(&reader, &reply->head);
    if (err) return err;
    if (reply->head.status != STORE_UNCONFIGURED) reply->encounters = reader_u32(&reader);
    return read_all(&reader);
}

void call_publish(const struct name *set, struct bytes json, struct buffer *out) {
    put_text(out, set->text);
    put_long(out, json);
}

void call_editions(struct bytes known, struct buffer *out) {
    buffer_put_short(out, known);
}

enum err editions_reply_read(struct bytes bytes, struct editions_reply *reply) {
    struct reader reader = reader_of(bytes);
    *reply = (struct editions_reply){0};
    enum err err = reply_read(&reader, &reply->head);
    if (err) return err;
    reply->hash = reader_short(&reader);
    reply->text = reader_take(&reader, reader_u32(&reader));
    return read_all(&reader);
}

void call_replace_editions(struct bytes known, struct bytes hash, struct bytes text,
                           struct buffer *out) {
    buffer_put_short(out, known);
    buffer_put_short(out, hash);
    put_long(out, text);
}
