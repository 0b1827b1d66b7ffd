// tresenctl explain ENCOUNTER | BRANCH [ENCOUNTER]

#include "ops/ctl/card.h"
#include "worker/core/settle.h"
#include "worker/store/decisions.h"
#include "worker/store/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *time_json(int64_t at_ms) {
    char text[TIME_TEXT_SIZE];
    if (at_ms == TIME_NONE) return json_null();
    time_text(at_ms, text);
    return json_string(text);
}

static json_t *number_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *millionths_json(int32_t value) {
    return value < 0 ? json_null() : json_real((double)value / MILLION);
}

static json_t *text_or_null(const char *text) {
    return text[0] ? json_string(text) : json_null();
}

/// The definition of a standard in a set, or NULL.
static const json_t *find_by_id(const json_t *array, const char *id) {
    const json_t *item;
    size_t i;
    json_array_foreach(array, i, item) {
        if (strcmp(standard_text(item, "id"), id) == 0) return item;
    }
    return NULL;
}

static const json_t *set_of(const json_t *sets, const char *hash) {
    const json_t *set;
    size_t i;
    json_array_foreach(sets, i, set) {
        if (strcmp(standard_text(set, "hash"), hash) == 0) return json_object_get(set, "text");
    }
    return NULL;
}

static json_t *points_json(const struct judgement *judgement) {
    json_t *array = json_array();
    for (size_t i = 0; i < judgement->point_count; i++) {
        const struct point *point = &judgement->points[i];
        json_array_append_new(array, json_pack("[o, f, i]", time_json(point->at_ms), point->value,
                                               (int)point->confidence));
    }
    return array;
}

/// {id, text} of a norm or value.
static json_t *statement_json(const json_t *array, const char *id) {
    json_t *object = json_pack("{s:s}", "id", id);
    json_t *text = json_object_get(find_by_id(array, id), "text");
    if (text) json_object_set(object, "text", text);
    return object;
}

/// What people decided about a standard, in the order of time; empty: nobody did.
static json_t *decisions_json(const struct decision *decisions, size_t count,
                              const struct name *standard) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct decision *decision = &decisions[i];
        if (!name_equal(&decision->standard, standard)) continue;
        size_t place = 0;
        while (place < json_array_size(array) &&
               json_integer_value(json_object_get(json_array_get(array, place), "decided_ms")) <=
                   decision->decided_ms)
            place++;
        json_array_insert_new(array, place,
                              json_pack("{s:s, s:o, s:I, s:s, s:s}", "decision",
                                        decision_kind_name(decision->kind), "decided",
                                        time_json(decision->decided_ms), "decided_ms",
                                        (json_int_t)decision->decided_ms, "by", decision->by.text,
                                        "why", decision->reason));
    }
    return array;
}

static json_t *found_json(const struct judgement *judgement) {
    if (!judgement->decided) return json_null();
    return json_pack("{s:s, s:s, s:o}", "verdict", verdict_name(judgement->found.verdict), "reason",
                     reason_name(judgement->found.reason), "degree",
                     millionths_json(judgement->found.degree_millionths));
}

static json_t *verdict_json(const struct verdict_entry *entry, const json_t *set,
                            const char *offering) {
    const struct judgement *judgement = &entry->judgement;
    const json_t *standard = find_by_id(json_object_get(set, "standards"), entry->standard.text);
    json_t *object = json_object();
    json_object_set_new(object, "standard", json_string(entry->standard.text));
    json_object_set_new(object, "dimension", json_string(standard_text(standard, "dimension")));
    json_object_set_new(object, "shadow", json_boolean(standard_shadow(standard)));
    json_object_set_new(object, "verdict", json_string(verdict_name(judgement->verdict)));
    json_object_set_new(object, "reason", json_string(reason_name(judgement->reason)));
    json_object_set_new(object, "measured", number_json(judgement->measured));
    json_object_set_new(object, "limit", number_json(judgement->limit));
    json_object_set_new(object, "unit", json_string(standard_text(standard, "unit")));
    json_object_set_new(object, "coverage", millionths_json(judgement->coverage_millionths));
    json_object_set_new(object, "degree", millionths_json(judgement->degree_millionths));
    json_object_set_new(object, "worst",
                        judgement->worst.from_ms == TIME_NONE
                            ? json_null()
                            : json_pack("{s:o, s:o}", "from", time_json(judgement->worst.from_ms),
                                        "to", time_json(judgement->worst.to_ms)));
    json_object_set(object, "text", standard_sentences(standard, offering));
    json_object_set_new(
        object, "norm",
        statement_json(json_object_get(set, "norms"), standard_text(standard, "norm")));
    json_object_set_new(
        object, "value",
        statement_json(json_object_get(set, "values"), standard_text(standard, "value")));
    json_object_set_new(object, "points", points_json(judgement));
    json_object_set_new(object, "found", found_json(judgement));
    return object;
}

