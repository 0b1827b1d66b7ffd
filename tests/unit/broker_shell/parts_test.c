#include "broker/shell/bodies.h"
#include "broker/shell/connection.h"
#include "broker/shell/refusals.h"
#include "broker/shell/rewind.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

// Slots come back in any order; each message gets one that nobody else has.
Test(bodies, a_slot_is_free_again_after_it_was_dropped) {
    struct bodies bodies;
    uint32_t slots[3];
    struct message message = {.type = MESSAGE_BATCH, .body = bytes_of_text("body"), .lost = 7};
    cr_assert(eq(int, bodies_init(&bodies, 3), ERR_NONE));
    for (int i = 0; i < 3; i++)
        cr_assert(bodies_keep(&bodies, &message, &slots[i]));
    cr_assert(ne(u32, slots[0], slots[1]));
    cr_assert(eq(u64, bodies.items[slots[1]].lost, 7));
    bodies_drop(&bodies, slots[1]);
    uint32_t again;
    cr_assert(bodies_keep(&bodies, &message, &again));
    cr_assert(eq(u32, again, slots[1]));
    bodies_fini(&bodies);
}

// Two machines with one key must not take turns, each voiding what the other sent.
Test(connection, the_newest_speaks_and_those_before_are_refused) {
    struct connection connection;
    connection_init(&connection);
    cr_assert(eq(int, connection_heard(&connection, (struct bus_peer){5}, 1), CONNECTION_NEW));
    cr_assert(eq(int, connection_heard(&connection, (struct bus_peer){5}, 2), CONNECTION_SAME));
    cr_assert(eq(int, connection_heard(&connection, (struct bus_peer){9}, 3), CONNECTION_NEW));
    cr_assert(eq(int, connection_heard(&connection, (struct bus_peer){5}, 4), CONNECTION_FORMER));
    cr_assert(eq(u32, connection.peer.number, 9));
    cr_assert(eq(u64, connection.heard_ms, 3));
    connection_fini(&connection);
}

// Somebody started a second gateway by mistake and ended it again: the first one, whose connection
// has never broken, must not be locked out for ever.
Test(connection, one_before_speaks_again_after_a_long_silence) {
    struct connection connection;
    uint64_t ended_ms = 100;
    connection_init(&connection);
    cr_assert(eq(int, connection_heard(&connection, (struct bus_peer){5}, 1), CONNECTION_NEW));
    cr_assert(
        eq(int, connection_heard(&connection, (struct bus_peer){9}, ended_ms), CONNECTION_NEW));
    cr_assert(eq(
        int, connection_heard(&connection, (struct bus_peer){5}, ended_ms + CONNECTION_SILENCE_MS),
        CONNECTION_FORMER));
    cr_assert(eq(
        int,
        connection_heard(&connection, (struct bus_peer){5}, ended_ms + CONNECTION_SILENCE_MS + 1),
        CONNECTION_NEW));
    connection_fini(&connection);
}

// A stranger that sends nonsense for days must not grow the broker.
Test(refusals, are_bounded_and_forget_the_oldest) {
    static struct refusals refusals;
    char who[32];
    for (int i = 0; i < 3 * REFUSALS_MAX; i++) {
        snprintf(who, sizeof who, "peer-%d", i);
        refusals_add(&refusals, who, "nonsense", (uint64_t)i);
        refusals_add(&refusals, "always", "nonsense", (uint64_t)i);
    }
    cr_assert(eq(sz, refusals.count, REFUSALS_MAX));
    cr_assert(eq(u64, refusals.total, 6 * REFUSALS_MAX));
    uint64_t always = 0;
    for (size_t i = 0; i < refusals.count; i++)
        if (!strcmp(refusals.items[i].who, "always")) always = refusals.items[i].count;
    cr_assert(eq(u64, always, 3 * REFUSALS_MAX));
}

static void hear(struct rewind *rewind, uint64_t epoch, uint64_t number) {
    rewind_hear(rewind, (struct position){.epoch = epoch, .number = number});
}

// It may fall back again on the way; what counts is how far the store once was.
Test(rewind, goes_on_until_the_store_has_all_that_it_had) {
    struct rewind rewind = {0};
    hear(&rewind, 3, 80);
    cr_assert(not(rewind_going_on(&rewind)));
    hear(&rewind, 3, 30);
    hear(&rewind, 3, 40);
    hear(&rewind, 0, 0); // now it is emptied
    hear(&rewind, 3, 5);
    cr_assert(rewind_going_on(&rewind));
    cr_assert(eq(u64, rewind.from, 0));
    cr_assert(eq(u64, rewind.to, 80));
    cr_assert(eq(u64, rewind.at, 5));
    hear(&rewind, 3, 79);
    cr_assert(rewind_going_on(&rewind));
    hear(&rewind, 3, 81);
    cr_assert(not(rewind_going_on(&rewind)));
}

// Another spool counts from 1: that is no falling back.
Test(rewind, a_new_epoch_begins_without_one) {
    struct rewind rewind = {0};
    hear(&rewind, 3, 80);
    hear(&rewind, 4, 0);
    hear(&rewind, 4, 2);
    cr_assert(not(rewind_going_on(&rewind)));
    hear(&rewind, 4, 1);
    cr_assert(rewind_going_on(&rewind));
    cr_assert(eq(u64, rewind.to, 2));
}
