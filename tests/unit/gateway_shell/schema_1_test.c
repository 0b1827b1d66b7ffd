// A gateway that is updated goes on with the spool that it has: same id, epoch and numbers, and
// tags that the store's own, of before, are followed by.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/shell/spool.h"
#include "tests/unit/gateway_shell/schema_1.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[40], path[64];
static const struct spool_limits limits = {
    .full_sync = true, .bytes_max = 1 << 20, .retention_ms = 100000, .drop_unapplied = true};
static struct spool *s;
static const struct spool_state *state;
static struct problem problem;
static uint64_t damaged;

static void begin(void) {
    strcpy(folder, "/tmp/tresen-spool-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spool", folder);
}

static void end(void) {
    spool_close(s);
    unlink(path);
    rmdir(folder);
}

TestSuite(schema_1, .init = begin, .fini = end);

static void sql(const char *text) {
    spool_close(s);
    s = NULL;
    sqlite3 *database;
    sqlite3_open(path, &database);
    cr_assert(eq(int, sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK), "%s",
              sqlite3_errmsg(database));
    sqlite3_close(database);
}

static enum err reopen_with(bool renew) {
    spool_close(s);
    s = NULL;
    enum err err = spool_open(path, &limits, renew, &s, &damaged, &problem);
    if (!err) state = spool_state(s);
    return err;
}

static void reopen(void) {
    enum err err = reopen_with(false);
    cr_assert(eq(int, err, ERR_NONE), "%s", problem.text);
}

static bool chained(void *context, const struct spool_batch *batch) {
    struct tag *before = context;
    cr_assert(tag_follows(batch->tag, *before), "batch %lu", (unsigned long)batch->number);
    cr_assert(eq(sz, batch->body.size, 1));
    *before = batch->tag;
    return true;
}

/// What the store, which has it from the old program, says is the tag of that batch.
static void check_known(uint64_t number, struct tag stored) {
    struct tag tag;
    cr_assert(eq(int, spool_tag(s, number, &tag, &problem), ERR_NONE), "%lu",
              (unsigned long)number);
    cr_assert(tag_equal(tag, stored), "%lu", (unsigned long)number);
}

static void check_unknown(uint64_t number) {
    struct tag tag;
    cr_assert(eq(int, spool_tag(s, number, &tag, &problem), ERR_MISSING));
}

static const struct tag third = {{0xf9, 0x7f, 0x1c, 0x0a, 0x38, 0x64, 0x3b, 0x7a}},
                        fourth = {{0xf9, 0x7f, 0x1c, 0x0a, 0x4d, 0xf5, 0x2f, 0x56}},
                        sixth = {{0xf9, 0x7f, 0x1c, 0x0a, 0x42, 0xe5, 0x9e, 0x7d}};

Test(schema_1, is_converted_where_it_lies) {
    sql(half_applied);
    for (int times = 0; times < 2; times++) { // and stays so
        reopen();
        cr_assert(eq(int, state->converted, times == 0));
        cr_assert(eq(u64, state->epoch, 3));
        cr_assert(eq(u64, state->first, 3));
        cr_assert(eq(u64, state->last, 6));
        cr_assert(eq(u64, state->applied, 4));
        cr_assert(eq(u64, state->held_bytes, 2));
        cr_assert(eq(i64, state->watermark_ms, 7000));
        cr_assert(eq(u64, state->birth, 99));
        cr_assert(eq(u64, state->run_ms, 153000));
        cr_assert(ge(u64, state->session, 1 << 24));
        cr_assert(eq(u8, state->id.bytes[0], 0xf9));
        cr_assert(eq(u8, state->id.bytes[15], 0x18));
        check_unknown(2);
        check_known(3, third);
        check_known(4, fourth);
        check_known(6, sixth);
        struct tag before = fourth;
        cr_assert(eq(int, spool_read(s, 5, 6, chained, &before, &problem), ERR_NONE));
    }
    struct cursor cursor;
    cr_assert(eq(int, spool_cursor(s, "tracks", &cursor, &problem), ERR_NONE));
    cr_assert(eq(u8, cursor.size, 2));
}

