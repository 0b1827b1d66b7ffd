#pragma once
// What standards_read made of the documents: everything checked, all names found.

#include "worker/standards/standards.h"

enum { STATEMENTS_MAX = 256, TEXT_SIZE_MAX = 1000, PLACES_MAX = 32, OVERLAYS_MAX = 256 };

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

struct scope {
    struct places branches, regions, countries, offerings;
    char place[NODE_WHERE_SIZE]; // FILE:LINE:COLUMN; empty: it holds everywhere
};

/// Local days as numbers such as 20261201, both ends inside.
struct days {
    int32_t from, until; // 0 and INT32_MAX: open
};

/// Highest authority first.
enum layer {
    LAYER_LAW,
    LAYER_AGREEMENT,
    LAYER_COMPANY, // the standards themselves
    LAYER_CULTURE,
    LAYER_OFFERING,
    LAYER_REGION,
    LAYER_BRANCH,
    LAYER_TEMPORARY,
    LAYER_COUNT
};
extern const char *const layer_names[]; // ended by NULL

enum { SUSPENDS_MAX = 16, SUSPENSION_DAYS_MOST = 90 };

/// A bit beside those of the legal classes: live alerts on persons.
enum { PERMIT_LIVE = 1 << (LEGAL_P5 + 1) };

/// What a layer adds: a bound of one standard, what may or may not be measured, or which standards
/// are suspended for a while.
struct overlay {
    struct name id;
    enum layer layer;
    struct scope where;
    struct days days;
    size_t suspend_count;
    struct name suspends[SUSPENDS_MAX];
    char *approver;       // of a suspension; else NULL
    struct name standard; // empty: no bound
    struct bounds bound;
    size_t degree_count;
    struct degree_point degree[DEGREE_POINTS_MAX];
    unsigned permits, forbids; // bits of enum legal_class, and PERMIT_LIVE
    char *source;
    char place[NODE_WHERE_SIZE]; // FILE:LINE:COLUMN
};

/// A standard with what only people read and what decides where it holds.
struct rule {
    struct standard standard;
    struct words text;
    struct words excuses[EXCUSES_MAX];
    char *source;
    struct scope where;
    unsigned examples[VERDICT_COUNT];              // how many are judged so
    struct days days;                              // in which this version of the standard holds
    struct bounds adaptable_least, adaptable_most; // where a culture may move the bound
    char place[NODE_WHERE_SIZE];                   // FILE:LINE:COLUMN of its bound, if it has one
    char live_place[NODE_WHERE_SIZE];              // the same of its `live`
};

struct standards {
    const struct measures *measures;
    struct statements values, norms;
    size_t offering_count;
    struct offering_entry offerings[OFFERINGS_MAX]; // by id
    struct offering other_offering;
    int32_t coverage_floor_millionths;
    enum score_model score_model;
    size_t rule_count;
    struct rule *rules; // room for STANDARDS_MAX, in canonical order
    size_t overlay_count;
    struct overlay *overlays; // room for OVERLAYS_MAX, by id
    struct problems warnings;
};

const struct statement *statements_find(const struct statements *statements, const struct id *id);
/// Gives a set the offerings of the model.
void offerings_copy(const struct standards *standards, struct standard_set *set);
