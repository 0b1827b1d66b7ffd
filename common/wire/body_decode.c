#include "common/wire/body.h"
#include "common/wire/body_keys.h"
#include "common/wire/columns.h"

#include <math.h>
#include <string.h>

// The arena holds every body within the limits: each array is one taking, rounded up to 16 bytes.
_Static_assert(BATCH_SERIES_MAX * sizeof(struct batch_series) +
                       BATCH_FACTS_MAX * sizeof(struct fact) +
                       BATCH_OBSERVATIONS_MAX * (2 * sizeof(int32_t) + sizeof(uint8_t)) +
                       BATCH_LABELS_MAX * sizeof(struct name) + BATCH_IDS_MAX * sizeof(struct id) +
                       16 * (2 + 4 * BATCH_SERIES_MAX + 2 * BATCH_FACTS_MAX) <=
                   BODY_ARENA_SIZE,
               "BODY_ARENA_SIZE is too small for the limits of a batch");

enum { CLOCK_ERROR_MAX_MS = DAY_MS };

/// One reading of one body. What is left of the batch's limits counts down.
struct decoder {
    const struct measures *measures;
    struct arena *arena;
    struct body_oddities *oddities;
    struct problem *problem;
    size_t observations_left, labels_left, ids_left;
    const char *part; // "series", "fact", NULL: for problems
    size_t index;     // of that part
};

static enum err wrong(const struct decoder *decoder, enum err err, struct pack_key key,
                      const char *what) {
    if (!decoder->part) return problem_set(decoder->problem, err, "key %s: %s", key.text, what);
    return problem_set(decoder->problem, err, "%s %zu: key %s: %s", decoder->part, decoder->index,
                       key.text, what);
}

static enum err no_room(const struct decoder *decoder) {
    return problem_set(decoder->problem, ERR_FULL, "%s %zu: no room in the arena", decoder->part,
                       decoder->index);
}

// ---- single values; a key that is not there leaves what stands in the field

static enum err read_time(const struct decoder *decoder, struct pack_key key, struct reader *value,
                          int64_t *at_ms) {
    if (!value->at) return ERR_NONE;
    if (!pack_read_integer(value, at_ms))
        return wrong(decoder, ERR_FORMAT, key, "not a whole number of milliseconds");
    if (!time_plausible(*at_ms)) return wrong(decoder, ERR_RANGE, key, "not within 1970..2100");
    return ERR_NONE;
}

static enum err read_span(const struct decoder *decoder, const struct pack_key *keys,
                          struct reader *values, size_t from, size_t to, struct span *span) {
    if (!values[from].at) return wrong(decoder, ERR_FORMAT, keys[from], "missing");
    if (!values[to].at) return wrong(decoder, ERR_FORMAT, keys[to], "missing");
    enum err err = read_time(decoder, keys[from], &values[from], &span->from_ms);
    if (!err) err = read_time(decoder, keys[to], &values[to], &span->to_ms);
    if (err) return err;
    if (span->to_ms < span->from_ms) return wrong(decoder, ERR_RANGE, keys[to], "lies before from");
    return ERR_NONE;
}

typedef bool text_check(const char *text, size_t size);

/// A text of at most `most` bytes that passes the check, into a terminated array.
static enum err read_text(const struct decoder *decoder, struct pack_key key, struct reader *value,
                          text_check *valid, char *out) {
    if (!value->at) return ERR_NONE;
    struct bytes text;
    if (!pack_read_text(value, &text)) return wrong(decoder, ERR_FORMAT, key, "not a text");
    if (!valid((const char *)text.data, text.size))
        return wrong(decoder, ERR_FORMAT, key, "has characters or a length that are not allowed");
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return ERR_NONE;
}

static enum err read_required_text(const struct decoder *decoder, struct pack_key key,
                                   struct reader *value, text_check *valid, char *out) {
    if (!value->at) return wrong(decoder, ERR_FORMAT, key, "missing");
    return read_text(decoder, key, value, valid, out);
}

// ---- series

