#pragma once
// A standard as the engine reads it: figures as integers of fixed steps, names resolved.

#include "common/domain/encounter.h"
#include "common/domain/measure.h"
#include "worker/engine/verdict.h"

enum statistic {
    STATISTIC_DURATION,          // length of the phase, s
    STATISTIC_MEAN,              // of the samples in the phase, in the measure's unit
    STATISTIC_MIN,               //
    STATISTIC_MAX,               //
    STATISTIC_QUANTILE,          // nearest rank
    STATISTIC_SHARE,             // of the covered time inside the band, %
    STATISTIC_LONGEST_OUTSIDE,   // longest covered stretch outside the band, s
    STATISTIC_COUNT_EVENTS,      // events with one of the labels, 1
    STATISTIC_RATE,              // the same for each minute of covered time, 1/min
    STATISTIC_FIRST_AFTER_START, // from the phase's start to the first event or sample in band, s
    STATISTIC_LAST_BEFORE_END,   // from the last one to the phase's end, s
    STATISTIC_COUNT
};
extern const char *const statistic_names[]; // ended by NULL

enum phase { PHASE_WAITING, PHASE_OPENING, PHASE_SERVICE, PHASE_CLOSING, PHASE_SPAN, PHASE_COUNT };
extern const char *const phase_names[]; // ended by NULL

/// In the order in which they come.
enum anchor_kind { ANCHOR_ISSUED, ANCHOR_CALLED, ANCHOR_STARTED, ANCHOR_EVENT, ANCHOR_ENDED };
extern const char *const anchor_names[]; // ended by NULL

enum { ANCHOR_LABELS_MAX = 4 };

/// One end of a span: a time of the encounter, or (ANCHOR_EVENT) the first or last event of its
/// service that has one of the labels.
struct anchor {
    enum anchor_kind kind;
    int32_t offset_ms;      // of the end from there; may be negative
    bool last;              // from here on: events only
    struct measure measure; //
    size_t label_count;     // 0: every label counts
    struct name labels[ANCHOR_LABELS_MAX];
};

/// When a standard looks: a phase, or (PHASE_SPAN) from one anchor to another.
struct during {
    enum phase phase;
    struct anchor from, to;
};

/// Whether an event anchors it.
static inline bool during_senses(const struct during *during) {
    return during->phase == PHASE_SPAN &&
           (during->from.kind == ANCHOR_EVENT || during->to.kind == ANCHOR_EVENT);
}

/// Both ends belong to it. BOUND_OPEN_LEAST/_MOST: no such end.
#define BOUND_OPEN_LEAST INT64_MIN
#define BOUND_OPEN_MOST INT64_MAX
struct bounds {
    int64_t least, most;
};

/// How a composed standard is made of checks.
enum check_kind { CHECK_FIGURE, CHECK_ALL, CHECK_ANY, CHECK_NOT };
enum { CHECKS_MAX = 24, PARTS_MAX = 8, EXCUSES_MAX = 4 };

/// One check. A tree stands as a list: each check, then those inside it.
struct check {
    uint8_t kind; // enum check_kind
    uint8_t size; // of its part of the list: itself and all inside it
    uint8_t part; // CHECK_FIGURE: which of the standard's parts
};

struct checks {
    uint8_t count; // 0: none; else the first holds all others
    struct check items[CHECKS_MAX];
};

/// Hours of the week in the branch's time zone.
struct hours {
    uint8_t days;      // bit 0: Monday
    uint16_t from, to; // minutes of the day; `to` does not belong to it
};
enum { HOURS_MAX = 8, DAY_MINUTES = 24 * 60 };
extern const char *const weekday_names[]; // "mon" ..., ended by NULL

/// What makes a violation forgivable.
struct excuse {
    struct name id;
    struct checks when;
};

enum severity { SEVERITY_NORMAL, SEVERITY_CRITICAL, SEVERITY_AUTO_FAIL, SEVERITY_COUNT };
extern const char *const severity_names[]; // ended by NULL

enum attribution {
    ATTRIBUTION_EMPLOYEE,
    ATTRIBUTION_TEAM,
    ATTRIBUTION_SYSTEM,
    ATTRIBUTION_CUSTOMER,
    ATTRIBUTION_COUNT
};
extern const char *const attribution_names[]; // ended by NULL

/// Shadow: on trial. Judged like any other and told beside them, but no score, rate or person
/// waits on it.
enum standard_status { STATUS_DRAFT, STATUS_SHADOW, STATUS_ACTIVE, STATUS_RETIRED, STATUS_COUNT };
extern const char *const status_names[]; // ended by NULL

