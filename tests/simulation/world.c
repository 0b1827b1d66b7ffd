#include "tests/simulation/world.h"

#include "common/base/hash.h"
#include "worker/standards/plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISTANCE, PHRASE, MEASURES };

static struct measure measure_items[MEASURES] = {
    {.id = {"distance.client"},
     .kind = MEASURE_SAMPLES,
     .unit = "m",
     .resolution = 0.01,
     .least = 0,
     .most = 20,
     .uncertainty = 0.05},
    {.id = {"speech.phrase"}, .kind = MEASURE_EVENTS},
};
static const struct measures measures = {MEASURES, measure_items};

const struct measures *world_measures(void) {
    for (size_t i = 0; i < MEASURES; i++)
        measure_items[i].key =
            hash_fnv32(measure_items[i].id.text, strlen(measure_items[i].id.text));
    return &measures;
}

static const struct world_pace squeezed = {
    .length_ms = 30000,
    .encounters_max = 8,
    .first_ms = {2000, 8000},
    .wait_ms = {500, 2500},
    .service_ms = {2000, 5000},
    .pause_ms = {100, 6000},
    .period_ms = {400, 1000},
    .gap_ms = 1500,
    .idle_batch_ms = 5000,
    .idle_ask_ms = 4000,
    .answer_timeout_ms = 2000,
    .refused_wait_ms = 800,
    .backoff_most_ms = 3000,
    .silence_ms = 2000,
    .job_ms = 15000,
    .probe_ms = 4000,
    .death_apart_ms = 300,
    .heartbeat_ms = 500,
    .command_ms = 2000,
    .later_ms = 200,
    .retry_most_ms = 500,
    .refuse_ms = 500,
    .faults_most = 1,
    .drain_ms = 120000, // what fills a full branch may go one encounter at a time
};

static const struct world_pace shipped = {
    .length_ms = 55 * MINUTE_MS, // longer, and a seed would take more than 50 ms
    .encounters_max = 16,
    .first_ms = {20000, 300000},
    .wait_ms = {5000, 900000},
    .service_ms = {300000, 1800000},
    .pause_ms = {1000, 300000},
    .period_ms = {30000, 60000},
    .gap_ms = 90000,
    .idle_batch_ms = 5000,
    .idle_ask_ms = 10000,
    .answer_timeout_ms = 10000,
    .refused_wait_ms = 30000,
    .backoff_most_ms = 60000,
    .silence_ms = 5000,
    .job_ms = 60000,
    .probe_ms = 30000,
    .death_apart_ms = 2000,
    .heartbeat_ms = 1000,
    .command_ms = 5000,
    .later_ms = 500,
    .retry_most_ms = 2000,
    .refuse_ms = 5000,
    .faults_most = 60,
    .drain_ms = 300000,
};

/// Standards that look at samples, events and times, so that any lost or doubled one shows.
const struct standard_set *world_standards(const struct world *world) {
    static struct standard of_pace[2][3];
    static struct standard_set sets[2];
    bool hours = world->pace == &shipped;
    struct standard *items = of_pace[hours];
    if (sets[hours].count) return &sets[hours];
    world_measures();
    for (size_t i = 0; i < 3; i++)
        items[i] = (struct standard){
            .status = STATUS_ACTIVE,
            .weight = 1,
            .permitted = true,
            .any_offering = true,
            .outcomes = UINT32_MAX,
            .during = {.phase = PHASE_SERVICE},
            .band = {BOUND_OPEN_LEAST, BOUND_OPEN_MOST},
            .bound = {BOUND_OPEN_LEAST, BOUND_OPEN_MOST},
            .least_coverage_millionths = 100000,
            .least_confidence = 40,
            .largest_gap_ms = world->pace->gap_ms,
        };
    items[0].id = (struct name){"proxemics.distance"};
    items[0].dimension = DIMENSION_PROXEMICS;
    items[0].statistic = STATISTIC_MEAN;
    items[0].measure = measure_items[DISTANCE];
    items[0].uncertainty = 5;
    items[0].step = 0.01;
    items[0].bound.least = 100;
    items[0].degree_count = 2;
    items[0].degree[0] = (struct degree_point){0, 0};
    items[0].degree[1] = (struct degree_point){200, MILLION};
    items[1].id = (struct name){"timing.wait"};
    items[1].dimension = DIMENSION_TIMING;
    items[1].statistic = STATISTIC_DURATION;
    items[1].during.phase = PHASE_WAITING;
    items[1].step = 0.001;
    items[1].bound.most = 1500;
    items[2].id = (struct name){"wording.greeting"};
    items[2].dimension = DIMENSION_WORDING;
    items[2].statistic = STATISTIC_COUNT_EVENTS;
    items[2].measure = measure_items[PHRASE];
    items[2].step = 1;
    items[2].bound.least = 3;
    items[2].degree_count = 2;
    items[2].degree[0] = (struct degree_point){0, 0};
    items[2].degree[1] = (struct degree_point){20, MILLION};
    struct standard_set *set = &sets[hours];
    *set = (struct standard_set){.count = 3, .items = items, .json = "{}", .json_size = 2};
    memset(set->hash_text, hours ? 'b' : 'a', sizeof set->hash_text - 1);
    return set;
}

