#include "common/base/err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

Test(err, every_error_has_a_name) {
    cr_assert(eq(str, (char *)err_name(ERR_NONE), "none"));
    cr_assert(eq(str, (char *)err_name(ERR_END), "end"));
    cr_assert(eq(str, (char *)err_name((enum err)99), "unknown"));
}

Test(problem, a_sentence_is_one_line) {
    struct problem problem;
    cr_assert(eq(int, problem_set(&problem, ERR_RANGE, "a\nb\r%d", 5), ERR_RANGE));
    cr_assert(eq(str, problem.text, "a b 5"));
    cr_assert(eq(int, problem.err, ERR_RANGE));
    cr_assert(eq(int, problem_set(NULL, ERR_IO, "nobody listens"), ERR_IO));
}

Test(problem, a_long_sentence_is_cut_between_characters) {
    struct problem problem;
    char text[1024];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', lead);
        text[lead] = '\0';
        for (size_t i = lead; i + 4 < 700; i += 4)
            strcpy(text + i, "\xf0\x9f\x98\x80");
        (void)problem_set(&problem, ERR_FORMAT, "%s", text);
        size_t size = strlen(problem.text);
        cr_assert(eq(sz, (size - lead) % 4, 0));
        cr_assert(ge(sz, size, sizeof problem.text - 5));
    }
}
