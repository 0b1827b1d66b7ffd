// What is settled, and that verdicts can be read again.

#include "worker/core/settle.h"
#include "worker/engine/decide.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON_MS INT64_C(1700049600000) // 2023-11-15 12:00 UTC

static int64_t transitions[] = {INT64_MIN};
static int32_t offsets[] = {13 * 3600};
static const struct zone zone = {1, transitions, offsets};
static struct standard standards[] = {{.id = {"timing.wait"}}, {.id = {"proxemics.distance"}}};
static struct standard_set set = {.count = 2, .items = standards, .hash_text = "0123abcd"};
static struct judgement judgements[] = {
    {.verdict = VERDICT_PARTLY_MET,
     .reason = REASON_VIOLATED,
     .measured = 181.5,
     .limit = 180,
     .coverage_millionths = 1000000,
     .degree_millionths = 250000,
     .worst = {NOON_MS, NOON_MS + 1500},
     .point_count = 2,
     .points = {{NOON_MS + 5, 1.25, 90}, {NOON_MS + 900, -3, 100}}},
    {.verdict = VERDICT_INSUFFICIENT_EVIDENCE,
     .reason = REASON_NO_SENSOR,
     .measured = NAN,
     .limit = NAN,
     .coverage_millionths = 0,
     .degree_millionths = -1,
     .worst = {TIME_NONE, TIME_NONE}},
};
static const struct scores scores = {250000, {-1, -1, -1, -1, 250000, -1}, 500000};
static const struct taken taken = {.encounter = {.id = {"e1"},
                                                 .outcome = OUTCOME_NORMAL,
                                                 .issued_ms = NOON_MS - HOUR_MS - 1,
                                                 .called_ms = TIME_NONE,
                                                 .started_ms = NOON_MS,
                                                 .ended_ms = NOON_MS + 60000}};

static struct buffer contribution, verdicts;
static struct settle_call call;

static void open_buffers(void) {
    buffer_init(&contribution, 1 << 16);
    buffer_init(&verdicts, 1 << 20);
    cr_assert(
        eq(int,
           settle_write(&taken, &zone, &set, judgements, &scores, &contribution, &verdicts, &call),
           ERR_NONE));
}
static void close_buffers(void) {
    buffer_fini(&contribution);
    buffer_fini(&verdicts);
}
TestSuite(settle, .init = open_buffers, .fini = close_buffers);

Test(settle, an_encounter_counts_where_its_service_started_in_local_time) {
    cr_assert(eq(str, call.day, "2023-11-16"));
    cr_assert(eq(str, call.hour, "2023-11-16T01"));
    cr_assert(eq(str, call.set.text, "0123abcd"));
    cr_assert(eq(str, call.encounter.text, "e1"));
}

Test(settle, a_contribution_is_the_verdicts_and_scores_in_order) {
    static const uint8_t expected[] = {
        1,    0,                                                                // normal
        0x90, 0xd0, 0x03, 0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // overall, two none
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                         // two none
        0x90, 0xd0, 0x03, 0,    0xff, 0xff, 0xff, 0xff,                         // timing, none
        1,    0x90, 0xd0, 0x03, 0,    0x40, 0x42, 0x0f, 0,                      // partly met
        5,    0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,                      // insufficient
    };
    cr_assert(bytes_equal(call.contribution, (struct bytes){expected, sizeof expected}));
}

Test(settle, what_a_person_has_yet_to_confirm_is_contributed_as_that) {
    static struct judgement grave[] = {{.verdict = VERDICT_NOT_MET, .reason = REASON_UNCONFIRMED},
                                       {.verdict = VERDICT_NOT_MET, .reason = REASON_CONFIRMED}};
    cr_assert(eq(int,
                 settle_write(&taken, &zone, &set, grave, &scores, &contribution, &verdicts, &call),
                 ERR_NONE));
    const uint8_t *each = call.contribution.data + CONTRIBUTION_HEAD_SIZE;
    cr_assert(eq(int, each[0], CONTRIBUTION_UNCONFIRMED));
    cr_assert(eq(int, each[CONTRIBUTION_STANDARD_SIZE], VERDICT_NOT_MET));
    cr_assert(call.waits);
}

