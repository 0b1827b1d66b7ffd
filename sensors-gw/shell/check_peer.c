#include "sensors-gw/shell/check_peer.h"

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/registry/keys.h"
#include "common/registry/measures.h"
#include "common/settings/command.h"
#include "common/settings/file.h"
#include "sensors-gw/exam/exam.h"

#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REBIND_MS = 20, ARGUMENTS_MAX = 64, ARGUMENT_SIZE = 1024, EXIT_BROKEN = 1 };

struct check_settings {
    char as[KEY_NAME_SIZE];
    char config_dir[PATH_SIZE];
    char endpoint[PATH_SIZE];
    uint64_t patience_ms, quiet_ms;
};

#define ROW(kind, ...) SETTING_##kind(struct check_settings, __VA_ARGS__)
static const struct setting check_rows[] = {
    ROW(TEXT, as, "gateway.trial.peer", "Whom the program speaks for: gateway.BRANCH.NAME."),
    ROW(PATH, config_dir, "config", "Folder of measures.yaml: what the bodies may hold."),
    ROW(PATH, endpoint, "tcp://127.0.0.1:*", "Where the program is to find its broker."),
    ROW(U64, patience_ms, 25000, 100, 600000,
        "Milliseconds within which something must come that a rule asks for: more than the "
        "program's own pauses, 10 s as the page has them."),
    ROW(U64, quiet_ms, 1000, 50, 60000,
        "Milliseconds in which something must not come: less than the program's own pauses; "
        "shorter is sooner done, too short accuses or acquits by chance."),
    SETTINGS_END};

struct check {
    struct check_settings settings;
    struct peer peer;
    struct exam *exam;
    struct exam_actions actions;
    struct loop *loop;
    struct bus *bus;
    struct bus_socket *door;
    struct bus_security security;
    char endpoint[PATH_SIZE]; // as bound
    char dir[40], keys[48];   // made for this trial, gone afterwards
    uv_process_t process;
    bool running, killed, start_due, open_due;
    char arguments[ARGUMENTS_MAX][ARGUMENT_SIZE];
    char *words[ARGUMENTS_MAX + 1];
    int log;               // the program's output
    const char *trying;    // as last shown
    struct problem failed; // what ended the trial
};

// ------------------------------------------------------------------ the door

static void step(struct check *c, const struct exam_input *in);

static void on_frame(void *context, struct bus_peer peer, const char *user, struct bytes frame) {
    (void)user;
    step(context, &(struct exam_input){.kind = EXAM_INPUT_FRAME,
                                       .now_ms = clock_monotonic_ms(),
                                       .connection = peer.number,
                                       .frame = frame});
}

/// The place of a door just closed may be taken for a moment: the timer tries again.
static void open_door(struct check *c) {
    const struct bus_settings settings = bus_settings_default();
    const struct bus_handlers handlers = {.context = c, .message = on_frame};
    struct problem problem = {0};
    const char *where = c->endpoint[0] ? c->endpoint : c->settings.endpoint;
    if (bus_bind(c->bus, where, &c->security, &settings, &handlers, &c->door, &problem)) {
        c->open_due = true;
        if (!c->endpoint[0]) c->failed = problem;
        return;
    }
    c->open_due = false;
    snprintf(c->endpoint, sizeof c->endpoint, "%s", bus_socket_endpoint(c->door));
}

// ------------------------------------------------------------------ the program

static void on_ended(uv_process_t *process, int64_t status, int signal) {
    struct check *c = process->data;
    (void)status;
    (void)signal;
    c->running = false;
    uv_close((uv_handle_t *)process, NULL);
    const struct exam_input input = {.kind = c->killed ? EXAM_INPUT_TICK : EXAM_INPUT_ENDED,
                                     .now_ms = clock_monotonic_ms()};
    step(c, &input); // a start may have waited for this end
}

static void start(struct check *c) {
    uv_stdio_container_t streams[3] = {{.flags = UV_IGNORE},
                                       {.flags = UV_INHERIT_FD, .data.fd = c->log},
                                       {.flags = UV_INHERIT_FD, .data.fd = c->log}};
    const uv_process_options_t options = {.exit_cb = on_ended,
                                          .file = c->words[0],
                                          .args = c->words,
                                          .stdio_count = 3,
                                          .stdio = streams};
    c->start_due = c->killed = false;
    c->process.data = c;
    int failed = uv_spawn(loop_uv(c->loop), &c->process, &options);
    c->running = !failed;
    if (!failed) return;
    uv_close((uv_handle_t *)&c->process, NULL); // it is on the loop all the same
    problem_set(&c->failed, ERR_IO, "%s: %s", c->words[0], uv_strerror(failed));
    loop_stop(c->loop);
}

