// tresenctl scorecard BRANCH [--day DAY]

#include "ops/ctl/card.h"

#include <string.h>

enum { UNDECIDED_SHOWN = 8 };

/// The encounters with a verdict that waits for a person: of the branch, or of one day.
static json_t *undecided_json(struct store_link *link, const char *branch, const char *day) {
    char of_day[sizeof "t:{}:day:" + ID_MAX + DAY_TEXT_SIZE];
    json_t *array = json_array();
    snprintf(of_day, sizeof of_day, "t:{%s}:day:%s", branch, day ? day : "");
    redisReply *all = store_key_ask(link, "SORT % ALPHA", branch, "undecided");
    for (size_t i = 0; all && i < all->elements; i++) {
        const struct bytes words[] = {bytes_of_text("SISMEMBER"), bytes_of_text(of_day),
                                      bytes_of_text(all->element[i]->str)};
        redisReply *member = day ? store_ask(link, sizeof words / sizeof *words, words) : NULL;
        if (!day || (member && member->integer == 1))
            json_array_append_new(array, json_string(all->element[i]->str));
        if (member) freeReplyObject(member);
    }
    if (all) freeReplyObject(all);
    return array;
}

// For people

static void print_share(const json_t *object) {
    const json_t *share = json_object_get(object, "share_met");
    const json_t *interval = json_object_get(object, "interval");
    if (json_is_null(share)) {
        printf("%23s", "-");
        return;
    }
    printf("%5.1f %% (%5.1f..%5.1f)", 100 * json_real_value(share),
           100 * json_real_value(json_array_get(interval, 0)),
           100 * json_real_value(json_array_get(interval, 1)));
}

static json_int_t verdict_count(const json_t *object, enum verdict verdict) {
    return json_integer_value(
        json_object_get(json_object_get(object, "verdicts"), verdict_name(verdict)));
}

static json_int_t unconfirmed_count(const json_t *object) {
    return json_integer_value(json_object_get(object, "unconfirmed"));
}

/// What a person has yet to confirm stands apart from what is not met.
static void print_counts(const json_t *object) {
    json_int_t unconfirmed = unconfirmed_count(object);
    const json_int_t columns[] = {
        verdict_count(object, VERDICT_MET),
        verdict_count(object, VERDICT_PARTLY_MET),
        verdict_count(object, VERDICT_NOT_MET) - unconfirmed,
        unconfirmed,
        verdict_count(object, VERDICT_NOT_APPLICABLE),
        verdict_count(object, VERDICT_INSUFFICIENT_EVIDENCE),
        verdict_count(object, VERDICT_EXCUSED) + verdict_count(object, VERDICT_ERROR) +
            verdict_count(object, VERDICT_NOT_SELECTED),
    };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        printf("%7lld", (long long)columns[i]);
    printf("  ");
}

static void print_standard(const json_t *standard) {
    const json_t *coverage = json_object_get(standard, "coverage");
    printf("  %-30s", standard_text(standard, "id"));
    print_counts(standard);
    print_share(standard);
    if (json_is_real(coverage))
        printf("%8.1f %%", 100 * json_real_value(coverage));
    else
        printf("%10s", "-");
    printf("\n      %s\n", standard_text(json_object_get(standard, "text"), "en"));
}

static void print_dimension(const json_t *dimension) {
    const json_t *standards = json_object_get(dimension, "standards"), *standard;
    size_t i;
    if (json_array_size(standards) == 0) {
        printf("\n%s: no standard\n", standard_text(dimension, "dimension"));
        return;
    }
    printf("\n%-32s", standard_text(dimension, "dimension"));
    print_counts(dimension);
    print_share(dimension);
    putchar('\n');
    json_array_foreach(standards, i, standard) print_standard(standard);
}

static void print_shadow(const json_t *shadow) {
    const json_t *standard;
    size_t i;
    if (json_array_size(shadow) > 0) puts("\non trial: judged, but not counted above");
    json_array_foreach(shadow, i, standard) print_standard(standard);
}

