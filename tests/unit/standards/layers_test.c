// What law, agreement, culture, offering, region, branch and a while may do to a standard, and what
// not.

#include "tests/support/documents.h"
#include "worker/standards/plan.h"
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

static char standard_text[4096] =
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
        {"values.yaml", bytes_of_text(VALUES_YAML)},
        {"norms.yaml", bytes_of_text(NORMS_YAML)},
        {"offerings.yaml", bytes_of_text(OFFERINGS_YAML)},
        {"scoring.yaml", bytes_of_text(SCORING_YAML)},
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
    struct standards_place place = {.branch = branch, .region = "north", .country = country};
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

/// Puts a line into the standard of this id.
static void make_live(const char *id, const char *live) {
    char *at = strstr(standard_text, id);
    at = strstr(at, "  weight: 1\n");
    memmove(at + strlen(live), at, strlen(at) + 1);
    memcpy(at, live, strlen(live));
}

Test(layers, live_alerts_on_persons_need_an_agreement) {
    make_live("near", "  live: true\n");
    cr_assert(eq(int, resolve("[]", "b", "DE"), ERR_NONE));
    cr_assert(set->items[0].live);
    cr_assert(not(set->items[1].live));
    cr_assert(strstr(set->json, "\"live\":true") != NULL);

    make_live("smile", "  live: true\n");
    cr_assert(eq(int, read_overlays(OVERLAY("a", "agreement", "permits: [P3]")), ERR_FORMAT));
    cr_assert(told("standards/a.yaml:35:9: live alerts on a person's words, looks or expression"));
    const char *agreed = OVERLAY("a", "agreement", "permits: [P3]")
        OVERLAY("l", "agreement", "permits: [live], where: {branches: [b]}");
    cr_assert(eq(int, resolve(agreed, "b", "DE"), ERR_NONE));
    cr_assert(set->items[1].live);
    cr_assert(eq(int, resolve(agreed, "c", "DE"), ERR_NONE));
    cr_assert(set->items[1].permitted); // judged afterwards, but nobody is alerted
    cr_assert(not(set->items[1].live));
}

