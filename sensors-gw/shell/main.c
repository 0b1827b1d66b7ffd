// tresen-gateway: publishes what the sensors of a branch see.

#include "common/io/log.h"
#include "common/io/loop.h"
#include "common/settings/command.h"
#include "sensors-gw/shell/attendance.h"
#include "sensors-gw/shell/check_peer.h"
#include "sensors-gw/shell/drivers_tool.h"
#include "sensors-gw/shell/gateway.h"
#include "sensors-gw/shell/probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int run(const struct gateway_settings *settings, const struct driver_entries *drivers,
               const struct site *site, bool new_spool) {
    struct gateway *gateway;
    struct problem problem = {0};
    enum err err = gateway_new(settings, drivers, site, new_spool, &gateway, &problem);
    if (err) {
        log_error("not_started", "reason=%s", problem.text);
        return err == ERR_IO || err == ERR_NOMEM ? GATEWAY_EXIT_IO : GATEWAY_EXIT_CONFIG;
    }
    log_info("started", "branch=%s gateway=%s version=%s", settings->branch.text,
             settings->gateway.text, TRESEN_VERSION);
    int status = gateway_run(gateway);
    gateway_free(gateway);
    log_info("stopped", "status=%d", status);
    return status;
}

/// What the program does instead of being a gateway, by its first argument.
static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} tools[] = {{"check-peer", check_peer}, {"drivers", drivers_tool}, {"probe", probe}};

static int gateway_main(int argc, char **argv) {
    static struct command_line line;
    static struct gateway_settings settings;
    static struct driver_entries drivers;
    static struct site site;
    const char *new_spool = NULL;
    const struct command_option options[] = {
        {"--new-spool", NULL, &new_spool,
         "Begin a new spool with all that this one still holds: after it was fenced, cloned, put "
         "back from a copy, or damaged."},
        {0}};
    const struct command command = {.name = "tresen-gateway",
                                    .summary = "Publishes what the sensors of a branch see. "
                                               "tresen-gateway TOOL --help tells of its tools: "
                                               "drivers, probe, check-peer.",
                                    .settings = gateway_settings,
                                    .options = options,
                                    .shorts = driver_shorts,
                                    .more = driver_entries_help};

    enum command_step step = command_read(&command, argc, argv, &settings, &line);
    if (step == COMMAND_GO) {
        bool usable = !line.problems.count;
        (void)driver_entries_read(settings.drivers, &drivers, &line.problems);
        if (usable && site_load(&settings, &site, &line.problems))
            (void)attendance_check(&settings, &site, &line.problems);
        step = command_checked(&line);
    }
    int status = step == COMMAND_GO ? run(&settings, &drivers, &site, new_spool) : 0;
    driver_entries_free(&drivers);
    site_free(&site);
    int shared = command_exit(&line, step);
    return step == COMMAND_GO ? status : shared;
}

int main(int argc, char **argv) {
    loop_signals_early();
    umask(077); // spool and key are nobody else's
    for (size_t i = 0; argc > 1 && i < sizeof tools / sizeof *tools; i++)
        if (strcmp(argv[1], tools[i].name) == 0) return tools[i].run(argc - 1, argv + 1);
    return gateway_main(argc, argv);
}
