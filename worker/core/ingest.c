#include "worker/core/ingest.h"

#include "common/wire/message.h"
#include "worker/core/minutes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAPS_MAX = 1024,
    ARGUMENT_SLACK = 4096,
    OBSERVATION_SIZE = 16,
    CHUNK_SIZE = 48,
    BIRTHS_SIZE = 1 << 18
};

struct ingest {
    struct ingest_limits limits;
    const struct branch *branch;
    uint64_t configuration;
    struct minutes_builder *minutes;
    struct buffer chunks;
    size_t batches, bytes; // bytes: a bound on the packed argument
    size_t gateway_count, fact_count, gap_count, dead_count, decision_count;
    struct fold_gateway gateways[BRANCH_GATEWAYS_MAX];
    struct fold_fact *facts;
    struct encounter *encounters; // of the facts
    struct fold_gap gaps[GAPS_MAX];
    struct fold_decision *decisions;
    struct decision *decided; // of the decisions
    struct fold_dead *dead;
    struct buffer *letters; // of the dead: reason, then body
    struct buffer births;   // the measures that births named; reserved, so that it stays in place
};

struct ingest_limits ingest_limits_default(void) {
    return (struct ingest_limits){
        .observations = (size_t)64 * BATCH_OBSERVATIONS_MAX,
        .chunks = (size_t)8 * MINUTES_BATCH_MAX,
        .labels = (size_t)4 * BATCH_OBSERVATIONS_MAX,
        .facts = (size_t)16 * BATCH_FACTS_MAX,
        .decisions = (size_t)4 * BATCH_FACTS_MAX,
        .dead = 16,
        .bytes = 12 << 20,
    };
}

struct ingest *ingest_new(const struct ingest_limits *limits) {
    assert(limits->observations >= BATCH_OBSERVATIONS_MAX && limits->chunks >= MINUTES_BATCH_MAX &&
           limits->labels >= BATCH_OBSERVATIONS_MAX && limits->facts >= BATCH_FACTS_MAX &&
           limits->facts <= UINT16_MAX && limits->decisions >= BATCH_FACTS_MAX &&
           limits->decisions <= UINT16_MAX && limits->dead >= 1);
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest) return NULL;
    ingest->limits = *limits;
    buffer_init(&ingest->chunks, limits->bytes);
    buffer_init(&ingest->births, BIRTHS_SIZE);
    ingest->minutes = minutes_builder_new(limits->observations, limits->chunks, limits->labels);
    ingest->facts = calloc(limits->facts, sizeof *ingest->facts);
    ingest->encounters = calloc(limits->facts, sizeof *ingest->encounters);
    ingest->decisions = calloc(limits->decisions, sizeof *ingest->decisions);
    ingest->decided = calloc(limits->decisions, sizeof *ingest->decided);
    ingest->dead = calloc(limits->dead, sizeof *ingest->dead);
    ingest->letters = calloc(limits->dead, sizeof *ingest->letters);
    if (!ingest->minutes || !ingest->facts || !ingest->encounters || !ingest->decisions ||
        !ingest->decided || !ingest->dead || !ingest->letters ||
        !buffer_extend(&ingest->births, BIRTHS_SIZE)) {
        ingest_free(ingest);
        return NULL;
    }
    for (size_t i = 0; i < limits->dead; i++)
        buffer_init(&ingest->letters[i], BATCH_BODY_MAX + REASON_MAX);
    return ingest;
}

void ingest_free(struct ingest *ingest) {
    if (!ingest) return;
    for (size_t i = 0; ingest->letters && i < ingest->limits.dead; i++)
        buffer_fini(&ingest->letters[i]);
    minutes_builder_free(ingest->minutes);
    buffer_fini(&ingest->chunks);
    buffer_fini(&ingest->births);
    free(ingest->facts);
    free(ingest->encounters);
    free(ingest->decisions);
    free(ingest->decided);
    free(ingest->dead);
    free(ingest->letters);
    free(ingest);
}

