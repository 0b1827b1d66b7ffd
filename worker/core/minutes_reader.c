#include "common/base/idmap.h"
#include "common/wire/columns.h"
#include "worker/core/minutes.h"
#include "worker/core/segments.h"

#include <stdlib.h>
#include <string.h>

enum {
    SERIES_MAX = SEGMENT_SERIES_MAX,
    LABELS_MAX = 4096,
    STRETCHES_MAX = 65536,
    CHUNK_LABELS_MAX = 4096,
};

struct stretch {
    uint16_t series;
    struct span span;
};

struct minutes_reader {
    struct span span;
    const struct measures *measures;
    size_t stretch_count, series_count, label_count;
    struct segments segments;
    struct stretch *stretches;
    struct span *spans;
    struct series series[SERIES_MAX];
    struct name *labels;
    struct idmap *label_places;
    int32_t *chunk_labels, *ranks; // place of a chunk's label; place -> rank by text
    struct columns columns;        // what the series point to in the end
};

struct minutes_reader *minutes_reader_new(size_t observations) {
    struct minutes_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    reader->stretches = malloc(STRETCHES_MAX * sizeof *reader->stretches);
    reader->spans = malloc(STRETCHES_MAX * sizeof *reader->spans);
    reader->labels = malloc(LABELS_MAX * sizeof *reader->labels);
    reader->label_places = idmap_new(LABELS_MAX, NAME_SIZE_MAX);
    reader->chunk_labels = malloc(CHUNK_LABELS_MAX * sizeof *reader->chunk_labels);
    reader->ranks = malloc(LABELS_MAX * sizeof *reader->ranks);
    reader->columns.t_ms = malloc(observations * sizeof *reader->columns.t_ms);
    reader->columns.value = malloc(observations * sizeof *reader->columns.value);
    reader->columns.confidence = malloc(observations);
    if (segments_init(&reader->segments, observations) && reader->stretches && reader->spans &&
        reader->labels && reader->label_places && reader->chunk_labels && reader->ranks &&
        reader->columns.t_ms && reader->columns.value && reader->columns.confidence)
        return reader;
    minutes_reader_free(reader);
    return NULL;
}

void minutes_reader_free(struct minutes_reader *reader) {
    if (!reader) return;
    segments_fini(&reader->segments);
    free(reader->stretches);
    free(reader->spans);
    free(reader->labels);
    idmap_free(reader->label_places);
    free(reader->chunk_labels);
    free(reader->ranks);
    free(reader->columns.t_ms);
    free(reader->columns.value);
    free(reader->columns.confidence);
    free(reader);
}

void minutes_reader_begin(struct minutes_reader *reader, struct span span,
                          const struct measures *measures) {
    for (size_t i = 0; i < reader->label_count; i++)
        idmap_remove(reader->label_places, reader->labels[i].text, strlen(reader->labels[i].text));
    segments_clear(&reader->segments);
    reader->stretch_count = reader->series_count = reader->label_count = 0;
    reader->span = span;
    reader->measures = measures;
}

/// Place of the measure's series, made if it is new; -1: too many.
static int series_place(struct minutes_reader *reader, const struct measure *measure) {
    for (size_t i = 0; i < reader->series_count; i++)
        if (reader->series[i].measure == measure) return (int)i;
    if (reader->series_count == SERIES_MAX) return -1;
    segments_open(&reader->segments, (uint16_t)reader->series_count);
    reader->series[reader->series_count] =
        (struct series){.measure = measure, .base_ms = reader->span.from_ms};
    return (int)reader->series_count++;
}

static enum err read_spans(struct minutes_reader *reader, struct reader *chunk, int64_t start_ms,
                           uint16_t series, bool *inside) {
    uint64_t count = reader_varint(chunk);
    if (count > reader_left(chunk)) return ERR_FORMAT;
    for (uint64_t end = 0; count > 0; count--) {
        uint64_t from = end + reader_varint(chunk);
        end = from + reader_varint(chunk);
        if (chunk->failed || from > MINUTE_MS || end > MINUTE_MS || from > end) return ERR_FORMAT;
        struct span span = {start_ms + (int64_t)from, start_ms + (int64_t)end};
        if (span.from_ms < reader->span.from_ms) span.from_ms = reader->span.from_ms;
        if (span.to_ms > reader->span.to_ms) span.to_ms = reader->span.to_ms;
        if (span.from_ms >= span.to_ms) continue;
        if (reader->stretch_count == STRETCHES_MAX) return ERR_FULL;
        reader->stretches[reader->stretch_count++] = (struct stretch){series, span};
        *inside = true;
    }
    return ERR_NONE;
}

