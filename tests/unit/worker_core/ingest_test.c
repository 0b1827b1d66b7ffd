// What a fold is let in by the bounds that it is handed in by.

#include "worker/core/ingest.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct id counters[] = {{"desk-1"}};
static uint16_t all_counters[] = {0};
static struct branch_gateway gateways[] = {
    {.id = {"desk"}, .counter_count = 1, .counters = all_counters}};
static const struct branch branch = {.id = {"a"},
                                     .counter_count = 1,
                                     .counters = counters,
                                     .gateway_count = 1,
                                     .gateways = gateways};
static struct measure measure = {.id = {"audio.phrase"}, .key = 1, .kind = MEASURE_EVENTS};

enum { LABELS = 256, MINUTES = BATCH_OBSERVATIONS_MAX / LABELS, APART_MS = MINUTE_MS / LABELS };

static struct tag tag_of(uint64_t number) {
    return (struct tag){{(uint8_t)(number - 1), 0, 0, 0, (uint8_t)number}};
}

/// The batch of that number, in which every minute has all labels, each as long as can be, once.
static const struct batch *wordy(uint64_t number) {
    static struct name labels[LABELS];
    static int32_t t_ms[BATCH_OBSERVATIONS_MAX], value[BATCH_OBSERVATIONS_MAX];
    static uint8_t confidence[BATCH_OBSERVATIONS_MAX];
    static struct batch_series series = {.measure = &measure,
                                         .counter = {"desk-1"},
                                         .label_count = LABELS,
                                         .labels = labels,
                                         .columns = {.count = BATCH_OBSERVATIONS_MAX,
                                                     .t_ms = t_ms,
                                                     .value = value,
                                                     .confidence = confidence}};
    static const struct batch batch = {.series_count = 1, .series = &series};
    series.base_ms = (int64_t)number * MINUTES * MINUTE_MS;
    series.watched = (struct span){series.base_ms, series.base_ms + MINUTES * MINUTE_MS};
    for (int i = 0; i < LABELS; i++) {
        memset(labels[i].text, 'x', NAME_SIZE_MAX);
        labels[i].text[0] = (char)('a' + i % 16);
        labels[i].text[1] = (char)('a' + i / 16);
    }
    for (int i = 0; i < BATCH_OBSERVATIONS_MAX; i++) {
        t_ms[i] = i / LABELS * MINUTE_MS + i % LABELS * APART_MS;
        value[i] = i % LABELS;
    }
    return &batch;
}

// A minute says each of its labels anew: they may take more than all else that was observed.
Test(ingest, a_fold_of_long_labels_can_be_handed_in) {
    struct ingest_limits limits = ingest_limits_default();
    struct ingest *ingest = ingest_new(&limits);
    struct problem problem;
    struct fold fold;
    enum err err = ERR_NONE;
    ingest_begin(ingest, &branch, 7);
    for (uint64_t number = 1; !err; number++) {
        struct envelope envelope = {.epoch = 1, .number = number, .tag = tag_of(number)};
        err = ingest_add(ingest, &envelope, wordy(number), NULL, DAY_MS, &problem);
    }
    cr_assert(eq(int, err, ERR_FULL));
    cr_assert(gt(sz, ingest_batches(ingest), 16));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(le(sz, fold.chunks.size, limits.bytes));
    ingest_free(ingest);
}
