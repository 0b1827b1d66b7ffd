#include "worker/standards/degrees.h"

#include "worker/engine/degree.h"
#include "worker/standards/figure_text.h"
#include "worker/standards/layers.h"

#include <stdio.h>
#include <string.h>

enum { CORNER_SIZE = 64 };

/// One layer's degree on the way down.
struct step {
    const struct rule *rule;
    const struct standards_place *place;
    struct standard *standard;
    const char *set_by, *set_at; // who set the degree that holds so far, and where
    struct buffer *chain;        // NULL: nobody asks
    bool told;
    struct problems *problems;
};

static double share(const struct standard *standard, int64_t at) {
    return degree_at(standard, (struct figure){.numerator = at, .denominator = 1}) / 1e6;
}

/// The corner of either at which `lower` grants more; NULL: nowhere, as both are straight between.
static const struct degree_point *looser_at(const struct standard *upper,
                                            const struct standard *lower) {
    const struct standard *each[] = {upper, lower};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < each[i]->degree_count; k++)
            if (share(lower, each[i]->degree[k].at) > share(upper, each[i]->degree[k].at))
                return &each[i]->degree[k];
    return NULL;
}

/// "culture de 0.45 m 0, 0.75 m 1 (FILE:LINE:COLUMN)", behind what was told before.
static void tell(struct step *step, const char *layer, const char *id, const char *place) {
    const struct standard *standard = step->standard;
    if (!step->chain || standard->degree_count == 0) return;
    const char *before[] = {step->told ? " > " : "degree: ", layer, id[0] ? " " : "", id};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        figure_text_words(step->chain, before[i]);
    for (size_t i = 0; i < standard->degree_count; i++) {
        char corner[CORNER_SIZE];
        snprintf(corner, sizeof corner, "%s%.12g %s %.6g", i ? ", " : " ",
                 (double)standard->degree[i].at * standard->step, standard->unit,
                 standard->degree[i].millionths / 1e6);
        figure_text_words(step->chain, corner);
    }
    const char *behind[] = {" (", place, ")"};
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++)
        figure_text_words(step->chain, behind[i]);
    step->told = true;
}

static bool may_move(const struct rule *rule, enum layer layer) {
    return layer == LAYER_CULTURE && (rule->adaptable_least.least <= rule->adaptable_least.most ||
                                      rule->adaptable_most.least <= rule->adaptable_most.most);
}

static bool take(struct step *step, const struct overlay *overlay) {
    const struct standard *upper = step->standard;
    struct standard lower = *upper;
    lower.degree_count = overlay->degree_count;
    memcpy(lower.degree, overlay->degree, sizeof lower.degree);
    // Where there was none a violation was not fulfilled at all.
    const struct degree_point *looser = looser_at(upper, &lower);
    if (looser && !may_move(step->rule, overlay->layer)) {
        problems_add(step->problems, ERR_CONFLICT, overlay->place,
                     "this loosens the degree of %s at %.12g %s: %s %.6g (%s) > %s %s %.6g (%s); "
                     "a lower layer may only tighten",
                     upper->id.text, (double)looser->at * upper->step, upper->unit, step->set_by,
                     share(upper, looser->at), step->set_at, layer_names[overlay->layer],
                     overlay->id.text, share(&lower, looser->at), overlay->place);
        return false;
    }
    *step->standard = lower;
    step->set_by = layer_names[overlay->layer];
    step->set_at = overlay->place;
    tell(step, layer_names[overlay->layer], overlay->id.text, overlay->place);
    return true;
}

bool degrees_apply(const struct standards *standards, const struct rule *rule,
                   const struct standards_place *place, struct standard *standard,
                   struct buffer *chain, struct problems *problems) {
    struct step step = {rule, place, standard, "company", rule->place, chain, false, problems};
    tell(&step, "company", "", rule->place);
    for (int layer = 0; layer < LAYER_COUNT; layer++) {
        const struct overlay *first = NULL;
        for (size_t i = 0; i < standards->overlay_count; i++) {
            const struct overlay *overlay = &standards->overlays[i];
            if ((int)overlay->layer != layer || overlay->degree_count == 0 ||
                !layers_concern(overlay, rule, place))
                continue;
            if (first) {
                problems_add(problems, ERR_CONFLICT, overlay->place,
                             "branch %s: %s and %s (%s) of the layer %s both set the degree of %s; "
                             "let one of them hold elsewhere, or make one overlay of them",
                             place->branch, overlay->id.text, first->id.text, first->place,
                             layer_names[layer], rule->standard.id.text);
                return false;
            }
            first = overlay;
        }
        if (first && !take(&step, first)) return false;
    }
    if (step.told) figure_text_words(chain, "\n");
    return true;
}
