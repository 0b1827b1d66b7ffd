// A real broker with real sockets, and gateways, workers and tresenctl of a few lines each.

#include "broker/shell/broker_shell.h"
#include "common/io/bus.h"
#include "common/wire/message.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, HEARD_MAX = 512 };

struct peer_end {
    struct scene *scene;
    struct bus_socket *socket;
    const char *as;
    bool answers;        // a worker that does its jobs at once
    const char *refuses; // or refuses them, for this reason
    bool emptied;        // or says that the store has nothing at all
    bool connected;
    size_t frames, heard_count;
    struct message heard[HEARD_MAX];
    char reason[REASON_MAX + 1]; // of the last refusal
    json_t *status;
};

struct scene {
    struct loop *loop;
    struct broker *broker;
    struct bus *bus;
    struct branches branches;
    struct broker_settings settings;
    char control[64];
    uv_timer_t watchdog;
    bool (*until)(struct scene *);
    struct peer_end worker, gateway, other, control_end;
};

static const char registry[] = "branch: musterstadt\nname: Musterstadt\nregion: north\n"
                               "country: DE\nzone: Europe/Berlin\ncounters: [desk-1]\n"
                               "gateways: [{gateway: desk, opens: true}, {gateway: floor, "
                               "opens: false}]\n";

static void say(struct peer_end *end, struct message message) {
    struct buffer out;
    buffer_init(&out, FRAME_MAX);
    if (end->as) message.as = bytes_of_text(end->as);
    cr_assert(eq(int, message_encode(&message, &out), ERR_NONE));
    cr_assert(eq(int, bus_send(end->socket, BUS_BROKER, buffer_bytes(&out)), ERR_NONE));
    buffer_fini(&out);
}

static void do_job(struct peer_end *worker, const struct message *job) {
    uint8_t id[8];
    for (int i = 0; i < 8; i++)
        id[i] = (uint8_t)(job->job >> 8 * i);
    struct message done = {.type = MESSAGE_DONE,
                           .jobs = {id, 8},
                           .job_count = 1,
                           .session = job->session,
                           .status = ANSWER_APPLIED,
                           .position = job->position,
                           .due_ms = -1};
    if (job->what == JOB_ASK) done.position = (struct position){.epoch = 1};
    if (worker->refuses) {
        done.status = ANSWER_REFUSED;
        done.reason = bytes_of_text(worker->refuses);
    }
    if (worker->emptied) {
        done.status = ANSWER_GAP;
        done.position = (struct position){0};
    }
    say(worker, done);
}

static void hear(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    struct peer_end *end = context;
    struct reader reader = reader_of(frame);
    struct problem problem;
    struct message message;
    (void)peer;
    (void)user;
    end->frames++;
    while (message_decode(&reader, &message, &problem) == ERR_NONE) {
        if (message.type == MESSAGE_JOB && end->answers) do_job(end, &message);
        if (message.type == MESSAGE_REFUSED)
            snprintf(end->reason, sizeof end->reason, "%.*s", (int)message.reason.size,
                     (const char *)message.reason.data);
        if (message.type == MESSAGE_STATUS) {
            json_decref(end->status);
            end->status = json_loadb((const char *)message.body.data, message.body.size, 0, NULL);
        }
        if (end->heard_count < HEARD_MAX) end->heard[end->heard_count++] = message;
    }
    if (end->scene->until(end->scene)) loop_stop(end->scene->loop);
}

static void up(void *context) {
    struct peer_end *end = context;
    end->connected = true;
    if (end->scene->until(end->scene)) loop_stop(end->scene->loop);
}

static void too_late(uv_timer_t *timer) {
    (void)timer;
    cr_assert(false, "nothing more happened");
}

static void run_until(struct scene *scene, bool (*until)(struct scene *)) {
    scene->until = until;
    if (until(scene)) return;
    uv_timer_start(&scene->watchdog, too_late, DEADLINE_MS, 0);
    loop_run(scene->loop);
    uv_timer_stop(&scene->watchdog);
}

static void join(struct scene *scene, struct peer_end *end, const char *endpoint, const char *as) {
    struct problem problem;
    struct bus_security security = {.insecure = true};
    struct bus_settings settings = bus_settings_default();
    struct bus_handlers handlers = {.context = end, .message = hear, .connected = up};
    *end = (struct peer_end){.scene = scene, .as = as};
    enum err err =
        bus_connect(scene->bus, endpoint, &security, &settings, &handlers, &end->socket, &problem);
    cr_assert(eq(int, err, ERR_NONE), "%s", problem.text);
}

