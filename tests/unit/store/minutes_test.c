// Minute logs: whatever way observations came, an encounter's series are the same.

#include "worker/core/minutes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { OBSERVATIONS = 20000, LOGS = 16 };
#define START_MS INT64_C(1700049600000)

static struct measure measure_items[] = {
    {.id = {"audio.phrase"}, .key = 7, .kind = MEASURE_EVENTS},
    {.id = {"distance.client"}, .key = 9, .kind = MEASURE_SAMPLES, .resolution = 0.01},
};
static const struct measures measures = {2, measure_items};
static const struct measure *const phrase = &measure_items[0], *const distance = &measure_items[1];

static struct minutes_builder *builder;
static struct minutes_reader *reader;

static void open_both(void) {
    builder = minutes_builder_new(OBSERVATIONS, 4096, 256);
    reader = minutes_reader_new(OBSERVATIONS);
}
static void close_both(void) {
    minutes_builder_free(builder);
    minutes_reader_free(reader);
}
TestSuite(minutes, .init = open_both, .fini = close_both);

/// The logs of counter 0, minute by minute, as the store would keep them.
struct logs {
    struct buffer minutes[LOGS];
};
static void logs_init(struct logs *logs) {
    for (int i = 0; i < LOGS; i++)
        buffer_init(&logs->minutes[i], 1 << 20);
}
static void logs_fini(struct logs *logs) {
    for (int i = 0; i < LOGS; i++)
        buffer_fini(&logs->minutes[i]);
}

/// Hand the builder's chunks to the logs, as ingest does.
static size_t store(struct logs *logs) {
    struct buffer out;
    buffer_init(&out, 1 << 20);
    uint32_t count = minutes_finish(builder, &out);
    cr_assert(not(out.failed));
    struct reader chunks = reader_of(buffer_bytes(&out));
    for (; count > 0; count--) {
        cr_assert(eq(u16, reader_u16(&chunks), 0));
        uint32_t minute = reader_u32(&chunks) - (uint32_t)(START_MS / MINUTE_MS);
        uint16_t from = reader_u16(&chunks), to = reader_u16(&chunks);
        cr_assert(le(u16, from, to));
        cr_assert(lt(u32, minute, LOGS));
        reader_u32(&chunks);
        struct bytes data = reader_take(&chunks, reader_u32(&chunks));
        buffer_put(&logs->minutes[minute], data.data, data.size);
    }
    cr_assert(not(chunks.failed));
    cr_assert(eq(sz, reader_left(&chunks), 0));
    size_t size = out.size;
    buffer_fini(&out);
    minutes_builder_clear(builder);
    return size;
}

static size_t read_logs(const struct logs *logs, struct span span, const struct series **series) {
    size_t count;
    minutes_reader_begin(reader, span, &measures);
    for (int i = 0; i < LOGS; i++)
        cr_assert(eq(
            int,
            minutes_reader_add(reader, START_MS / MINUTE_MS + i, buffer_bytes(&logs->minutes[i])),
            ERR_NONE));
    cr_assert(eq(int, minutes_reader_end(reader, series, &count), ERR_NONE));
    return count;
}

/// Series of one gateway watched from `from_ms` to `to_ms` behind the start.
static uint32_t see(const struct measure *measure, uint16_t gateway, int64_t from_ms, int64_t to_ms,
                    size_t count, int32_t *t_ms, int32_t *value, uint8_t *confidence,
                    int64_t latest_ms) {
    static struct name labels[] = {{"hello"}, {"bye"}, {"adieu"}};
    struct batch_series series = {.measure = measure,
                                  .watched = {START_MS + from_ms, START_MS + to_ms},
                                  .base_ms = START_MS,
                                  .columns = {count, t_ms, value, confidence},
                                  .label_count = measure == phrase ? 3 : 0,
                                  .labels = labels};
    return minutes_add(builder, &series, 0, gateway, 40, latest_ms);
}

Test(minutes, four_samples_a_second_take_less_than_three_bytes_each) {
    struct logs logs;
    int32_t t[240], value[240];
    uint8_t confidence[240];
    logs_init(&logs);
    for (int i = 0; i < 240; i++) {
        t[i] = i * 250;
        value[i] = 120 + (i * 37) % 90;
        confidence[i] = 90;
    }
    for (int i = 0; i < 240; i += 32) // eight batches of one minute become one chunk
        see(distance, 1, t[i], i + 32 < 240 ? t[i + 32] : MINUTE_MS, i + 32 < 240 ? 32 : 240 - i,
            t + i, value + i, confidence + i, TIME_LAST);
    cr_assert(lt(sz, store(&logs), 3 * 240));
    const struct series *series;
    cr_assert(eq(sz, read_logs(&logs, (struct span){START_MS, START_MS + MINUTE_MS}, &series), 1));
    cr_assert(eq(sz, series->columns.count, 240));
    cr_assert(eq(sz, series->span_count, 1));
    cr_assert(eq(i64, series->spans[0].to_ms, START_MS + MINUTE_MS));
    cr_assert(eq(u32, series->clock_error_ms, 40));
    cr_assert(eq(int, memcmp(series->columns.t_ms, t, sizeof t), 0));
    cr_assert(eq(int, memcmp(series->columns.value, value, sizeof value), 0));
    logs_fini(&logs);
}

