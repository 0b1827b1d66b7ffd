// The best without a broker: the same minutes and settlements, folded, straight into Redis by the
// store's own functions. Encounters are equal, so one is judged, and its result settles them all.

#include "ops/bench/bench.h"
#include "ops/bench/pipe.h"
#include "worker/core/ingest.h"
#include "worker/core/settle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

extern const uint8_t store_functions[];
extern const size_t store_functions_size;

enum { AHEAD = 32, TAKE = 16, TAKE_BYTES = 4 << 20, ARGUMENT_MAX = 8 << 20 };

struct site {
    const struct branch *branch;
    char key[STORE_KEY_SIZE];
    uint64_t configuration;
    struct stream streams[BRANCH_GATEWAYS_MAX];
    struct envelope envelopes[BRANCH_GATEWAYS_MAX];
    bool due, published;
};

struct direct {
    const struct bench *bench;
    struct pipe_redis pipe;
    struct store_policy policy;
    struct ingest *ingest;
    struct buffer argument, contribution, verdicts;
    struct settle_call judged;      // of the one encounter that was
    const struct standard_set *set; // by which
    size_t site_count;
    struct site *sites;
    size_t waiting[AHEAD]; // sites whose ingest has no reply yet, a ring
    uint64_t sent_ns[AHEAD], sent, answered, settled;
    uint64_t lease;
    struct bench_result result;
    struct latencies latencies;
    // the batch in hand
    struct site *site;
    uint8_t gateway;
};

static _Noreturn void give_up(const char *what) {
    exit(bench_fail("direct-best: %s", what));
}

static void send_call(struct direct *direct, const struct site *site, const char *function) {
    const struct bytes words[] = {bytes_of_text("FCALL"), bytes_of_text(function),
                                  bytes_of_text("1"), bytes_of_text(site->key),
                                  buffer_bytes(&direct->argument)};
    if (direct->argument.failed) give_up("an argument is too long");
    direct->result.wire_bytes += direct->argument.size;
    pipe_send(&direct->pipe, 5, words);
    buffer_clear(&direct->argument);
}

static struct reply reply_head(const redisReply *reply) {
    struct reader reader = reader_of(pipe_text(reply));
    struct reply head;
    if (reply_read(&reader, &head) || head.status != STORE_OK) give_up("the store does not say ok");
    return head;
}

// ------------------------------------------------------------------ settling

/// Judge the first encounter that is taken; the others get its result.
static void judge(struct direct *direct, struct taken *taken) {
    const struct catalogue *catalogue = &direct->bench->catalogue;
    const struct branch *branch = direct->site->branch;
    struct local_time local = zone_local(&branch->zone, taken->encounter.started_ms);
    const struct standard_set *set =
        standards_plan_at(&catalogue->plans[branch - catalogue->branches.items],
                          local.year * 10000 + local.month * 100 + local.day);
    struct minutes_reader *reader =
        minutes_reader_new(WORKLOAD_SAMPLES * (size_t)BRANCH_GATEWAYS_MAX);
    struct judgement *judgements = calloc(set->count, sizeof judgements[0]);
    struct scores scores;
    const struct series *series;
    size_t count;
    if (!reader || !judgements ||
        settle_series(taken, &catalogue->measures.measures, reader, &series, &count))
        give_up("an encounter cannot be judged");
    engine_evaluate(set, &taken->encounter, series, count, &(struct engine_context){0}, judgements,
                    &scores);
    if (settle_write(taken, &direct->site->branch->zone, set, judgements, &scores,
                     &direct->contribution, &direct->verdicts, &direct->judged))
        give_up("a settlement is too long");
    direct->set = set;
    free(judgements);
    minutes_reader_free(reader);
}

/// What readers need of the set, before the first settlement.
static void publish(struct direct *direct, struct site *site) {
    call_publish(&direct->judged.set,
                 (struct bytes){(const uint8_t *)direct->set->json, direct->set->json_size},
                 &direct->argument);
    send_call(direct, site, "tresen_v1_publish");
    redisReply *reply = pipe_reply(&direct->pipe);
    (void)reply_head(reply);
    freeReplyObject(reply);
    site->published = true;
}

