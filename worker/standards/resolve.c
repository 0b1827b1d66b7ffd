#include "worker/standards/days.h"
#include "worker/standards/during_text.h"
#include "worker/standards/figure_text.h"
#include "worker/standards/layers.h"
#include "worker/standards/scope.h"
#include "worker/standards/set_text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static bool holds_at(const struct rule *rule, const struct standards_place *place) {
    enum standard_status status = rule->standard.status;
    return (status == STATUS_ACTIVE || status == STATUS_SHADOW) &&
           scope_holds(&rule->where, place) && days_hold(&rule->days, place->day);
}

static void set_hash(struct standard_set *set) {
    crypto_hash_sha256(set->hash, (const unsigned char *)set->json, set->json_size);
    sodium_bin2hex(set->hash_text, sizeof set->hash_text, set->hash, sizeof set->hash);
}

/// The set keeps parts of its own, so that it may outlive the standards.
static bool parts_copy(struct standard_set *set) {
    size_t count = 0, at = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->items[i].part_count;
    set->parts = calloc(count ? count : 1, sizeof set->parts[0]);
    if (!set->parts) return false;
    for (size_t i = 0; i < set->count; i++) {
        struct standard *standard = &set->items[i];
        memcpy(&set->parts[at], standard->parts, standard->part_count * sizeof set->parts[0]);
        standard->parts = &set->parts[at];
        at += standard->part_count;
    }
    return true;
}

/// Whether the layer offering says anything about the offering here.
static bool offering_differs(const struct standards *standards,
                             const struct standards_place *place) {
    for (size_t i = 0; i < standards->overlay_count; i++) {
        const struct overlay *overlay = &standards->overlays[i];
        if (overlay->layer == LAYER_OFFERING && layers_hold(overlay, place)) return true;
    }
    return false;
}

/// What the layers make of the standards for each offering that the layer offering names.
static enum err variants_add(struct standard_set *set, const struct standards *standards,
                             const struct rule *const *rules, const struct standards_place *place,
                             struct problems *problems) {
    uint64_t differing = 0;
    size_t each = 0, at = 0;
    for (size_t i = 0; i < standards->offering_count; i++) {
        struct standards_place there = *place;
        there.offering = standards->offerings[i].offering.id.text;
        if (!offering_differs(standards, &there)) continue;
        differing |= UINT64_C(1) << i;
        each++;
    }
    if (each == 0) return ERR_NONE;
    bool good = true;
    set->variants = calloc(1 + each * set->count, sizeof set->variants[0]);
    if (!set->variants) return ERR_NOMEM;
    for (size_t s = 0; s < set->count; s++) {
        struct standard *standard = &set->items[s];
        standard->variants = &set->variants[at];
        for (size_t i = 0; i < standards->offering_count; i++) {
            if (!(differing >> i & 1)) continue;
            struct standards_place there = *place;
            there.offering = standards->offerings[i].offering.id.text;
            struct standard varied = rules[s]->standard;
            varied.parts = standard->parts;
            varied.varied = UINT64_C(1) << i;
            good &= layers_apply(standards, rules[s], &there, &varied, NULL, problems);
            set->variants[at++] = varied;
            standard->variant_count++;
        }
    }
    return good ? ERR_NONE : ERR_CONFLICT;
}

static enum err fill(struct standard_set *set, const struct standards *standards,
                     const struct standards_place *place, struct problems *problems) {
    const struct rule *rules[STANDARDS_MAX];
    bool good = true;
    for (size_t i = 0; i < standards->rule_count; i++)
        if (holds_at(&standards->rules[i], place)) rules[set->count++] = &standards->rules[i];
    set->items = calloc(set->count ? set->count : 1, sizeof set->items[0]);
    if (!set->items) return ERR_NOMEM;
    for (size_t i = 0; i < set->count; i++) {
        set->items[i] = rules[i]->standard;
        good &= layers_apply(standards, rules[i], place, &set->items[i], NULL, problems);
    }
    if (!good) return ERR_CONFLICT;
    if (!parts_copy(set)) return ERR_NOMEM;
    enum err err = variants_add(set, standards, rules, place, problems);
    if (err) return err;
    offerings_copy(standards, set);
    set->coverage_floor_millionths = standards->coverage_floor_millionths;
    set->score_model = standards->score_model;
    set->json = set_text(standards, set, rules, place);
    if (!set->json) return ERR_NOMEM;
    set->json_size = strlen(set->json);
    set_hash(set);
    return ERR_NONE;
}

enum err standards_resolve(const struct standards *standards, const struct standards_place *place,
                           struct standard_set **out, struct problems *problems) {
    struct standard_set *set = calloc(1, sizeof *set);
    enum err err = set ? fill(set, standards, place, problems) : ERR_NOMEM;
    if (err == ERR_NOMEM) problems_add(problems, ERR_NOMEM, place->branch, "out of memory");
    if (err)
        standard_set_free(set);
    else
        *out = set;
    return err;
}

/// The spans of a standard, one line each; phases need no explanation.
static void explain_spans(const struct standard *standard, struct buffer *out) {
    bool composed = standard->checks.count > 0;
    for (size_t i = 0; i < (composed ? standard->part_count : 1); i++) {
        const struct during *during = composed ? &standard->parts[i].during : &standard->during;
        if (during->phase != PHASE_SPAN) continue;
        figure_text_words(out, "during: ");
        during_text_put(out, during, "en");
        figure_text_words(out, "\n");
    }
}

bool standards_explain(const struct standards *standards, const struct standards_place *place,
                       const char *id, size_t size, struct buffer *out) {
    for (size_t i = 0; i < standards->rule_count; i++) {
        const struct rule *rule = &standards->rules[i];
        if (strlen(rule->standard.id.text) != size ||
            memcmp(rule->standard.id.text, id, size) != 0 || !days_hold(&rule->days, place->day))
            continue;
        struct standard standard = rule->standard;
        struct problems problems = {0};
        explain_spans(&standard, out);
        layers_apply(standards, rule, place, &standard, out, &problems);
        return !out->failed;
    }
    return false;
}

void standard_set_free(struct standard_set *set) {
    if (!set) return;
    free(set->json);
    free(set->items);
    free(set->parts);
    free(set->variants);
    free(set);
}
