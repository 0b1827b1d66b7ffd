// simulate: run seeds, say what was found. simulate --first SEED --seeds 1 --trace shows one.

#include "tests/simulation/kept.h"
#include "tests/simulation/simulation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const plants[PLANT_COUNT] = {
    [PLANT_NONE] = "none",
    [PLANT_ACK_BEFORE_REPLY] = "ack-before-reply",
    [PLANT_SKIP_ORDER] = "skip-order",
    [PLANT_OLD_SESSION] = "old-session",
    [PLANT_FORGET_REQUEUE] = "forget-requeue",
    [PLANT_NO_LEASE] = "no-lease",
    [PLANT_ADD_WITHOUT_SUBTRACT] = "add-without-subtract",
    [PLANT_MAX_WATERMARK] = "max-watermark",
    [PLANT_DELETE_CONTRIBUTION] = "delete-contribution",
    [PLANT_SEND_BEFORE_COMMIT] = "send-before-commit",
    [PLANT_TRIM_ON_ANSWER] = "trim-on-answer",
    [PLANT_BLIND_EPOCH] = "blind-epoch",
    [PLANT_DRIVER_RESTART] = "driver-restart",
    [PLANT_SKIP_CHAIN] = "skip-chain",
    [PLANT_DEAF_FINAL] = "deaf-final",
    [PLANT_REBUILD_KEEPS] = "rebuild-keeps",
    [PLANT_HASTY_SEAL] = "hasty-seal",
    [PLANT_FULL_IS_STUCK] = "full-is-stuck",
    [PLANT_SILENT_GAP] = "silent-gap",
    [PLANT_NOT_RESERVED] = "not-reserved",
    [PLANT_CLOCK_BACK] = "clock-back",
    [PLANT_NO_SIZE] = "no-size",
    [PLANT_DEAF_DISK] = "deaf-disk",
    [PLANT_CURSOR_ALONE] = "cursor-alone",
    [PLANT_UNCOUNTED] = "uncounted",
    [PLANT_COMPANY] = "company",
    [PLANT_DEAF_RETURN] = "deaf-return",
    [PLANT_OWN_CLOCK] = "own-clock",
    [PLANT_SILENT_FUTURE] = "silent-future",
    [PLANT_PADDED] = "padded",
    [PLANT_DROPPED_TWICE] = "dropped-twice",
};

const char *plant_name(enum plant plant) {
    return plants[plant];
}

struct options {
    uint64_t first, seeds;
    const char *kept;   // a file of seeds
    bool trace, plants; // plants: every one of them must be found
    enum plant plant;
};

static int usage(void) {
    fprintf(
        stderr,
        "usage: simulate [--first SEED] [--seeds COUNT] [--trace] [--plant NAME] [--plants]\n"
        "       simulate --kept FILE\n"
        "  --trace   tell every step\n"
        "Of 32 seeds, 24 squeeze many encounters and faults into 45 seconds, at the smallest\n"
        "settings; 8 go on for 55 minutes at the shipped ones: encounters of 5 to 30 minutes\n"
        "at each counter, one after the other, a reading and a batch of each gateway every 30 to\n"
        "60 s, questions every 10 s, a heartbeat every second, faults of up to 6 minutes. Hours\n"
        "are those of both. hours_a_minute is of one core, with the runs without faults to which\n"
        "each is compared.\n"
        "  --plant   with a planted bug:");
    for (size_t i = 1; i < PLANT_COUNT; i++)
        fprintf(stderr, " %s", plants[i]);
    fprintf(stderr, "\n  --plants  every planted bug must be found within the seeds\n");
    return EXIT_FAILURE;
}

static bool read_number(const char *text, uint64_t *number) {
    char *end;
    *number = strtoull(text, &end, 10);
    return *text && !*end;
}

static bool read_plant(const char *text, enum plant *plant) {
    for (size_t i = 0; i < PLANT_COUNT; i++)
        if (!strcmp(text, plants[i])) {
            *plant = (enum plant)i;
            return true;
        }
    return false;
}

static bool read_options(int count, char **arguments, struct options *options) {
    *options = (struct options){.first = 1, .seeds = 1000};
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        bool good = false;
        if (!strcmp(arguments[i], "--trace"))
            good = options->trace = true;
        else if (!strcmp(arguments[i], "--kept"))
            good = *(options->kept = value) && ++i;
        else if (!strcmp(arguments[i], "--plants"))
            good = options->plants = true;
        else if (!strcmp(arguments[i], "--first"))
            good = read_number(value, &options->first) && ++i;
        else if (!strcmp(arguments[i], "--seeds"))
            good = read_number(value, &options->seeds) && ++i;
        else if (!strcmp(arguments[i], "--plant"))
            good = read_plant(value, &options->plant) && ++i;
        if (!good) return false;
    }
    return true;
}

/// What this process has used of a core.
static double core_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

struct tally {
    uint64_t seeds, failed, blamed, simulated_ms, steps, hash, encounters, batches;
    double core_ms, slowest_ms; // slowest_ms: of one seed
    uint64_t slowest_seed;
    uint64_t faults[FAULT_COUNT];
};

