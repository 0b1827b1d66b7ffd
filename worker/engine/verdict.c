#include "worker/engine/verdict.h"

#include <string.h>

static const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_MET] = "met",         [VERDICT_PARTLY_MET] = "partly_met",
    [VERDICT_NOT_MET] = "not_met", [VERDICT_NOT_APPLICABLE] = "not_applicable",
    [VERDICT_EXCUSED] = "excused", [VERDICT_INSUFFICIENT_EVIDENCE] = "insufficient_evidence",
    [VERDICT_ERROR] = "error",     [VERDICT_NOT_SELECTED] = "not_selected",
};

static const char *const reason_names[REASON_COUNT] = {
    [REASON_HELD] = "held",
    [REASON_VIOLATED] = "violated",
    [REASON_NOT_OBSERVED] = "not_observed",
    [REASON_GUARD_BAND] = "guard_band",
    [REASON_NO_SENSOR] = "no_sensor",
    [REASON_NO_SAMPLE] = "no_sample",
    [REASON_COVERAGE] = "coverage",
    [REASON_OFFERING] = "offering",
    [REASON_OUTCOME] = "outcome",
    [REASON_PHASE_MISSING] = "phase_missing",
    [REASON_SHADOW] = "shadow",
    [REASON_AGREEMENT] = "agreement",
    [REASON_BAD_DATA] = "bad_data",
    [REASON_CRASH] = "crash",
    [REASON_FORBIDDEN] = "forbidden",
    [REASON_GAVE_UP] = "gave_up",
    [REASON_LEFT_EARLY] = "left_early",
    [REASON_EXCUSE] = "excuse",
    [REASON_HOURS] = "hours",
    [REASON_UNCONFIRMED] = "unconfirmed",
    [REASON_CONFIRMED] = "confirmed",
    [REASON_PARDONED] = "pardoned",
    [REASON_DISPUTED] = "disputed",
    [REASON_SUSPENDED] = "suspended",
};

static const char *const dimension_names[DIMENSION_COUNT] = {
    [DIMENSION_EXPRESSION] = "expression", [DIMENSION_WORDING] = "wording",
    [DIMENSION_PROXEMICS] = "proxemics",   [DIMENSION_APPEARANCE] = "appearance",
    [DIMENSION_TIMING] = "timing",         [DIMENSION_SAFETY] = "safety",
};

/// The place of a text in a table of names, or -1.
static int place_of(const char *text, size_t size, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) == size && memcmp(names[i], text, size) == 0) return i;
    return -1;
}

const char *verdict_name(enum verdict verdict) {
    return (unsigned)verdict < VERDICT_COUNT ? verdict_names[verdict] : "unknown";
}

const char *reason_name(enum reason reason) {
    return (unsigned)reason < REASON_COUNT ? reason_names[reason] : "unknown";
}

const char *dimension_name(enum dimension dimension) {
    return (unsigned)dimension < DIMENSION_COUNT ? dimension_names[dimension] : "unknown";
}

bool dimension_parse(const char *text, size_t size, enum dimension *dimension) {
    int place = place_of(text, size, dimension_names, DIMENSION_COUNT);
    if (place < 0) return false;
    *dimension = (enum dimension)place;
    return true;
}
