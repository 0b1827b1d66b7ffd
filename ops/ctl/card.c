#include "ops/ctl/card.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/// The members of a set, sorted.
static json_t *sorted_members(struct store_link *link, const char *branch, const char *key) {
    redisReply *reply = store_key_ask(link, "SMEMBERS", branch, "%s", key);
    if (!reply) return NULL;
    json_t *array = json_array();
    const char **texts = calloc(reply->elements + 1, sizeof *texts);
    if (texts) {
        for (size_t i = 0; i < reply->elements; i++)
            texts[i] = reply->element[i]->str;
        qsort(texts, reply->elements, sizeof *texts, by_text);
        for (size_t i = 0; i < reply->elements; i++)
            json_array_append_new(array, json_string(texts[i]));
    }
    free(texts);
    freeReplyObject(reply);
    return array;
}

json_t *card_days(struct store_link *link, const char *branch, const char *day) {
    json_t *all = sorted_members(link, branch, "days");
    if (!all || !day) return all;
    json_t *one = json_array(), *item;
    size_t i;
    json_array_foreach(all, i, item) {
        if (strcmp(json_string_value(item), day) == 0) json_array_append(one, item);
    }
    json_decref(all);
    return one;
}

json_t *card_sets(struct store_link *link, const char *branch) {
    json_t *hashes = sorted_members(link, branch, "sets"), *hash;
    if (!hashes) return NULL;
    json_t *sets = json_array();
    size_t i;
    json_array_foreach(hashes, i, hash) {
        redisReply *reply = store_key_ask(link, "GET", branch, "set:%s", json_string_value(hash));
        struct bytes bytes = reply_bytes(reply);
        json_t *text =
            bytes.size ? json_loadb((const char *)bytes.data, bytes.size, 0, NULL) : NULL;
        if (text)
            json_array_append_new(
                sets, json_pack("{s:s, s:o}", "hash", json_string_value(hash), "text", text));
        if (reply) freeReplyObject(reply);
    }
    json_decref(hashes);
    return sets;
}

json_t *standard_sentences(const json_t *standard, const char *offering) {
    json_t *variant, *own;
    const json_t *named;
    size_t i, k;
    json_array_foreach(json_object_get(standard, "variants"), i, variant) {
        own = json_object_get(variant, "text");
        json_array_foreach(json_object_get(variant, "offerings"), k, named) {
            if (own && offering && strcmp(json_string_value(named), offering) == 0) return own;
        }
    }
    return json_object_get(standard, "text");
}

bool standard_shadow(const json_t *standard) {
    return strcmp(standard_text(standard, "status"), status_names[STATUS_SHADOW]) == 0;
}

json_t *verdicts_json(const uint32_t verdicts[VERDICTS]) {
    json_t *object = json_object();
    for (int i = 0; i < VERDICTS; i++)
        json_object_set_new(object, verdict_name((enum verdict)i), json_integer(verdicts[i]));
    return object;
}

static struct card_row *row_of(struct card *card, const json_t *standard) {
    const char *id = standard_text(standard, "id");
    bool shadow = standard_shadow(standard);
    for (size_t i = 0; i < card->row_count; i++)
        if (card->rows[i].shadow == shadow &&
            strcmp(standard_text(card->rows[i].standard, "id"), id) == 0)
            return &card->rows[i];
    if (card->row_count == CARD_STANDARDS_MAX) return NULL;
    struct card_row *row = &card->rows[card->row_count++];
    const char *dimension = standard_text(standard, "dimension");
    *row = (struct card_row){.standard = standard, .shadow = shadow};
    if (!dimension_parse(dimension, strlen(dimension), &row->dimension)) card->row_count--;
    return row;
}

static void add_standard(struct cell_standard *sum, const struct cell_standard *cell) {
    for (int i = 0; i < VERDICTS; i++)
        sum->verdicts[i] += cell->verdicts[i];
    sum->unconfirmed += cell->unconfirmed;
    sum->degree_count += cell->degree_count;
    sum->degree_sum += cell->degree_sum;
    sum->coverage_count += cell->coverage_count;
    sum->coverage_sum += cell->coverage_sum;
}

void card_count(struct card_counts *counts, const struct cell_standard *standard) {
    for (int v = 0; v < VERDICTS; v++)
        counts->verdicts[v] += standard->verdicts[v];
    counts->unconfirmed += standard->unconfirmed;
}

static void add_severity(struct card *card, const json_t *standard,
                         const struct cell_standard *cell) {
    const char *severity = standard_text(standard, "severity");
    for (int s = 0; s < SEVERITY_COUNT; s++)
        if (strcmp(severity, severity_names[s]) == 0) card_count(&card->severities[s], cell);
}

static void add_total(struct cell *sum, const struct cell *cell) {
    sum->encounters += cell->encounters;
    sum->provisional += cell->provisional;
    for (int i = 0; i < OUTCOMES; i++)
        sum->outcomes[i] += cell->outcomes[i];
    for (int i = 0; i < SCORES; i++) {
        sum->score_count[i] += cell->score_count[i];
        sum->score_sum[i] += cell->score_sum[i];
    }
}

bool card_add(struct card *card, struct bytes bytes, const json_t *set) {
    static struct cell_standard standards[256];
    struct cell cell;
    const json_t *items = json_object_get(json_object_get(set, "text"), "standards");
    if (cell_read(bytes, &cell, 256, standards) || cell.count != json_array_size(items)) {
        ctl_fail("a cell of set %s cannot be read", standard_text(set, "hash"));
        return false;
    }
    add_total(&card->total, &cell);
    for (size_t i = 0; i < cell.count; i++) {
        const json_t *standard = json_array_get(items, i);
        struct card_row *row = row_of(card, standard);
        if (row) add_standard(&row->sum, &standards[i]);
        if (!standard_shadow(standard)) add_severity(card, standard, &standards[i]);
    }
    return true;
}

static int by_id(const void *a, const void *b) {
    const struct card_row *left = a, *right = b;
    int order = strcmp(standard_text(left->standard, "id"), standard_text(right->standard, "id"));
    return order ? order : left->shadow - right->shadow;
}

bool card_collect(struct store_link *link, const char *branch, const char *day, struct card *card) {
    *card = (struct card){.rows = calloc(CARD_STANDARDS_MAX, sizeof *card->rows)};
    card->days = card->rows ? card_days(link, branch, day) : NULL;
    card->sets = card->days ? card_sets(link, branch) : NULL;
    if (!card->sets) return false;
    size_t d, s;
    json_t *one_day, *set;
    json_array_foreach(card->days, d, one_day) {
        json_array_foreach(card->sets, s, set) {
            redisReply *reply =
                store_key_ask(link, "GET", branch, "d:%s:%s", json_string_value(one_day),
                              standard_text(set, "hash"));
            if (!reply) return false;
            struct bytes bytes = reply_bytes(reply);
            bool done = bytes.size == 0 || card_add(card, bytes, set);
            freeReplyObject(reply);
            if (!done) return false;
        }
    }
    qsort(card->rows, card->row_count, sizeof *card->rows, by_id);
    return true;
}

void card_free(struct card *card) {
    json_decref(card->days);
    json_decref(card->sets);
    free(card->rows);
    *card = (struct card){0};
}
