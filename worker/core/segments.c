#include "worker/core/segments.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 65536, NO_SEGMENT = SEGMENTS_MAX };

/// Observations of one chunk, behind each other in `incoming`.
struct segment {
    size_t first, count;
    uint32_t next; // of its series, NO_SEGMENT: the last
    uint16_t series, gateway_key;
    bool ascending; // each later than the one before
};

/// One observation of a series whose segments have to be sorted.
struct member {
    int32_t t_ms;
    int32_t value;
    uint16_t gateway_key;
    uint8_t confidence;
};

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static bool columns_new(struct columns *columns, size_t capacity) {
    columns->t_ms = malloc(capacity * sizeof *columns->t_ms);
    columns->value = malloc(capacity * sizeof *columns->value);
    columns->confidence = malloc(capacity);
    return columns->t_ms && columns->value && columns->confidence;
}

static void columns_free(struct columns *columns) {
    free(columns->t_ms);
    free(columns->value);
    free(columns->confidence);
}

bool segments_init(struct segments *segments, size_t capacity) {
    *segments = (struct segments){.capacity = capacity};
    segments->items = malloc(SEGMENTS_MAX * sizeof *segments->items);
    segments->order = malloc(SEGMENTS_MAX * sizeof *segments->order);
    segments->members = malloc(capacity * sizeof *segments->members);
    // Behind as many as may be kept there is room for the chunk that is being read.
    bool columns = columns_new(&segments->incoming, 2 * capacity);
    if (columns && segments->items && segments->order && segments->members) return true;
    segments_fini(segments);
    return false;
}

void segments_fini(struct segments *segments) {
    free(segments->items);
    free(segments->order);
    free(segments->members);
    columns_free(&segments->incoming);
    *segments = (struct segments){.capacity = 0};
}

void segments_clear(struct segments *segments) {
    segments->member_count = segments->count = 0;
}

void segments_open(struct segments *segments, uint16_t series) {
    segments->lists[series] = (struct segment_list){NO_SEGMENT, NO_SEGMENT};
}

struct columns segments_next(const struct segments *segments) {
    const struct columns *incoming = &segments->incoming;
    return (struct columns){.t_ms = incoming->t_ms + segments->member_count,
                            .value = incoming->value + segments->member_count,
                            .confidence = incoming->confidence + segments->member_count};
}

static void append_segment(struct segments *segments, struct segment segment) {
    struct segment_list *list = &segments->lists[segment.series];
    uint32_t at = (uint32_t)segments->count++;
    segments->items[at] = segment;
    *(list->first == NO_SEGMENT ? &list->first : &segments->items[list->last].next) = at;
    list->last = at;
}

enum err segments_keep(struct segments *segments, uint16_t series, uint16_t gateway_key,
                       size_t count) {
    if (count > segments->capacity - segments->member_count || segments->count == SEGMENTS_MAX)
        return ERR_FULL;
    const int32_t *t_ms = segments_next(segments).t_ms;
    unsigned stays = 0;
    for (size_t i = 1; i < count; i++)
        stays |= t_ms[i] == t_ms[i - 1];
    append_segment(segments, (struct segment){.first = segments->member_count,
                                              .count = count,
                                              .next = NO_SEGMENT,
                                              .series = series,
                                              .gateway_key = gateway_key,
                                              .ascending = !stays});
    segments->member_count += count;
    return ERR_NONE;
}

void segments_replace(struct segments *segments, uint16_t series, const int32_t *places) {
    for (uint32_t i = segments->lists[series].first; i != NO_SEGMENT; i = segments->items[i].next) {
        int32_t *value = segments->incoming.value + segments->items[i].first;
        for (size_t k = 0; k < segments->items[i].count; k++)
            value[k] = places[value[k]];
    }
}

// Of equal members the one to keep comes first. For events the value is the label's rank and part
// of the member's identity; for samples it is not, so that confidence decides before it.
static int compare_samples(const void *left, const void *right) {
    const struct member *a = left, *b = right;
    int order = compare_i64(a->t_ms, b->t_ms);
    if (!order) order = compare_i64(a->gateway_key, b->gateway_key);
    if (!order) order = compare_i64(b->confidence, a->confidence);
    return order ? order : compare_i64(a->value, b->value);
}

