// The spool: what is committed is there, what is not is not, and damage is never taken for data.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/shell/spool.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[40], path[64];
static struct spool_limits limits = {
    .full_sync = true, .bytes_max = 1 << 20, .retention_ms = 100000, .drop_unapplied = true};
static struct spool *s;
static const struct spool_state *state;
static struct problem problem;
static uint64_t now = 1000, damaged;

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

static void begin(void) {
    strcpy(folder, "/tmp/tresen-spool-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spool", folder);
    reopen();
}

static void end(void) {
    spool_close(s);
    char command[96];
    for (const char *const *suffix = (const char *const[]){"", "-wal", "-shm", NULL}; *suffix;
         suffix++) {
        snprintf(command, sizeof command, "%s%s", path, *suffix);
        unlink(command);
    }
    rmdir(folder);
}

TestSuite(spool, .init = begin, .fini = end);

static void append(int count, size_t size) {
    static uint8_t body[65536];
    for (int i = 0; i < count; i++) {
        memset(body, i, size);
        cr_assert(eq(int,
                     spool_append(s, (struct bytes){body, size}, (struct span){1000 + i, 2000 + i},
                                  3000 + i, &problem),
                     ERR_NONE));
    }
}

static void commit(void) {
    cr_assert(eq(int, spool_commit(s, now, &problem), ERR_NONE), "%s", problem.text);
}

static bool count_batch(void *context, const struct spool_batch *batch) {
    (void)batch;
    ++*(int *)context;
    return true;
}

static int readable(uint64_t from, uint64_t to) {
    int count = 0;
    enum err err = spool_read(s, from, to, count_batch, &count, &problem);
    return err ? -(int)err : count;
}

static void apply_behind(uint64_t number, uint64_t passed_over) {
    cr_assert(eq(int, spool_set_applied(s, number, passed_over, now, &problem), ERR_NONE));
}

static void apply(uint64_t number) {
    apply_behind(number, 0);
}

static void sql(const char *text) {
    spool_close(s);
    s = NULL;
    sqlite3 *database;
    sqlite3_open(path, &database);
    char *message = NULL;
    cr_assert(eq(int, sqlite3_exec(database, text, NULL, NULL, &message), SQLITE_OK), "%s",
              message);
    sqlite3_close(database);
}

Test(spool, numbers_begin_at_one_and_survive) {
    append(3, 100);
    cr_assert(eq(u64, state->last, 0)); // not committed, not there
    commit();
    cr_assert(eq(u64, state->last, 3));
    struct spool_id id = state->id;
    reopen();
    cr_assert(eq(u64, state->first, 1));
    cr_assert(eq(u64, state->last, 3));
    cr_assert(eq(u64, state->bytes, 300));
    cr_assert(eq(i64, state->watermark_ms, 3002));
    cr_assert_arr_eq(state->id.bytes, id.bytes, sizeof id.bytes);
    cr_assert(eq(int, readable(1, 3), 3));
}

// A crash between append and commit: cursors and batches are those of the commit before, together.
Test(spool, batches_and_cursors_are_committed_together) {
    append(1, 10);
    cr_assert(eq(int, spool_keep_cursor(s, "tracks", &(struct cursor){2, {1, 2}}, &problem), 0));
    commit();
    append(1, 10);
    cr_assert(eq(int, spool_keep_cursor(s, "tracks", &(struct cursor){2, {9, 9}}, &problem), 0));
    reopen();
    struct cursor cursor;
    cr_assert(eq(int, spool_cursor(s, "tracks", &cursor, &problem), ERR_NONE));
    cr_assert(eq(u8, cursor.size, 2));
    cr_assert(eq(u8, cursor.bytes[0], 1));
    cr_assert(eq(u64, state->last, 1));
    cr_assert(eq(int, spool_cursor(s, "other", &cursor, &problem), ERR_NONE));
    cr_assert(eq(u8, cursor.size, 0));
}

