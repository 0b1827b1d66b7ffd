#include "sample.h"

#include "common/wire/pack.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct buffer buffer;
static struct arena arena;
static struct problem problem;
static struct body_oddities oddities;
static struct batch batch;

static void begin(void) {
    buffer_init(&buffer, BATCH_BODY_MAX);
    cr_assert(eq(int, arena_init(&arena, BODY_ARENA_SIZE), ERR_NONE));
}

static void end(void) {
    arena_fini(&arena);
    buffer_fini(&buffer);
}

TestSuite(body, .init = begin, .fini = end);

static enum err decode(void) {
    arena_reset(&arena);
    return body_decode(buffer_bytes(&buffer), &sample_measures, &arena, &batch, &oddities,
                       &problem);
}

static void series_equal(const struct batch_series *a, const struct batch_series *b) {
    cr_assert(eq(ptr, (void *)a->measure, (void *)b->measure));
    cr_assert(eq(str, (char *)a->counter.text, (char *)b->counter.text));
    cr_assert(eq(i64, a->watched.from_ms, b->watched.from_ms));
    cr_assert(eq(i64, a->watched.to_ms, b->watched.to_ms));
    cr_assert(eq(i64, a->base_ms, b->base_ms));
    cr_assert(eq(sz, a->columns.count, b->columns.count));
    for (size_t i = 0; i < a->columns.count; i++) {
        cr_assert(eq(i32, a->columns.t_ms[i], b->columns.t_ms[i]));
        cr_assert(eq(i32, a->columns.value[i], b->columns.value[i]));
        cr_assert(eq(u8, a->columns.confidence[i], b->columns.confidence[i]));
    }
    cr_assert(eq(sz, a->label_count, b->label_count));
    for (size_t i = 0; i < a->label_count; i++)
        cr_assert(name_equal(&a->labels[i], &b->labels[i]));
}

static void ids_equal(const struct id_list *a, const struct id_list *b) {
    cr_assert(eq(sz, a->count, b->count));
    for (size_t i = 0; i < a->count; i++)
        cr_assert(id_equal(&a->items[i], &b->items[i]));
}

static void encounters_equal(const struct encounter *a, const struct encounter *b) {
    cr_assert(name_equal(&a->id, &b->id));
    cr_assert(id_equal(&a->counter, &b->counter));
    cr_assert(id_equal(&a->offering, &b->offering));
    cr_assert(eq(str, (char *)a->employee, (char *)b->employee));
    cr_assert(eq(str, (char *)a->language, (char *)b->language));
    cr_assert(eq(int, a->outcome, b->outcome));
    cr_assert(eq(i64, a->issued_ms, b->issued_ms));
    cr_assert(eq(i64, a->called_ms, b->called_ms));
    cr_assert(eq(i64, a->started_ms, b->started_ms));
    cr_assert(eq(i64, a->ended_ms, b->ended_ms));
}

static void decisions_equal(const struct decision *a, const struct decision *b) {
    cr_assert(name_equal(&a->encounter, &b->encounter));
    cr_assert(name_equal(&a->standard, &b->standard));
    cr_assert(name_equal(&a->by, &b->by));
    cr_assert(id_equal(&a->counter, &b->counter));
    cr_assert(eq(i64, a->began_ms, b->began_ms));
    cr_assert(eq(i64, a->decided_ms, b->decided_ms));
    cr_assert(eq(int, a->kind, b->kind));
    cr_assert(eq(str, (char *)a->reason, (char *)b->reason));
}

static void is_the_sample(const struct batch *got) {
    cr_assert(eq(i64, got->watermark_ms, sample_batch.watermark_ms));
    cr_assert(eq(u32, got->clock_error_ms, sample_batch.clock_error_ms));
    cr_assert(eq(sz, got->series_count, sample_batch.series_count));
    for (size_t i = 0; i < got->series_count; i++)
        series_equal(&got->series[i], &sample_batch.series[i]);
    cr_assert(eq(sz, got->fact_count, sample_batch.fact_count));
    for (size_t i = 0; i < got->fact_count; i++) {
        const struct fact *a = &got->facts[i], *b = &sample_batch.facts[i];
        cr_assert(eq(int, a->kind, b->kind));
        cr_assert(name_equal(&a->reason, &b->reason));
        cr_assert(id_equal(&a->counter, &b->counter));
        cr_assert(eq(i64, a->gap.from_ms, b->gap.from_ms));
        cr_assert(eq(i64, a->gap.to_ms, b->gap.to_ms));
        ids_equal(&a->measures, &b->measures);
        ids_equal(&a->counters, &b->counters);
        if (a->kind == FACT_ENCOUNTER || a->kind == FACT_WITHDRAWN)
            encounters_equal(&a->encounter, &b->encounter);
        if (a->kind == FACT_DECISION) decisions_equal(&a->decision, &b->decision);
    }
}

