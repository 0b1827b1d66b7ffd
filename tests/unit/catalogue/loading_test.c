// Editions become plans, whole or not at all.

#include "tests/support/documents.h"
#include "worker/catalogue/loading.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASURES(resolution)                                                                       \
    "- {id: distance.client, kind: samples, unit: m, resolution: " resolution                      \
    ", range: [0, 20], uncertainty: 0.05, legal: P1, text: {de: Abstand, en: Distance}}"
#define STANDARDS(weight)                                                                          \
    "- standard: closest\n"                                                                        \
    "  norm: space\n"                                                                              \
    "  dimension: proxemics\n"                                                                     \
    "  status: active\n"                                                                           \
    "  text: {de: Nah, en: Near}\n"                                                                \
    "  source: Hall\n"                                                                             \
    "  measure: distance.client\n"                                                                 \
    "  during: service\n"                                                                          \
    "  statistic: min\n"                                                                           \
    "  unit: m\n"                                                                                  \
    "  bound: {least: 0.40}\n"                                                                     \
    "  evidence: {coverage: 0.5, confidence: 0.5, gap_s: 10}\n"                                    \
    "  weight: " weight "\n"                                                                       \
    "  severity: normal\n"                                                                         \
    "  attribution: employee\n"                                                                    \
    "  tests:\n"                                                                                   \
    "    - {given: {started: 0, ended: 10, samples: [[0, 1]]}, expect: met}\n"                     \
    "    - {given: {started: 0, ended: 10, samples: [[0, 0]]}, expect: not_met}\n"                 \
    "    - {given: {started: 0, ended: 10, watched: []}, expect: insufficient_evidence}\n"

static const char measures_text[] = MEASURES("0.01");
static struct measure_catalogue measures;
static struct branches branches;
static struct problems problems;

static void set_up(void) {
    struct document *document =
        document_parse("measures.yaml", bytes_of_text(measures_text), &problems);
    cr_assert(measures_read(document_root(document), &measures, &problems));
    document_free(document);
    branches = (struct branches){.count = 1, .items = calloc(1, sizeof *branches.items)};
    strcpy(branches.items[0].id.text, "berlin");
    strcpy(branches.items[0].region.text, "north");
    strcpy(branches.items[0].country, "DE");
}

static void tear_down(void) {
    branches_free(&branches);
    measures_free(&measures);
}

TestSuite(loading, .init = set_up, .fini = tear_down);

static void add(struct editions *editions, int32_t from, const char *measured,
                const char *standards) {
    const struct standards_file files[] = {
        {"values.yaml", bytes_of_text(VALUES_YAML)},
        {"norms.yaml", bytes_of_text(NORMS_YAML)},
        {"offerings.yaml", bytes_of_text(OFFERINGS_YAML)},
        {"scoring.yaml", bytes_of_text(SCORING_YAML)},
        {"standards/a.yaml", bytes_of_text(standards)},
        {"measures.yaml", bytes_of_text(measured ? measured : "")},
    };
    struct edition edition;
    struct problem problem;
    size_t count = sizeof files / sizeof files[0];
    cr_assert(
        eq(int, edition_init(&edition, files, measured ? count : count - 1, &problem), ERR_NONE));
    edition.from = from;
    cr_assert(eq(int, editions_append(editions, &edition, 0), ERR_NONE));
}

/// The plans of all editions; NULL: refused, as problems say. Takes the editions.
static struct plans *load(struct editions *editions) {
    problems = (struct problems){0};
    struct loading *loading = loading_new(&editions, &branches, &measures.measures);
    cr_assert(loading != NULL && editions == NULL);
    struct plans *plans = loading_finish(loading, &problems) ? loading_take(loading) : NULL;
    cr_assert(eq(int, plans == NULL, problems.count > 0));
    loading_free(loading);
    return plans;
}

static struct editions *editions_new(void) {
    return calloc(1, sizeof(struct editions));
}

Test(loading, each_edition_holds_from_its_day_on) {
    struct editions *editions = editions_new();
    add(editions, 0, measures_text, STANDARDS("1"));
    add(editions, 20261201, measures_text, STANDARDS("2"));
    struct plans *plans = load(editions);
    cr_assert(plans != NULL);
    const struct standards_plan *plan = &plans->items[0];
    cr_assert(eq(int, standards_plan_at(plan, 20261130)->items[0].weight, 1));
    cr_assert(eq(int, standards_plan_at(plan, 20261201)->items[0].weight, 2));
    plans_free(plans);
}

// A mistake in the last document of the last edition: nothing of all before it is taken.
Test(loading, one_bad_document_refuses_all_editions) {
    struct editions *editions = editions_new();
    add(editions, 0, measures_text, STANDARDS("1"));
    add(editions, 20261201, measures_text, STANDARDS("0"));
    cr_assert(load(editions) == NULL);
    cr_assert(eq(sz, problems.count, 1));
    cr_assert(strstr(problems.items[0].text, "standards/a.yaml:13:11: ") != NULL);
}

// Batches carry whole numbers of this program's resolution: another one would misjudge them.
Test(loading, measures_of_another_resolution_are_refused) {
    struct editions *editions = editions_new();
    add(editions, 0, MEASURES("0.1"), STANDARDS("1"));
    cr_assert(load(editions) == NULL);
    cr_assert(strstr(problems.items[0].text, "distance.client has another kind, unit or") != NULL);
    cr_assert(strstr(problems.items[0].text, " has another kind, unit or resolution than in ") !=
              NULL);
}

Test(loading, an_edition_without_measures_is_refused) {
    struct editions *editions = editions_new();
    add(editions, 0, NULL, STANDARDS("1"));
    cr_assert(load(editions) == NULL);
    cr_assert(eq(sz, problems.count, 1));
    cr_assert(strstr(problems.items[0].text, "is not among the documents") != NULL);
}