void ingest_begin(struct ingest *ingest, const struct branch *branch, uint64_t configuration) {
    ingest->branch = branch;
    ingest->configuration = configuration;
    minutes_builder_clear(ingest->minutes);
    ingest->batches = 0;
    ingest->bytes = ARGUMENT_SLACK;
    ingest->gateway_count = ingest->fact_count = ingest->gap_count = ingest->dead_count = 0;
    ingest->decision_count = 0;
    buffer_clear(&ingest->births);
}

size_t ingest_batches(const struct ingest *ingest) {
    return ingest->batches;
}

/// The fold's entry of a gateway, or NULL.
static struct fold_gateway *find_gateway(struct ingest *ingest, uint8_t gateway) {
    for (size_t i = 0; i < ingest->gateway_count; i++)
        if (ingest->gateways[i].gateway == gateway) return &ingest->gateways[i];
    return NULL;
}

static uint64_t first_number(const struct envelope *envelope) {
    return envelope->lost ? envelope->lost : envelope->number;
}

/// May this batch be the next of its gateway in the fold? Behind a gap one is the last: the gap is
/// told with the watermark of the fold, and that of a later batch would say less.
static bool follows(struct ingest *ingest, const struct envelope *envelope) {
    const struct fold_gateway *gateway = find_gateway(ingest, envelope->gateway);
    return !gateway || (gateway->epoch == envelope->epoch && gateway->lost == 0 &&
                        gateway->last + 1 == first_number(envelope) &&
                        tag_follows(envelope->tag, gateway->tag));
}

/// Nothing may fail from here on: the batch becomes the gateway's last.
static struct fold_gateway *append(struct ingest *ingest, const struct envelope *envelope,
                                   size_t bytes) {
    struct fold_gateway *gateway = find_gateway(ingest, envelope->gateway);
    if (!gateway) {
        assert(ingest->gateway_count < BRANCH_GATEWAYS_MAX);
        gateway = &ingest->gateways[ingest->gateway_count++];
        *gateway = (struct fold_gateway){
            .gateway = envelope->gateway,
            .epoch = envelope->epoch,
            .first = first_number(envelope),
            .behind = tag_before(envelope->tag),
            .watermark_ms = TIME_NONE,
        };
    }
    if (first_number(envelope) < envelope->number) {
        gateway->lost += envelope->number - first_number(envelope);
        ingest->gaps[ingest->gap_count++] = (struct fold_gap){
            .kind = GAP_NUMBERS,
            .gateway = envelope->gateway,
            .counter = -1,
            .from = first_number(envelope),
            .to = envelope->number - 1,
        };
    }
    gateway->last = envelope->number;
    gateway->tag = envelope->tag;
    ingest->batches++;
    ingest->bytes += bytes;
    return gateway;
}

static enum err check_counter(const struct ingest *ingest, const struct envelope *envelope,
                              const struct id *counter, struct problem *problem) {
    const struct branch_gateway *gateway = &ingest->branch->gateways[envelope->gateway];
    if (counter->text[0] == '\0') return ERR_NONE;
    int place = branch_counter(ingest->branch, counter);
    if (place >= 0 && branch_gateway_serves(gateway, (size_t)place)) return ERR_NONE;
    return problem_set(problem, ERR_REFUSED,
                       "counter %s is not one of gateway %s in branch %s: name it in "
                       "config/branches/%s.yaml, or mend the gateway's configuration",
                       counter->text, gateway->id.text, ingest->branch->id.text,
                       ingest->branch->id.text);
}

