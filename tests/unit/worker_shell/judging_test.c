// What a worker judges by: taken up whole, or the old ones stay.

#include "worker/shell/judging.h"
#include "worker/store/calls.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLL_MS = 10000, SOON_MS = 500 };

// ------------------------------------------------------------------ the clock

static uint64_t now_ms = 1000, tick_ms; // a look at the clock takes so long

uint64_t __wrap_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void) {
    return now_ms += tick_ms;
}

// ------------------------------------------------------------------ the store

static struct asked {
    int count, restored;
    bool open; // it has not been answered
    char known[SET_HASH_TEXT_SIZE], restored_hash[SET_HASH_TEXT_SIZE];
    store_callback *callback;
    void *context;
} asked;
static bool store_full;

enum err __wrap_store_editions(struct store *store, const char *known, store_callback *callback,
                               void *context);
enum err __wrap_store_editions(struct store *store, const char *known, store_callback *callback,
                               void *context) {
    (void)store;
    if (store_full) return ERR_FULL;
    cr_assert(not(asked.open), "one question at a time");
    asked.count++;
    asked.open = true;
    asked.callback = callback;
    asked.context = context;
    snprintf(asked.known, sizeof asked.known, "%s", known);
    return ERR_NONE;
}

enum err __wrap_store_restore_editions(struct store *store, const char *hash, struct bytes text,
                                       store_callback *callback, void *context);
enum err __wrap_store_restore_editions(struct store *store, const char *hash, struct bytes text,
                                       store_callback *callback, void *context) {
    char again[SET_HASH_TEXT_SIZE];
    (void)store;
    sha256_text(text, again);
    cr_assert(eq(str, again, (char *)hash));
    asked.restored++;
    snprintf(asked.restored_hash, sizeof asked.restored_hash, "%s", hash);
    callback(context, REDIS_CLASS_OK, (struct bytes){0}, "");
    return ERR_NONE;
}

static void answer(enum redis_class class, const char *hash, const char *text) {
    struct buffer reply;
    buffer_init(&reply, EDITIONS_BYTES_MAX + 1024);
    buffer_put_u8(&reply, STORE_OK);
    buffer_put_u64(&reply, (uint64_t)-1);
    buffer_put_short(&reply, bytes_of_text(hash));
    buffer_put_u32(&reply, (uint32_t)strlen(text));
    buffer_put(&reply, text, strlen(text));
    cr_assert(asked.open);
    asked.open = false;
    asked.callback(asked.context, class, buffer_bytes(&reply), "because");
    buffer_fini(&reply);
}

/// What is published, as the store has it.
static void answer_text(const char *text) {
    char hash[SET_HASH_TEXT_SIZE];
    sha256_text(bytes_of_text(text), hash);
    answer(REDIS_CLASS_OK, hash, text);
}

// ------------------------------------------------------------------ memory

static bool no_memory;

struct loading *__real_loading_new(struct editions **editions, const struct branches *branches,
                                   const struct measures *measures);
struct loading *__wrap_loading_new(struct editions **editions, const struct branches *branches,
                                   const struct measures *measures);
struct loading *__wrap_loading_new(struct editions **editions, const struct branches *branches,
                                   const struct measures *measures) {
    return no_memory ? NULL : __real_loading_new(editions, branches, measures);
}

// ------------------------------------------------------------------ the worker

static struct worker_settings settings;
static struct catalogue catalogue;
static struct problems problems;
static struct judging *judging;
static int changes;

static void changed(void *context) {
    (void)context;
    changes++;
}

static void begin(int standards) {
    char folder[] = "/tmp/judging-XXXXXX", command[256];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(command, sizeof command, "cp -r '%s/.' '%s'", CONFIG_FOLDER, folder);
    cr_assert(eq(int, system(command), 0));
    settings = (struct worker_settings){.standards = standards, .standards_poll_ms = POLL_MS};
    snprintf(settings.config_dir, sizeof settings.config_dir, "%s", folder);
    cr_assert(catalogue_load(folder, &catalogue, &problems), "%s", problems.items[0].text);
    struct judging_handlers handlers = {NULL, changed};
    judging = judging_new(&settings, &catalogue, &handlers);
    cr_assert(judging != NULL);
}

