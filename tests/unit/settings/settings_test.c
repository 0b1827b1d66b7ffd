#include "common/settings/command.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

enum order { ORDER_ASCENDING, ORDER_DESCENDING };
static const char *const orders[] = {"ascending", "descending", NULL};

struct sample {
    uint64_t worker_silence_ms;
    int64_t shift_days;
    double speed;
    bool insecure;
    char note[8];
    char config_dir[PATH_SIZE];
    struct id gateway;
    int order;
    struct setting_texts brokers, control;
    const struct node *drivers;
};

static const struct setting sample_rows[] = {
    SETTING_U64(struct sample, worker_silence_ms, 5000, 100, 600000,
                "Milliseconds without a heartbeat after which a worker's batches go to another: "
                "lower repeats slow work, higher delays recovery from a crash."),
    SETTING_I64(struct sample, shift_days, -1, -36500, 36500, "Whole days."),
    SETTING_DOUBLE(struct sample, speed, 0.1, 0, 1000, "Times real time."),
    SETTING_BOOL(struct sample, insecure, false, "Without CURVE."),
    SETTING_TEXT(struct sample, note, "a\"b\\", "A note."),
    SETTING_PATH(struct sample, config_dir, "config", "A folder."),
    SETTING_ID(struct sample, gateway, NULL, "The gateway's name."),
    SETTING_CHOICE(struct sample, order, ORDER_DESCENDING, orders, "The order."),
    SETTING_TEXTS(struct sample, brokers, false, "Endpoints."),
    SETTING_ONE_OR_MORE(struct sample, control, "ipc://c", "One or more."),
    SETTING_TREE(struct sample, drivers, false, "The drivers."),
    SETTINGS_END,
};

struct driver_sample {
    char driver[16];
    uint64_t rate;
};
static const struct setting driver_rows[] = {
    SETTING_TEXT(struct driver_sample, driver, NULL, "Which driver."),
    SETTINGS_END,
};
static const struct setting rate_rows[] = {
    SETTING_U64(struct driver_sample, rate, 25, 1, 1000, "Frames a second."),
    SETTINGS_END,
};

static struct problems problems;

static struct document *read_yaml(const char *yaml, struct sample *sample) {
    problems = (struct problems){0};
    struct document *document = document_parse("f.yaml", bytes_of_text(yaml), &problems);
    cr_assert(ne(ptr, document, NULL), "%s", problems.items[0].text);
    memset(sample, 0xa5, sizeof *sample); // every member is written
    settings_read(document_root(document), &(struct settings_table){sample_rows, sample}, 1,
                  &problems);
    return document;
}

Test(settings, what_a_file_leaves_out_has_its_default) {
    struct sample sample;
    struct document *document = read_yaml("gateway: desk\n", &sample);
    cr_assert(eq(sz, problems.count, 0));
    cr_assert(eq(u64, sample.worker_silence_ms, 5000));
    cr_assert(eq(i64, sample.shift_days, -1));
    cr_assert(eq(dbl, sample.speed, 0.1));
    cr_assert(not(sample.insecure));
    cr_assert(eq(str, sample.note, "a\"b\\"));
    cr_assert(eq(str, sample.config_dir, "config"));
    cr_assert(eq(str, sample.gateway.text, "desk"));
    cr_assert(eq(int, sample.order, ORDER_DESCENDING));
    cr_assert(eq(sz, sample.brokers.count, 0));
    cr_assert(eq(ptr, (void *)sample.drivers, NULL));
    cr_assert(eq(sz, sample.control.count, 1));
    cr_assert(eq(str, sample.control.items[0], "ipc://c"));
    document_free(document);
}

