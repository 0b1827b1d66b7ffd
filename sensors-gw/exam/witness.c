#include "sensors-gw/exam/witness.h"

#include "common/base/hash.h"
#include "common/wire/body.h"
#include "common/wire/body_keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull; // for printing

const char *exam_rule_text(unsigned rule) {
    static const char *const texts[EXAM_RULES] = {
        "Messages, bodies and statuses as on the page",
        "Durable before sent",
        "Numbers without holes",
        "Ask first",
        "Write the epoch down",
        "Ignore answers of other sessions",
        "Follow the position",
        "Keep what was applied",
        "Check the tag",
        "Never more than the window unanswered",
        "Idle, ask",
        "Watermarks never go back",
        "Event time is fixed",
        "Features only",
        "Chain the batches",
    };
    return texts[rule];
}

enum exam_mark exam_rule_mark(const struct exam_rule *rule) {
    return rule->failed ? EXAM_FAILED : rule->checks ? EXAM_PASSED : EXAM_NOT_SEEN;
}

enum err witness_init(struct witness *witness, const struct measures *measures) {
    *witness = (struct witness){.measures = measures, .watermark_ms = TIME_NONE};
    witness->batches = calloc(WITNESS_BATCHES_MAX, sizeof *witness->batches);
    if (!witness->batches) return ERR_NOMEM;
    return arena_init(&witness->arena, BODY_ARENA_SIZE);
}

void witness_fini(struct witness *witness) {
    arena_fini(&witness->arena);
    free(witness->batches);
    witness->batches = NULL;
}

bool witness_check(struct witness *witness, unsigned rule, bool held, const char *format, ...) {
    struct exam_rule *marks = &witness->rules[rule];
    marks->checks++;
    if (held || marks->failed++) return held;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(marks->reason, sizeof marks->reason, format, arguments);
    va_end(arguments);
    return false;
}

struct tag witness_tag(const struct witness *witness, uint64_t number) {
    if (number == 0) return tag_start(&witness->spool);
    return number < WITNESS_BATCHES_MAX ? witness->batches[number].tag : (struct tag){{0}};
}

// ------------------------------------------------------------------ what an ask shows

void witness_ask(struct witness *w, const struct message *ask) {
    if (w->spool_known)
        witness_check(w, 4, !memcmp(&w->spool, &ask->spool, sizeof w->spool),
                      "an ask showed another spool id than before");
    w->spool_known = true;
    w->spool = ask->spool;
    witness_check(w, 4, ask->position.epoch == w->epoch, "an ask showed epoch %llu instead of %llu",
                  (ull)ask->position.epoch, (ull)w->epoch);
    witness_check(w, 3, ask->session > w->session,
                  "an ask had session %llu, which is not above all before (%llu)",
                  (ull)ask->session, (ull)w->session);
    if (ask->session > w->session) w->session = ask->session;
}

// ------------------------------------------------------------------ what a body holds

/// How many keys the map at the front declares; 0: no map.
static size_t map_keys(struct reader reader) {
    uint8_t head = reader_u8(&reader);
    if ((head & 0xf0) == 0x80) return head & 0x0f;
    if (head != 0xde) return 0;
    size_t high = reader_u8(&reader);
    return high << 8 | reader_u8(&reader);
}

/// Whether a map holds keys of the page only; values: where theirs begin.
static bool keys_known(struct reader *reader, const struct pack_key *keys, size_t count,
                       struct reader *values) {
    size_t declared = map_keys(*reader), found = 0;
    if (!pack_index(reader, PACK_DEPTH_MAX - 1, keys, sizeof *keys, count, values)) return false;
    for (size_t i = 0; i < count; i++)
        found += values[i].at != NULL;
    return found == declared;
}

static bool list_known(struct reader list, const struct pack_key *keys, size_t count) {
    struct reader values[FACT_KEY_COUNT];
    size_t items;
    if (!list.at) return true;
    if (!pack_read_array(&list, &items)) return false;
    for (size_t i = 0; i < items; i++)
        if (!keys_known(&list, keys, count, values)) return false;
    return true;
}

/// Nothing but what the page has a field for.
static bool features_only(struct bytes body) {
    struct reader reader = reader_of(body), values[BODY_KEY_COUNT];
    return keys_known(&reader, body_keys, BODY_KEY_COUNT, values) &&
           list_known(values[BODY_SERIES], series_keys, SERIES_KEY_COUNT) &&
           list_known(values[BODY_FACTS], fact_keys, FACT_KEY_COUNT);
}