static bool all_up(struct scene *s) {
    return s->worker.connected && s->gateway.connected && s->control_end.connected;
}
static bool settle_done(struct scene *s) {
    return s->worker.heard_count >= 1;
}

static struct scene *scene_open_silence(uint64_t worker_silence_ms) {
    struct scene *s = calloc(1, sizeof *s);
    struct problem problem = {0};
    struct problems problems = {0};
    struct settings_table table = {broker_settings, &s->settings};
    cr_assert(settings_read(NULL, &table, 1, &problems));
    s->settings.insecure = true;
    s->settings.window = 64;
    s->settings.worker_silence_ms = worker_silence_ms;
    strcpy(s->settings.gateways_endpoint, "tcp://127.0.0.1:*");
    strcpy(s->settings.workers_endpoint, "tcp://127.0.0.1:*");
    snprintf(s->settings.control_endpoint, sizeof s->settings.control_endpoint,
             "ipc:///tmp/tresen-broker-test-%d", getpid());
    struct document *document = document_parse("test", bytes_of_text(registry), &problems);
    const struct node *root = document_root(document);
    cr_assert(branches_read(&root, 1, &s->branches, &problems), "%s", problems.items[0].text);
    document_free(document);
    cr_assert(eq(int, loop_new(&s->loop), ERR_NONE));
    enum err err = broker_new(s->loop, &s->settings, &s->branches, &s->broker, &problem);
    cr_assert(eq(int, err, ERR_NONE), "%s", problem.text);
    cr_assert(eq(int, bus_new(s->loop, &s->bus), ERR_NONE));
    uv_timer_init(loop_uv(s->loop), &s->watchdog);
    join(s, &s->worker, broker_workers_endpoint(s->broker), "worker.w1");
    join(s, &s->gateway, broker_gateways_endpoint(s->broker), "gateway.musterstadt.desk");
    join(s, &s->control_end, s->settings.control_endpoint, NULL);
    run_until(s, all_up);
    return s;
}

static struct scene *scene_open(void) {
    return scene_open_silence(60000); // the workers of most tests have no heartbeat
}

static void scene_close(struct scene *s) {
    json_decref(s->control_end.status);
    bus_free(s->bus);
    broker_free(s->broker);
    uv_close((uv_handle_t *)&s->watchdog, NULL);
    loop_free(s->loop);
    branches_free(&s->branches);
    unlink(s->settings.control_endpoint + strlen("ipc://"));
    free(s);
}

/// A worker that does everything, past the settle job of the start.
static void worker_begins(struct scene *s) {
    struct message ready = {.type = MESSAGE_READY, .credit = 256, .set = bytes_of_text("abc")};
    id_set(&ready.worker, "w1", 2);
    s->worker.answers = true;
    say(&s->worker, ready);
    run_until(s, settle_done);
}

static struct message ask_of(uint64_t session) {
    return (struct message){.type = MESSAGE_ASK,
                            .session = session,
                            .spool = {{1, 2, 3}},
                            .has_spool = true,
                            .held = 3,
                            .dropped = 2,
                            .left_out = 1,
                            .oldest_ms = TIME_NONE};
}

static struct message batch_of(uint64_t session, uint64_t number) {
    return (struct message){.type = MESSAGE_BATCH,
                            .session = session,
                            .position = {1, number, {{(uint8_t)number}}},
                            .body = bytes_of_text("a body that only passes through")};
}

static bool gateway_heard(struct scene *s) {
    return s->gateway.heard_count >= 1;
}
static bool gateway_answered_all(struct scene *s) {
    return s->gateway.heard_count &&
           s->gateway.heard[s->gateway.heard_count - 1].position.number == 50;
}
static bool gateway_refused(struct scene *s) {
    return s->gateway.reason[0];
}
static bool worker_refused(struct scene *s) {
    return s->worker.reason[0];
}
static bool control_heard(struct scene *s) {
    return s->control_end.heard_count >= 1;
}

