// The whole gateway program against a broker and store of a few lines: what it must deliver, in
// which order, and when it must stop. The recording is made up here.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/registry/keys.h"
#include "common/wire/body.h"
#include "common/wire/message.h"
#include "tests/unit/gateway_shell/schema_1.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINES = 2000, DEADLINE_MS = 20000 };

static const struct measure distance = {.id = {"distance.client"},
                                        .kind = MEASURE_SAMPLES,
                                        .resolution = 0.01,
                                        .most = 20,
                                        .legal = LEGAL_P1};
static struct measure catalogue[1];
static const struct measures measures = {1, catalogue};

static char folder[40], endpoint[160], config[80];
static struct loop *loop;
static struct bus *bus;
static struct bus_socket *door;
static struct arena arena;
static pid_t child;

/// The store: applies what is next, counts what it has applied.
static struct {
    uint64_t epoch, number;
    struct tag tag;
    struct tag tags[4096];                                     // of what it has applied
    uint32_t observations[4096], births[4096], goodbyes[4096]; // by number
    uint64_t asked, batches, duplicates, lost, held;
    int64_t watermark;
    bool ended, watermark_fell;
    bool plain_start; // number 0 has no tag, as the first stores had it
    uint32_t later;   // so many batches are told to come back
} store;

static uint64_t until_number;
static bool (*done)(void);
static bool timed_out;
static const char *expected_user; // NULL: a plain socket

static void count_body(uint64_t number, struct bytes body) {
    struct batch batch;
    struct body_oddities oddities = {0};
    struct problem problem = {0};
    arena_reset(&arena);
    enum err err = body_decode(body, &measures, &arena, &batch, &oddities, &problem);
    cr_assert(eq(int, err, ERR_NONE), "%s", problem.text);
    store.observations[number] = store.births[number] = store.goodbyes[number] = 0;
    for (size_t i = 0; i < batch.series_count; i++)
        store.observations[number] += (uint32_t)batch.series[i].columns.count;
    for (size_t i = 0; i < batch.fact_count; i++) {
        store.births[number] += batch.facts[i].kind == FACT_BIRTH;
        store.goodbyes[number] += batch.facts[i].kind == FACT_GOODBYE;
    }
    if (batch.watermark_ms < store.watermark) store.watermark_fell = true;
    store.watermark = batch.watermark_ms;
}

static void answer(struct bus_peer peer, const struct message *to, enum answer_status status) {
    struct message message = {.type = MESSAGE_ANSWER,
                              .session = to->session,
                              .status = status,
                              .position = {store.epoch, store.number, store.tag},
                              .window = 8,
                              .wait_ms = 20};
    struct buffer frame;
    buffer_init(&frame, FRAME_MAX);
    cr_assert(eq(int, message_encode(&message, &frame), ERR_NONE));
    enum err err = bus_send(door, peer, buffer_bytes(&frame));
    buffer_fini(&frame);
    cr_assert(err == ERR_NONE || err == ERR_MISSING, "%s", err_name(err)); // it may be killed
}

static void on_batch(struct bus_peer peer, const struct message *m) {
    uint64_t number = m->position.number;
    cr_assert(eq(u64, m->position.epoch, store.epoch));
    cr_assert(lt(u64, number, 4096));
    store.batches++;
    if (store.later && store.later--) {
        answer(peer, m, ANSWER_LATER);
        return;
    }
    bool over = m->lost && m->lost == store.number + 1 && number > m->lost;
    if (number == store.number + 1 || over) {
        if (over) store.lost += number - m->lost;
        count_body(number, m->body);
        cr_assert(tag_follows(m->position.tag, store.tag), "batch %lu", (unsigned long)number);
        store.number = number;
        store.tag = store.tags[number] = m->position.tag;
        answer(peer, m, ANSWER_APPLIED);
    } else if (number <= store.number) {
        store.duplicates++;
        answer(peer, m, ANSWER_APPLIED);
    } else {
        answer(peer, m, ANSWER_GAP);
    }
}

