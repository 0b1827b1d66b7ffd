#include "ops/ctl/chunks.h"

#include "common/domain/time.h"
#include "common/wire/columns.h"

static enum err read_watched(struct reader *in, int64_t *watched_ms) {
    uint64_t count = reader_varint(in);
    *watched_ms = 0;
    if (count > reader_left(in)) return ERR_FORMAT;
    for (; count > 0; count--) {
        (void)reader_varint(in);
        uint64_t length_ms = reader_varint(in);
        if (in->failed || length_ms > MINUTE_MS) return ERR_FORMAT;
        *watched_ms += (int64_t)length_ms;
    }
    return ERR_NONE;
}

static enum err read_labels(struct reader *in, struct chunk *chunk) {
    uint64_t count = reader_varint(in);
    if (count > CHUNK_LABELS_MAX) return ERR_FORMAT;
    chunk->label_count = (size_t)count;
    for (size_t i = 0; i < chunk->label_count; i++)
        chunk->labels[i] = reader_short(in);
    return in->failed ? ERR_FORMAT : ERR_NONE;
}

static enum err read_chunk(struct reader in, const struct measures *measures, struct chunk *chunk) {
    static int32_t t_ms[CHUNK_MEMBERS_MAX], value[CHUNK_MEMBERS_MAX];
    static uint8_t confidence[CHUNK_MEMBERS_MAX];
    chunk->columns = (struct columns){.t_ms = t_ms, .value = value, .confidence = confidence};
    chunk->measure = measures_by_key(measures, reader_u32(&in));
    chunk->gateway_key = reader_u16(&in);
    (void)reader_varint(&in); // the clock's error
    enum err err = in.failed ? ERR_FORMAT : read_watched(&in, &chunk->watched_ms);
    if (!err) err = read_labels(&in, chunk);
    uint64_t first_ms = reader_varint(&in);
    if (!err && (in.failed || first_ms >= MINUTE_MS)) err = ERR_FORMAT;
    if (!err) err = columns_unpack(&in, (int32_t)first_ms, CHUNK_MEMBERS_MAX, &chunk->columns);
    for (size_t i = 0; !err && chunk->measure && chunk->measure->kind == MEASURE_EVENTS &&
                       i < chunk->columns.count;
         i++)
        if (value[i] < 0 || (size_t)value[i] >= chunk->label_count) err = ERR_FORMAT;
    return err ? ERR_FORMAT : ERR_NONE;
}

enum err chunks_next(struct reader *log, const struct measures *measures, int64_t minute,
                     struct chunk *chunk) {
    while (reader_left(log) > 0) {
        uint64_t size = reader_varint(log);
        if (log->failed || size > reader_left(log)) return ERR_FORMAT;
        enum err err = read_chunk(reader_of(reader_take(log, (size_t)size)), measures, chunk);
        chunk->minute_ms = minute * MINUTE_MS;
        if (err || chunk->measure) return err;
    }
    return ERR_END;
}
