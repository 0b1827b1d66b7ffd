#pragma once
// The names of things, and what they may look like. Whatever comes from outside is checked here.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_MAX = 32, NAME_SIZE_MAX = 64, EMPLOYEE_MAX = 32, LANGUAGE_MAX = 3 };

/// Branch, gateway, counter, worker, offering, region: [a-z0-9-]{1,32}.
struct id {
    char text[ID_MAX + 1];
};
/// Encounter, label, standard: [A-Za-z0-9_.:-]{1,64}.
struct name {
    char text[NAME_SIZE_MAX + 1];
};

bool id_valid(const char *text, size_t size);
bool id_set(struct id *id, const char *text, size_t size); // false: invalid, id unchanged
bool id_equal(const struct id *a, const struct id *b);
bool measure_id_valid(const char *text, size_t size); // [a-z0-9_.]{1,32}
bool name_valid(const char *text, size_t size);
bool name_set(struct name *name, const char *text, size_t size);
bool name_equal(const struct name *a, const struct name *b);
bool employee_valid(const char *text, size_t size); // [a-z0-9]{1,32}
bool language_valid(const char *text, size_t size); // [a-z]{2,3}

/// The 16-bit key of a gateway inside its branch (minute logs): FNV-1a folded.
uint16_t gateway_key(const struct id *gateway);
