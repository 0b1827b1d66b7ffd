#include "broker/shell/refusals.h"

#include <stdio.h>
#include <string.h>

void refusals_add(struct refusals *refusals, const char *who, const char *why, uint64_t now_ms) {
    struct refusal *place = NULL;
    refusals->total++;
    for (size_t i = 0; i < refusals->count; i++) {
        struct refusal *refusal = &refusals->items[i];
        if (!strncmp(refusal->who, who, REFUSAL_WHO_SIZE - 1) &&
            !strncmp(refusal->why, why, REFUSAL_WHY_SIZE - 1)) {
            refusal->count++;
            refusal->last_ms = now_ms;
            return;
        }
        if (!place || refusal->last_ms < place->last_ms) place = refusal;
    }
    if (refusals->count < REFUSALS_MAX) place = &refusals->items[refusals->count++];
    *place = (struct refusal){.count = 1, .last_ms = now_ms};
    snprintf(place->who, sizeof place->who, "%s", who);
    snprintf(place->why, sizeof place->why, "%s", why);
}