const struct standards_plan *world_plan(const struct world *world) {
    static struct dated_set always[2];
    static const struct standards_plan plans[2] = {{1, &always[0]}, {1, &always[1]}};
    bool hours = world->pace == &shipped;
    always[hours].set = world_standards(world);
    return &plans[hours];
}

// Branches ---------------------------------------------------------------------------------------

static void make_branch(struct world *world, size_t b, struct chance *chance) {
    static const int64_t always[] = {INT64_MIN};
    static const int32_t utc[] = {0};
    struct branch *branch = &world->branches[b];
    *branch = (struct branch){.zone = {1, always, utc},
                              .counter_count = chance_range(chance, 1, WORLD_COUNTERS),
                              .counters = world->counters[b],
                              .gateway_count = chance_range(chance, 2, WORLD_GATEWAYS),
                              .gateways = world->registered[b]};
    snprintf(branch->id.text, sizeof branch->id.text, "branch-%zu", b);
    snprintf(branch->zone_name, sizeof branch->zone_name, "UTC");
    for (size_t i = 0; i < branch->counter_count; i++)
        snprintf(branch->counters[i].text, ID_MAX + 1, "counter-%zu", i);
    for (size_t i = 0; i < branch->gateway_count; i++) {
        struct branch_gateway *gateway = &branch->gateways[i];
        *gateway = (struct branch_gateway){.opens = i == 0, .counters = world->served[b][i]};
        snprintf(gateway->id.text, sizeof gateway->id.text, "gateway-%zu", i);
        gateway->key = gateway_key(&gateway->id);
        gateway->office = i + 1 == branch->gateway_count;
        if (gateway->office) break;
        for (size_t c = 0; c < branch->counter_count; c++)
            if (i == 0 || chance_permille(chance, 700))
                gateway->counters[gateway->counter_count++] = (uint16_t)c;
        if (gateway->counter_count == 0) gateway->counters[gateway->counter_count++] = 0;
    }
    branch->hash = branch_hash(branch);
}

// Recordings -------------------------------------------------------------------------------------

static uint32_t within(struct chance *chance, struct range range) {
    return chance_range(chance, range.least, range.most);
}

static struct item *append(struct recording *recording, struct item item) {
    assert(recording->count < WORLD_ITEMS);
    recording->items[recording->count] = item;
    return &recording->items[recording->count++];
}

static int by_time(const void *a, const void *b) {
    const struct item *left = a, *right = b;
    if (left->seen_ms != right->seen_ms) return left->seen_ms < right->seen_ms ? -1 : 1;
    return left->at_ms < right->at_ms ? -1 : left->at_ms > right->at_ms;
}

static void tell_part(const struct world *world, struct recording *recording,
                      const struct encounter *part, int64_t at_ms, uint64_t lag_ms,
                      size_t counter) {
    append(recording, (struct item){.kind = ITEM_FACT,
                                    .counter = counter,
                                    .encounter = *part,
                                    .at_ms = at_ms,
                                    .seen_ms = (uint64_t)(at_ms - world->begin_ms) + lag_ms});
}

