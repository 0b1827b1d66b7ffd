// Scores encounters and makes scorecards from standard input, for differential_test.py. One
// scorecard a line of whole numbers:
//   n sets; each: flat floor n standards (dimension weight severity shadow)...
//     n encounters; each: outcome, for each standard verdict reason degree coverage,
//       n decisions (standard kind decided)...
// It prints for each encounter: overall, six dimensions, coverage, waits; for each standard verdict
// reason degree; then the scorecard's JSON. Everything goes the way it goes in the programs, but
// that this file, and not the store, adds the contributions up.

#include "ops/ctl/card.h"
#include "worker/core/settle.h"
#include "worker/engine/decide.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STANDARDS = 16, DECISIONS = 16, LINE_SIZE = 1 << 20 };

static char *at; // where the line is read

static int32_t number(int32_t least, int32_t most) {
    char *end;
    errno = 0;
    long value = strtol(at, &end, 10);
    if (end == at || errno || value < least || value > most) {
        fprintf(stderr, "a number of %d..%d is missing at: %.40s\n", least, most, at);
        exit(2);
    }
    at = end;
    return (int32_t)value;
}

/// tresenctl's own stands in its main.c.
int ctl_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    return CTL_FAILED;
}

static struct name standard_name(int32_t place) {
    struct name name;
    char text[16];
    snprintf(text, sizeof text, "s%02d", place);
    if (!name_set(&name, text, strlen(text))) abort();
    return name;
}

// Sets

/// As `set_text` writes one, as far as a scorecard looks.
static json_t *standard_json(const struct standard *standard) {
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:{}}", "id", standard->id.text, "dimension",
                     dimension_name(standard->dimension), "status", status_names[standard->status],
                     "severity", severity_names[standard->severity], "norm", "n", "value", "v",
                     "text");
}

static json_t *read_set(struct standard_set *set, int32_t place) {
    json_t *array = json_array();
    set->score_model = number(0, 1) ? SCORE_FLAT : SCORE_HIERARCHICAL;
    set->coverage_floor_millionths = number(0, MILLION);
    set->count = (size_t)number(0, STANDARDS);
    snprintf(set->hash_text, sizeof set->hash_text, "set-%d", place);
    for (size_t i = 0; i < set->count; i++) {
        struct standard *standard = &set->items[i];
        standard->id = standard_name((int32_t)i);
        standard->dimension = (enum dimension)number(0, DIMENSION_COUNT - 1);
        standard->weight = (uint16_t)number(1, 1000);
        standard->severity = (enum severity)number(0, SEVERITY_COUNT - 1);
        standard->status = number(0, 1) ? STATUS_SHADOW : STATUS_ACTIVE;
        json_array_append_new(array, standard_json(standard));
    }
    return json_pack("{s:s, s:{s:o}}", "hash", set->hash_text, "text", "standards", array);
}

// Sums, in the words of KEYS.md

struct sums {
    struct cell cell;
    struct cell_standard standards[STANDARDS];
};

static void add(struct sums *sums, struct bytes contribution) {
    struct reader reader = reader_of(contribution);
    struct cell *cell = &sums->cell;
    cell->encounters++;
    cell->outcomes[reader_u8(&reader) - 1]++;
    cell->provisional += reader_u8(&reader);
    for (size_t i = 0; i < SCORES; i++) {
        int32_t score = (int32_t)reader_u32(&reader);
        if (score < 0) continue;
        cell->score_count[i]++;
        cell->score_sum[i] += score;
    }
    for (size_t i = 0; i < cell->count; i++) {
        struct cell_standard *standard = &sums->standards[i];
        uint8_t verdict = reader_u8(&reader);
        if (verdict < VERDICTS) standard->verdicts[verdict]++;
        int32_t degree = (int32_t)reader_u32(&reader), coverage = (int32_t)reader_u32(&reader);
        if (degree >= 0) standard->degree_count++, standard->degree_sum += degree;
        if (coverage >= 0) standard->coverage_count++, standard->coverage_sum += coverage;
    }
    if (reader.failed || reader_left(&reader) > 0) abort();
}

static void write_cell(const struct sums *sums, struct buffer *out) {
    const struct cell *cell = &sums->cell;
    buffer_put_u32(out, cell->encounters);
    buffer_put_u32(out, cell->provisional);
    for (size_t i = 0; i < OUTCOMES; i++)
        buffer_put_u32(out, cell->outcomes[i]);
    for (size_t i = 0; i < SCORES; i++) {
        buffer_put_u32(out, cell->score_count[i]);
        buffer_put_u64(out, (uint64_t)cell->score_sum[i]);
    }
    for (size_t i = 0; i < cell->count; i++) {
        const struct cell_standard *standard = &sums->standards[i];
        for (size_t v = 0; v < VERDICTS; v++)
            buffer_put_u32(out, standard->verdicts[v]);
        buffer_put_u32(out, standard->degree_count);
        buffer_put_u32(out, standard->coverage_count);
        buffer_put_u64(out, (uint64_t)standard->degree_sum);
        buffer_put_u64(out, (uint64_t)standard->coverage_sum);
    }
}

