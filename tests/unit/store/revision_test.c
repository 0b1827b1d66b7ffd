// The library's text and its revision change together: no worker loads a text whose revision Redis
// has already. worker/store/revisions says which text each revision is.

#include "worker/standards/editions.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

extern const uint8_t store_functions[];
extern const size_t store_functions_size;
extern const int64_t store_functions_revision;

enum { HASH_DIGITS = 64, REVISIONS_MAX = 1000 };

static char hashes[REVISIONS_MAX + 1][HASH_DIGITS + 1]; // by revision

/// The last one.
static int64_t read_revisions(void) {
    char line[200];
    int64_t last = 0;
    FILE *file = fopen(STORE_REVISIONS, "re");
    cr_assert(ne(ptr, file, NULL), "%s cannot be read", STORE_REVISIONS);
    while (fgets(line, sizeof line, file)) {
        int64_t revision;
        char hash[HASH_DIGITS + 1];
        if (line[0] == '#') continue;
        cr_assert(eq(int, sscanf(line, "%" SCNd64 " %64s", &revision, hash), 2), "%s", line);
        cr_assert(eq(i64, revision, last + 1), "each revision is one more than the one before it");
        cr_assert(lt(i64, last, REVISIONS_MAX));
        for (int64_t i = 1; i <= last; i++)
            cr_assert(ne(str, hashes[i], hash), "revisions %" PRId64 " and %" PRId64 " are one", i,
                      revision);
        memcpy(hashes[revision], hash, sizeof hash);
        last = revision;
    }
    fclose(file);
    return last;
}

Test(revision, a_text_that_changed_has_a_revision_of_its_own) {
    char hash[SET_HASH_TEXT_SIZE];
    int64_t last = read_revisions(), own = store_functions_revision;
    sha256_text((struct bytes){store_functions, store_functions_size}, hash);
    cr_assert(ge(i64, own, last),
              "functions.lua says revision %" PRId64 ", but %" PRId64 " is the last in %s", own,
              last, STORE_REVISIONS);
    cr_assert(le(i64, own, last),
              "revision %" PRId64 " is new: add this line to %s\n%" PRId64 " %s", own,
              STORE_REVISIONS, last + 1, hash);
    cr_assert(eq(str, hashes[own], hash),
              "the library's text is not that of revision %" PRId64 " any more, and workers that "
              "bring %" PRId64 " would not replace it: set `local REVISION = %" PRId64 "` in "
              "worker/store/functions.lua, build, and add the line\n%" PRId64 " HASH\n"
              "to %s; this test then says the hash",
              own, own, own + 1, own + 1, STORE_REVISIONS);
}
