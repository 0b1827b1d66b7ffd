// tresen-broker: hands the batches of the gateways to the workers, and their answers back.

#include "broker/shell/broker_shell.h"
#include "common/io/log.h"
#include "common/io/loop.h"
#include "common/settings/command.h"
#include "common/settings/file.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { EXIT_CONFIGURATION = 78 };

static const struct command command = {
    .name = "tresen-broker",
    .summary = "Hands the batches of the branches' gateways to workers, branch by branch, and "
               "their answers back. Holds nothing that matters: it can be stopped at any time.",
    .settings = broker_settings,
};

/// Each gateway takes a descriptor: as many as the system lets this process have. Debian gives a
/// process 1024 at first, and far more if it asks.
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_warning("descriptors", "reason=\"the limit cannot be raised\"");
}

static int run(const struct broker_settings *settings, const struct branches *branches) {
    struct loop *loop = NULL;
    struct broker *broker = NULL;
    struct problem problem = {0};
    raise_descriptor_limit();
    if (loop_new(&loop)) {
        log_error("not_started", "reason=\"no memory or descriptors\"");
        return EXIT_FAILURE;
    }
    enum err err = broker_new(loop, settings, branches, &broker, &problem);
    if (err) {
        log_error("not_started", "reason=%s", problem.text);
    } else {
        log_info("started", "version=%s branches=%zu gateways=%s workers=%s", TRESEN_VERSION,
                 branches->count, broker_gateways_endpoint(broker),
                 broker_workers_endpoint(broker));
        loop_run(loop);
        log_info("stopped", "");
    }
    broker_free(broker);
    loop_free(loop);
    if (!err) return EXIT_SUCCESS;
    return err == ERR_NOMEM ? EXIT_FAILURE : EXIT_CONFIGURATION;
}

int main(int argc, char **argv) {
    static struct command_line line;
    static struct broker_settings settings;
    struct branches branches = {0};
    loop_signals_early();
    char folder[PATH_SIZE];
    enum command_step step = command_read(&command, argc, argv, &settings, &line);
    if (step == COMMAND_GO) {
        struct log_settings log = log_settings_default();
        log.least = (enum log_level)settings.log_level;
        log_setup(&log);
        if (path_join(settings.config_dir, "branches", folder, sizeof folder, &line.problems))
            branches_load(folder, &branches, &line.problems);
        step = command_checked(&line);
    }
    int status = step == COMMAND_GO ? run(&settings, &branches) : -1;
    branches_free(&branches);
    int exit_status = command_exit(&line, step);
    return status >= 0 ? status : exit_status;
}
