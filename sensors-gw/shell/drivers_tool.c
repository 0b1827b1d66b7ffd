#include "sensors-gw/shell/drivers_tool.h"

#include "common/settings/command.h"
#include "sensors-gw/drivers/registry.h"

#include <string.h>

enum { EXIT_USE = 2 };

static void list(void) {
    const struct driver *driver;
    for (size_t i = 0; (driver = driver_at(i)); i++)
        printf("%-10s %s\n", driver->name, driver->text);
}

/// The settings as help, then as an entry of `drivers:` to start from.
static int tell(const char *name) {
    const struct driver *driver = driver_find(name, strlen(name));
    if (!driver) {
        fprintf(stderr, "there is no driver '%s'; tresen-gateway drivers lists them\n", name);
        return EXIT_USE;
    }
    printf("%s: %s\n\n", driver->name, driver->text);
    settings_help(driver->settings, stdout);
    printf("\nAn entry of a gateway's file, with the defaults:\n\ndrivers:\n  - driver: %s\n",
           driver->name);
    settings_help_yaml(driver->settings, "    ", stdout);
    return 0;
}

int drivers_tool(int argc, char **argv) {
    static struct command_line line;
    const struct command command = {.name = "tresen-gateway drivers",
                                    .summary = "What sensors this program can read, and how each "
                                               "driver is set.",
                                    .rest = "[NAME]"};
    enum command_step step = command_read(&command, argc, argv, NULL, &line);
    if (step != COMMAND_GO) return command_exit(&line, step);
    int status = 0;
    if (line.rest_count > 1) {
        fprintf(stderr, "one driver at a time\n");
        status = EXIT_USE;
    } else if (line.rest_count == 1) {
        status = tell(line.rest[0]);
    } else {
        list();
    }
    (void)command_exit(&line, step);
    return status;
}