// Who had one goes on as before.
Test(settings, one_text_is_a_list_of_one) {
    struct sample sample;
    struct document *document = read_yaml("gateway: desk\ncontrol: ipc://a\n", &sample);
    cr_assert(eq(sz, problems.count, 0), "%s", problems.items[0].text);
    cr_assert(eq(sz, sample.control.count, 1));
    cr_assert(eq(str, sample.control.items[0], "ipc://a"));
    document_free(document);
    document = read_yaml("gateway: desk\ncontrol: [ipc://a, ipc://b]\n", &sample);
    cr_assert(eq(sz, problems.count, 0), "%s", problems.items[0].text);
    cr_assert(eq(sz, sample.control.count, 2));
    cr_assert(eq(str, sample.control.items[1], "ipc://b"));
    document_free(document);
    static const char *const wrong[] = {"gateway: desk\ncontrol: []\n",
                                        "gateway: desk\ncontrol: {a: b}\n",
                                        "gateway: desk\ncontrol: ''\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        document = read_yaml(wrong[i], &sample);
        cr_assert(eq(sz, problems.count, 1), "%s", wrong[i]);
        cr_assert(eq(str, sample.control.items[0], "ipc://c"));
        document_free(document);
    }
}

Test(settings, a_file_sets_every_kind) {
    struct sample sample;
    struct document *document =
        read_yaml("worker_silence_ms: 100\nshift_days: 3\nspeed: 1e2\ninsecure: true\nnote: '5'\n"
                  "config_dir: /etc/tresen\ngateway: floor\norder: ascending\n"
                  "brokers: ['tcp://a:1', tcp://b:2]\ndrivers: [{driver: queue, rate: 7}]\n",
                  &sample);
    cr_assert(eq(sz, problems.count, 0), "%s", problems.items[0].text);
    cr_assert(eq(u64, sample.worker_silence_ms, 100));
    cr_assert(eq(i64, sample.shift_days, 3));
    cr_assert(eq(dbl, sample.speed, 100));
    cr_assert(sample.insecure);
    cr_assert(eq(str, sample.note, "5"));
    cr_assert(eq(str, sample.config_dir, "/etc/tresen"));
    cr_assert(eq(int, sample.order, ORDER_ASCENDING));
    cr_assert(eq(sz, sample.brokers.count, 2));
    cr_assert(eq(str, sample.brokers.items[1], "tcp://b:2"));

    struct driver_sample driver; // an entry may have the rows of several tables
    struct settings_table tables[] = {{driver_rows, &driver}, {rate_rows, &driver}};
    cr_assert(settings_read(sample.drivers->first, tables, 2, &problems));
    cr_assert(eq(str, driver.driver, "queue"));
    cr_assert(eq(u64, driver.rate, 7));
    document_free(document);
}

Test(settings, all_mistakes_are_told_at_once) {
    struct sample sample;
    struct document *document =
        read_yaml("worker_silence_ms: 99\nspede: 3\ninsecure: 1\nnote: too long for it\n"
                  "order: up\nbrokers: tcp://a:1\n",
                  &sample);
    static const char *const expected[] = {
        "f.yaml:2:8: 'spede' is not known here; did you mean 'speed'?",
        "f.yaml:1:20: worker_silence_ms: 99 is out of range; choose 100..600000 ms",
        "f.yaml:3:11: insecure: '1' is not true or false; write one of the two",
        "f.yaml:4:7: note is 15 bytes long; 1 to 7 are allowed",
        "f.yaml:1:1: 'gateway' is missing; add it",
        "f.yaml:5:8: order: 'up' is none of: ascending, descending; choose one",
        "f.yaml:6:10: brokers must be a list, but is a single value; write it as [a, b] or begin "
        "each entry with '- '",
    };
    cr_assert(eq(sz, problems.count, sizeof expected / sizeof *expected));
    for (size_t i = 0; i < problems.count; i++)
        cr_assert(eq(str, problems.items[i].text, (char *)expected[i]));
    cr_assert(eq(u64, sample.worker_silence_ms, 5000));
    document_free(document);
}

/// What settings_help_yaml or settings_help prints.
static char *reference(void (*print)(FILE *)) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(out);
    fclose(out);
    return text;
}