static enum err read_labels(struct minutes_reader *reader, struct reader *chunk, size_t *count) {
    uint64_t labels = reader_varint(chunk);
    if (labels > reader_left(chunk) || labels > CHUNK_LABELS_MAX) return ERR_FORMAT;
    *count = (size_t)labels;
    for (size_t i = 0; i < *count; i++) {
        struct bytes text = reader_short(chunk);
        struct name label;
        uint32_t place;
        if (chunk->failed || !name_set(&label, (const char *)text.data, text.size))
            return ERR_FORMAT;
        if (!idmap_get(reader->label_places, label.text, text.size, &place)) {
            if (reader->label_count == LABELS_MAX) return ERR_FULL;
            place = (uint32_t)reader->label_count;
            reader->labels[reader->label_count++] = label;
            if (!idmap_put(reader->label_places, label.text, text.size, place)) return ERR_FULL;
        }
        reader->chunk_labels[i] = (int32_t)place;
    }
    return ERR_NONE;
}

/// Place of the first member at or behind a time.
static size_t place_of(const struct columns *columns, int64_t t_ms) {
    size_t low = 0, high = columns->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (columns->t_ms[middle] < t_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/// Labels of the chunk become those of the encounter.
static enum err place_labels(struct minutes_reader *reader, struct columns *chunk,
                             size_t label_count) {
    for (size_t i = 0; i < chunk->count; i++) {
        if (chunk->value[i] < 0 || (size_t)chunk->value[i] >= label_count) return ERR_FORMAT;
        chunk->value[i] = reader->chunk_labels[chunk->value[i]];
    }
    return ERR_NONE;
}

/// Keep those members of the chunk, the last that came, that lie in the span.
static enum err take_members(struct minutes_reader *reader, struct columns *chunk, int64_t start_ms,
                             uint16_t series, uint16_t gateway_key, bool *inside) {
    int32_t shift_ms = (int32_t)(start_ms - reader->span.from_ms); // a minute that is in the span
    size_t from = place_of(chunk, reader->span.from_ms - start_ms);
    size_t to = place_of(chunk, reader->span.to_ms - start_ms), count = to - from;
    if (to <= from) return ERR_NONE;
    for (size_t i = 0; i < count; i++)
        chunk->t_ms[i] = chunk->t_ms[from + i] + shift_ms;
    if (from > 0) {
        memmove(chunk->value, chunk->value + from, count * sizeof *chunk->value);
        memmove(chunk->confidence, chunk->confidence + from, count);
    }
    if (segments_keep(&reader->segments, series, gateway_key, count)) return ERR_FULL;
    *inside = true;
    return ERR_NONE;
}

static enum err read_chunk(struct minutes_reader *reader, int64_t minute, struct bytes bytes) {
    struct reader chunk = reader_of(bytes);
    const struct measure *measure = measures_by_key(reader->measures, reader_u32(&chunk));
    uint16_t gateway_key = reader_u16(&chunk);
    uint64_t clock_error_ms = reader_varint(&chunk);
    if (chunk.failed || clock_error_ms > UINT32_MAX) return ERR_FORMAT;
    if (!measure) return ERR_NONE;
    int place = series_place(reader, measure);
    if (place < 0) return ERR_FULL;
    uint16_t series = (uint16_t)place;
    int64_t start_ms = minute * MINUTE_MS;
    size_t label_count = 0;
    bool inside = false;
    enum err err = read_spans(reader, &chunk, start_ms, series, &inside);
    if (!err) err = read_labels(reader, &chunk, &label_count);
    if (err) return err;
    uint64_t first_ms = reader_varint(&chunk);
    if (chunk.failed || first_ms >= MINUTE_MS) return ERR_FORMAT;
    struct columns members = segments_next(&reader->segments);
    err = columns_unpack(&chunk, (int32_t)first_ms, reader->segments.capacity, &members);
    if (err == ERR_RANGE) return ERR_FULL;
    if (!err && reader_left(&chunk) > 0) err = ERR_FORMAT;
    if (!err && members.count > 0 && members.t_ms[members.count - 1] >= MINUTE_MS) err = ERR_FORMAT;
    if (!err && measure->kind == MEASURE_EVENTS) err = place_labels(reader, &members, label_count);
    if (!err) err = take_members(reader, &members, start_ms, series, gateway_key, &inside);
    uint32_t *known = &reader->series[series].clock_error_ms;
    if (inside && clock_error_ms > *known) *known = (uint32_t)clock_error_ms;
    return err;
}

enum err minutes_reader_add(struct minutes_reader *reader, int64_t minute, struct bytes log) {
    struct reader rest = reader_of(log);
    while (reader_left(&rest) > 0) {
        uint64_t size = reader_varint(&rest);
        if (rest.failed || size > reader_left(&rest)) return ERR_FORMAT;
        enum err err = read_chunk(reader, minute, reader_take(&rest, (size_t)size));
        if (err) return err;
    }
    return ERR_NONE;
}

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_labels(const void *left, const void *right, void *context) {
    const struct name *labels = context;
    return strcmp(labels[*(const int32_t *)left].text, labels[*(const int32_t *)right].text);
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct name *)left)->text, ((const struct name *)right)->text);
}

