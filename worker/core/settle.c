#include "worker/core/settle.h"

#include "worker/engine/decide.h"

#include <assert.h>
#include <string.h>

struct span settle_span(const struct encounter *encounter) {
    int64_t begin_ms = encounter_begin_ms(encounter);
    bool over = encounter->ended_ms != TIME_NONE && encounter->ended_ms > begin_ms;
    // What happens in the very last millisecond still belongs to it.
    return (struct span){begin_ms, (over ? encounter->ended_ms : begin_ms) + 1};
}

enum err settle_series(struct taken *taken, const struct measures *measures,
                       struct minutes_reader *reader, const struct series **series, size_t *count) {
    int64_t minute;
    struct bytes log;
    struct span span = settle_span(&taken->encounter);
    if (span.to_ms - span.from_ms > INT32_MAX) return ERR_RANGE;
    minutes_reader_begin(reader, span, measures);
    enum err err;
    while (!(err = taken_minute(taken, &minute, &log))) {
        err = minutes_reader_add(reader, minute, log);
        if (err) return err;
    }
    return err == ERR_END ? minutes_reader_end(reader, series, count) : err;
}

int64_t settle_counted_ms(const struct encounter *encounter) {
    return encounter->started_ms != TIME_NONE ? encounter->started_ms
                                              : encounter_begin_ms(encounter);
}

static uint8_t contributed(const struct judgement *judgement) {
    return judgement->reason == REASON_UNCONFIRMED ? CONTRIBUTION_UNCONFIRMED
                                                   : (uint8_t)judgement->verdict;
}

static void write_contribution(const struct standard_set *set, const struct encounter *encounter,
                               const struct judgement *judgements, const struct scores *scores,
                               struct buffer *out) {
    struct contribution_standard standards[STANDARDS_MAX];
    assert(set->count <= STANDARDS_MAX);
    for (size_t i = 0; i < set->count; i++)
        standards[i] = (struct contribution_standard){
            .verdict = contributed(&judgements[i]),
            .degree = judgements[i].degree_millionths,
            .coverage = judgements[i].coverage_millionths,
        };
    struct contribution contribution = {
        .outcome = (uint8_t)encounter->outcome,
        .scores = {scores->overall},
        .count = set->count,
        .standards = standards,
    };
    memcpy(contribution.scores + 1, scores->dimensions, sizeof scores->dimensions);
    contribution_write(&contribution, out);
}

enum err settle_write(const struct taken *taken, const struct zone *zone,
                      const struct standard_set *set, const struct judgement *judgements,
                      const struct scores *scores, struct buffer *contribution,
                      struct buffer *verdicts, struct settle_call *call) {
    _Static_assert(SCORES == 1 + DIMENSION_COUNT && VERDICTS == (int)VERDICT_COUNT,
                   "stored vectors follow the engine's words");
    const struct encounter *encounter = &taken->encounter;
    buffer_clear(contribution);
    buffer_clear(verdicts);
    if (judgements) {
        write_contribution(set, encounter, judgements, scores, contribution);
        verdicts_write(set, judgements, scores, verdicts);
    }
    if (contribution->no_memory || verdicts->no_memory) return ERR_NOMEM;
    assert(!contribution->failed && !verdicts->failed && "a set within its limits has room");
    *call = (struct settle_call){
        .encounter = encounter->id,
        .contribution = buffer_bytes(contribution),
        .verdicts = buffer_bytes(verdicts),
    };
    for (size_t i = 0; judgements && i < set->count; i++)
        call->waits |= judgement_waits(&set->items[i], &judgements[i]);
    memcpy(call->set.text, set->hash_text, sizeof set->hash_text);
    time_day_text(zone, settle_counted_ms(encounter), call->day);
    time_hour_text(zone, settle_counted_ms(encounter), call->hour);
    return ERR_NONE;
}
