#include "common/domain/batch.h"
#include "common/domain/position.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

Test(ids, only_what_keys_and_logs_can_carry) {
    static const struct {
        bool (*valid)(const char *, size_t);
        const char *good, *bad[6];
    } cases[] = {
        {id_valid, "desk-1", {"", "Desk", "a_b", "a.b", "ä", "a b"}},
        {measure_id_valid, "distance.client_2", {"", "A", "a-b", "a:b", "a{", "a\n"}},
        {name_valid, "Log:17_a.b-C", {"", "a b", "a/b", "a}", "ä", "a\"b"}},
        {employee_valid, "k3j9q", {"", "K", "a-b", "a.b", " ", "a_"}},
        {language_valid, "de", {"", "d", "deu1", "DE", "d-", "deut"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(cases[i].valid(cases[i].good, strlen(cases[i].good)), "%zu", i);
        for (size_t j = 0; j < 6; j++)
            cr_assert(not(cases[i].valid(cases[i].bad[j], strlen(cases[i].bad[j]))), "%zu %zu", i,
                      j);
    }
    char longest[NAME_SIZE_MAX + 1];
    memset(longest, 'a', sizeof longest);
    cr_assert(id_valid(longest, ID_MAX));
    cr_assert(not(id_valid(longest, ID_MAX + 1)));
    cr_assert(name_valid(longest, NAME_SIZE_MAX));
    cr_assert(not(name_valid(longest, NAME_SIZE_MAX + 1)));
    cr_assert(not(id_valid("a\0b", 3)));
}

Test(ids, an_invalid_one_changes_nothing) {
    struct id id = {0};
    cr_assert(id_set(&id, "longer-id", 9));
    cr_assert(id_set(&id, "desk-1", 6));
    cr_assert(not(id_set(&id, "DESK", 4)));
    struct id same = {"desk-1"};
    cr_assert(id_equal(&id, &same));
    cr_assert(eq(int, memcmp(&id, &same, sizeof id), 0)); // no rest of the longer one
}

Test(measure, a_value_is_the_nearest_multiple) {
    const struct measure distance = {.resolution = 0.01, .least = 0, .most = 20};
    int32_t stored = 7;
    cr_assert(eq(int, measure_quantize(&distance, 1.234, &stored), ERR_NONE));
    cr_assert(eq(i32, stored, 123));
    cr_assert(eq(int, measure_quantize(&distance, 20.004, &stored), ERR_NONE));
    cr_assert(eq(i32, stored, 2000));
    cr_assert(eq(int, measure_quantize(&distance, 20.01, &stored), ERR_RANGE));
    cr_assert(eq(int, measure_quantize(&distance, -0.01, &stored), ERR_RANGE));
    cr_assert(eq(int, measure_quantize(&distance, NAN, &stored), ERR_RANGE));
    cr_assert(eq(int, measure_quantize(&distance, INFINITY, &stored), ERR_RANGE));
    cr_assert(eq(i32, stored, 2000));
    const struct measure halves = {.resolution = 1, .least = -9, .most = 9};
    cr_assert(eq(int, measure_quantize(&halves, 2.5, &stored), ERR_NONE));
    cr_assert(eq(i32, stored, 3));
    cr_assert(eq(int, measure_quantize(&halves, -2.5, &stored), ERR_NONE));
    cr_assert(eq(i32, stored, -3));
}

Test(measure, every_multiple_comes_back_from_its_value) {
    static const double resolutions[] = {0.01, 0.1, 0.001, 1, 0.3, 1e-6, 1000};
    for (size_t i = 0; i < 7; i++) {
        struct measure measure = {.resolution = resolutions[i], .least = -1e13, .most = 1e13};
        for (int64_t stored = -INT32_MAX + 1; stored < INT32_MAX; stored += 9999991) {
            int32_t back;
            double value = measure_value(&measure, stored);
            cr_assert(eq(int, measure_quantize(&measure, value, &back), ERR_NONE));
            cr_assert(eq(i32, back, (int32_t)stored));
        }
    }
}

Test(measure, what_does_not_fit_is_out_of_range) {
    const struct measure wide = {.resolution = 1e-9, .least = -1e9, .most = 1e9};
    int32_t stored, least, most;
    measure_limits(&wide, &least, &most);
    cr_assert(eq(i32, most, INT32_MAX - 1));
    cr_assert(eq(i32, measure_multiple(&wide, 1e9), INT32_MAX));
    cr_assert(eq(i32, measure_multiple(&wide, -1e9), -INT32_MAX));
    cr_assert(eq(int, measure_quantize(&wide, 1e9, &stored), ERR_RANGE));
}

Test(measures, are_found_by_id_and_key) {
    struct measure items[] = {{.id = {"a"}, .key = 3}, {.id = {"a.b"}, .key = 1}, {.id = {"b"}}};
    struct measures measures = {3, items};
    cr_assert(eq(ptr, (void *)measures_find(&measures, "a", 1), &items[0]));
    cr_assert(eq(ptr, (void *)measures_find(&measures, "a.b", 3), &items[1]));
    cr_assert(eq(ptr, (void *)measures_find(&measures, "bc", 1), &items[2]));
    cr_assert(eq(ptr, (void *)measures_find(&measures, "a.", 2), NULL));
    cr_assert(eq(ptr, (void *)measures_find(&measures, "c", 1), NULL));
    cr_assert(eq(ptr, (void *)measures_by_key(&measures, 1), &items[1]));
    cr_assert(eq(ptr, (void *)measures_by_key(&measures, 9), NULL));
}

Test(encounter, its_times_are_in_order) {
    struct encounter encounter = {.id = {"e"},
                                  .issued_ms = TIME_NONE,
                                  .called_ms = TIME_NONE,
                                  .started_ms = TIME_NONE,
                                  .ended_ms = TIME_NONE};
    struct problem problem;
    cr_assert(eq(i64, encounter_begin_ms(&encounter), TIME_NONE));
    cr_assert(eq(int, encounter_check(&encounter, &problem), ERR_NONE));
    encounter.ended_ms = 9;
    encounter.called_ms = 9;
    cr_assert(eq(i64, encounter_begin_ms(&encounter), 9));
    cr_assert(eq(int, encounter_check(&encounter, &problem), ERR_NONE));
    encounter.issued_ms = 10;
    cr_assert(eq(int, encounter_check(&encounter, &problem), ERR_RANGE));
    cr_assert(eq(str, problem.text, "encounter e: called lies before issued"));
    encounter.issued_ms = -1;
    cr_assert(eq(int, encounter_check(&encounter, &problem), ERR_RANGE));
}

Test(encounter, outcomes_have_names) {
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        enum outcome outcome = OUTCOME_COUNT;
        const char *name = outcome_name((enum outcome)i);
        cr_assert(outcome_parse(name, strlen(name), &outcome));
        cr_assert(eq(int, outcome, i));
        cr_assert(not(outcome_parse(name, strlen(name) - 1, &outcome)));
    }
}

Test(gateway, its_key_is_folded_fnv) {
    struct id foobar = {"foobar"};
    cr_assert(eq(u16, gateway_key(&foobar), 0xbf9c ^ 0xf968));
}

// Behind a gap a batch follows another one than in its spool, and stays the same batch.
Test(position, a_tag_is_what_it_follows_then_its_own) {
    struct spool_id id = {{9, 8, 7, 6, 5}};
    struct tag first = {{9, 8, 7, 6, 1, 2, 3, 4}}, second = {{1, 2, 3, 4, 5, 6, 7, 8}};
    cr_assert(tag_follows(first, tag_start(&id)));
    cr_assert(tag_follows(second, first));
    cr_assert(not(tag_follows(first, second)));
    cr_assert(tag_equal(tag_before(second), first));
    struct tag moved = tag_behind(second, tag_start(&id));
    cr_assert(tag_follows(moved, tag_start(&id)));
    cr_assert(tag_equal(moved, second));
    for (size_t i = 0; i < TAG_MARK; i++) {
        struct tag other = second;
        other.bytes[TAG_MARK + i] ^= 1;
        cr_assert(not(tag_equal(other, second)));
        other.bytes[i] ^= 1;
        cr_assert(not(tag_follows(other, first)));
    }
}
