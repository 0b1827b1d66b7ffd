#include "ops/ctl/gateway_series.h"

#include "ops/ctl/chunks.h"

#include <stdlib.h>

enum {
    TAIL_BYTES = 4 << 20, // of a minute log that is looked at
    FLAT_MEMBERS = 30,
};

static struct gateway_series *series_of(struct gateway_series_list *list, size_t counter,
                                        const struct chunk *chunk) {
    for (size_t i = 0; i < list->count; i++) {
        struct gateway_series *series = &list->items[i];
        if (series->measure == chunk->measure && series->counter == counter &&
            series->gateway_key == chunk->gateway_key)
            return series;
    }
    if (list->count == GATEWAY_SERIES_MAX) return NULL;
    struct gateway_series *series = &list->items[list->count++];
    *series = (struct gateway_series){.measure = chunk->measure,
                                      .counter = counter,
                                      .gateway_key = chunk->gateway_key,
                                      .newest_ms = TIME_NONE};
    return series;
}

static void take_chunk(struct gateway_series_list *list, size_t counter,
                       const struct chunk *chunk) {
    struct gateway_series *series = series_of(list, counter, chunk);
    for (size_t i = 0; series && i < chunk->columns.count; i++) {
        int64_t at_ms = chunk->minute_ms + chunk->columns.t_ms[i];
        int32_t value = chunk->columns.value[i];
        series->moves = series->moves || (series->members > 0 && value != series->value);
        series->members++;
        if (at_ms < series->newest_ms) continue;
        series->newest_ms = at_ms;
        series->value = value;
    }
}

static bool read_minute(struct store_link *link, const struct branch *branch,
                        const struct measures *measures, size_t counter, int64_t minute,
                        struct gateway_series_list *list) {
    static struct chunk chunk;
    char command[64];
    snprintf(command, sizeof command, "GETRANGE %% 0 %d", TAIL_BYTES);
    redisReply *reply = store_key_ask(link, command, branch->id.text, "m:%s:%lld",
                                      branch->counters[counter].text, (long long)minute);
    if (!reply) return false;
    struct reader log = reader_of(reply_bytes(reply));
    while (!chunks_next(&log, measures, minute, &chunk)) // a last piece that was cut is left out
        take_chunk(list, counter, &chunk);
    freeReplyObject(reply);
    return true;
}

bool gateway_series_read(struct store_link *link, const struct branch *branch,
                         const struct measures *measures, struct gateway_series_list *list) {
    bool read = true;
    list->count = 0;
    for (size_t i = 0; read && i < branch->counter_count; i++) {
        redisReply *minutes = store_key_ask(link, "ZRANGE % -2 -1", branch->id.text, "mi:%s",
                                            branch->counters[i].text);
        read = minutes != NULL;
        for (size_t k = 0; read && k < minutes->elements; k++)
            read = read_minute(link, branch, measures, i,
                               strtoll(minutes->element[k]->str, NULL, 10), list);
        if (minutes) freeReplyObject(minutes);
    }
    return read;
}

bool gateway_series_flat(const struct gateway_series *series) {
    const struct measure *measure = series->measure;
    int32_t least, most;
    if (measure->kind != MEASURE_SAMPLES || series->moves || series->members < FLAT_MEMBERS)
        return false;
    measure_limits(measure, &least, &most);
    return measure->uncertainty > measure->resolution && series->value > least &&
           series->value < most;
}