static enum err take_columns(struct decoder *decoder, size_t count, struct columns *columns) {
    columns->t_ms = arena_take(decoder->arena, count * sizeof *columns->t_ms);
    columns->value = arena_take(decoder->arena, count * sizeof *columns->value);
    columns->confidence = arena_take(decoder->arena, count * sizeof *columns->confidence);
    if (!columns->t_ms || !columns->value || !columns->confidence) return no_room(decoder);
    return ERR_NONE;
}

static enum err check_observations(struct decoder *decoder, struct pack_key key, size_t count) {
    if (count > decoder->observations_left)
        return wrong(decoder, ERR_RANGE, key, "more than 4096 observations in one batch");
    decoder->observations_left -= count;
    return ERR_NONE;
}

/// Times of the members after the first, as offsets from it: one step, or a delta each.
static enum err read_times(const struct decoder *decoder, struct reader *values,
                           struct columns *columns) {
    const struct pack_key key = series_keys[values[SERIES_DT].at ? SERIES_DT : SERIES_STEP];
    struct reader *dt = &values[SERIES_DT], *step = &values[SERIES_STEP];
    if (dt->at && step->at) return wrong(decoder, ERR_FORMAT, key, "not together with step");
    size_t count = 0;
    int64_t delta = 0, at_ms = 0;
    if (dt->at && !pack_read_array(dt, &count)) return wrong(decoder, ERR_FORMAT, key, "no array");
    if (dt->at && count != columns->count - 1)
        return wrong(decoder, ERR_FORMAT, key, "needs one delta for each member but the first");
    if (!dt->at && !step->at && columns->count > 1)
        return wrong(decoder, ERR_FORMAT, key, "missing (as is dt)");
    if (step->at && !pack_read_integer(step, &delta))
        return wrong(decoder, ERR_FORMAT, key, "not a whole number of milliseconds");
    columns->t_ms[0] = 0;
    for (size_t i = 1; i < columns->count; i++) {
        if (dt->at && !pack_read_integer(dt, &delta))
            return wrong(decoder, ERR_FORMAT, key, "not whole numbers of milliseconds");
        if (delta < 0 || delta > INT32_MAX || (at_ms += delta) > INT32_MAX)
            return wrong(decoder, ERR_RANGE, key, "negative, or a series longer than 24 days");
        columns->t_ms[i] = (int32_t)at_ms;
    }
    return ERR_NONE;
}

static enum err read_confidences(const struct decoder *decoder, struct reader *value,
                                 struct columns *columns) {
    const struct pack_key key = series_keys[SERIES_CONFIDENCE];
    double confidence = 1;
    size_t count = 0;
    bool each = value->at && pack_is_array(value);
    if (each && (!pack_read_array(value, &count) || count != columns->count))
        return wrong(decoder, ERR_FORMAT, key, "needs one number, or one for each member");
    if (value->at && !each && !pack_read_number(value, &confidence))
        return wrong(decoder, ERR_FORMAT, key, "not a number");
    for (size_t i = 0; i < columns->count; i++) {
        if (each && !pack_read_number(value, &confidence))
            return wrong(decoder, ERR_FORMAT, key, "not numbers");
        if (!(confidence >= 0 && confidence <= 1))
            return wrong(decoder, ERR_RANGE, key, "outside 0..1");
        columns->confidence[i] = (uint8_t)(confidence * 100 + 0.5);
    }
    return ERR_NONE;
}

/// Distinct labels while they are collected: views into the body.
struct label_table {
    size_t count;
    struct bytes items[SERIES_LABELS_MAX];
};

static bool find_label(const struct label_table *table, struct bytes label, int32_t *index) {
    for (size_t i = table->count; i-- > 0;) {
        if (!bytes_equal(table->items[i], label)) continue;
        *index = (int32_t)i;
        return true;
    }
    return false;
}

static enum err read_label(const struct decoder *decoder, struct reader *value,
                           struct bytes *label) {
    if (!pack_read_text(value, label) || !name_valid((const char *)label->data, label->size))
        return wrong(decoder, ERR_FORMAT, series_keys[SERIES_LABELS],
                     "not a label: [A-Za-z0-9_.:-]{1,64}");
    return ERR_NONE;
}

