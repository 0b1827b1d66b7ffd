#include "worker/standards/reach.h"

#include "worker/standards/layers.h"
#include "worker/standards/scope.h"

#include <string.h>

/// The branches that there are, and where to tell what is wrong.
struct reach {
    const struct standards *standards;
    const struct standards_place *places;
    size_t count;
    struct problems *problems;
};

static bool branch_there(const struct reach *reach, const char *name) {
    for (size_t i = 0; i < reach->count; i++)
        if (strcmp(reach->places[i].branch, name) == 0) return true;
    return false;
}

static bool region_there(const struct reach *reach, const char *name) {
    for (size_t i = 0; i < reach->count; i++)
        if (strcmp(reach->places[i].region, name) == 0) return true;
    return false;
}

/// Countries are told by law and culture, whether or not there is a branch.
static bool names_there(const struct reach *reach, const struct scope *scope) {
    bool good = true;
    for (size_t i = 0; i < scope->branches.count; i++) {
        const char *name = scope->branches.items[i].text;
        if (branch_there(reach, name)) continue;
        problems_add(reach->problems, ERR_MISSING, scope->place,
                     "there is no branch %s in branches/; add it there or correct the name", name);
        good = false;
    }
    for (size_t i = 0; i < scope->regions.count; i++) {
        const char *name = scope->regions.items[i].text;
        if (region_there(reach, name)) continue;
        problems_add(reach->problems, ERR_MISSING, scope->place,
                     "no branch in branches/ is in the region %s; correct the name", name);
        good = false;
    }
    return good;
}

/// A standard that is at work must be at work somewhere.
static bool rule_reaches(const struct reach *reach, const struct rule *rule) {
    const struct standard *standard = &rule->standard;
    if (!names_there(reach, &rule->where)) return false;
    if (standard->status != STATUS_ACTIVE && standard->status != STATUS_SHADOW) return true;
    for (size_t i = 0; i < reach->count; i++)
        if (scope_holds(&rule->where, &reach->places[i])) return true;
    problems_add(reach->problems, ERR_CONFLICT, rule->where.place,
                 "standard %s is %s, but holds at none of the branches in branches/; widen "
                 "applies, or write status: draft",
                 standard->id.text, status_names[standard->status]);
    return false;
}

/// The law's overlay that forbids there, as long as the agreement holds, something it permits.
static const struct overlay *forbidden_by(const struct standards *standards,
                                          const struct overlay *agreement,
                                          const struct standards_place *place) {
    for (size_t i = 0; i < standards->overlay_count; i++) {
        const struct overlay *law = &standards->overlays[i];
        if (law->layer == LAYER_LAW && (law->forbids & agreement->permits) &&
            scope_holds(&law->where, place) && law->days.from <= agreement->days.from &&
            law->days.until >= agreement->days.until)
            return law;
    }
    return NULL;
}

/// What the law forbids no agreement opens; one that is forbidden everywhere only seems to.
static bool agreement_opens(const struct reach *reach, const struct overlay *agreement) {
    const struct overlay *law = NULL;
    for (size_t i = 0; i < reach->count; i++) {
        if (!scope_holds(&agreement->where, &reach->places[i])) continue;
        law = forbidden_by(reach->standards, agreement, &reach->places[i]);
        if (!law) return true;
    }
    if (!law) return true;
    problems_add(reach->problems, ERR_REFUSED, agreement->place,
                 "agreement %s permits what the law forbids wherever it holds: law %s (%s) > "
                 "agreement %s (%s); remove it from permits",
                 agreement->id.text, law->id.text, law->place, agreement->id.text,
                 agreement->place);
    return false;
}

bool standards_reach(const struct standards *standards, const struct standards_place *places,
                     size_t count, struct problems *problems) {
    const struct reach reach = {standards, places, count, problems};
    bool good = true;
    for (size_t i = 0; i < standards->rule_count; i++)
        good &= rule_reaches(&reach, &standards->rules[i]);
    for (size_t i = 0; i < standards->overlay_count; i++) {
        const struct overlay *overlay = &standards->overlays[i];
        good &= names_there(&reach, &overlay->where);
        if (overlay->layer == LAYER_AGREEMENT) good &= agreement_opens(&reach, overlay);
    }
    return good;
}