/// The oldest event time that a batch reports.
static int64_t oldest(const struct batch *batch) {
    int64_t oldest_ms = INT64_MAX;
    for (size_t i = 0; i < batch->series_count; i++)
        if (batch->series[i].watched.from_ms < oldest_ms)
            oldest_ms = batch->series[i].watched.from_ms;
    for (size_t i = 0; i < batch->fact_count; i++) {
        if (batch->facts[i].kind != FACT_ENCOUNTER) continue;
        int64_t begin_ms = encounter_begin_ms(&batch->facts[i].encounter);
        if (begin_ms != TIME_NONE && begin_ms < oldest_ms) oldest_ms = begin_ms;
    }
    return oldest_ms;
}

static void see_body(struct witness *w, const struct message *m) {
    struct batch batch;
    struct body_oddities oddities = {0};
    struct problem problem = {0};
    ull number = (ull)m->position.number;
    arena_reset(&w->arena);
    enum err err = body_decode(m->body, w->measures, &w->arena, &batch, &oddities, &problem);
    if (!witness_check(w, 0, !err, "the body of batch %llu: %.160s", number, problem.text)) return;
    witness_check(w, 13, features_only(m->body),
                  "the body of batch %llu holds a key that the page does not know", number);
    if (w->watermark_ms != TIME_NONE)
        witness_check(w, 11, oldest(&batch) >= w->watermark_ms,
                      "batch %llu reports what is older than the watermark before it", number);
    if (batch.watermark_ms == TIME_NONE) return;
    witness_check(w, 11, w->watermark_ms == TIME_NONE || batch.watermark_ms >= w->watermark_ms,
                  "the watermark of batch %llu went back", number);
    if (batch.watermark_ms > w->watermark_ms) w->watermark_ms = batch.watermark_ms;
}

// ------------------------------------------------------------------ what a batch shows

/// The same number is the same batch, for ever.
static void see_again(struct witness *w, const struct witness_batch *before,
                      const struct message *m, uint64_t body, uint32_t run) {
    ull number = (ull)m->position.number;
    bool same = body == before->body && tag_equal(m->position.tag, before->tag);
    const char *when = run != before->run ? "after a restart" : "when sent again";
    witness_check(w, 1, same, "batch %llu had another tag or body %s", number, when);
    witness_check(w, 12, body == before->body, "the body of batch %llu was another %s", number,
                  when);
    if (m->position.number <= w->applied_top)
        witness_check(w, 7, same, "batch %llu, applied before, came back as another one", number);
}

static void see_number(struct witness *w, const struct message *m, uint64_t expected, bool first) {
    uint64_t number = m->position.number;
    bool next = m->lost ? m->lost == expected && number > m->lost : number == expected;
    unsigned rule = first && w->last ? 6 : 2; // where to go on is told by the position
    witness_check(w, rule, next, "batch %llu came where %llu was due%s", (ull)number, (ull)expected,
                  m->lost ? ", with `lost` pointing elsewhere" : "");
    if (m->lost)
        witness_check(w, 7, m->lost > w->applied_top,
                      "batch %llu, applied a moment before, was given up as lost", (ull)m->lost);
}

/// Only what was seen can be compared: after what is lost, the last batch applied.
static void see_chain(struct witness *w, const struct message *m) {
    uint64_t before = (m->lost ? m->lost : m->position.number) - 1;
    if (before && (before >= WITNESS_BATCHES_MAX || !w->batches[before].body)) return;
    witness_check(w, 14, tag_follows(m->position.tag, witness_tag(w, before)),
                  "the tag of batch %llu does not begin as that of batch %llu ends%s",
                  (ull)m->position.number, (ull)before,
                  before ? "" : ", which is as the spool's id begins");
}

void witness_batch(struct witness *w, const struct message *m, uint64_t expected, bool first,
                   uint32_t run) {
    uint64_t number = m->position.number, body = hash_fnv64(m->body.data, m->body.size) | 1;
    witness_check(w, 4, m->position.epoch == w->epoch, "batch %llu had epoch %llu instead of %llu",
                  (ull)number, (ull)m->position.epoch, (ull)w->epoch);
    see_number(w, m, expected, first);
    see_chain(w, m);
    struct witness_batch *before =
        number < WITNESS_BATCHES_MAX ? &w->batches[number] : &(struct witness_batch){.body = 0};
    if (before->body)
        see_again(w, before, m, body, run);
    else
        see_body(w, m);
    if (!before->body) *before = (struct witness_batch){m->position.tag, body, run};
    if (number > w->last) w->last = number;
}