/// Labels sorted by text, and every event's value the place of its label among them.
static void rank_labels(struct minutes_reader *reader) {
    int32_t *order = reader->chunk_labels; // free by now, and as long
    for (size_t i = 0; i < reader->label_count; i++)
        order[i] = (int32_t)i;
    qsort_r(order, reader->label_count, sizeof *order, compare_labels, reader->labels);
    for (size_t i = 0; i < reader->label_count; i++)
        reader->ranks[order[i]] = (int32_t)i;
    for (size_t i = 0; i < reader->series_count; i++)
        if (reader->series[i].measure->kind == MEASURE_EVENTS)
            segments_replace(&reader->segments, (uint16_t)i, reader->ranks);
    qsort(reader->labels, reader->label_count, sizeof *reader->labels, compare_names);
}

/// The columns of one series, from place `at` of all columns on; returns how many are in it.
static size_t write_series(struct minutes_reader *reader, uint16_t place, size_t at) {
    struct series *series = &reader->series[place];
    bool events = series->measure->kind == MEASURE_EVENTS;
    series->columns = (struct columns){.t_ms = reader->columns.t_ms + at,
                                       .value = reader->columns.value + at,
                                       .confidence = reader->columns.confidence + at};
    segments_join(&reader->segments, place, events, &series->columns);
    series->labels = events ? reader->labels : NULL;
    series->label_count = events ? reader->label_count : 0;
    return series->columns.count;
}

static int compare_stretches(const void *left, const void *right) {
    const struct stretch *a = left, *b = right;
    int order = compare_i64(a->series, b->series);
    return order ? order : compare_i64(a->span.from_ms, b->span.from_ms);
}

/// Watched spans of each series: sorted, disjoint, not touching.
static void merge_spans(struct minutes_reader *reader) {
    qsort(reader->stretches, reader->stretch_count, sizeof *reader->stretches, compare_stretches);
    size_t count = 0;
    for (size_t i = 0; i < reader->stretch_count; i++) {
        const struct stretch *stretch = &reader->stretches[i];
        struct series *series = &reader->series[stretch->series];
        if (series->span_count > 0 && stretch->span.from_ms <= reader->spans[count - 1].to_ms) {
            if (stretch->span.to_ms > reader->spans[count - 1].to_ms)
                reader->spans[count - 1].to_ms = stretch->span.to_ms;
            continue;
        }
        if (series->span_count++ == 0) series->spans = &reader->spans[count];
        reader->spans[count++] = stretch->span;
    }
}

static int compare_series(const void *left, const void *right) {
    const struct series *a = left, *b = right;
    return strcmp(a->measure->id.text, b->measure->id.text);
}

enum err minutes_reader_end(struct minutes_reader *reader, const struct series **series,
                            size_t *count) {
    rank_labels(reader);
    merge_spans(reader);
    size_t written = 0, kept = 0;
    for (size_t i = 0; i < reader->series_count; i++)
        written += write_series(reader, (uint16_t)i, written);
    for (size_t i = 0; i < reader->series_count; i++) // those of which nothing lies in the span go
        if (reader->series[i].columns.count || reader->series[i].span_count)
            reader->series[kept++] = reader->series[i];
    reader->series_count = kept;
    qsort(reader->series, kept, sizeof *reader->series, compare_series);
    *series = reader->series;
    *count = kept;
    return ERR_NONE;
}
