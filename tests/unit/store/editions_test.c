// What is published for all branches is replaced whole, and only by who has seen what was there.

#include "stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct stage stage;
static struct buffer argument;

static void open_stage(void) {
    stage_open(&stage);
    buffer_init(&argument, 1 << 12);
}
static void close_stage(void) {
    buffer_fini(&argument);
    stage_close(&stage);
}
TestSuite(editions, .init = open_stage, .fini = close_stage);

static int replace(const char *known, const char *hash, const char *text) {
    struct reply reply;
    buffer_clear(&argument);
    call_replace_editions(bytes_of_text(known), bytes_of_text(hash), bytes_of_text(text),
                          &argument);
    struct reader reader =
        reader_of(stage_call_editions(&stage, "tresen_v1_replace_editions", &argument));
    return reply_read(&reader, &reply) ? -1 : (int)reply.status;
}

static void holds(const char *known, const char *hash, const char *text) {
    struct editions_reply reply;
    buffer_clear(&argument);
    call_editions(bytes_of_text(known), &argument);
    cr_assert(eq(
        int,
        editions_reply_read(stage_call_editions(&stage, "tresen_v1_editions", &argument), &reply),
        ERR_NONE));
    cr_assert(eq(sz, reply.hash.size, strlen(hash)));
    cr_assert(memcmp(reply.hash.data, hash, reply.hash.size) == 0);
    cr_assert(eq(sz, reply.text.size, strlen(text)));
    cr_assert(memcmp(reply.text.data, text, reply.text.size) == 0);
}

Test(editions, are_told_to_who_has_others) {
    holds("", "", "");
    holds("h1", "", "");
    cr_assert(eq(int, replace("", "h1", "one"), STORE_OK));
    holds("", "h1", "one");
    holds("h0", "h1", "one");
    holds("h1", "h1", "");
}

// Two people publish at once: the second must look again before it undoes the first.
Test(editions, are_replaced_only_by_who_has_seen_them) {
    cr_assert(eq(int, replace("h0", "h1", "one"), STORE_STALE));
    cr_assert(eq(int, replace("", "h1", "one"), STORE_OK));
    cr_assert(eq(int, replace("", "h2", "two"), STORE_STALE));
    holds("", "h1", "one");
    cr_assert(eq(int, replace("h1", "h2", "two"), STORE_OK));
    cr_assert(eq(int, replace("h1", "h3", "three"), STORE_STALE));
    holds("", "h2", "two");
}

Test(editions, a_call_that_is_not_one_changes_nothing) {
    char before[41], after[41];
    cr_assert(eq(int, replace("", "h1", "one"), STORE_OK));
    stage_digest(&stage, before);
    cr_assert(eq(int, replace("h1", "", "two"), -1));
    cr_assert(eq(int, replace("h1", "h2", ""), -1));
    buffer_clear(&argument);
    call_replace_editions(bytes_of_text("h1"), bytes_of_text("h2"), bytes_of_text("x"), &argument);
    buffer_put_u8(&argument, 0);
    cr_assert(eq(sz, stage_call_editions(&stage, "tresen_v1_replace_editions", &argument).size, 0));
    cr_assert(eq(sz, stage_call(&stage, "tresen_v1_replace_editions", &argument).size, 0));
    stage_digest(&stage, after);
    cr_assert(eq(str, before, after));
    stage_command(&stage, "SET " EDITIONS_KEY " x");
    cr_assert(eq(int, replace("", "h2", "two"), -1));
}
