#pragma once
// A real redis-server of the test's own: on a Unix socket in a new folder, nothing written to disk.
// It ends with the test's process, however that ends.

#include <stdbool.h>

struct redis_server;
/// NULL: redis-server could not be started (not installed?); says so on stderr.
struct redis_server *redis_server_start(void);
void redis_server_stop(struct redis_server *server); // also removes the folder; accepts NULL
const char *redis_server_path(const struct redis_server *server); // of the socket