// The whole way of a batch, through all sockets.
Test(broker_shell, a_batch_goes_to_the_worker_and_its_answer_back) {
    struct scene *s = scene_open();
    worker_begins(s);
    say(&s->gateway, ask_of(4));
    run_until(s, gateway_heard);
    const struct message *answer = &s->gateway.heard[0];
    cr_assert(eq(int, answer->type, MESSAGE_ANSWER));
    cr_assert(eq(u64, answer->session, 4));
    cr_assert(eq(u64, answer->position.epoch, 1));
    cr_assert(eq(u32, answer->window, 8));
    s->gateway.heard_count = s->worker.frames = s->worker.heard_count = 0;
    for (uint64_t n = 1; n <= 50; n++)
        say(&s->gateway, batch_of(4, n));
    run_until(s, gateway_answered_all);
    cr_assert(eq(sz, s->worker.heard_count, 50));
    cr_assert(s->worker.frames < 50, "several jobs travel in one frame");
    cr_assert(s->gateway.frames < 51);
    for (size_t i = 0; i < 50; i++) {
        const struct message *job = &s->worker.heard[i];
        cr_assert(eq(u64, job->position.number, i + 1));
        cr_assert(eq(str, (char *)job->gateway.text, "desk"));
        cr_assert(eq(str, (char *)job->branch.text, "musterstadt"));
    }
    scene_close(s);
}

// An integrator must be told what is wrong, not be left with silence.
Test(broker_shell, what_is_not_understood_is_refused_with_the_reason) {
    struct scene *s = scene_open();
    static const uint8_t version_9[] = {0x82, 0xa1, 'v',  9,   0xa4, 't', 'y',
                                        'p',  'e',  0xa3, 'a', 's',  'k'};
    cr_assert(eq(
        int, bus_send(s->gateway.socket, BUS_BROKER, (struct bytes){version_9, sizeof version_9}),
        ERR_NONE));
    run_until(s, gateway_refused);
    cr_assert(strstr(s->gateway.reason, "version 9") != NULL, "%s", s->gateway.reason);
    s->gateway.reason[0] = '\0';
    cr_assert(eq(int, bus_send(s->gateway.socket, BUS_BROKER, bytes_of_text("garbage")), ERR_NONE));
    run_until(s, gateway_refused);
    s->gateway.reason[0] = '\0';
    s->gateway.as = "gateway.musterstadt.nobody";
    say(&s->gateway, ask_of(1));
    run_until(s, gateway_refused);
    cr_assert(strstr(s->gateway.reason, "config/branches") != NULL);
    s->worker.as = "worker.another";
    struct message ready = {.type = MESSAGE_READY, .credit = 1};
    id_set(&ready.worker, "w1", 2);
    say(&s->worker, ready);
    run_until(s, worker_refused);
    say(&s->control_end, (struct message){.type = MESSAGE_STATUS});
    run_until(s, control_heard);
    json_t *refused = json_object_get(s->control_end.status, "refused");
    cr_assert(eq(sz, json_array_size(refused), 4));
    scene_close(s);
}

// The position of an emptied store is one, too: the gateway must not hear where it stood before.
Test(broker_shell, an_emptied_store_has_its_position_passed_on) {
    struct scene *s = scene_open();
    worker_begins(s);
    say(&s->gateway, ask_of(1));
    run_until(s, gateway_heard);
    s->gateway.heard_count = 0;
    s->worker.emptied = true;
    say(&s->gateway, batch_of(1, 1));
    run_until(s, gateway_heard);
    cr_assert(eq(int, s->gateway.heard[0].status, ANSWER_GAP));
    cr_assert(eq(u64, s->gateway.heard[0].position.epoch, 0));
    scene_close(s);
}

static const json_t *rewind_of(struct scene *s) {
    s->control_end.heard_count = 0;
    say(&s->control_end, (struct message){.type = MESSAGE_STATUS});
    run_until(s, control_heard);
    json_t *gateway = json_array_get(json_object_get(s->control_end.status, "gateways"), 0);
    return json_object_get(gateway, "rewind");
}

// Somebody has rebuilt the branch, or Redis fell back: how long will it take?
Test(broker_shell, a_gateway_that_brings_again_what_the_store_lost_is_shown) {
    struct scene *s = scene_open();
    worker_begins(s);
    for (uint64_t n = 1; n <= 50; n++)
        say(&s->gateway, batch_of(4, n));
    run_until(s, gateway_answered_all);
    cr_assert(eq(int, json_typeof(rewind_of(s)), JSON_NULL));
    s->gateway.heard_count = 0;
    say(&s->gateway, ask_of(5)); // the store has nothing of it any more
    run_until(s, gateway_heard);
    s->gateway.heard_count = 0;
    say(&s->gateway, batch_of(5, 10));
    run_until(s, gateway_heard);
    const json_t *rewind = rewind_of(s);
    cr_assert(eq(llong, json_integer_value(json_object_get(rewind, "from")), 0));
    cr_assert(eq(llong, json_integer_value(json_object_get(rewind, "to")), 50));
    cr_assert(eq(llong, json_integer_value(json_object_get(rewind, "again")), 10));
    for (uint64_t n = 11; n <= 50; n++)
        say(&s->gateway, batch_of(5, n));
    run_until(s, gateway_answered_all);
    cr_assert(eq(int, json_typeof(rewind_of(s)), JSON_NULL));
    scene_close(s);
}

