#pragma once
// The command line that all programs share:
//   PROGRAM [--config FILE] [--set KEY=VALUE]... [--check] [--help] [--help-yaml] [--version]
//   [REST]
//
//   static struct command_line line;
//   enum command_step step = command_read(&command, argc, argv, &settings, &line);
//   if (step == COMMAND_GO) { ...the program's own checks add to line.problems...
//                             step = command_checked(&line); }
//   if (step != COMMAND_GO) return command_exit(&line, step);

#include "common/settings/settings.h"

/// An option of one program on top of the shared ones.
struct command_option {
    const char *name;       // "--new-spool"
    const char *value_name; // "FILE"; NULL: the option takes no value
    const char **value;     // set to the value (without one: to the name) when given
    const char *help;
};

/// An option that is short for a --set.
struct command_short {
    const char *name, *value_name; // "--driver", "NAME"
    const char *set;               // "drivers=[{driver: %s}]"
    const char *help;
};

struct command {
    const char *name;                     // "tresen-broker"
    const char *summary;                  // one sentence
    const char *rest;                     // "COMMAND [ARGUMENT]..."; NULL: takes none
    const struct setting *settings;       // NULL: has no settings (no --config, --set, --check)
    const struct command_option *options; // ended by a NULL name; may be NULL
    const struct command_short *shorts;   // the same
    /// Prints what --help or --help-yaml should say besides; may be NULL.
    void (*more)(FILE *out, bool yaml);
};

enum { COMMAND_SETS_MAX = 64 };

struct command_line {
    const char *config;        // --config, or NULL
    bool check;                // --check
    int rest_count;            // what was left; points into argv
    char **rest;               //
    struct document *document; // trees in the settings point into it
    struct problems problems;  // add your own findings, then command_checked
};

enum command_step {
    COMMAND_GO,     // read; go on
    COMMAND_DONE,   // help, version or a successful check was printed: exit 0
    COMMAND_FAILED, // problems were printed on stderr: exit 2
};

/// Read argv, then the file, then each --set, into target (all members are set). Wrong use of the
/// command line fails at once; what is wrong with settings is in line->problems, and the result is
/// COMMAND_GO so that the program can add its own findings.
enum command_step command_read(const struct command *command, int argc, char **argv, void *target,
                               struct command_line *line);
/// Print the problems: COMMAND_FAILED; without any, --check: COMMAND_DONE; else COMMAND_GO.
enum command_step command_checked(const struct command_line *line);
/// Release the document; the exit status for step.
int command_exit(struct command_line *line, enum command_step step);
