#include "sensors-gw/drivers/table.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct row row;

static enum err cut(const char *text, char separator) {
    static char line[256];
    strcpy(line, text);
    return row_cut(line, strlen(line), separator, &row);
}

static void expect_field(size_t index, const char *text) {
    cr_assert(lt(sz, index, row.count));
    cr_assert(text_equal(row.fields[index], text), "field %zu is not \"%s\"", index, text);
}

Test(table, fields_lose_blanks_and_quotes) {
    cr_assert(eq(int, cut("a, b ,\"c,\"\"d\"\"\" ,,e", ','), ERR_NONE));
    cr_assert(eq(sz, row.count, 5));
    expect_field(0, "a");
    expect_field(1, "b");
    expect_field(2, "c,\"d\"");
    expect_field(3, "");
    expect_field(4, "e");
}

Test(table, empty_fields_between_tabs_stay) {
    cr_assert(eq(int, cut("\t\tx\t", '\t'), ERR_NONE));
    cr_assert(eq(sz, row.count, 4));
    expect_field(2, "x");
    expect_field(3, "");
}

Test(table, an_open_quote_is_an_error) {
    cr_assert(eq(int, cut("a,\"b", ','), ERR_FORMAT));
    cr_assert(eq(int, cut("a,\"b\"c", ','), ERR_FORMAT));
}

Test(table, the_separator_is_the_one_that_the_header_has_most_of) {
    cr_assert(eq(chr, row_separator(bytes_of_text("a\tb,c\td")), '\t'));
    cr_assert(eq(chr, row_separator(bytes_of_text("a;b;c,d")), ';'));
    cr_assert(eq(chr, row_separator(bytes_of_text("a,b")), ','));
}

Test(table, numbers_are_decimal_and_finite) {
    double value;
    cr_assert(text_number(bytes_of_text("-1.5e2"), &value));
    cr_assert(eq(dbl, value, -150));
    const char *const bad[] = {"", "1x", "nan", "inf", "0x10", "1 2", "--1", "1e999", "."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(not(text_number(bytes_of_text(bad[i]), &value)), "\"%s\"", bad[i]);
}

Test(table, clock_times_are_of_one_day) {
    int64_t ms;
    cr_assert(text_clock(bytes_of_text("7:02:47"), &ms));
    cr_assert(eq(i64, ms, 25367000));
    cr_assert(text_clock(bytes_of_text("23:59:59.25"), &ms));
    cr_assert(eq(i64, ms, 86399250));
    cr_assert(text_clock(bytes_of_text("09:05"), &ms));
    cr_assert(eq(i64, ms, 32700000));
    const char *const bad[] = {"",        "7",        "7:2",  "24:00:00", "7:60:00",
                               "7:00:61", "7:00:00.", "a:00", "7:00:00x", "-1:00:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(not(text_clock(bytes_of_text(bad[i]), &ms)), "\"%s\"", bad[i]);
}
