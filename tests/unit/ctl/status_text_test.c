// What an operator reads: while a lost store is brought forward, where brokers share workers.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/ctl/status_text.h"

TestSuite(status_text, .init = cr_redirect_stdout);

/// A gateway of musterstadt; rewind: as the broker says it, null when there is none.
static json_t *gateway(const char *name, json_t *rewind) {
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:o}", "branch", "musterstadt", "gateway",
                     name, "connected", 1, "heard_ms", (json_int_t)100, "epoch", (json_int_t)3,
                     "position", (json_int_t)200, "rewind", rewind);
}

static json_t *rewind_of(long long from, long long to, long long again) {
    return json_pack("{s:I, s:I, s:I}", "from", (json_int_t)from, "to", (json_int_t)to, "again",
                     (json_int_t)again);
}

static void print(json_t *first, json_t *second) {
    json_t *status = json_pack("{s:s, s:I, s:[], s:[o, o], s:[]}", "version", "1", "uptime_ms",
                               (json_int_t)5000, "workers", "gateways", first, second, "refused");
    cr_assert_not_null(status);
    status_print(status);
    fflush(stdout);
    json_decref(status);
}

Test(status_text, a_rewind_says_which_batches_and_how_many_are_back) {
    print(gateway("floor", rewind_of(100, 500, 100)), gateway("desk", json_null()));
    cr_assert_stdout_eq_str(
        "broker 1, up 5 s, no unfinished batch\n"
        "\nworker                 credit assigned  heard        version  library standards "
        "         acknowledge state\n"
        "\ngateway                          connected  heard         epoch   position    spooled   "
        "  "
        "held  dropped   read\n"
        "musterstadt/floor                yes        0.1 s ago         3        200\n"
        "musterstadt/desk                 yes        0.1 s ago         3        200\n"
        "\nmusterstadt/floor: Redis lost batches 101 to 500; 100 of 400 are back from the "
        "gateway's "
        "spool (25 %)\n"
        "\nno peer was refused\n");
}

// 399 of 400 is not all; an emptied Redis begins at 1.
Test(status_text, a_rewind_is_whole_only_when_it_is_over) {
    print(gateway("floor", rewind_of(0, 400, 399)), gateway("desk", rewind_of(7, 8, 0)));
    cr_assert_stdout_eq_str(
        "broker 1, up 5 s, no unfinished batch\n"
        "\nworker                 credit assigned  heard        version  library standards "
        "         acknowledge state\n"
        "\ngateway                          connected  heard         epoch   position    spooled   "
        "  "
        "held  dropped   read\n"
        "musterstadt/floor                yes        0.1 s ago         3        200\n"
        "musterstadt/desk                 yes        0.1 s ago         3        200\n"
        "\nmusterstadt/floor: Redis lost batches 1 to 400; 399 of 400 are back from the gateway's "
        "spool (99 %)\n"
        "\nmusterstadt/desk: Redis lost batches 8 to 8; 0 of 1 are back from the gateway's "
        "spool (0 %)\n"
        "\nno peer was refused\n");
}

Test(status_text, of_several_brokers_each_is_named_and_who_does_not_answer) {
    json_t *status =
        json_pack("{s:[{s:s, s:b, s:s, s:I}, {s:s, s:b}], s:[{s:s, s:b, s:s}], s:[], s:[]}",
                  "brokers", "broker", "ipc://a", "answers", 1, "version", "1", "uptime_ms",
                  (json_int_t)5000, "broker", "ipc://b", "answers", 0, "workers", "worker", "w1",
                  "ready", 1, "broker", "ipc://a", "gateways", "refused");
    cr_assert_not_null(status);
    status_print(status);
    fflush(stdout);
    json_decref(status);
    cr_assert_stdout_eq_str(
        "broker 1 at ipc://a, up 5 s, no unfinished batch\n"
        "broker at ipc://b: not answering\n"
        "\nworker                 credit assigned  heard        version  library standards         "
        " "
        "acknowledge state\n"
        "w1                          0        0  never                 -                          "
        "            ready at ipc://a\n"
        "\ngateway                          connected  heard         epoch   position    spooled   "
        "  "
        "held  dropped   read\n"
        "\nno peer was refused\n");
}

