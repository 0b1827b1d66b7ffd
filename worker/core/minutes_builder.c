#include "common/base/idmap.h"
#include "common/wire/columns.h"
#include "worker/core/minutes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_MAX = 16 << 20 };

/// What one series saw in one minute: a stretch of watching and a run of observations.
struct run {
    const struct measure *measure;
    uint32_t minute, clock_error_ms;
    uint32_t first, count; // observations
    uint16_t counter, gateway_key;
    uint16_t from_ms, to_ms; // watched; equal: not
};

struct minutes_builder {
    size_t observation_max, run_max, label_max;
    size_t observation_count, run_count, label_count;
    uint16_t *t_ms; // behind the minute's start
    int32_t *value; // events: place in labels
    uint8_t *confidence;
    struct run *runs;
    struct name *labels;
    struct idmap *label_places;
    // For writing one chunk.
    uint32_t *order; // observations, sorted
    struct columns columns;
    uint32_t *local, *used; // of a label: its place in the chunk + 1; those that are in it
    struct buffer chunk;
};

struct minutes_builder *minutes_builder_new(size_t observations, size_t chunks, size_t labels) {
    struct minutes_builder *builder = calloc(1, sizeof *builder);
    if (!builder) return NULL;
    builder->observation_max = observations;
    builder->run_max = chunks;
    builder->label_max = labels;
    builder->t_ms = malloc(observations * sizeof *builder->t_ms);
    builder->value = malloc(observations * sizeof *builder->value);
    builder->confidence = malloc(observations);
    builder->runs = malloc(chunks * sizeof *builder->runs);
    builder->labels = malloc(labels * sizeof *builder->labels);
    builder->label_places = idmap_new(labels, NAME_SIZE_MAX);
    builder->order = malloc(observations * sizeof *builder->order);
    builder->columns.t_ms = malloc(observations * sizeof *builder->columns.t_ms);
    builder->columns.value = malloc(observations * sizeof *builder->columns.value);
    builder->columns.confidence = malloc(observations);
    builder->local = calloc(labels, sizeof *builder->local);
    builder->used = malloc(labels * sizeof *builder->used);
    buffer_init(&builder->chunk, CHUNK_MAX);
    if (builder->t_ms && builder->value && builder->confidence && builder->runs &&
        builder->labels && builder->label_places && builder->order && builder->columns.t_ms &&
        builder->columns.value && builder->columns.confidence && builder->local && builder->used)
        return builder;
    minutes_builder_free(builder);
    return NULL;
}

void minutes_builder_free(struct minutes_builder *builder) {
    if (!builder) return;
    free(builder->t_ms);
    free(builder->value);
    free(builder->confidence);
    free(builder->runs);
    free(builder->labels);
    idmap_free(builder->label_places);
    free(builder->order);
    free(builder->columns.t_ms);
    free(builder->columns.value);
    free(builder->columns.confidence);
    free(builder->local);
    free(builder->used);
    buffer_fini(&builder->chunk);
    free(builder);
}

void minutes_builder_clear(struct minutes_builder *builder) {
    for (size_t i = 0; i < builder->label_count; i++)
        idmap_remove(builder->label_places, builder->labels[i].text,
                     strlen(builder->labels[i].text));
    builder->observation_count = builder->run_count = builder->label_count = 0;
}

enum err minutes_room(const struct batch *batch, size_t *observations, size_t *chunks,
                      size_t *labels) {
    *observations = *chunks = *labels = 0;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct batch_series *series = &batch->series[i];
        const struct span *watched = &series->watched;
        assert(watched->from_ms >= 0 && watched->from_ms <= watched->to_ms);
        if (watched->to_ms - watched->from_ms > MINUTES_SPAN_MAX_MS) return ERR_RANGE;
        *observations += series->columns.count;
        *labels += series->label_count;
        *chunks += (size_t)(watched->to_ms / MINUTE_MS - watched->from_ms / MINUTE_MS + 1);
        if (*chunks > MINUTES_BATCH_MAX || *labels > BATCH_OBSERVATIONS_MAX) return ERR_RANGE;
    }
    return ERR_NONE;
}

bool minutes_fits(const struct minutes_builder *builder, size_t observations, size_t chunks,
                  size_t labels) {
    return observations <= builder->observation_max - builder->observation_count &&
           chunks <= builder->run_max - builder->run_count &&
           labels <= builder->label_max - builder->label_count;
}

/// The label's place among those of this fold.
static int32_t label_place(struct minutes_builder *builder, const struct name *label) {
    size_t size = strlen(label->text);
    uint32_t place;
    if (idmap_get(builder->label_places, label->text, size, &place)) return (int32_t)place;
    place = (uint32_t)builder->label_count;
    builder->labels[builder->label_count++] = *label;
    bool put = idmap_put(builder->label_places, label->text, size, place);
    assert(put);
    (void)put;
    return (int32_t)place;
}