static void stop_program(struct check *c) {
    if (!c->running || c->killed) return;
    c->killed = true;
    uv_process_kill(&c->process, SIGKILL);
}

// ------------------------------------------------------------------ carrying out

static void show(struct check *c) {
    const char *trying = exam_trying(c->exam);
    if (trying == c->trying) return;
    c->trying = trying;
    fprintf(stderr, "trying whether it %s\n", trying);
}

static void carry_out(struct check *c) {
    for (size_t i = 0; i < c->actions.count; i++) {
        const struct exam_action *action = &c->actions.items[i];
        switch (action->kind) {
        case EXAM_START:
            c->start_due = true;
            break;
        case EXAM_KILL:
            stop_program(c);
            break;
        case EXAM_CUT:
            bus_close(c->door);
            c->door = NULL;
            c->open_due = true;
            break;
        case EXAM_SEND: // one that cannot be sent is one that got lost: the gateway must cope
            if (c->door && bus_send(c->door, (struct bus_peer){action->connection}, action->frame))
                fprintf(stderr, "an answer could not be sent\n");
            break;
        }
    }
}

static void step(struct check *c, const struct exam_input *in) {
    const char *why;
    exam_step(c->exam, in, &c->actions);
    carry_out(c);
    show(c);
    if (exam_over(c->exam, &why)) {
        loop_timer_set(c->loop, DEADLINE_NEVER);
        loop_stop(c->loop);
        return;
    }
    uint64_t at_ms = exam_deadline_ms(c->exam);
    uint64_t soon_ms = in->now_ms + REBIND_MS;
    loop_timer_set(c->loop, (c->open_due || c->start_due) && soon_ms < at_ms ? soon_ms : at_ms);
}

static void on_timer(void *context) {
    struct check *c = context;
    if (c->open_due) open_door(c);
    if (c->start_due && !c->running && !c->open_due) start(c);
    step(c, &(struct exam_input){.kind = EXAM_INPUT_TICK, .now_ms = clock_monotonic_ms()});
}

static void on_stop(void *context, int signal) {
    struct check *c = context;
    (void)signal;
    problem_set(&c->failed, ERR_AGAIN, "stopped");
    loop_stop(c->loop);
}

// ------------------------------------------------------------------ before and after

/// {broker}, {keys}, {dir}, {branch} and {gateway} in an argument.
static bool fill_in(const struct check *c, const char *text, char out[ARGUMENT_SIZE]) {
    const struct {
        const char *name, *value;
    } places[] = {{"{broker}", c->endpoint},
                  {"{keys}", c->keys},
                  {"{dir}", c->dir},
                  {"{branch}", c->peer.branch.text},
                  {"{gateway}", c->peer.name.text}};
    size_t size = 0;
    while (*text) {
        const char *value = NULL;
        for (size_t i = 0; !value && i < sizeof places / sizeof *places; i++) {
            size_t length = strlen(places[i].name);
            if (strncmp(text, places[i].name, length) != 0) continue;
            value = places[i].value;
            text += length;
        }
        size_t length = value ? strlen(value) : 1;
        if (size + length >= ARGUMENT_SIZE) return false;
        memcpy(out + size, value ? value : text++, length);
        size += length;
    }
    out[size] = '\0';
    return true;
}

static enum err words_make(struct check *c, int count, char **words) {
    if (count >= ARGUMENTS_MAX)
        return problem_set(&c->failed, ERR_RANGE, "more than %d arguments", ARGUMENTS_MAX - 1);
    for (int i = 0; i < count; i++) {
        if (!fill_in(c, words[i], c->arguments[i]))
            return problem_set(&c->failed, ERR_RANGE, "%.100s...: too long", words[i]);
        c->words[i] = c->arguments[i];
    }
    return ERR_NONE;
}

