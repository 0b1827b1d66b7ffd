// What law, agreement, culture, region and branch may do to a standard, and what not.

#include "worker/standards/standards.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct measure measure_items[] = {
    {.id = {"distance.client"},
     .key = 2,
     .unit = "m",
     .resolution = 0.01,
     .most = 20,
     .legal = LEGAL_P1},
    {.id = {"vision.smile"},
     .key = 4,
     .unit = "1",
     .resolution = 0.01,
     .most = 1,
     .legal = LEGAL_P3},
};
static const struct measures measures = {2, measure_items};

static const char standard_text[] =
    "- standard: near\n"
    "  norm: space\n"
    "  dimension: proxemics\n"
    "  status: active\n"
    "  text: {de: Nah, en: Near}\n"
    "  source: Hall\n"
    "  measure: distance.client\n"
    "  during: service\n"
    "  statistic: mean\n"
    "  unit: m\n"
    "  bound: {least: 0.80}\n"
    "  adaptable: {least: [0.60, 1.00]}\n"
    "  evidence: {coverage: 0.5, confidence: 0.5, gap_s: 10}\n"
    "  weight: 1\n"
    "  severity: normal\n"
    "  attribution: employee\n"
    "  tests:\n"
    "    - {given: {started: 0, ended: 10, samples: [[0, 1]]}, expect: met}\n"
    "    - {given: {started: 0, ended: 10, samples: [[0, 0]]}, expect: not_met}\n"
    "    - {given: {started: 0, ended: 10}, expect: insufficient_evidence}\n"
    "- standard: smile\n"
    "  norm: space\n"
    "  dimension: expression\n"
    "  status: active\n"
    "  text: {de: Freundlich, en: Friendly}\n"
    "  source: Made up\n"
    "  measure: vision.smile\n"
    "  during: service\n"
    "  statistic: mean\n"
    "  unit: \"1\"\n"
    "  bound: {least: 0.20}\n"
    "  degree: [[0, 0], [0.2, 1]]\n"
    "  evidence: {coverage: 0.5, confidence: 0.5, gap_s: 10}\n"
    "  weight: 1\n"
    "  severity: normal\n"
    "  attribution: employee\n"
    "  tests:\n"
    "    - {given: {started: 0, ended: 10, samples: [[0, 1]]}, expect: met}\n"
    "    - {given: {started: 0, ended: 10, samples: [[0, 0]]}, expect: not_met}\n"
    "    - {given: {started: 0, ended: 10}, expect: insufficient_evidence}\n";

static struct problems problems;
static struct standards *standards;
static struct standard_set *set;

static void tear_down(void) {
    standard_set_free(set);
    standards_free(standards);
    set = NULL;
    standards = NULL;
}

TestSuite(layers, .fini = tear_down);

static enum err read_overlays(const char *overlays) {
    const struct standards_file files[] = {
        {"values.yaml", bytes_of_text("- {value: respect, text: {de: Achtung, en: Respect}}")},
        {"norms.yaml",
         bytes_of_text("- {norm: space, value: respect, text: {de: Abstand, en: Distance}}")},
        {"offerings.yaml", bytes_of_text("other: {opening_s: 15, closing_s: 15}\nofferings:\n"
                                         "  - {offering: cash, opening_s: 10, closing_s: 10, "
                                         "text: {de: Kasse, en: Cash}}")},
        {"scoring.yaml", bytes_of_text("coverage_floor: 0.5")},
        {"standards/a.yaml", bytes_of_text(standard_text)},
        {"overlays/o.yaml", bytes_of_text(overlays)},
    };
    tear_down();
    problems = (struct problems){0};
    return standards_read(files, sizeof files / sizeof files[0], &measures, &standards, &problems);
}

static enum err resolve(const char *overlays, const char *branch, const char *country) {
    enum err err = read_overlays(overlays);
    problems_print(&problems, stderr);
    cr_assert(eq(int, err, ERR_NONE));
    struct standards_place place = {branch, "north", country};
    return standards_resolve(standards, &place, &set, &problems);
}