/// Members from..to of the series, all of one minute.
static void add_observations(struct minutes_builder *builder, const struct batch_series *series,
                             size_t from, size_t to, int64_t minute_ms) {
    const struct columns *columns = &series->columns;
    const size_t at = builder->observation_count, count = to - from;
    const uint16_t base_ms = (uint16_t)(series->base_ms - minute_ms); // the sum is in the minute
    uint16_t *t_ms = builder->t_ms + at;
    if (!count) return; // the sensor watched, and there was nothing: there may be no columns
    for (size_t i = 0; i < count; i++)
        t_ms[i] = (uint16_t)(base_ms + (uint16_t)columns->t_ms[from + i]);
    memcpy(builder->value + at, columns->value + from, count * sizeof *builder->value);
    memcpy(builder->confidence + at, columns->confidence + from, count);
    if (series->measure->kind == MEASURE_EVENTS)
        for (size_t i = 0; i < count; i++)
            builder->value[at + i] =
                label_place(builder, &series->labels[columns->value[from + i]]);
    builder->observation_count += count;
}

/// The first of the columns, from `index` on, that is not before the time.
static size_t members_before(const struct batch_series *series, size_t index, int64_t end_ms) {
    size_t high = series->columns.count;
    if (index == high || series->base_ms + series->columns.t_ms[high - 1] < end_ms) return high;
    while (index < high) {
        size_t middle = index + (high - index) / 2;
        if (series->base_ms + series->columns.t_ms[middle] < end_ms)
            index = middle + 1;
        else
            high = middle;
    }
    return high;
}

uint32_t minutes_add(struct minutes_builder *builder, const struct batch_series *series,
                     uint16_t counter, uint16_t gateway_key, uint32_t clock_error_ms,
                     int64_t latest_ms) {
    const struct columns *columns = &series->columns;
    struct span watched = series->watched;
    if (watched.from_ms > latest_ms) return (uint32_t)columns->count; // all of it
    if (watched.to_ms > latest_ms + 1) watched.to_ms = latest_ms + 1;
    size_t index = 0;
    for (int64_t minute = watched.from_ms / MINUTE_MS; minute * MINUTE_MS < watched.to_ms;
         minute++) {
        int64_t start = minute * MINUTE_MS, end = start + MINUTE_MS;
        if (end > watched.to_ms) end = watched.to_ms;
        assert(builder->run_count < builder->run_max);
        struct run *run = &builder->runs[builder->run_count++];
        *run = (struct run){
            .measure = series->measure,
            .minute = (uint32_t)minute,
            .clock_error_ms = clock_error_ms,
            .first = (uint32_t)builder->observation_count,
            .counter = counter,
            .gateway_key = gateway_key,
            .from_ms = (uint16_t)(watched.from_ms > start ? watched.from_ms - start : 0),
            .to_ms = (uint16_t)(end - start),
        };
        size_t next = members_before(series, index, end);
        add_observations(builder, series, index, next, start);
        run->count = (uint32_t)(next - index);
        index = next;
    }
    return (uint32_t)(columns->count - index);
}