/// What the gateway that opens encounters tells of one: opened, started, ended; sometimes then that
/// it ended otherwise, or did not take place.
static void tell(const struct world *world, struct recording *recording, struct encounter whole,
                 size_t counter, struct chance *chance) {
    struct encounter part = whole;
    uint64_t lag_ms = chance_below(chance, 250);
    part.outcome = OUTCOME_OPEN;
    part.started_ms = part.ended_ms = TIME_NONE;
    tell_part(world, recording, &part, whole.issued_ms, lag_ms, counter);
    part.started_ms = whole.started_ms;
    tell_part(world, recording, &part, whole.started_ms, lag_ms, counter);
    tell_part(world, recording, &whole, whole.ended_ms, lag_ms, counter);
    // The correction is seen before the watermark has passed the end.
    lag_ms += chance_range(chance, 1, 100);
    if (chance_permille(chance, 150)) {
        whole.outcome = OUTCOME_ABANDONED;
        if (chance_permille(chance, 500)) whole.ended_ms -= 400;
        tell_part(world, recording, &whole, whole.ended_ms, lag_ms + 400, counter);
    } else if (chance_permille(chance, 80)) {
        struct item *item;
        tell_part(world, recording, &whole, whole.ended_ms, lag_ms, counter);
        item = &recording->items[recording->count - 1];
        item->kind = ITEM_WITHDRAWN;
    }
}

static void encounters(struct world *world, size_t b, struct recording *recording,
                       struct chance *chance) {
    const struct branch *branch = &world->branches[b];
    const struct world_pace *pace = world->pace;
    int64_t last_ms =
        world->begin_ms + pace->length_ms - pace->wait_ms.most - pace->service_ms.most - 500;
    for (size_t c = 0; c < branch->counter_count; c++) {
        int64_t at_ms = world->begin_ms + within(chance, pace->first_ms);
        while (at_ms < last_ms && world->encounters[b] < pace->encounters_max) {
            struct encounter encounter = {.counter = branch->counters[c],
                                          .offering = {"cash"},
                                          .outcome = OUTCOME_NORMAL,
                                          .issued_ms = at_ms,
                                          .called_ms = TIME_NONE};
            snprintf(encounter.id.text, sizeof encounter.id.text, "e-%zu-%zu", c,
                     ++world->encounters[b]);
            snprintf(encounter.employee, sizeof encounter.employee, "p%u", chance_below(chance, 3));
            encounter.started_ms = at_ms + within(chance, pace->wait_ms);
            encounter.ended_ms = encounter.started_ms + within(chance, pace->service_ms);
            if (chance_permille(chance, 200)) encounter.outcome = OUTCOME_TRANSFERRED;
            tell(world, recording, encounter, c, chance);
            at_ms = encounter.ended_ms + within(chance, pace->pause_ms);
        }
    }
}

static void sense(const struct world *world, const struct branch_gateway *gateway,
                  struct recording *recording, struct chance *chance) {
    static const char *const labels[] = {"greeting", "farewell", "thanks"};
    recording->period_ms = within(chance, world->pace->period_ms);
    for (uint64_t t = 1000; t < world->pace->length_ms; t += recording->period_ms)
        for (size_t i = 0; i < gateway->counter_count; i++) {
            struct item item = {.kind = chance_permille(chance, 250) ? ITEM_EVENT : ITEM_SAMPLE,
                                .at_ms = world->begin_ms + (int64_t)t,
                                .seen_ms = t + chance_below(chance, 300),
                                .counter = gateway->counters[i],
                                .value = 0.01 * chance_below(chance, 300),
                                .confidence = (uint8_t)chance_range(chance, 30, 100),
                                .label = labels[chance_below(chance, 3)]};
            append(recording, item);
        }
}

