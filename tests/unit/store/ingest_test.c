// What is checked before a batch reaches the store.

#include "worker/core/ingest.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define NOW_MS INT64_C(1700049600000)

static struct id counters[] = {{"desk-1"}, {"desk-2"}};
static uint16_t both[] = {0, 1}, first[] = {0};
static struct branch_gateway gateways[] = {
    {.id = {"desk"}, .key = 1, .opens = true, .counter_count = 2, .counters = both},
    {.id = {"floor"}, .key = 2, .counter_count = 1, .counters = first},
};
static struct branch branch = {.id = {"musterstadt"},
                               .counter_count = 2,
                               .counters = counters,
                               .gateway_count = 2,
                               .gateways = gateways};
static struct measure distance = {.id = {"distance.client"}, .key = 9, .resolution = 0.01};

static struct ingest *ingest;
static struct problem problem;
static struct fold fold;

static void open_ingest(void) {
    struct ingest_limits limits = ingest_limits_default();
    limits.dead = 2;
    ingest = ingest_new(&limits);
    ingest_begin(ingest, &branch, 77);
}
static void close_ingest(void) {
    ingest_free(ingest);
}
TestSuite(ingest, .init = open_ingest, .fini = close_ingest);

static struct envelope envelope(uint8_t gateway, uint64_t number) {
    return (struct envelope){.gateway = gateway,
                             .epoch = 3,
                             .number = number,
                             .tag = {{[3] = (uint8_t)(number - 1), [7] = (uint8_t)number}}};
}

static enum err add(struct envelope from, struct batch batch) {
    return ingest_add(ingest, &from, &batch, NULL, NOW_MS, &problem);
}

static struct batch empty = {.watermark_ms = TIME_NONE};

Test(ingest, batches_of_a_gateway_follow_each_other_or_are_in_conflict) {
    cr_assert(eq(int, add(envelope(0, 5), empty), ERR_NONE));
    cr_assert(eq(int, add(envelope(0, 5), empty), ERR_CONFLICT));
    cr_assert(eq(int, add(envelope(0, 7), empty), ERR_CONFLICT));
    cr_assert(eq(int, add(envelope(1, 9), empty), ERR_NONE));
    cr_assert(eq(int, add(envelope(0, 6), empty), ERR_NONE));
    struct envelope newer = envelope(0, 7);
    newer.epoch = 4;
    cr_assert(eq(int, add(newer, empty), ERR_CONFLICT));
    struct envelope behind_another = envelope(0, 7);
    behind_another.tag.bytes[3]++;
    cr_assert(eq(int, add(behind_another, empty), ERR_CONFLICT));
    cr_assert(eq(sz, ingest_batches(ingest), 3));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(u64, fold.configuration, 77));
    cr_assert(eq(sz, fold.gateway_count, 2));
    cr_assert(eq(u64, fold.gateways[0].first, 5));
    cr_assert(eq(u64, fold.gateways[0].last, 6));
    cr_assert(tag_equal(fold.gateways[0].behind, envelope(0, 4).tag));
    cr_assert(tag_equal(fold.gateways[0].tag, envelope(0, 6).tag));
    cr_assert(eq(u32, fold.gateways[0].applied, 2));
}

Test(ingest, lost_numbers_are_a_gap_that_the_position_moves_over) {
    struct envelope from = envelope(0, 9);
    from.lost = 4;
    cr_assert(eq(int, add(from, empty), ERR_NONE));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(u64, fold.gateways[0].first, 4));
    cr_assert(eq(u64, fold.gateways[0].lost, 5));
    cr_assert(eq(sz, fold.gap_count, 1));
    cr_assert(eq(u64, fold.gaps[0].from, 4));
    cr_assert(eq(u64, fold.gaps[0].to, 8));
}

// Until when was it? The first batch that is there says it best; an hour of them is in a fold.
Test(ingest, behind_a_gap_one_batch_says_until_when_it_was) {
    struct batch batch = {.watermark_ms = NOW_MS};
    cr_assert(eq(int, add(envelope(0, 3), batch), ERR_NONE));
    struct envelope from = envelope(0, 9);
    from.lost = 4;
    from.tag = tag_behind(from.tag, envelope(0, 3).tag);
    batch.watermark_ms = NOW_MS + 1000;
    cr_assert(eq(int, add(from, batch), ERR_NONE));
    batch.watermark_ms = NOW_MS + 2000;
    cr_assert(eq(int, add(envelope(0, 10), batch), ERR_CONFLICT));
    cr_assert(eq(int, add(envelope(1, 1), batch), ERR_NONE)); // of others there may be more
    cr_assert(eq(int, add(envelope(1, 2), batch), ERR_NONE));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(i64, fold.gateways[0].watermark_ms, NOW_MS + 1000));
    cr_assert(eq(u64, fold.gateways[0].last, 9));
    cr_assert(eq(sz, fold.gap_count, 1));
}

