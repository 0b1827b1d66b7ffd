#pragma once
// From a short text to a small number: fixed capacity, open addressing, no allocation after new.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap;
struct idmap *idmap_new(size_t capacity, size_t key_max); // NULL: out of memory
void idmap_free(struct idmap *map);                       // accepts NULL
/// false: full, or the key is longer than key_max; nothing changed. An existing key is overwritten.
bool idmap_put(struct idmap *map, const char *key, size_t size, uint32_t value);
bool idmap_get(const struct idmap *map, const char *key, size_t size, uint32_t *value);
bool idmap_remove(struct idmap *map, const char *key, size_t size);
size_t idmap_count(const struct idmap *map);
