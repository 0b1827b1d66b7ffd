// tresenctl: what operations and quality owners ask and tell the system.

#include "common/settings/command.h"
#include "ops/ctl/ctl.h"
#include "ops/ctl/print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct ctl_command ctl_commands[] = {
    {"status", "", "Broker, workers, gateways, branches, and who was refused.", 0, 0, ctl_status},
    {"gateways", "[BRANCH]",
     "What each gateway of the registry brings and how it is: missing, silent, stale, flat, out of "
     "range, ahead of time, repeated, with gaps. With a branch also its series.",
     0, 1, ctl_gateways},
    {"tap", "BRANCH[/COUNTER] [MEASURE] [--seconds N]",
     "Live values as they are applied, in units, a line for the newest of each series; only what "
     "may "
     "be shown in this branch. With --json a JSON object a line.",
     1, 2, ctl_tap},
    {"wait", "BRANCH... [--seconds N]",
     "Wait until the recordings of these branches are read, applied and judged; shows progress.", 1,
     1000, ctl_wait},
    {"drain", "WORKER", "Let a worker finish what it holds and stop.", 1, 1, ctl_drain},
    {"doctor", "",
     "Whether Redis is set as it has to be, and broker and workers are well; names each problem "
     "with the way out.",
     0, 0, ctl_doctor},
    {"scorecard", "BRANCH [--day YYYY-MM-DD]",
     "Verdicts by dimension and standard, with the share met, its 95 % interval, and coverage.", 1,
     1, ctl_scorecard},
    {"explain", "ENCOUNTER | BRANCH [ENCOUNTER] [--day YYYY-MM-DD]",
     "Why an encounter was judged so: measured value, limit, coverage, norm and value. With a "
     "branch alone: all its encounters, or those of the day.",
     1, 2, ctl_explain},
    {"confirm", "[BRANCH] ENCOUNTER STANDARD --reason TEXT [--by NAME] [--seconds N]",
     "A verdict stands as found; a grave violation waits for this.", 2, 3, ctl_confirm},
    {"excuse", "[BRANCH] ENCOUNTER STANDARD --reason TEXT [--by NAME] [--seconds N]",
     "A violation is not held against anybody: it leaves the score.", 2, 3, ctl_excuse},
    {"dispute", "[BRANCH] ENCOUNTER STANDARD --reason TEXT [--by NAME] [--seconds N]",
     "A verdict is contested: it does not count until somebody confirms or excuses it.", 2, 3,
     ctl_dispute},
    {"withdraw", "[BRANCH] ENCOUNTER STANDARD --reason TEXT [--by NAME] [--seconds N]",
     "As if nobody had decided about this verdict.", 2, 3, ctl_withdraw},
    {"audit", "[BRANCH...]",
     "Checks that all sums are the sums of their encounters, and that no batch is unaccounted for.",
     0, 1000, ctl_audit},
    {"dead list", "BRANCH", "Batches that could not be applied, and why.", 1, 1, ctl_dead_list},
    {"dead show", "BRANCH ENTRY", "One of them, its bytes, and whether it could be applied today.",
     2, 2, ctl_dead_show},
    {"dead replay", "BRANCH ENTRY",
     "Apply one, after the reason has been mended; it is then no dead letter any more.", 2, 2,
     ctl_dead_replay},
    {"dead drop", "BRANCH ENTRY", "Remove one for good; it stays counted.", 2, 2, ctl_dead_drop},
    {"seal", "[BRANCH...] [--day YYYY-MM-DD]",
     "Remove what is known of single encounters up to this day, or older than retention_days; the "
     "sums stay. Without a branch: of all in the configuration. To be run daily "
     "(ops/systemd/tresen-seal.timer).",
     0, 1000, ctl_seal},
    {"rebuild", "BRANCH [--from YYYY-MM-DD]",
     "Empty a branch from this day on (default: as far back as spool_days), so that its gateways "
     "send all that their spools hold again. Sums of sealed days stay.",
     1, 1, ctl_rebuild},
    {"keys new", "NAME [--dir DIR]",
     "Make the key pair of broker, worker.NAME or gateway.BRANCH.NAME.", 1, 1, ctl_keys_new},
    {"standards check", "[CONFIG_DIR]", "Check a configuration folder; says what is wrong, where.",
     0, 1, ctl_standards_check},
    {"standards list", "[BRANCH] [--published] [--day YYYY-MM-DD]",
     "The standards, their norms and values.", 0, 1, ctl_standards_list},
    {"standards explain", "BRANCH [OFFERING] [--published] [--day YYYY-MM-DD]",
     "Which layer set each figure that holds there, and where it is written.", 1, 2,
     ctl_standards_explain},
    {"standards trace", "[STANDARD] [--published] [--day YYYY-MM-DD] [--lang de|en]",
     "Why there is this standard: norm and value. Without one: all values, their norms and "
     "standards, and what no standard serves.",
     0, 1, ctl_standards_trace},
    {"standards test", "[CONFIG_DIR]",
     "Run the examples that stand with the standards; says how many there are of each verdict.", 0,
     1, ctl_standards_test},
    {"standards diff", "CONFIG_DIR CONFIG_DIR | --published [CONFIG_DIR] [--day YYYY-MM-DD]",
     "What changes in which branches from the first folder to the second; or from the newest "
     "edition that is published (with --day: the one in force then) to the folder: what publish "
     "would change.",
     0, 2, ctl_standards_diff},
    {"standards try", "FILE | CONFIG_DIR --recording SPOOL",
     "Judge what gateways have spooled (a copy of a spool, or a folder of them) by the standards "
     "as "
     "they are and with this file in place of the one of its name; print what would be judged "
     "otherwise. Nothing is activated.",
     1, 1, ctl_standards_try},
    {"standards notice", "BRANCH [--published] [--day YYYY-MM-DD] [--lang de|en]",
     "A notice for those who work there: what is measured and judged, for what purpose, how long "
     "it is kept, and what is not judged. Markdown.",
     1, 1, ctl_standards_notice},
    {"standards publish", "[CONFIG_DIR | HASH] [--from YYYY-MM-DD]",
     "Check a folder (or take what was published before) and let all workers whose `standards` is "
     "published judge by it, from that local day of each branch on (default: the first day that "
     "has begun nowhere); the first publication holds from the beginning. Refused if encounters "
     "that have begun would be judged otherwise.",
     0, 1, ctl_standards_publish},
    {"standards published", "", "What is published, from when on, since when, by whom.", 0, 0,
     ctl_standards_published},
    {"standards phrases", "BRANCH [--published] [--day YYYY-MM-DD]",
     "The list for the driver `phrases`: of phrases.yaml what the branch's standards ask for, and "
     "nothing else.",
     1, 1, ctl_standards_phrases},
    {NULL, NULL, NULL, 0, 0, NULL}};