static void set_verdicts(json_t *object, struct bytes bytes, struct bytes decided,
                         const json_t *sets) {
    static struct decision decisions[DECISIONS_MAX];
    size_t count = 0;
    if (decisions_read(decided, decisions, &count)) count = 0;
    struct reader reader = reader_of(bytes);
    struct verdicts_head head;
    static struct verdict_entry entry;
    json_t *verdicts = json_array();
    if (bytes.size > 0 && verdicts_read(&reader, &head) == ERR_NONE) {
        const json_t *set = set_of(sets, head.set);
        const char *offering = json_string_value(json_object_get(object, "offering"));
        json_object_set_new(object, "set", json_string(head.set));
        json_object_set_new(object, "score", millionths_json(head.scores.overall));
        json_object_set_new(object, "coverage", millionths_json(head.scores.coverage_millionths));
        for (size_t i = 0; i < head.count && verdicts_next(&reader, &entry) == ERR_NONE; i++) {
            json_t *verdict = verdict_json(&entry, set, offering);
            json_object_set_new(verdict, "decisions",
                                decisions_json(decisions, count, &entry.standard));
            json_array_append_new(verdicts, verdict);
        }
    }
    json_object_set_new(object, "verdicts", verdicts);
}

static json_t *encounter_json(const char *id, const struct record *record) {
    const struct encounter *encounter = &record->encounter;
    json_t *object = json_object();
    json_object_set_new(object, "encounter", json_string(id));
    json_object_set_new(object, "state", json_string(record_state_name(record->state)));
    json_object_set_new(object, "withdrawn", json_boolean(record->withdrawn));
    json_object_set_new(object, "counter", json_string(encounter->counter.text));
    json_object_set_new(object, "gateway", json_string(encounter->gateway.text));
    json_object_set_new(object, "employee", text_or_null(encounter->employee));
    json_object_set_new(object, "offering", text_or_null(encounter->offering.text));
    json_object_set_new(object, "language", text_or_null(encounter->language));
    json_object_set_new(object, "outcome", json_string(outcome_name(encounter->outcome)));
    json_object_set_new(object, "issued", time_json(encounter->issued_ms));
    json_object_set_new(object, "called", time_json(encounter->called_ms));
    json_object_set_new(object, "started", time_json(encounter->started_ms));
    json_object_set_new(object, "ended", time_json(encounter->ended_ms));
    return object;
}

/// All about one encounter; NULL: said why not.
static json_t *explain(struct store_link *link, const char *branch, const char *id,
                       const json_t *sets) {
    redisReply *reply =
        store_key_ask(link, "HMGET % record verdicts decisions", branch, "e:%s", id);
    if (!reply) return NULL;
    struct record record;
    json_t *object = NULL;
    struct bytes bytes = reply->elements == 3 ? reply_bytes(reply->element[0]) : (struct bytes){0};
    if (bytes.size == 0) {
        ctl_fail("branch %s has no encounter %s", branch, id);
    } else if (record_read(bytes, &record)) {
        ctl_fail("the record of encounter %s cannot be read", id);
    } else {
        object = encounter_json(id, &record);
        set_verdicts(object, reply_bytes(reply->element[1]), reply_bytes(reply->element[2]), sets);
    }
    freeReplyObject(reply);
    return object;
}

// For people

static void print_figure(const char *name, const json_t *value, const char *unit) {
    if (json_is_number(value)) printf("  %s %.4g %s", name, json_number_value(value), unit);
}

static void print_statement(const char *what, const json_t *statement) {
    printf("      %s %s: %s\n", what, standard_text(statement, "id"),
           standard_text(json_object_get(statement, "text"), "en"));
}

