// What is published stays readable, bounded and unchanged.

#include "worker/standards/editions.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct edition edition_of(const char *text, int32_t from) {
    struct edition edition;
    struct problem problem;
    const struct standards_file files[] = {{"values.yaml", {(const uint8_t *)text, strlen(text)}},
                                           {"norms.yaml", {(const uint8_t *)"n", 1}}};
    cr_assert(eq(int, edition_init(&edition, files, 2, &problem), ERR_NONE));
    edition.from = from;
    edition.published_ms = 1764288000000;
    strcpy(edition.by, "anna@office");
    return edition;
}

static void append(struct editions *editions, const char *text, int32_t from, int32_t oldest) {
    struct edition edition = edition_of(text, from);
    cr_assert(eq(int, editions_append(editions, &edition, oldest), ERR_NONE));
}

static char *written(const struct editions *editions) {
    char *text;
    struct problem problem;
    cr_assert(eq(int, editions_write(editions, &text, &problem), ERR_NONE));
    return text;
}

static enum err read_back(const char *text, struct editions **out, struct problem *problem) {
    return editions_read((struct bytes){(const uint8_t *)text, strlen(text)}, out, problem);
}

Test(editions, are_read_as_they_were_written) {
    struct editions *editions = calloc(1, sizeof *editions), *again;
    struct problem problem;
    append(editions, "- value: a\n\t\"ä\"", 0, 0);
    append(editions, "- value: b", 20261201, 0);
    char *text = written(editions);
    cr_assert(eq(int, read_back(text, &again, &problem), ERR_NONE));
    cr_assert(eq(sz, again->count, 2));
    cr_assert(eq(i32, again->items[0].from, 0));
    cr_assert(eq(i32, again->items[1].from, 20261201));
    cr_assert(eq(str, again->items[0].by, "anna@office"));
    cr_assert(eq(sz, again->items[0].file_count, 2));
    char *twice = written(again);
    cr_assert(eq(str, text, twice));
    free(text);
    free(twice);
    editions_free(editions);
    editions_free(again);
}

// Two people who publish the same documents see the same hash, in whichever order they list them.
Test(editions, have_the_hash_of_their_documents) {
    struct edition one = edition_of("a", 0), other = edition_of("a", 20261201), third;
    struct problem problem;
    const struct standards_file turned[] = {{"norms.yaml", {(const uint8_t *)"n", 1}},
                                            {"values.yaml", {(const uint8_t *)"a", 1}}};
    cr_assert(eq(int, edition_init(&third, turned, 2, &problem), ERR_NONE));
    cr_assert(eq(str, one.hash, other.hash));
    cr_assert(eq(str, one.hash, third.hash));
    // printf '{"norms.yaml":"n","values.yaml":"a"}' | sha256sum
    cr_assert(
        eq(str, one.hash, "1c5a8f9be8e5dc64a0a3dd36840d7e74df42289c726628909ab6da47b278e312"));
    edition_fini(&one);
    edition_fini(&other);
    edition_fini(&third);
}

Test(editions, a_later_one_takes_the_place_of_what_was_planned) {
    struct editions *editions = calloc(1, sizeof *editions);
    append(editions, "a", 0, 0);
    append(editions, "b", 20261201, 0);
    append(editions, "c", 20270101, 0);
    append(editions, "d", 20261201, 0);
    cr_assert(eq(sz, editions->count, 2));
    cr_assert(eq(i32, editions->items[1].from, 20261201));
    cr_assert(editions->items[1].files[0].text.size == 1);
    editions_free(editions);
}

// What encounters younger than the retention are judged by stays; the older goes.
Test(editions, go_when_another_held_before_the_oldest_day) {
    struct editions *editions = calloc(1, sizeof *editions);
    append(editions, "a", 0, 0);
    append(editions, "b", 20260101, 0);
    append(editions, "c", 20260201, 20260101);
    cr_assert(eq(sz, editions->count, 2));
    cr_assert(eq(i32, editions->items[0].from, 20260101));
    append(editions, "d", 20260301, 20260131);
    cr_assert(eq(sz, editions->count, 3));
    append(editions, "e", 20260401, 20260401);
    cr_assert(eq(sz, editions->count, 1));
    editions_free(editions);
}