// Killed at random moments, a writer leaves numbers without holes, and as many as it reported.
Test(spool, a_killed_writer_loses_nothing_it_reported) {
    for (int round = 0; round < 8; round++) {
        spool_close(s);
        s = NULL;
        int pipes[2];
        cr_assert(eq(int, pipe(pipes), 0));
        pid_t child = fork();
        if (!child) {
            if (spool_open(path, &limits, false, &s, &damaged, &problem)) _exit(1);
            for (;;) {
                if (spool_append(s, bytes_of_text("body"), (struct span){1, 2}, 3, &problem) ||
                    spool_commit(s, now, &problem))
                    _exit(2);
                uint64_t last = spool_state(s)->last;
                if (write(pipes[1], &last, sizeof last) != sizeof last) _exit(3);
            }
        }
        close(pipes[1]);
        uint64_t reported = 0, seen;
        for (int i = 0; i < 5 + round * 3 && read(pipes[0], &seen, sizeof seen) == sizeof seen; i++)
            reported = seen;
        kill(child, SIGKILL);
        while (read(pipes[0], &seen, sizeof seen) == sizeof seen)
            reported = seen;
        close(pipes[0]);
        waitpid(child, NULL, 0);
        reopen();
        cr_assert(ge(u64, state->last, reported));
        cr_assert(le(u64, state->last, reported + 1));
        cr_assert(eq(int, readable(1, state->last), (int)state->last));
    }
}

Test(spool, tags_are_kept_and_differ) {
    append(2, 10);
    commit();
    struct tag a, b, again;
    cr_assert(eq(int, spool_tag(s, 1, &a, &problem), ERR_NONE));
    cr_assert(eq(int, spool_tag(s, 2, &b, &problem), ERR_NONE));
    cr_assert_not(tag_equal(a, b));
    reopen();
    cr_assert(eq(int, spool_tag(s, 1, &again, &problem), ERR_NONE));
    cr_assert(tag_equal(a, again));
    cr_assert(eq(int, spool_tag(s, 3, &a, &problem), ERR_MISSING));
    cr_assert(eq(int, spool_tag(s, 0, &a, &problem), ERR_MISSING));
}

/// What a batch follows must be what the one before it, sent or not, ends with.
static bool chained(void *context, const struct spool_batch *batch) {
    struct tag *before = context;
    cr_assert(tag_follows(batch->tag, *before), "batch %lu", (unsigned long)batch->number);
    *before = batch->tag;
    return true;
}

Test(spool, tags_are_a_chain_over_restarts_that_begins_with_the_id) {
    append(2, 10);
    commit();
    append(1, 10);
    reopen(); // the third was not committed
    append(2, 10);
    commit();
    reopen();
    struct tag before = tag_start(&state->id), last;
    cr_assert(eq(int, spool_read(s, 1, 4, chained, &before, &problem), ERR_NONE));
    cr_assert(eq(int, spool_tag(s, 4, &last, &problem), ERR_NONE));
    cr_assert(tag_equal(before, last));
}

// A store that falls back to just before the oldest batch held, or was applied up to the last one
// before all were trimmed, must still be told from one that has others.
Test(spool, what_the_first_one_held_follows_is_known_when_it_is_trimmed) {
    struct tag third, newest, again;
    append(5, 100);
    commit();
    cr_assert(eq(int, spool_tag(s, 3, &third, &problem), ERR_NONE));
    cr_assert(eq(int, spool_tag(s, 5, &newest, &problem), ERR_NONE));
    apply(3);
    commit();
    now += 150000;
    commit();
    cr_assert(eq(u64, state->first, 4));
    reopen();
    cr_assert(eq(int, spool_tag(s, 3, &again, &problem), ERR_NONE));
    cr_assert(tag_equal(third, again));
    cr_assert(eq(int, spool_tag(s, 2, &again, &problem), ERR_MISSING));
    apply(5);
    now += 1000;
    commit();
    now += 150000;
    commit();
    cr_assert(eq(u64, state->first, 6));
    reopen();
    cr_assert(eq(int, spool_tag(s, 5, &again, &problem), ERR_NONE));
    cr_assert(tag_equal(newest, again));
    append(1, 10);
    commit();
    cr_assert(eq(int, spool_read(s, 6, 6, chained, &newest, &problem), ERR_NONE));
}

