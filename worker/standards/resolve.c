#include "worker/standards/layers.h"
#include "worker/standards/scope.h"
#include "worker/standards/set_text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static bool holds_at(const struct rule *rule, const struct standards_place *place) {
    enum standard_status status = rule->standard.status;
    return (status == STATUS_ACTIVE || status == STATUS_SHADOW) && scope_holds(&rule->where, place);
}

static void set_hash(struct standard_set *set) {
    crypto_generichash(set->hash, sizeof set->hash, (const unsigned char *)set->json,
                       set->json_size, NULL, 0);
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

static enum err fill(struct standard_set *set, const struct standards *standards,
                     const struct standards_place *place, struct problems *problems) {
    const struct rule *rules[STANDARDS_MAX];
    bool good = true;
    set->items = calloc(STANDARDS_MAX, sizeof set->items[0]);
    if (!set->items) return ERR_NOMEM;
    for (size_t i = 0; i < standards->rule_count; i++) {
        const struct rule *rule = &standards->rules[i];
        if (!holds_at(rule, place)) continue;
        struct standard *standard = &set->items[set->count];
        *standard = rule->standard;
        good &= layers_apply(standards, rule, place, standard, NULL, problems);
        rules[set->count++] = rule;
    }
    if (!good) return ERR_CONFLICT;
    if (!parts_copy(set)) return ERR_NOMEM;
    offerings_copy(standards, set);
    set->coverage_floor_millionths = standards->coverage_floor_millionths;
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

bool standards_explain(const struct standards *standards, const struct standards_place *place,
                       const char *id, size_t size, struct buffer *out) {
    for (size_t i = 0; i < standards->rule_count; i++) {
        const struct rule *rule = &standards->rules[i];
        if (strlen(rule->standard.id.text) != size || memcmp(rule->standard.id.text, id, size) != 0)
            continue;
        struct standard standard = rule->standard;
        struct problems problems = {0};
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
    free(set);
}
