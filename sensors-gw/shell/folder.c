#include "sensors-gw/shell/folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum err folder_of_file_make(const char *path, struct problem *problem) {
    char folder[1024];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) return ERR_NONE;
    int size = snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (size < 0 || (size_t)size >= sizeof folder)
        return problem_set(problem, ERR_RANGE, "%s: the path is too long", path);
    if (mkdir(folder, 0700) == 0 || errno == EEXIST) return ERR_NONE;
    return problem_set(problem, ERR_IO, "%s: cannot be made: %s", folder, strerror(errno));
}