static enum err keys_prepare(struct check *c) {
    struct curve_user user = {0};
    char own[KEY_TEXT_SIZE], secret[KEY_TEXT_SIZE];
    strcpy(c->dir, "/tmp/tresen-check-XXXXXX");
    if (!mkdtemp(c->dir)) {
        c->dir[0] = '\0';
        return problem_set(&c->failed, ERR_IO, "no folder can be made in /tmp");
    }
    snprintf(c->keys, sizeof c->keys, "%s/keys", c->dir);
    if (mkdir(c->keys, 0700)) return problem_set(&c->failed, ERR_IO, "%s cannot be made", c->keys);
    enum err err = key_make(c->keys, "broker", own, &c->failed);
    if (!err) err = key_make(c->keys, c->settings.as, user.key.text, &c->failed);
    if (!err) err = key_read_secret(c->keys, "broker", secret, own, &c->failed);
    if (err) return err;
    memcpy(c->security.secret_key.text, secret, sizeof secret);
    snprintf(user.name, sizeof user.name, "%s", c->settings.as);
    return curve_users_set(c->bus, &user, 1, &c->failed);
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *walk) {
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void print_rule(const struct exam_rule *rule, unsigned number) {
    static const char *const words[] = {
        [EXAM_NOT_SEEN] = "not seen", [EXAM_PASSED] = "pass", [EXAM_FAILED] = "FAIL"};
    printf("%2u  %-8s  %s", number, words[exam_rule_mark(rule)], exam_rule_text(number));
    if (rule->checks) printf(" (%u of %u)", rule->checks - rule->failed, rule->checks);
    printf("\n");
    if (rule->failed) printf("              %s\n", rule->reason);
}

static int report(const struct check *c) {
    const char *why;
    bool over = exam_over(c->exam, &why), broken = !over || why || c->failed.err;
    for (unsigned rule = 0; rule < EXAM_RULES; rule++) {
        print_rule(exam_rule(c->exam, rule), rule);
        broken |= exam_rule_mark(exam_rule(c->exam, rule)) == EXAM_FAILED;
    }
    if (why) printf("not tried to the end: %s\n", why);
    if (c->failed.err) printf("not tried to the end: %s\n", c->failed.text);
    return broken ? EXIT_BROKEN : 0;
}

static int examine(struct check *c, const struct measures *measures, int count, char **words) {
    const struct exam_settings settings = {measures, c->settings.patience_ms, c->settings.quiet_ms};
    const struct loop_handlers handlers = {.context = c, .stop = on_stop, .timer = on_timer};
    c->log = STDERR_FILENO;
    c->exam = exam_new(&settings);
    if (!c->exam || loop_new(&c->loop) || bus_new(c->loop, &c->bus))
        return problem_set(&c->failed, ERR_NOMEM, "out of memory"), EXIT_BROKEN;
    loop_handle(c->loop, &handlers);
    if (keys_prepare(c)) return EXIT_BROKEN;
    open_door(c);
    if (!c->door || words_make(c, count, words)) return EXIT_BROKEN;
    step(c, &(struct exam_input){.kind = EXAM_INPUT_TICK, .now_ms = clock_monotonic_ms()});
    loop_run(c->loop);
    return report(c);
}

static void end(struct check *c) {
    if (c->running) stop_program(c);
    bus_free(c->bus);
    loop_free(c->loop); // waits until the program is gone
    exam_free(c->exam);
    if (c->dir[0]) (void)nftw(c->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int check_peer(int argc, char **argv) {
    static struct command_line line;
    static struct check check;
    struct measure_catalogue catalogue = {0};
    const struct command command = {
        .name = "tresen-gateway check-peer",
        .summary = "Plays the broker against any gateway program, with kill, gaps, steps back, "
                   "garbage and window 0, and says which rules of the protocol it keeps. In its "
                   "arguments {broker}, {keys}, {dir} (empty, for its spool), {branch} and "
                   "{gateway} are filled in. It needs about 60 batches to send, and no spool yet.",
        .rest = "-- PROGRAM [ARGUMENT]...",
        .settings = check_rows};
    enum command_step next = command_read(&command, argc, argv, &check.settings, &line);
    if (next == COMMAND_GO && !line.problems.count) {
        char measures[PATH_SIZE];
        const char *as = check.settings.as;
        if (!peer_parse(as, strlen(as), &check.peer) || check.peer.kind != PEER_GATEWAY)
            problems_add(&line.problems, ERR_FORMAT, NULL, "as: '%s' is not gateway.BRANCH.NAME",
                         as);
        if (!line.rest_count)
            problems_add(&line.problems, ERR_MISSING, NULL, "no program; write -- PROGRAM ...");
        if (path_join(check.settings.config_dir, "measures.yaml", measures, sizeof measures,
                      &line.problems))
            (void)measures_load(measures, &catalogue, &line.problems);
    }
    if (next == COMMAND_GO) next = command_checked(&line);
    int status = 0;
    if (next == COMMAND_GO) {
        status = examine(&check, &catalogue.measures, line.rest_count, line.rest);
        if (check.failed.err) fprintf(stderr, "%s\n", check.failed.text);
        end(&check);
    }
    measures_free(&catalogue);
    int shared = command_exit(&line, next);
    return next == COMMAND_GO ? status : shared;
}