static void settle_due(struct direct *direct, struct site *site) {
    struct take_call take = {
        .configuration = site->configuration, .most = TAKE, .bytes = TAKE_BYTES};
    direct->lease++;
    memcpy(take.lease.bytes, &direct->lease, sizeof take.lease.bytes);
    call_take(&take, &direct->argument);
    send_call(direct, site, "tresen_v1_take");
    redisReply *reply = pipe_reply(&direct->pipe);
    struct take_reply taken_all;
    struct taken taken;
    if (take_reply_read(pipe_text(reply), &taken_all)) give_up("a take's reply");
    direct->site = site;
    while (take_reply_next(&taken_all, &taken) == ERR_NONE) {
        if (!direct->judged.contribution.size) judge(direct, &taken);
        if (!site->published) publish(direct, site);
        struct settle_call settle = direct->judged;
        settle.configuration = site->configuration;
        settle.lease = take.lease;
        settle.encounter = taken.encounter.id;
        time_day_text(&site->branch->zone, taken.encounter.started_ms, settle.day);
        time_hour_text(&site->branch->zone, taken.encounter.started_ms, settle.hour);
        call_settle(&settle, &direct->argument);
        send_call(direct, site, "tresen_v1_settle");
    }
    freeReplyObject(reply);
    while (direct->pipe.ahead) {
        reply = pipe_reply(&direct->pipe);
        struct settle_reply settled;
        if (settle_reply_read(pipe_text(reply), &settled) || settled.head.status != STORE_OK)
            give_up("a settlement was not taken");
        direct->settled += settled.final;
        freeReplyObject(reply);
    }
}

// ------------------------------------------------------------------ ingest

static void ingest_answered(struct direct *direct) {
    redisReply *reply = pipe_reply(&direct->pipe);
    size_t place = direct->answered++ % AHEAD;
    latencies_add(&direct->latencies, bench_now_ns() - direct->sent_ns[place]);
    struct reply head = reply_head(reply);
    if (head.due_ms == 0) direct->sites[direct->waiting[place]].due = true;
    freeReplyObject(reply);
}

/// Every reply is in; then what is due.
static void settle_all(struct direct *direct) {
    while (direct->pipe.ahead)
        ingest_answered(direct);
    for (size_t i = 0; i < direct->site_count; i++)
        if (direct->sites[i].due) {
            direct->sites[i].due = false;
            settle_due(direct, &direct->sites[i]);
        }
}

static void take_batch(void *context, const struct batch *batch) {
    struct direct *direct = context;
    struct envelope *envelope = &direct->site->envelopes[direct->gateway];
    struct problem problem = {0};
    envelope->number++;
    if (ingest_add(direct->ingest, envelope, batch, NULL, INT64_MAX / 2, &problem))
        give_up(problem.text);
    direct->result.batches++;
}

/// One fold of a branch: as many batches of each gateway as share it. False: nothing is left.
static bool ingest_fold_of(struct direct *direct, size_t place) {
    struct site *site = &direct->sites[place];
    uint64_t each = direct->bench->settings.fold / site->branch->gateway_count;
    direct->site = site;
    ingest_begin(direct->ingest, site->branch, site->configuration);
    for (size_t i = 0; i < site->branch->gateway_count; i++) {
        direct->gateway = (uint8_t)i;
        for (uint64_t k = 0; k < (each ? each : 1) && !stream_ended(&site->streams[i]); k++)
            stream_next(&site->streams[i]);
    }
    struct fold fold;
    if (!ingest_batches(direct->ingest)) return false;
    if (ingest_fold(direct->ingest, &fold)) give_up("a fold");
    if (direct->pipe.ahead == AHEAD) ingest_answered(direct);
    direct->waiting[direct->sent % AHEAD] = place;
    direct->sent_ns[direct->sent++ % AHEAD] = bench_now_ns();
    call_ingest(&fold, &direct->argument);
    send_call(direct, site, "tresen_v1_ingest");
    return true;
}

// ------------------------------------------------------------------ life