static enum err add_label(const struct decoder *decoder, struct label_table *table,
                          struct bytes label) {
    if (table->count == SERIES_LABELS_MAX || table->count == decoder->labels_left)
        return wrong(decoder, ERR_RANGE, series_keys[SERIES_LABELS],
                     "more than 256 distinct labels in a series, or 1024 in a batch");
    table->items[table->count++] = label;
    return ERR_NONE;
}

static enum err keep_labels(struct decoder *decoder, const struct label_table *table,
                            struct batch_series *series) {
    decoder->labels_left -= table->count;
    series->label_count = table->count;
    series->labels = arena_take(decoder->arena, table->count * sizeof *series->labels);
    if (!series->labels) return no_room(decoder);
    for (size_t i = 0; i < table->count; i++)
        (void)name_set(&series->labels[i], (const char *)table->items[i].data,
                       table->items[i].size); // read_label has checked it
    return ERR_NONE;
}

/// Plain events: a label each; equal ones become one entry of the table, in order of appearance.
static enum err read_plain_labels(struct decoder *decoder, struct reader *value,
                                  struct batch_series *series) {
    struct label_table table;
    table.count = 0;
    for (size_t i = 0; i < series->columns.count; i++) {
        struct bytes label;
        enum err err = read_label(decoder, value, &label);
        if (!err && !find_label(&table, label, &series->columns.value[i])) {
            series->columns.value[i] = (int32_t)table.count;
            err = add_label(decoder, &table, label);
        }
        if (err) return err;
    }
    return keep_labels(decoder, &table, series);
}

static enum err read_plain_values(const struct decoder *decoder, struct reader *value,
                                  struct batch_series *series) {
    for (size_t i = 0; i < series->columns.count; i++) {
        double number;
        if (!pack_read_number(value, &number))
            return wrong(decoder, ERR_FORMAT, series_keys[SERIES_VALUES], "not numbers");
        series->columns.value[i] = measure_multiple(series->measure, number);
    }
    return ERR_NONE;
}

static enum err read_plain(struct decoder *decoder, struct reader *values,
                           struct batch_series *series) {
    bool samples = series->measure->kind == MEASURE_SAMPLES;
    size_t own = samples ? SERIES_VALUES : SERIES_LABELS;
    size_t other = samples ? SERIES_LABELS : SERIES_VALUES;
    if (values[other].at)
        return wrong(decoder, ERR_FORMAT, series_keys[other],
                     samples ? "this measure has values" : "this measure has labels");
    size_t count = 0;
    if (values[own].at && !pack_read_array(&values[own], &count))
        return wrong(decoder, ERR_FORMAT, series_keys[own], "not an array");
    enum err err = check_observations(decoder, series_keys[own], count);
    if (err || count == 0) return err;
    struct columns *columns = &series->columns;
    columns->count = count;
    err = take_columns(decoder, count, columns);
    if (!err) err = read_times(decoder, values, columns);
    if (!err)
        err = samples ? read_plain_values(decoder, &values[own], series)
                      : read_plain_labels(decoder, &values[own], series);
    if (!err) err = read_confidences(decoder, &values[SERIES_CONFIDENCE], columns);
    return err;
}

/// Packed events: the labels once, in a table; the packed values are places in it.
static enum err read_label_table(struct decoder *decoder, struct reader *value,
                                 struct batch_series *series) {
    struct label_table table;
    table.count = 0;
    size_t count = 0;
    if (value->at && !pack_read_array(value, &count))
        return wrong(decoder, ERR_FORMAT, series_keys[SERIES_LABELS], "not an array");
    for (size_t i = 0; i < count; i++) {
        struct bytes label;
        int32_t same;
        enum err err = read_label(decoder, value, &label);
        if (!err && find_label(&table, label, &same))
            err = wrong(decoder, ERR_FORMAT, series_keys[SERIES_LABELS], "a label stands twice");
        if (!err) err = add_label(decoder, &table, label);
        if (err) return err;
    }
    for (size_t i = 0; i < series->columns.count; i++)
        if (series->columns.value[i] < 0 || (size_t)series->columns.value[i] >= table.count)
            return wrong(decoder, ERR_RANGE, series_keys[SERIES_PACKED],
                         "a value is no place in labels");
    return keep_labels(decoder, &table, series);
}