Test(layers, any_layer_may_forbid_live_alerts) {
    make_live("near", "  live: true\n");
    const char *overlays =
        OVERLAY("l", "agreement", "permits: [live]") OVERLAY("b", "branch", "forbids: [live]");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
    cr_assert(set->items[0].permitted);
    cr_assert(not(set->items[0].live));
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

Test(layers, who_set_a_degree_and_who_permits_or_forbids_is_told) {
    const char *overlays = OVERLAY("a", "agreement", "permits: [P3]")
        OVERLAY("r", "region", "standard: smile, bound: {least: 0.2}, degree: [[0.1, 0], [0.2, 1]]")
            OVERLAY("b", "branch", "forbids: [P3], where: {branches: [b]}");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
    struct buffer out;
    buffer_init(&out, 4096);
    struct standards_place place = {.branch = "b", .region = "north", .country = "DE"};
    cr_assert(standards_explain(standards, &place, "smile", 5, &out));
    buffer_put_u8(&out, 0);
    cr_assert(eq(str, (char *)out.data,
                 "bound.least: company 0.2 1 (standards/a.yaml:31:10) > region r 0.2 1 "
                 "(overlays/o.yaml:2:3)\n"
                 "degree: company 0 1 0, 0.2 1 1 (standards/a.yaml:31:10) > region r 0.1 1 0, 0.2 "
                 "1 1 (overlays/o.yaml:2:3)\n"
                 "P3: permitted by agreement a (overlays/o.yaml:1:3)\n"
                 "P3: forbidden by branch b (overlays/o.yaml:3:3)\n"));
    buffer_fini(&out);
}

/// Overlays of one case, in this order or the other way round.
static const char *permissions_text(const char *const overlays[4], bool backwards) {
    static char text[1024];
    text[0] = '\0';
    for (int i = 0; i < 4; i++)
        strcat(text, overlays[backwards ? 3 - i : i]);
    return text[0] ? text : "[]";
}

// All that law (in one country), agreement, branch and a while can say of the two classes, at a
// place with that law and at one without: open is what is open by itself or by agreement, and what
// nobody forbids; who says it first changes nothing.
Test(layers, an_agreement_opens_what_nobody_forbids_and_the_order_is_no_matter) {
#define FORBIDS(id, layer, more)                                                                   \
    {                                                                                              \
        "", OVERLAY(id, layer, "forbids: [P1]" more), OVERLAY(id, layer, "forbids: [P3]" more),    \
            OVERLAY(id, layer, "forbids: [P1, P3]" more)                                           \
    }
    static const char *const law[] = FORBIDS("l", "law", ", where: {countries: [DE]}");
    static const char *const branch[] = FORBIDS("b", "branch", "");
    static const char *const temporary[] =
        FORBIDS("t", "temporary", ", from: 2026-12-01, until: 2026-12-20");
    static const char *const agreement[] = {"", OVERLAY("a", "agreement", "permits: [P3]")};
    int opened = 0, closed = 0;
    for (unsigned i = 0; i < 2 * 4 * 4 * 4 * 2; i++) {
        bool german = i & 1, agreed = i >> 1 & 1;
        unsigned by_law = i >> 2 & 3, by_branch = i >> 4 & 3, by_time = i >> 6 & 3;
        unsigned forbidden = (german ? by_law : 0) | by_branch | by_time; // bit 0: P1, 1: P3
        const char *const overlays[4] = {law[by_law], agreement[agreed], branch[by_branch],
                                         temporary[by_time]};
        char hash[SET_HASH_TEXT_SIZE] = "";
        for (int backwards = 0; backwards < 2; backwards++) {
            const char *text = permissions_text(overlays, backwards);
            cr_assert(eq(int, read_overlays(text), ERR_NONE), "%s", text);
            struct standards_place place = {"b", "north", german ? "DE" : "AT", NULL, 20261210};
            cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
            const struct standard *near = &set->items[0], *smile = &set->items[1];
            cr_assert(eq(int, near->permitted, !(forbidden & 1)), "%s", text);
            cr_assert(eq(int, smile->permitted, agreed && !(forbidden & 2)), "%s", text);
            if (!smile->permitted)
                cr_assert(
                    eq(int, smile->barred_by, forbidden & 2 ? REASON_FORBIDDEN : REASON_AGREEMENT));
            if (backwards) cr_assert(eq(str, set->hash_text, hash), "%s", text);
            memcpy(hash, set->hash_text, sizeof hash);
            opened += smile->permitted;
            closed += agreed && !smile->permitted;
        }
    }
    cr_assert(gt(int, opened, 20));
    cr_assert(gt(int, closed, 100));
#undef FORBIDS
}

Test(layers, the_chain_of_a_figure_is_told) {
    cr_assert(eq(int, resolve(NEAR("r", "region", "least: 0.9"), "b", "DE"), ERR_NONE));
    struct buffer out;
    buffer_init(&out, 4096);
    struct standards_place place = {.branch = "b", .region = "north", .country = "DE"};
    cr_assert(standards_explain(standards, &place, "near", 4, &out));
    buffer_put_u8(&out, 0);
    cr_assert(eq(str, (char *)out.data,
                 "bound.least: company 0.8 m (standards/a.yaml:11:10) > region r 0.9 m "
                 "(overlays/o.yaml:1:3); culture has no figure for DE\n"));
    buffer_fini(&out);
}

Test(layers, each_mistake_in_an_overlay_is_told) {
    static const struct {
        const char *overlays, *says;
    } broken[] = {
        {OVERLAY("x", "company", "forbids: [P1]"), "the company's figures stand in the standard"},
        {OVERLAY("x", "temporary", "forbids: [P1]"), "from"},
        {OVERLAY("x", "offering", "forbids: [P1]"), "where"},
        {OVERLAY("x", "offering", "where: {offerings: [cahs]}, forbids: [P1]"), "offering cahs"},
        {OVERLAY("x", "branch", "where: {offerings: [cash]}, forbids: [P1]"),
         "only the layer offering"},
        {OVERLAY("x", "king", "forbids: [P1]"), "king"},
        {OVERLAY("x", "law", "permits: [P3]"), "only the layer agreement can permit"},
        {OVERLAY("x", "agreement", "permits: [P5]"), "P5"},
        {OVERLAY("x", "region", "standard: none, bound: {least: 1}"),
         "standard none is not in standards/"},
        {OVERLAY("x", "region", "standard: near"), "bound"},
        {OVERLAY("x", "region", "standard: near, bound: {least: 1}, forbids: [P1]"),
         "one of three"},
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

static enum err plan(const char *overlays, struct standards_plan *out) {
    enum err err = read_overlays(overlays);
    problems_print(&problems, stderr);
    cr_assert(eq(int, err, ERR_NONE));
    struct standards_place place = {.branch = "b", .region = "north", .country = "DE"};
    return standards_plan(standards, &place, out, &problems);
}

static bool same_set(const struct standard_set *a, const struct standard_set *b) {
    return strcmp(a->hash_text, b->hash_text) == 0;
}

#define ADVICE "where: {offerings: [cash]}, "

Test(layers, an_offering_has_figures_of_its_own) {
    const char *overlays = OVERLAY("o", "offering", ADVICE "standard: near, bound: {least: 0.9}");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_NONE));
    const struct standard *near = &set->items[0];
    cr_assert(eq(i64, near->bound.least, 80));
    cr_assert(eq(sz, near->variant_count, 1));
    cr_assert(eq(i64, near->variants[0].bound.least, 90));
    cr_assert(eq(u64, near->variants[0].varied, 1));
    cr_assert(strstr(set->json,
                     "\"variants\":[{\"bound\":{\"least\":0.9},\"offerings\":[\"cash\"]") != NULL);
}

// What holds for all must not be loosened by what holds for some.
Test(layers, a_branch_below_an_offering_may_not_loosen_it) {
    const char *overlays = OVERLAY("o", "offering", ADVICE "standard: near, bound: {least: 0.9}")
        NEAR("b", "branch", "least: 0.85");
    cr_assert(eq(int, resolve(overlays, "b", "DE"), ERR_CONFLICT));
    cr_assert(told("offering o 0.9 m"));
}

#define SUSPENDED(until, ids)                                                                      \
    "- {overlay: s, layer: temporary, source: sensor is broken, approver: J. Doe, from: "          \
    "2026-12-01, until: " until ", suspends: [" ids "]}\n"

Test(layers, a_suspension_begins_and_ends_by_itself) {
    struct standards_plan sets;
    cr_assert(eq(int, plan(SUSPENDED("2026-12-31", "near"), &sets), ERR_NONE));
    cr_assert(eq(sz, sets.count, 3));
    static const struct {
        int32_t day;
        bool permitted;
    } days[] = {{20261130, true}, {20261201, false}, {20261231, false}, {20270101, true}};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        const struct standard *near = &standards_plan_at(&sets, days[i].day)->items[0];
        cr_assert(eq(int, near->permitted, days[i].permitted), "%d", days[i].day);
        if (!near->permitted) cr_assert(eq(int, near->barred_by, REASON_SUSPENDED));
    }
    cr_assert(same_set(sets.sets[0].set, sets.sets[2].set));
    standards_plan_fini(&sets);
}