// A gateway whose batch is refused stands still until a person sees to it: who must be told where.
Test(broker_shell, a_gateway_whose_batch_a_worker_refuses_is_named) {
    struct scene *s = scene_open();
    worker_begins(s);
    s->worker.refuses = "counter desk-9 is not of this branch";
    say(&s->gateway, batch_of(1, 1));
    run_until(s, gateway_heard);
    cr_assert(eq(int, s->gateway.heard[0].status, ANSWER_REFUSED));
    say(&s->control_end, (struct message){.type = MESSAGE_STATUS});
    run_until(s, control_heard);
    const char *who = NULL, *reason = NULL;
    cr_assert(zero(int, json_unpack(s->control_end.status, "{s:[{s:s, s:s}]}", "refused", "who",
                                    &who, "reason", &reason)));
    cr_assert(eq(str, (char *)who, "gateway.musterstadt.desk"));
    cr_assert(eq(str, (char *)reason, (char *)s->worker.refuses));
    scene_close(s);
}

static bool other_up(struct scene *s) {
    return s->other.connected;
}
static bool other_heard(struct scene *s) {
    return s->other.heard_count >= 1;
}

// Of two processes with one name the newer one holds it; the older one is told.
Test(broker_shell, the_newest_connection_of_a_gateway_speaks_for_it) {
    struct scene *s = scene_open();
    worker_begins(s);
    say(&s->gateway, ask_of(9));
    run_until(s, gateway_heard);
    join(s, &s->other, broker_gateways_endpoint(s->broker), "gateway.musterstadt.desk");
    run_until(s, other_up);
    say(&s->other, ask_of(1)); // its sessions begin again
    run_until(s, other_heard);
    cr_assert(eq(int, s->other.heard[0].type, MESSAGE_ANSWER));
    say(&s->gateway, ask_of(10));
    run_until(s, gateway_refused);
    cr_assert(strstr(s->gateway.reason, "another process") != NULL);
    scene_close(s);
}

static bool worker_told_to_drain(struct scene *s) {
    for (size_t i = 0; i < s->worker.heard_count; i++)
        if (s->worker.heard[i].type == MESSAGE_DRAIN) return true;
    return false;
}

// Operations see who is there, and may send a worker away.
Test(broker_shell, status_names_everybody_and_drain_reaches_the_worker) {
    struct scene *s = scene_open();
    worker_begins(s);
    say(&s->gateway, ask_of(4));
    run_until(s, gateway_heard);
    say(&s->control_end, (struct message){.type = MESSAGE_STATUS});
    run_until(s, control_heard);
    const char *worker = NULL, *gateway = NULL, *set = NULL;
    int held = 0, dropped = 0, left_out = 0, connected = 0;
    cr_assert(zero(int, json_unpack(s->control_end.status,
                                    "{s:[{s:s, s:s}], s:[{s:s, s:b, s:{s:i, s:i, s:i}}, {}]}",
                                    "workers", "worker", &worker, "set", &set, "gateways",
                                    "gateway", &gateway, "connected", &connected, "report", "held",
                                    &held, "dropped", &dropped, "left_out", &left_out)));
    cr_assert(eq(str, (char *)worker, "w1"));
    cr_assert(eq(str, (char *)set, "abc"));
    cr_assert(eq(str, (char *)gateway, "desk"));
    cr_assert(eq(int, held, 3));
    cr_assert(eq(int, dropped, 2));
    cr_assert(eq(int, left_out, 1));
    cr_assert(eq(int, connected, 1));
    struct message drain = {.type = MESSAGE_DRAIN};
    id_set(&drain.worker, "w1", 2);
    say(&s->control_end, drain);
    run_until(s, worker_told_to_drain);
    scene_close(s);
}

static bool second_worker_has_it(struct scene *s) {
    return s->other.heard_count >= 1;
}

