#include "common/domain/ids.h"

#include "common/base/hash.h"

#include <string.h>

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_id(char c) {
    return is_lower(c) || is_digit(c) || c == '-';
}

static bool is_measure(char c) {
    return is_lower(c) || is_digit(c) || c == '_' || c == '.';
}

static bool is_name(char c) {
    return is_id(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == ':';
}

static bool is_employee(char c) {
    return is_lower(c) || is_digit(c);
}

static bool all(const char *text, size_t size, size_t most, bool (*allowed)(char)) {
    if (size == 0 || size > most) return false;
    for (size_t i = 0; i < size; i++)
        if (!allowed(text[i])) return false;
    return true;
}

bool id_valid(const char *text, size_t size) {
    return all(text, size, ID_MAX, is_id);
}

bool measure_id_valid(const char *text, size_t size) {
    return all(text, size, ID_MAX, is_measure);
}

bool name_valid(const char *text, size_t size) {
    return all(text, size, NAME_SIZE_MAX, is_name);
}

bool employee_valid(const char *text, size_t size) {
    return all(text, size, EMPLOYEE_MAX, is_employee);
}

bool language_valid(const char *text, size_t size) {
    return size >= 2 && all(text, size, LANGUAGE_MAX, is_lower);
}

bool id_set(struct id *id, const char *text, size_t size) {
    if (!id_valid(text, size)) return false;
    *id = (struct id){0};
    memcpy(id->text, text, size);
    return true;
}

bool id_equal(const struct id *a, const struct id *b) {
    return strcmp(a->text, b->text) == 0;
}

bool name_set(struct name *name, const char *text, size_t size) {
    if (!name_valid(text, size)) return false;
    *name = (struct name){0};
    memcpy(name->text, text, size);
    return true;
}

bool name_equal(const struct name *a, const struct name *b) {
    return strcmp(a->text, b->text) == 0;
}

uint16_t gateway_key(const struct id *gateway) {
    uint32_t hash = hash_fnv32(gateway->text, strlen(gateway->text));
    return (uint16_t)(hash >> 16 ^ hash);
}
