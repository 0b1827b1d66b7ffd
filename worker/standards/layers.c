#include "worker/standards/layers.h"

#include "worker/standards/days.h"
#include "worker/standards/degrees.h"
#include "worker/standards/live.h"
#include "worker/standards/scope.h"

#include <stdio.h>
#include <string.h>

enum { CHAIN_SIZE = 400, WAY_OUT_SIZE = 128, LINE_SIZE = NODE_WHERE_SIZE + 128 };

/// One end of a bound on its way down through the layers.
struct end {
    const struct rule *rule;
    const char *name; // "least" or "most"
    bool least;
    int64_t open, value;
    int64_t by_law;          // what law and agreement set; open: nothing
    struct bounds adaptable; // where a culture may move it; empty: nowhere
    bool by_culture;         // a culture has said something about it
    char chain[CHAIN_SIZE];
};

static bool tighter(const struct end *end, int64_t value, int64_t than) {
    if (than == end->open) return true;
    return end->least ? value >= than : value <= than;
}

static void remember(struct end *end, const char *layer, const char *id, int64_t value,
                     const char *place) {
    size_t size = strlen(end->chain);
    const struct standard *standard = &end->rule->standard;
    snprintf(end->chain + size, sizeof end->chain - size, "%s%s%s%s %.12g %s (%s)",
             size ? " > " : "", layer, id[0] ? " " : "", id, (double)value * standard->step,
             standard->unit, place);
}

/// A culture may move what is marked for it, within bounds; all others may only tighten.
static void tell_loosening(const struct end *end, enum layer layer, const char *place,
                           struct problems *problems) {
    char way_out[WAY_OUT_SIZE];
    const struct bounds *within = &end->adaptable;
    const struct standard *standard = &end->rule->standard;
    if (layer != LAYER_CULTURE)
        snprintf(way_out, sizeof way_out, "a lower layer may only tighten");
    else if (within->least > within->most)
        snprintf(way_out, sizeof way_out,
                 "a culture may loosen only what the standard marks as adaptable");
    else
        snprintf(way_out, sizeof way_out, "a culture may move it from %.12g to %.12g %s%s",
                 (double)within->least * standard->step, (double)within->most * standard->step,
                 standard->unit, end->by_law == end->open ? "" : ", and not behind the law");
    problems_add(problems, ERR_CONFLICT, place, "this loosens bound.%s of %s: %s; %s", end->name,
                 standard->id.text, end->chain, way_out);
}

/// One layer sets the end. false: it must not; reported.
static bool set_end(struct end *end, enum layer layer, const char *id, int64_t value,
                    const char *place, struct problems *problems) {
    if (value == end->open) return true;
    bool adapts = layer == LAYER_CULTURE && end->adaptable.least <= value &&
                  value <= end->adaptable.most && tighter(end, value, end->by_law);
    bool good = tighter(end, value, end->value) || adapts;
    remember(end, layer_names[layer], id, value, place);
    if (!good) tell_loosening(end, layer, place, problems);
    if (layer == LAYER_LAW || layer == LAYER_AGREEMENT) end->by_law = value;
    end->value = value;
    return good;
}

bool layers_hold(const struct overlay *overlay, const struct standards_place *place) {
    return scope_holds(&overlay->where, place) && days_hold(&overlay->days, place->day);
}

bool layers_concern(const struct overlay *overlay, const struct rule *rule,
                    const struct standards_place *place) {
    return strcmp(overlay->standard.text, rule->standard.id.text) == 0 &&
           layers_hold(overlay, place);
}

static int64_t end_of(const struct bounds *bounds, bool least) {
    return least ? bounds->least : bounds->most;
}