/// The office alone decides, about counters of its branch.
static enum err check_decision(const struct ingest *ingest, const struct envelope *envelope,
                               const struct decision *decision, struct problem *problem) {
    const struct branch *branch = ingest->branch;
    const struct branch_gateway *gateway = &branch->gateways[envelope->gateway];
    if (!gateway->office)
        return problem_set(problem, ERR_REFUSED,
                           "gateway %s decides about encounter %s, but is not the office of branch "
                           "%s: mark it `office: true` in config/branches/%s.yaml, or find out who "
                           "has its key",
                           gateway->id.text, decision->encounter.text, branch->id.text,
                           branch->id.text);
    if (branch_counter(branch, &decision->counter) >= 0) return ERR_NONE;
    return problem_set(problem, ERR_REFUSED,
                       "a decision about encounter %s names counter %s, which branch %s does not "
                       "have",
                       decision->encounter.text, decision->counter.text, branch->id.text);
}

/// Every counter that the batch speaks of must be one of its gateway's.
static enum err check_counters(const struct ingest *ingest, const struct envelope *envelope,
                               const struct batch *batch, struct problem *problem) {
    enum err err = ERR_NONE;
    for (size_t i = 0; !err && i < batch->series_count; i++)
        err = check_counter(ingest, envelope, &batch->series[i].counter, problem);
    for (size_t i = 0; !err && i < batch->fact_count; i++) {
        const struct fact *fact = &batch->facts[i];
        const struct id *counter =
            fact->kind == FACT_GAP ? &fact->counter : &fact->encounter.counter;
        if (fact->kind == FACT_GAP || fact->kind == FACT_ENCOUNTER)
            err = check_counter(ingest, envelope, counter, problem);
        else if (fact->kind == FACT_DECISION)
            err = check_decision(ingest, envelope, &fact->decision, problem);
    }
    return err;
}

static int16_t counter_place(const struct ingest *ingest, const struct id *counter) {
    return counter->text[0] ? (int16_t)branch_counter(ingest->branch, counter) : -1;
}

/// The latest of an encounter's times.
static int64_t latest_ms(const struct encounter *encounter) {
    int64_t latest = encounter->issued_ms; // TIME_NONE is less than all others
    if (encounter->called_ms > latest) latest = encounter->called_ms;
    if (encounter->started_ms > latest) latest = encounter->started_ms;
    return encounter->ended_ms > latest ? encounter->ended_ms : latest;
}

static void add_encounter(struct ingest *ingest, const struct envelope *envelope,
                          const struct fact *fact, int64_t future_ms,
                          struct fold_gateway *gateway) {
    bool withdrawn = fact->kind == FACT_WITHDRAWN;
    if (!withdrawn && latest_ms(&fact->encounter) > future_ms) {
        gateway->left_out[FOLD_FUTURE]++;
        return;
    }
    if (!withdrawn && encounter_check(&fact->encounter, NULL)) {
        gateway->left_out[FOLD_BAD_FACT]++;
        return;
    }
    struct encounter *encounter = &ingest->encounters[ingest->fact_count];
    *encounter = fact->encounter;
    ingest->facts[ingest->fact_count++] = (struct fold_fact){
        .gateway = envelope->gateway,
        .counter = withdrawn ? -1 : counter_place(ingest, &encounter->counter),
        .withdrawn = withdrawn,
        .encounter = encounter,
    };
}

/// Whatever clock it was decided by: what a person decided is never left out.
static void add_decision(struct ingest *ingest, const struct decision *decision) {
    struct decision *kept = &ingest->decided[ingest->decision_count];
    *kept = *decision;
    ingest->decisions[ingest->decision_count++] = (struct fold_decision){
        .counter = (uint16_t)branch_counter(ingest->branch, &decision->counter), .decision = kept};
}

/// Of several births the last one counts. Where there is no room its measures stay unnamed: they
/// are for people only.
static void add_birth(struct ingest *ingest, const struct fact *fact,
                      struct fold_gateway *gateway) {
    size_t begin = ingest->births.size;
    for (size_t i = 0; i < fact->measures.count; i++) {
        const char *measure = fact->measures.items[i].text;
        if (i) buffer_put_u8(&ingest->births, ' ');
        buffer_put(&ingest->births, measure, strlen(measure));
    }
    if (ingest->births.failed) (void)buffer_rewind(&ingest->births, begin);
    gateway->born = true;
    gateway->measures = (struct bytes){ingest->births.data + begin, ingest->births.size - begin};
}