// A flipped bit: SQLite does not notice it, we must.
Test(spool, a_flipped_bit_in_a_body_is_named_by_file_and_row) {
    append(3, 100);
    commit();
    sql("UPDATE batch SET body = zeroblob(100) WHERE number = 2");
    reopen();
    cr_assert(eq(int, readable(1, 1), 1));
    cr_assert(eq(int, readable(1, 3), -ERR_FORMAT));
    cr_assert(strstr(problem.text, path) && strstr(problem.text, "batch 2"));
}

Test(spool, a_row_in_anothers_place_is_damage) {
    append(2, 100);
    commit();
    sql("UPDATE batch SET number = 3 WHERE number = 1; UPDATE batch SET number = 1 WHERE number = "
        "2; UPDATE batch SET number = 2 WHERE number = 3");
    reopen();
    cr_assert(eq(int, readable(1, 2), -ERR_FORMAT));
}

Test(spool, a_missing_row_is_noticed_at_opening) {
    append(3, 100);
    commit();
    sql("DELETE FROM batch WHERE number = 2");
    cr_assert(eq(int, reopen_with(false), ERR_FORMAT));
    cr_assert_not_null(strstr(problem.text, "--new-spool"));
}

Test(spool, damaged_state_and_cursors_are_noticed) {
    append(1, 10);
    cr_assert(eq(int, spool_keep_cursor(s, "tracks", &(struct cursor){2, {1, 2}}, &problem), 0));
    commit();
    sql("UPDATE cursor SET value = x'0103'");
    reopen();
    struct cursor cursor;
    cr_assert(eq(int, spool_cursor(s, "tracks", &cursor, &problem), ERR_FORMAT));
    sql("UPDATE state SET checksum = checksum + 1");
    cr_assert(eq(int, reopen_with(false), ERR_FORMAT));
}

Test(spool, a_file_that_is_none_is_refused_and_left_alone) {
    spool_close(s);
    s = NULL;
    unlink(path);
    FILE *file = fopen(path, "w");
    fputs("this is a letter, not a database; it is long enough to be taken for one, though ......"
          "...............................................................",
          file);
    fclose(file);
    cr_assert(eq(int, reopen_with(false), ERR_FORMAT));
    sql("SELECT 1");
    unlink(path);
    sql("CREATE TABLE another(program)");
    cr_assert(eq(int, reopen_with(false), ERR_FORMAT));
    cr_assert_not_null(strstr(problem.text, "not a spool"));
}

Test(spool, a_spool_of_a_newer_program_is_refused) {
    sql("PRAGMA user_version = 9");
    cr_assert(eq(int, reopen_with(false), ERR_VERSION));
}

// Two gateways with one spool would give one number to two batches.
Test(spool, a_second_process_is_kept_out) {
    append(1, 10);
    commit();
    struct spool *second = NULL;
    cr_assert(eq(int, spool_open(path, &limits, false, &second, &damaged, &problem), ERR_CONFLICT));
    cr_assert_not_null(strstr(problem.text, "another process"));
}

// A store may fall back by as much as the retention; before that ends nothing may go.
Test(spool, applied_batches_stay_for_the_retention) {
    append(10, 100);
    commit();
    apply(10);
    now += 50000;
    commit();
    now += 49999;
    commit();
    cr_assert(eq(u64, state->first, 1));
    now += 60000;
    commit();
    cr_assert(eq(u64, state->first, 11));
    cr_assert(eq(u64, state->dropped, 0));
    cr_assert(eq(u64, state->bytes, 0));
    reopen();
    cr_assert(eq(u64, state->last, 10));
    cr_assert(eq(u64, state->first, 11));
}

Test(spool, unapplied_batches_never_grow_old) {
    append(10, 100);
    commit();
    apply(4);
    commit();
    now += 1000000;
    commit();
    now += 1000000;
    commit();
    cr_assert(eq(u64, state->first, 5));
    cr_assert(eq(u64, state->held_bytes, 600));
}

// After the store fell back, what it lost must be kept as long again.
Test(spool, the_retention_starts_again_for_what_must_be_applied_again) {
    append(10, 100);
    commit();
    apply(10);
    commit();
    now += 90000;
    commit();
    apply(3);
    now += 20000;
    commit();
    cr_assert(eq(u64, state->held_bytes, 700));
    now += 200000;
    commit();
    cr_assert(eq(u64, state->first, 4));
}

