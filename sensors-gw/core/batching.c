#include "sensors-gw/core/batching_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BRIDGES_MAX = 4096 }; // series

// ------------------------------------------------------------------ life

struct batching *batching_new(const struct batching_limits *limits, size_t source_count,
                              int64_t watermark_ms, batching_take *take, void *context) {
    assert(limits->observations_max >= 1 && limits->observations_max <= BATCH_OBSERVATIONS_MAX);
    assert(limits->body_max >= 8192 && limits->body_max <= BATCH_BODY_MAX);
    struct batching *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->limits = *limits;
    b->take = take;
    b->context = context;
    b->source_count = source_count;
    b->floor_ms = b->promised_ms = watermark_ms;
    b->sources = calloc(source_count ? source_count : 1, sizeof *b->sources);
    b->counters = idmap_new(limits->counter_count ? limits->counter_count : 1, ID_MAX);
    b->bridges = bridges_new(BRIDGES_MAX);
    if (!b->sources || !b->counters || !b->bridges) {
        batching_free(b);
        return NULL;
    }
    for (size_t i = 0; i < source_count; i++)
        b->sources[i] = (struct source){.batching = b, .watermark_ms = TIME_NONE};
    for (size_t i = 0; i < limits->counter_count; i++) {
        const char *text = limits->counters[i].text;
        bool stored = idmap_put(b->counters, text, strlen(text), (uint32_t)i);
        assert(stored);
        (void)stored;
    }
    batching_clear(b);
    return b;
}

void batching_free(struct batching *b) {
    if (!b) return;
    idmap_free(b->counters);
    bridges_free(b->bridges);
    free(b->sources);
    free(b);
}

void batching_observe(struct batching *b, batching_observer *observer, void *context) {
    b->observer = observer;
    b->observer_context = context;
}

struct source *batching_source(struct batching *b, size_t index) {
    assert(index < b->source_count);
    return &b->sources[index];
}

// ------------------------------------------------------------------ oddities

void batching_odd(struct batching *b, const char *name) {
    for (size_t i = 0; i < b->oddity_count; i++)
        if (b->oddities[i].name == name || !strcmp(b->oddities[i].name, name)) {
            b->oddities[i].count++;
            return;
        }
    assert(b->oddity_count < ODDITIES_MAX); // names are literals in our own code
    b->oddities[b->oddity_count++] = (struct oddity){.name = name, .count = 1};
}

void batching_oddity(struct source *source, const char *name) {
    batching_odd(source->batching, name);
}

bool batching_oddity_at(const struct batching *b, size_t index, const char **name,
                        uint64_t *count) {
    if (index >= b->oddity_count) return false;
    *name = b->oddities[index].name;
    *count = b->oddities[index].count;
    return true;
}

// ------------------------------------------------------------------ watermark

void batching_watermark(struct source *source, int64_t t_ms) {
    if (!time_plausible(t_ms))
        batching_odd(source->batching, "bad_watermark");
    else if (t_ms > source->watermark_ms)
        source->watermark_ms = t_ms;
}

void batching_end(struct source *source) {
    source->ended = true;
}

int64_t batching_watermark_ms(const struct batching *b) {
    int64_t least = INT64_MAX, most = TIME_NONE;
    for (size_t i = 0; i < b->source_count; i++) {
        const struct source *source = &b->sources[i];
        if (!source->ended && source->watermark_ms < least) least = source->watermark_ms;
        if (source->watermark_ms > most) most = source->watermark_ms;
    }
    int64_t now = least == INT64_MAX ? most : least; // all have ended: nothing comes any more
    return now > b->promised_ms ? now : b->promised_ms;
}

int64_t batching_others_ms(const struct source *source) {
    const struct batching *b = source->batching;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < b->source_count; i++) {
        const struct source *other = &b->sources[i];
        if (other != source && !other->ended && other->watermark_ms < least)
            least = other->watermark_ms;
    }
    return least == INT64_MAX ? TIME_NONE : least;
}

// ------------------------------------------------------------------ when a batch ends

void batching_cut(struct batching *b) {
    if (waiting(b)) batching_hand_out(b);
}

void batching_cut_watermark(struct batching *b) {
    if (waiting(b) || batching_watermark_ms(b) > b->promised_ms) batching_hand_out(b);
}

void batching_now(struct batching *b, uint64_t now_ms) {
    b->now_ms = now_ms;
}

uint64_t batching_deadline_ms(const struct batching *b) {
    return waiting(b) ? b->since_ms + b->limits.linger_ms : UINT64_MAX;
}
