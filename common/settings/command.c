#include "common/settings/command.h"

#include "common/settings/file.h"

#include <assert.h>
#include <string.h>

enum { SHORT_SET_SIZE = 256 };

static const char *const shared_options[] = {"--config", "--set",     "--check",
                                             "--help",   "--version", "--help-yaml"};

/// While the arguments are read: which --set there were, and what to print instead of running.
struct arguments {
    int at, count;
    char **texts;
    size_t set_count;
    const char *sets[COMMAND_SETS_MAX];
    char short_set[SHORT_SET_SIZE]; // one of them; empty: none
    bool help, help_yaml, version;
};

static bool usage_error(const struct command *command, const char *what, const char *argument) {
    fprintf(stderr, "%s: %s '%.100s'; see %s --help\n", command->name, what, argument,
            command->name);
    return false;
}

/// The argument is `name` or `name=...`.
static bool is_option(const char *argument, const char *name) {
    size_t size = strlen(name);
    return strncmp(argument, name, size) == 0 && (!argument[size] || argument[size] == '=');
}

/// The value of the option at arguments->at: behind its '=', or the next argument.
static const char *option_value(const struct command *command, struct arguments *arguments,
                                const char *name) {
    const char *argument = arguments->texts[arguments->at];
    if (argument[strlen(name)] == '=') return argument + strlen(name) + 1;
    if (arguments->at + 1 < arguments->count) return arguments->texts[++arguments->at];
    usage_error(command, "a value is missing after", name);
    return NULL;
}

static bool add_set(const struct command *command, struct arguments *arguments, const char *name,
                    const char *set) {
    if (arguments->set_count == COMMAND_SETS_MAX)
        return usage_error(command, "too many; use a file instead of", name);
    arguments->sets[arguments->set_count++] = set;
    return true;
}

static bool take_shared(const struct command *command, struct arguments *arguments,
                        struct command_line *line, const char *name) {
    bool *flag = strcmp(name, "--help") == 0        ? &arguments->help
                 : strcmp(name, "--help-yaml") == 0 ? &arguments->help_yaml
                 : strcmp(name, "--version") == 0   ? &arguments->version
                 : strcmp(name, "--check") == 0     ? &line->check
                                                    : NULL;
    if (flag) {
        *flag = true;
        return !strchr(arguments->texts[arguments->at], '=') ||
               usage_error(command, "no value may follow", name);
    }
    const char *value = option_value(command, arguments, name);
    if (!value) return false;
    if (strcmp(name, "--config") == 0) {
        if (line->config) return usage_error(command, "a second file follows", name);
        line->config = value;
        return true;
    }
    return add_set(command, arguments, name, value);
}

/// An option that is short for a --set.
static bool take_short(const struct command *command, struct arguments *arguments,
                       const struct command_short *option) {
    const char *value = option_value(command, arguments, option->name);
    if (!value) return false;
    if (arguments->short_set[0]) return usage_error(command, "a second one follows", option->name);
    const char *field = strstr(option->set, "%s");
    int size = snprintf(arguments->short_set, sizeof arguments->short_set, "%.*s%s%s",
                        (int)(field - option->set), option->set, value, field + strlen("%s"));
    if (size < 0 || (size_t)size >= sizeof arguments->short_set)
        return usage_error(command, "too long a value follows", option->name);
    return add_set(command, arguments, option->name, arguments->short_set);
}

static bool take_option(const struct command *command, struct arguments *arguments,
                        struct command_line *line) {
    const char *argument = arguments->texts[arguments->at];
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < sizeof shared_options / sizeof *shared_options; i++) {
        const char *name = shared_options[i];
        bool offered = command->settings || i > 2; // --config, --set and --check need settings
        if (!offered) continue;
        if (is_option(argument, name)) return take_shared(command, arguments, line, name);
        names[count++] = name;
    }
    for (const struct command_option *own = command->options; own && own->name; own++) {
        assert(count + 1 < sizeof names / sizeof *names);
        names[count++] = own->name;
        if (!is_option(argument, own->name)) continue;
        if (own->value_name)
            return (*own->value = option_value(command, arguments, own->name)) != NULL;
        *own->value = own->name;
        return !strchr(argument, '=') || usage_error(command, "no value may follow", own->name);
    }
    for (const struct command_short *own = command->shorts; own && own->name; own++) {
        assert(count + 1 < sizeof names / sizeof *names);
        names[count++] = own->name;
        if (is_option(argument, own->name)) return take_short(command, arguments, own);
    }
    names[count] = NULL;
    const char *nearest = nearest_name(argument, names);
    if (!nearest) return usage_error(command, "unknown option", argument);
    fprintf(stderr, "%s: unknown option '%.100s'; did you mean '%s'?\n", command->name, argument,
            nearest);
    return false;
}

