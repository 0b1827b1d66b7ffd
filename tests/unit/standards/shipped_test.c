// The standards that come with Tresen, read as a program reads them.

#include "common/registry/measures.h"
#include "common/settings/texts.h"
#include "worker/standards/standards.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>
#include <string.h>

static struct problems problems;
static struct measure_catalogue catalogue;
static struct standards *standards;
static struct standard_set *set;

static void set_up(void) {
    cr_assert(measures_load(CONFIG_FOLDER "/measures.yaml", &catalogue, &problems));
    static const char *const names[] = {"values.yaml", "norms.yaml", "offerings.yaml",
                                        "scoring.yaml", NULL};
    static const char *const subfolders[] = {"standards", "overlays", NULL};
    struct texts texts;
    cr_assert(texts_open(CONFIG_FOLDER, names, subfolders, &texts, &problems));
    struct standards_file files[64];
    cr_assert(le(sz, texts.count, 64));
    for (size_t i = 0; i < texts.count; i++)
        files[i] =
            (struct standards_file){texts.items[i].name, buffer_bytes(&texts.items[i].bytes)};
    enum err err = standards_read(files, texts.count, &catalogue.measures, &standards, &problems);
    texts_free(&texts);
    problems_print(&problems, stderr);
    cr_assert(eq(int, err, ERR_NONE));
    problems_print(standards_warnings(standards), stderr);
    struct standards_place place = {.branch = "musterstadt", .region = "north", .country = "DE"};
    cr_assert(eq(int, standards_resolve(standards, &place, &set, &problems), ERR_NONE));
}

static void tear_down(void) {
    standard_set_free(set);
    standards_free(standards);
    measures_free(&catalogue);
}

TestSuite(shipped, .init = set_up, .fini = tear_down);

Test(shipped, are_read_without_problems) {
    cr_assert(eq(sz, problems.count, 0));
    const struct problems *warnings = standards_warnings(standards);
    cr_assert(eq(sz, warnings->count, 1)); // the one visible expression
    cr_assert(strstr(warnings->items[0].text, "vision.smile is of class P3") != NULL);
}

// Each of the six dimensions needs enough standards for a score that no single one decides.
Test(shipped, cover_every_dimension) {
    size_t count[DIMENSION_COUNT] = {0};
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].status == STATUS_ACTIVE) count[set->items[i].dimension]++;
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        cr_assert(ge(sz, count[i], 4), "%s", dimension_name((enum dimension)i));
}

// A visible smile is judged only where the works council has agreed to it.
Test(shipped, judge_a_visible_expression_only_by_agreement) {
    static const struct {
        const char *branch;
        bool permitted;
    } branches[] = {{"musterstadt", true}, {"neustadt", false}};
    for (size_t i = 0; i < 2; i++) {
        struct standard_set *there = NULL;
        struct standards_place place = {
            .branch = branches[i].branch, .region = "north", .country = "DE"};
        cr_assert(eq(int, standards_resolve(standards, &place, &there, &problems), ERR_NONE));
        for (size_t k = 0; k < there->count; k++) {
            const struct standard *standard = &there->items[k];
            bool smile = strcmp(standard->id.text, "expression.smile") == 0;
            cr_assert(eq(int, standard->permitted, branches[i].permitted || !smile), "%s",
                      standard->id.text);
        }
        standard_set_free(there);
    }
}

Test(shipped, stand_in_the_order_of_their_ids) {
    cr_assert(eq(sz, set->count, 30));
    for (size_t i = 1; i < set->count; i++)
        cr_assert(lt(int, strcmp(set->items[i - 1].id.text, set->items[i].id.text), 0));
    size_t place = 0;
    cr_assert(standard_set_find(set, "timing.wait", 11, &place));
    cr_assert(eq(str, set->items[place].value.text, "respect"));
    cr_assert(eq(i64, set->items[place].bound.most, 120000));
    cr_assert(not(standard_set_find(set, "timing.wai", 10, &place)));
}

Test(shipped, trace_to_their_values_in_both_languages) {
    struct buffer out;
    buffer_init(&out, 4096);
    cr_assert(standards_trace(standards, "timing.wait", 11, "de", &out));
    buffer_put_u8(&out, 0);
    cr_assert(strstr((char *)out.data, "standard timing.wait: Ein Kunde wartet") != NULL);
    cr_assert(strstr((char *)out.data, "norm short-waits: Niemand wartet") != NULL);
    cr_assert(strstr((char *)out.data, "value respect: Wir achten") != NULL);
    cr_assert(not(standards_trace(standards, "timing.none", 11, "de", &out)));
    buffer_fini(&out);
}

// Readers of the store know a set only by this text.
Test(shipped, have_a_json_text_for_readers) {
    json_t *root = json_loads(set->json, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(root != NULL);
    cr_assert(eq(sz, set->json_size, strlen(set->json)));
    const json_t *items = json_object_get(root, "standards");
    cr_assert(eq(sz, json_array_size(items), set->count));
    for (size_t i = 0; i < set->count; i++) {
        const json_t *item = json_array_get(items, i);
        cr_assert(
            eq(str, (char *)json_string_value(json_object_get(item, "id")), set->items[i].id.text));
        cr_assert(json_string_value(json_object_get(json_object_get(item, "text"), "de")) != NULL);
        cr_assert(gt(sz, json_object_size(json_object_get(item, "bound")), 0));
    }
    cr_assert(strstr(set->json, "\"bound\":{\"least\":0.45}") != NULL);
    json_decref(root);
}

// The hash names what judged an encounter, so it must not hang on chance.
Test(shipped, have_the_same_hash_each_time) {
    struct standard_set *again = NULL;
    struct standards_place place = {.branch = "musterstadt", .region = "north", .country = "DE"};
    cr_assert(eq(int, standards_resolve(standards, &place, &again, &problems), ERR_NONE));
    cr_assert(eq(str, again->json, set->json));
    cr_assert(eq(str, again->hash_text, set->hash_text));
    cr_assert(eq(sz, strlen(set->hash_text), SET_HASH_TEXT_SIZE - 1));
    standard_set_free(again);
}

// How near is near depends on the culture.
Test(shipped, move_with_the_culture) {
    const struct {
        const char *country;
        int64_t least;
    } cultures[] = {{"DE", 75},
                    {"HU", 95},
                    {"PE", 60},
                    {"TR", 85},
                    // no figure for strangers in the table: the company's
                    {"IN", 75}};
    for (size_t i = 0; i < sizeof cultures / sizeof cultures[0]; i++) {
        struct standard_set *there = NULL;
        struct standards_place place = {
            .branch = "somewhere", .region = "anywhere", .country = cultures[i].country};
        cr_assert(eq(int, standards_resolve(standards, &place, &there, &problems), ERR_NONE));
        size_t at = 0;
        cr_assert(standard_set_find(there, "proxemics.mean", 14, &at));
        cr_assert(eq(i64, there->items[at].bound.least, cultures[i].least));
        standard_set_free(there);
    }
}
