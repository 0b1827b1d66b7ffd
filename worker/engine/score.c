#include "worker/engine/score.h"

/// Weights of the standards that applied and of those that have an outcome.
struct weights {
    int64_t applied, judged, fulfilled; // fulfilled: weight x degree in millionths
};

static void add(struct weights *weights, uint16_t weight, const struct judgement *judgement) {
    switch (judgement->verdict) {
    case VERDICT_MET:
    case VERDICT_PARTLY_MET:
    case VERDICT_NOT_MET:
        weights->judged += weight;
        weights->fulfilled += (int64_t)weight * judgement->degree_millionths;
        weights->applied += weight;
        return;
    case VERDICT_INSUFFICIENT_EVIDENCE:
    case VERDICT_ERROR:
        weights->applied += weight;
        return;
    case VERDICT_NOT_APPLICABLE:
    case VERDICT_EXCUSED:
    case VERDICT_NOT_SELECTED:
    case VERDICT_COUNT:
        return;
    }
}

static bool enough(const struct weights *weights, int32_t floor_millionths) {
    return weights->judged > 0 &&
           weights->judged * MILLION >= weights->applied * (int64_t)floor_millionths;
}

void score_encounter(const struct standard_set *set, const struct judgement *judgements,
                     struct scores *scores) {
    struct weights dimensions[DIMENSION_COUNT] = {0}, all = {0};
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].status == STATUS_SHADOW) continue;
        add(&dimensions[set->items[i].dimension], set->items[i].weight, &judgements[i]);
        add(&all, set->items[i].weight, &judgements[i]);
    }
    int64_t sum = 0, count = 0; // of what the score is the mean of
    for (size_t d = 0; d < DIMENSION_COUNT; d++) {
        scores->dimensions[d] = -1;
        if (!enough(&dimensions[d], set->coverage_floor_millionths)) continue;
        scores->dimensions[d] = (int32_t)(dimensions[d].fulfilled / dimensions[d].judged);
        sum += scores->dimensions[d];
        count++;
    }
    if (set->score_model == SCORE_FLAT) sum = all.fulfilled, count = all.judged;
    bool scored = count > 0 && enough(&all, set->coverage_floor_millionths);
    scores->overall = scored ? (int32_t)(sum / count) : -1;
    scores->coverage_millionths =
        all.applied > 0 ? (int32_t)(all.judged * MILLION / all.applied) : -1;
}