static enum err read_packed(struct decoder *decoder, struct reader *values,
                            struct batch_series *series) {
    const struct pack_key key = series_keys[SERIES_PACKED];
    static const uint8_t plain[] = {SERIES_STEP, SERIES_DT, SERIES_VALUES, SERIES_CONFIDENCE};
    for (size_t i = 0; i < sizeof plain; i++)
        if (values[plain[i]].at)
            return wrong(decoder, ERR_FORMAT, series_keys[plain[i]], "not together with packed");
    struct bytes packed;
    size_t count;
    if (!pack_read_bytes(&values[SERIES_PACKED], &packed))
        return wrong(decoder, ERR_FORMAT, key, "not a byte string");
    enum err err = columns_packed_count(packed, &count);
    if (err) return wrong(decoder, err, key, "torn");
    err = check_observations(decoder, key, count);
    if (!err) err = take_columns(decoder, count, &series->columns);
    if (err) return err;
    struct reader reader = reader_of(packed);
    err = columns_unpack(&reader, 0, count, &series->columns);
    if (!err && reader_left(&reader) > 0) err = ERR_FORMAT;
    if (err) return wrong(decoder, err, key, "torn or inconsistent");
    if (series->measure->kind == MEASURE_EVENTS)
        return read_label_table(decoder, &values[SERIES_LABELS], series);
    if (values[SERIES_LABELS].at)
        return wrong(decoder, ERR_FORMAT, series_keys[SERIES_LABELS], "this measure has values");
    return ERR_NONE;
}

/// Every member lies in the span that the sensor watched.
static enum err place(const struct decoder *decoder, struct reader *t0,
                      struct batch_series *series) {
    const struct pack_key key = series_keys[SERIES_T0];
    const struct columns *columns = &series->columns;
    series->base_ms = series->watched.from_ms;
    if (columns->count == 0) return ERR_NONE;
    if (!t0->at) return wrong(decoder, ERR_FORMAT, key, "missing");
    enum err err = read_time(decoder, key, t0, &series->base_ms);
    if (err) return err;
    if (series->base_ms < series->watched.from_ms ||
        series->base_ms + columns->t_ms[columns->count - 1] >= series->watched.to_ms)
        return wrong(decoder, ERR_RANGE, key, "a member lies outside from..to");
    return ERR_NONE;
}

/// Leave out what the measure cannot be; the first of the rest becomes the base.
static void drop_out_of_range(struct body_oddities *oddities, struct batch_series *series) {
    struct columns *columns = &series->columns;
    int32_t least, most;
    measure_limits(series->measure, &least, &most);
    size_t kept = 0;
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->value[i] < least || columns->value[i] > most) continue;
        columns->t_ms[kept] = columns->t_ms[i];
        columns->value[kept] = columns->value[i];
        columns->confidence[kept++] = columns->confidence[i];
    }
    if (kept == columns->count) return;
    oddities->out_of_range += (uint32_t)(columns->count - kept);
    columns->count = kept;
    int32_t first_ms = kept ? columns->t_ms[0] : 0;
    series->base_ms = kept ? series->base_ms + first_ms : series->watched.from_ms;
    for (size_t i = 0; i < kept; i++)
        columns->t_ms[i] -= first_ms;
}

static void count_undeclared(struct body_oddities *oddities, const struct id *measure) {
    if (oddities->undeclared++ == 0) oddities->first_undeclared = *measure;
}