static void add_fact(struct ingest *ingest, const struct envelope *envelope,
                     const struct fact *fact, int64_t future_ms, struct fold_gateway *gateway) {
    switch (fact->kind) {
    case FACT_ENCOUNTER:
    case FACT_WITHDRAWN:
        gateway->presence = PRESENCE_HERE;
        add_encounter(ingest, envelope, fact, future_ms, gateway);
        break;
    case FACT_BIRTH:
        gateway->presence = PRESENCE_HERE;
        add_birth(ingest, fact, gateway);
        break;
    case FACT_GOODBYE:
        gateway->presence = PRESENCE_DEPARTED;
        break;
    case FACT_GAP:
        if (fact->gap.from_ms < 0 || fact->gap.to_ms < fact->gap.from_ms) {
            gateway->left_out[FOLD_BAD_FACT]++;
            break;
        }
        ingest->gaps[ingest->gap_count++] = (struct fold_gap){
            .kind = GAP_TIME,
            .gateway = envelope->gateway,
            .counter = counter_place(ingest, &fact->counter),
            .from = (uint64_t)fact->gap.from_ms,
            .to = (uint64_t)fact->gap.to_ms,
            .reason = fact->reason,
        };
        break;
    case FACT_DECISION:
        gateway->presence = PRESENCE_HERE;
        add_decision(ingest, &fact->decision);
        break;
    case FACT_KIND_COUNT:
        assert(!"not a fact");
    }
}

static void add_watermark(const struct batch *batch, int64_t future_ms,
                          struct fold_gateway *gateway) {
    if (batch->watermark_ms > future_ms)
        gateway->left_out[FOLD_FUTURE]++;
    else if (batch->watermark_ms > gateway->watermark_ms)
        gateway->watermark_ms = batch->watermark_ms;
}

/// A minute says anew which labels it has: how many its batch may need, minute by minute.
static size_t labels_bound(const struct batch_series *series) {
    const struct span *watched = &series->watched;
    size_t minutes = (size_t)(watched->to_ms / MINUTE_MS - watched->from_ms / MINUTE_MS + 1);
    size_t most = minutes * series->label_count;
    return most < series->columns.count ? most : series->columns.count;
}

/// A bound on the bytes that a batch adds to the packed argument.
static size_t packed_bound(const struct batch *batch, size_t observations, size_t chunks) {
    size_t labels = 0;
    for (size_t i = 0; i < batch->series_count; i++)
        labels += labels_bound(&batch->series[i]);
    return sizeof(struct fold_gateway) + labels * (NAME_SIZE_MAX + 1) +
           observations * OBSERVATION_SIZE + chunks * CHUNK_SIZE +
           batch->fact_count * (sizeof(struct encounter) + sizeof(struct decision)) +
           batch->series_count * (NAME_SIZE_MAX + CHUNK_SIZE);
}