static void end(void) {
    char command[PATH_SIZE + 16];
    judging_free(judging);
    catalogue_free(&catalogue);
    snprintf(command, sizeof command, "rm -rf '%s'", settings.config_dir);
    cr_assert(eq(int, system(command), 0));
}

/// The turns until nothing is due at once.
static int step_on(void) {
    int turns = 0;
    do {
        judging_step(judging);
        turns++;
    } while (judging_deadline_ms(judging) <= now_ms && !asked.open);
    return turns;
}

static void edit(const char *name, const char *old, const char *new) {
    char path[PATH_SIZE + 64], text[16384];
    snprintf(path, sizeof path, "%s/%s", settings.config_dir, name);
    FILE *file = fopen(path, "r+");
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    char *at = strstr(text, old);
    cr_assert(at != NULL, "%s has no %s", name, old);
    rewind(file);
    fprintf(file, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    cr_assert(eq(int, ftruncate(fileno(file), ftell(file)), 0));
    fclose(file);
}

/// The folder as it is now, as the only edition.
static char *published_folder(void) {
    struct editions *editions = calloc(1, sizeof *editions);
    struct problem problem;
    char *text;
    editions->count = 1;
    cr_assert(catalogue_edition(settings.config_dir, &editions->items[0], &problems));
    cr_assert(eq(int, editions_write(editions, &text, &problem), ERR_NONE));
    editions_free(editions);
    return text;
}

static bool in_trouble(const char *says) {
    bool said = strstr(judging_trouble(judging), says) != NULL;
    if (!said) fprintf(stderr, "it said: %s\n", judging_trouble(judging));
    return said;
}

static uint16_t weight(void) {
    return standards_plan_at(&judging_plans(judging)[0], 20261201)->items[0].weight;
}

#define WEIGHT(n) "standards/all.yaml", "weight: 1", "weight: " n

// ------------------------------------------------------------------ the folder

Test(judging, a_folder_is_known_at_once_and_asks_no_store) {
    begin(STANDARDS_OF_FOLDER);
    cr_assert(judging_known(judging));
    cr_assert(eq(str, (char *)judging_hash(judging), catalogue.hash_text));
    judging_store_up(judging, NULL);
    step_on();
    cr_assert(eq(int, asked.count, 0));
    cr_assert(eq(u64, judging_deadline_ms(judging), DEADLINE_NEVER));
    end();
}

Test(judging, a_reload_takes_up_the_whole_folder) {
    begin(STANDARDS_OF_FOLDER);
    edit(WEIGHT("7"));
    judging_reload(judging);
    cr_assert(eq(int, weight(), 1), "not before all is loaded");
    step_on();
    cr_assert(eq(int, weight(), 7));
    cr_assert(ne(str, (char *)judging_hash(judging), catalogue.hash_text));
    cr_assert(eq(str, (char *)judging_trouble(judging), ""));
    cr_assert(eq(int, changes, 1));
    end();
}

// One mistake in one of several files: nothing of all is taken, and the worker says why.
Test(judging, a_reload_with_one_bad_file_keeps_all_that_was) {
    begin(STANDARDS_OF_FOLDER);
    edit(WEIGHT("7"));
    edit("norms.yaml", "value: respect", "value: respekt");
    judging_reload(judging);
    step_on();
    cr_assert(eq(int, weight(), 1));
    cr_assert(eq(str, (char *)judging_hash(judging), catalogue.hash_text));
    cr_assert(in_trouble("kept: norms.yaml:1:24: value respekt is not in"));
    cr_assert(judging_known(judging));
    edit("norms.yaml", "value: respekt", "value: respect");
    judging_reload(judging);
    step_on();
    cr_assert(eq(int, weight(), 7));
    cr_assert(eq(str, (char *)judging_trouble(judging), ""));
    end();
}

// Gateways and counters are told to the store when the worker starts.
Test(judging, other_branches_need_a_restart) {
    begin(STANDARDS_OF_FOLDER);
    edit(WEIGHT("7"));
    edit("branches/rom.yaml", "name: Rom", "name: Roma");
    judging_reload(judging);
    step_on();
    cr_assert(eq(int, weight(), 1));
    cr_assert(in_trouble("restart this worker"));
    end();
}

Test(judging, what_judged_an_encounter_lives_until_it_is_let_go) {
    begin(STANDARDS_OF_FOLDER);
    struct judged_by *held = judging_hold(judging);
    edit(WEIGHT("7"));
    judging_reload(judging);
    step_on();
    struct judged_by *second = judging_hold(judging);
    const struct standards_plan *plans = judging_plans(judging);
    edit("standards/all.yaml", "weight: 7", "weight: 8");
    judging_reload(judging);
    step_on();
    cr_assert(eq(int, weight(), 8));
    cr_assert(eq(int, standards_plan_at(&plans[0], 20261201)->items[0].weight, 7));
    judging_release(held);
    judging_release(second);
    end();
}

// A worker goes on with its work while it loads.
Test(judging, loading_takes_a_few_milliseconds_a_turn) {
    begin(STANDARDS_OF_FOLDER);
    edit(WEIGHT("7"));
    tick_ms = 3;
    judging_reload(judging);
    cr_assert(eq(u64, judging_deadline_ms(judging), 0), "at once");
    judging_step(judging);
    cr_assert(eq(int, weight(), 1));
    cr_assert(gt(int, step_on(), 1));
    cr_assert(eq(int, weight(), 7));
    end();
}

// ------------------------------------------------------------------ what is published

Test(judging, nothing_is_judged_before_the_store_has_said_what_is_published) {
    begin(STANDARDS_PUBLISHED);
    cr_assert(not(judging_known(judging)));
    judging_step(judging);
    cr_assert(eq(int, asked.count, 0), "there is no store yet");
    judging_store_up(judging, NULL);
    end();
}

Test(judging, where_nothing_is_published_the_folder_holds) {
    struct store *store = (struct store *)&asked;
    begin(STANDARDS_PUBLISHED);
    judging_store_up(judging, store);
    step_on();
    cr_assert(eq(int, asked.count, 1));
    cr_assert(eq(str, asked.known, ""));
    answer(REDIS_CLASS_OK, "", "");
    cr_assert(judging_known(judging));
    cr_assert(eq(int, changes, 1));
    cr_assert(eq(str, (char *)judging_hash(judging), catalogue.hash_text));
    cr_assert(eq(int, asked.restored, 0));
    cr_assert(eq(u64, judging_deadline_ms(judging) - now_ms, POLL_MS));
    end();
}

Test(judging, a_store_that_fails_is_asked_again_soon) {
    struct store *store = (struct store *)&asked;
    begin(STANDARDS_PUBLISHED);
    store_full = true;
    judging_store_up(judging, store);
    judging_step(judging);
    cr_assert(eq(u64, judging_deadline_ms(judging) - now_ms, SOON_MS));
    store_full = false;
    now_ms += SOON_MS;
    step_on();
    answer(REDIS_CLASS_LATER, "", "");
    cr_assert(not(judging_known(judging)));
    cr_assert(eq(u64, judging_deadline_ms(judging) - now_ms, SOON_MS));
    now_ms += SOON_MS - 1;
    judging_step(judging);
    cr_assert(eq(int, asked.count, 1));
    now_ms++;
    judging_step(judging);
    cr_assert(eq(int, asked.count, 2));
    end();
}

/// A worker to which the store has just said what is published, weight 7; the hash of it.
static void begin_answered(char *hash) {
    begin(STANDARDS_PUBLISHED);
    edit(WEIGHT("7"));
    char *text = published_folder();
    sha256_text(bytes_of_text(text), hash);
    judging_store_up(judging, (struct store *)&asked);
    step_on();
    answer_text(text);
    free(text);
}

Test(judging, what_is_published_is_taken_up_and_asked_for_by_its_hash) {
    char hash[SET_HASH_TEXT_SIZE];
    begin_answered(hash);
    cr_assert(not(judging_known(judging)), "it has to be loaded first");
    step_on();
    cr_assert(judging_known(judging));
    cr_assert(eq(int, weight(), 7));
    now_ms += POLL_MS;
    judging_step(judging);
    cr_assert(eq(str, asked.known, hash));
    answer(REDIS_CLASS_OK, hash, ""); // it is what was known
    step_on();
    cr_assert(eq(int, changes, 1));
    end();
}

// Nothing is wrong with it: without the next look a worker that knows none would wait for ever.
Test(judging, what_there_was_no_memory_for_is_brought_again) {
    char hash[SET_HASH_TEXT_SIZE];
    no_memory = true;
    begin_answered(hash);
    cr_assert(in_trouble("out of memory"));
    cr_assert(not(judging_known(judging)));
    no_memory = false;
    now_ms += SOON_MS;
    judging_step(judging);
    cr_assert(asked.open);
    cr_assert(eq(str, asked.known, ""));
    char *text = published_folder();
    answer_text(text);
    free(text);
    step_on();
    cr_assert(judging_known(judging));
    cr_assert(eq(int, weight(), 7));
    cr_assert(eq(str, (char *)judging_trouble(judging), ""));
    end();
}

// What was heard is not asked for again and again; the old standards and the reason stay.
Test(judging, a_bad_publication_is_kept_off) {
    struct store *store = (struct store *)&asked;
    begin(STANDARDS_PUBLISHED);
    edit(WEIGHT("7"));
    char *good = published_folder();
    edit("standards/all.yaml", "weight: 7", "weight: 0");
    char *bad = published_folder();
    const struct {
        const char *text, *says;
    } refused[] = {{bad, "standards/all.yaml:"},
                   {"{", "no JSON"},
                   {"{\"version\": 2}", "published by a newer Tresen"},
                   {"{\"version\": 1, \"editions\": [{}]}", "an edition is damaged"}};
    judging_store_up(judging, store);
    step_on();
    answer_text(good);
    step_on();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char hash[SET_HASH_TEXT_SIZE];
        sha256_text(bytes_of_text(refused[i].text), hash);
        now_ms += POLL_MS;
        judging_step(judging);
        answer_text(refused[i].text);
        step_on();
        cr_assert(eq(int, weight(), 7));
        cr_assert(in_trouble(refused[i].says));
        now_ms += POLL_MS;
        judging_step(judging);
        cr_assert(eq(str, asked.known, hash));
        answer(REDIS_CLASS_OK, hash, "");
        cr_assert(in_trouble(refused[i].says));
    }
    now_ms += POLL_MS; // the good ones again
    judging_step(judging);
    answer_text(good);
    step_on();
    cr_assert(eq(str, (char *)judging_trouble(judging), ""));
    free(good);
    free(bad);
    end();
}

