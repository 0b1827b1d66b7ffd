// What was spooled is somewhere: applied, dead, dropped, expired or held.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>

#include "ops/ctl/balance.h"

/// left_out: -1: a gateway that does not tell.
static json_t *balance_left_out(uint64_t applied, uint64_t dead, uint64_t lost, long long spooled,
                                long long dropped, long long left_out, long long held) {
    struct store_gateway gateway = {.id = {"floor"},
                                    .position = {.epoch = 3, .number = applied + dead + lost},
                                    .applied = applied,
                                    .dead = dead,
                                    .lost = lost};
    json_t *report = json_pack("{s:I, s:I, s:I}", "spooled", (json_int_t)spooled, "dropped",
                               (json_int_t)dropped, "held", (json_int_t)held);
    if (left_out >= 0) json_object_set_new(report, "left_out", json_integer(left_out));
    json_t *object = balance_json(&gateway, report);
    json_decref(report);
    return object;
}

static json_t *balance(uint64_t applied, uint64_t dead, uint64_t lost, long long spooled,
                       long long dropped, long long held) {
    return balance_left_out(applied, dead, lost, spooled, dropped, -1, held);
}

static long long difference(json_t *balance) {
    long long value = (long long)json_integer_value(json_object_get(balance, "difference"));
    json_decref(balance);
    return value;
}

Test(balance, comes_to_nothing_when_all_is_somewhere) {
    cr_assert(eq(llong, difference(balance(90, 2, 0, 100, 0, 8)), 0));
    // Dropped by a full spool: before and after the store has heard of the gap.
    cr_assert(eq(llong, difference(balance(0, 0, 0, 40, 8, 32)), 0));
    cr_assert(eq(llong, difference(balance(32, 0, 8, 40, 8, 0)), 0));
    // Never written for the same reason: they have no numbers, nobody else counts them.
    cr_assert(eq(llong, difference(balance_left_out(30, 0, 0, 37, 7, 7, 0)), 0));
    cr_assert(eq(llong, difference(balance(30, 0, 0, 37, 7, 0)), 0));
    // An emptied store, and a spool whose oldest had outlived the retention.
    cr_assert(eq(llong, difference(balance(60, 0, 40, 100, 0, 0)), 0));
    cr_assert(eq(llong, difference(balance(60, 0, 40, 100, 10, 0)), 0));
    // The same of one that left out 7 besides: what is lost has numbers, and none of them is
    // theirs.
    cr_assert(eq(llong, difference(balance_left_out(60, 0, 40, 107, 7, 7, 0)), 0));
    cr_assert(eq(llong, difference(balance_left_out(60, 0, 40, 107, 17, 7, 0)), 0));
}

Test(balance, shows_what_is_missing) {
    cr_assert(eq(llong, difference(balance(90, 0, 0, 100, 0, 8)), 2));
    cr_assert(eq(llong, difference(balance(90, 0, 0, 98, 0, 9)), -1));
}

Test(balance, is_told_in_a_line, .init = cr_redirect_stdout) {
    json_t *expired = balance(59, 1, 40, 101, 10, 0), *plain = balance(9, 0, 0, 10, 0, 1);
    balance_print(expired);
    balance_print(plain);
    json_decref(expired);
    json_decref(plain);
    fflush(stdout);
    cr_assert_stdout_eq_str(
        "  floor                epoch 3: 101 spooled = 59 applied + 1 dead + 10 "
        "dropped + 30 expired + 0 held, 1 in flight or unaccounted for\n"
        "  floor                epoch 3: 10 spooled = 9 applied + 0 dead + 0 "
        "dropped + 1 held\n");
}

Test(balance, of_a_gateway_that_has_not_reported_has_no_difference) {
    struct store_gateway gateway = {.id = {"floor"}, .applied = 5};
    json_t *object = balance_json(&gateway, NULL);
    cr_assert_null(json_object_get(object, "difference"));
    cr_assert(eq(llong, (long long)json_integer_value(json_object_get(object, "applied")), 5));
    json_decref(object);
}