// A worker whose connection is gone takes no batch with it.
Test(broker_shell, the_batch_of_a_worker_that_went_away_goes_to_another) {
    struct scene *s = scene_open();
    worker_begins(s);
    s->worker.answers = false;
    s->worker.heard_count = 0;
    say(&s->gateway, batch_of(1, 1));
    run_until(s, settle_done); // the first worker has it
    struct message goodbye = {.type = MESSAGE_GOODBYE},
                   ready = {.type = MESSAGE_READY, .credit = 4};
    id_set(&goodbye.worker, "w1", 2);
    id_set(&ready.worker, "w2", 2);
    join(s, &s->other, broker_workers_endpoint(s->broker), "worker.w2");
    run_until(s, other_up);
    say(&s->other, ready);
    say(&s->worker, goodbye);
    run_until(s, second_worker_has_it);
    cr_assert(eq(int, s->other.heard[0].what, JOB_BATCH));
    cr_assert(eq(u64, s->other.heard[0].position.number, 1));
    scene_close(s);
}

static void beat(uv_timer_t *timer) {
    struct peer_end *end = timer->data;
    struct message ready = {.type = MESSAGE_READY, .credit = 4};
    id_set(&ready.worker, "w2", 2);
    if (end->connected) say(end, ready);
}

// Whether sending fails at once or nothing is heard any more: the batch finds another worker.
Test(broker_shell, the_batch_of_a_worker_that_crashed_goes_to_another) {
    struct scene *s = scene_open_silence(500);
    uv_timer_t beats;
    worker_begins(s);
    bus_close(s->worker.socket);
    say(&s->gateway, batch_of(1, 1));
    join(s, &s->other, broker_workers_endpoint(s->broker), "worker.w2");
    uv_timer_init(loop_uv(s->loop), &beats);
    beats.data = &s->other;
    uv_timer_start(&beats, beat, 0, 50);
    run_until(s, second_worker_has_it);
    cr_assert(eq(u64, s->other.heard[0].position.number, 1));
    uv_close((uv_handle_t *)&beats, NULL);
    uv_run(loop_uv(s->loop), UV_RUN_NOWAIT);
    scene_close(s);
}

static uint64_t next_random(uint64_t *seed) { // xorshift64*
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (*seed * UINT64_C(2685821657736338717)) >> 32;
}

/// A valid message with some bytes changed, and perhaps cut.
static void say_broken(struct peer_end *end, struct message message, uint64_t *seed) {
    struct buffer out;
    buffer_init(&out, FRAME_MAX);
    message.as = bytes_of_text(end->as ? end->as : "worker.w1");
    cr_assert(eq(int, message_encode(&message, &out), ERR_NONE));
    for (uint64_t n = 1 + next_random(seed) % 3; n > 0; n--)
        out.data[next_random(seed) % out.size] = (uint8_t)next_random(seed);
    size_t size = next_random(seed) % 4 ? out.size : 1 + next_random(seed) % out.size;
    cr_assert(eq(int, bus_send(end->socket, BUS_BROKER, (struct bytes){out.data, size}), ERR_NONE));
    buffer_fini(&out);
}

static bool asked_last_is_answered(struct scene *s) {
    for (size_t i = 0; i < s->gateway.heard_count; i++)
        if (s->gateway.heard[i].type == MESSAGE_ANSWER && s->gateway.heard[i].session == NUMBER_MAX)
            return true;
    return false;
}

// Whatever comes in at any door, the broker goes on serving.
Test(broker_shell, hostile_bytes_stop_nothing) {
    struct scene *s = scene_open();
    uint64_t seed = 42;
    worker_begins(s);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 20; i++) {
            uint8_t id[8] = {(uint8_t)next_random(&seed), (uint8_t)next_random(&seed)};
            struct message done = {.type = MESSAGE_DONE,
                                   .jobs = {id, 8},
                                   .job_count = 1,
                                   .status = ANSWER_APPLIED,
                                   .due_ms = 5};
            struct message ready = {.type = MESSAGE_READY, .credit = 256};
            id_set(&ready.worker, "w1", 2);
            say_broken(&s->gateway, batch_of(next_random(&seed) % 9, 1 + i), &seed);
            say_broken(&s->gateway, ask_of(next_random(&seed) % 9), &seed);
            say_broken(&s->worker, done, &seed);
            say_broken(&s->worker, ready, &seed);
            say_broken(&s->control_end, (struct message){.type = MESSAGE_STATUS}, &seed);
        }
        s->control_end.heard_count = 0;
        say(&s->control_end, (struct message){.type = MESSAGE_STATUS});
        run_until(s, control_heard);
    }
    s->gateway.heard_count = 0;
    struct message ready = {.type = MESSAGE_READY, .credit = 256};
    id_set(&ready.worker, "w1", 2);
    say(&s->worker, ready);
    say(&s->gateway, ask_of(NUMBER_MAX));
    run_until(s, asked_last_is_answered);
    scene_close(s);
}
