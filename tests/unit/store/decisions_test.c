// What people decide stays with its encounter: before it is known, while it is judged, after it is
// final, until it is sealed; and in whatever order and however often it comes.

#include "stage.h"
#include "worker/store/decisions.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static struct stage stage;
static void open_stage(void) {
    stage_open(&stage);
}
static void close_stage(void) {
    stage_close(&stage);
}
TestSuite(decisions, .init = open_stage, .fini = close_stage);

enum { MET = 0, NOT_MET = 2, EXCUSED = 4, SERVICE_MS = 90000 };
static struct decision decisions[DECISIONS_MAX];
static size_t count;

static struct decision decision(const char *standard, enum decision_kind kind, int64_t at_ms) {
    struct decision decision = {.encounter = {"e1"},
                                .began_ms = NOON_MS,
                                .kind = kind,
                                .decided_ms = at_ms,
                                .by = {"eva"},
                                .reason = "seen on site"};
    strcpy(decision.standard.text, standard);
    return decision;
}

static void decide(struct decision decision) {
    struct fold_decision decided = {.decision = &decision};
    struct fold_gateway gateway = {.epoch = stage.epochs[DESK],
                                   .first = ++stage.numbers[DESK],
                                   .last = stage.numbers[DESK],
                                   .behind = stage_tag(stage.numbers[DESK] - 1),
                                   .tag = stage_tag(stage.numbers[DESK]),
                                   .watermark_ms = TIME_NONE,
                                   .applied = 1};
    struct fold fold = {.configuration = stage.configuration,
                        .gateway_count = 1,
                        .gateways = &gateway,
                        .decision_count = 1,
                        .decisions = &decided};
    struct buffer argument;
    struct ingest_reply reply;
    buffer_init(&argument, 1 << 12);
    call_ingest(&fold, &argument);
    cr_assert(eq(int, ingest_reply_read(stage_call(&stage, "tresen_v1_ingest", &argument), &reply),
                 ERR_NONE));
    cr_assert(eq(int, reply.head.status, STORE_OK));
    buffer_fini(&argument);
}

static void tell(void) {
    struct encounter encounter = stage_encounter("e1", NOON_MS, NOON_MS + SERVICE_MS);
    stage_ingest(&stage, (struct stage_batch){.encounter = &encounter});
}

static struct settle_reply judge(uint8_t lease, uint8_t verdict) {
    struct taken taken;
    cr_assert(stage_take(&stage, lease, &taken));
    cr_assert(eq(int, decisions_read(taken.decisions, decisions, &count), ERR_NONE));
    return stage_settle(&stage, &taken, lease, verdict);
}

static void make_final(void) {
    tell();
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    cr_assert(judge(1, MET).final);
}

static uint32_t verdicts(uint8_t verdict) {
    struct cell_standard standard;
    stage_cell(&stage, "d:2023-11-15:abc", &standard);
    return standard.verdicts[verdict];
}

Test(decisions, one_that_comes_before_its_encounter_waits_for_it) {
    decide(decision("s", DECISION_EXCUSE, NOON_MS));
    tell();
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    judge(1, EXCUSED);
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(int, decisions[0].kind, DECISION_EXCUSE));
    cr_assert(eq(str, decisions[0].reason, "seen on site"));
}

Test(decisions, one_voids_the_lease) {
    struct taken taken;
    tell();
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    cr_assert(stage_take(&stage, 1, &taken));
    decide(decision("s", DECISION_DISPUTE, NOON_MS));
    cr_assert(eq(int, stage_settle(&stage, &taken, 1, MET).head.status, STORE_STALE));
    judge(2, MET);
    cr_assert(eq(sz, count, 1));
}

// Its minutes are gone: it is decided anew about the verdicts that were settled.
Test(decisions, a_final_encounter_is_settled_again_from_its_verdicts) {
    struct taken taken;
    make_final();
    cr_assert(not(stage_take(&stage, 2, &taken)));
    decide(decision("s", DECISION_EXCUSE, NOON_MS));
    cr_assert(stage_take(&stage, 3, &taken));
    cr_assert(taken.final);
    cr_assert(gt(sz, taken.verdicts.size, 0));
    cr_assert(eq(sz, taken.minute_count, 0));
    cr_assert(stage_settle(&stage, &taken, 3, EXCUSED).final);
    cr_assert(eq(u32, verdicts(EXCUSED), 1));
    cr_assert(eq(u32, verdicts(MET), 0));
    cr_assert(not(stage_take(&stage, 4, &taken)));
}

