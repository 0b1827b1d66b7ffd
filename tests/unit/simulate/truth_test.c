// The simulator's branches through the engine: what is judged is what was true. The truth comes
// from how the simulated people behaved, never from the engine.

#include "sensors-gw/simulate/senses.h"
#include "sensors-gw/simulate/truth.h"
#include "worker/catalogue/catalogue.h"
#include "worker/engine/evaluate.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

enum { SEEDS = 200, SERVICE_MOST = 3600, SERIES = QUANTITY_COUNT + 1 };

static const int64_t opened_ms = 1795420800000;

static struct problems problems;
static struct catalogue catalogue;
static struct standard_set *set;

/// The shipped standards, as they hold where a works council agreed to all of them.
static void set_up(void) {
    struct standards_place place = {.branch = "musterstadt", .region = "north", .country = "DE"};
    cr_assert(catalogue_load(CONFIG_FOLDER, &catalogue, &problems));
    cr_assert(eq(int, standards_resolve(catalogue.standards, &place, &set, &problems), ERR_NONE));
}

static void tear_down(void) {
    standard_set_free(set);
    catalogue_free(&catalogue);
}

TestSuite(truth, .init = set_up, .fini = tear_down);

static void trust_every_sample(void) {
    for (size_t i = 0; i < set->count; i++) {
        set->items[i].uncertainty = 0;
        for (size_t k = 0; k < set->items[i].variant_count; k++)
            set->items[i].variants[k].uncertainty = 0;
    }
}

// ------------------------------------------------------------------ what the engine is given

/// The series of one visit; of one more than needed there is room for the phrases.
static struct {
    struct series series[SERIES];
    struct span watched;
    struct name labels[PHRASE_COUNT];
    int32_t t_ms[SERIES][SERVICE_MOST], value[SERIES][SERVICE_MOST];
    uint8_t confidence[SERIES][SERVICE_MOST];
} seen;

static struct series *series_begin(size_t place, const char *measure) {
    struct series *series = &seen.series[place];
    *series = (struct series){
        .measure = measures_find(&catalogue.measures.measures, measure, strlen(measure)),
        .base_ms = seen.watched.from_ms,
        .span_count = 1,
        .spans = &seen.watched,
        .columns = {.t_ms = seen.t_ms[place],
                    .value = seen.value[place],
                    .confidence = seen.confidence[place]},
    };
    cr_assert(series->measure != NULL, "%s", measure);
    return series;
}

static void put(struct series *series, int64_t at_ms, int32_t value, uint8_t confidence) {
    struct columns *columns = &series->columns;
    cr_assert(lt(sz, columns->count, SERVICE_MOST));
    columns->t_ms[columns->count] = (int32_t)(at_ms - series->base_ms);
    columns->value[columns->count] = value;
    columns->confidence[columns->count++] = confidence;
}

static void see(const struct senses *senses, const struct visit *v, int64_t day) {
    int64_t started_ms = opened_ms + v->started_s * 1000;
    int32_t service_s = v->ended_s - v->started_s;
    seen.watched = (struct span){started_ms - 60000, opened_ms + v->ended_s * 1000 + 60000};
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        struct series *series = series_begin((size_t)q, quantity_forms[q].measure);
        for (int32_t s = 0; s < service_s; s += quantity_forms[q].every_s) {
            struct sensed sensed =
                senses_sample(senses, (enum quantity)q, series->measure, v, day, s);
            int32_t stored;
            cr_assert(eq(int, measure_quantize(series->measure, sensed.value, &stored), ERR_NONE));
            put(series, started_ms + s * 1000, stored, sensed.confidence);
        }
    }
    struct series *phrases = series_begin(QUANTITY_COUNT, PHRASE_MEASURE);
    phrases->labels = seen.labels;
    phrases->label_count = PHRASE_COUNT;
    for (int i = 0; i < PHRASE_COUNT; i++)
        cr_assert(name_set(&seen.labels[i], phrase_names[i], strlen(phrase_names[i])));
    for (int32_t s = 0; s < service_s; s++) {
        struct heard heard[HEARD_MAX];
        int count = senses_hear(senses, v, day, s, heard);
        for (int i = 0; i < count; i++)
            put(phrases, started_ms + s * 1000 + heard[i].late_ms, (int32_t)heard[i].phrase,
                heard[i].confidence);
    }
}

static int64_t instant(int32_t second) {
    return second < 0 ? TIME_NONE : opened_ms + second * 1000;
}

