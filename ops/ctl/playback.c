#include "ops/ctl/playback.h"

#include "common/base/idmap.h"
#include "common/wire/body.h"
#include "worker/core/minutes.h"
#include "worker/core/settle.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENCOUNTERS_MAX = 1 << 17,
    ENCOUNTERS_FIRST = 1024,
    OBSERVATIONS_MAX = 1 << 20, // of one encounter
};
static const int64_t LATEST_MS = INT64_MAX / 2; // a recording has no future
static const size_t LOG_BYTES_MAX = (size_t)1 << 30;

/// A minute log: what one batch brought of one counter and minute.
struct entry {
    uint32_t minute;
    uint16_t counter;
    size_t at, size; // in the log
};

struct playback {
    const struct branch *branch;
    const struct measures *measures;
    struct arena arena;
    struct minutes_builder *builder;
    struct minutes_reader *reader;
    struct buffer chunks, log; // of one batch; of all
    struct idmap *places;      // of encounters, by id
    struct played *encounters;
    size_t encounter_count, encounter_room;
    struct entry *entries;
    size_t entry_count, entry_room;
};

struct playback *playback_new(const struct branch *branch, const struct measures *measures) {
    struct playback *playback = calloc(1, sizeof *playback);
    if (!playback) return NULL;
    playback->branch = branch;
    playback->measures = measures;
    buffer_init(&playback->chunks, LOG_BYTES_MAX);
    buffer_init(&playback->log, LOG_BYTES_MAX);
    playback->builder =
        minutes_builder_new(BATCH_OBSERVATIONS_MAX, MINUTES_BATCH_MAX, BATCH_LABELS_MAX);
    playback->reader = minutes_reader_new(OBSERVATIONS_MAX);
    playback->places = idmap_new(ENCOUNTERS_MAX, NAME_SIZE_MAX);
    if (!arena_init(&playback->arena, BODY_ARENA_SIZE) && playback->builder && playback->reader &&
        playback->places)
        return playback;
    playback_free(playback);
    return NULL;
}

void playback_free(struct playback *playback) {
    if (!playback) return;
    arena_fini(&playback->arena);
    minutes_builder_free(playback->builder);
    minutes_reader_free(playback->reader);
    buffer_fini(&playback->chunks);
    buffer_fini(&playback->log);
    idmap_free(playback->places);
    free(playback->encounters);
    free(playback->entries);
    free(playback);
}

/// Room for one more. false: out of memory.
static bool grow(void **items, size_t count, size_t *room, size_t size) {
    if (count < *room) return true;
    size_t more = *room ? 2 * *room : ENCOUNTERS_FIRST;
    void *moved = realloc(*items, more * size);
    if (!moved) return false;
    *items = moved;
    *room = more;
    return true;
}

/// The encounter of this id; a new one if it has none yet. NULL: no room.
static struct played *encounter_of(struct playback *playback, const struct encounter *told,
                                   const struct branch_gateway *gateway) {
    uint32_t place;
    size_t size = strlen(told->id.text);
    if (idmap_get(playback->places, told->id.text, size, &place))
        return &playback->encounters[place];
    place = (uint32_t)playback->encounter_count;
    if (!grow((void **)&playback->encounters, place, &playback->encounter_room,
              sizeof *playback->encounters) ||
        !idmap_put(playback->places, told->id.text, size, place))
        return NULL;
    struct played *played = &playback->encounters[playback->encounter_count++];
    *played = (struct played){.encounter = {.id = told->id,
                                            .gateway = gateway->id,
                                            .issued_ms = TIME_NONE,
                                            .called_ms = TIME_NONE,
                                            .started_ms = TIME_NONE,
                                            .ended_ms = TIME_NONE}};
    return played;
}

static void set_time(int64_t *time, int64_t told) {
    if (told != TIME_NONE) *time = told;
}

/// The fields that are set, over what is known: as the store merges them.
static void merge(struct encounter *encounter, const struct encounter *told) {
    set_time(&encounter->issued_ms, told->issued_ms);
    set_time(&encounter->called_ms, told->called_ms);
    set_time(&encounter->started_ms, told->started_ms);
    set_time(&encounter->ended_ms, told->ended_ms);
    if (told->counter.text[0]) encounter->counter = told->counter;
    if (told->offering.text[0]) encounter->offering = told->offering;
    if (told->outcome != OUTCOME_OPEN) encounter->outcome = told->outcome;
    if (encounter->ended_ms != TIME_NONE && encounter->outcome == OUTCOME_OPEN)
        encounter->outcome = OUTCOME_NORMAL;
}

static enum err add_fact(struct playback *playback, const struct branch_gateway *gateway,
                         const struct fact *fact, uint32_t clock_error_ms) {
    if (fact->kind != FACT_ENCOUNTER && fact->kind != FACT_WITHDRAWN) return ERR_NONE;
    if (fact->kind == FACT_ENCOUNTER && encounter_check(&fact->encounter, NULL)) return ERR_NONE;
    struct played *played = encounter_of(playback, &fact->encounter, gateway);
    if (!played) return ERR_FULL;
    if (clock_error_ms > played->clock_error_ms) played->clock_error_ms = clock_error_ms;
    if (strcmp(played->encounter.gateway.text, gateway->id.text) != 0) played->several = true;
    if (fact->kind == FACT_WITHDRAWN)
        played->withdrawn = true;
    else
        merge(&played->encounter, &fact->encounter);
    return ERR_NONE;
}