static bool told(const char *text) {
    for (size_t i = 0; i < problems.count; i++)
        if (strstr(problems.items[i].text, text)) return true;
    problems_print(&problems, stderr);
    return false;
}

#define OVERLAY(id, layer, rest) "- {overlay: " id ", layer: " layer ", source: s, " rest "}\n"
#define NEAR(id, layer, bound) OVERLAY(id, layer, "standard: near, bound: {" bound "}")

Test(layers, a_lower_layer_may_tighten) {
    cr_assert(eq(int, resolve(NEAR("r", "region", "least: 0.9"), "b", "DE"), ERR_NONE));
    cr_assert(eq(i64, set->items[0].bound.least, 90));
    cr_assert(strstr(set->json, "\"layers\":[{\"bound\":{\"least\":0.9},\"layer\":\"region\"") !=
              NULL);
}

Test(layers, a_lower_layer_may_not_loosen) {
    cr_assert(eq(int, resolve(NEAR("r", "region", "least: 0.7"), "b", "DE"), ERR_CONFLICT));
    cr_assert(told("overlays/o.yaml:1:3: this loosens bound.least of near: company 0.8 m "
                   "(standards/a.yaml:11:10) > region r 0.7 m (overlays/o.yaml:1:3)"));
}

Test(layers, each_layer_builds_on_the_one_above) {
    const char *overlays = NEAR("c", "culture", "least: 0.9") NEAR("b", "branch", "least: 0.85");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_CONFLICT));
    overlays = NEAR("c", "culture", "least: 0.9") NEAR("b", "branch", "least: 0.95, most: 2");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
    cr_assert(eq(i64, set->items[0].bound.least, 95));
    cr_assert(eq(i64, set->items[0].bound.most, 200));
}

Test(layers, a_culture_may_move_what_is_adaptable_within_its_range) {
    cr_assert(eq(int, resolve(NEAR("c", "culture", "least: 0.6"), "b", "DE"), ERR_NONE));
    cr_assert(eq(i64, set->items[0].bound.least, 60));
    cr_assert(eq(int, resolve(NEAR("c", "culture", "least: 0.59"), "b", "DE"), ERR_CONFLICT));
}

Test(layers, not_even_a_culture_may_go_below_the_law) {
    const char *overlays = NEAR("l", "law", "least: 0.7") NEAR("c", "culture", "least: 0.65");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_CONFLICT));
    cr_assert(told("law l 0.7 m"));
    overlays = NEAR("l", "law", "least: 0.7") NEAR("c", "culture", "least: 0.7");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
}

Test(layers, the_company_may_not_loosen_the_law) {
    cr_assert(eq(int, resolve(NEAR("l", "law", "least: 0.9"), "b", "DE"), ERR_CONFLICT));
    cr_assert(told("law l 0.9 m"));
    cr_assert(eq(int, resolve(NEAR("l", "law", "most: 2"), "b", "DE"), ERR_NONE));
    cr_assert(eq(i64, set->items[0].bound.most, 200));
}

Test(layers, two_overlays_of_one_layer_on_one_figure_contradict_each_other) {
    const char *overlays = NEAR("r1", "region", "least: 0.9") NEAR("r2", "region", "least: 0.9");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_CONFLICT));
    cr_assert(told("r2 and r1 (overlays/o.yaml:1:3) of the layer region both set bound.least"));
    overlays = NEAR("r1", "region", "least: 0.9") NEAR("r2", "region", "most: 2");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
}

Test(layers, what_nothing_can_fulfil_is_refused) {
    cr_assert(eq(int, resolve(NEAR("b", "branch", "most: 0.5"), "b", "DE"), ERR_CONFLICT));
    cr_assert(told("nothing can fulfil near"));
}

