#include "ops/ctl/ledger.h"

#include "worker/standards/standard.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 256 };

/// One cell under construction; the key is what follows "t:{BRANCH}:".
struct sum {
    char key[KEY_SIZE];
    struct cell cell;
    struct cell_standard *standards;
};
struct ledger {
    json_t *places; // key -> place in sums
    size_t count, capacity;
    struct sum *sums;
};

struct ledger *ledger_new(void) {
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger) ledger->places = json_object();
    return ledger;
}

void ledger_free(struct ledger *ledger) {
    if (!ledger) return;
    for (size_t i = 0; i < ledger->count; i++)
        free(ledger->sums[i].standards);
    free(ledger->sums);
    json_decref(ledger->places);
    free(ledger);
}

static struct sum *sum_of(struct ledger *ledger, const char *key, size_t standards) {
    json_t *place = json_object_get(ledger->places, key);
    if (place) return &ledger->sums[json_integer_value(place)];
    if (ledger->count == ledger->capacity) {
        size_t capacity = ledger->capacity ? 2 * ledger->capacity : 64;
        struct sum *sums = realloc(ledger->sums, capacity * sizeof *sums);
        if (!sums) return NULL;
        ledger->sums = sums;
        ledger->capacity = capacity;
    }
    struct sum *sum = &ledger->sums[ledger->count];
    *sum = (struct sum){.cell.count = standards,
                        .standards = calloc(standards + 1, sizeof *sum->standards)};
    snprintf(sum->key, sizeof sum->key, "%s", key);
    if (!sum->standards) return NULL;
    json_object_set_new(ledger->places, key, json_integer((json_int_t)ledger->count++));
    return sum;
}

static void add_standard(struct cell_standard *sum, const struct contribution_standard *standard) {
    bool unconfirmed = standard->verdict == CONTRIBUTION_UNCONFIRMED;
    sum->verdicts[unconfirmed ? (uint8_t)VERDICT_NOT_MET : standard->verdict]++;
    sum->unconfirmed += unconfirmed;
    if (standard->degree >= 0) {
        sum->degree_count++;
        sum->degree_sum += standard->degree;
    }
    if (standard->coverage >= 0) {
        sum->coverage_count++;
        sum->coverage_sum += standard->coverage;
    }
}

static bool add(struct sum *sum, const struct contribution *contribution) {
    if (!sum || sum->cell.count != contribution->count) return false;
    sum->cell.encounters++;
    sum->cell.provisional += contribution->provisional;
    sum->cell.outcomes[contribution->outcome - 1]++;
    for (int i = 0; i < SCORES; i++) {
        if (contribution->scores[i] < 0) continue;
        sum->cell.score_count[i]++;
        sum->cell.score_sum[i] += contribution->scores[i];
    }
    for (size_t i = 0; i < contribution->count; i++)
        add_standard(&sum->standards[i], &contribution->standards[i]);
    return true;
}

bool ledger_add(struct ledger *ledger, const struct record_cells *where,
                const struct contribution *contribution) {
    char hour[KEY_SIZE], day[KEY_SIZE];
    snprintf(hour, sizeof hour, "h:%s:%s:%s", where->counter.text, where->hour, where->set.text);
    snprintf(day, sizeof day, "d:%s:%s", where->day, where->set.text);
    return add(sum_of(ledger, hour, contribution->count), contribution) &&
           add(sum_of(ledger, day, contribution->count), contribution);
}

static bool equal(const struct sum *sum, struct bytes bytes) {
    static struct cell_standard standards[STANDARDS_MAX];
    struct cell cell;
    if (cell_read(bytes, &cell, STANDARDS_MAX, standards) || cell.count != sum->cell.count)
        return false;
    bool same = cell.encounters == sum->cell.encounters &&
                cell.provisional == sum->cell.provisional &&
                memcmp(cell.outcomes, sum->cell.outcomes, sizeof cell.outcomes) == 0 &&
                memcmp(cell.score_count, sum->cell.score_count, sizeof cell.score_count) == 0 &&
                memcmp(cell.score_sum, sum->cell.score_sum, sizeof cell.score_sum) == 0;
    for (size_t i = 0; i < cell.count && same; i++) {
        const struct cell_standard *a = &standards[i], *b = &sum->standards[i];
        same = memcmp(a->verdicts, b->verdicts, sizeof a->verdicts) == 0 &&
               a->unconfirmed == b->unconfirmed && a->degree_count == b->degree_count &&
               a->degree_sum == b->degree_sum && a->coverage_count == b->coverage_count &&
               a->coverage_sum == b->coverage_sum;
    }
    return same;
}