static void print_yaml(FILE *out) {
    settings_help_yaml(sample_rows, "", out);
}

static void print_help(FILE *out) {
    settings_help(sample_rows, out);
}

// The reference is made from the rows, so loading it must give the defaults.
Test(settings, the_yaml_reference_loads_as_the_defaults) {
    char *yaml = reference(print_yaml);
    char *whole = NULL;
    cr_assert(gt(int, asprintf(&whole, "%sgateway: desk\n", yaml), 0));
    struct sample all, none;
    struct document *from_reference = read_yaml(whole, &all);
    cr_assert(eq(sz, problems.count, 0), "%s", problems.items[0].text);
    struct document *from_nothing = read_yaml("gateway: desk", &none);
    cr_assert(eq(u64, all.worker_silence_ms, none.worker_silence_ms));
    cr_assert(eq(i64, all.shift_days, none.shift_days));
    cr_assert(eq(dbl, all.speed, none.speed));
    cr_assert(eq(str, all.note, none.note));
    cr_assert(eq(str, all.config_dir, none.config_dir));
    cr_assert(eq(int, all.order, none.order));
    document_free(from_reference);
    document_free(from_nothing);
    free(whole);
    free(yaml);
}

Test(settings, the_help_names_range_default_and_consequence) {
    char *help = reference(print_help);
    cr_assert(ne(ptr,
                 strstr(help, "  worker_silence_ms (100..600000; default 5000)\n"
                              "      Milliseconds without a heartbeat after which a worker's "
                              "batches go to another: lower\n"
                              "      repeats slow work, higher delays recovery from a "
                              "crash.\n"),
                 NULL));
    cr_assert(ne(ptr, strstr(help, "  speed (0..1000; default 0.1)\n"), NULL));
    cr_assert(ne(ptr, strstr(help, "  gateway (id: 1 to 32 of a-z, 0-9 and -; required)\n"), NULL));
    cr_assert(ne(ptr, strstr(help, "  order (one of: ascending, descending; default descending)\n"),
                 NULL));
    free(help);
}

// --- the command line

static const char *new_spool, *folder;
static const struct command_option options[] = {
    {"--new-spool", NULL, &new_spool, "begin a new spool"},
    {"--dir", "FOLDER", &folder, "where keys are"},
    {0},
};
static const struct command_short shorts[] = {
    {"--name", "GATEWAY", "gateway=%s", "short for --set gateway=GATEWAY"},
    {0},
};
static const struct command with_short = {
    .name = "tresen-test", .summary = "A test.", .settings = sample_rows, .shorts = shorts};
static const struct command with_rest = {.name = "tresen-test",
                                         .summary = "A test.",
                                         .rest = "COMMAND...",
                                         .settings = sample_rows,
                                         .options = options};
static const struct command without_rest = {
    .name = "tresen-test", .summary = "A test.", .settings = sample_rows};

#define RUN(command, ...)                                                                          \
    run(command, (char *[]){"tresen-test", __VA_ARGS__},                                           \
        sizeof((char *[]){"", __VA_ARGS__}) / sizeof(char *))

static struct sample settings;
static struct command_line line;

static enum command_step run(const struct command *command, char **arguments, size_t argc) {
    static char *argv[16]; // line.rest points into it
    memcpy(argv, arguments, argc * sizeof *argv);
    enum command_step step = command_read(command, (int)argc, argv, &settings, &line);
    return step == COMMAND_GO ? command_checked(&line) : step;
}

Test(command, options_and_arguments_may_stand_in_any_order) {
    cr_assert(eq(int,
                 RUN(&with_rest, "keys", "--set", "gateway=desk", "new", "--dir=/k", "--new-spool",
                     "--set=speed=4", "--", "--name"),
                 COMMAND_GO));
    cr_assert(eq(int, line.rest_count, 3));
    cr_assert(eq(str, line.rest[0], "keys"));
    cr_assert(eq(str, line.rest[1], "new"));
    cr_assert(eq(str, line.rest[2], "--name"));
    cr_assert(eq(str, (char *)folder, "/k"));
    cr_assert(ne(ptr, (void *)new_spool, NULL));
    cr_assert(eq(str, settings.gateway.text, "desk"));
    cr_assert(eq(dbl, settings.speed, 4));
    cr_assert(eq(int, command_exit(&line, COMMAND_GO), 0));
}

