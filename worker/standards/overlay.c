#include "worker/standards/overlay.h"

#include "worker/standards/days.h"
#include "worker/standards/figures.h"
#include "worker/standards/scope.h"
#include "worker/standards/sentence.h"

#include <stdlib.h>
#include <string.h>

const char *const layer_names[] = {
    [LAYER_LAW] = "law",         [LAYER_AGREEMENT] = "agreement", [LAYER_COMPANY] = "company",
    [LAYER_CULTURE] = "culture", [LAYER_OFFERING] = "offering",   [LAYER_REGION] = "region",
    [LAYER_BRANCH] = "branch",   [LAYER_TEMPORARY] = "temporary", [LAYER_COUNT] = NULL,
};

static bool layer_read(struct reading *reading, const struct node *node, struct overlay *overlay) {
    const struct node *named = node_need(node, "layer", reading->problems);
    int layer;
    if (!node_choice(named, layer_names, &layer, reading->problems)) return false;
    if (layer == LAYER_COMPANY) {
        node_problem(named, reading->problems, ERR_CONFLICT,
                     "the company's figures stand in the standard itself; change them there");
        return false;
    }
    overlay->layer = (enum layer)layer;
    return true;
}

static const struct rule *rule_named(const struct standards *model, const struct name *id) {
    for (size_t i = 0; i < model->rule_count; i++)
        if (strcmp(model->rules[i].standard.id.text, id->text) == 0) return &model->rules[i];
    return NULL;
}

/// A figure for an offering to which the standard does not apply has no effect.
static bool offerings_apply(struct reading *reading, const struct node *node,
                            const struct overlay *overlay, const struct rule *rule) {
    const struct standards *model = reading->model;
    const struct standard *standard = &rule->standard;
    if (overlay->layer != LAYER_OFFERING || standard->any_offering) return true;
    for (size_t i = 0; i < overlay->where.offerings.count; i++)
        for (size_t k = 0; k < model->offering_count; k++) {
            const struct id *offering = &model->offerings[k].offering.id;
            if (!id_equal(offering, &overlay->where.offerings.items[i]) ||
                standard->offerings >> k & 1)
                continue;
            node_problem(node_find(node, "where"), reading->problems, ERR_CONFLICT,
                         "%s does not apply to the offering %s; remove it here, or add it to the "
                         "standard's applies",
                         standard->id.text, offering->text);
            return false;
        }
    return true;
}

/// The overlay moves the bound of a standard; its degree has to move with it.
static bool requirement_read(struct reading *reading, const struct node *node,
                             struct overlay *overlay) {
    const struct node *named = node_need(node, "standard", reading->problems);
    if (!node_name(named, &overlay->standard, reading->problems)) return false;
    const struct rule *rule = rule_named(reading->model, &overlay->standard);
    if (!rule) {
        name_unknown(reading, named, LIST_STANDARDS, overlay->standard.text);
        return false;
    }
    if (!offerings_apply(reading, node, overlay, rule)) return false;
    if (rule->standard.checks.count > 0) {
        node_problem(
            named, reading->problems, ERR_CONFLICT,
            "%s is made of several checks and has no bound of its own; move the bound of a "
            "standard with one figure",
            overlay->standard.text);
        return false;
    }
    struct standard moved = rule->standard;
    moved.degree_count = 0;
    bool good = figures_read_moved(reading, node, &moved);
    overlay->bound = moved.bound;
    overlay->degree_count = moved.degree_count;
    memcpy(overlay->degree, moved.degree, sizeof moved.degree);
    if (good) sentence_check_moved(reading, rule, overlay);
    bool constrains = overlay->layer == LAYER_LAW || overlay->layer == LAYER_AGREEMENT;
    if (good && !constrains && rule->standard.degree_count > 0 && moved.degree_count == 0) {
        node_problem(node, reading->problems, ERR_MISSING,
                     "the standard has a degree, which must move with its bound; add degree");
        return false;
    }
    if (good && constrains && moved.degree_count > 0) {
        node_problem(node_find(node, "degree"), reading->problems, ERR_CONFLICT,
                     "law and agreement set bounds only; remove degree");
        return false;
    }
    return good;
}

/// A list of legal classes (and live alerts) as bits. P0 says nothing about persons; P4 and P5
/// nobody may permit.
static bool classes_read(struct reading *reading, const struct node *list, bool permits,
                         unsigned *classes) {
    static const char *const forbiddable[] = {"P1", "P2", "P3", "P4", "P5", "live", NULL};
    static const char *const permittable[] = {"P3", "live", NULL};
    static const unsigned forbidden[] = {1u << LEGAL_P1, 1u << LEGAL_P2, 1u << LEGAL_P3,
                                         1u << LEGAL_P4, 1u << LEGAL_P5, PERMIT_LIVE};
    static const unsigned permitted[] = {1u << LEGAL_P3, PERMIT_LIVE};
    if (!read_list(reading, list, 6)) return false;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next) {
        int place;
        if (!node_choice(item, permits ? permittable : forbiddable, &place, reading->problems))
            good = false;
        else
            *classes |= permits ? permitted[place] : forbidden[place];
    }
    return good;
}

