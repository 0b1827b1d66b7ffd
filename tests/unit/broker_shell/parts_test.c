#include "broker/shell/bodies.h"
#include "broker/shell/connection.h"
#include "broker/shell/refusals.h"

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
