// The figures of a scorecard, from the sums of a branch.

#include "ops/ctl/card.h"
#include "worker/engine/spread.h"

/// Counts, and the share met among what has an outcome.
static void set_counts(json_t *object, const struct card_counts *counts) {
    double low, high;
    const uint32_t *verdicts = counts->verdicts;
    json_object_set_new(object, "verdicts", verdicts_json(verdicts));
    json_object_set_new(object, "unconfirmed", json_integer(counts->unconfirmed));
    uint64_t met = verdicts[VERDICT_MET];
    uint64_t judged = met + verdicts[VERDICT_PARTLY_MET] + verdicts[VERDICT_NOT_MET];
    if (wilson_interval(met, judged, &low, &high)) {
        json_object_set_new(object, "share_met", json_null());
        json_object_set_new(object, "interval", json_null());
        return;
    }
    json_object_set_new(object, "share_met", json_real((double)met / (double)judged));
    json_object_set_new(object, "interval", json_pack("[f, f]", low, high));
}

/// Sums are millionths.
static json_t *mean(int64_t sum, uint32_t count) {
    return count ? json_real((double)sum / count / MILLION) : json_null();
}

static json_t *standard_json(const struct card_row *row) {
    json_t *object = json_object();
    static const char *const keys[] = {"id", "norm", "value", "status", "severity"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set_new(object, keys[i], json_string(standard_text(row->standard, keys[i])));
    json_object_set(object, "text", json_object_get(row->standard, "text"));
    struct card_counts counts = {0};
    card_count(&counts, &row->sum);
    set_counts(object, &counts);
    json_object_set_new(object, "degree", mean(row->sum.degree_sum, row->sum.degree_count));
    json_object_set_new(object, "coverage", mean(row->sum.coverage_sum, row->sum.coverage_count));
    return object;
}

static json_t *dimension_json(const struct card *card, enum dimension dimension) {
    struct card_counts counts = {0};
    json_t *standards = json_array(), *object = json_object();
    for (size_t i = 0; i < card->row_count; i++) {
        const struct card_row *row = &card->rows[i];
        if (row->dimension != dimension || row->shadow) continue;
        json_array_append_new(standards, standard_json(row));
        card_count(&counts, &row->sum);
    }
    int score = 1 + (int)dimension;
    json_object_set_new(object, "dimension", json_string(dimension_name(dimension)));
    set_counts(object, &counts);
    json_object_set_new(object, "score",
                        mean(card->total.score_sum[score], card->total.score_count[score]));
    json_object_set_new(object, "scored", json_integer(card->total.score_count[score]));
    json_object_set_new(object, "standards", standards);
    return object;
}

/// The verdicts of all standards of one severity: what must not drown in a mean.
static json_t *severity_json(const struct card_counts *counts) {
    json_t *object = json_object();
    set_counts(object, counts);
    return object;
}

/// Standards on trial: the verdicts that they would have added.
static json_t *shadow_json(const struct card *card) {
    json_t *array = json_array();
    for (size_t i = 0; i < card->row_count; i++) {
        const struct card_row *row = &card->rows[i];
        if (!row->shadow) continue;
        json_t *object = standard_json(row);
        json_object_set_new(object, "dimension", json_string(dimension_name(row->dimension)));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *outcomes_json(const struct cell *total) {
    json_t *object = json_object();
    for (int i = 0; i < OUTCOMES; i++)
        json_object_set_new(object, outcome_name((enum outcome)(i + 1)),
                            json_integer(total->outcomes[i]));
    return object;
}

json_t *card_json(const char *branch, const struct card *card) {
    json_t *object = json_object(), *dimensions = json_array(), *sets = json_array(), *set;
    for (int i = 0; i < DIMENSION_COUNT; i++)
        json_array_append_new(dimensions, dimension_json(card, (enum dimension)i));
    size_t s;
    json_array_foreach(card->sets, s, set) {
        json_array_append(sets, json_object_get(set, "hash"));
    }
    json_object_set_new(object, "branch", json_string(branch));
    json_object_set(object, "days", card->days);
    json_object_set_new(object, "sets", sets);
    json_object_set_new(object, "encounters", json_integer(card->total.encounters));
    json_object_set_new(object, "provisional", json_integer(card->total.provisional));
    json_object_set_new(object, "outcomes", outcomes_json(&card->total));
    json_object_set_new(object, "score",
                        mean(card->total.score_sum[0], card->total.score_count[0]));
    json_object_set_new(object, "scored", json_integer(card->total.score_count[0]));
    json_object_set_new(object, "dimensions", dimensions);
    json_object_set_new(object, "severities",
                        json_pack("{s:o, s:o}", severity_names[SEVERITY_CRITICAL],
                                  severity_json(&card->severities[SEVERITY_CRITICAL]),
                                  severity_names[SEVERITY_AUTO_FAIL],
                                  severity_json(&card->severities[SEVERITY_AUTO_FAIL])));
    json_object_set_new(object, "shadow", shadow_json(card));
    return object;
}