/// *declared: whether the series is one of the batch's; its measure may be unknown here.
static enum err read_series(struct decoder *decoder, struct reader *body,
                            struct batch_series *series, bool *declared) {
    struct reader values[SERIES_KEY_COUNT];
    if (!pack_index(body, PACK_DEPTH_MAX - 2, series_keys, sizeof series_keys[0], SERIES_KEY_COUNT,
                    values))
        return problem_set(decoder->problem, ERR_FORMAT, "series %zu: malformed", decoder->index);
    struct id measure = {0};
    enum err err = read_required_text(decoder, series_keys[SERIES_MEASURE], &values[SERIES_MEASURE],
                                      measure_id_valid, measure.text);
    if (err) return err;
    *series = (struct batch_series){
        .measure = measures_find(decoder->measures, measure.text, strlen(measure.text))};
    *declared = series->measure != NULL;
    if (!*declared) {
        count_undeclared(decoder->oddities, &measure);
        return ERR_NONE;
    }
    err = read_required_text(decoder, series_keys[SERIES_COUNTER], &values[SERIES_COUNTER],
                             id_valid, series->counter.text);
    if (!err)
        err = read_span(decoder, series_keys, values, SERIES_FROM, SERIES_TO, &series->watched);
    if (!err)
        err = values[SERIES_PACKED].at ? read_packed(decoder, values, series)
                                       : read_plain(decoder, values, series);
    if (!err) err = place(decoder, &values[SERIES_T0], series);
    if (!err && series->measure->kind == MEASURE_SAMPLES)
        drop_out_of_range(decoder->oddities, series);
    return err;
}

static enum err read_all_series(struct decoder *decoder, struct reader *body, struct batch *batch) {
    size_t count;
    decoder->part = "series";
    if (!pack_read_array(body, &count))
        return problem_set(decoder->problem, ERR_FORMAT, "key series: not an array");
    if (count > BATCH_SERIES_MAX)
        return problem_set(decoder->problem, ERR_RANGE, "key series: more than %d",
                           BATCH_SERIES_MAX);
    batch->series = arena_take(decoder->arena, count * sizeof *batch->series);
    if (!batch->series) return no_room(decoder);
    for (size_t i = 0; i < count; i++) {
        bool declared = false;
        decoder->index = i;
        enum err err = read_series(decoder, body, &batch->series[batch->series_count], &declared);
        if (err) return err;
        batch->series_count += declared;
    }
    return ERR_NONE;
}

// ---- facts

static enum err read_encounter(const struct decoder *decoder, struct reader *values,
                               struct encounter *encounter) {
    *encounter = (struct encounter){.issued_ms = TIME_NONE,
                                    .called_ms = TIME_NONE,
                                    .started_ms = TIME_NONE,
                                    .ended_ms = TIME_NONE};
    const struct {
        size_t key;
        text_check *valid;
        char *out;
    } texts[] = {{FACT_KEY_ID, name_valid, encounter->id.text},
                 {FACT_KEY_COUNTER, id_valid, encounter->counter.text},
                 {FACT_KEY_OFFERING, id_valid, encounter->offering.text},
                 {FACT_KEY_EMPLOYEE, employee_valid, encounter->employee},
                 {FACT_KEY_LANGUAGE, language_valid, encounter->language}};
    const struct {
        size_t key;
        int64_t *at_ms;
    } times[] = {{FACT_KEY_ISSUED, &encounter->issued_ms},
                 {FACT_KEY_CALLED, &encounter->called_ms},
                 {FACT_KEY_STARTED, &encounter->started_ms},
                 {FACT_KEY_ENDED, &encounter->ended_ms}};
    enum err err = ERR_NONE;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !err; i++) {
        size_t key = texts[i].key;
        err = read_text(decoder, fact_keys[key], &values[key], texts[i].valid, texts[i].out);
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0] && !err; i++) {
        size_t key = times[i].key;
        err = read_time(decoder, fact_keys[key], &values[key], times[i].at_ms);
    }
    struct reader *outcome = &values[FACT_KEY_OUTCOME];
    struct bytes name;
    if (!err && outcome->at &&
        (!pack_read_text(outcome, &name) ||
         !outcome_parse((const char *)name.data, name.size, &encounter->outcome)))
        err = wrong(decoder, ERR_FORMAT, fact_keys[FACT_KEY_OUTCOME], "no such outcome");
    if (err) return err;
    struct problem order;
    if (encounter_check(encounter, &order))
        return problem_set(decoder->problem, order.err, "fact %zu: %s", decoder->index, order.text);
    return ERR_NONE;
}

