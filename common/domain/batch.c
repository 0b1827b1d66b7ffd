#include "common/domain/batch.h"

#include <string.h>

static const char *const names[FACT_KIND_COUNT] = {
    [FACT_ENCOUNTER] = "encounter",
    [FACT_WITHDRAWN] = "withdrawn",
    [FACT_BIRTH] = "birth",
    [FACT_GOODBYE] = "goodbye",
    [FACT_GAP] = "gap",
    [FACT_DECISION] = "decision",
};

const char *fact_kind_name(enum fact_kind kind) {
    return (size_t)kind < FACT_KIND_COUNT ? names[kind] : "unknown";
}

bool fact_kind_parse(const char *text, size_t size, enum fact_kind *kind) {
    for (size_t i = 0; i < FACT_KIND_COUNT; i++) {
        if (strlen(names[i]) != size || memcmp(names[i], text, size) != 0) continue;
        *kind = (enum fact_kind)i;
        return true;
    }
    return false;
}