Test(minutes, watching_alone_is_a_series_without_members) {
    struct logs logs;
    const struct series *series;
    logs_init(&logs);
    see(distance, 1, 30000, 150000, 0, NULL, NULL, NULL, TIME_LAST);
    see(distance, 2, 150000, 160000, 0, NULL, NULL, NULL, TIME_LAST);
    see(distance, 1, 200000, 210000, 0, NULL, NULL, NULL, TIME_LAST);
    store(&logs);
    struct span span = {START_MS + 60000, START_MS + 205000};
    cr_assert(eq(sz, read_logs(&logs, span, &series), 1));
    cr_assert(eq(sz, series->columns.count, 0));
    cr_assert(eq(sz, series->span_count, 2));
    cr_assert(eq(i64, series->spans[0].from_ms, span.from_ms));
    cr_assert(eq(i64, series->spans[0].to_ms, START_MS + 160000));
    cr_assert(eq(i64, series->spans[1].from_ms, START_MS + 200000));
    cr_assert(eq(i64, series->spans[1].to_ms, span.to_ms));
    cr_assert(eq(sz, read_logs(&logs, (struct span){START_MS, START_MS + 1000}, &series), 0));
    logs_fini(&logs);
}

Test(minutes, what_lies_in_the_future_is_left_out_and_counted) {
    struct logs logs;
    const struct series *series;
    int32_t t[] = {0, 1000, 2000, 70000}, value[] = {1, 2, 3, 4};
    uint8_t confidence[] = {1, 2, 3, 4};
    logs_init(&logs);
    cr_assert(eq(u32, see(distance, 1, 0, 80000, 4, t, value, confidence, START_MS + 1000), 2));
    store(&logs);
    read_logs(&logs, (struct span){START_MS, START_MS + 2 * MINUTE_MS}, &series);
    cr_assert(eq(sz, series->columns.count, 2));
    cr_assert(eq(i64, series->spans[0].to_ms, START_MS + 1001));
    logs_fini(&logs);
}

// A clock that is some seconds ahead: the minute has begun, but nothing of it is to be kept.
Test(minutes, what_begins_in_the_future_leaves_no_minute_behind) {
    struct logs logs;
    const struct series *series;
    int32_t t[] = {0, 1000}, value[] = {1, 2};
    uint8_t confidence[] = {1, 2};
    logs_init(&logs);
    cr_assert(
        eq(u32, see(distance, 1, 20000, 30000, 2, t, value, confidence, START_MS + 10000), 2));
    store(&logs);
    cr_assert(eq(sz, read_logs(&logs, (struct span){START_MS, START_MS + MINUTE_MS}, &series), 0));
    logs_fini(&logs);
}

Test(minutes, of_equal_members_the_most_confident_stays_then_the_smallest) {
    struct logs logs;
    const struct series *series;
    int32_t t[] = {5, 5, 5, 5}, value[] = {9, 8, 7, 3};
    uint8_t confidence[] = {50, 90, 90, 10};
    int32_t place[] = {0, 1, 1, 0};
    logs_init(&logs);
    see(distance, 1, 0, 10, 4, t, value, confidence, TIME_LAST);
    see(distance, 2, 0, 10, 1, t, value, confidence, TIME_LAST); // another gateway's stays
    see(phrase, 1, 0, 10, 4, t, place, confidence, TIME_LAST);   // another label, too
    store(&logs);
    cr_assert(eq(sz, read_logs(&logs, (struct span){START_MS, START_MS + 10}, &series), 2));
    cr_assert(eq(sz, series[0].columns.count, 2));
    cr_assert(eq(str, (char *)series[0].labels[series[0].columns.value[0]].text, "bye"));
    cr_assert(eq(u8, series[0].columns.confidence[0], 90));
    cr_assert(eq(u8, series[0].columns.confidence[1], 50));
    cr_assert(eq(sz, series[1].columns.count, 2));
    cr_assert(eq(i32, series[1].columns.value[0], 7));
    cr_assert(eq(i32, series[1].columns.value[1], 9));
    logs_fini(&logs);
}

static uint64_t seed = 1;
static uint32_t below(uint32_t bound) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % bound;
}

enum { PIECES = 40, PIECE = 30 };
struct piece {
    const struct measure *measure;
    uint16_t gateway;
    int32_t from_ms, to_ms, t_ms[PIECE], value[PIECE];
    uint8_t confidence[PIECE];
};

static int ascending(const void *a, const void *b) {
    return *(const int32_t *)a - *(const int32_t *)b;
}