/// The batch's chunks, as an ingest call takes them (worker/store/KEYS.md), become entries.
static enum err keep_chunks(struct playback *playback) {
    struct reader reader = reader_of(buffer_bytes(&playback->chunks));
    while (reader_left(&reader) > 0) {
        struct entry entry = {.counter = reader_u16(&reader)};
        entry.minute = reader_u32(&reader);
        reader_u32(&reader); // from, to
        reader_u32(&reader); // observations
        struct bytes chunk = reader_take(&reader, reader_u32(&reader));
        if (reader.failed) return ERR_FORMAT;
        entry.at = playback->log.size;
        entry.size = chunk.size;
        buffer_put(&playback->log, chunk.data, chunk.size);
        if (playback->log.failed || !grow((void **)&playback->entries, playback->entry_count,
                                          &playback->entry_room, sizeof *playback->entries))
            return ERR_FULL;
        playback->entries[playback->entry_count++] = entry;
    }
    return ERR_NONE;
}

static enum err add_series(struct playback *playback, const struct branch_gateway *gateway,
                           const struct batch *batch) {
    size_t observations, chunks, labels;
    enum err err = minutes_room(batch, &observations, &chunks, &labels);
    if (err) return err;
    minutes_builder_clear(playback->builder);
    if (!minutes_fits(playback->builder, observations, chunks, labels)) return ERR_FULL;
    for (size_t i = 0; i < batch->series_count; i++) {
        int counter = branch_counter(playback->branch, &batch->series[i].counter);
        if (counter >= 0)
            minutes_add(playback->builder, &batch->series[i], (uint16_t)counter, gateway->key,
                        batch->clock_error_ms, LATEST_MS);
    }
    buffer_clear(&playback->chunks);
    minutes_finish(playback->builder, &playback->chunks);
    return playback->chunks.failed ? ERR_FULL : keep_chunks(playback);
}

enum err playback_add(struct playback *playback, const struct branch_gateway *gateway,
                      struct bytes body, struct problem *problem) {
    struct batch batch;
    struct body_oddities oddities = {0};
    arena_reset(&playback->arena);
    enum err err =
        body_decode(body, playback->measures, &playback->arena, &batch, &oddities, problem);
    if (err) return err;
    for (size_t i = 0; i < batch.fact_count && !err; i++)
        err = add_fact(playback, gateway, &batch.facts[i], batch.clock_error_ms);
    if (!err) err = add_series(playback, gateway, &batch);
    return err ? problem_set(problem, err, "does not fit into memory; try a shorter recording")
               : ERR_NONE;
}

static int compare_encounters(const void *a, const void *b) {
    const struct encounter *left = &((const struct played *)a)->encounter;
    const struct encounter *right = &((const struct played *)b)->encounter;
    int64_t from = encounter_begin_ms(left), other = encounter_begin_ms(right);
    return from != other ? (from > other) - (from < other) : strcmp(left->id.text, right->id.text);
}

static int compare_entries(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    if (left->counter != right->counter) return left->counter < right->counter ? -1 : 1;
    if (left->minute != right->minute) return left->minute < right->minute ? -1 : 1;
    return (left->at > right->at) - (left->at < right->at);
}

void playback_finish(struct playback *playback) {
    if (playback->encounter_count)
        qsort(playback->encounters, playback->encounter_count, sizeof *playback->encounters,
              compare_encounters);
    if (playback->entry_count)
        qsort(playback->entries, playback->entry_count, sizeof *playback->entries, compare_entries);
}

size_t playback_count(const struct playback *playback) {
    return playback->encounter_count;
}

const struct played *playback_encounter(const struct playback *playback, size_t place) {
    return &playback->encounters[place];
}

/// The first entry of this counter that is not before this minute.
static size_t first_entry(const struct playback *playback, uint16_t counter, uint32_t minute) {
    struct entry wanted = {.counter = counter, .minute = minute};
    size_t low = 0, high = playback->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_entries(&playback->entries[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum err playback_series(struct playback *playback, const struct played *played,
                         const struct series **series, size_t *count) {
    struct span span = settle_span(&played->encounter);
    int counter = branch_counter(playback->branch, &played->encounter.counter);
    *count = 0;
    if (counter < 0) return ERR_REFUSED;
    if (span.to_ms - span.from_ms > INT32_MAX) return ERR_RANGE;
    minutes_reader_begin(playback->reader, span, playback->measures);
    uint32_t last = (uint32_t)((span.to_ms - 1) / MINUTE_MS);
    size_t at = first_entry(playback, (uint16_t)counter, (uint32_t)(span.from_ms / MINUTE_MS));
    for (; at < playback->entry_count; at++) {
        const struct entry *entry = &playback->entries[at];
        if (entry->counter != counter || entry->minute > last) break;
        struct bytes log = {playback->log.data + entry->at, entry->size};
        enum err err = minutes_reader_add(playback->reader, entry->minute, log);
        if (err) return err;
    }
    return minutes_reader_end(playback->reader, series, count);
}