// Refused, not dead: once the registry is mended, the same batch is applied.
Test(ingest, a_counter_that_the_gateway_does_not_serve_is_refused_and_named) {
    struct batch_series series = {.measure = &distance,
                                  .counter = {"desk-2"},
                                  .watched = {NOW_MS, NOW_MS},
                                  .base_ms = NOW_MS};
    struct batch batch = {.watermark_ms = NOW_MS, .series_count = 1, .series = &series};
    cr_assert(eq(int, add(envelope(0, 1), batch), ERR_NONE));
    cr_assert(eq(int, add(envelope(1, 1), batch), ERR_REFUSED));
    cr_assert(ne(ptr, strstr(problem.text, "desk-2"), NULL));
    series.counter = (struct id){"desk-9"};
    cr_assert(eq(int, add(envelope(0, 2), batch), ERR_REFUSED));
    struct fact fact = {.kind = FACT_ENCOUNTER, .encounter = {.id = {"e"}, .counter = {"desk-3"}}};
    struct batch facts = {.watermark_ms = TIME_NONE, .fact_count = 1, .facts = &fact};
    cr_assert(eq(int, add(envelope(0, 2), facts), ERR_REFUSED));
    cr_assert(eq(sz, ingest_batches(ingest), 1));
}

static struct fact told(int64_t started_ms, int64_t ended_ms) {
    return (struct fact){.kind = FACT_ENCOUNTER,
                         .encounter = {.id = {"e"},
                                       .counter = {"desk-2"},
                                       .issued_ms = TIME_NONE,
                                       .called_ms = TIME_NONE,
                                       .started_ms = started_ms,
                                       .ended_ms = ended_ms}};
}

Test(ingest, what_lies_in_the_future_or_contradicts_itself_is_counted_and_left_out) {
    struct fact facts[] = {told(NOW_MS + 6000, TIME_NONE), told(NOW_MS, NOW_MS - 1),
                           told(NOW_MS, NOW_MS + 5000)};
    struct batch batch = {.watermark_ms = NOW_MS + 6000, .fact_count = 3, .facts = facts};
    cr_assert(eq(int, add(envelope(0, 1), batch), ERR_NONE));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(sz, fold.fact_count, 1));
    cr_assert(eq(int, fold.facts[0].counter, 1));
    cr_assert(eq(i64, fold.gateways[0].watermark_ms, TIME_NONE));
    cr_assert(eq(u32, fold.gateways[0].left_out[FOLD_FUTURE], 2));
    cr_assert(eq(u32, fold.gateways[0].left_out[FOLD_BAD_FACT], 1));
}

// Operations see what each gateway says it brings.
Test(ingest, of_several_births_the_last_one_names_what_is_brought) {
    struct id first[] = {{"audio.speech"}}, second[] = {{"audio.loudness"}, {"vision.gaze"}};
    struct fact births[] = {{.kind = FACT_BIRTH, .measures = {1, first}},
                            {.kind = FACT_BIRTH, .measures = {2, second}}};
    struct batch batch = {.watermark_ms = 5, .fact_count = 2, .facts = births};
    struct batch other = {.watermark_ms = 5};
    cr_assert(eq(int, add(envelope(0, 1), batch), ERR_NONE));
    cr_assert(eq(int, add(envelope(1, 1), other), ERR_NONE));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(fold.gateways[0].born);
    cr_assert(bytes_equal(fold.gateways[0].measures, bytes_of_text("audio.loudness vision.gaze")));
    cr_assert(not(fold.gateways[1].born));
}

Test(ingest, the_last_word_on_presence_counts) {
    struct fact birth = {.kind = FACT_BIRTH}, goodbye = {.kind = FACT_GOODBYE};
    struct batch here = {.watermark_ms = 5, .fact_count = 1, .facts = &birth};
    struct batch gone = {.watermark_ms = 4, .fact_count = 1, .facts = &goodbye};
    cr_assert(eq(int, add(envelope(0, 1), here), ERR_NONE));
    cr_assert(eq(int, add(envelope(0, 2), gone), ERR_NONE));
    cr_assert(eq(int, add(envelope(1, 1), gone), ERR_NONE));
    cr_assert(eq(int, add(envelope(1, 2), here), ERR_NONE));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(int, fold.gateways[0].presence, PRESENCE_DEPARTED));
    cr_assert(eq(int, fold.gateways[1].presence, PRESENCE_HERE));
    cr_assert(eq(i64, fold.gateways[0].watermark_ms, 5));
}