int ctl_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("tresenctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return CTL_FAILED;
}

bool ctl_seconds(const struct ctl *ctl, double *seconds) {
    char *end;
    *seconds = ctl->wait_s ? strtod(ctl->wait_s, &end) : 1e300;
    if (!ctl->wait_s || (!*end && *seconds >= 0)) return true;
    ctl_fail("--seconds %s is no number", ctl->wait_s);
    return false;
}

int ctl_print_json(json_t *json) {
    bool done = json_print(stdout, json, true);
    putchar('\n');
    json_decref(json);
    return done ? CTL_OK : ctl_fail("not all could be printed: no memory, or no room where it goes");
}

static void list_commands(FILE *out, bool yaml) {
    if (yaml) return;
    fputs("\nCommands:\n", out);
    for (const struct ctl_command *command = ctl_commands; command->words; command++)
        fprintf(out, "  %s %s\n      %s\n", command->words, command->arguments, command->summary);
}

/// How many of the arguments are the command's words; 0: it is another command.
static int words_match(const struct ctl_command *command, int count, char **arguments) {
    const char *blank = strchr(command->words, ' ');
    size_t first = blank ? (size_t)(blank - command->words) : strlen(command->words);
    if (count < 1 || strlen(arguments[0]) != first ||
        strncmp(arguments[0], command->words, first) != 0)
        return 0;
    if (!blank) return 1;
    return count >= 2 && strcmp(arguments[1], blank + 1) == 0 ? 2 : 0;
}

static int run(struct ctl *ctl, int count, char **arguments) {
    for (const struct ctl_command *command = ctl_commands; command->words; command++) {
        int words = words_match(command, count, arguments);
        if (!words) continue;
        ctl->count = count - words;
        ctl->arguments = arguments + words;
        if (ctl->count >= command->least && ctl->count <= command->most) return command->run(ctl);
        fprintf(stderr, "usage: tresenctl %s %s\n", command->words, command->arguments);
        return CTL_USAGE;
    }
    fprintf(stderr, "tresenctl: %s%s; see tresenctl --help\n",
            count ? "no command is called " : "no command is given", count ? arguments[0] : "");
    return CTL_USAGE;
}

int main(int argc, char **argv) {
    static struct command_line line;
    static struct ctl ctl;
    const char *json = NULL, *published = NULL;
    const struct command_option options[] = {
        {"--json", NULL, &json, "Print for machines."},
        {"--published", NULL, &published,
         "standards list, explain, trace, diff, notice, phrases: of what is published, not of "
         "config_dir."},
        {"--day", "YYYY-MM-DD", &ctl.day, "Only this day, in the branch's time zone."},
        {"--from", "YYYY-MM-DD", &ctl.from, "standards publish, rebuild: from this day on."},
        {"--recording", "SPOOL", &ctl.recording,
         "standards try: a gateway's spool, or a folder of them."},
        {"--lang", "de|en", &ctl.lang, "Language of texts (default: en)."},
        {"--dir", "DIR", &ctl.dir, "keys new: the folder, instead of keys_dir."},
        {"--seconds", "N", &ctl.wait_s,
         "wait, tap: end after so many seconds (default: never); decisions: wait so long until "
         "they "
         "are applied (default: 10)."},
        {"--reason", "TEXT", &ctl.reason, "Why a person decides so: a plain sentence."},
        {"--by", "NAME", &ctl.by, "Who decides (default: who is logged in)."},
        {NULL, NULL, NULL, NULL}};
    const struct command command = {.name = "tresenctl",
                                    .summary = "Asks and tells the running system.",
                                    .rest = "COMMAND [ARGUMENT]...",
                                    .settings = ctl_settings,
                                    .options = options,
                                    .more = list_commands};
    enum command_step step = command_read(&command, argc, argv, &ctl.settings, &line);
    if (step == COMMAND_GO) step = command_checked(&line);
    if (step != COMMAND_GO) return command_exit(&line, step);
    ctl.json = json != NULL;
    ctl.published = published != NULL;
    int status = run(&ctl, line.rest_count, line.rest);
    if (fflush(stdout) == EOF && status == CTL_OK)
        status = ctl_fail("what is printed cannot be written where it goes");
    command_exit(&line, step);
    return status;
}
