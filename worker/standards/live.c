#include "worker/standards/live.h"

#include "worker/standards/layers.h"

static const unsigned on_persons = 1u << LEGAL_P2 | 1u << LEGAL_P3;

/// Which event was the last one is known only when no other can come.
static bool late(const struct anchor *anchor) {
    return anchor->kind == ANCHOR_ENDED || (anchor->kind == ANCHOR_EVENT && anchor->last);
}

/// What hinders a figure from being known while the encounter goes on; NULL: nothing.
static const char *hindrance(const struct standard *figure) {
    const struct during *during = &figure->during;
    bool ended = late(&during->from) || late(&during->to);
    if (figure->statistic == STATISTIC_DURATION) return "looks at no sensor";
    if (figure->statistic == STATISTIC_LAST_BEFORE_END || during->phase == PHASE_CLOSING ||
        (during->phase == PHASE_SPAN && ended))
        return "is known only when the encounter has ended";
    return NULL;
}

bool live_read(struct reading *reading, const struct node *node, struct rule *rule) {
    struct standard *standard = &rule->standard;
    const struct node *found = node_find(node, "live");
    if (!found) return true;
    if (!node_bool(found, &standard->live, reading->problems)) return false;
    if (!standard->live) return true;
    node_where(found, rule->live_place);
    const char *reason = standard->checks.count == 0 ? hindrance(standard) : NULL;
    for (size_t i = 0; !reason && i < standard->part_count; i++)
        reason = hindrance(&standard->parts[i]);
    if (reason)
        node_problem(found, reading->problems, ERR_CONFLICT,
                     "%s %s, so nobody can be alerted; write live: false", standard->id.text,
                     reason);
    return !reason;
}

bool live_permitted(const struct standard *standard, unsigned classes, unsigned permits,
                    unsigned forbids) {
    if (!standard->live || !standard->permitted || (forbids & PERMIT_LIVE)) return false;
    return !(classes & on_persons) || (permits & PERMIT_LIVE);
}

void live_agreed(struct reading *reading) {
    const struct standards *model = reading->model;
    unsigned permits = 0;
    for (size_t i = 0; i < model->overlay_count; i++)
        permits |= model->overlays[i].permits;
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        if (!rule->standard.live || !(layers_classes(&rule->standard) & on_persons) ||
            (permits & PERMIT_LIVE))
            continue;
        problems_add(reading->problems, ERR_REFUSED, rule->live_place,
                     "live alerts on a person's words, looks or expression (P2, P3) need an "
                     "agreement; write live: false, or an overlay of the layer agreement with "
                     "permits: [live]");
    }
}
