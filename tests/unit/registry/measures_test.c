#include "common/registry/measures.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct problems problems;

static bool read_yaml(const char *yaml, struct measure_catalogue *out) {
    problems = (struct problems){0};
    struct document *document = document_parse("m.yaml", bytes_of_text(yaml), &problems);
    cr_assert(ne(ptr, document, NULL), "%s", problems.items[0].text);
    bool ok = measures_read(document_root(document), out, &problems);
    document_free(document);
    return ok;
}

Test(measures, the_shipped_file_is_in_order) {
    struct measure_catalogue catalogue;
    problems = (struct problems){0};
    cr_assert(measures_load(CONFIG_DIR "/measures.yaml", &catalogue, &problems), "%s",
              problems.items[0].text);
    const char id[] = "distance.client";
    const struct measure *measure = measures_find(&catalogue.measures, id, strlen(id));
    cr_assert(ne(ptr, (void *)measure, NULL));
    cr_assert(eq(str, (char *)measure->unit, "m"));
    cr_assert(eq(dbl, measure->resolution, 0.01));
    cr_assert(eq(dbl, measure->most, 20));
    cr_assert(eq(dbl, measure->uncertainty, 0.05));
    cr_assert(eq(int, measure->legal, LEGAL_P1));
    cr_assert(eq(ptr, (void *)measures_by_key(&catalogue.measures, measure->key), (void *)measure));
    cr_assert(eq(str, catalogue.texts[measure - catalogue.measures.items].en,
                 "Distance between employee and client"));
    for (size_t i = 1; i < catalogue.measures.count; i++)
        cr_assert(
            lt(int,
               strcmp(catalogue.measures.items[i - 1].id.text, catalogue.measures.items[i].id.text),
               0));
    measures_free(&catalogue);
}

#define TEXTS "text: {de: a, en: b}"
#define CLIENT "unit: m, resolution: 0.01, range: [0, 20], uncertainty: 0.05, legal: P1, " TEXTS

Test(measures, what_is_wrong_with_a_measure_is_named) {
    static const struct {
        const char *yaml, *sentence;
    } wrong[] = {
        {"", "m.yaml: the document must be a list, but is a map; write it as [a, b] or begin each "
             "entry with '- '"},
        {"[]", "m.yaml:1:1: the document has 0 entries; it takes 1 to 1024"},
        {"- {id: a, kind: samples, " CLIENT "}\n- {id: a, kind: samples, " CLIENT "}",
         "m.yaml:2:3: 'a' stands here a second time (first: m.yaml:1:3); remove one of them"},
        {"- {id: Distance, kind: samples, " CLIENT "}",
         "m.yaml:1:8: [0].id: 'Distance' is not a measure's id; use 1 to 32 of a-z, 0-9, _ and ."},
        {"- {id: a, kind: sample, " CLIENT "}",
         "m.yaml:1:17: [0].kind: 'sample' is none of: samples, events; did you mean 'samples'?"},
        {"- {id: a, kind: events, unit: m, legal: P0, " TEXTS "}",
         "m.yaml:1:31: events have no unit; remove it, or write 'kind: samples'"},
        {"- {id: a, kind: events, legal: P6, " TEXTS "}",
         "m.yaml:1:32: [0].legal: 'P6' is none of: P0, P1, P2, P3, P4, P5; choose one"},
        {"- {id: a, kind: events, " TEXTS "}", "m.yaml:1:3: 'legal' is missing in [0]; add it"},
        {"- {id: a, kind: events, legal: P0, text: {de: a}}",
         "m.yaml:1:42: 'en' is missing in [0].text; add it"},
        {"- {id: a, kind: samples, unit: m, resolution: 0, range: [0, 1], uncertainty: 0, legal: "
         "P0, " TEXTS "}",
         "m.yaml:1:47: [0].resolution: 0 is out of range; choose 1e-09..1000000000 m"},
        {"- {id: a, kind: samples, unit: m, resolution: 1, range: [1, 1], uncertainty: 0, legal: "
         "P0, " TEXTS "}",
         "m.yaml:1:57: the range is empty; write [least, most]"},
        {"- {id: a, kind: samples, unit: m, resolution: 0.001, range: [0, 3e6], uncertainty: 0, "
         "legal: P0, " TEXTS "}",
         "m.yaml:1:61: the range needs more than 32 bits at a resolution of 0.001; narrow it or "
         "choose a coarser resolution"},
        {"- {id: a, kind: samples, unit: m, resolution: 1, range: [0, 9], uncertainty: 10, legal: "
         "P0, " TEXTS "}",
         "m.yaml:1:78: [0].uncertainty: 10 is out of range; choose 0..9 m"},
        // FNV-1a in 32 bits gives these two the same key.
        {"- {id: m763399, kind: events, legal: P0, " TEXTS
         "}\n- {id: m1109514, kind: events, legal: "
         "P0, " TEXTS "}",
         "m.yaml:2:3: 'm1109514' has the same short key as 'm763399' (m.yaml:1:3); rename one of "
         "them"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct measure_catalogue catalogue;
        cr_assert(not(read_yaml(wrong[i].yaml, &catalogue)), "%s", wrong[i].yaml);
        cr_assert(eq(sz, catalogue.measures.count, 0));
        cr_assert(eq(str, problems.items[0].text, (char *)wrong[i].sentence));
        cr_assert(eq(sz, problems.count, 1), "%s", problems.items[1].text);
    }
}