Test(settle, a_withdrawn_one_contributes_nothing) {
    cr_assert(eq(int,
                 settle_write(&taken, &zone, &set, NULL, NULL, &contribution, &verdicts, &call),
                 ERR_NONE));
    cr_assert(eq(sz, call.contribution.size, 0));
    cr_assert(eq(sz, call.verdicts.size, 0));
}

Test(settle, verdicts_come_back_as_they_were) {
    struct reader reader = reader_of(buffer_bytes(&verdicts));
    struct verdicts_head head;
    struct verdict_entry entry;
    cr_assert(eq(int, verdicts_read(&reader, &head), ERR_NONE));
    cr_assert(eq(str, head.set, "0123abcd"));
    cr_assert(eq(sz, head.count, 2));
    cr_assert(eq(i32, head.scores.dimensions[DIMENSION_TIMING], 250000));
    cr_assert(eq(i32, head.scores.coverage_millionths, 500000));
    cr_assert(eq(int, verdicts_next(&reader, &entry), ERR_NONE));
    cr_assert(eq(str, entry.standard.text, "timing.wait"));
    cr_assert(eq(int, entry.judgement.verdict, VERDICT_PARTLY_MET));
    cr_assert(eq(int, entry.judgement.reason, REASON_VIOLATED));
    cr_assert(eq(dbl, entry.judgement.measured, 181.5));
    cr_assert(eq(dbl, entry.judgement.limit, 180));
    cr_assert(eq(i64, entry.judgement.worst.to_ms, NOON_MS + 1500));
    cr_assert(eq(sz, entry.judgement.point_count, 2));
    cr_assert(eq(i64, entry.judgement.points[1].at_ms, NOON_MS + 900));
    cr_assert(eq(dbl, entry.judgement.points[1].value, -3));
    cr_assert(eq(u8, entry.judgement.points[0].confidence, 90));
    cr_assert(eq(int, verdicts_next(&reader, &entry), ERR_NONE));
    cr_assert(eq(str, entry.standard.text, "proxemics.distance"));
    cr_assert(isnan(entry.judgement.measured));
    cr_assert(eq(i64, entry.judgement.worst.from_ms, TIME_NONE));
    cr_assert(eq(sz, reader_left(&reader), 0));
}

Test(settle, damaged_verdicts_are_an_error_and_nothing_worse) {
    for (size_t at = 0; at < verdicts.size; at++)
        for (int change = 1; change < 256; change += 3) {
            struct bytes copy = {memcpy(malloc(verdicts.size), verdicts.data, verdicts.size),
                                 verdicts.size};
            ((uint8_t *)copy.data)[at] ^= (uint8_t)change;
            struct reader reader = reader_of(copy);
            struct verdicts_head head;
            struct verdict_entry entry;
            enum err err = verdicts_read(&reader, &head);
            for (size_t i = 0; !err && i < head.count; i++)
                err = verdicts_next(&reader, &entry);
            free((void *)copy.data);
        }
}

// A final encounter has nothing else: what was found must survive every decision.
Test(settle, kept_verdicts_are_decided_about_and_taken_back_without_a_trace) {
    struct decision decisions[] = {
        {.standard = {"timing.wait"}, .kind = DECISION_EXCUSE},
        {.standard = {"timing.wait"}, .kind = DECISION_WITHDRAW, .decided_ms = 1}};
    struct judgement kept[2];
    struct scores scores;
    struct buffer first, second;
    buffer_init(&first, 1 << 16);
    buffer_init(&second, 1 << 16);
    cr_assert(eq(int, verdicts_judgements(call.verdicts, &set, kept), ERR_NONE));
    engine_decide(&set, NULL, 0, kept, &scores);
    verdicts_write(&set, kept, &scores, &first);
    engine_decide(&set, decisions, 1, kept, &scores);
    cr_assert(eq(int, kept[0].verdict, VERDICT_EXCUSED));
    verdicts_write(&set, kept, &scores, &second);
    cr_assert(eq(int, verdicts_judgements(buffer_bytes(&second), &set, kept), ERR_NONE));
    cr_assert(kept[0].decided);
    cr_assert(eq(int, kept[0].found.verdict, VERDICT_PARTLY_MET));
    engine_decide(&set, decisions, 2, kept, &scores);
    buffer_clear(&second);
    verdicts_write(&set, kept, &scores, &second);
    cr_assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_fini(&first);
    buffer_fini(&second);
}
