#include "worker/engine/unbroken.h"

#include "worker/engine/evidence.h"

enum { BLOCK = 64 }; // members whose places fit into one word

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/// Times ascend, so what lies between two of them fits into 32 bits.
static inline uint32_t apart(const int32_t *t_ms, size_t i) {
    return (uint32_t)t_ms[i + 1] - (uint32_t)t_ms[i];
}

struct unbroken unbroken_of(const struct standard *standard, const struct series *series) {
    const struct columns *columns = &series->columns;
    const size_t count = columns->count;
    if (series->measure->kind != MEASURE_SAMPLES || count == 0 || series->span_count != 1)
        return (struct unbroken){.columns = NULL};
    uint8_t least_confidence = UINT8_MAX;
    for (size_t i = 0; i < count; i++)
        least_confidence =
            columns->confidence[i] < least_confidence ? columns->confidence[i] : least_confidence;
    uint32_t nearest = UINT32_MAX, furthest = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        uint32_t ms = apart(columns->t_ms, i);
        nearest = ms < nearest ? ms : nearest;
        furthest = ms > furthest ? ms : furthest;
    }
    int64_t begin_ms = series->base_ms + columns->t_ms[0];
    int64_t last_ms = series->base_ms + columns->t_ms[count - 1];
    bool whole = least_confidence >= standard->least_confidence && nearest > 0 &&
                 (int64_t)furthest <= standard->largest_gap_ms &&
                 series->spans[0].from_ms <= begin_ms && last_ms < series->spans[0].to_ms;
    return (struct unbroken){
        .columns = whole ? columns : NULL,
        .measure = series->measure,
        .base_ms = series->base_ms,
        .begin_ms = begin_ms,
        .end_ms = earlier(last_ms + standard->largest_gap_ms, series->spans[0].to_ms),
    };
}