Test(layers, a_suspension_lasts_at_most_90_days) {
    cr_assert(eq(int, read_overlays(SUSPENDED("2027-02-28", "near")), ERR_NONE));
    cr_assert(eq(int, read_overlays(SUSPENDED("2027-03-01", "near")), ERR_FORMAT));
    cr_assert(told("at most 90 days"));
}

Test(layers, a_suspension_needs_who_why_and_until_when) {
    static const struct {
        const char *text, *says;
    } broken[] = {
        {"- {overlay: s, layer: temporary, source: x, from: 2026-12-01, until: 2026-12-02, "
         "suspends: [near]}",
         "approver"},
        {"- {overlay: s, layer: temporary, source: x, approver: y, from: 2026-12-01, suspends: "
         "[near]}",
         "until"},
        {"- {overlay: s, layer: temporary, source: x, approver: y, until: 2026-12-01, suspends: "
         "[near]}",
         "from"},
        {"- {overlay: s, layer: temporary, approver: y, from: 2026-12-01, until: 2026-12-02, "
         "suspends: [near]}",
         "source"},
        {"- {overlay: s, layer: branch, source: x, approver: y, from: 2026-12-01, until: "
         "2026-12-02, suspends: [near]}",
         "only the layer temporary"},
        {"- {overlay: s, layer: temporary, source: x, approver: y, from: 2026-12-01, until: "
         "2026-12-02, suspends: [nera]}",
         "standard nera is not in standards/"},
        {"- {overlay: s, layer: temporary, source: x, approver: y, from: 2026-12-01, until: "
         "2026-11-30, suspends: [near]}",
         "until lies before from"},
        {"- {overlay: s, layer: temporary, source: x, approver: y, from: 2026-02-29, until: "
         "2026-03-02, suspends: [near]}",
         "2026-02-29 is no day"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        cr_assert(eq(int, read_overlays(broken[i].text), ERR_FORMAT), "%zu", i);
        cr_assert(told(broken[i].says), "%zu", i);
    }
}

Test(layers, what_the_law_asks_for_cannot_be_suspended) {
    struct standards_plan sets;
    const char *overlays = NEAR("law", "law", "least: 0.5") SUSPENDED("2026-12-31", "near");
    cr_assert(eq(int, plan(overlays, &sets), ERR_CONFLICT));
    cr_assert(told("near cannot be suspended: law law"));
}

Test(layers, a_figure_may_hold_from_some_day_on) {
    struct standards_plan sets;
    const char *overlays = NEAR("later", "region", "least: 0.9}, from: 2027-01-01, where: {");
    cr_assert(eq(int, plan(overlays, &sets), ERR_NONE));
    cr_assert(eq(sz, sets.count, 2));
    cr_assert(eq(i64, standards_plan_at(&sets, 20261231)->items[0].bound.least, 80));
    cr_assert(eq(i64, standards_plan_at(&sets, 20270101)->items[0].bound.least, 90));
    cr_assert(not(same_set(sets.sets[0].set, sets.sets[1].set)));
    standards_plan_fini(&sets);
}

static uint64_t random_state = 1;
static int random_below(int limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((random_state >> 33) % (uint64_t)limit);
}

// Layers as they are above each other; company is the standard itself.
static const struct random_layer {
    const char *name, *more;
} random_layers[] = {
    {"law", ""},
    {"agreement", ""},
    {"culture", ""},
    {"offering", "where: {offerings: [cash]}, "},
    {"region", ""},
    {"branch", ""},
    {"temporary", "from: 2026-12-01, until: 2026-12-20, "},
};
enum { RANDOM_LAYERS = sizeof random_layers / sizeof random_layers[0], CULTURE = 2 };

/// What a layer of one random case says; 0: nothing.
struct said {
    int least, most; // hundredths of the unit
    bool forbids, suspends;
};

static void write_case(const struct said *said, int layers, char *text, size_t size) {
    size_t at = 0;
    snprintf(text, size, "[]"); // no overlays
    for (int i = 0; i < layers; i++) {
        const char *name = random_layers[i].name, *more = random_layers[i].more;
        if (said[i].least || said[i].most) {
            char least[32] = "", most[32] = "";
            if (said[i].least) snprintf(least, sizeof least, "least: %.2f", said[i].least / 100.0);
            if (said[i].most) snprintf(most, sizeof most, "most: %.2f", said[i].most / 100.0);
            at += (size_t)snprintf(text + at, size - at,
                                   "- {overlay: n%d, layer: %s, %ssource: s, standard: near, "
                                   "bound: {%s%s%s}}\n",
                                   i, name, more, least, *least && *most ? ", " : "", most);
        }
        if (said[i].forbids)
            at += (size_t)snprintf(text + at, size - at,
                                   "- {overlay: f%d, layer: %s, %ssource: s, forbids: [P1]}\n", i,
                                   name, more);
        if (said[i].suspends)
            at +=
                (size_t)snprintf(text + at, size - at,
                                 "- {overlay: s%d, layer: %s, %ssource: s, approver: a, suspends: "
                                 "[near]}\n",
                                 i, name, more);
    }
}

/// The rule, said once more and as simply as possible. false: must be refused.
static bool tightens(const struct said *said, int layers) {
    int least = 0, most = INT32_MAX, law_least = 0;
    bool law = false, suspended = false;
    for (int i = 0; i < layers; i++) {
        if (i == CULTURE) { // the company's own figure lies above the culture's
            if (80 < least) return false;
            least = 80;
        }
        int low = said[i].least, high = said[i].most;
        bool adapts = i == CULTURE && low >= 60 && low <= 100 && low >= law_least;
        if (low && low < least && !adapts) return false;
        if (high && high > most) return false;
        if (low) least = low;
        if (high) most = high;
        if (i < CULTURE && low) law_least = low;
        law |= i < CULTURE && (low || high);
        suspended |= said[i].suspends;
    }
    return least <= most && !(law && suspended);
}

/// The standard as the layers above `layers` leave it, or NULL if they are refused.
static const struct standard *random_case(const struct said *said, int layers) {
    char text[4096];
    write_case(said, layers, text, sizeof text);
    cr_assert(eq(int, read_overlays(text), ERR_NONE), "%s", text);
    struct standards_place place = {"b", "north", "DE", NULL, 20261210};
    enum err err = standards_resolve(standards, &place, &set, &problems);
    if (err) return NULL;
    const struct standard *near = &set->items[0];
    return near->variant_count ? &near->variants[0] : near;
}

// 2,000 random towers of layers: what loosens is refused, and each layer that is taken asks for at
// least as much, and permits at most as much, as all above it.
Test(layers, no_lower_layer_ever_loosens_or_opens_again) {
    int refused = 0, taken = 0;
    for (int round = 0; round < 2000; round++) {
        struct said said[RANDOM_LAYERS] = {0};
        int towers = 1 + random_below(3);
        for (int i = 0; i < RANDOM_LAYERS; i++) {
            if (random_below(3) < towers) said[i].least = 50 + 5 * random_below(14);
            if (random_below(4) == 0) said[i].most = 160 - 5 * random_below(9);
            if (said[i].least > said[i].most && said[i].most) said[i].least = said[i].most;
            said[i].forbids = random_below(12) == 0;
            said[i].suspends = i == RANDOM_LAYERS - 1 && random_below(4) == 0;
        }
        struct bounds above = {0, INT64_MAX};
        bool permitted = true;
        for (int layers = CULTURE + 1; layers <= RANDOM_LAYERS; layers++) {
            const struct standard *near = random_case(said, layers);
            cr_assert(eq(int, near != NULL, tightens(said, layers)), "round %d layer %d", round,
                      layers);
            refused += !near;
            if (!near) break;
            taken++;
            if (layers > CULTURE + 1) {
                cr_assert(ge(i64, near->bound.least, above.least), "round %d", round);
                cr_assert(le(i64, near->bound.most, above.most), "round %d", round);
            }
            cr_assert(permitted || !near->permitted, "round %d", round);
            above = near->bound;
            permitted = near->permitted;
        }
    }
    cr_assert(gt(int, refused, 300));
    cr_assert(gt(int, taken, 300));
}

/// The degree of two corners at a figure in hundredths, in millionths; both ends go on.
static double graded(const int corners[4], int at) {
    if (at <= corners[0]) return corners[1];
    if (at >= corners[2]) return corners[3];
    return corners[1] +
           (double)(corners[3] - corners[1]) * (at - corners[0]) / (corners[2] - corners[0]);
}

static void random_degree(int corners[4]) {
    corners[0] = random_below(19);
    corners[1] = 250000 * random_below(3);
    corners[2] = 20;
    corners[3] = MILLION;
}

// A lower layer could grant a violation more by its degree than by its bound: 1,000 random pairs of
// a region below the company, each compared hundredth by hundredth.
Test(layers, no_lower_layer_ever_loosens_by_its_degree) {
    static const int company[] = {0, 0, 20, MILLION};
    int refused = 0, taken = 0;
    for (int round = 0; round < 1000; round++) {
        int region[4], branch[4];
        char text[1024];
        random_degree(region);
        random_degree(branch);
        bool loosens = false;
        for (int at = 0; at <= 100; at++)
            loosens |=
                graded(region, at) > graded(company, at) || graded(branch, at) > graded(region, at);
        snprintf(text, sizeof text,
                 OVERLAY("r", "region",
                         "standard: smile, bound: {least: 0.2}, degree: [[%.2f, "
                         "%.2f], [0.2, 1]]")
                     OVERLAY("b", "branch",
                             "standard: smile, bound: {least: 0.2}, degree: "
                             "[[%.2f, %.2f], [0.2, 1]]"),
                 region[0] / 100.0, region[1] / 1e6, branch[0] / 100.0, branch[1] / 1e6);
        cr_assert(eq(int, read_overlays(text), ERR_NONE), "%s", text);
        struct standards_place place = {.branch = "b", .region = "north", .country = "DE"};
        enum err err = standards_resolve(standards, &place, &set, &problems);
        cr_assert(eq(int, err != ERR_NONE, loosens), "round %d: %s", round, text);
        refused += err != ERR_NONE;
        taken += err == ERR_NONE;
    }
    cr_assert(gt(int, refused, 100));
    cr_assert(gt(int, taken, 50));
}

Test(layers, a_loosened_degree_is_told_with_the_chain) {
    cr_assert(eq(int,
                 resolve(OVERLAY("r", "region",
                                 "standard: smile, bound: {least: 0.2}, degree: [[0.1, 0.75], "
                                 "[0.2, 1]]"),
                         "b", "DE"),
                 ERR_CONFLICT));
    cr_assert(told("this loosens the degree of smile at 0"));
    cr_assert(told("company 0 (standards/a.yaml:"));
    cr_assert(told(" > region r 0.75 (overlays/o.yaml:1:3)"));
}

// Its bound has to be one that a culture may move at all; then its degree moves with it.
Test(layers, only_a_culture_that_may_move_the_bound_may_grant_more) {
#define GRADED(least)                                                                              \
    OVERLAY("c", "culture",                                                                        \
            "standard: near, bound: {least: " least "}, degree: [[0.1, 0], [" least ", 1]]")
    cr_assert(eq(int, resolve(GRADED("0.7"), "b", "DE"), ERR_NONE));
    cr_assert(eq(sz, set->items[0].degree_count, 2));
    cr_assert(eq(int,
                 resolve(OVERLAY("c", "culture",
                                 "standard: smile, bound: {least: 0.2}, degree: [[0.1, 0.75], "
                                 "[0.2, 1]]"),
                         "b", "DE"),
                 ERR_CONFLICT));
#undef GRADED
}
