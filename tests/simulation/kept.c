#include "tests/simulation/kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// "SEED  WORLD  what"; what: the rest of the line. false: not of that form.
static bool read_line(char *line, struct kept *kept) {
    int at = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%" SCNu64 " %16" SCNx64 " %n", &kept->seed, &kept->plan, &at) != 2 || !at)
        return false;
    kept->what = line + at;
    return *kept->what != '\0';
}

bool kept_each(const char *path, bool (*run)(void *context, const struct kept *kept),
               void *context) {
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    char line[512];
    bool fine = true;
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        struct kept kept;
        if (line[0] == '#' || line[0] == '\n') continue;
        if (!read_line(line, &kept)) {
            fprintf(stderr, "%s:%d: a line is SEED WORLD what it found\n", path, number);
            fine = false;
        } else if (!run(context, &kept)) {
            fine = false;
        }
    }
    fclose(file);
    return fine;
}
