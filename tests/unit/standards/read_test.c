// What is wrong with a file is told with its place and the way out; nothing is guessed.

#include "tests/support/documents.h"
#include "worker/standards/standards.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct measure measure_items[] = {
    {.id = {"audio.phrase"}, .key = 1, .kind = MEASURE_EVENTS, .legal = LEGAL_P2},
    {.id = {"distance.client"},
     .key = 2,
     .unit = "m",
     .resolution = 0.01,
     .most = 20,
     .uncertainty = 0.05,
     .legal = LEGAL_P1},
    {.id = {"vision.iris"},
     .key = 5,
     .unit = "1",
     .resolution = 0.01,
     .most = 1,
     .legal = LEGAL_P4},
    {.id = {"vision.joy"}, .key = 3, .unit = "1", .resolution = 0.01, .most = 1, .legal = LEGAL_P5},
    {.id = {"vision.smile"},
     .key = 4,
     .unit = "1",
     .resolution = 0.01,
     .most = 1,
     .uncertainty = 0.1,
     .legal = LEGAL_P3},
};
static const struct measures measures = {5, measure_items};

// One file of each kind; a test replaces a piece of one.
static const struct {
    const char *name, *text;
} good[] = {
    {"values.yaml", VALUES_YAML},
    {"norms.yaml", NORMS_YAML},
    {"offerings.yaml", OFFERINGS_YAML},
    {"scoring.yaml", SCORING_YAML},
    {"standards/a.yaml", "- standard: proxemics.closest\n"
                         "  norm: space\n"
                         "  dimension: proxemics\n"
                         "  status: active\n"
                         "  text: {de: Nicht zu nah, en: Not too close}\n"
                         "  source: Hall\n"
                         "  measure: distance.client\n"
                         "  during: service\n"
                         "  statistic: min\n"
                         "  unit: m\n"
                         "  bound: {least: 0.45}\n"
                         "  evidence: {coverage: 0.5, confidence: 0.5, gap_s: 10}\n"
                         "  weight: 1\n"
                         "  severity: normal\n"
                         "  attribution: employee\n"
                         "  applies: {offerings: [cash]}\n"
                         "  tests:\n"
                         "    - given: {started: 0, ended: 10, offering: cash, samples: [[0, 1]]}\n"
                         "      expect: met\n"
                         "    - given: {started: 0, ended: 10, offering: cash, samples: [[0, 0]]}\n"
                         "      expect: not_met\n"
                         "    - given: {started: 0, ended: 10, offering: cash, watched: []}\n"
                         "      expect: insufficient_evidence\n"},
};
enum { FILES = sizeof good / sizeof good[0], TEXT_MAX = 8192 };

static struct problems problems;
static struct standards *standards;
static char texts[FILES][TEXT_MAX];

static void set_up(void) {
    for (size_t i = 0; i < FILES; i++)
        strcpy(texts[i], good[i].text);
}

static void tear_down(void) {
    standards_free(standards);
    standards = NULL;
}

TestSuite(read, .init = set_up, .fini = tear_down);

static void replace(size_t file, const char *old, const char *new) {
    char *at = strstr(texts[file], old), rest[TEXT_MAX];
    cr_assert(at != NULL, "%s has no %s", good[file].name, old);
    strcpy(rest, at + strlen(old));
    strcpy(at, new);
    strcat(at, rest);
}

static enum err read_all(void) {
    struct standards_file files[FILES];
    for (size_t i = 0; i < FILES; i++)
        files[i] = (struct standards_file){good[i].name, bytes_of_text(texts[i])};
    problems = (struct problems){0};
    standards_free(standards);
    standards = NULL;
    return standards_read(files, FILES, &measures, &standards, &problems);
}

static size_t set_count(const char *branch, const char *country) {
    struct standard_set *set;
    struct standards_place place = {.branch = branch, .region = "north", .country = country};
    cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
    size_t count = set->count;
    standard_set_free(set);
    return count;
}