static bool permission_read(struct reading *reading, const struct node *node,
                            struct overlay *overlay) {
    const struct node *permits = node_find(node, "permits"), *forbids = node_find(node, "forbids");
    bool good = true;
    if (permits && overlay->layer != LAYER_AGREEMENT) {
        node_problem(permits, reading->problems, ERR_CONFLICT,
                     "only the layer agreement can permit; permissions shrink on the way down");
        good = false;
    } else if (permits) {
        good &= classes_read(reading, permits, true, &overlay->permits);
    }
    if (forbids) good &= classes_read(reading, forbids, false, &overlay->forbids);
    return good;
}

/// suspends: [ID, ...] with the reason (source), who approved it, and an end.
static bool suspension_read(struct reading *reading, const struct node *node,
                            struct overlay *overlay) {
    const struct node *list = node_find(node, "suspends");
    const char *approver;
    if (overlay->layer != LAYER_TEMPORARY) {
        node_problem(list, reading->problems, ERR_CONFLICT,
                     "only the layer temporary can suspend; set layer: temporary");
        return false;
    }
    if (days_length(&overlay->days) > SUSPENSION_DAYS_MOST) {
        node_problem(node_find(node, "until"), reading->problems, ERR_RANGE,
                     "a suspension lasts at most %d days; let it end earlier, or retire the "
                     "standard",
                     SUSPENSION_DAYS_MOST);
        return false;
    }
    if (!node_text(node_need(node, "approver", reading->problems), 1, TEXT_SIZE_MAX, &approver,
                   reading->problems) ||
        !read_list(reading, list, SUSPENDS_MAX))
        return false;
    overlay->approver = strdup(approver);
    reading->no_memory |= overlay->approver == NULL;
    bool good = overlay->approver != NULL;
    for (const struct node *item = list->first; item; item = item->next) {
        struct name *id = &overlay->suspends[overlay->suspend_count];
        if (!node_name(item, id, reading->problems)) {
            good = false;
        } else if (!rule_named(reading->model, id)) {
            name_unknown(reading, item, LIST_STANDARDS, id->text);
            good = false;
        } else {
            overlay->suspend_count++;
        }
    }
    return good;
}

/// A key that belongs to another kind of overlay says nothing here.
static bool no_stray(struct reading *reading, const struct node *node, const char *key,
                     const char *kind) {
    const struct node *found = node_find(node, key);
    if (found)
        node_problem(found, reading->problems, ERR_CONFLICT,
                     "%s belongs to an overlay with %s; remove it, or write a second overlay", key,
                     kind);
    return !found;
}

static bool content_read(struct reading *reading, const struct node *node,
                         struct overlay *overlay) {
    bool permission = node_find(node, "permits") || node_find(node, "forbids");
    bool requirement = node_find(node, "standard") || node_find(node, "bound");
    bool suspension = node_find(node, "suspends");
    if (permission + requirement + suspension != 1) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "an overlay has one of three: standard and bound; permits or forbids; "
                     "suspends");
        return false;
    }
    if (!suspension && !no_stray(reading, node, "approver", "suspends")) return false;
    if (!requirement && !no_stray(reading, node, "degree", "standard and bound")) return false;
    if (suspension) return suspension_read(reading, node, overlay);
    return permission ? permission_read(reading, node, overlay)
                      : requirement_read(reading, node, overlay);
}

/// Offerings belong to the layer offering, days at both ends to the layer temporary.
static bool when_read(struct reading *reading, const struct node *node, struct overlay *overlay) {
    const struct node *where = node_find(node, "where");
    const struct node *offerings = node_find(where, "offerings");
    struct problems *problems = reading->problems;
    if (!days_read(reading, node, &overlay->days)) return false;
    if (overlay->layer == LAYER_TEMPORARY &&
        (overlay->days.from == 0 || !node_find(node, "until"))) {
        node_need(node, "from", problems);
        node_need(node, "until", problems);
        return false;
    }
    if (overlay->layer == LAYER_OFFERING)
        return where ? scope_offerings_read(reading, node_need(where, "offerings", problems),
                                            &overlay->where)
                     : node_need(node, "where", problems) != NULL;
    if (offerings)
        node_problem(offerings, problems, ERR_CONFLICT,
                     "only the layer offering is about offerings; set layer: offering");
    return !offerings;
}

bool overlay_read(struct reading *reading, const struct node *node, struct overlay *overlay) {
    static const char *const keys[] = {"overlay", "layer",    "where",    "source",  "standard",
                                       "bound",   "degree",   "permits",  "forbids", "from",
                                       "until",   "suspends", "approver", NULL};
    static const char *const where_keys[] = {"branches", "regions", "countries", "offerings", NULL};
    const char *source;
    bool known = node_map(node, keys, reading->problems), good = known;
    if (node->kind != NODE_MAP) return false;
    node_where(node, overlay->place);
    good &=
        node_name(node_need(node, "overlay", reading->problems), &overlay->id, reading->problems);
    if (node_text(node_need(node, "source", reading->problems), 1, TEXT_SIZE_MAX, &source,
                  reading->problems)) {
        overlay->source = strdup(source);
        reading->no_memory |= overlay->source == NULL;
    }
    const struct node *where = node_find(node, "where");
    if (where)
        good &= node_map(where, where_keys, reading->problems) &&
                scope_read(reading, where, &overlay->where);
    // Which kind of overlay it is, an unknown key may be meant to say.
    return layer_read(reading, node, overlay) && when_read(reading, node, overlay) && known &&
           content_read(reading, node, overlay) && good && overlay->source;
}

void overlay_free(struct overlay *overlay) {
    free(overlay->source);
    free(overlay->approver);
}