/// A visit as its gateway tells it, judged.
static void judge(const struct senses *senses, const struct visit *v, int64_t day,
                  struct judgement *judgements) {
    struct encounter encounter = {.outcome = v->outcome,
                                  .issued_ms = instant(v->issued_s),
                                  .called_ms = instant(v->called_s),
                                  .started_ms = instant(v->started_s),
                                  .ended_ms = instant(v->ended_s)};
    cr_assert(id_set(&encounter.offering, v->offering->name, strlen(v->offering->name)));
    cr_assert(eq(int, encounter_check(&encounter, &(struct problem){0}), ERR_NONE));
    size_t series = 0;
    if (v->started_s >= 0) {
        see(senses, v, day);
        series = SERIES;
    }
    struct scores scores;
    engine_evaluate(set, &encounter, seen.series, series, &(struct engine_context){0}, judgements,
                    &scores);
}

// ------------------------------------------------------------------ the branches

/// How often what was true was judged how.
struct tally {
    uint32_t met, not_met; // truly
    uint32_t right;
    uint32_t accused;   // truly met, judged as not
    uint32_t undecided; // for want of certainty
};

static void compare(const struct truth *truth, const struct judgement *judgement, bool exactly,
                    struct tally *tally) {
    bool met = judgement->verdict == VERDICT_MET;
    bool violated =
        judgement->verdict == VERDICT_NOT_MET || judgement->verdict == VERDICT_PARTLY_MET;
    if (truth->says == TRUTH_NOT_APPLICABLE) {
        cr_assert(eq(int, judgement->verdict, VERDICT_NOT_APPLICABLE), "%s", truth->standard);
        return;
    }
    bool truly = truth->says == TRUTH_MET;
    (*(truly ? &tally->met : &tally->not_met))++;
    tally->right += truly ? met : violated;
    tally->accused += truly && violated;
    tally->undecided += !met && !violated;
    if (!exactly) return;
    cr_assert(truly ? met : violated, "%s: truly %s (%g), judged %s (%s, %g)", truth->standard,
              truly ? "met" : "not met", truth->value, verdict_name(judgement->verdict),
              reason_name(judgement->reason), judgement->measured);
    cr_assert(isnan(truth->value) == isnan(judgement->measured), "%s", truth->standard);
    if (!isnan(truth->value))
        cr_assert(epsilon_eq(dbl, judgement->measured, truth->value, 1e-4), "%s", truth->standard);
}

static const char *ids[TRUTHS]; // of the standards that the truth speaks of

static void play(uint64_t seed, double noise, struct tally tallies[TRUTHS]) {
    static struct visit visits[VISITS_MAX];
    static struct judgement judgements[STANDARDS_MAX];
    const struct branch_form branch = {.seed = seed,
                                       .counters = 2,
                                       .employees = 4,
                                       .open_s = 3 * 3600,
                                       .clients_an_hour = 25,
                                       .person_share = 0.3,
                                       .day_share = 0.2};
    const struct senses senses = {seed, noise};
    int64_t day = (int64_t)(20000 + seed);
    uint32_t count = day_draw(&branch, day, visits);
    cr_assert(gt(u32, count, 20));
    for (uint32_t i = 0; i < count; i++) {
        struct truth truths[TRUTHS];
        truth_tell(&visits[i], truths);
        judge(&senses, &visits[i], day, judgements);
        for (size_t k = 0; k < TRUTHS; k++) {
            size_t at = 0;
            const char *id = truths[k].standard;
            cr_assert(standard_set_find(set, id, strlen(id), &at), "%s", id);
            ids[k] = id;
            compare(&truths[k], &judgements[at], noise <= 0, &tallies[k]);
        }
    }
}

Test(truth, is_what_sensors_without_uncertainty_are_judged_by) {
    struct tally tallies[TRUTHS] = {0};
    trust_every_sample();
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play(seed, 0, tallies);
    for (size_t i = 0; i < TRUTHS; i++) { // both happen: a test that cannot fail shows nothing
        const char *id = ids[i];
        cr_assert(eq(u32, tallies[i].right, tallies[i].met + tallies[i].not_met), "%s", id);
        cr_assert(ge(u32, tallies[i].met, 1000), "%s", id);
        cr_assert(ge(u32, tallies[i].not_met, 100), "%s", id);
    }
}

// The guard band: an uncertain sensor accuses next to nobody, and still decides most cases.
Test(truth, is_seldom_denied_by_sensors_as_uncertain_as_they_say) {
    struct tally tallies[TRUTHS] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play(seed, 1, tallies);
    for (size_t i = 0; i < TRUTHS; i++) {
        const struct tally *t = &tallies[i];
        const char *id = ids[i];
        cr_assert(le(dbl, t->accused, 0.025 * t->met), "%s: %u of %u", id, t->accused, t->met);
        cr_assert(ge(dbl, t->right, 0.75 * (t->met + t->not_met)), "%s: %u of %u", id, t->right,
                  t->met + t->not_met);
    }
}