static enum err read_ids(struct decoder *decoder, struct pack_key key, struct reader *value,
                         text_check *valid, struct id_list *ids) {
    size_t count;
    if (!value->at) return ERR_NONE;
    if (!pack_read_array(value, &count)) return wrong(decoder, ERR_FORMAT, key, "not an array");
    if (count > decoder->ids_left)
        return wrong(decoder, ERR_RANGE, key, "more than 1024 ids in one batch");
    decoder->ids_left -= count;
    ids->items = arena_take(decoder->arena, count * sizeof *ids->items);
    if (!ids->items) return no_room(decoder);
    memset(ids->items, 0, count * sizeof *ids->items);
    for (; ids->count < count; ids->count++) {
        enum err err = read_text(decoder, key, value, valid, ids->items[ids->count].text);
        if (err) return err;
    }
    return ERR_NONE;
}

static enum err read_gap(const struct decoder *decoder, struct reader *values, struct fact *fact) {
    enum err err = read_span(decoder, fact_keys, values, FACT_KEY_FROM, FACT_KEY_TO, &fact->gap);
    if (err) return err;
    return read_text(decoder, fact_keys[FACT_KEY_COUNTER], &values[FACT_KEY_COUNTER], id_valid,
                     fact->counter.text);
}

static enum err require(const struct decoder *decoder, const struct reader *values, size_t key) {
    return values[key].at ? ERR_NONE : wrong(decoder, ERR_FORMAT, fact_keys[key], "missing");
}

static enum err read_decision(const struct decoder *decoder, struct reader *values,
                              struct decision *decision) {
    const struct {
        size_t key;
        text_check *valid;
        char *out;
    } texts[] = {{FACT_KEY_ID, name_valid, decision->encounter.text},
                 {FACT_KEY_COUNTER, id_valid, decision->counter.text},
                 {FACT_KEY_STANDARD, name_valid, decision->standard.text},
                 {FACT_KEY_BY, name_valid, decision->by.text},
                 {FACT_KEY_WHY, decision_reason_valid, decision->reason}};
    enum err err = require(decoder, values, FACT_KEY_DECISION);
    if (!err) err = require(decoder, values, FACT_KEY_BEGAN);
    if (!err) err = require(decoder, values, FACT_KEY_DECIDED);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !err; i++) {
        size_t key = texts[i].key;
        err =
            read_required_text(decoder, fact_keys[key], &values[key], texts[i].valid, texts[i].out);
    }
    if (!err)
        err = read_time(decoder, fact_keys[FACT_KEY_BEGAN], &values[FACT_KEY_BEGAN],
                        &decision->began_ms);
    if (!err)
        err = read_time(decoder, fact_keys[FACT_KEY_DECIDED], &values[FACT_KEY_DECIDED],
                        &decision->decided_ms);
    struct bytes kind;
    if (!err && (!pack_read_text(&values[FACT_KEY_DECISION], &kind) ||
                 !decision_kind_parse((const char *)kind.data, kind.size, &decision->kind)))
        err = wrong(decoder, ERR_FORMAT, fact_keys[FACT_KEY_DECISION], "no such decision");
    return err;
}

static enum err read_fact_kind(struct decoder *decoder, struct reader *values, struct fact *fact) {
    enum err err = ERR_NONE;
    switch (fact->kind) {
    case FACT_ENCOUNTER:
        err = require(decoder, values, FACT_KEY_ID);
        if (!err) err = require(decoder, values, FACT_KEY_COUNTER);
        return err ? err : read_encounter(decoder, values, &fact->encounter);
    case FACT_WITHDRAWN:
        err = require(decoder, values, FACT_KEY_ID);
        return err ? err : read_encounter(decoder, values, &fact->encounter);
    case FACT_BIRTH:
        err = read_ids(decoder, fact_keys[FACT_KEY_MEASURES], &values[FACT_KEY_MEASURES],
                       measure_id_valid, &fact->measures);
        return err ? err
                   : read_ids(decoder, fact_keys[FACT_KEY_COUNTERS], &values[FACT_KEY_COUNTERS],
                              id_valid, &fact->counters);
    case FACT_GAP:
        return read_gap(decoder, values, fact);
    case FACT_DECISION:
        return read_decision(decoder, values, &fact->decision);
    case FACT_GOODBYE:
    case FACT_KIND_COUNT:
        break;
    }
    return ERR_NONE;
}

