#include "ops/ctl/balance.h"

#include "ops/ctl/json_text.h"

#include <stdio.h>

static long long number(const json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

json_t *balance_json(const struct store_gateway *gateway, const json_t *report) {
    long long applied = (long long)gateway->applied, dead = (long long)gateway->dead;
    long long lost = (long long)gateway->lost;
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I}", "gateway", gateway->id.text, "epoch",
                               (json_int_t)gateway->position.epoch, "applied", (json_int_t)applied,
                               "dead", (json_int_t)dead, "lost", (json_int_t)lost);
    if (!json_is_object(report)) return object;
    long long spooled = number(report, "spooled"), dropped = number(report, "dropped");
    long long held = number(report, "held"), left_out = number(report, "left_out");
    long long numbered = dropped - left_out, expired = lost > numbered ? lost - numbered : 0;
    json_object_set_new(object, "spooled", json_integer(spooled));
    json_object_set_new(object, "dropped", json_integer(dropped));
    json_object_set_new(object, "left_out", json_integer(left_out));
    json_object_set_new(object, "expired", json_integer(expired));
    json_object_set_new(object, "held", json_integer(held));
    json_object_set_new(object, "difference",
                        json_integer(spooled - applied - dead - dropped - expired - held));
    return object;
}

void balance_print(const json_t *balance) {
    printf("  %-20s epoch %lld: ", standard_text(balance, "gateway"), number(balance, "epoch"));
    if (!json_object_get(balance, "spooled")) {
        printf("%lld applied, %lld dead; it has not reported its spool\n",
               number(balance, "applied"), number(balance, "dead"));
        return;
    }
    printf("%lld spooled = %lld applied + %lld dead + %lld dropped + ", number(balance, "spooled"),
           number(balance, "applied"), number(balance, "dead"), number(balance, "dropped"));
    if (number(balance, "expired")) printf("%lld expired + ", number(balance, "expired"));
    printf("%lld held", number(balance, "held"));
    long long difference = number(balance, "difference");
    if (difference) printf(", %lld in flight or unaccounted for", difference);
    putchar('\n');
}