static void differs(json_t *differences, const char *key, const char *what) {
    char text[KEY_SIZE + 80];
    snprintf(text, sizeof text, "%s %s", key, what);
    json_array_append_new(differences, json_string(text));
}

/// d:DAY:SET or h:COUNTER:DAYThour:SET
static bool is_of_day(const char *key, const char *day) {
    const char *at = strchr(key, ':');
    if (at && key[0] == 'h') at = strchr(at + 1, ':');
    return at && strncmp(at + 1, day, strlen(day)) == 0;
}

static bool is_sealed(const redisReply *days, const char *key) {
    for (size_t i = 0; i < days->elements; i++)
        if (is_of_day(key, days->element[i]->str)) return true;
    return false;
}

/// One page of SCAN over the branch's cells of one kind ("h", "d"). false: said why.
static bool scan_page(struct ledger *ledger, struct store_link *link, const char *branch,
                      const char *kind, char cursor[32], const redisReply *sealed,
                      json_t *differences) {
    char pattern[KEY_SIZE];
    int prefix =
        snprintf(pattern, sizeof pattern, "t:{%s}:%s:*", branch, kind) - (int)strlen(kind) - 2;
    struct bytes arguments[] = {bytes_of_text("SCAN"),  bytes_of_text(cursor),
                                bytes_of_text("MATCH"), bytes_of_text(pattern),
                                bytes_of_text("COUNT"), bytes_of_text("1000")};
    redisReply *reply = store_ask(link, 6, arguments);
    if (!reply) return false;
    for (size_t i = 0; i < reply->element[1]->elements; i++) {
        const char *key = reply->element[1]->element[i]->str + prefix;
        if (!json_object_get(ledger->places, key) && !is_sealed(sealed, key))
            differs(differences, key, "has no encounter that contributes to it");
    }
    snprintf(cursor, 32, "%s", reply->element[0]->str);
    freeReplyObject(reply);
    return true;
}

static bool find_strays(struct ledger *ledger, struct store_link *link, const char *branch,
                        const redisReply *sealed, json_t *differences) {
    static const char *const kinds[] = {"h", "d"};
    for (int i = 0; i < 2; i++) {
        char cursor[32] = "0";
        do {
            if (!scan_page(ledger, link, branch, kinds[i], cursor, sealed, differences))
                return false;
        } while (strcmp(cursor, "0") != 0);
    }
    return true;
}

// An encounter that is settled after its day was sealed is in sums with those that are gone.
static bool compare_sums(const struct ledger *ledger, struct store_link *link, const char *branch,
                         const redisReply *sealed, json_t *differences) {
    for (size_t i = 0; i < ledger->count; i++) {
        if (is_sealed(sealed, ledger->sums[i].key)) continue;
        redisReply *reply = store_key_ask(link, "GET", branch, "%s", ledger->sums[i].key);
        if (!reply) return false;
        struct bytes bytes = reply_bytes(reply);
        if (bytes.size == 0)
            differs(differences, ledger->sums[i].key, "is missing");
        else if (!equal(&ledger->sums[i], bytes))
            differs(differences, ledger->sums[i].key, "is not the sum of its contributions");
        freeReplyObject(reply);
    }
    return true;
}

bool ledger_compare(struct ledger *ledger, struct store_link *link, const char *branch,
                    json_t *differences, size_t *cells) {
    redisReply *sealed = store_key_ask(link, "SMEMBERS", branch, "sealed");
    bool fine = sealed && compare_sums(ledger, link, branch, sealed, differences) &&
                find_strays(ledger, link, branch, sealed, differences);
    if (sealed) freeReplyObject(sealed);
    *cells = ledger->count;
    return fine;
}