Test(ingest, a_dead_letter_keeps_its_body_and_moves_the_position) {
    struct envelope from = envelope(0, 1);
    cr_assert(eq(int, ingest_add_dead(ingest, &from, bytes_of_text("body"), "torn"), ERR_NONE));
    from = envelope(0, 2);
    cr_assert(eq(int, ingest_add_dead(ingest, &from, bytes_of_text(""), "empty"), ERR_NONE));
    from = envelope(0, 3);
    cr_assert(eq(int, ingest_add_dead(ingest, &from, bytes_of_text("x"), "full"), ERR_FULL));
    cr_assert(eq(int, add(envelope(0, 3), empty), ERR_NONE));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(sz, fold.dead_count, 2));
    cr_assert(bytes_equal(fold.dead[0].body, bytes_of_text("body")));
    cr_assert(bytes_equal(fold.dead[0].reason, bytes_of_text("torn")));
    cr_assert(eq(u32, fold.gateways[0].dead, 2));
    cr_assert(eq(u32, fold.gateways[0].applied, 1));
    cr_assert(eq(u64, fold.gateways[0].last, 3));
}

Test(ingest, a_full_fold_is_as_before_and_takes_the_batch_when_begun_anew) {
    static int32_t t[BATCH_OBSERVATIONS_MAX], value[BATCH_OBSERVATIONS_MAX];
    static uint8_t confidence[BATCH_OBSERVATIONS_MAX];
    for (int i = 0; i < BATCH_OBSERVATIONS_MAX; i++)
        t[i] = i;
    struct batch_series series = {.measure = &distance,
                                  .counter = {"desk-1"},
                                  .watched = {NOW_MS - 5000, NOW_MS},
                                  .base_ms = NOW_MS - 5000,
                                  .columns = {BATCH_OBSERVATIONS_MAX, t, value, confidence}};
    struct batch batch = {.watermark_ms = NOW_MS, .series_count = 1, .series = &series};
    enum err err = ERR_NONE;
    uint64_t number = 0;
    while (!err)
        err = add(envelope(0, ++number), batch);
    cr_assert(eq(int, err, ERR_FULL));
    cr_assert(eq(u64, number, 65));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(u64, fold.gateways[0].last, 64));
    ingest_begin(ingest, &branch, 77);
    cr_assert(eq(int, add(envelope(0, number), batch), ERR_NONE));
}

Test(ingest, a_batch_that_claims_days_of_watching_is_out_of_range) {
    struct batch_series series = {.measure = &distance,
                                  .counter = {"desk-1"},
                                  .watched = {NOW_MS - DAY_MS - 1, NOW_MS},
                                  .base_ms = NOW_MS};
    struct batch batch = {.watermark_ms = NOW_MS, .series_count = 1, .series = &series};
    cr_assert(eq(int, add(envelope(0, 1), batch), ERR_RANGE));
    cr_assert(ne(int, problem.text[0], 0));
    cr_assert(eq(sz, ingest_batches(ingest), 0));
}

// Whoever has the key of a sensor must not decide about people.
Test(ingest, the_office_alone_decides) {
    struct fact facts[] = {{.kind = FACT_DECISION,
                            .decision = {.encounter = {"e1"},
                                         .standard = {"s"},
                                         .counter = {"desk-1"},
                                         .kind = DECISION_EXCUSE,
                                         .began_ms = NOW_MS,
                                         .decided_ms = NOW_MS + HOUR_MS, // whatever its clock says
                                         .by = {"eva"},
                                         .reason = "fire drill"}}};
    struct batch batch = {.watermark_ms = TIME_NONE, .fact_count = 1, .facts = facts};
    cr_assert(eq(int, add(envelope(0, 5), batch), ERR_REFUSED));
    cr_assert(strstr(problem.text, gateways[0].id.text) != NULL);
    cr_assert(strstr(problem.text, "e1") != NULL);
    gateways[0].office = true;
    cr_assert(eq(int, add(envelope(0, 5), batch), ERR_NONE));
    cr_assert(eq(int, ingest_fold(ingest, &fold), ERR_NONE));
    cr_assert(eq(sz, fold.decision_count, 1));
    cr_assert(eq(str, (char *)fold.decisions[0].decision->reason, "fire drill"));
    strcpy(facts[0].decision.counter.text, "elsewhere");
    cr_assert(eq(int, add(envelope(0, 6), batch), ERR_REFUSED));
}
