#pragma once
// What standards_read made of the documents: everything checked, all names found.

#include "worker/standards/standards.h"

enum { STATEMENTS_MAX = 256, TEXT_SIZE_MAX = 1000, PLACES_MAX = 32 };

/// A text for people, owned.
struct words {
    char *de, *en;
};

/// A value, or a norm and the value it makes concrete.
struct statement {
    struct id id;
    struct id value; // norms only
    struct words text;
};

struct statements {
    size_t count;
    struct statement items[STATEMENTS_MAX]; // by id
};

struct offering_entry {
    struct offering offering;
    struct words text;
};

/// Places of one kind where a standard holds; none: at all of them.
struct places {
    size_t count;
    struct id items[PLACES_MAX];
};

/// A standard with what only people read and what decides where it holds.
struct rule {
    struct standard standard;
    struct words text;
    char *source;
    struct places branches, regions, countries;
};

struct standards {
    const struct measures *measures;
    struct statements values, norms;
    size_t offering_count;
    struct offering_entry offerings[OFFERINGS_MAX]; // by id
    struct offering other_offering;
    int32_t coverage_floor_millionths;
    size_t rule_count;
    struct rule *rules; // room for STANDARDS_MAX, in canonical order
    struct problems warnings;
};

const struct statement *statements_find(const struct statements *statements, const struct id *id);
/// Gives a set the offerings of the model.
void offerings_copy(const struct standards *standards, struct standard_set *set);