static int compare_events(const void *left, const void *right) {
    const struct member *a = left, *b = right;
    int order = compare_i64(a->t_ms, b->t_ms);
    if (!order) order = compare_i64(a->gateway_key, b->gateway_key);
    if (!order) order = compare_i64(a->value, b->value);
    return order ? order : compare_i64(b->confidence, a->confidence);
}

static bool equal_members(const struct member *a, const struct member *b, bool events) {
    return a->t_ms == b->t_ms && a->gateway_key == b->gateway_key &&
           (!events || a->value == b->value);
}

static int compare_segments(const void *left, const void *right, void *context) {
    const struct segments *segments = context;
    const struct segment *a = &segments->items[*(const uint32_t *)left];
    const struct segment *b = &segments->items[*(const uint32_t *)right];
    const int32_t *t_ms = segments->incoming.t_ms;
    return compare_i64(t_ms[a->first], t_ms[b->first]);
}

/// The segments of a series into segments->order, by their first time; returns how many.
static size_t order_segments(struct segments *segments, uint16_t place) {
    const int32_t *t_ms = segments->incoming.t_ms;
    size_t count = 0;
    bool sorted = true; // late data is rare
    for (uint32_t i = segments->lists[place].first; i != NO_SEGMENT; i = segments->items[i].next) {
        if (count > 0) {
            const struct segment *last = &segments->items[segments->order[count - 1]];
            sorted = sorted && t_ms[last->first] <= t_ms[segments->items[i].first];
        }
        segments->order[count++] = i;
    }
    if (!sorted)
        qsort_r(segments->order, count, sizeof *segments->order, compare_segments, segments);
    return count;
}

/// The segments of a series behind each other; false: they overlap, or hold equal times.
static bool join_segments(struct segments *segments, uint16_t place, struct columns *columns) {
    const struct columns *incoming = &segments->incoming;
    const size_t total = order_segments(segments, place);
    columns->count = 0;
    for (size_t i = 0; i < total; i++) {
        const struct segment *segment = &segments->items[segments->order[i]];
        size_t at = columns->count, first = segment->first, count = segment->count;
        if (!segment->ascending || (at > 0 && columns->t_ms[at - 1] >= incoming->t_ms[first]))
            return false;
        memcpy(columns->t_ms + at, incoming->t_ms + first, count * sizeof *columns->t_ms);
        memcpy(columns->value + at, incoming->value + first, count * sizeof *columns->value);
        memcpy(columns->confidence + at, incoming->confidence + first, count);
        columns->count += count;
    }
    return true;
}

static size_t gather_members(struct segments *segments, uint16_t place) {
    const struct columns *incoming = &segments->incoming;
    size_t count = 0;
    for (uint32_t i = segments->lists[place].first; i != NO_SEGMENT; i = segments->items[i].next) {
        const struct segment *segment = &segments->items[i];
        for (size_t k = segment->first; k < segment->first + segment->count; k++)
            segments->members[count++] = (struct member){.t_ms = incoming->t_ms[k],
                                                         .value = incoming->value[k],
                                                         .gateway_key = segment->gateway_key,
                                                         .confidence = incoming->confidence[k]};
    }
    return count;
}

/// Sort the members of one series and write each once.
static void join_by_sorting(struct segments *segments, uint16_t place, bool events,
                            struct columns *columns) {
    struct member *members = segments->members;
    size_t count = gather_members(segments, place);
    qsort(members, count, sizeof *members, events ? compare_events : compare_samples);
    columns->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && equal_members(&members[i - 1], &members[i], events)) continue;
        size_t next = columns->count++;
        columns->t_ms[next] = members[i].t_ms;
        columns->value[next] = members[i].value;
        columns->confidence[next] = members[i].confidence;
    }
}

void segments_join(struct segments *segments, uint16_t series, bool events,
                   struct columns *columns) {
    if (!join_segments(segments, series, columns))
        join_by_sorting(segments, series, events, columns);
}