/// The first member at or behind a time.
static size_t place_of(const struct unbroken *unbroken, int64_t at_ms) {
    size_t low = 0, high = unbroken->columns->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unbroken->base_ms + unbroken->columns->t_ms[middle] < at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct range unbroken_range(const struct unbroken *unbroken, struct span span) {
    size_t from = place_of(unbroken, span.from_ms), to = place_of(unbroken, span.to_ms);
    return (struct range){from, to > from ? to : from};
}

struct summary unbroken_summary(const struct unbroken *unbroken, struct span span) {
    struct range range = unbroken_range(unbroken, span);
    const int32_t *value = unbroken->columns->value;
    int64_t sum = 0;
    int32_t least = INT32_MAX, most = INT32_MIN;
    for (size_t i = range.from; i < range.to; i++) {
        sum += value[i];
        least = value[i] < least ? value[i] : least;
        most = value[i] > most ? value[i] : most;
    }
    return (struct summary){(int64_t)(range.to - range.from), sum, least, most};
}

int64_t unbroken_covered_ms(const struct unbroken *unbroken, struct span span) {
    int64_t from_ms = later(span.from_ms, unbroken->begin_ms);
    int64_t to_ms = earlier(span.to_ms, unbroken->end_ms);
    return from_ms < to_ms ? to_ms - from_ms : 0;
}

size_t unbroken_points(const struct unbroken *unbroken, struct span span,
                       struct point points[POINTS_MAX]) {
    struct range range = unbroken_range(unbroken, span);
    const struct columns *columns = unbroken->columns;
    size_t total = range.to - range.from, wanted = total < POINTS_MAX ? total : POINTS_MAX;
    for (size_t shown = 0; shown < wanted; shown++) {
        size_t i = range.from + point_place(shown, wanted, total);
        points[shown] = (struct point){
            .at_ms = unbroken->base_ms + columns->t_ms[i],
            .value = measure_value(unbroken->measure, columns->value[i]),
            .confidence = columns->confidence[i],
        };
    }
    return wanted;
}

/// Those that speak in a span: one before it may speak into it.
static struct range speakers(const struct unbroken *unbroken, struct span span) {
    struct range range = unbroken_range(unbroken, span);
    bool one_before =
        range.from > 0 && (range.from == unbroken->columns->count ||
                           unbroken->base_ms + unbroken->columns->t_ms[range.from] > span.from_ms);
    range.from -= one_before;
    return range;
}

/// When a member begins to speak in a span that it speaks in, or another ends: that one's end.
static int64_t begins_ms(const struct unbroken *unbroken, struct span span, size_t i) {
    const struct columns *columns = unbroken->columns;
    int64_t at_ms = i < columns->count ? unbroken->base_ms + columns->t_ms[i] : unbroken->end_ms;
    return earlier(later(at_ms, span.from_ms), earlier(span.to_ms, unbroken->end_ms));
}

/// Bounds of 32 bits that hold the same values.
struct narrow {
    int32_t least, most;
};
static struct narrow narrow_of(struct bounds bounds) {
    if (bounds.least > INT32_MAX || bounds.most < INT32_MIN) return (struct narrow){1, 0};
    return (struct narrow){(int32_t)later(bounds.least, INT32_MIN),
                           (int32_t)earlier(bounds.most, INT32_MAX)};
}

static inline bool inside(struct narrow bounds, int32_t value) {
    return (bounds.least <= value) & (value <= bounds.most);
}

int64_t unbroken_inside_ms(const struct unbroken *unbroken, struct span span,
                           struct bounds bounds) {
    const struct range range = speakers(unbroken, span);
    const struct narrow narrow = narrow_of(bounds);
    const int32_t *t_ms = unbroken->columns->t_ms, *value = unbroken->columns->value;
    if (range.from == range.to) return 0;
    size_t last = range.to - 1;
    uint32_t between_ms = 0; // the first and the last are cut by the span
    for (size_t i = range.from + 1; i < last; i++)
        between_ms += inside(narrow, value[i]) ? apart(t_ms, i) : 0;
    int64_t sum_ms = between_ms;
    if (inside(narrow, value[range.from]))
        sum_ms += begins_ms(unbroken, span, range.from + 1) - begins_ms(unbroken, span, range.from);
    if (last > range.from && inside(narrow, value[last]))
        sum_ms += begins_ms(unbroken, span, last + 1) - begins_ms(unbroken, span, last);
    return sum_ms;
}

/// Bit i: values[i] is outside. The bytes of truths become bits by a multiplication that moves
/// each to its place in the highest byte.
static uint64_t outside_bits(const int32_t *values, size_t count, struct narrow bounds) {
    uint8_t outside[BLOCK] = {0};
    if (count == BLOCK) // a length that the compiler knows
        for (size_t i = 0; i < BLOCK; i++)
            outside[i] = (values[i] < bounds.least) | (values[i] > bounds.most);
    else
        for (size_t i = 0; i < count; i++)
            outside[i] = !inside(bounds, values[i]);
    uint64_t bits = 0;
    for (size_t i = 0; i < BLOCK; i += 8) {
        uint64_t eight = 0;
        for (size_t k = 0; k < 8; k++) // little-endian on every machine; one load on most
            eight |= (uint64_t)outside[i + k] << (8 * k);
        bits |= (eight * UINT64_C(0x0102040810204080) >> 56) << i;
    }
    return bits;
}

/// How many of the lowest bits are `set`.
static size_t alike(uint64_t bits, bool set) {
    uint64_t other = set ? ~bits : bits;
    return other ? (size_t)__builtin_ctzll(other) : BLOCK;
}

/// The longest of what was found, and the stretch that is open.
struct stretches {
    size_t from; // the open one's first member
    bool open;
    int64_t longest_ms;
    struct span *longest;
};

static void stretch_ends(struct stretches *stretches, const struct unbroken *unbroken,
                         struct span span, size_t to) {
    struct span found = {begins_ms(unbroken, span, stretches->from), begins_ms(unbroken, span, to)};
    stretches->open = false;
    if (found.to_ms - found.from_ms <= stretches->longest_ms) return;
    stretches->longest_ms = found.to_ms - found.from_ms;
    *stretches->longest = found;
}

int64_t unbroken_longest_outside(const struct unbroken *unbroken, struct span span,
                                 struct bounds bounds, struct span *longest) {
    const struct range range = speakers(unbroken, span);
    const struct narrow narrow = narrow_of(bounds);
    struct stretches stretches = {.longest = longest};
    *longest = (struct span){TIME_NONE, TIME_NONE};
    for (size_t block = range.from; block < range.to; block += BLOCK) {
        size_t count = range.to - block < BLOCK ? range.to - block : BLOCK;
        uint64_t bits = outside_bits(unbroken->columns->value + block, count, narrow);
        for (size_t at = alike(bits, stretches.open); at < count;
             at += alike(bits >> at, stretches.open)) {
            if (stretches.open) {
                stretch_ends(&stretches, unbroken, span, block + at);
            } else {
                stretches.from = block + at;
                stretches.open = true;
            }
        }
    }
    if (stretches.open) stretch_ends(&stretches, unbroken, span, range.to);
    return stretches.longest_ms;
}