// Time while the gateway does not run does not count, and no clock of the wall is asked.
Test(spool, the_retention_counts_running_time_across_restarts) {
    append(5, 100);
    commit();
    apply(5);
    commit();
    now += 60000;
    commit();
    reopen();
    now = 7; // the monotonic clock began anew
    commit();
    now += 30000;
    commit();
    cr_assert(eq(u64, state->first, 1));
    now += 80000;
    commit();
    cr_assert(eq(u64, state->first, 6));
}

Test(spool, a_full_spool_gives_up_applied_batches_first) {
    append(40, 32768); // 1.25 MiB
    commit();
    cr_assert(le(u64, state->bytes, limits.bytes_max));
    cr_assert(eq(u64, state->first, 9));
    cr_assert(eq(u64, state->dropped, 8));
    cr_assert(eq(u64, spool_unapplied(s), 32)); // a batch is dropped or held, not both
    apply_behind(20, 8);
    cr_assert(eq(u64, spool_unapplied(s), 20));
    append(8, 32768);
    commit();
    cr_assert(eq(u64, state->first, 17));
    cr_assert(eq(u64, state->dropped, 8));
    cr_assert(eq(u64, state->held_bytes, 28 * 32768));
}

// Each number is dropped or applied, or the flow balance does not add up.
Test(spool, what_was_dropped_under_way_and_applied_all_the_same_is_not_dropped) {
    append(40, 32768);
    commit();
    cr_assert(eq(u64, state->dropped, 8)); // 1..8, of which 1..3 were on their way
    apply(2);
    cr_assert(eq(u64, state->dropped, 6));
    apply(3);
    cr_assert(eq(u64, state->dropped, 5));
    apply_behind(9, 5);
    cr_assert(eq(u64, state->dropped, 5));
    commit();
    reopen();
    cr_assert(eq(u64, state->dropped, 5));
    apply(12);
    cr_assert(eq(u64, state->dropped, 5));
}

Test(spool, what_may_not_be_dropped_stays) {
    limits.drop_unapplied = false;
    reopen();
    append(40, 32768);
    commit();
    cr_assert(eq(u64, state->first, 1));
    cr_assert(eq(u64, state->dropped, 0));
    apply(30);
    commit();
    cr_assert(eq(u64, state->first, 9));
}

Test(spool, what_is_left_out_is_counted_with_its_times_and_survives) {
    append(3, 10);
    spool_leave_out(s, (struct span){5000, 6000});
    spool_leave_out(s, (struct span){4000, 4500});
    commit();
    reopen();
    cr_assert(eq(u64, state->last, 3));
    cr_assert(eq(u64, state->left_out, 2));
    cr_assert(eq(i64, state->gap.from_ms, 4000));
    cr_assert(eq(i64, state->gap.to_ms, 6000));
    spool_clear_gap(s);
    commit();
    reopen();
    cr_assert(eq(u64, state->left_out, 2));
    cr_assert(eq(i64, state->gap.from_ms, TIME_NONE));
}

// Such as a withdrawal before the first watermark: it must not hide the gap that it lies in.
Test(spool, what_has_no_time_leaves_the_gap_as_it_is) {
    spool_leave_out(s, (struct span){TIME_NONE, TIME_NONE});
    cr_assert(eq(i64, state->gap.from_ms, TIME_NONE));
    spool_leave_out(s, (struct span){5000, 6000});
    spool_leave_out(s, (struct span){TIME_NONE, TIME_NONE});
    cr_assert(eq(u64, state->left_out, 3));
    cr_assert(eq(i64, state->gap.from_ms, 5000));
    cr_assert(eq(i64, state->gap.to_ms, 6000));
}

Test(spool, epoch_birth_and_goodbye_survive) {
    cr_assert(eq(int, spool_set_epoch(s, 7, &problem), ERR_NONE));
    spool_set_birth(s, 99);
    spool_set_departed(s);
    append(1, 10);
    commit();
    reopen();
    cr_assert(eq(u64, state->epoch, 7));
    cr_assert(eq(u64, state->birth, 99));
    cr_assert(state->departed);
    cr_assert_not(state->fenced);
    cr_assert(eq(int, spool_set_fenced(s, &problem), ERR_NONE));
    reopen();
    cr_assert(state->fenced);
}

