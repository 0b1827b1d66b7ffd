// What several brokers say is put together as if one said it.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "ops/ctl/brokers.h"

enum { NEVER = -1 };

/// One gateway, floor of musterstadt, heard so long ago, and holding so many; a branch, a worker.
static struct broker_answer answer(const char *endpoint, int heard_ms, int held) {
    json_t *heard = heard_ms == NEVER ? json_null() : json_integer(heard_ms);
    json_t *body = json_pack(
        "{s:s, s:i, s:i, s:n, s:[{s:s, s:i}], s:[{s:s, s:s, s:b, s:o, s:{s:i}}],"
        " s:[{s:s, s:i, s:i, s:i, s:i, s:n}], s:[], s:{s:i, s:{s:i}}, s:b}",
        "version", "1", "protocol", 1, "uptime_ms", 1000 + held, "oldest_unfinished_ms", "workers",
        "worker", "w1", "credit", 8, "gateways", "branch", "musterstadt", "gateway", "floor",
        "connected", heard_ms == 0, "heard_ms", heard, "report", "held", held, "branches", "branch",
        "musterstadt", "queued", held, "assigned", 1, "bytes", 10, "due_ms", held, "worker",
        "refused", "counters", "asks", held, "gateways_socket", "sent", 2, "truncated", 0);
    cr_assert_not_null(body);
    return (struct broker_answer){.endpoint = endpoint, .body = body};
}

static struct broker_answer silent(const char *endpoint) {
    return (struct broker_answer){.endpoint = endpoint, .problem = "no broker answers at it"};
}

static json_t *join(struct broker_answer one, struct broker_answer other) {
    struct broker_answer answers[] = {one, other};
    json_t *all = brokers_join(answers, 2);
    broker_answers_free(answers, 2);
    return all;
}

/// What it holds, by the broker that is believed.
static int held(json_t *all) {
    int value = -1;
    cr_assert(eq(sz, json_array_size(json_object_get(all, "gateways")), 1));
    const json_t *gateway = brokers_gateway(all, "musterstadt", "floor");
    cr_assert(zero(int, json_unpack((json_t *)gateway, "{s:{s:i}}", "report", "held", &value)));
    json_decref(all);
    return value;
}

// A gateway that moved counts once, whichever broker is asked first.
Test(brokers, a_gateway_is_as_the_one_says_that_heard_of_it_last) {
    cr_assert(eq(int, held(join(answer("a", 100, 5), answer("b", 40, 7))), 7));
    cr_assert(eq(int, held(join(answer("a", 40, 5), answer("b", 100, 7))), 5));
    cr_assert(eq(int, held(join(answer("a", NEVER, 5), answer("b", 60000, 7))), 7));
    cr_assert(eq(int, held(join(answer("a", 60000, 5), answer("b", NEVER, 7))), 5));
    cr_assert(eq(int, held(join(answer("a", NEVER, 5), answer("b", NEVER, 7))), 5));
}

Test(brokers, what_each_has_in_hand_adds_up) {
    json_t *all = join(answer("a", 0, 5), answer("b", NEVER, 7));
    int queued, assigned, due, uptime, asks, sent, truncated;
    cr_assert(zero(int, json_unpack(all, "{s:[{s:i, s:i, s:i}!], s:i, s:{s:i, s:{s:i}}, s:b}",
                                    "branches", "queued", &queued, "assigned", &assigned, "due_ms",
                                    &due, "uptime_ms", &uptime, "counters", "asks", &asks,
                                    "gateways_socket", "sent", &sent, "truncated", &truncated)));
    cr_assert(eq(int, queued, 12));
    cr_assert(eq(int, assigned, 2));
    cr_assert(eq(int, due, 5));
    cr_assert(eq(int, uptime, 1005));
    cr_assert(eq(int, asks, 12));
    cr_assert(eq(int, sent, 4));
    cr_assert(not(truncated));
    cr_assert(brokers_all_answer(all));
    json_decref(all);
}

// What a worker may do for one says nothing of what it may do for the other.
Test(brokers, a_worker_is_named_with_each_broker) {
    json_t *all = join(answer("a", 0, 5), answer("b", NEVER, 7));
    const char *one, *other;
    cr_assert(zero(
        int, json_unpack(all, "{s:[{s:s}, {s:s}!]}", "workers", "broker", &one, "broker", &other)));
    cr_assert(eq(str, (char *)one, "a"));
    cr_assert(eq(str, (char *)other, "b"));
    json_decref(all);
}

Test(brokers, one_that_does_not_answer_is_named_and_may_know_better) {
    json_t *all = join(answer("a", 60000, 5), silent("b"));
    int answers;
    const char *endpoint, *problem;
    cr_assert(
        zero(int, json_unpack(all, "{s:[{s:b}, {s:s, s:b, s:s}!]}", "brokers", "answers", &answers,
                              "broker", &endpoint, "answers", &answers, "problem", &problem)));
    cr_assert(eq(str, (char *)endpoint, "b"));
    cr_assert(not(answers));
    cr_assert_not(brokers_all_answer(all));
    cr_assert_not(brokers_know(all, brokers_gateway(all, "musterstadt", "floor")));
    json_decref(all);
    // Who is there is nowhere else.
    all = join(silent("a"), answer("b", 0, 5));
    cr_assert_not(brokers_all_answer(all));
    cr_assert(brokers_know(all, brokers_gateway(all, "musterstadt", "floor")));
    json_decref(all);
}

Test(brokers, without_any_answer_there_is_no_status) {
    cr_assert_null(join(silent("a"), silent("b")));
}
