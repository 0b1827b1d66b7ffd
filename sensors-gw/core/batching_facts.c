// What goes into a batch as facts: encounters, decisions, gaps.

#include "sensors-gw/core/batching_parts.h"

#include <string.h>

void batching_fact(struct batching *b, const struct fact *fact) {
    size_t bytes = (fact->kind == FACT_DECISION ? DECISION_BYTES : FACT_BYTES) +
                   (fact->measures.count + fact->counters.count) * FACT_ID_BYTES;
    if (b->fact_count == BATCH_FACTS_MAX || b->bytes + bytes > b->limits.body_max)
        batching_hand_out(b);
    began(b);
    b->facts[b->fact_count++] = *fact;
    b->bytes += bytes;
}

static bool counter_known(const struct batching *b, const struct id *counter) {
    uint32_t at;
    return idmap_get(b->counters, counter->text, strlen(counter->text), &at);
}

void batching_encounter(struct source *source, const struct encounter *encounter) {
    struct batching *b = source->batching;
    if (encounter->counter.text[0] && !counter_known(b, &encounter->counter))
        batching_odd(b, "foreign_counter");
    else if (encounter_check(encounter, NULL))
        batching_odd(b, "bad_encounter");
    else
        batching_fact(b, &(struct fact){.kind = FACT_ENCOUNTER, .encounter = *encounter});
}

void batching_withdrawn(struct source *source, const struct name *encounter, const char *reason) {
    struct fact fact = {.kind = FACT_WITHDRAWN};
    fact.encounter.id = *encounter;
    if (!name_set(&fact.reason, reason, strlen(reason)))
        batching_odd(source->batching, "bad_reason");
    else
        batching_fact(source->batching, &fact);
}

void batching_decision(struct source *source, const struct decision *decision) {
    batching_fact(source->batching, &(struct fact){.kind = FACT_DECISION, .decision = *decision});
}

void batching_gap(struct source *source, const struct id *counter, struct span span,
                  const char *reason) {
    struct batching *b = source->batching;
    struct fact fact = {.kind = FACT_GAP, .gap = span};
    if (counter) fact.counter = *counter;
    if (counter && !counter_known(b, counter))
        batching_odd(b, "foreign_counter");
    else if (!time_plausible(span.from_ms) || !time_plausible(span.to_ms) ||
             span.from_ms >= span.to_ms)
        batching_odd(b, "bad_span");
    else if (!name_set(&fact.reason, reason, strlen(reason)))
        batching_odd(b, "bad_reason");
    else
        batching_fact(b, &fact);
}