Test(body, plain_and_packed_give_equal_batches) {
    for (int packed = 0; packed <= 1; packed++) {
        buffer_clear(&buffer);
        cr_assert(eq(int, body_encode(&sample_batch, packed, &buffer), ERR_NONE));
        cr_assert(eq(int, decode(), ERR_NONE), "%s", problem.text);
        is_the_sample(&batch);
        cr_assert(eq(u32, oddities.undeclared, 0));
        cr_assert(eq(u32, oddities.out_of_range, 0));
    }
}

Test(body, an_idle_gateway_sends_a_watermark_only) {
    struct batch idle = {.watermark_ms = SAMPLE_DAY};
    cr_assert(eq(int, body_encode(&idle, true, &buffer), ERR_NONE));
    cr_assert(eq(int, decode(), ERR_NONE));
    cr_assert(eq(i64, batch.watermark_ms, SAMPLE_DAY));
    cr_assert(eq(sz, batch.series_count + batch.fact_count, 0));
    struct batch silent = {.watermark_ms = TIME_NONE};
    buffer_clear(&buffer);
    cr_assert(eq(int, body_encode(&silent, true, &buffer), ERR_NONE));
    cr_assert(eq(sz, buffer.size, 1));
    cr_assert(eq(int, decode(), ERR_NONE));
    cr_assert(eq(i64, batch.watermark_ms, TIME_NONE));
}

Test(body, what_the_measure_cannot_be_is_left_out_and_counted) {
    struct batch_series series = sample_series[0];
    int32_t values[SAMPLE_MEMBERS] = {2001, 5, -1, 2000, INT32_MAX};
    series.columns.value = values;
    struct batch odd = {.watermark_ms = TIME_NONE, .series_count = 1, .series = &series};
    for (int packed = 0; packed <= 1; packed++) {
        buffer_clear(&buffer);
        cr_assert(eq(int, body_encode(&odd, packed, &buffer), ERR_NONE));
        cr_assert(eq(int, decode(), ERR_NONE), "%s", problem.text);
        cr_assert(eq(u32, oddities.out_of_range, 3));
        const struct batch_series *got = &batch.series[0];
        cr_assert(eq(sz, got->columns.count, 2));
        cr_assert(eq(i64, got->base_ms, series.base_ms + 100));
        cr_assert(eq(i32, got->columns.t_ms[0], 0));
        cr_assert(eq(i32, got->columns.t_ms[1], 150));
        cr_assert(eq(i32, got->columns.value[1], 2000));
        cr_assert(eq(u8, got->columns.confidence[1], 0));
    }
}

Test(body, an_undeclared_measure_is_counted_and_named) {
    struct measure thermal = {.id = {"thermal.face"}, .resolution = 1};
    struct batch_series series[2] = {sample_series[0], sample_series[1]};
    series[0].measure = &thermal;
    struct batch odd = {.watermark_ms = TIME_NONE, .series_count = 2, .series = series};
    cr_assert(eq(int, body_encode(&odd, true, &buffer), ERR_NONE));
    cr_assert(eq(int, decode(), ERR_NONE));
    cr_assert(eq(u32, oddities.undeclared, 1));
    cr_assert(eq(str, oddities.first_undeclared.text, "thermal.face"));
    cr_assert(eq(sz, batch.series_count, 1));
    series_equal(&batch.series[0], &series[1]);
}

Test(body, a_member_outside_its_watched_span_is_refused) {
    struct batch_series series = sample_series[0];
    struct batch odd = {.watermark_ms = TIME_NONE, .series_count = 1, .series = &series};
    series.watched.to_ms = series.base_ms + 1000; // from <= t < to
    cr_assert(eq(int, body_encode(&odd, true, &buffer), ERR_NONE));
    cr_assert(eq(int, decode(), ERR_RANGE));
    cr_assert(eq(str, problem.text, "series 0: key t0: a member lies outside from..to"));
}

