// A standard's sentence says the figures that hold, wherever a layer moved them.

#include "tests/support/documents.h"
#include "worker/standards/standards.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct measure measure_items[] = {
    {.id = {"audio.phrase"}, .key = 1, .kind = MEASURE_EVENTS, .legal = LEGAL_P2},
    {.id = {"distance.client"},
     .key = 2,
     .unit = "m",
     .resolution = 0.01,
     .most = 20,
     .legal = LEGAL_P1},
    {.id = {"vision.gaze"}, .key = 3, .unit = "1", .resolution = 0.01, .most = 1},
};
static const struct measures measures = {3, measure_items};

enum { TEXT_MAX = 4096 };
static struct problems problems;
static struct standards *standards;
static struct standard_set *set;

static void tear_down(void) {
    standard_set_free(set);
    standards_free(standards);
    set = NULL;
    standards = NULL;
}

TestSuite(sentence, .fini = tear_down);

/// One standard about a figure (its keys from `measure` to `bound`), and overlays.
static enum err read_with(const char *de, const char *en, const char *figure,
                          const char *overlays) {
    char text[TEXT_MAX];
    bool events = strstr(figure, "audio.phrase") != NULL, samples = strstr(figure, "measure");
    snprintf(text, sizeof text,
             "- standard: s\n"
             "  norm: space\n"
             "  dimension: timing\n"
             "  status: active\n"
             "  text: {de: \"%s\", en: \"%s\"}\n"
             "  source: example\n"
             "  during: service\n"
             "  %s\n"
             "%s%s"
             "  weight: 1\n"
             "  severity: normal\n"
             "  attribution: employee\n"
             "  tests: %s\n",
             de, en, figure, samples ? "  evidence: {coverage: 0.5, confidence: 0.5" : "",
             samples ? (events ? "}\n" : ", gap_s: 10}\n") : "",
             strstr(figure, "duration") ? "[{given: {started: 0, ended: 10}, expect: met}, "
                                          "{given: {started: 0, ended: 99}, expect: not_met}]"
             : events ? "[{given: {started: 0, ended: 10, events: [[1, a], [2, a]]}, expect: met}, "
                        "{given: {started: 0, ended: 10}, expect: not_met}, "
                        "{given: {started: 0, ended: 10, watched: []}, "
                        "expect: insufficient_evidence}]"
                      : "[{given: {started: 0, ended: 10, samples: [[0, 1]]}, expect: met}, "
                        "{given: {started: 0, ended: 10, samples: [[0, 0]]}, expect: not_met}, "
                        "{given: {started: 0, ended: 10}, expect: insufficient_evidence}]");
    const struct standards_file files[] = {
        {"values.yaml", bytes_of_text(VALUES_YAML)},
        {"norms.yaml", bytes_of_text(NORMS_YAML)},
        {"offerings.yaml", bytes_of_text(OFFERINGS_YAML)},
        {"scoring.yaml", bytes_of_text(SCORING_YAML)},
        {"standards/a.yaml", bytes_of_text(text)},
        {"overlays/o.yaml", bytes_of_text(overlays)},
    };
    tear_down();
    problems = (struct problems){0};
    return standards_read(files, sizeof files / sizeof files[0], &measures, &standards, &problems);
}

/// What the set that holds in a country says, in both languages: "de | en", or that of an offering.
static const char *said(const char *country, bool variant) {
    static char both[TEXT_MAX];
    struct standards_place place = {.branch = "berlin", .region = "north", .country = country};
    problems_print(&problems, stderr);
    cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
    json_t *json = json_loadb(set->json, set->json_size, 0, NULL);
    json_t *item = json_array_get(json_object_get(json, "standards"), 0);
    if (variant) item = json_array_get(json_object_get(item, "variants"), 0);
    const json_t *text = json_object_get(item, "text");
    snprintf(both, sizeof both, "%s | %s", json_string_value(json_object_get(text, "de")),
             json_string_value(json_object_get(text, "en")));
    json_decref(json);
    standard_set_free(set);
    set = NULL;
    return both;
}

#define WITHIN(most) "statistic: duration\n  unit: s\n  bound: {most: " most "}"
#define NEAR "measure: distance.client\n  statistic: min\n  unit: m\n  bound: {least: 0.45}"