static enum err read_fact(struct decoder *decoder, struct reader *body, struct fact *fact) {
    struct reader values[FACT_KEY_COUNT];
    struct bytes kind;
    *fact = (struct fact){0};
    if (!pack_index(body, PACK_DEPTH_MAX - 2, fact_keys, sizeof fact_keys[0], FACT_KEY_COUNT,
                    values))
        return problem_set(decoder->problem, ERR_FORMAT, "fact %zu: malformed", decoder->index);
    enum err err = require(decoder, values, FACT_KEY_FACT);
    if (err) return err;
    if (!pack_read_text(&values[FACT_KEY_FACT], &kind) ||
        !fact_kind_parse((const char *)kind.data, kind.size, &fact->kind))
        return wrong(decoder, ERR_FORMAT, fact_keys[FACT_KEY_FACT], "no such fact");
    err = read_text(decoder, fact_keys[FACT_KEY_REASON], &values[FACT_KEY_REASON], name_valid,
                    fact->reason.text);
    return err ? err : read_fact_kind(decoder, values, fact);
}

static enum err read_facts(struct decoder *decoder, struct reader *body, struct batch *batch) {
    size_t count;
    decoder->part = "fact";
    if (!pack_read_array(body, &count))
        return problem_set(decoder->problem, ERR_FORMAT, "key facts: not an array");
    if (count > BATCH_FACTS_MAX)
        return problem_set(decoder->problem, ERR_RANGE, "key facts: more than %d", BATCH_FACTS_MAX);
    batch->facts = arena_take(decoder->arena, count * sizeof *batch->facts);
    if (!batch->facts) return no_room(decoder);
    for (; batch->fact_count < count; batch->fact_count++) {
        decoder->index = batch->fact_count;
        enum err err = read_fact(decoder, body, &batch->facts[batch->fact_count]);
        if (err) return err;
    }
    return ERR_NONE;
}

// ---- the whole

static enum err read_clock_error(const struct decoder *decoder, struct reader *value,
                                 uint32_t *clock_error_ms) {
    int64_t whole = 0;
    if (value->at && (!pack_read_integer(value, &whole) || whole < 0 || whole > CLOCK_ERROR_MAX_MS))
        return problem_set(decoder->problem, ERR_RANGE, "key clock_error_ms: outside 0..%d",
                           CLOCK_ERROR_MAX_MS);
    *clock_error_ms = (uint32_t)whole;
    return ERR_NONE;
}

enum err body_decode(struct bytes body, const struct measures *measures, struct arena *arena,
                     struct batch *batch, struct body_oddities *oddities, struct problem *problem) {
    *batch = (struct batch){.watermark_ms = TIME_NONE};
    *oddities = (struct body_oddities){0};
    if (body.size > BATCH_BODY_MAX)
        return problem_set(problem, ERR_RANGE, "body: more than %d bytes", BATCH_BODY_MAX);
    struct reader reader = reader_of(body), values[BODY_KEY_COUNT];
    if (!pack_index(&reader, PACK_DEPTH_MAX, body_keys, sizeof body_keys[0], BODY_KEY_COUNT,
                    values))
        return problem_set(problem, ERR_FORMAT,
                           "body: not one MessagePack map with distinct short text keys");
    if (reader_left(&reader) > 0)
        return problem_set(problem, ERR_FORMAT, "body: %zu bytes follow its map",
                           reader_left(&reader));
    struct decoder decoder = {.measures = measures,
                              .arena = arena,
                              .oddities = oddities,
                              .problem = problem,
                              .observations_left = BATCH_OBSERVATIONS_MAX,
                              .labels_left = BATCH_LABELS_MAX,
                              .ids_left = BATCH_IDS_MAX};
    enum err err = read_time(&decoder, body_keys[BODY_WATERMARK], &values[BODY_WATERMARK],
                             &batch->watermark_ms);
    if (!err)
        err = read_clock_error(&decoder, &values[BODY_CLOCK_ERROR_MS], &batch->clock_error_ms);
    if (!err && values[BODY_SERIES].at)
        err = read_all_series(&decoder, &values[BODY_SERIES], batch);
    if (!err && values[BODY_FACTS].at) err = read_facts(&decoder, &values[BODY_FACTS], batch);
    return err;
}