/// A mean without the number behind it would look like that of all encounters.
static void print_score(const json_t *card) {
    const json_t *score = json_object_get(card, "score");
    if (json_is_real(score))
        printf("\nScore %.1f %%, of the %lld encounters with enough evidence for one",
               100 * json_real_value(score),
               (long long)json_integer_value(json_object_get(card, "scored")));
    else
        printf("\nNo encounter has enough evidence for a score");
}

/// "critical: 3 violations in 240 judgements".
static void print_severity(const json_t *card, enum severity severity) {
    const json_t *object =
        json_object_get(json_object_get(card, "severities"), severity_names[severity]);
    json_int_t violated = verdict_count(object, VERDICT_NOT_MET);
    json_int_t judged =
        violated + verdict_count(object, VERDICT_MET) + verdict_count(object, VERDICT_PARTLY_MET);
    json_int_t unconfirmed = unconfirmed_count(object);
    if (judged == 0) return;
    printf("\n%s: %lld violations in %lld judgements", severity_names[severity],
           (long long)(violated - unconfirmed), (long long)judged);
    if (unconfirmed > 0)
        printf(", and %lld that a person has yet to confirm", (long long)unconfirmed);
}

static void print_undecided(const json_t *undecided) {
    size_t count = json_array_size(undecided), i;
    const json_t *encounter;
    if (count == 0) return;
    printf("\n%zu encounters wait for a person (tresenctl explain, then confirm or excuse):",
           count);
    json_array_foreach(undecided, i, encounter) {
        if (i < UNDECIDED_SHOWN) printf(" %s", json_string_value(encounter));
    }
    printf("%s\n", count > UNDECIDED_SHOWN ? " ..." : "");
}

static void print_card(const json_t *card) {
    const json_t *days = json_object_get(card, "days"), *dimensions, *dimension;
    size_t count = json_array_size(days), i;
    printf("Scorecard of %s", standard_text(card, "branch"));
    if (count > 0)
        printf(", %s%s%s", json_string_value(json_array_get(days, 0)), count > 1 ? " to " : "",
               count > 1 ? json_string_value(json_array_get(days, count - 1)) : "");
    printf(": %lld encounters", (long long)json_integer_value(json_object_get(card, "encounters")));
    json_int_t provisional = json_integer_value(json_object_get(card, "provisional"));
    if (provisional > 0) printf(", %lld of them provisional", (long long)provisional);
    print_score(card);
    printf("\n%-32s%7s%7s%7s%7s%7s%7s%7s  %-23s%10s\n", "", "met", "partly", "not", "unconf", "n/a",
           "insuff", "other", "share met (95 %)", "coverage");
    dimensions = json_object_get(card, "dimensions");
    json_array_foreach(dimensions, i, dimension) print_dimension(dimension);
    print_shadow(json_object_get(card, "shadow"));
    print_severity(card, SEVERITY_CRITICAL);
    print_severity(card, SEVERITY_AUTO_FAIL);
    print_undecided(json_object_get(card, "undecided"));
    putchar('\n');
}

int ctl_scorecard(struct ctl *ctl) {
    const char *branch = ctl->arguments[0];
    struct card card = {0};
    if (!id_valid(branch, strlen(branch))) return ctl_fail("%s is no name of a branch", branch);
    struct store_link *link = store_link_open(ctl);
    if (!link) return CTL_FAILED;
    int status = CTL_FAILED;
    if (card_collect(link, branch, ctl->day, &card)) {
        json_t *json = card_json(branch, &card);
        json_object_set_new(json, "undecided", undecided_json(link, branch, ctl->day));
        status = CTL_OK;
        if (ctl->json) {
            ctl_print_json(json);
        } else {
            print_card(json);
            json_decref(json);
        }
    }
    card_free(&card);
    store_link_close(link);
    return status;
}