enum err ingest_add(struct ingest *ingest, const struct envelope *envelope,
                    const struct batch *batch, const struct body_oddities *oddities, int64_t now_ms,
                    struct problem *problem) {
    assert(envelope->gateway < ingest->branch->gateway_count && envelope->number >= 1 &&
           envelope->lost <= envelope->number);
    size_t observations, chunks, labels;
    if (!follows(ingest, envelope)) return ERR_CONFLICT;
    enum err err = check_counters(ingest, envelope, batch, problem);
    if (err) return err;
    if (minutes_room(batch, &observations, &chunks, &labels))
        return problem_set(problem, ERR_RANGE,
                           "the watched spans of a batch reach over more than %d minutes of series "
                           "or %d hours: send batches more often",
                           MINUTES_BATCH_MAX, MINUTES_SPAN_MAX_MS / HOUR_MS);
    size_t bytes = packed_bound(batch, observations, chunks);
    bool fits = minutes_fits(ingest->minutes, observations, chunks, labels) &&
                batch->fact_count <= ingest->limits.facts - ingest->fact_count &&
                batch->fact_count <= ingest->limits.decisions - ingest->decision_count &&
                batch->fact_count + 1 <= GAPS_MAX - ingest->gap_count &&
                (ingest->batches == 0 || bytes <= ingest->limits.bytes - ingest->bytes);
    if (!fits) return ERR_FULL;

    const struct branch_gateway *from = &ingest->branch->gateways[envelope->gateway];
    struct fold_gateway *gateway = append(ingest, envelope, bytes);
    int64_t future_ms = now_ms + FUTURE_MS;
    gateway->applied++;
    if (batch->clock_error_ms > gateway->clock_error_ms)
        gateway->clock_error_ms = batch->clock_error_ms;
    if (batch->series_count > 0) gateway->presence = PRESENCE_HERE;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct batch_series *series = &batch->series[i];
        uint16_t counter = (uint16_t)branch_counter(ingest->branch, &series->counter);
        gateway->left_out[FOLD_FUTURE] += minutes_add(ingest->minutes, series, counter, from->key,
                                                      batch->clock_error_ms, future_ms);
    }
    for (size_t i = 0; i < batch->fact_count; i++)
        add_fact(ingest, envelope, &batch->facts[i], future_ms, gateway);
    add_watermark(batch, future_ms, gateway);
    gateway->left_out[FOLD_UNDECLARED] += oddities ? oddities->undeclared : 0;
    gateway->left_out[FOLD_OUT_OF_RANGE] += oddities ? oddities->out_of_range : 0;
    return ERR_NONE;
}

enum err ingest_add_dead(struct ingest *ingest, const struct envelope *envelope, struct bytes body,
                         const char *reason) {
    assert(envelope->gateway < ingest->branch->gateway_count && envelope->number >= 1);
    if (!follows(ingest, envelope)) return ERR_CONFLICT;
    size_t reason_size = strnlen(reason, REASON_MAX);
    size_t bytes = sizeof(struct fold_gateway) + reason_size + body.size + CHUNK_SIZE;
    if (ingest->dead_count == ingest->limits.dead || ingest->gap_count == GAPS_MAX ||
        (ingest->batches > 0 && bytes > ingest->limits.bytes - ingest->bytes))
        return ERR_FULL;
    struct buffer *letter = &ingest->letters[ingest->dead_count];
    buffer_clear(letter);
    buffer_put(letter, reason, reason_size);
    buffer_put(letter, body.data, body.size);
    if (letter->failed) { // longer than any body may be: the reason alone is kept
        buffer_clear(letter);
        buffer_put(letter, reason, reason_size);
        body.size = 0;
    }
    if (letter->failed) return ERR_NOMEM;
    append(ingest, envelope, bytes)->dead++;
    ingest->dead[ingest->dead_count++] = (struct fold_dead){
        .gateway = envelope->gateway,
        .number = envelope->number,
        .tag = envelope->tag,
        .reason = {letter->data, reason_size},
        .body = {letter->data + reason_size, body.size},
    };
    return ERR_NONE;
}

enum err ingest_fold(struct ingest *ingest, struct fold *fold) {
    buffer_clear(&ingest->chunks);
    uint32_t chunk_count = minutes_finish(ingest->minutes, &ingest->chunks);
    if (ingest->chunks.failed) return ERR_NOMEM;
    *fold = (struct fold){
        .configuration = ingest->configuration,
        .gateway_count = ingest->gateway_count,
        .gateways = ingest->gateways,
        .fact_count = ingest->fact_count,
        .facts = ingest->facts,
        .gap_count = ingest->gap_count,
        .gaps = ingest->gaps,
        .dead_count = ingest->dead_count,
        .dead = ingest->dead,
        .decision_count = ingest->decision_count,
        .decisions = ingest->decisions,
        .chunk_count = chunk_count,
        .chunks = buffer_bytes(&ingest->chunks),
    };
    return ERR_NONE;
}