Test(spool, sessions_of_a_run_lie_above_those_of_the_run_before) {
    uint64_t before = state->session;
    append(1, 10);
    commit();
    reopen();
    cr_assert(gt(u64, state->session, before + 1000000));
}

Test(spool, a_new_spool_sends_everything_held_again_from_one) {
    cr_assert(eq(int, spool_set_epoch(s, 7, &problem), ERR_NONE));
    append(10, 100);
    cr_assert(eq(int, spool_keep_cursor(s, "tracks", &(struct cursor){1, {5}}, &problem), 0));
    commit();
    apply(4);
    commit();
    now += 150000;
    commit();
    cr_assert(eq(u64, state->first, 5));
    cr_assert(eq(int, spool_set_fenced(s, &problem), ERR_NONE));
    struct spool_id id = state->id;
    cr_assert(eq(int, reopen_with(true), ERR_NONE), "%s", problem.text);
    cr_assert_arr_neq(state->id.bytes, id.bytes, sizeof id.bytes);
    cr_assert(eq(u64, state->epoch, 0));
    cr_assert_not(state->fenced);
    cr_assert(eq(u64, state->first, 1));
    cr_assert(eq(u64, state->last, 6));
    struct tag before = tag_start(&state->id);
    cr_assert(eq(int, spool_read(s, 1, 6, chained, &before, &problem), ERR_NONE));
    cr_assert(eq(u64, state->applied, 0));
    cr_assert(eq(int, readable(1, 6), 6));
    struct cursor cursor;
    cr_assert(eq(int, spool_cursor(s, "tracks", &cursor, &problem), ERR_NONE));
    cr_assert(eq(u8, cursor.size, 1));
}

Test(spool, a_new_spool_keeps_what_is_intact) {
    append(5, 100);
    commit();
    sql("UPDATE batch SET body = zeroblob(99) WHERE number = 2; UPDATE state SET checksum = 0;"
        "DELETE FROM batch WHERE number = 4");
    cr_assert(eq(int, reopen_with(true), ERR_NONE), "%s", problem.text);
    cr_assert(eq(u64, damaged, 1));
    cr_assert(eq(u64, state->last, 3));
    cr_assert(eq(int, readable(1, 3), 3));
    reopen();
    cr_assert(eq(u64, state->last, 3));
}

// A disk tore pages: what can still be read goes on.
Test(spool, a_new_spool_keeps_what_torn_pages_leave) {
    append(40, 300);
    commit();
    sql("PRAGMA journal_mode = DELETE");
    int fd = open(path, O_RDWR);
    static uint8_t page[4096];
    int leaves = 0;
    for (off_t at = 4096; leaves < 2 && pread(fd, page, sizeof page, at) == sizeof page;
         at += 4096) {
        leaves += page[0] == 13 && page[4] > 5; // it holds many rows
        memset(page, 0xff, sizeof page);
        if (leaves == 2) cr_assert(eq(long, pwrite(fd, page, sizeof page, at), 4096));
    }
    close(fd);
    cr_assert(eq(int, leaves, 2));
    cr_assert(eq(int, reopen_with(false), ERR_FORMAT));
    cr_assert_not_null(strstr(problem.text, "--new-spool"));
    cr_assert(eq(int, reopen_with(true), ERR_NONE), "%s", problem.text);
    cr_assert(ge(u64, damaged, 1));
    cr_assert(ge(u64, state->last, 20)); // those in front of the torn page and those behind it
    cr_assert(eq(int, readable(1, state->last), (int)state->last));
    append(5, 300);
    commit();
    reopen();
}