// Encounters

static size_t read_decisions(struct decision *decisions) {
    size_t count = (size_t)number(0, DECISIONS);
    for (size_t i = 0; i < count; i++) {
        decisions[i] = (struct decision){.standard = standard_name(number(0, 99))};
        decisions[i].kind = (enum decision_kind)number(0, DECISION_KIND_COUNT - 1);
        decisions[i].decided_ms = number(0, INT32_MAX);
    }
    return count;
}

static void print_encounter(const struct standard_set *set, const struct judgement *judgements,
                            const struct scores *scores, bool waits) {
    printf("%d ", scores->overall);
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        printf("%d ", scores->dimensions[i]);
    printf("%d %d", scores->coverage_millionths, waits);
    for (size_t i = 0; i < set->count; i++)
        printf(" %s %s %d", verdict_name(judgements[i].verdict), reason_name(judgements[i].reason),
               judgements[i].degree_millionths);
    putchar('\n');
}

/// Judged first, settled, and decided about later, perhaps again and again: as a final one is.
static void read_encounter(const struct standard_set *set, struct buffer *contribution,
                           struct buffer *verdicts, struct sums *sums) {
    static struct judgement judgements[STANDARDS], kept[STANDARDS];
    static const int64_t always[] = {INT64_MIN};
    static const int32_t utc[] = {0};
    const struct zone zone = {1, always, utc};
    struct taken taken = {
        .encounter = {.id = {"e"}, .issued_ms = TIME_NONE, .called_ms = TIME_NONE}};
    struct decision decisions[DECISIONS];
    struct scores scores;
    struct settle_call call;
    taken.encounter.outcome = (enum outcome)number(OUTCOME_NORMAL, OUTCOME_COUNT - 1);
    for (size_t i = 0; i < set->count; i++) {
        judgements[i] = (struct judgement){.measured = 1, .worst = {TIME_NONE, TIME_NONE}};
        judgements[i].verdict = (enum verdict)number(0, VERDICT_COUNT - 1);
        judgements[i].reason = (enum reason)number(0, REASON_COUNT - 1);
        judgements[i].degree_millionths = number(-1, MILLION);
        judgements[i].coverage_millionths = number(-1, MILLION);
    }
    size_t count = read_decisions(decisions);
    for (size_t some = count % 2; some <= count; some += 2) {
        engine_decide(set, decisions, some, judgements, &scores);
        if (settle_write(&taken, &zone, set, judgements, &scores, contribution, verdicts, &call) ||
            verdicts_judgements(call.verdicts, set, kept))
            abort();
        memcpy(judgements, kept, sizeof judgements);
    }
    print_encounter(set, judgements, &scores, call.waits);
    add(sums, call.contribution);
}

static void read_card(struct buffer *contribution, struct buffer *verdicts) {
    struct card card = {.rows = calloc(CARD_STANDARDS_MAX, sizeof *card.rows),
                        .days = json_array(),
                        .sets = json_array()};
    if (!card.rows) abort();
    int32_t sets = number(1, 8);
    for (int32_t s = 0; s < sets; s++) {
        struct standard standards[STANDARDS] = {0};
        struct standard_set set = {.items = standards};
        json_t *json = read_set(&set, s);
        struct sums sums = {.cell = {.count = set.count}};
        json_array_append_new(card.sets, json);
        for (int32_t left = number(0, 1000); left > 0; left--)
            read_encounter(&set, contribution, verdicts, &sums);
        if (sums.cell.encounters == 0) continue; // such a cell is deleted
        buffer_clear(contribution);
        write_cell(&sums, contribution);
        if (!card_add(&card, buffer_bytes(contribution), json)) abort();
    }
    json_t *json = card_json("b", &card);
    json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(json);
    card_free(&card);
}

int main(void) {
    static char line[LINE_SIZE];
    struct buffer contribution, verdicts;
    buffer_init(&contribution, 1 << 16);
    buffer_init(&verdicts, 1 << 20);
    while (fgets(line, sizeof line, stdin)) {
        at = line;
        read_card(&contribution, &verdicts);
    }
    buffer_fini(&contribution);
    buffer_fini(&verdicts);
    return ferror(stdin) ? 1 : 0;
}
