#include "worker/standards/set_text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static bool among(const struct places *places, const char *place) {
    for (size_t i = 0; i < places->count; i++)
        if (strcmp(places->items[i].text, place) == 0) return true;
    return places->count == 0;
}

static bool holds_at(const struct rule *rule, const struct standards_place *place) {
    enum standard_status status = rule->standard.status;
    return (status == STATUS_ACTIVE || status == STATUS_SHADOW) &&
           among(&rule->branches, place->branch) && among(&rule->regions, place->region) &&
           among(&rule->countries, place->country);
}

static void set_hash(struct standard_set *set) {
    crypto_generichash(set->hash, sizeof set->hash, (const unsigned char *)set->json,
                       set->json_size, NULL, 0);
    sodium_bin2hex(set->hash_text, sizeof set->hash_text, set->hash, sizeof set->hash);
}

enum err standards_resolve(const struct standards *standards, const struct standards_place *place,
                           struct standard_set **out) {
    const struct rule *rules[STANDARDS_MAX];
    struct standard_set *set = calloc(1, sizeof *set);
    if (!set) return ERR_NOMEM;
    set->items = calloc(STANDARDS_MAX, sizeof set->items[0]);
    if (!set->items) goto fail;
    for (size_t i = 0; i < standards->rule_count; i++) {
        if (!holds_at(&standards->rules[i], place)) continue;
        rules[set->count] = &standards->rules[i];
        set->items[set->count++] = standards->rules[i].standard;
    }
    offerings_copy(standards, set);
    set->coverage_floor_millionths = standards->coverage_floor_millionths;
    set->json = set_text(standards, set, rules);
    if (!set->json) goto fail;
    set->json_size = strlen(set->json);
    set_hash(set);
    *out = set;
    return ERR_NONE;
fail:
    standard_set_free(set);
    return ERR_NOMEM;
}

void standard_set_free(struct standard_set *set) {
    if (!set) return;
    free(set->json);
    free(set->items);
    free(set);
}