/// All overlays of one layer on one end; there may be one.
static bool apply_layer(struct end *end, const struct standards *standards, enum layer layer,
                        const struct standards_place *place, struct problems *problems) {
    const struct overlay *first = NULL;
    for (size_t i = 0; i < standards->overlay_count; i++) {
        const struct overlay *overlay = &standards->overlays[i];
        if (overlay->layer != layer || !layers_concern(overlay, end->rule, place) ||
            end_of(&overlay->bound, end->least) == end->open)
            continue;
        if (first) {
            problems_add(problems, ERR_CONFLICT, overlay->place,
                         "branch %s: %s and %s (%s) of the layer %s both set bound.%s of %s; "
                         "let one of them hold elsewhere",
                         place->branch, overlay->id.text, first->id.text, first->place,
                         layer_names[layer], end->name, end->rule->standard.id.text);
            return false;
        }
        first = overlay;
    }
    end->by_culture |= first && layer == LAYER_CULTURE;
    return !first || set_end(end, layer, first->id.text, end_of(&first->bound, end->least),
                             first->place, problems);
}

static bool resolve_end(struct end *end, const struct standards *standards,
                        const struct standards_place *place, struct problems *problems) {
    bool good = true;
    for (int layer = 0; good && layer < LAYER_COUNT; layer++)
        good = layer == LAYER_COMPANY
                   ? set_end(end, LAYER_COMPANY, "", end_of(&end->rule->standard.bound, end->least),
                             end->rule->place, problems)
                   : apply_layer(end, standards, (enum layer)layer, place, problems);
    return good;
}

unsigned layers_classes(const struct standard *standard) {
    unsigned classes = 0;
    const struct measure *measure;
    for (size_t at = 0; (measure = standard_next_measure(standard, &at));)
        classes |= 1u << measure->legal;
    return classes;
}

/// What the law leaves to an agreement nobody measures without one, and any layer may forbid.
static unsigned permitted_classes(const struct standards *standards,
                                  const struct standards_place *place, unsigned *forbids) {
    unsigned permits = 1u << LEGAL_P0 | 1u << LEGAL_P1 | 1u << LEGAL_P2;
    *forbids = 0;
    for (size_t i = 0; i < standards->overlay_count; i++) {
        if (!layers_hold(&standards->overlays[i], place)) continue;
        permits |= standards->overlays[i].permits;
        *forbids |= standards->overlays[i].forbids;
    }
    return permits & ~*forbids;
}

unsigned standards_permitted(const struct standards *standards,
                             const struct standards_place *place) {
    unsigned forbids;
    return permitted_classes(standards, place, &forbids);
}

static void put(struct buffer *out, const char *text) {
    buffer_put(out, text, strlen(text));
}

/// Which layers permit or forbid the classes, a line each.
static void tell_permissions(const struct standards *standards, const struct standards_place *place,
                             unsigned classes, struct buffer *chain) {
    for (size_t i = 0; i < 2 * standards->overlay_count; i++) {
        const struct overlay *overlay = &standards->overlays[i / 2];
        unsigned said = classes & (i % 2 ? overlay->forbids : overlay->permits);
        if (!said || !layers_hold(overlay, place)) continue;
        for (int legal = LEGAL_P0; legal <= LEGAL_P5; legal++) {
            char line[LINE_SIZE];
            if (!(said >> legal & 1)) continue;
            snprintf(line, sizeof line, "P%d: %s by %s %s (%s)\n", legal - LEGAL_P0,
                     i % 2 ? "forbidden" : "permitted", layer_names[overlay->layer],
                     overlay->id.text, overlay->place);
            put(chain, line);
        }
    }
}

static void take_permissions(const struct standards *standards, const struct standards_place *place,
                             struct standard *standard, struct buffer *chain) {
    unsigned classes = layers_classes(standard), forbids;
    unsigned permits = permitted_classes(standards, place, &forbids);
    standard->permitted = !(classes & ~permits);
    standard->live = live_permitted(standard, classes, permits, forbids);
    standard->barred_by = classes & forbids ? REASON_FORBIDDEN : REASON_AGREEMENT;
    if (chain) tell_permissions(standards, place, classes, chain);
}

