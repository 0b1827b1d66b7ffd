#include "common/base/idmap.h"

#include "common/base/hash.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    uint32_t hash, value, size;
    bool taken;
};

struct idmap {
    size_t capacity, key_max, count;
    size_t mask; // slots - 1; at least twice the capacity, a power of two
    struct slot *slots;
    char *keys; // key_max bytes a slot
};

struct idmap *idmap_new(size_t capacity, size_t key_max) {
    if (capacity > SIZE_MAX / 64 || key_max > UINT32_MAX) return NULL;
    size_t slots = 2;
    while (slots < 2 * capacity)
        slots *= 2;
    struct idmap *map = calloc(1, sizeof *map);
    if (!map) return NULL;
    *map = (struct idmap){.capacity = capacity, .key_max = key_max, .mask = slots - 1};
    map->slots = calloc(slots, sizeof *map->slots);
    map->keys = calloc(slots, key_max ? key_max : 1);
    if (!map->slots || !map->keys) {
        idmap_free(map);
        return NULL;
    }
    return map;
}

void idmap_free(struct idmap *map) {
    if (!map) return;
    free(map->slots);
    free(map->keys);
    free(map);
}

/// Where the key is, or the free slot where it would go: half of the slots are always free.
static size_t find(const struct idmap *map, const char *key, size_t size, uint32_t hash) {
    for (size_t at = hash & map->mask;; at = (at + 1) & map->mask) {
        const struct slot *slot = &map->slots[at];
        if (!slot->taken) return at;
        if (slot->hash == hash && slot->size == size &&
            memcmp(map->keys + at * map->key_max, key, size) == 0)
            return at;
    }
}

bool idmap_put(struct idmap *map, const char *key, size_t size, uint32_t value) {
    if (size > map->key_max) return false;
    uint32_t hash = hash_fnv32(key, size);
    size_t at = find(map, key, size, hash);
    struct slot *slot = &map->slots[at];
    if (!slot->taken) {
        if (map->count == map->capacity) return false;
        memcpy(map->keys + at * map->key_max, key, size);
        map->count++;
    }
    *slot = (struct slot){.hash = hash, .value = value, .size = (uint32_t)size, .taken = true};
    return true;
}

bool idmap_get(const struct idmap *map, const char *key, size_t size, uint32_t *value) {
    if (size > map->key_max) return false;
    const struct slot *slot = &map->slots[find(map, key, size, hash_fnv32(key, size))];
    if (slot->taken) *value = slot->value;
    return slot->taken;
}

bool idmap_remove(struct idmap *map, const char *key, size_t size) {
    if (size > map->key_max) return false;
    size_t hole = find(map, key, size, hash_fnv32(key, size));
    if (!map->slots[hole].taken) return false;
    // Close the hole: whoever probed past it moves back, so that no search stops too early.
    for (size_t at = (hole + 1) & map->mask; map->slots[at].taken; at = (at + 1) & map->mask) {
        size_t home = map->slots[at].hash & map->mask;
        if (((at - home) & map->mask) < ((at - hole) & map->mask)) continue;
        map->slots[hole] = map->slots[at];
        memcpy(map->keys + hole * map->key_max, map->keys + at * map->key_max, map->slots[at].size);
        hole = at;
    }
    map->slots[hole].taken = false;
    map->count--;
    return true;
}

size_t idmap_count(const struct idmap *map) {
    return map->count;
}
