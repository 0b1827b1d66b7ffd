// tresen-worker: takes jobs from the brokers, applies the standards, writes to Redis.

#include "common/io/loop.h"
#include "common/settings/command.h"
#include "worker/shell/worker_shell.h"

static const struct command command = {
    .name = "tresen-worker",
    .summary = "Applies the standards engine to what the branches' gateways measure. Holds nothing "
               "that matters: any worker can be stopped at any time.",
    .settings = worker_settings,
};

/// What a quality owner should know, although it is no error.
static void log_warnings(const struct standards *standards) {
    const struct problems *warnings = standards_warnings(standards);
    for (size_t i = 0; i < warnings->count && i < PROBLEMS_MAX; i++)
        log_warning("standards", "reason=%s", warnings->items[i].text);
}

int main(int argc, char **argv) {
    static struct command_line line;
    static struct worker_settings settings;
    struct catalogue catalogue = {0};
    loop_signals_early();
    enum command_step step = command_read(&command, argc, argv, &settings, &line);
    if (step == COMMAND_GO) {
        struct log_settings log = log_settings_default();
        log.least = (enum log_level)settings.log_level;
        log_setup(&log);
        worker_settings_check(&settings, &line.problems);
        catalogue_load(settings.config_dir, &catalogue, &line.problems);
        step = command_checked(&line);
    }
    if (step == COMMAND_GO) log_warnings(catalogue.standards);
    int status = step == COMMAND_GO ? worker_run(&settings, &catalogue) : -1;
    catalogue_free(&catalogue);
    int exit_status = command_exit(&line, step);
    return status >= 0 ? status : exit_status;
}