Test(read, the_good_files_are_good) {
    enum err err = read_all();
    problems_print(&problems, stderr);
    cr_assert(eq(int, err, ERR_NONE));
    cr_assert(eq(sz, standards_warnings(standards)->count, 0));
    cr_assert(eq(sz, set_count("b", "DE"), 1));
}

/// The hash of the set by which encounters are scored in this way.
static void hash_scored(const char *scoring, enum score_model model, char *hash) {
    struct standard_set *set;
    struct standards_place place = {.branch = "b", .region = "north", .country = "DE"};
    strcpy(texts[3], scoring);
    cr_assert(eq(int, read_all(), ERR_NONE));
    cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
    cr_assert(eq(int, set->score_model, model));
    strcpy(hash, set->hash_text);
    standard_set_free(set);
}

// Sets that score differently must never be taken for each other.
Test(read, the_model_of_scores_is_a_part_of_the_hash) {
    char usual[SET_HASH_TEXT_SIZE], named[SET_HASH_TEXT_SIZE], flat[SET_HASH_TEXT_SIZE];
    hash_scored("coverage_floor: 0.5\n", SCORE_HIERARCHICAL, usual);
    hash_scored("coverage_floor: 0.5\nmodel: hierarchical\n", SCORE_HIERARCHICAL, named);
    hash_scored("coverage_floor: 0.5\nmodel: flat\n", SCORE_FLAT, flat);
    cr_assert(eq(str, named, usual));
    cr_assert(ne(str, flat, usual));
}

