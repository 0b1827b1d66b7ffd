#pragma once
// FNV-1a (Fowler, Noll, Vo): stable short keys for ids, and the hash of our tables.

#include <stddef.h>
#include <stdint.h>

uint32_t hash_fnv32(const void *data, size_t size);
uint64_t hash_fnv64(const void *data, size_t size);
