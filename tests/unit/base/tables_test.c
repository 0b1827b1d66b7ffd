// Ring, idmap and deadlines against slow, obvious models.

#include "common/base/deadlines.h"
#include "common/base/hash.h"
#include "common/base/idmap.h"
#include "common/base/ring.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static uint64_t random_state = 7;
static uint32_t random_below(uint32_t bound) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % bound;
}

Test(hash, is_fnv_1a) {
    cr_assert(eq(u32, hash_fnv32("", 0), 0x811c9dc5));
    cr_assert(eq(u32, hash_fnv32("foobar", 6), 0xbf9cf968));
    cr_assert(eq(u64, hash_fnv64("", 0), 0xcbf29ce484222325));
    cr_assert(eq(u64, hash_fnv64("foobar", 6), 0x85944171f73967e8));
}

Test(ring, first_in_first_out_and_never_more_than_its_capacity) {
    struct ring *ring = ring_new(5);
    uint64_t in = 0, out = 0, item;
    for (int turn = 0; turn < 10000; turn++) {
        if (random_below(2)) {
            bool room = in - out < 5;
            cr_assert(eq(int, ring_push(ring, in), room));
            in += room;
        } else {
            bool some = out < in;
            cr_assert(eq(int, ring_pop(ring, &item), some));
            if (some) cr_assert(eq(u64, item, out++));
        }
        cr_assert(eq(sz, ring_count(ring), in - out));
        for (size_t i = 0; i < in - out; i++) {
            cr_assert(ring_peek(ring, i, &item));
            cr_assert(eq(u64, item, out + i));
        }
        cr_assert(not(ring_peek(ring, in - out, &item)));
    }
    ring_free(ring);
    ring = ring_new(0);
    cr_assert(not(ring_push(ring, 1)));
    cr_assert(not(ring_pop(ring, &item)));
    ring_free(ring);
    ring_free(NULL);
}

Test(idmap, finds_what_was_put_until_it_is_removed) {
    enum { KEYS = 60, CAPACITY = 40 };
    struct idmap *map = idmap_new(CAPACITY, 8);
    uint32_t value, values[KEYS] = {0};
    bool there[KEYS] = {0};
    size_t count = 0;
    for (uint32_t turn = 1; turn < 100000; turn++) {
        uint32_t key = random_below(KEYS);
        char text[9];
        int size = snprintf(text, sizeof text, "k%u", key);
        if (random_below(2)) {
            bool room = there[key] || count < CAPACITY;
            cr_assert(eq(int, idmap_put(map, text, (size_t)size, turn), room));
            if (room) values[key] = turn, count += !there[key], there[key] = true;
        } else {
            cr_assert(eq(int, idmap_remove(map, text, (size_t)size), there[key]));
            count -= there[key];
            there[key] = false;
        }
        key = random_below(KEYS);
        size = snprintf(text, sizeof text, "k%u", key);
        cr_assert(eq(int, idmap_get(map, text, (size_t)size, &value), there[key]));
        if (there[key]) cr_assert(eq(u32, value, values[key]));
        cr_assert(eq(sz, idmap_count(map), count));
    }
    idmap_free(map);
    idmap_free(NULL);
}

Test(idmap, a_longer_key_than_promised_is_refused) {
    struct idmap *map = idmap_new(4, 3);
    uint32_t value;
    cr_assert(idmap_put(map, "abc", 3, 1));
    cr_assert(idmap_put(map, "", 0, 2));
    cr_assert(not(idmap_put(map, "abcd", 4, 1)));
    cr_assert(not(idmap_get(map, "abcd", 4, &value)));
    cr_assert(not(idmap_get(map, "ab", 2, &value)));
    cr_assert(idmap_get(map, "", 0, &value));
    cr_assert(eq(u32, value, 2));
    idmap_free(map);
}

Test(deadlines, the_earliest_comes_first_and_equal_ones_by_slot) {
    enum { SLOTS = 50 };
    struct deadlines *deadlines = deadlines_new(SLOTS);
    uint64_t at[SLOTS];
    for (size_t i = 0; i < SLOTS; i++)
        at[i] = DEADLINE_NEVER;
    for (int turn = 0; turn < 50000; turn++) {
        uint32_t slot = random_below(SLOTS), expected = 0, taken;
        uint32_t what = random_below(3);
        if (what == 0) deadlines_set(deadlines, slot, at[slot] = random_below(100));
        if (what == 1) deadlines_clear(deadlines, slot), at[slot] = DEADLINE_NEVER;
        for (uint32_t i = 1; i < SLOTS; i++)
            if (at[i] < at[expected]) expected = i;
        cr_assert(eq(u64, deadlines_next_ms(deadlines), at[expected]));
        if (what < 2) continue;
        uint64_t now = random_below(100);
        bool due = at[expected] <= now;
        cr_assert(eq(int, deadlines_take(deadlines, now, &taken), due));
        if (due) cr_assert(eq(u32, taken, expected));
        if (due) at[expected] = DEADLINE_NEVER;
    }
    deadlines_free(deadlines);
    deadlines_free(NULL);
}

Test(deadlines, never_takes_a_slot_out) {
    struct deadlines *deadlines = deadlines_new(2);
    uint32_t slot;
    deadlines_set(deadlines, 1, 5);
    deadlines_set(deadlines, 1, DEADLINE_NEVER);
    cr_assert(not(deadlines_take(deadlines, UINT64_MAX, &slot)));
    deadlines_free(deadlines);
}