static void print_tally(const struct tally *tally) {
    double hours = (double)tally->simulated_ms / HOUR_MS;
    double hours_a_minute = tally->core_ms > 0 ? hours * MINUTE_MS / tally->core_ms : 0;
    printf("simulate: seeds=%" PRIu64 " failed=%" PRIu64 " blamed=%" PRIu64
           " simulated_hours=%.1f hours_a_minute=%.0f encounters=%" PRIu64 " batches=%" PRIu64
           " steps=%" PRIu64 " core_s=%.1f slowest_ms=%.0f slowest_seed=%" PRIu64
           " hash=%016" PRIx64,
           tally->seeds, tally->failed, tally->blamed, hours, hours_a_minute, tally->encounters,
           tally->batches, tally->steps, tally->core_ms / 1000, tally->slowest_ms,
           tally->slowest_seed, tally->hash);
    for (size_t i = 0; i < FAULT_COUNT; i++)
        printf(" %s=%" PRIu64, fault_name((enum fault)i), tally->faults[i]);
    printf("\n");
}

static struct finding run_seed(const struct stage *stage, uint64_t seed, enum plant plant,
                               enum telling telling) {
    return simulate_run(&(struct run){.seed = seed,
                                      .world = &stage->world,
                                      .expected = &stage->expected,
                                      .plant = plant,
                                      .telling = telling});
}

/// What is wrong, and how to see all that led to it.
static void tell_failure(const struct finding *finding, uint64_t seed, enum plant plant) {
    printf("seed %" PRIu64 " %s\n    simulate --first %" PRIu64 " --seeds 1 --trace", seed,
           finding->failure, seed);
    if (plant) printf(" --plant %s", plant_name(plant));
    printf("\n");
}

static bool try_seed(struct stage *stage, uint64_t seed, const struct options *options,
                     struct tally *tally) {
    double begin_ms = core_ms();
    if (!stage_make(stage, seed)) {
        tally->failed++;
        return false;
    }
    double staged_ms = core_ms();
    struct finding outcome =
        run_seed(stage, seed, options->plant, options->trace ? TELL_ALL : TELL_NOTHING);
    double end_ms = core_ms();
    tally->core_ms += end_ms - begin_ms;
    if (end_ms - staged_ms > tally->slowest_ms) {
        tally->slowest_ms = end_ms - staged_ms;
        tally->slowest_seed = seed;
    }
    tally->seeds++;
    tally->blamed += outcome.blamed;
    tally->encounters += outcome.encounters;
    tally->batches += outcome.batches;
    tally->simulated_ms += outcome.simulated_ms;
    tally->steps += outcome.steps;
    tally->hash = (tally->hash ^ outcome.hash) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < FAULT_COUNT; i++)
        tally->faults[i] += outcome.faults[i];
    if (outcome.clean) return true;
    tally->failed++;
    if (!options->trace && !options->plants) // once more, with the last of what led to it
        (void)run_seed(stage, seed, options->plant, TELL_LAST);
    tell_failure(&outcome, seed, options->plant);
    return false;
}

// Kept seeds -------------------------------------------------------------------------------------

struct keeping {
    struct stage stage;
    size_t total, same; // same: still of the world for which they were kept
};

static bool try_kept(void *context, const struct kept *kept) {
    struct keeping *keeping = context;
    if (!stage_make(&keeping->stage, kept->seed)) return false;
    struct finding outcome = run_seed(&keeping->stage, kept->seed, PLANT_NONE, TELL_NOTHING);
    keeping->total++;
    keeping->same += outcome.plan == kept->plan;
    if (outcome.plan != kept->plan)
        printf("seed %" PRIu64 " draws %016" PRIx64 ", no longer %016" PRIx64 ": %s\n", kept->seed,
               outcome.plan, kept->plan, kept->what);
    if (outcome.clean) return true;
    (void)run_seed(&keeping->stage, kept->seed, PLANT_NONE, TELL_LAST);
    tell_failure(&outcome, kept->seed, PLANT_NONE);
    return false;
}

static int run_kept(const char *path) {
    static struct keeping keeping;
    bool fine = kept_each(path, try_kept, &keeping);
    printf("simulate: %zu kept seeds, %zu of them as when they were kept; %s\n", keeping.total,
           keeping.same, fine ? "all clean" : "FAILED");
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

// Planted bugs -----------------------------------------------------------------------------------

/// A planted bug must be found; the first seed that does is enough.
static int run_plants(struct stage *stage, struct options options) {
    int missed = 0;
    for (size_t i = 1; i < PLANT_COUNT; i++) {
        struct tally tally = {0};
        options.plant = (enum plant)i;
        uint64_t seed = options.first;
        while (seed < options.first + options.seeds && try_seed(stage, seed, &options, &tally))
            seed++;
        bool found = tally.failed > 0;
        printf("plant %s: %s after %" PRIu64 " seeds\n", plant_name(options.plant),
               found ? "found" : "NOT FOUND", tally.seeds);
        if (!found) missed++;
    }
    return missed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int count, char **arguments) {
    struct options options;
    static struct stage stage;
    if (!read_options(count, arguments, &options)) return usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (options.kept) return run_kept(options.kept);
    if (options.plants) return run_plants(&stage, options);
    struct tally tally = {0};
    for (uint64_t seed = options.first; seed < options.first + options.seeds; seed++)
        if (!try_seed(&stage, seed, &options, &tally) && tally.failed >= 40) break;
    print_tally(&tally);
    return tally.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
