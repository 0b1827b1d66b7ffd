// Pseudonyms: the same person is the same in a period, and nobody outside can tell who it is.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/core/pseudonym.h"

#include <string.h>

static const int64_t transitions[] = {INT64_MIN};
static const int32_t offsets[] = {3600};
static const struct zone zone = {1, transitions, offsets};
static const int64_t november = 1795392000000; // 2026-11-23T00:00Z

static struct pseudonyms pseudonyms(enum pseudonym_period period, uint8_t key) {
    struct pseudonyms p = {.period = period, .zone = &zone};
    memset(p.key, key, sizeof p.key);
    return p;
}

static const char *make(struct pseudonyms p, const char *name, int64_t at_ms) {
    static char text[4][EMPLOYEE_MAX + 1];
    static int next;
    char *out = text[next++ % 4];
    pseudonym_make(&p, name, strlen(name), at_ms, out);
    return out;
}

Test(pseudonym, is_16_of_base32_and_a_valid_employee) {
    const char *text = make(pseudonyms(PSEUDONYM_MONTH, 1), "TOVA", november);
    cr_assert(eq(sz, strlen(text), PSEUDONYM_SIZE));
    cr_assert(eq(sz, strspn(text, "abcdefghijklmnopqrstuvwxyz234567"), PSEUDONYM_SIZE));
}

Test(pseudonym, is_the_same_within_a_period_only) {
    struct pseudonyms p = pseudonyms(PSEUDONYM_MONTH, 1);
    cr_assert_str_eq(make(p, "TOVA", november), make(p, "TOVA", november + 3 * DAY_MS));
    cr_assert_str_neq(make(p, "TOVA", november), make(p, "TOVA", november + 10 * DAY_MS));
    p.period = PSEUDONYM_YEAR;
    cr_assert_str_eq(make(p, "TOVA", november), make(p, "TOVA", november + 10 * DAY_MS));
    p.period = PSEUDONYM_DAY;
    cr_assert_str_neq(make(p, "TOVA", november), make(p, "TOVA", november + DAY_MS));
}

// Whoever lacks the key cannot find out by trying all names of the staff.
Test(pseudonym, depends_on_the_key_and_the_name) {
    cr_assert_str_neq(make(pseudonyms(PSEUDONYM_MONTH, 1), "TOVA", november),
                      make(pseudonyms(PSEUDONYM_MONTH, 2), "TOVA", november));
    cr_assert_str_neq(make(pseudonyms(PSEUDONYM_MONTH, 1), "TOVA", november),
                      make(pseudonyms(PSEUDONYM_MONTH, 1), "TOVB", november));
}

// The period follows the branch's calendar: 23:30Z on the 30th is December in Berlin.
Test(pseudonym, the_month_is_that_of_the_branch) {
    struct pseudonyms p = pseudonyms(PSEUDONYM_MONTH, 1);
    int64_t december_there = november + 8 * DAY_MS - HOUR_MS / 2;
    cr_assert_str_eq(make(p, "TOVA", december_there), make(p, "TOVA", december_there + DAY_MS));
}

Test(pseudonym, nobody_has_none) {
    cr_assert_str_eq(make(pseudonyms(PSEUDONYM_MONTH, 1), "", november), "");
}
