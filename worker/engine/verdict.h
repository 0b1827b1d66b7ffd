#pragma once
// The judgement of standards on an encounter. The numbers of verdicts and reasons are stored: only
// ever append to them.

#include "common/domain/series.h"

enum verdict {
    VERDICT_MET,
    VERDICT_PARTLY_MET, // violated, but the standard's degree is above 0
    VERDICT_NOT_MET,
    VERDICT_NOT_APPLICABLE,
    VERDICT_EXCUSED,
    VERDICT_INSUFFICIENT_EVIDENCE,
    VERDICT_ERROR,
    VERDICT_NOT_SELECTED, // by law or agreement, or suspended
    VERDICT_COUNT
};

enum reason {
    REASON_HELD,          // the bound holds as measured
    REASON_VIOLATED,      // violated with every sample moved in the standard's favour
    REASON_NOT_OBSERVED,  // what should happen did not, though the sensor watched
    REASON_GUARD_BAND,    // violated as measured, but within the uncertainty
    REASON_NO_SENSOR,     // no sensor watched during the phase
    REASON_NO_SAMPLE,     // a sensor watched, no sample is confident enough
    REASON_COVERAGE,      // watched for less of the phase than the standard asks for
    REASON_OFFERING,      // the standard does not apply to this offering
    REASON_OUTCOME,       // nor to this outcome
    REASON_PHASE_MISSING, // the encounter did not have this phase
    REASON_SHADOW,        // of old verdicts only: what was on trial was not judged then
    REASON_AGREEMENT,     // needs an agreement that is not there
    REASON_BAD_DATA,      // the encounter's own times contradict each other
    REASON_CRASH,         // judging failed repeatedly
    REASON_FORBIDDEN,     // a layer forbids to measure this here
    REASON_GAVE_UP,       // the client left unserved, after waiting longer than the bound
    REASON_LEFT_EARLY,    // the client left unserved, before the bound was reached
    REASON_EXCUSE,        // violated, but one of the standard's excuses holds
    REASON_HOURS,         // the standard does not apply at this time of the week
    REASON_UNCONFIRMED,   // violated, and so grave that a person has to confirm it
    REASON_SUSPENDED,     // suspended for some time, by somebody, for a reason
    REASON_CONFIRMED,     // a person has looked at it: it stands
    REASON_PARDONED,      // violated, but a person has excused it
    REASON_DISPUTED,      // a person contests it; it does not count until somebody has decided
    REASON_COUNT
};

const char *verdict_name(enum verdict verdict); // "met", "partly_met" ...
const char *reason_name(enum reason reason); // "held", "violated", "not_observed" ...

enum { MILLION = 1000000, POINTS_MAX = 64 };

/// One usable sample or event, for explaining a verdict.
struct point {
    int64_t at_ms;
    double value; // in the measure's unit; events: 0
    uint8_t confidence;
};

/// What was found, before a person decided.
struct ruling {
    enum verdict verdict;
    enum reason reason;
    int32_t degree_millionths;
};

/// One standard on one encounter.
struct judgement {
    enum verdict verdict;
    enum reason reason;
    double measured;             // in the standard's unit; NaN: nothing to tell
    double limit;                // the bound that was violated or is nearest; NaN: none was asked
    int32_t coverage_millionths; // share of the phase with evidence; -1: did not come to it
    int32_t degree_millionths;   // met 1000000, not met 0, partly met between; -1: no outcome
    struct span worst;           // the longest stretch on the wrong side; TIME_NONE: none
    bool decided;                // a person did: verdict, reason and degree are what follows
    struct ruling found;         // decided: what they were before
    size_t point_count;          // usable ones of the phase, thinned evenly to POINTS_MAX
    struct point points[POINTS_MAX];
};

/// The order of the six dimensions is stored too.
enum dimension {
    DIMENSION_EXPRESSION,
    DIMENSION_WORDING,
    DIMENSION_PROXEMICS,
    DIMENSION_APPEARANCE,
    DIMENSION_TIMING,
    DIMENSION_SAFETY,
    DIMENSION_COUNT
};
const char *dimension_name(enum dimension dimension); // "expression" ...
bool dimension_parse(const char *text, size_t size, enum dimension *dimension);

/// Scores of one encounter, 0..1000000; -1: none.
struct scores {
    int32_t overall; // as the set's model has it
    int32_t dimensions[DIMENSION_COUNT];
    int32_t coverage_millionths; // weight with an outcome / weight that applied; -1: none applied
};