/// What the office decides about encounters that the branch's first gateway tells of: at any time,
/// also before they begin, and sometimes anew.
static void decide(const struct world *world, struct recording *recording,
                   const struct recording *told, struct chance *chance) {
    recording->period_ms = 1000;
    for (size_t i = 0; i < told->count; i++) {
        const struct item *item = &told->items[i];
        if (item->kind != ITEM_FACT || !chance_permille(chance, 400)) continue;
        struct decision decision = {
            .encounter = item->encounter.id,
            .standard = world_standards(world)->items[chance_below(chance, 3)].id,
            .counter = item->encounter.counter,
            .began_ms = item->encounter.issued_ms,
            .kind = (enum decision_kind)chance_below(chance, DECISION_KIND_COUNT),
            .decided_ms = world->begin_ms + chance_below(chance, 10),
            .by = {"eva"},
            .reason = "seen on site"};
        append(recording, (struct item){.kind = ITEM_DECISION,
                                        .decision = decision,
                                        .at_ms = world->begin_ms,
                                        .seen_ms = chance_below(chance, world->pace->length_ms)});
    }
}

static void make_recording(struct world *world, size_t g, struct chance *chance) {
    size_t b = world->gateways[g].branch;
    const struct branch_gateway *gateway = &world->registered[b][world->gateways[g].place];
    struct recording *recording = &world->gateways[g].recording;
    recording->count = 0;
    if (gateway->office)
        decide(world, recording, &world->gateways[g - world->gateways[g].place].recording, chance);
    else
        sense(world, gateway, recording, chance);
    if (gateway->opens) encounters(world, b, recording, chance);
    if (world->poisoned && g == 0)
        append(
            recording,
            (struct item){.kind = ITEM_POISON, .at_ms = world->begin_ms + 9000, .seen_ms = 9000});
    qsort(recording->items, recording->count, sizeof *recording->items, by_time);
    // No item is told more than 300 ms late, and none watches further back than a period.
    for (size_t i = 0; i < recording->count; i++) {
        struct item *item = &recording->items[i];
        item->watermark_ms = world->begin_ms + (int64_t)item->seen_ms - 400 - recording->period_ms;
    }
}

/// With chances of its own, so that all else of a world stays what it was.
static void choose_deadly(struct world *world, uint64_t seed) {
    struct chance chance = chance_of(seed, 11);
    if (!chance_permille(&chance, 200)) return;
    for (uint32_t i = chance_range(&chance, 1, 3); i > 0; i--) {
        size_t b = chance_below(&chance, (uint32_t)world->branch_count);
        if (world->encounters[b] == 0) continue;
        world->deadly[b] |= 1u << chance_below(&chance, (uint32_t)world->encounters[b]);
    }
}

bool world_deadly(const struct world *world, size_t branch, const char *encounter) {
    const char *number = strrchr(encounter, '-');
    return number && (world->deadly[branch] >> (atoi(number + 1) - 1) & 1);
}

void world_make(struct world *world, uint64_t seed) {
    struct chance chance = chance_of(seed, 1);
    memset(world, 0, offsetof(struct world, gateways));
    world->pace = seed % WORLD_LONG_EVERY == WORLD_LONG_EVERY - 1 ? &shipped : &squeezed;
    world->begin_ms = WORLD_MIDNIGHT_MS - world->pace->length_ms / 2;
    world->policy = store_policy_default();
    if (world->pace == &squeezed) {
        world->policy.grace_ms = chance_range(&chance, 200, 2000);
        world->policy.settle_after_ms = chance_range(&chance, 2000, 12000);
        world->policy.settle_pause_ms = chance_range(&chance, 200, 2000);
        world->policy.lease_ms = chance_range(&chance, 2000, 6000);
    }
    world->poisoned = chance_permille(&chance, 150);
    world->branch_count = chance_range(&chance, 1, WORLD_BRANCHES);
    for (size_t b = 0; b < world->branch_count; b++) {
        make_branch(world, b, &chance);
        for (size_t i = 0; i < world->branches[b].gateway_count; i++) {
            world->gateways[world->gateway_count].branch = b;
            world->gateways[world->gateway_count].place = (uint8_t)i;
            make_recording(world, world->gateway_count++, &chance);
        }
    }
    choose_deadly(world, seed);
}