Test(editions, have_a_bounded_number) {
    struct editions *editions = calloc(1, sizeof *editions);
    for (int i = 0; i < EDITIONS_MAX; i++)
        append(editions, "a", 20260000 + i, 0);
    struct edition edition = edition_of("b", 20270101);
    cr_assert(eq(int, editions_append(editions, &edition, 0), ERR_FULL));
    cr_assert(eq(sz, editions->count, EDITIONS_MAX));
    edition_fini(&edition);
    editions_free(editions);
}

Test(editions, a_document_that_is_too_large_is_refused) {
    struct edition edition;
    struct problem problem;
    uint8_t *large = malloc(EDITION_BYTES_MAX);
    memset(large, 'a', EDITION_BYTES_MAX);
    const struct standards_file file = {"values.yaml", {large, EDITION_BYTES_MAX}};
    cr_assert(eq(int, edition_init(&edition, &file, 1, &problem), ERR_FULL));
    cr_assert(strstr(problem.text, "the documents have") != NULL);
    edition_fini(&edition);
    const struct standards_file latin = {"values.yaml", {(const uint8_t *)"\xe4", 1}};
    cr_assert(eq(int, edition_init(&edition, &latin, 1, &problem), ERR_FORMAT));
    cr_assert(strstr(problem.text, "is not UTF-8") != NULL);
    edition_fini(&edition);
    free(large);
}

// What workers take up is bounded, whoever published it.
Test(editions, that_are_too_large_together_are_refused) {
    enum { LARGE = EDITION_BYTES_MAX - 1024, COUNT = EDITIONS_BYTES_MAX / LARGE + 1 };
    struct editions *editions = calloc(1, sizeof *editions);
    char *large = malloc(LARGE + 1), *text;
    struct problem problem;
    memset(large, 'a', LARGE);
    large[LARGE] = '\0';
    for (int i = 0; i < COUNT; i++)
        append(editions, large, 20260101 + i, 0);
    cr_assert(eq(int, editions_write(editions, &text, &problem), ERR_FULL));
    cr_assert(strstr(problem.text, "all editions together have more") != NULL);
    editions_free(editions);
    free(large);
    uint8_t *larger = malloc(EDITIONS_BYTES_MAX + 1);
    memset(larger, ' ', EDITIONS_BYTES_MAX + 1);
    struct bytes read = {larger, EDITIONS_BYTES_MAX + 1};
    cr_assert(eq(int, editions_read(read, &editions, &problem), ERR_FULL));
    cr_assert(strstr(problem.text, "bytes; at most") != NULL);
    free(larger);
}

static void refused(const char *text, enum err expected, const char *sentence) {
    struct editions *editions = NULL;
    struct problem problem = {0};
    cr_assert(eq(int, read_back(text, &editions, &problem), expected));
    cr_assert(strstr(problem.text, sentence) != NULL, "%s", problem.text);
    cr_assert(editions == NULL);
}

#define EDITION(from, hash)                                                                        \
    "{\"from\":\"" from "\",\"published_ms\":1,\"by\":\"a\",\"hash\":\"" hash "\",\"documents\":{" \
    "}}"
// printf '{}' | sha256sum
#define HASH_OF_NOTHING "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

Test(editions, what_is_damaged_or_newer_is_refused) {
    refused("", ERR_FORMAT, "no JSON");
    refused("{\"version\":2,\"editions\":[]}", ERR_VERSION, "by a newer Tresen");
    refused("{\"version\":1,\"editions\":[]}", ERR_FORMAT, "no list");
    refused("{\"version\":1,\"editions\":[{}]}", ERR_FORMAT, "is damaged");
    refused("{\"version\":1,\"editions\":[" EDITION("", "aa") "]}", ERR_FORMAT, "another hash");
    refused("{\"version\":1,\"editions\":[{\"from\":\"\",\"published_ms\":1,\"by\":\"a\",\"hash\":"
            "\"a\",\"documents\":{\"norms.yaml\":1}}]}",
            ERR_FORMAT, "is no text");
    refused("{\"version\":1,\"editions\":[" EDITION("2026-13-01", HASH_OF_NOTHING) "]}", ERR_FORMAT,
            "is damaged");
    refused("{\"version\":1,\"editions\":[" EDITION("2026-12-01", HASH_OF_NOTHING) "," EDITION(
                "2026-12-01", HASH_OF_NOTHING) "]}",
            ERR_FORMAT, "do not ascend");
}