static int compare_u64(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static uint64_t minute_order(const struct run *run) {
    return (uint64_t)run->counter << 32 | run->minute;
}

static uint64_t chunk_order(const struct run *run) {
    return (uint64_t)run->measure->key << 16 | run->gateway_key;
}

static int compare_runs(const void *left, const void *right) {
    const struct run *a = left, *b = right;
    int order = compare_u64(minute_order(a), minute_order(b));
    if (!order) order = compare_u64(chunk_order(a), chunk_order(b));
    return order ? order : compare_u64(a->first, b->first);
}

static int compare_starts(const void *left, const void *right) {
    const struct run *a = left, *b = right;
    return compare_u64(a->from_ms, b->from_ms);
}

static int compare_times(const void *left, const void *right, void *context) {
    const struct minutes_builder *builder = context;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int order = compare_u64(builder->t_ms[a], builder->t_ms[b]);
    return order ? order : compare_u64(a, b);
}

/// The runs behind each other; false: not sorted by time.
static bool gather_in_order(struct minutes_builder *builder, const struct run *runs, size_t count) {
    struct columns *columns = &builder->columns;
    bool sorted = true;
    columns->count = 0;
    for (size_t i = 0; i < count; i++) {
        const uint16_t *t_ms = builder->t_ms + runs[i].first;
        const size_t at = columns->count, members = runs[i].count;
        if (members == 0) continue;
        unsigned falls = at > 0 && columns->t_ms[at - 1] > t_ms[0];
        for (size_t k = 1; k < members; k++)
            falls |= t_ms[k - 1] > t_ms[k];
        for (size_t k = 0; k < members; k++)
            columns->t_ms[at + k] = t_ms[k];
        memcpy(columns->value + at, builder->value + runs[i].first,
               members * sizeof *columns->value);
        memcpy(columns->confidence + at, builder->confidence + runs[i].first, members);
        columns->count += members;
        sorted = sorted && !falls;
    }
    return sorted;
}

/// The group's observations as one column, sorted by time.
static void gather(struct minutes_builder *builder, const struct run *runs, size_t count) {
    if (gather_in_order(builder, runs, count)) return;
    uint32_t *order = builder->order;
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        for (uint32_t at = runs[i].first; at < runs[i].first + runs[i].count; at++)
            order[total++] = at;
    qsort_r(order, total, sizeof *order, compare_times, builder);
    struct columns *columns = &builder->columns;
    for (size_t i = 0; i < total; i++) {
        columns->t_ms[i] = builder->t_ms[order[i]];
        columns->value[i] = builder->value[order[i]];
        columns->confidence[i] = builder->confidence[order[i]];
    }
}

/// Label places of the fold become places in the chunk; writes the chunk's labels.
static void write_labels(struct minutes_builder *builder, bool events) {
    size_t count = 0;
    for (size_t i = 0; events && i < builder->columns.count; i++) {
        int32_t *value = &builder->columns.value[i];
        uint32_t *local = &builder->local[*value];
        if (*local == 0) {
            builder->used[count++] = (uint32_t)*value;
            *local = (uint32_t)count;
        }
        *value = (int32_t)*local - 1;
    }
    buffer_put_varint(&builder->chunk, count);
    for (size_t i = 0; i < count; i++) {
        buffer_put_short(&builder->chunk, bytes_of_text(builder->labels[builder->used[i]].text));
        builder->local[builder->used[i]] = 0;
    }
}

/// The watched stretches of the group, merged; the runs are reordered by their start.
static void write_spans(struct minutes_builder *builder, struct run *runs, size_t count) {
    qsort(runs, count, sizeof *runs, compare_starts);
    size_t spans = 0;
    for (size_t i = 0; i < count; i++) { // merge in place: the front of the runs holds the result
        if (runs[i].from_ms == runs[i].to_ms) continue;
        if (spans > 0 && runs[i].from_ms <= runs[spans - 1].to_ms) {
            if (runs[i].to_ms > runs[spans - 1].to_ms) runs[spans - 1].to_ms = runs[i].to_ms;
        } else {
            runs[spans].from_ms = runs[i].from_ms;
            runs[spans++].to_ms = runs[i].to_ms;
        }
    }
    buffer_put_varint(&builder->chunk, spans);
    for (size_t i = 0, end = 0; i < spans; i++) {
        buffer_put_varint(&builder->chunk, runs[i].from_ms - end);
        buffer_put_varint(&builder->chunk, (uint64_t)(runs[i].to_ms - runs[i].from_ms));
        end = runs[i].to_ms;
    }
}

/// One measure of one gateway in one minute.
static void write_chunk(struct minutes_builder *builder, struct run *runs, size_t count,
                        struct buffer *out) {
    const struct measure *measure = runs->measure;
    uint32_t clock_error_ms = 0;
    for (size_t i = 0; i < count; i++)
        if (runs[i].clock_error_ms > clock_error_ms) clock_error_ms = runs[i].clock_error_ms;
    gather(builder, runs, count);
    struct buffer *chunk = &builder->chunk;
    buffer_clear(chunk);
    buffer_put_u32(chunk, measure->key);
    buffer_put_u16(chunk, runs->gateway_key);
    buffer_put_varint(chunk, clock_error_ms);
    write_spans(builder, runs, count);
    write_labels(builder, measure->kind == MEASURE_EVENTS);
    buffer_put_varint(chunk, builder->columns.count ? (uint64_t)builder->columns.t_ms[0] : 0);
    columns_pack(&builder->columns, chunk);
    if (chunk->failed) out->failed = true;
    buffer_put_varint(out, chunk->size);
    buffer_put(out, chunk->data, chunk->size);
}

/// One minute of one counter: what it spans, how many observations, its chunks.
static void write_minute(struct minutes_builder *builder, struct run *runs, size_t count,
                         struct buffer *out) {
    uint16_t from_ms = UINT16_MAX, to_ms = 0;
    uint32_t observations = 0;
    for (size_t i = 0; i < count; i++) {
        if (runs[i].from_ms < from_ms) from_ms = runs[i].from_ms;
        if (runs[i].to_ms > to_ms) to_ms = runs[i].to_ms;
        observations += runs[i].count;
    }
    buffer_put_u16(out, runs->counter);
    buffer_put_u32(out, runs->minute);
    buffer_put_u16(out, from_ms);
    buffer_put_u16(out, to_ms);
    buffer_put_u32(out, observations);
    size_t size_at = out->size;
    buffer_put_u32(out, 0);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count; end++)
            if (chunk_order(&runs[end]) != chunk_order(&runs[first])) break;
        write_chunk(builder, runs + first, end - first, out);
    }
    if (out->failed) return;
    size_t size = out->size - size_at - sizeof(uint32_t);
    for (size_t i = 0; i < sizeof(uint32_t); i++)
        out->data[size_at + i] = (uint8_t)(size >> (8 * i));
}

uint32_t minutes_finish(struct minutes_builder *builder, struct buffer *out) {
    struct run *runs = builder->runs;
    qsort(runs, builder->run_count, sizeof *runs, compare_runs);
    uint32_t written = 0;
    for (size_t first = 0, end; first < builder->run_count; first = end) {
        for (end = first + 1; end < builder->run_count; end++)
            if (minute_order(&runs[end]) != minute_order(&runs[first])) break;
        write_minute(builder, runs + first, end - first, out);
        written++;
    }
    return written;
}