Test(sentence, has_the_figures_of_the_standard_in_each_language) {
    static const struct {
        const char *de, *en, *figure, *says;
    } cases[] = {
        {"Höchstens {most}.", "At most {most}.", WITHIN("10"),
         "Höchstens 10 Sekunden. | At most 10 seconds."},
        {"Höchstens {most}.", "At most {most}.", WITHIN("12.5"),
         "Höchstens 12,5 Sekunden. | At most 12.5 seconds."},
        {"{most} lang", "for {most}", WITHIN("60"), "1 Minute lang | for 1 minute"},
        {"{most}", "{most}", WITHIN("90"), "90 Sekunden | 90 seconds"},
        {"Nie unter {least}", "Never below {least}", NEAR,
         "Nie unter 0,45 Meter | Never below 0.45 metres"},
        {"{least.number} m", "{least.number} m", NEAR, "0,45 m | 0.45 m"},
        {"{least}, {band.least.number} bis {band.most}", "{least}, {band.least} to {band.most}",
         "measure: distance.client\n  statistic: share\n  band: {least: 0.5, most: 2}\n"
         "  unit: \"%\"\n  bound: {least: 80}",
         "80 Prozent, 0,5 bis 2 Meter | 80 percent, 0.5 metres to 2 metres"},
        {"{least.percent}", "{least.percent}",
         "measure: vision.gaze\n  statistic: mean\n  unit: \"1\"\n  bound: {least: 0.3}",
         "30 Prozent | 30 percent"},
        {"{least.times}", "{least.times}",
         "measure: audio.phrase\n  statistic: count\n  unit: \"1\"\n  bound: {least: 2}",
         "zweimal | twice"},
        {"ohne Zahl", "no figure", WITHIN("10"), "ohne Zahl | no figure"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum err err = read_with(cases[i].de, cases[i].en, cases[i].figure, "[]");
        problems_print(&problems, stderr);
        cr_assert(eq(int, err, ERR_NONE));
        cr_expect(eq(str, (char *)said("DE", false), (char *)cases[i].says));
    }
}

// Who reads ten and is judged by eight has been told something wrong.
Test(sentence, moves_with_the_layers) {
    static const char overlays[] =
        "- {overlay: it, layer: culture, source: s, where: {countries: [IT]}, standard: s, "
        "bound: {most: 8}}\n"
        "- {overlay: cash, layer: offering, source: s, where: {offerings: [cash]}, standard: s, "
        "bound: {most: 7.5}}\n"
        "- {overlay: fr, layer: law, source: s, where: {countries: [FR]}, standard: s, "
        "bound: {most: 10}}\n";
    cr_assert(eq(int, read_with("In {most}.", "In {most}.", WITHIN("10"), overlays), ERR_NONE));
    cr_expect(eq(str, (char *)said("DE", false), "In 10 Sekunden. | In 10 seconds."));
    cr_expect(eq(str, (char *)said("IT", false), "In 8 Sekunden. | In 8 seconds."));
    cr_expect(eq(str, (char *)said("FR", false), "In 10 Sekunden. | In 10 seconds."));
    cr_expect(eq(str, (char *)said("IT", true), "In 7,5 Sekunden. | In 7.5 seconds."));
    cr_assert(eq(sz, standards_warnings(standards)->count, 0));
}

static bool warned(const char *place, const char *text) {
    const struct problems *warnings = standards_warnings(standards);
    for (size_t i = 0; i < warnings->count; i++)
        if (strncmp(warnings->items[i].text, place, strlen(place)) == 0 &&
            strstr(warnings->items[i].text, text))
            return true;
    return false;
}

Test(sentence, a_figure_that_is_written_out_is_told) {
    static const struct {
        const char *de, *figure;
        bool told;
    } cases[] = {
        {"Höchstens 10 Sekunden.", WITHIN("10"), true},
        {"Höchstens zehn Sekunden.", WITHIN("10"), true},
        {"Höchstens zwölf Sekunden.", WITHIN("10"), false},
        {"Höchstens 12,5 Sekunden.", WITHIN("12.5"), true},
        {"Höchstens 1,5 Minuten.", WITHIN("90"), true},
        {"Nie näher als 45 Zentimeter.", NEAR, true},
        {"Nie näher als 0,45 m.", NEAR, true},
        {"Nie näher als 0,455 m.", NEAR, false},
        {"In 4510 Fällen nicht.", NEAR, false},
        {"Zehn Sekunden.", WITHIN("10"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum err err = read_with(cases[i].de, "None.", cases[i].figure, "[]");
        problems_print(&problems, stderr);
        cr_assert(eq(int, err, ERR_NONE));
        bool told = warned("standards/a.yaml:5:", "is written out; write {");
        cr_expect(eq(int, told, cases[i].told), "%s", cases[i].de);
    }
}

Test(sentence, that_does_not_say_what_a_layer_moves_is_told) {
    static const char moves[] = "- {overlay: it, layer: culture, source: s, "
                                "where: {countries: [IT]}, standard: s, bound: {most: 8}}\n",
                      keeps[] = "- {overlay: it, layer: law, source: s, "
                                "where: {countries: [IT]}, standard: s, bound: {most: 10}}\n";
    cr_assert(eq(int, read_with("Bald.", "Soon.", WITHIN("10"), moves), ERR_NONE));
    cr_assert(warned("overlays/o.yaml:1:3", "whose sentence does not say it; write {most}"));
    cr_assert(eq(int, read_with("Bald.", "Soon.", WITHIN("10"), keeps), ERR_NONE));
    cr_assert(eq(sz, standards_warnings(standards)->count, 0));
    cr_assert(eq(int, read_with("{most}", "{most}", WITHIN("10"), moves), ERR_NONE));
    cr_assert(eq(sz, standards_warnings(standards)->count, 0));
}
