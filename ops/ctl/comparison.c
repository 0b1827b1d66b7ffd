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

/// A standard of one of the two sets on the encounter at hand.
struct side {
    const struct standard *standard; // NULL: the set does not have it
    const struct judgement *judgement;
};

static bool shadow(const struct side *side) {
    return side->standard && side->standard->status == STATUS_SHADOW;
}

static json_t *side_json(const struct side *side) {
    const struct judgement *judgement = side->judgement;
    if (!side->standard) return json_null();
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "verdict", verdict_name(judgement->verdict),
                     "reason", reason_name(judgement->reason), "shadow", (int)shadow(side),
                     "measured", number_json(judgement->measured), "limit",
                     number_json(judgement->limit), "degree",
                     judgement->degree_millionths < 0
                         ? json_null()
                         : json_real((double)judgement->degree_millionths / MILLION));
}

/// The entry of a standard; made when it is first judged.
static json_t *entry_of(struct comparison *comparison, const char *id) {
    json_t *entry = json_object_get(comparison->standards, id);
    if (entry) return entry;
    entry = json_pack("{s:s, s:{}, s:{}, s:{s:{}, s:{}}, s:[]}", "standard", id, sides[0], sides[1],
                      "shadow", sides[0], sides[1], "changes");
    json_object_set_new(comparison->standards, id, entry);
    return entry;
}

static void count(json_t *entry, const char *name_of_side, const struct side *side) {
    json_t *counts =
        json_object_get(shadow(side) ? json_object_get(entry, "shadow") : entry, name_of_side);
    const char *name = verdict_name(side->judgement->verdict);
    json_int_t so_far = json_integer_value(json_object_get(counts, name));
    json_object_set_new(counts, name, json_integer(so_far + 1));
}

/// Whether it counts makes no difference to what does not apply.
static bool equal(const struct side pair[2]) {
    if (!pair[0].standard || !pair[1].standard) return false;
    const struct judgement *before = pair[0].judgement, *after = pair[1].judgement;
    return before->verdict == after->verdict &&
           before->degree_millionths == after->degree_millionths &&
           (shadow(&pair[0]) == shadow(&pair[1]) || after->verdict == VERDICT_NOT_APPLICABLE);
}

static bool counts(const struct side *side) {
    return side->standard && !shadow(side);
}

/// One standard. true: judged otherwise, and that counts.
static bool add_standard(struct comparison *comparison, const struct encounter *encounter,
                         const char *id, const struct side pair[2]) {
    json_t *entry = entry_of(comparison, id);
    for (size_t i = 0; i < 2; i++)
        if (pair[i].standard) count(entry, sides[i], &pair[i]);
    if (equal(pair)) return false;
    json_t *change = json_pack("{s:s}", "encounter", encounter->id.text);
    for (size_t i = 0; i < 2; i++)
        json_object_set_new(change, sides[i], side_json(&pair[i]));
    json_array_append_new(json_object_get(entry, "changes"), change);
    return counts(&pair[0]) || counts(&pair[1]);
}

/// Which of the two has the smaller id; below 0: the first.
static int order_of(const struct side pair[2]) {
    if (!pair[0].standard) return 1;
    if (!pair[1].standard) return -1;
    return strcmp(pair[0].standard->id.text, pair[1].standard->id.text);
}

void comparison_add(struct comparison *comparison, const struct encounter *encounter,
                    const struct judged *before, const struct judged *after) {
    const struct judged *both[2] = {before, after};
    bool changed = false;
    size_t at[2] = {0, 0}; // both sets are sorted by id
    while (at[0] < before->set->count || at[1] < after->set->count) {
        struct side pair[2] = {0};
        for (size_t i = 0; i < 2; i++)
            if (at[i] < both[i]->set->count)
                pair[i] = (struct side){&both[i]->set->items[at[i]], &both[i]->judgements[at[i]]};
        int order = order_of(pair);
        const char *id = pair[order > 0].standard->id.text;
        if (order != 0) pair[order < 0] = (struct side){0}; // it comes later, or never
        changed |= add_standard(comparison, encounter, id, pair);
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
    if (json_is_true(json_object_get(judgement, "shadow"))) fputs("on trial ", stdout);
    fputs(json_string_value(json_object_get(judgement, "verdict")), stdout);
    if (json_is_number(measured)) printf(" %g", json_number_value(measured));
    if (json_is_number(limit)) printf(" (limit %g)", json_number_value(limit));
}

/// How many of each verdict there were, and would be.
static void print_counts(const char *beside, const json_t *both) {
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        const char *name = verdict_name((enum verdict)verdict);
        json_int_t counted[2];
        for (size_t i = 0; i < 2; i++)
            counted[i] = json_integer_value(json_object_get(json_object_get(both, sides[i]), name));
        if (counted[0] != counted[1])
            printf("    %-22s %lld -> %lld%s\n", name, (long long)counted[0], (long long)counted[1],
                   beside);
    }
}

static void print_standard(const json_t *entry) {
    const json_t *changes = json_object_get(entry, "changes"), *change;
    size_t i, all = json_array_size(changes);
    if (all == 0) return;
    printf("  %s: %zu encounters otherwise\n",
           json_string_value(json_object_get(entry, "standard")), all);
    print_counts("", entry);
    print_counts(" on trial", json_object_get(entry, "shadow"));
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