static void on_message(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    (void)context;
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem = {0};
    enum err err;
    while ((err = message_decode(&reader, &message, &problem)) != ERR_END) {
        cr_assert(eq(int, err, ERR_NONE), "%s", problem.text);
        if (expected_user) // told by the key, never by the message
            cr_assert(user && !strcmp(user, expected_user) && !message.as.size);
        else
            cr_assert(eq(sz, message.as.size, strlen("gateway.musterstadt.floor")));
        if (message.type == MESSAGE_ASK) {
            store.asked++;
            store.ended = message.ended;
            store.held = message.held;
            if (!store.number && !store.plain_start) store.tag = tag_start(&message.spool);
            if (!store.epoch) store.epoch = message.position.epoch ? message.position.epoch : 1;
            answer(peer, &message, ANSWER_APPLIED);
        } else {
            cr_assert(eq(int, message.type, MESSAGE_BATCH));
            on_batch(peer, &message);
        }
    }
}

static void on_turn(void *context) {
    (void)context;
    if (done && done()) loop_stop(loop);
}

static void on_timer(void *context) {
    (void)context;
    timed_out = true;
    loop_stop(loop);
}

static void run_until(bool (*condition)(void)) {
    done = condition;
    timed_out = false;
    loop_timer_set(loop, clock_monotonic_ms() + DEADLINE_MS);
    loop_run(loop);
    cr_assert_not(timed_out, "position %lu, %lu batches", (unsigned long)store.number,
                  (unsigned long)store.batches);
}

// ------------------------------------------------------------------ the gateway's process

static void put_file(const char *name, const char *text, size_t size) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    fwrite(text, 1, size, file);
    fclose(file);
}

static void put_recording(int lines) {
    char *text = malloc((size_t)lines * 128), *at = text;
    for (int i = 0; i < lines; i++)
        at += sprintf(at,
                      "{\"t\": %lld, \"measure\": \"distance.client\", \"counter\": \"desk-%d\", "
                      "\"value\": %d.%02d}\n",
                      1795392000000LL + i * 40LL, 1 + i % 4, 1 + i % 3, i % 100);
    put_file("floor.jsonl", text, (size_t)(at - text));
    free(text);
}

static void put_config(const char *more) {
    char text[1024];
    int size = snprintf(text, sizeof text,
                        "branch: musterstadt\ngateway: floor\nconfig_dir: %s\n"
                        "brokers: [\"%s\"]\nspool: spool\npseudonym_key: key\n"
                        "batch_observations: 20\nbatch_linger_ms: 20\nheld_max: 12\n"
                        "commit_batches: 4\nidle_ask_ms: 100\nanswer_timeout_ms: 1000\n"
                        "spool_full_sync: false\n%s\ndrivers:\n"
                        "  - driver: jsonl\n    path: floor.jsonl\n",
                        TRESEN_CONFIG_DIR, endpoint, more);
    put_file("gateway.yaml", text, (size_t)size);
}

static void start(const char *option) {
    child = fork();
    if (child) return;
    char path[96];
    snprintf(path, sizeof path, "%s/gateway.log", folder);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log < 0 || dup2(log, 2) < 0 || chdir(folder) != 0) _exit(126);
    execl(TRESEN_GATEWAY, TRESEN_GATEWAY, "--config", config, option, (char *)NULL);
    _exit(127);
}

static int status_of_end(void) {
    int status;
    waitpid(child, &status, 0);
    child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int wait_end(void) {
    siginfo_t info = {0};
    for (uint64_t until = clock_monotonic_ms() + DEADLINE_MS; clock_monotonic_ms() < until;) {
        if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
            return status_of_end();
        done = NULL;
        loop_timer_set(loop, clock_monotonic_ms() + 5); // serve it meanwhile
        loop_run(loop);
    }
    cr_assert(false, "the gateway does not end");
    return -1;
}

static uint64_t total(const uint32_t *by_number) {
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= store.number; i++)
        sum += by_number[i];
    return sum;
}

static void begin(void) {
    catalogue[0] = distance;
    memset(&store, 0, sizeof store);
    store.watermark = TIME_NONE;
    strcpy(folder, "/tmp/tresen-gw-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/broker", folder);
    snprintf(config, sizeof config, "%s/gateway.yaml", folder);
    put_recording(LINES);
    put_config("exit_at_end: true");
    cr_assert(eq(int, arena_init(&arena, BODY_ARENA_SIZE), ERR_NONE));
    cr_assert(eq(int, loop_new(&loop), ERR_NONE));
    cr_assert(eq(int, bus_new(loop, &bus), ERR_NONE));
    struct bus_security security = {0};
    struct bus_settings settings = bus_settings_default();
    struct bus_handlers handlers = {.message = on_message};
    struct problem problem = {0};
    cr_assert(eq(int, bus_bind(bus, endpoint, &security, &settings, &handlers, &door, &problem),
                 ERR_NONE),
              "%s", problem.text);
    loop_handle(loop, &(struct loop_handlers){.turn = on_turn, .timer = on_timer});
}