static const struct broken {
    size_t file;
    const char *old, *new, *place, *says;
} broken[] = {
    {0, "de: Achtung, ", "", "values.yaml:2:9", "de"},
    {0, "value: respect\n", "value: respect\n  valeu: x\n", "values.yaml:2:10", "valeu"},
    {0, "- value: respect", "- value: Respect", "values.yaml:1:10", "Respect"},
    {1, "value: respect", "value: respct", "norms.yaml:2:10", "value respct is not in values.yaml"},
    {1, "  value: respect\n", "", "norms.yaml:1:3", "value"},
    {2, "cash, opening_s: 10", "cash, opening_s: -1", "offerings.yaml:3:", "-1"},
    {2, "other: {opening_s: 15, closing_s: 15}\n", "", "offerings.yaml:", "other"},
    {3, "0.5", "1.5", "scoring.yaml:1:17", "1.5"},
    {3, "0.5", "half", "scoring.yaml:1:17", "half"},
    {3, "0.5", "0.5\nmodel: even", "scoring.yaml:2:8", "none of: hierarchical, flat"},
    {4, "norm: space", "norm: spcae", "standards/a.yaml:2:9", "norm spcae is not in norms.yaml"},
    {4, "  norm: space\n", "", "standards/a.yaml:1:3", "norm"},
    {4, "dimension: proxemics", "dimension: proximity", "standards/a.yaml:3:14", "proximity"},
    {4, "status: active", "status: live", "standards/a.yaml:4:11", "live"},
    {4, ", en: Not too close", "", "standards/a.yaml:5:9", "en"},
    {4, "  source: Hall\n", "", "standards/a.yaml:1:3", "source"},
    {4, "distance.client", "distance.clint", "standards/a.yaml:7:12",
     "measure distance.clint is not in measures.yaml"},
    {4, "distance.client", "audio.phrase", "standards/a.yaml:7:12", "the measure has events"},
    {4, "distance.client", "vision.joy", "standards/a.yaml:7:12",
     "the law forbids to judge people at work by it (EU AI Act, Art. 5(1)(f))"},
    {4, "distance.client", "vision.iris", "standards/a.yaml:7:12",
     "the law forbids to judge people at work by it (GDPR, Art. 9)"},
    {4, "during: service", "during: lunch", "standards/a.yaml:8:11", "lunch"},
    {4, "during: service", "during: {from: ended, to: started}", "standards/a.yaml:8:11",
     "ends before it begins"},
    {4, "statistic: min", "statistic: median", "standards/a.yaml:9:14", "median"},
    {4, "statistic: min", "statistic: duration", "standards/a.yaml:7:12",
     "measure means nothing for a duration"},
    {4, "statistic: min", "statistic: share", "standards/a.yaml:1:3", "band"},
    {4, "statistic: min", "statistic: quantile", "standards/a.yaml:1:3", "percent"},
    {4, "unit: m", "unit: cm", "standards/a.yaml:10:9", "the unit of this statistic is m, not cm"},
    {4, "least: 0.45", "least: 0.455", "standards/a.yaml:11:18", "not a multiple of 0.01"},
    {4, "least: 0.45", "least: 25", "standards/a.yaml:11:18", "25"},
    {4, "least: 0.45", "least: 2, most: 1", "standards/a.yaml:11:10", "least lies above most"},
    {4, "{least: 0.45}", "{}", "standards/a.yaml:11:10",
     "bound needs an end; write least, most or both"},
    {4, "least: 0.45", "at_least: 0.45", "standards/a.yaml:11:21", "did you mean 'least'"},
    {4, "  unit: m\n", "  unit: m\n  band: {least: 1}\n", "standards/a.yaml:11:9",
     "band means nothing for this statistic"},
    {4, "  unit: m\n", "  unit: m\n  labels: [x]\n", "standards/a.yaml:11:11",
     "labels means nothing without a measure of events"},
    {4, "  unit: m\n", "  unit: m\n  degree: [[1, 0], [0.5, 1]]\n", "standards/a.yaml:11:20",
     "must ascend"},
    {4, "coverage: 0.5", "coverage: 50", "standards/a.yaml:12:24", "50"},
    {4, ", gap_s: 10", "", "standards/a.yaml:12:13", "gap_s"},
    {4, "weight: 1", "weight: 0", "standards/a.yaml:13:11", "0"},
    {4, "severity: normal", "severity: grave", "standards/a.yaml:14:13", "auto_fail"},
    {4, "attribution: employee", "attribution: boss", "standards/a.yaml:15:16", "boss"},
    {4, "[cash]", "[cahs]", "standards/a.yaml:16:25", "offering cahs is not in offerings.yaml"},
    {4, "offerings: [cash]", "hours: 9-17", "standards/a.yaml:16:20", "list"},
    {4, "offerings: [cash]", "hours: [{from: 9am, to: \"17:00\"}]", "standards/a.yaml:16:28",
     "9am is no time of day"},
    {4, "offerings: [cash]", "hours: [{from: \"18:00\", to: \"09:00\"}]", "standards/a.yaml:16:21",
     "write two entries"},
    {4, "offerings: [cash]", "hours: [{days: [mo], from: \"08:00\", to: \"09:60\"}]",
     "standards/a.yaml:16:29", "mo"},
    {4, "offerings: [cash]", "outcomes: [open]", "standards/a.yaml:16:24", "open"},
    {4, "offerings: [cash]", "countries: [de]", "standards/a.yaml:16:25", "two capital letters"},
    {4, "  weight: 1\n", "  weight: 1\n  live: maybe\n", "standards/a.yaml:14:9", "true or false"},
    {4, "during: service", "live: true\n  during: closing", "standards/a.yaml:8:9",
     "is known only when the encounter has ended"},
    {4, "during: service", "live: true\n  during: {from: ended - 5 s, to: ended}", "", "ended"},
    {4, "  weight: 1\n", "  weight: 1\n  excuses: [x]\n", "standards/a.yaml:14:13", "map"},
    {4, "  weight: 1\n", "  weight: 1\n  any: [x]\n", "standards/a.yaml:7:12",
     "measure belongs to one figure; write it inside any"},
    {4, "expect: met", "expect: not_met", "standards/a.yaml:19:15",
     "this example is met (held; measured 1 m, limit 0.45 m, coverage 100.0 %), not not_met"},
    {4, "samples: [[0, 0]]", "samples: [[0, 0, 0.4]]", "standards/a.yaml:21:15", "no_sample"},
    {4, "samples: [[0, 0]]", "samples: [[5, 0], [4, 0]]",
     "standards/a.yaml:20:", "sort them by time"},
    {4, "samples: [[0, 0]]", "events: [[0, x]]", "standards/a.yaml:20:", "remove them"},
    {4, "watched: []", "watched: [[5, 4]]", "standards/a.yaml:22:", "ascend"},
    {4, "started: 0, ended: 10, offering: cash, watched", "started: 11, ended: 10, watched",
     "standards/a.yaml:22:14", "times do not fit"},
    {4, "expect: insufficient_evidence", "expect: unclear", "standards/a.yaml:23:15", "unclear"},
};