// A disk wrote one page in the place of others: the rows come again and again, in no order.
Test(spool, a_new_spool_keeps_what_repeated_pages_leave) {
    append(400, 300);
    commit();
    sql("PRAGMA journal_mode = DELETE");
    int fd = open(path, O_RDWR);
    static uint8_t page[4096], first[4096];
    for (off_t at = 4096; pread(fd, page, sizeof page, at) == sizeof page; at += 4096) {
        if (page[0] != 13 || page[4] <= 5) continue; // it holds few rows
        if (!first[0])
            memcpy(first, page, sizeof page);
        else if (at % 12288 == 0)
            cr_assert(eq(long, pwrite(fd, first, sizeof first, at), 4096));
        else if (at % 12288 == 4096) { // and torn ones between
            memset(page, 0xff, sizeof page);
            cr_assert(eq(long, pwrite(fd, page, sizeof page, at), 4096));
        }
    }
    close(fd);
    cr_assert(eq(int, reopen_with(true), ERR_NONE), "%s", problem.text);
    cr_assert(ge(u64, damaged, 1));
    cr_assert(ge(u64, state->last, 100));
    cr_assert(eq(int, readable(1, state->last), (int)state->last));
    reopen();
}

// Its checksum says so only when the driver opens: --new-spool must be a way out.
Test(spool, a_new_spool_has_no_damaged_cursor) {
    append(1, 10);
    cr_assert(eq(int, spool_keep_cursor(s, "tracks", &(struct cursor){2, {1, 2}}, &problem), 0));
    cr_assert(eq(int, spool_keep_cursor(s, "queue", &(struct cursor){2, {1, 2}}, &problem), 0));
    commit();
    sql("UPDATE cursor SET value = x'0103' WHERE driver = 'tracks'");
    cr_assert(eq(int, reopen_with(true), ERR_NONE), "%s", problem.text);
    cr_assert(eq(u64, damaged, 1));
    struct cursor cursor;
    cr_assert(eq(int, spool_cursor(s, "tracks", &cursor, &problem), ERR_NONE));
    cr_assert(eq(u8, cursor.size, 0));
    cr_assert(eq(int, spool_cursor(s, "queue", &cursor, &problem), ERR_NONE));
    cr_assert(eq(u8, cursor.size, 2));
}

// A mark has no checksum. One that is wrong must not take what the store has not applied.
Test(spool, no_mark_removes_what_is_not_applied) {
    append(10, 100);
    commit();
    apply(4);
    commit();
    sql("INSERT INTO applied VALUES(1, 8), (2, 4000000)");
    reopen();
    now += 150000;
    commit();
    now += 150000;
    commit();
    cr_assert(eq(u64, state->first, 5));
    cr_assert(eq(u64, state->dropped, 0));
}

Test(spool, tables_of_another_shape_are_refused) {
    static const char *const changes[] = {
        "CREATE TRIGGER thief AFTER INSERT ON batch BEGIN DELETE FROM batch; END",
        "DROP TRIGGER thief; CREATE TABLE loose AS SELECT * FROM batch; DROP TABLE batch;"
        " ALTER TABLE loose RENAME TO batch",
        "DROP TABLE batch"};
    append(1, 10);
    commit();
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        sql(changes[i]);
        cr_assert(eq(int, reopen_with(i % 2), ERR_FORMAT));
        cr_assert(strstr(problem.text, path) && strstr(problem.text, "move the file away"));
    }
}

// A blob of a megabyte is not read to find that it is none of ours.
Test(spool, a_body_larger_than_any_batch_is_damage) {
    append(3, 10);
    commit();
    sql("UPDATE batch SET body = zeroblob(2000000) WHERE number = 2");
    reopen();
    cr_assert(eq(int, readable(2, 2), -ERR_FORMAT));
    cr_assert_not_null(strstr(problem.text, "--new-spool"));
    cr_assert(eq(int, reopen_with(true), ERR_NONE));
    cr_assert(eq(u64, state->last, 2));
    cr_assert(eq(u64, damaged, 1));
}

Test(spool, the_oldest_held_tells_its_event_time) {
    int64_t oldest;
    cr_assert(eq(int, spool_oldest_ms(s, &oldest, &problem), ERR_NONE));
    cr_assert(eq(i64, oldest, TIME_NONE));
    append(5, 100);
    commit();
    apply(2);
    cr_assert(eq(int, spool_oldest_ms(s, &oldest, &problem), ERR_NONE));
    cr_assert(eq(i64, oldest, 1002));
}