static void end(void) {
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    bus_close(door);
    bus_free(bus);
    loop_free(loop);
    arena_fini(&arena);
    static const char *const names[] = {"gateway.yaml",
                                        "floor.jsonl",
                                        "gateway.log",
                                        "key",
                                        "spool",
                                        "spool-wal",
                                        "broker",
                                        "keys/broker.pub",
                                        "keys/broker.key",
                                        "keys/gateway.musterstadt.floor.pub",
                                        "keys/gateway.musterstadt.floor.key"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    char keys[64];
    snprintf(keys, sizeof keys, "%s/keys", folder);
    rmdir(keys);
    rmdir(folder);
}

TestSuite(gateway, .init = begin, .fini = end);

static bool at_number(void) {
    return store.number >= until_number;
}

static bool at_goodbye(void) {
    return store.number && store.goodbyes[store.number];
}

// ------------------------------------------------------------------ the rules

Test(gateway, plays_a_recording_once_and_completely) {
    start(NULL);
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, total(store.observations), LINES));
    cr_assert(eq(u32, store.births[1], 1));
    cr_assert(eq(u64, total(store.births), 1));
    cr_assert(eq(u32, store.goodbyes[store.number], 1));
    cr_assert(eq(u64, store.lost, 0));
    cr_assert(eq(u64, store.held, 0)); // the last that anybody hears of it
    cr_assert_not(store.watermark_fell);

    uint64_t last = store.number, batches = store.batches;
    start(NULL); // nothing is left to say
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, store.number, last));
    cr_assert(eq(u64, store.batches, batches));
}

// Killed at any moment, nothing is missing and nothing is numbered twice.
Test(gateway, killed_again_and_again_it_delivers_the_same) {
    for (int i = 1; i <= 10; i++) {
        start(NULL);
        until_number = (uint64_t)i * 9;
        run_until(at_number);
        kill(child, SIGKILL);
        cr_assert(eq(int, status_of_end(), -SIGKILL));
    }
    start(NULL);
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, total(store.observations), LINES));
    cr_assert(eq(u64, total(store.births), 1));
    cr_assert(eq(u64, total(store.goodbyes), 1));
    cr_assert_not(store.watermark_fell);
}

Test(gateway, brings_a_store_forward_that_fell_back) {
    put_config("exit_at_end: false");
    start(NULL);
    run_until(at_goodbye);
    until_number = store.number;
    for (uint64_t back = 3;; back = 0) { // a failover; then an emptied store
        store.number = back;
        store.tag = store.tags[back];
        if (!back) store.epoch = 0;
        run_until(at_number);
        cr_assert(eq(u64, total(store.observations), LINES));
        cr_assert(eq(u64, store.number, until_number));
        if (!back) break;
    }
    kill(child, SIGTERM);
    cr_assert(eq(int, wait_end(), 0));
}

Test(gateway, told_to_come_later_it_comes_later) {
    store.later = 5;
    start(NULL);
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, total(store.observations), LINES));
}

/// The gateway is updated while the store, with what the old one sent, stands there.
static void go_on_from(const char *spool, uint64_t number, struct tag tag) {
    char path[96];
    snprintf(path, sizeof path, "%s/spool", folder);
    sqlite3 *database;
    sqlite3_open(path, &database);
    cr_assert(eq(int, sqlite3_exec(database, spool, NULL, NULL, NULL), SQLITE_OK));
    sqlite3_close(database);
    store.epoch = 3;
    store.number = number;
    store.tag = tag;
    start(NULL);
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, store.lost, 0));
    cr_assert(eq(u64, total(store.observations), LINES));
    cr_assert(gt(u64, store.number, 6));
}

Test(gateway, goes_on_with_the_spool_of_an_earlier_program) {
    go_on_from(half_applied, 4, (struct tag){{0xf9, 0x7f, 0x1c, 0x0a, 0x4d, 0xf5, 0x2f, 0x56}});
}

// What the first batch held follows, the old program had removed.
Test(gateway, goes_on_behind_what_only_the_store_knows) {
    go_on_from(half_applied, 2, (struct tag){{0xf9, 0x7f, 0x1c, 0x0a, 0x27, 0x3c, 0x23, 0xbc}});
}