Test(read, each_mistake_is_told_with_its_place) {
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        const struct broken *b = &broken[i];
        set_up();
        replace(b->file, b->old, b->new);
        cr_expect(eq(int, read_all(), ERR_FORMAT), "%s was accepted", b->new);
        bool told = false;
        for (size_t k = 0; k < problems.count; k++)
            told |= strncmp(problems.items[k].text, b->place, strlen(b->place)) == 0 &&
                    strstr(problems.items[k].text, b->says) != NULL;
        cr_expect(told, "%s in %s: wanted %s and \"%s\"; the first of %zu says: %s", b->new,
                  good[b->file].name, b->place, b->says, problems.count, problems.items[0].text);
    }
}

Test(read, a_standard_needs_an_example_of_each_side) {
    replace(4,
            "    - given: {started: 0, ended: 10, offering: cash, watched: []}\n"
            "      expect: insufficient_evidence\n",
            "");
    cr_assert(eq(int, read_all(), ERR_FORMAT));
    cr_assert(strstr(problems.items[0].text, "has no example that is insufficient_evidence") !=
              NULL);
}

Test(read, an_id_stands_once_over_all_entries) {
    char twice[TEXT_MAX];
    snprintf(twice, sizeof twice, "%s%s", good[4].text, good[4].text);
    strcpy(texts[4], twice);
    cr_assert(eq(int, read_all(), ERR_FORMAT));
    cr_assert(eq(sz, problems.count, 1));
    cr_assert(strstr(problems.items[0].text, "proxemics.closest is there twice") != NULL);
}

Test(read, all_mistakes_are_told_at_once) {
    replace(0, "- value: respect", "- value: respect\n  wisdom: 1");
    replace(4, "weight: 1", "weight: 0");
    replace(4, "unit: m", "unit: ft");
    cr_assert(eq(int, read_all(), ERR_FORMAT));
    cr_assert(ge(sz, problems.count, 3));
}

Test(read, a_missing_or_unknown_file_is_told) {
    struct standards_file files[] = {{"values.yaml", bytes_of_text(texts[0])},
                                     {"value.yaml", bytes_of_text(texts[0])}};
    cr_assert(eq(int, standards_read(files, 2, &measures, &standards, &problems), ERR_FORMAT));
    cr_assert(eq(sz, problems.count, 4)); // value.yaml; norms, offerings, scoring
    cr_assert(strstr(problems.items[0].text, "not a file of standards") != NULL);
    cr_assert(strstr(problems.items[1].text, "norms.yaml: is missing") != NULL);
}

Test(read, drafts_and_retired_ones_are_checked_but_not_in_the_set) {
    replace(4, "status: active", "status: draft");
    cr_assert(eq(int, read_all(), ERR_NONE));
    cr_assert(eq(sz, set_count("b", "DE"), 0));
    cr_assert(eq(sz, standards_warnings(standards)->count, 2));
    cr_assert(strstr(standards_warnings(standards)->items[0].text,
                     "values.yaml:1:10: no working standard serves the value respect") != NULL);
    cr_assert(strstr(standards_warnings(standards)->items[1].text,
                     "norms.yaml:1:9: no working standard makes the norm space concrete") != NULL);
    replace(4, "expect: met", "expect: not_met");
    cr_assert(eq(int, read_all(), ERR_FORMAT));
}