static bool suspends(const struct overlay *overlay, const struct rule *rule) {
    for (size_t i = 0; i < overlay->suspend_count; i++)
        if (strcmp(overlay->suspends[i].text, rule->standard.id.text) == 0) return true;
    return false;
}

static void tell_suspension(struct buffer *chain, const struct overlay *overlay) {
    char from[DAY_TEXT_SIZE], until[DAY_TEXT_SIZE];
    day_text(overlay->days.from, from);
    day_text(overlay->days.until, until);
    const char *pieces[] = {
        "suspended: temporary ", overlay->id.text,  " from ", from,           " until ", until,
        ", approved by ",        overlay->approver, " (",     overlay->place, ")\n"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        put(chain, pieces[i]);
}

/// A standard may be suspended for a while, but not what law or agreement ask for.
static bool take_suspension(const struct standards *standards, const struct rule *rule,
                            const struct standards_place *place, struct standard *standard,
                            struct buffer *chain, struct problems *problems) {
    const struct overlay *suspension = NULL, *above = NULL;
    for (size_t i = 0; i < standards->overlay_count; i++) {
        const struct overlay *overlay = &standards->overlays[i];
        if (suspends(overlay, rule) && layers_hold(overlay, place)) suspension = overlay;
        if (overlay->layer < LAYER_COMPANY && layers_concern(overlay, rule, place)) above = overlay;
    }
    if (!suspension) return true;
    if (above) {
        problems_add(problems, ERR_CONFLICT, suspension->place,
                     "%s cannot be suspended: %s %s (%s) asks for it; remove it from suspends",
                     rule->standard.id.text, layer_names[above->layer], above->id.text,
                     above->place);
        return false;
    }
    if (standard->permitted) standard->barred_by = REASON_SUSPENDED;
    standard->permitted = false;
    if (chain) tell_suspension(chain, suspension);
    return true;
}

/// A country whose culture nobody has a figure for keeps the company's; no gap is filled by
/// guessing.
static void tell(struct buffer *chain, const struct end *end, const char *country) {
    if (!chain || end->value == end->open) return;
    put(chain, "bound.");
    put(chain, end->name);
    put(chain, ": ");
    put(chain, end->chain);
    if (end->adaptable.least <= end->adaptable.most && !end->by_culture) {
        put(chain, "; culture has no figure for ");
        put(chain, country);
    }
    put(chain, "\n");
}

bool layers_apply(const struct standards *standards, const struct rule *rule,
                  const struct standards_place *place, struct standard *standard,
                  struct buffer *chain, struct problems *problems) {
    struct end least = {.rule = rule,
                        .name = "least",
                        .least = true,
                        .open = BOUND_OPEN_LEAST,
                        .value = BOUND_OPEN_LEAST,
                        .by_law = BOUND_OPEN_LEAST,
                        .adaptable = rule->adaptable_least};
    struct end most = {.rule = rule,
                       .name = "most",
                       .open = BOUND_OPEN_MOST,
                       .value = BOUND_OPEN_MOST,
                       .by_law = BOUND_OPEN_MOST,
                       .adaptable = rule->adaptable_most};
    bool good = resolve_end(&least, standards, place, problems);
    good &= resolve_end(&most, standards, place, problems);
    if (good && least.value > most.value) {
        problems_add(problems, ERR_CONFLICT, rule->place,
                     "branch %s: nothing can fulfil %s: least: %s; most: %s; correct one of them",
                     place->branch, rule->standard.id.text, least.chain, most.chain);
        good = false;
    }
    standard->bound = (struct bounds){least.value, most.value};
    tell(chain, &least, place->country);
    tell(chain, &most, place->country);
    good = good && degrees_apply(standards, rule, place, standard, chain, problems);
    take_permissions(standards, place, standard, chain);
    return take_suspension(standards, rule, place, standard, chain, problems) && good;
}