static void random_piece(struct piece *piece) {
    piece->measure = below(2) ? phrase : distance;
    piece->gateway = (uint16_t)(1 + below(2));
    piece->from_ms = (int32_t)below(8 * MINUTE_MS);
    piece->to_ms = piece->from_ms + 1 + (int32_t)below(3 * MINUTE_MS);
    for (int i = 0; i < PIECE; i++) {
        uint32_t step = 1 + below(2000); // few distinct times: many equal members
        piece->t_ms[i] = piece->from_ms +
                         (int32_t)(below((uint32_t)(piece->to_ms - piece->from_ms)) / step * step);
        piece->value[i] = (int32_t)below(3);
        piece->confidence[i] = (uint8_t)below(3);
    }
    qsort(piece->t_ms, PIECE, sizeof *piece->t_ms, ascending);
}

/// All pieces in a random order, some twice, in several folds; the series as one text of bytes.
static void history(const struct piece *pieces, struct buffer *seen) {
    struct logs logs;
    const struct series *series;
    size_t order[2 * PIECES], count = 0;
    logs_init(&logs);
    for (size_t i = 0; i < PIECES; i++)
        for (uint32_t times = 1 + below(2); times > 0; times--)
            order[count++] = i;
    for (size_t i = count; i > 1; i--) {
        size_t other = below((uint32_t)i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    for (size_t i = 0; i < count; i++) {
        struct piece piece = pieces[order[i]];
        see(piece.measure, piece.gateway, piece.from_ms, piece.to_ms, PIECE, piece.t_ms,
            piece.value, piece.confidence, TIME_LAST);
        if (below(5) == 0) store(&logs);
    }
    store(&logs);
    struct span span = {START_MS + 100000, START_MS + 500000};
    size_t series_count = read_logs(&logs, span, &series);
    for (size_t i = 0; i < series_count; i++) {
        const struct columns *columns = &series[i].columns;
        buffer_put_u32(seen, series[i].measure->key);
        for (size_t j = 0; j < columns->count; j++) {
            cr_assert(j == 0 || columns->t_ms[j - 1] <= columns->t_ms[j]);
            cr_assert(lt(i32, columns->t_ms[j], (int32_t)(span.to_ms - span.from_ms)));
            buffer_put_u32(seen, (uint32_t)columns->t_ms[j]);
            buffer_put_u32(seen, (uint32_t)columns->value[j]);
            buffer_put_u8(seen, columns->confidence[j]);
        }
        for (size_t j = 0; j < series[i].span_count; j++) {
            cr_assert(j == 0 || series[i].spans[j - 1].to_ms < series[i].spans[j].from_ms);
            buffer_put(seen, &series[i].spans[j], sizeof series[i].spans[j]);
        }
    }
    logs_fini(&logs);
}

Test(minutes, order_repetition_and_folding_change_nothing) {
    static struct piece pieces[PIECES];
    for (int round = 0; round < 20; round++) {
        struct buffer first, other;
        buffer_init(&first, 1 << 20);
        buffer_init(&other, 1 << 20);
        for (int i = 0; i < PIECES; i++)
            random_piece(&pieces[i]);
        history(pieces, &first);
        cr_assert(gt(sz, first.size, 100));
        for (int again = 0; again < 5; again++) {
            buffer_clear(&other);
            history(pieces, &other);
            cr_assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&other)));
        }
        buffer_fini(&first);
        buffer_fini(&other);
    }
}

Test(minutes, a_damaged_log_is_an_error_and_nothing_worse) {
    struct logs logs;
    const struct series *series;
    size_t count;
    int32_t t[] = {5, 6, 9000}, value[] = {0, 2, 1};
    uint8_t confidence[] = {50, 90, 90};
    struct span span = {START_MS, START_MS + MINUTE_MS};
    logs_init(&logs);
    see(phrase, 1, 0, 10000, 3, t, value, confidence, TIME_LAST);
    see(distance, 1, 0, 10000, 3, t, value, confidence, TIME_LAST);
    store(&logs);
    struct buffer *log = &logs.minutes[0];
    for (size_t at = 0; at < log->size; at++)
        for (int change = 1; change < 256; change++) {
            log->data[at] ^= (uint8_t)change;
            struct bytes copy = {memcpy(malloc(log->size), log->data, log->size), log->size};
            minutes_reader_begin(reader, span, &measures);
            if (!minutes_reader_add(reader, START_MS / MINUTE_MS, copy))
                cr_assert(eq(int, minutes_reader_end(reader, &series, &count), ERR_NONE));
            free((void *)copy.data);
            log->data[at] ^= (uint8_t)change;
        }
    for (size_t size = 1; size < log->size; size++) {
        struct bytes torn = {memcpy(malloc(size), log->data, size), size};
        minutes_reader_begin(reader, span, &measures);
        enum err err = minutes_reader_add(reader, START_MS / MINUTE_MS, torn);
        cr_assert(err == ERR_FORMAT || (err == ERR_NONE && size == (size_t)log->data[0] + 1));
        free((void *)torn.data);
    }
    logs_fini(&logs);
}