Test(read, a_visible_expression_needs_an_agreement) {
    replace(4, "distance.client", "vision.smile");
    replace(4, "unit: m", "unit: \"1\"");
    cr_assert(eq(int, read_all(), ERR_NONE));
    cr_assert(strstr(standards_warnings(standards)->items[0].text,
                     "is of class P3: the standard is not_selected, except") != NULL);
    struct standard_set *set;
    struct standards_place place = {.branch = "b", .region = "r", .country = "DE"};
    cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
    cr_assert(not(set->items[0].permitted));
    standard_set_free(set);
}

Test(read, a_standard_may_hold_at_some_places_only) {
    replace(4, "offerings: [cash]", "countries: [AT, DE], branches: [a, b]");
    cr_assert(eq(int, read_all(), ERR_NONE));
    cr_assert(eq(sz, set_count("a", "DE"), 1));
    cr_assert(eq(sz, set_count("c", "DE"), 0));
    cr_assert(eq(sz, set_count("a", "IL"), 0));
}

// The order of entries is a matter of taste; the hash names the content.
Test(read, the_order_of_entries_does_not_change_the_hash) {
    const char *first = "- value: aid\n  text: {de: Hilfe, en: Aid}\n";
    const char *second = "- value: respect\n  text: {de: Achtung, en: Respect}\n";
    char hashes[2][SET_HASH_TEXT_SIZE];
    for (int i = 0; i < 2; i++) {
        snprintf(texts[0], sizeof texts[0], "%s%s", i ? first : second, i ? second : first);
        cr_assert(eq(int, read_all(), ERR_NONE));
        struct standard_set *set;
        struct standards_place place = {.branch = "b", .region = "r", .country = "DE"};
        cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
        strcpy(hashes[i], set->hash_text);
        standard_set_free(set);
    }
    cr_assert(eq(str, hashes[0], hashes[1]));
}

static const char composed[] =
    "- standard: wording.opening\n"
    "  norm: space\n"
    "  dimension: wording\n"
    "  status: active\n"
    "  text: {de: Gruss und Abstand, en: Greeting and distance}\n"
    "  source: example\n"
    "  during: opening\n"
    "  evidence: {coverage: 0.5, confidence: 0.5, gap_s: 10}\n"
    "  all:\n"
    "    - {measure: audio.phrase, labels: [hello], statistic: count, unit: \"1\", bound: {least: "
    "1}}\n"
    "    - not: {measure: distance.client, statistic: min, unit: m, bound: {most: 0.45}}\n"
    "  excuses:\n"
    "    - excuse: crowd\n"
    "      text: {de: Gedraenge, en: Crowd}\n"
    "      when: {during: waiting, statistic: duration, unit: s, bound: {least: 600}}\n"
    "  weight: 1\n"
    "  severity: auto_fail\n"
    "  attribution: employee\n"
    "  applies: {hours: [{days: [mon], from: \"09:00\", to: \"17:00\"}]}\n"
    "  tests:\n"
    "    - given";

static enum err read_composed(const char *tests) {
    static char text[TEXT_MAX];
    const char *end = strstr(composed, "    - given");
    snprintf(text, sizeof text, "%.*s%s", (int)(end - composed), composed, tests);
    struct standards_file files[FILES];
    for (size_t i = 0; i < FILES; i++)
        files[i] = (struct standards_file){good[i].name, bytes_of_text(texts[i])};
    files[FILES - 1].text = bytes_of_text(text);
    problems = (struct problems){0};
    standards_free(standards);
    standards = NULL;
    enum err err = standards_read(files, FILES, &measures, &standards, &problems);
    problems_print(&problems, stderr);
    return err;
}