static void print_verdict(const json_t *verdict) {
    const char *unit = standard_text(verdict, "unit");
    const json_t *coverage = json_object_get(verdict, "coverage");
    const json_t *worst = json_object_get(verdict, "worst");
    printf("  %-28s %s (%s)", standard_text(verdict, "standard"), standard_text(verdict, "verdict"),
           standard_text(verdict, "reason"));
    print_figure("measured", json_object_get(verdict, "measured"), unit);
    print_figure("limit", json_object_get(verdict, "limit"), unit);
    if (json_is_true(json_object_get(verdict, "shadow"))) fputs("  on trial: not counted", stdout);
    if (json_is_number(coverage)) printf("  coverage %.1f %%", 100 * json_number_value(coverage));
    if (json_is_object(worst))
        printf("  worst %s to %s", standard_text(worst, "from"), standard_text(worst, "to"));
    printf("\n      %s\n", standard_text(json_object_get(verdict, "text"), "en"));
    const json_t *decision, *found = json_object_get(verdict, "found");
    size_t i;
    if (json_is_object(found))
        printf("      found: %s (%s)\n", standard_text(found, "verdict"),
               standard_text(found, "reason"));
    json_array_foreach(json_object_get(verdict, "decisions"), i, decision)
        printf("      %s by %s at %s: %s\n", standard_text(decision, "decision"),
               standard_text(decision, "by"), standard_text(decision, "decided"),
               standard_text(decision, "why"));
    print_statement("norm", json_object_get(verdict, "norm"));
    print_statement("value", json_object_get(verdict, "value"));
}

static void print_encounter(const json_t *object) {
    static const char *const keys[] = {"state",   "counter", "employee", "offering", "language",
                                       "outcome", "issued",  "called",   "started",  "ended"};
    printf("encounter %s\n ", standard_text(object, "encounter"));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_is_string(json_object_get(object, keys[i])))
            printf(" %s %s", keys[i], standard_text(object, keys[i]));
    print_figure("score", json_object_get(object, "score"), "");
    putchar('\n');
    const json_t *verdict;
    size_t i;
    json_array_foreach(json_object_get(object, "verdicts"), i, verdict) print_verdict(verdict);
}

static int print(struct ctl *ctl, json_t *json) {
    if (ctl->json) return ctl_print_json(json);
    const json_t *item;
    size_t i;
    if (json_is_object(json)) print_encounter(json);
    json_array_foreach(json, i, item) print_encounter(item);
    json_decref(json);
    return CTL_OK;
}

/// All encounters of the branch's days, in the order of day and id.
static json_t *explain_all(struct store_link *link, const char *branch, const char *day,
                           const json_t *sets) {
    json_t *days = card_days(link, branch, day), *array = json_array(), *item;
    size_t i;
    json_array_foreach(days, i, item) {
        redisReply *ids =
            store_key_ask(link, "SORT % ALPHA", branch, "day:%s", json_string_value(item));
        for (size_t e = 0; ids && e < ids->elements; e++) {
            json_t *object = explain(link, branch, ids->element[e]->str, sets);
            if (object) json_array_append_new(array, object);
        }
        if (ids) freeReplyObject(ids);
    }
    json_decref(days);
    return array;
}

static int explain_in(struct ctl *ctl, struct store_link *link, const char *branch,
                      const char *id) {
    json_t *sets = card_sets(link, branch), *json = NULL;
    if (sets)
        json = id ? explain(link, branch, id, sets) : explain_all(link, branch, ctl->day, sets);
    json_decref(sets);
    return json ? print(ctl, json) : CTL_FAILED;
}

/// A word that has a `days` or `registry` key in the store is a branch, else an encounter.
static bool is_branch(struct store_link *link, const char *word) {
    if (!id_valid(word, strlen(word))) return false;
    redisReply *reply = store_key_ask(link, "EXISTS", word, "registry");
    bool is = reply && reply->integer == 1;
    if (reply) freeReplyObject(reply);
    return is;
}

int ctl_explain(struct ctl *ctl) {
    const char *first = ctl->arguments[0], *second = ctl->count > 1 ? ctl->arguments[1] : NULL;
    for (int i = 0; i < ctl->count; i++)
        if (!name_valid(ctl->arguments[i], strlen(ctl->arguments[i])))
            return ctl_fail("%s is no name of a branch or encounter", ctl->arguments[i]);
    struct store_link *link = store_link_open(ctl);
    if (!link) return CTL_FAILED;
    int status = CTL_FAILED;
    if (second || is_branch(link, first)) {
        status = explain_in(ctl, link, first, second);
    } else {
        char *branch = find_branch(ctl, link, first);
        if (branch) status = explain_in(ctl, link, branch, first);
        free(branch);
    }
    store_link_close(link);
    return status;
}