/// Options may stand anywhere before "--"; everything else moves to the front of argv.
static bool take_arguments(const struct command *command, struct arguments *arguments,
                           struct command_line *line) {
    bool options = true;
    line->rest = arguments->texts + (arguments->count > 0);
    for (arguments->at = 1; arguments->at < arguments->count; arguments->at++) {
        char *argument = arguments->texts[arguments->at];
        if (options && strcmp(argument, "--") == 0) {
            options = false;
        } else if (options && argument[0] == '-' && argument[1]) {
            if (!take_option(command, arguments, line)) return false;
        } else if (!command->rest) {
            return usage_error(command, "takes no argument such as", argument);
        } else {
            line->rest[line->rest_count++] = argument;
        }
    }
    return true;
}

static void print_option(const char *name, const char *value, const char *help) {
    char shown[64];
    snprintf(shown, sizeof shown, "%s%s%s", name, value ? " " : "", value ? value : "");
    printf("  %-22s %s\n", shown, help);
}

static void print_help(const struct command *command) {
    printf("%s: %s\n\nUsage: %s [OPTION]...%s%s\n\nOptions:\n", command->name, command->summary,
           command->name, command->rest ? " " : "", command->rest ? command->rest : "");
    if (command->settings) {
        print_option("--config", "FILE", "read settings from this YAML file");
        print_option("--set", "KEY=VALUE", "set one (KEY.NUMBER.KEY inside lists), over the file");
        print_option("--check", NULL, "check the settings and end");
        print_option("--help-yaml", NULL, "print all settings as a YAML file with comments");
    }
    for (const struct command_option *own = command->options; own && own->name; own++)
        print_option(own->name, own->value_name, own->help);
    for (const struct command_short *own = command->shorts; own && own->name; own++)
        print_option(own->name, own->value_name, own->help);
    print_option("--help", NULL, "print this");
    print_option("--version", NULL, "print the version");
    if (command->settings) {
        printf("\nSettings:\n");
        settings_help(command->settings, stdout);
    }
    if (command->more) command->more(stdout, false);
}

static void print_help_yaml(const struct command *command) {
    printf("# %s: %s\n\n", command->name, command->summary);
    if (command->settings) settings_help_yaml(command->settings, "", stdout);
    if (command->more) command->more(stdout, true);
}

static void apply_set(struct command_line *line, const char *text) {
    char path[NODE_PATH_SIZE];
    size_t size = strcspn(text, "=");
    if (!text[size] || !size || size >= sizeof path) {
        problems_add(&line->problems, ERR_FORMAT, NULL,
                     "--set %.100s: a key is followed by '=' and its value; write --set KEY=VALUE",
                     text);
        return;
    }
    memcpy(path, text, size);
    path[size] = '\0';
    document_set(line->document, path, text + size + 1, &line->problems);
}

/// A file that cannot be read is one problem: settings that it would have held are not missing.
static void read_settings(const struct command *command, const struct arguments *arguments,
                          void *target, struct command_line *line) {
    line->document = line->config ? document_open(line->config, &line->problems)
                                  : document_parse("settings", (struct bytes){0}, &line->problems);
    if (!line->document) return;
    for (size_t i = 0; i < arguments->set_count; i++)
        apply_set(line, arguments->sets[i]);
    settings_read(document_root(line->document),
                  &(struct settings_table){command->settings, target}, 1, &line->problems);
}

enum command_step command_read(const struct command *command, int argc, char **argv, void *target,
                               struct command_line *line) {
    *line = (struct command_line){0};
    struct arguments arguments = {.count = argc, .texts = argv};
    if (!take_arguments(command, &arguments, line)) return COMMAND_FAILED;
    if (arguments.version) {
        printf("%s %s\n", command->name, TRESEN_VERSION);
        return COMMAND_DONE;
    }
    if (arguments.help || arguments.help_yaml) {
        (arguments.help ? print_help : print_help_yaml)(command);
        return COMMAND_DONE;
    }
    if (command->settings) read_settings(command, &arguments, target, line);
    return command->settings && !line->document ? command_checked(line) : COMMAND_GO;
}

enum command_step command_checked(const struct command_line *line) {
    if (line->problems.count) {
        problems_print(&line->problems, stderr);
        return COMMAND_FAILED;
    }
    if (!line->check) return COMMAND_GO;
    printf("%s: in order\n", line->config ? line->config : "settings");
    return COMMAND_DONE;
}

int command_exit(struct command_line *line, enum command_step step) {
    document_free(line->document);
    line->document = NULL;
    return step == COMMAND_FAILED ? 2 : 0;
}