#define NEAR "distance.client: {samples: [[0, 0.3], [9, 0.3]]}"
#define FAR "distance.client: {samples: [[0, 1], [9, 1]]}"
#define HELLO "audio.phrase: {events: [[1, hello]]}"
#define SILENT "audio.phrase: {}"
#define EXAMPLE(times, seen, verdict)                                                              \
    "    - {given: {" times ", ended: 60, measures: {" seen "}}, expect: " verdict "}\n"

// The greeting and the distance are one standard; who was run over by a crowd is excused.
Test(read, a_standard_of_several_checks_is_judged_as_its_examples_say) {
    cr_assert(eq(
        int,
        read_composed(
            EXAMPLE("started: 0", HELLO ", " FAR,
                    "met") EXAMPLE("started: 0", SILENT ", " FAR,
                                   "not_met") EXAMPLE("started: 0", HELLO ", " NEAR, "not_met")
                EXAMPLE("started: 0", SILENT ", distance.client: {}", "not_met") EXAMPLE(
                    "started: 0", HELLO ", distance.client: {}", "insufficient_evidence")
                    EXAMPLE("issued: 0, started: 10", SILENT ", " FAR, "not_met")
                        EXAMPLE("at: \"mon 16:59\", started: 0", HELLO ", " FAR, "met") EXAMPLE(
                            "at: \"mon 17:00\", started: 0", HELLO ", " FAR, "not_applicable")
                            EXAMPLE("at: \"sun 12:00\", started: 0", HELLO ", " FAR,
                                    "not_applicable") "    - {given: {issued: 0, started: 600, "
                                                      "ended: 660, measures: {" HELLO
                                                      ", distance.client: {samples: [[600, 0.3], "
                                                      "[609, 0.3]]}}}, expect: excused}\n"),
        ERR_NONE));
    struct standard_set *set;
    struct standards_place place = {.branch = "b", .region = "r", .country = "DE"};
    cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
    standards_free(standards); // the set outlives it
    standards = NULL;
    cr_assert(eq(sz, set->count, 1));
    cr_assert(eq(sz, set->items[0].part_count, 3));
    cr_assert(eq(int, set->items[0].severity, SEVERITY_AUTO_FAIL));
    cr_assert(strstr(set->json, "\"checks\":{\"all\":[{") != NULL);
    cr_assert(strstr(set->json, "{\"not\":{") != NULL);
    cr_assert(strstr(set->json, "\"id\":\"crowd\"") != NULL);
    cr_assert(strstr(set->json, "\"hours\":[{\"days\":[\"mon\"],\"from_minute\":540") != NULL);
    standard_set_free(set);
}

Test(read, an_excuse_that_no_example_shows_is_refused) {
    cr_assert(eq(int,
                 read_composed(EXAMPLE("started: 0", HELLO ", " FAR, "met")
                                   EXAMPLE("started: 0", SILENT ", " FAR, "not_met")
                                       EXAMPLE("started: 0", "", "insufficient_evidence")),
                 ERR_FORMAT));
    cr_assert(strstr(problems.items[0].text, "no example that is excused") != NULL);
}

static uint64_t random_state = 1;
static size_t random_below(size_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(random_state >> 33) % limit;
}

// A file is edited by people: whatever they do to it, it is read or refused, never a crash.
Test(read, damaged_files_never_crash) {
    static const char alphabet[] = "[]{}:,- \n#x0.5\"'&*!|>%@";
    for (int round = 0; round < 3000; round++) {
        set_up();
        size_t file = random_below(FILES);
        for (size_t hits = 1 + random_below(4); hits > 0; hits--) {
            size_t size = strlen(texts[file]), at = random_below(size), length = random_below(12);
            if (random_below(2))
                texts[file][at] = alphabet[random_below(sizeof alphabet - 1)];
            else
                memmove(&texts[file][at], &texts[file][at + length > size ? size : at + length],
                        size - (at + length > size ? size : at + length) + 1);
            if (texts[file][0] == 0) break;
        }
        enum err err = read_all();
        cr_assert(eq(int, err == ERR_NONE, standards != NULL));
        cr_assert(eq(int, err == ERR_NONE, problems.count == 0));
    }
}
