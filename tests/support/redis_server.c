#include "tests/support/redis_server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FOLDER_SIZE = 64, PATH_SIZE = FOLDER_SIZE + 8, START_TRIES = 6000, TRY_PAUSE_NS = 5000000 };

struct redis_server {
    pid_t pid;
    char folder[FOLDER_SIZE];
    char path[PATH_SIZE];
};

/// In the child: becomes the server, which dies with its parent.
static void become_server(const struct redis_server *server, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    if (!freopen("/dev/null", "w", stdout)) _exit(1);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->path, "--save",
           "", "--appendonly", "no", "--dir", server->folder, "--enable-debug-command", "local",
           "--loglevel", "warning", (char *)NULL);
    _exit(127);
}

static bool accepts(const struct redis_server *server) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) close(fd);
    return connected;
}

/// Until it takes connections; false: it ended or takes too long.
static bool wait_ready(const struct redis_server *server) {
    for (int i = 0; i < START_TRIES; i++) {
        if (accepts(server)) return true;
        if (waitpid(server->pid, NULL, WNOHANG) != 0) return false;
        nanosleep(&(struct timespec){.tv_nsec = TRY_PAUSE_NS}, NULL);
    }
    return false;
}

struct redis_server *redis_server_start(void) {
    struct redis_server *server = calloc(1, sizeof *server);
    if (!server) return NULL;
    snprintf(server->folder, sizeof server->folder, "/tmp/tresen-redis-XXXXXX");
    if (!mkdtemp(server->folder)) {
        free(server);
        return NULL;
    }
    snprintf(server->path, sizeof server->path, "%s/socket", server->folder);
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0) become_server(server, parent);
    if (server->pid > 0 && wait_ready(server)) return server;
    fprintf(stderr, "redis-server does not start: %s\n", strerror(errno));
    redis_server_stop(server);
    return NULL;
}

void redis_server_stop(struct redis_server *server) {
    if (!server) return;
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    unlink(server->path);
    rmdir(server->folder);
    free(server);
}

const char *redis_server_path(const struct redis_server *server) {
    return server->path;
}