static void site_init(struct direct *direct, struct site *site, const struct branch *branch) {
    site->branch = branch;
    store_key(&branch->id, site->key);
    site->configuration = store_configuration(branch, &direct->policy);
    call_configure(branch, &direct->policy, &direct->argument);
    send_call(direct, site, "tresen_v1_configure");
    redisReply *reply = pipe_reply(&direct->pipe);
    if (reply->len < 1 || reply->str[0] != STORE_OK) give_up("configure");
    freeReplyObject(reply);
    for (size_t i = 0; i < branch->gateway_count; i++) {
        struct ask_call ask = {.configuration = site->configuration, .gateway = (uint8_t)i};
        struct ask_reply asked;
        memcpy(ask.spool.bytes, &i, sizeof i);
        ask.spool.bytes[15] = 1;
        call_ask(&ask, &direct->argument);
        send_call(direct, site, "tresen_v1_ask");
        reply = pipe_reply(&direct->pipe);
        if (ask_reply_read(pipe_text(reply), &asked)) give_up("an ask");
        freeReplyObject(reply);
        struct tag tag = tag_start(&ask.spool);
        site->envelopes[i] = (struct envelope){.gateway = (uint8_t)i,
                                               .epoch = asked.position.epoch,
                                               .tag = tag_behind(tag, tag)}; // so each follows
        if (stream_init(&site->streams[i], &direct->bench->workload, branch, &branch->gateways[i],
                        take_batch, direct))
            give_up("no memory, or a gateway without a measure");
    }
}

static void direct_init(struct direct *direct, const struct bench *bench) {
    const struct branches *branches = &bench->catalogue.branches;
    const struct ingest_limits limits = ingest_limits_default();
    direct->bench = bench;
    direct->policy = store_policy_default();
    direct->pipe = pipe_connect(bench->settings.redis_path);
    buffer_init(&direct->argument, ARGUMENT_MAX);
    buffer_init(&direct->contribution, ARGUMENT_MAX);
    buffer_init(&direct->verdicts, ARGUMENT_MAX);
    direct->ingest = ingest_new(&limits);
    direct->sites = calloc(branches->count, sizeof direct->sites[0]);
    if (!direct->ingest || !direct->sites) give_up("out of memory");
    const struct bytes load[] = {
        bytes_of_text("FUNCTION"), bytes_of_text("LOAD"), {store_functions, store_functions_size}};
    freeReplyObject(pipe_call(&direct->pipe, 3, load));
    for (; direct->site_count < branches->count; direct->site_count++)
        site_init(direct, &direct->sites[direct->site_count], &branches->items[direct->site_count]);
}

static int run(const struct bench *bench) {
    static struct direct direct;
    direct_init(&direct, bench);
    direct.result.wire_bytes = 0;
    direct.result.started_ns = bench_ready();
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < direct.site_count; i++)
            more |= ingest_fold_of(&direct, i);
        settle_all(&direct);
    }
    uint64_t encounters = workload_encounters(&bench->workload);
    for (uint64_t before = 0; direct.settled != before && direct.settled < encounters;) {
        before = direct.settled; // more were due than one call takes
        for (size_t i = 0; i < direct.site_count; i++)
            settle_due(&direct, &direct.sites[i]);
    }
    direct.result.ended_ns = bench_now_ns();
    if (direct.settled != encounters)
        return bench_fail("direct-best: %llu of %llu encounters became final",
                          (unsigned long long)direct.settled, (unsigned long long)encounters);
    direct.result.observations = workload_observations(&bench->workload);
    direct.result.latencies = &direct.latencies;
    bench_result(&direct.result);
    for (size_t i = 0; i < direct.site_count; i++)
        for (size_t k = 0; k < direct.sites[i].branch->gateway_count; k++)
            stream_fini(&direct.sites[i].streams[k]);
    free(direct.sites);
    ingest_free(direct.ingest);
    buffer_fini(&direct.argument);
    buffer_fini(&direct.contribution);
    buffer_fini(&direct.verdicts);
    pipe_close(&direct.pipe);
    return 0;
}

const struct bench_path bench_direct_best = {
    .name = "direct-best",
    .summary = "no broker: the same minutes and settlements, folded, straight into Redis",
    .run = run};
