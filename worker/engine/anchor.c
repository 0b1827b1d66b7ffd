#include "worker/engine/anchor.h"

#include "worker/engine/evidence.h"

/// The first or last of those that a span holds so far.
static void pick(const struct anchor *anchor, struct span span, int64_t at_ms, int64_t *picked_ms) {
    if (span_holds(span, at_ms) && (*picked_ms == TIME_NONE || anchor->last)) *picked_ms = at_ms;
}

/// What must have been watched for the event to be the first or last one, or for there to be none.
static struct span stretch_of(const struct anchor *anchor, struct span service, int64_t at_ms) {
    if (at_ms == TIME_NONE) return service;
    return anchor->last ? (struct span){at_ms, service.to_ms}
                        : (struct span){service.from_ms, at_ms};
}

struct anchored anchor_find(const struct anchor *anchor, const struct standard *standard,
                            const struct series *series, struct span service, int64_t error_ms) {
    if (!series) return (struct anchored){.sighting = SIGHTING_UNSEEN};
    struct span surely = {service.from_ms + error_ms, service.to_ms - error_ms};
    struct span possibly = {service.from_ms - error_ms, service.to_ms + error_ms};
    int64_t at_ms = TIME_NONE, sure_ms = TIME_NONE, possible_ms = TIME_NONE;
    struct usables usables = {.series = series,
                              .labels = anchor->labels,
                              .label_count = anchor->label_count,
                              .least_confidence = standard->least_confidence};
    for (struct usable event; usables_next(&usables, &event);) {
        pick(anchor, service, event.at_ms, &at_ms);
        pick(anchor, surely, event.at_ms, &sure_ms);
        pick(anchor, possibly, event.at_ms, &possible_ms);
    }
    struct anchored anchored = {
        .sighting = at_ms == TIME_NONE ? SIGHTING_NONE : SIGHTING_FOUND,
        .at_ms = at_ms,
        .doubtful = sure_ms != possible_ms,
    };
    struct span stretch = stretch_of(anchor, service, at_ms);
    int64_t length_ms = stretch.to_ms - stretch.from_ms;
    int64_t watched_ms = evidence_watched_ms(series, stretch);
    bool enough =
        length_ms == 0 ||
        (watched_ms > 0 && watched_ms * MILLION >= length_ms * standard->least_coverage_millionths);
    if (!enough) {
        anchored.sighting = SIGHTING_UNSEEN;
        anchored.coverage_millionths = (int32_t)(watched_ms * MILLION / length_ms);
    }
    return anchored;
}