static json_t *worker(const char *name, bool ready, long long brokers) {
    return json_pack("{s:s, s:b, s:I}", "worker", name, "ready", (int)ready, "brokers",
                     (json_int_t)brokers);
}

/// What it prints of a status, which is released; to be freed.
static char *printed(json_t *status) {
    cr_assert_not_null(status);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size), *before = stdout;
    stdout = out;
    status_print(status);
    stdout = before;
    fclose(out);
    json_decref(status);
    return text;
}

static size_t count_of(const char *text, const char *line) {
    size_t count = 0;
    while ((text = strstr(text, line))) {
        text += strlen(line);
        count++;
    }
    return count;
}

/// Whether this line is there, of two workers.
static bool says(const char *line, json_t *first, json_t *second) {
    char *text =
        printed(json_pack("{s:s, s:I, s:[o, o], s:[], s:[]}", "version", "1", "uptime_ms",
                          (json_int_t)5000, "workers", first, second, "gateways", "refused"));
    bool found = strstr(text, line) != NULL;
    free(text);
    return found;
}

/// That a shared worker cannot be reserved.
static bool warned(json_t *first, json_t *second) {
    return says("old is of a version that no broker can reserve", first, second);
}

Test(status_text, an_older_worker_beside_shared_ones_is_named) {
    cr_assert(warned(worker("new", true, 2), worker("old", true, 0)));
    cr_assert_not(warned(worker("new", true, 1), worker("old", true, 0)));
    cr_assert_not(warned(worker("new", true, 2), worker("old", false, 0)));
    cr_assert_not(warned(worker("new", true, 2), worker("old", true, 1)));
}

/// run: -1: not known.
static json_t *of_library(const char *name, bool ready, long long library, long long run) {
    json_t *it = worker(name, ready, 1);
    json_object_set_new(it, "library", library ? json_integer(library) : json_null());
    json_object_set_new(it, "library_run", run >= 0 ? json_integer(run) : json_null());
    return it;
}

Test(status_text, a_redis_that_runs_an_older_library_than_a_worker_brings_is_told) {
    const char *line = "Redis runs revision 0 of the function library, new brings 2";
    cr_assert(says(line, of_library("old", true, 0, -1), of_library("new", true, 2, 0)));
    cr_assert_not(says("Redis runs", of_library("old", true, 1, 2), of_library("new", true, 2, 2)));
    cr_assert_not(says("Redis runs", of_library("a", true, 2, -1), of_library("b", false, 2, 0)));
}

static json_t *at(json_t *worker, const char *broker) {
    json_object_set_new(worker, "broker", json_string(broker));
    return worker;
}

Test(status_text, what_is_wrong_with_a_worker_of_two_brokers_is_told_once) {
    json_t *status =
        json_pack("{s:s, s:I, s:[o, o, o, o], s:[], s:[]}", "version", "1", "uptime_ms",
                  (json_int_t)5000, "workers", at(of_library("new", false, 2, 0), "a"),
                  at(worker("old", true, 0), "a"), at(of_library("new", true, 2, 0), "b"),
                  at(worker("old", true, 0), "b"), "gateways", "refused");
    json_array_append_new(json_object_get(status, "workers"),
                          at(of_library("new", true, 2, 0), "c"));
    json_object_set_new(json_array_get(json_object_get(status, "workers"), 2), "brokers",
                        json_integer(2));
    char *text = printed(status);
    cr_assert(eq(sz, count_of(text, "Redis runs revision 0"), 1));
    cr_assert(eq(sz, count_of(text, "no broker can reserve"), 1));
    free(text);
}