/// What an encounter's score is the mean of.
enum score_model {
    SCORE_HIERARCHICAL, // of its dimensions' scores: a dimension with many standards weighs no more
    SCORE_FLAT,         // of all standards by their weights
    SCORE_MODEL_COUNT
};
extern const char *const score_model_names[]; // ended by NULL

enum {
    STANDARDS_MAX = 256, // in one set
    OFFERINGS_MAX = 64,
    STANDARD_LABELS_MAX = 16,
    DEGREE_POINTS_MAX = 8,
};

/// A corner of the piecewise linear degree: constant before the first and after the last.
struct degree_point {
    int64_t at; // in steps, strictly ascending
    int32_t millionths;
};

/// One standard of an effective set. The figures, from `measure` to `largest_gap_ms`, are its own,
/// or (composed: checks.count > 0) each of its parts has them.
struct standard {
    struct name id;
    struct id norm, value;
    enum dimension dimension;
    enum standard_status status; // STATUS_ACTIVE or STATUS_SHADOW
    enum severity severity;
    enum attribution attribution;
    uint16_t weight;
    bool permitted;        // false: it may not be judged here
    bool live;             // it may alert here while the encounter goes on
    enum reason barred_by; // why not: REASON_AGREEMENT, REASON_FORBIDDEN or REASON_SUSPENDED

    struct measure measure; // meaningless for STATISTIC_DURATION
    struct during during;
    enum statistic statistic;
    uint8_t percent;     // STATISTIC_QUANTILE: 1..99
    struct bounds band;  // SHARE, LONGEST_OUTSIDE; FIRST/LAST of samples: in the measure's steps
    int64_t uncertainty; // of a sample, in the measure's steps, rounded up
    size_t label_count;  // events; 0: every label counts
    struct name labels[STANDARD_LABELS_MAX];

    char unit[UNIT_MAX + 1]; // of measured value, bound and degree: "s", "%", "1", "1/min", "m" ...
    double step;             // one step in that unit: the figures below are multiples of it
    struct bounds bound;     // at least one end is there
    size_t degree_count;     // 0: no degree
    struct degree_point degree[DEGREE_POINTS_MAX];

    int32_t least_coverage_millionths;
    uint8_t least_confidence; // percent; a sample below it is not used
    int32_t largest_gap_ms;   // a sample speaks for at most this long

    struct checks checks;
    size_t excuse_count;
    struct excuse excuses[EXCUSES_MAX];
    size_t part_count; // what checks and excuses look at
    struct standard *parts;
    size_t variant_count; // the same standard with what layers made of it for some offerings
    struct standard *variants;
    uint64_t varied; // of a variant: bit i: it holds for set->offerings[i]

    uint64_t offerings; // bit i: applies to set->offerings[i]
    bool any_offering;  // applies to every offering, the unknown one too
    uint32_t outcomes;  // bit OUTCOME_x: applies to it
    size_t hours_count; // 0: at every hour
    struct hours hours[HOURS_MAX];
};

struct offering {
    struct id id;
    int32_t opening_ms, closing_ms; // how long the first and last phase of the service are
};

enum { SET_HASH_SIZE = 32, SET_HASH_TEXT_SIZE = 2 * SET_HASH_SIZE + 1 };

/// The standards that hold for a branch, in canonical order (by id): verdict vectors follow it.
struct standard_set {
    size_t count;
    struct standard *items;
    struct standard *parts, *variants; // of all items
    size_t offering_count;
    struct offering offerings[OFFERINGS_MAX];
    struct offering other_offering;    // lengths for every offering not named; its id is empty
    int32_t coverage_floor_millionths; // below it an encounter has no score
    enum score_model score_model;

    uint8_t hash[SET_HASH_SIZE]; // SHA-256 of the JSON text
    char hash_text[SET_HASH_TEXT_SIZE];
    char *json; // canonical JSON, for readers
    size_t json_size;
};

/// Whether any figure of it is made of what a sensor saw.
bool standard_senses(const struct standard *standard);

/// Walks over the measures that it looks at, one of them perhaps twice: for (size_t at = 0; ...).
/// NULL: no more.
const struct measure *standard_next_measure(const struct standard *standard, size_t *at);

/// Place of the standard in the set; false: not in it.
bool standard_set_find(const struct standard_set *set, const char *id, size_t size, size_t *place);