// The text is not what the hash says: somebody wrote into Redis by hand.
Test(judging, a_text_of_another_hash_is_kept_off) {
    struct store *store = (struct store *)&asked;
    begin(STANDARDS_PUBLISHED);
    char *text = published_folder();
    judging_store_up(judging, store);
    step_on();
    answer(REDIS_CLASS_OK, "0123456789abcdef", text);
    step_on();
    cr_assert(not(judging_known(judging)));
    cr_assert(in_trouble("standards: none kept: "));
    cr_assert(in_trouble("another hash than it says"));
    free(text);
    end();
}

// All that a worker holds that matters: where Redis has lost what is published, it goes back.
Test(judging, what_a_redis_has_lost_is_put_back) {
    char hash[SET_HASH_TEXT_SIZE];
    begin_answered(hash);
    step_on();
    now_ms += POLL_MS;
    judging_step(judging);
    answer(REDIS_CLASS_OK, "", "");
    cr_assert(eq(int, asked.restored, 1));
    cr_assert(eq(str, asked.restored_hash, hash));
    cr_assert(eq(int, weight(), 7));
    end();
}

// What is loaded when another is published is dropped, not finished first.
Test(judging, the_newest_publication_wins) {
    struct store *store = (struct store *)&asked;
    begin(STANDARDS_PUBLISHED);
    edit(WEIGHT("7"));
    char *first = published_folder();
    edit("standards/all.yaml", "weight: 7", "weight: 8");
    char *second = published_folder();
    judging_store_up(judging, store);
    step_on();
    answer_text(first);
    judging_reload(judging); // SIGHUP while it loads
    cr_assert(eq(str, asked.known, ""));
    answer_text(second);
    step_on();
    cr_assert(eq(int, weight(), 8));
    cr_assert(eq(int, changes, 1));
    free(first);
    free(second);
    end();
}
