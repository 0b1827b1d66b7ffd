#include "ops/ctl/comparison.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 5 }; // changed encounters a standard; --json has all

static const char *const sides[2] = {"before", "after"};

struct comparison comparison_new(const char *branch) {
    return (struct comparison){.standards = json_object(), .branch = branch};
}

static json_t *number_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *judgement_json(const struct judgement *judgement) {
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "verdict", verdict_name(judgement->verdict),
                     "reason", reason_name(judgement->reason), "measured",
                     number_json(judgement->measured), "limit", number_json(judgement->limit),
                     "degree",
                     judgement->degree_millionths < 0
                         ? json_null()
                         : json_real((double)judgement->degree_millionths / MILLION));
}

/// The entry of a standard; made when it is first judged.
static json_t *entry_of(struct comparison *comparison, const char *id) {
    json_t *entry = json_object_get(comparison->standards, id);
    if (entry) return entry;
    entry = json_pack("{s:s, s:{}, s:{}, s:[]}", "standard", id, sides[0], sides[1], "changes");
    json_object_set_new(comparison->standards, id, entry);
    return entry;
}

static void count(json_t *entry, const char *side, const struct judgement *judgement) {
    json_t *counts = json_object_get(entry, side);
    const char *name = verdict_name(judgement->verdict);
    json_int_t so_far = json_integer_value(json_object_get(counts, name));
    json_object_set_new(counts, name, json_integer(so_far + 1));
}

/// One standard; NULL: the set does not have it. true: judged otherwise.
static bool add_standard(struct comparison *comparison, const struct encounter *encounter,
                         const char *id, const struct judgement *const pair[2]) {
    json_t *entry = entry_of(comparison, id);
    for (size_t i = 0; i < 2; i++)
        if (pair[i]) count(entry, sides[i], pair[i]);
    if (pair[0] && pair[1] && pair[0]->verdict == pair[1]->verdict &&
        pair[0]->degree_millionths == pair[1]->degree_millionths)
        return false;
    json_t *change = json_pack("{s:s}", "encounter", encounter->id.text);
    for (size_t i = 0; i < 2; i++)
        json_object_set_new(change, sides[i], pair[i] ? judgement_json(pair[i]) : json_null());
    json_array_append_new(json_object_get(entry, "changes"), change);
    return true;
}

void comparison_add(struct comparison *comparison, const struct encounter *encounter,
                    const struct judged *before, const struct judged *after) {
    const struct judged *both[2] = {before, after};
    bool changed = false;
    size_t at[2] = {0, 0}; // both sets are sorted by id
    while (at[0] < before->set->count || at[1] < after->set->count) {
        const char *ids[2] = {NULL, NULL};
        for (size_t i = 0; i < 2; i++)
            if (at[i] < both[i]->set->count) ids[i] = both[i]->set->items[at[i]].id.text;
        int order = !ids[0] ? 1 : !ids[1] ? -1 : strcmp(ids[0], ids[1]);
        const struct judgement *pair[2] = {order <= 0 ? &before->judgements[at[0]] : NULL,
                                           order >= 0 ? &after->judgements[at[1]] : NULL};
        changed |= add_standard(comparison, encounter, ids[order > 0], pair);
        at[0] += order <= 0;
        at[1] += order >= 0;
    }
    comparison->encounters++;
    comparison->changed += changed;
    for (size_t i = 0; i < 2; i++) {
        if (both[i]->scores.overall < 0) continue;
        comparison->scores[i].sum += (double)both[i]->scores.overall / MILLION;
        comparison->scores[i].count++;
    }
}

static json_t *score_json(const struct comparison *comparison, size_t side) {
    if (comparison->scores[side].count == 0) return json_null();
    return json_real(comparison->scores[side].sum / (double)comparison->scores[side].count);
}

json_t *comparison_json(struct comparison *comparison) {
    json_t *standards = json_array(), *entry;
    const char *id;
    json_object_foreach(comparison->standards, id, entry) json_array_append(standards, entry);
    json_decref(comparison->standards);
    comparison->standards = NULL;
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:{s:o, s:o}, s:o}", "branch", comparison->branch, "encounters",
        (json_int_t)comparison->encounters, "changed", (json_int_t)comparison->changed, "open",
        (json_int_t)comparison->open, "unread", (json_int_t)comparison->unread, "score", sides[0],
        score_json(comparison, 0), sides[1], score_json(comparison, 1), "standards", standards);
}

static void print_score(const json_t *score) {
    if (json_is_number(score))
        printf("%.1f %%", 100 * json_number_value(score));
    else
        fputs("none", stdout);
}

/// "met 8.2 (limit 10)"
static void print_judgement(const json_t *judgement) {
    const json_t *measured = json_object_get(judgement, "measured");
    const json_t *limit = json_object_get(judgement, "limit");
    if (json_is_null(judgement)) {
        fputs("not judged", stdout);
        return;
    }
    fputs(json_string_value(json_object_get(judgement, "verdict")), stdout);
    if (json_is_number(measured)) printf(" %g", json_number_value(measured));
    if (json_is_number(limit)) printf(" (limit %g)", json_number_value(limit));
}

/// How many of each verdict there were, and would be.
static void print_counts(const json_t *entry) {
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        const char *name = verdict_name((enum verdict)verdict);
        json_int_t counts[2];
        for (size_t i = 0; i < 2; i++)
            counts[i] = json_integer_value(json_object_get(json_object_get(entry, sides[i]), name));
        if (counts[0] != counts[1])
            printf("    %-22s %lld -> %lld\n", name, (long long)counts[0], (long long)counts[1]);
    }
}

static void print_standard(const json_t *entry) {
    const json_t *changes = json_object_get(entry, "changes"), *change;
    size_t i, all = json_array_size(changes);
    if (all == 0) return;
    printf("  %s: %zu encounters otherwise\n",
           json_string_value(json_object_get(entry, "standard")), all);
    print_counts(entry);
    json_array_foreach(changes, i, change) {
        if (i == SHOWN_MAX) break;
        printf("      %s: ", json_string_value(json_object_get(change, "encounter")));
        print_judgement(json_object_get(change, sides[0]));
        fputs(" -> ", stdout);
        print_judgement(json_object_get(change, sides[1]));
        putchar('\n');
    }
    if (all > SHOWN_MAX) printf("      and %zu more; --json has all\n", all - SHOWN_MAX);
}

static json_int_t number(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

void comparison_print(const json_t *branches) {
    const json_t *branch, *entry;
    size_t i, k;
    json_array_foreach(branches, i, branch) {
        printf("%s: %lld of %lld encounters would be judged otherwise; score ",
               json_string_value(json_object_get(branch, "branch")),
               (long long)number(branch, "changed"), (long long)number(branch, "encounters"));
        print_score(json_object_get(json_object_get(branch, "score"), sides[0]));
        fputs(" -> ", stdout);
        print_score(json_object_get(json_object_get(branch, "score"), sides[1]));
        putchar('\n');
        if (number(branch, "open"))
            printf("  %lld encounters have no end in the recording and were left out\n",
                   (long long)number(branch, "open"));
        if (number(branch, "unread"))
            printf("  %lld batches cannot be decoded and were left out\n",
                   (long long)number(branch, "unread"));
        json_array_foreach(json_object_get(branch, "standards"), k, entry) print_standard(entry);
    }
}
