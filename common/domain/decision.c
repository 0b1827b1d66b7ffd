#include "common/domain/decision.h"

#include <string.h>

static const char *const names[DECISION_KIND_COUNT] = {
    [DECISION_CONFIRM] = "confirm",
    [DECISION_EXCUSE] = "excuse",
    [DECISION_DISPUTE] = "dispute",
    [DECISION_WITHDRAW] = "withdraw",
};

const char *decision_kind_name(enum decision_kind kind) {
    return (size_t)kind < DECISION_KIND_COUNT ? names[kind] : "unknown";
}

bool decision_kind_parse(const char *text, size_t size, enum decision_kind *kind) {
    for (size_t i = 0; i < DECISION_KIND_COUNT; i++) {
        if (strlen(names[i]) != size || memcmp(names[i], text, size) != 0) continue;
        *kind = (enum decision_kind)i;
        return true;
    }
    return false;
}

bool decision_reason_valid(const char *text, size_t size) {
    if (size < 1 || size > DECISION_REASON_MAX) return false;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return false;
    return true;
}

static bool later(const struct decision *a, const struct decision *b) {
    return a->decided_ms != b->decided_ms ? a->decided_ms > b->decided_ms : a->kind > b->kind;
}

const struct decision *decision_of(const struct decision *decisions, size_t count,
                                   const struct name *standard) {
    const struct decision *latest = NULL;
    for (size_t i = 0; i < count; i++)
        if (name_equal(&decisions[i].standard, standard) &&
            (!latest || later(&decisions[i], latest)))
            latest = &decisions[i];
    return latest;
}