Test(gateway, goes_on_with_an_empty_spool_of_an_earlier_program) {
    go_on_from(all_gone, 6, (struct tag){{0x77, 0xd0, 0x09, 0x6e, 0x16, 0xfd, 0xcc, 0x2e}});
}

Test(gateway, goes_on_with_a_store_that_has_nothing_of_an_earlier_program) {
    store.plain_start = true;
    go_on_from(first_program, 0, (struct tag){{0}});
}

// Another tag under its own number: a second machine runs on a copy of this spool.
Test(gateway, a_clone_stops_at_the_first_answer) {
    put_config("exit_at_end: false");
    start(NULL);
    run_until(at_goodbye);
    store.tag.bytes[TAG_MARK] ^= 1;
    cr_assert(eq(int, wait_end(), 78));
}

Test(gateway, with_a_new_spool_it_tells_everything_again) {
    start(NULL);
    cr_assert(eq(int, wait_end(), 0));
    uint64_t last = store.number;
    memset(&store, 0, sizeof store);
    store.watermark = TIME_NONE;
    store.epoch = 2;
    start("--new-spool");
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, store.number, last));
    cr_assert(eq(u64, total(store.observations), LINES));
}

// The store is the slower one: a recording must not be spooled far ahead of it.
Test(gateway, a_recording_waits_for_the_store) {
    put_config("exit_at_end: false");
    bus_close(door);
    door = NULL;
    start(NULL);
    char path[96];
    snprintf(path, sizeof path, "%s/gateway.log", folder);
    for (uint64_t until = clock_monotonic_ms() + 400; clock_monotonic_ms() < until;) {
        done = NULL;
        loop_timer_set(loop, until);
        loop_run(loop);
    }
    kill(child, SIGTERM);
    cr_assert(eq(int, wait_end(), 0));
    FILE *log = fopen(path, "r");
    char line[1024];
    unsigned long last = 0, value;
    while (fgets(line, sizeof line, log)) {
        const char *at = strstr(line, "event=status");
        at = at ? strstr(at, "last=") : NULL;
        if (at && sscanf(at, "last=%lu", &value) == 1) last = value;
    }
    fclose(log);
    cr_assert(gt(u64, last, 4));
    cr_assert(le(u64, last, 12 + 4 + 2));
}

// Who speaks is what the key says; the gateway's key is its own, the broker's is known to it.
Test(gateway, speaks_under_its_key) {
    char keys[64], broker_public[KEY_TEXT_SIZE], secret[KEY_TEXT_SIZE];
    snprintf(keys, sizeof keys, "%s/keys", folder);
    cr_assert(eq(int, mkdir(keys, 0700), 0));
    struct problem problem = {0};
    struct curve_user user = {.name = "gateway.musterstadt.floor"};
    cr_assert(eq(int, key_make(keys, user.name, user.key.text, &problem), ERR_NONE));
    cr_assert(eq(int, key_make(keys, "broker", broker_public, &problem), ERR_NONE));
    cr_assert(eq(int, key_read_secret(keys, "broker", secret, broker_public, &problem), ERR_NONE));
    cr_assert(eq(int, curve_users_set(bus, &user, 1, &problem), ERR_NONE));

    bus_close(door);
    struct bus_security security = {0};
    cr_assert(curve_key_set(&security.secret_key, secret, strlen(secret)));
    struct bus_settings settings = bus_settings_default();
    struct bus_handlers handlers = {.message = on_message};
    cr_assert(
        eq(int,
           bus_bind(bus, "tcp://127.0.0.1:*", &security, &settings, &handlers, &door, &problem),
           ERR_NONE),
        "%s", problem.text);
    snprintf(endpoint, sizeof endpoint, "%s", bus_socket_endpoint(door));
    expected_user = user.name;
    put_config("exit_at_end: true\nkeys_dir: keys");
    start(NULL);
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, total(store.observations), LINES));
}

// A broker that is gone for good must not take the branch with it.
Test(gateway, tries_the_next_broker) {
    char both[240];
    snprintf(both, sizeof both, "ipc://%s/nobody\", \"%s", folder, endpoint);
    snprintf(endpoint, sizeof endpoint, "%.*s", (int)sizeof endpoint - 1, both);
    put_config("exit_at_end: true");
    start(NULL);
    cr_assert(eq(int, wait_end(), 0));
    cr_assert(eq(u64, total(store.observations), LINES));
}
