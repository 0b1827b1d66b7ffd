// What tresenctl prints for machines is read back as it was, and is as short as can be.

#include "ops/ctl/print.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char text[4096];

static char *printed(json_t *json, bool indented) {
    FILE *out = fmemopen(text, sizeof text, "w");
    cr_assert(json_print(out, json, indented));
    fclose(out);
    json_decref(json);
    return text;
}

Test(print, a_real_is_written_as_short_as_reads_back) {
    static const struct {
        double value;
        char *text;
    } cases[] = {
        {0.9, "0.9"},
        {0.1 + 0.2, "0.30000000000000004"}, // it is not 0.3
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {1, "1.0"}, // remains a real
        {0, "0.0"},
        {-0.45, "-0.45"},
        {1e300, "1e300"},
        {5e-324, "4.94065645841247e-324"},
        {DBL_MAX, "1.7976931348623157e308"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert(eq(str, printed(json_real(cases[i].value), false), cases[i].text));
}

Test(print, every_real_reads_back_as_the_same) {
    uint64_t state = 1;
    for (int i = 0; i < 100000; i++) {
        double value;
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&value, &state, sizeof value);
        if (i % 2 == 0) value = (double)(state >> 40) / 1e6; // such as are shares and scores
        json_t *json = json_real(value);
        if (!json) continue; // no number
        cr_assert(eq(dbl, strtod(printed(json, false), NULL), value));
    }
}

// Only the numbers are written otherwise than by jansson.
Test(print, all_else_is_as_jansson_writes_it) {
    static const char whole[] = "{\"a\": [], \"b\": {}, \"c\": [1, [null, true], {\"d\": "
                                "\"\\u00e4\\n\\\"\\u0000\"}], \"\\\"\": {\"e\": {\"f\": [[]]}}}";
    json_t *json = json_loads(whole, JSON_ALLOW_NUL, NULL);
    cr_assert(json != NULL);
    char *tight = json_dumps(json, JSON_COMPACT), *wide = json_dumps(json, JSON_INDENT(2));
    cr_assert(eq(str, printed(json_incref(json), false), tight));
    cr_assert(eq(str, printed(json, true), wide));
    free(tight);
    free(wide);
}

Test(print, what_nobody_takes_is_told) {
    json_t *json = json_pack("[s]", "a text that is longer than the place");
    FILE *out = fmemopen(text, 8, "w");
    setbuf(out, NULL);
    cr_assert(not(json_print(out, json, false)));
    cr_assert(not(json_print(out, NULL, false)));
    fclose(out);
    json_decref(json);
}