Test(body, more_than_a_batch_may_hold_is_not_written) {
    static int32_t zeros[BATCH_OBSERVATIONS_MAX + 1];
    static uint8_t sure[BATCH_OBSERVATIONS_MAX + 1];
    struct batch_series series = sample_series[0];
    series.columns = (struct columns){BATCH_OBSERVATIONS_MAX + 1, zeros, zeros, sure};
    struct batch large = {.watermark_ms = TIME_NONE, .series_count = 1, .series = &series};
    cr_assert(eq(int, body_encode(&large, true, &buffer), ERR_RANGE));
    series.columns.count--;
    cr_assert(eq(int, body_encode(&large, true, &buffer), ERR_NONE));
    cr_assert(eq(int, decode(), ERR_NONE));
    cr_assert(eq(sz, batch.series[0].columns.count, BATCH_OBSERVATIONS_MAX));
}

// A packed run of equal values is a few bytes whatever its length: the count must not be believed.
Test(body, a_small_body_cannot_claim_many_observations) {
    msgpack_packer packer;
    msgpack_packer_init(&packer, &buffer, pack_write);
    static const char *const keys[] = {"measure", "counter"};
    static const char *const texts[] = {"distance.client", "desk-1"};
    msgpack_pack_map(&packer, 1);
    msgpack_pack_str_with_body(&packer, "series", 6);
    msgpack_pack_array(&packer, 1);
    msgpack_pack_map(&packer, 5);
    for (int i = 0; i < 2; i++) {
        msgpack_pack_str_with_body(&packer, keys[i], strlen(keys[i]));
        msgpack_pack_str_with_body(&packer, texts[i], strlen(texts[i]));
    }
    msgpack_pack_str_with_body(&packer, "from", 4);
    msgpack_pack_int(&packer, 0);
    msgpack_pack_str_with_body(&packer, "to", 2);
    msgpack_pack_int(&packer, 1);
    msgpack_pack_str_with_body(&packer, "packed", 6);
    struct buffer packed;
    buffer_init(&packed, 64);
    buffer_put_varint(&packed, 1000000);
    buffer_put(&packed, "\0\0\0\0", 4);
    buffer_put_varint(&packed, 1000000);
    buffer_put_u8(&packed, 100);
    msgpack_pack_bin_with_body(&packer, packed.data, packed.size);
    buffer_fini(&packed);
    cr_assert(eq(int, decode(), ERR_RANGE));
    cr_assert(
        eq(str, problem.text, "series 0: key packed: more than 4096 observations in one batch"));
}

static void refused(enum err err, const char *sentence, const char *body, size_t size) {
    buffer_clear(&buffer);
    buffer_put(&buffer, body, size);
    cr_assert(eq(int, decode(), err));
    cr_assert(eq(str, problem.text, (char *)sentence));
}
#define REFUSED(err, sentence, body) refused(err, sentence, "" body, sizeof(body) - 1)

Test(body, problems_name_the_place) {
    REFUSED(ERR_FORMAT, "body: not one MessagePack map with distinct short text keys", "\xc0");
    REFUSED(ERR_FORMAT, "body: 1 bytes follow its map", "\x80\xc0");
    REFUSED(ERR_FORMAT, "key watermark: not a whole number of milliseconds",
            "\x81\xa9watermark\xca\x3f\x80\x00\x00");
    REFUSED(ERR_RANGE, "key watermark: not within 1970..2100", "\x81\xa9watermark\xff");
    REFUSED(ERR_FORMAT, "fact 1: key fact: no such fact",
            "\x81\xa5"
            "facts\x92\x81\xa4"
            "fact\xa7goodbye\x81\xa4"
            "fact\xa3rob");
    REFUSED(ERR_FORMAT, "fact 0: key counter: missing",
            "\x81\xa5"
            "facts\x91\x82\xa4"
            "fact\xa9"
            "encounter\xa2id\xa1x");
    REFUSED(ERR_RANGE, "fact 0: encounter x: ended lies before issued",
            "\x81\xa5"
            "facts\x91\x85\xa4"
            "fact\xa9"
            "encounter\xa2id\xa1x\xa7"
            "counter\xa1"
            "c\xa6issued\x05\xa5"
            "ended\x04");
    REFUSED(ERR_FORMAT, "series 0: key counter: has characters or a length that are not allowed",
            "\x81\xa6series\x91\x82\xa7measure\xaf"
            "distance.client\xa7"
            "counter\xa2\x7d\x3a");
}