// Only that something follows it tells what it was.
Test(schema_1, what_comes_behind_is_a_chain) {
    sql(half_applied);
    reopen();
    cr_assert(eq(int, spool_append(s, bytes_of_text("7"), (struct span){1, 2}, 3, &problem), 0));
    cr_assert(eq(int, spool_commit(s, 1000, &problem), ERR_NONE));
    reopen();
    struct tag before = sixth;
    cr_assert(eq(int, spool_read(s, 7, 7, chained, &before, &problem), ERR_NONE));
}

Test(schema_1, of_the_first_program_is_converted_too) {
    sql(first_program);
    reopen();
    cr_assert(eq(u64, state->first, 1));
    cr_assert(eq(u64, state->last, 6));
    cr_assert(eq(u64, state->epoch, 3));
    cr_assert(eq(u64, state->left_out, 0));
    cr_assert(eq(i64, state->gap.from_ms, TIME_NONE));
    cr_assert(eq(i64, state->watermark_ms, 7000));
    cr_assert(eq(u64, state->birth, 99));
    check_known(1, (struct tag){{0xf9, 0x36, 0xad, 0x6f, 0x40, 0xe0, 0x92, 0x9e}});
    check_known(6, (struct tag){{0x2c, 0x51, 0x2e, 0xad, 0x18, 0xee, 0xcb, 0x53}});
    struct tag before = {{0}}; // which batch 1 follows depends on who granted the epoch
    cr_assert(eq(int, spool_read(s, 1, 6, chained, &before, &problem), ERR_NONE));
}

Test(schema_1, that_holds_nothing_goes_on_too) {
    sql(all_gone);
    reopen();
    cr_assert(eq(u64, state->first, 7));
    cr_assert(eq(u64, state->last, 6));
    check_unknown(6);
    reopen();
    check_unknown(6);
    for (int i = 0; i < 2; i++)
        cr_assert(
            eq(int, spool_append(s, bytes_of_text("n"), (struct span){1, 2}, 3, &problem), 0));
    cr_assert(eq(int, spool_commit(s, 1000, &problem), ERR_NONE));
    struct tag before = {{0}};
    cr_assert(eq(int, spool_read(s, 7, 8, chained, &before, &problem), ERR_NONE));
    check_unknown(6);
    check_known(8, before);
}

// All or nothing: the old program still knows it, and --new-spool keeps what is intact.
Test(schema_1, that_is_damaged_is_left_as_it_is) {
    sql(half_applied);
    sql("UPDATE batch SET body = X'81' WHERE number = 5");
    for (int times = 0; times < 2; times++) {
        cr_assert(eq(int, reopen_with(false), ERR_FORMAT));
        cr_assert(strstr(problem.text, path) && strstr(problem.text, "batch 5"));
        cr_assert_not_null(strstr(problem.text, "--new-spool"));
    }
    sql("CREATE TEMP TABLE one(one CHECK(one));"
        "INSERT INTO one SELECT tag = X'f97f1c0a4df52f56' FROM batch WHERE number = 4;"
        "INSERT INTO one SELECT user_version = 1 FROM pragma_user_version");
    cr_assert(eq(int, reopen_with(true), ERR_NONE), "%s", problem.text);
    cr_assert(eq(u64, damaged, 1));
    cr_assert(eq(u64, state->last, 3));
    cr_assert(eq(u64, state->epoch, 0));
    struct tag before = tag_start(&state->id);
    cr_assert(eq(int, spool_read(s, 1, 3, chained, &before, &problem), ERR_NONE));
    cr_assert(ge(u64, state->session, 1 << 24));
    reopen();
    cr_assert_not(state->converted);
}