// Nobody has failed before a person says so, and a confirmation takes nothing twice.
Test(decisions, what_waits_for_a_confirmation_is_counted_apart) {
    struct cell_standard standard;
    struct taken taken;
    tell();
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    cr_assert(judge(1, CONTRIBUTION_UNCONFIRMED).final);
    stage_cell(&stage, "d:2023-11-15:abc", &standard);
    cr_assert(eq(u32, standard.verdicts[NOT_MET], 1));
    cr_assert(eq(u32, standard.unconfirmed, 1));
    decide(decision("s", DECISION_CONFIRM, NOON_MS));
    cr_assert(stage_take(&stage, 2, &taken));
    stage_settle(&stage, &taken, 2, NOT_MET);
    stage_cell(&stage, "d:2023-11-15:abc", &standard);
    cr_assert(eq(u32, standard.verdicts[NOT_MET], 1));
    cr_assert(eq(u32, standard.unconfirmed, 0));
    cr_assert(eq(u32, standard.degree_count, 1));
}

// Whoever cannot read what was settled must not replace it by an error.
Test(decisions, a_final_encounter_that_crashes_its_workers_keeps_what_was_settled) {
    struct taken taken;
    stage.policy.lease_ms = 0;
    stage_configure(&stage);
    make_final();
    decide(decision("s", DECISION_EXCUSE, NOON_MS));
    for (uint8_t lease = 2; stage_take(&stage, lease, &taken); lease++)
        cr_assert(lt(int, lease, 10));
    cr_assert(eq(i64, stage_count(&stage, "crashed"), 1));
    cr_assert(eq(u32, verdicts(MET), 1));
    decide(decision("s", DECISION_EXCUSE, NOON_MS + 1));
    cr_assert(stage_take(&stage, 20, &taken));
}

Test(decisions, the_same_again_changes_nothing) {
    struct taken taken;
    make_final();
    decide(decision("s", DECISION_EXCUSE, NOON_MS));
    judge(2, EXCUSED);
    decide(decision("s", DECISION_EXCUSE, NOON_MS));
    cr_assert(not(stage_take(&stage, 3, &taken)));
    cr_assert(eq(i64, stage_count(&stage, "decisions"), 1));
}

Test(decisions, in_whatever_order_they_come_the_same_are_kept) {
    static char first[1 << 12];
    size_t size = 0;
    for (int history = 0; history < 20; history++) {
        stage_reset(&stage);
        enum { ALL = 40 };
        int order[ALL];
        for (int i = 0; i < ALL; i++)
            order[i] = i;
        for (int i = ALL - 1; i > 0; i--) {
            int other = rand() % (i + 1), kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        for (int i = 0; i < ALL; i++) {
            char standard[] = {(char)('a' + order[i] % 3), '\0'};
            decide(decision(standard, (enum decision_kind)(order[i] % 4), NOON_MS + order[i] / 8));
        }
        const redisReply *reply = stage_command(&stage, "HGET t:{musterstadt}:e:e1 decisions");
        cr_assert(eq(int, reply->type, REDIS_REPLY_STRING));
        cr_assert(le(sz, reply->len, sizeof first));
        if (history == 0) memcpy(first, reply->str, size = reply->len);
        cr_assert(eq(sz, reply->len, size));
        cr_assert(memcmp(first, reply->str, size) == 0);
    }
}

static enum store_status seal(void) {
    struct buffer argument;
    struct seal_reply reply;
    buffer_init(&argument, 1 << 10);
    call_seal(stage.configuration, "2023-11-15", NOON_MS + HOUR_MS, &argument);
    cr_assert(eq(int, seal_reply_read(stage_call(&stage, "tresen_v1_seal", &argument), &reply),
                 ERR_NONE));
    buffer_fini(&argument);
    return reply.head.status;
}

static int64_t exists(const char *key) {
    return stage_command(&stage, "EXISTS t:{musterstadt}:%s", key)->integer;
}

Test(decisions, about_a_sealed_encounter_one_is_too_late) {
    make_final();
    decide(decision("s", DECISION_EXCUSE, NOON_MS));
    cr_assert(eq(int, seal(), STORE_STALE), "a decision is on its way");
    judge(2, EXCUSED);
    cr_assert(eq(int, seal(), STORE_OK));
    decide(decision("s", DECISION_CONFIRM, NOON_MS + 1));
    cr_assert(eq(i64, stage_count(&stage, "too_late_decisions"), 1));
    cr_assert(eq(i64, exists("e:e1"), 0));
    cr_assert(eq(u32, verdicts(EXCUSED), 1));
}

Test(decisions, about_an_encounter_that_never_came_one_goes_when_it_cannot_come_any_more) {
    decide(decision("s", DECISION_EXCUSE, NOON_MS));
    cr_assert(eq(i64, exists("e:e1"), 1));
    stage_watermark(&stage, NOON_MS + HOUR_MS);
    cr_assert(eq(int, seal(), STORE_OK));
    cr_assert(eq(i64, exists("e:e1"), 0));
    cr_assert(eq(i64, exists("early:desk-1"), 0));
    cr_assert(eq(i64, stage_count(&stage, "too_late_decisions"), 1));
}