Test(layers, an_overlay_holds_only_where_it_says) {
    const char *overlays = OVERLAY("b", "branch",
                                   "standard: near, bound: {least: 0.9}, "
                                   "where: {branches: [b], countries: [DE]}");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
    cr_assert(eq(i64, set->items[0].bound.least, 90));
    cr_assert(eq(int, resolve(overlays, "b", "AT"), ERR_NONE));
    cr_assert(eq(i64, set->items[0].bound.least, 80));
}

Test(layers, only_an_agreement_permits_a_visible_expression) {
    cr_assert(eq(int, resolve("[]", "b", "DE"), ERR_NONE));
    cr_assert(set->items[0].permitted);
    cr_assert(not(set->items[1].permitted));
    cr_assert(eq(int, set->items[1].barred_by, REASON_AGREEMENT));
    const char *agreed = OVERLAY("a", "agreement", "permits: [P3], where: {branches: [b]}");
    cr_assert(eq(int, resolve(agreed, "b", "DE"), ERR_NONE));
    cr_assert(set->items[1].permitted);
    cr_assert(eq(int, resolve(agreed, "c", "DE"), ERR_NONE));
    cr_assert(not(set->items[1].permitted));
}

Test(layers, any_layer_may_forbid) {
    const char *overlays =
        OVERLAY("a", "agreement", "permits: [P3]") OVERLAY("b", "branch", "forbids: [P1, P3]");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
    for (size_t i = 0; i < 2; i++) {
        cr_assert(not(set->items[i].permitted));
        cr_assert(eq(int, set->items[i].barred_by, REASON_FORBIDDEN));
    }
}

Test(layers, the_chain_of_a_figure_is_told) {
    cr_assert(eq(int, resolve(NEAR("r", "region", "least: 0.9"), "b", "DE"), ERR_NONE));
    struct buffer out;
    buffer_init(&out, 4096);
    struct standards_place place = {"b", "north", "DE"};
    cr_assert(standards_explain(standards, &place, "near", 4, &out));
    buffer_put_u8(&out, 0);
    cr_assert(eq(str, (char *)out.data,
                 "bound.least: company 0.8 m (standards/a.yaml:11:10) > region r 0.9 m "
                 "(overlays/o.yaml:1:3)\n"));
    buffer_fini(&out);
}

Test(layers, each_mistake_in_an_overlay_is_told) {
    static const struct {
        const char *overlays, *says;
    } broken[] = {
        {OVERLAY("x", "company", "forbids: [P1]"), "the company's figures stand in the standard"},
        {OVERLAY("x", "temporary", "forbids: [P1]"), "the layer temporary is not in this version"},
        {OVERLAY("x", "king", "forbids: [P1]"), "king"},
        {OVERLAY("x", "law", "permits: [P3]"), "only the layer agreement can permit"},
        {OVERLAY("x", "agreement", "permits: [P5]"), "P5"},
        {OVERLAY("x", "region", "standard: none, bound: {least: 1}"), "there is no standard none"},
        {OVERLAY("x", "region", "standard: near"), "bound"},
        {OVERLAY("x", "region", "standard: near, bound: {least: 1}, forbids: [P1]"), "either"},
        {OVERLAY("x", "region", "standard: near, bound: {least: 0.805}"), "not a multiple"},
        {OVERLAY("x", "region", "standard: smile, bound: {least: 0.3}"), "add degree"},
        {OVERLAY("x", "law", "standard: smile, bound: {least: 0.1}, degree: [[0, 0], [1, 1]]"),
         "remove degree"},
        {OVERLAY("x", "law", "forbids: [P1]") OVERLAY("x", "law", "forbids: [P2]"), "twice"},
        {OVERLAY("x", "law", "forbids: [P1], where: {countries: [Deutschland]}"), "two capital"},
        {"- {overlay: x, layer: law, forbids: [P1]}", "source"},
        {"a: b", "list"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        cr_expect(eq(int, read_overlays(broken[i].overlays), ERR_FORMAT), "%s was accepted",
                  broken[i].overlays);
        cr_expect(told(broken[i].says), "%s", broken[i].says);
    }
}