// It stands in the order of the others: what follows may build on it.
Test(command, an_option_may_be_short_for_a_set) {
    cr_assert(eq(int, RUN(&with_short, "--set", "gateway=door", "--name", "desk"), COMMAND_GO));
    cr_assert(eq(str, settings.gateway.text, "desk"));
    command_exit(&line, COMMAND_GO);
    cr_assert(eq(int, RUN(&with_short, "--name=door", "--set", "gateway=ear"), COMMAND_GO));
    cr_assert(eq(str, settings.gateway.text, "ear"));
    command_exit(&line, COMMAND_GO);
}

Test(command, a_short_option_used_wrongly_is_told, .init = cr_redirect_stderr) {
    char long_value[400];
    memset(long_value, 'a', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = '\0';
    cr_assert(eq(int, RUN(&with_short, "--name"), COMMAND_FAILED));
    cr_assert(eq(int, RUN(&with_short, "--name=a", "--name", "b"), COMMAND_FAILED));
    cr_assert(eq(int, RUN(&with_short, "--name", long_value), COMMAND_FAILED));
    cr_assert(eq(int, RUN(&with_short, "--nane", "a"), COMMAND_FAILED));
    fflush(stderr);
    cr_assert_stderr_eq_str(
        "tresen-test: a value is missing after '--name'; see tresen-test --help\n"
        "tresen-test: a second one follows '--name'; see tresen-test --help\n"
        "tresen-test: too long a value follows '--name'; see tresen-test --help\n"
        "tresen-test: unknown option '--nane'; did you mean '--name'?\n");
}

Test(command, wrong_use_is_told_with_the_way_out, .init = cr_redirect_stderr) {
    cr_assert(eq(int, RUN(&without_rest, "--confg", "x"), COMMAND_FAILED));
    cr_assert(eq(int, RUN(&without_rest, "--config"), COMMAND_FAILED));
    cr_assert(eq(int, RUN(&without_rest, "word"), COMMAND_FAILED));
    cr_assert(eq(int, RUN(&without_rest, "--check=1"), COMMAND_FAILED));
    cr_assert(eq(int, RUN(&without_rest, "--set", "speed"), COMMAND_FAILED));
    command_exit(&line, COMMAND_FAILED);
    cr_assert(eq(int, RUN(&without_rest, "--config", "/no/such.yaml"), COMMAND_FAILED));
    cr_assert(eq(int, command_exit(&line, COMMAND_FAILED), 2));
    fflush(stderr);
    cr_assert_stderr_eq_str(
        "tresen-test: unknown option '--confg'; did you mean '--config'?\n"
        "tresen-test: a value is missing after '--config'; see tresen-test --help\n"
        "tresen-test: takes no argument such as 'word'; see tresen-test --help\n"
        "tresen-test: no value may follow '--check'; see tresen-test --help\n"
        "--set speed: a key is followed by '=' and its value; write --set KEY=VALUE\n"
        "settings: 'gateway' is missing; add it\n"
        "/no/such.yaml: cannot be opened: No such file or directory\n");
}

Test(command, check_and_version_end_the_program, .init = cr_redirect_stdout) {
    cr_assert(eq(int, RUN(&without_rest, "--check", "--set", "gateway=desk"), COMMAND_DONE));
    cr_assert(eq(int, command_exit(&line, COMMAND_DONE), 0));
    cr_assert(eq(int, RUN(&without_rest, "--version"), COMMAND_DONE));
    fflush(stdout);
    cr_assert_stdout_eq_str("settings: in order\ntresen-test " TRESEN_VERSION "\n");
}
