#pragma once
// Redis on libuv, replies read by hiredis: one connection that comes back by itself, timeouts,
// bounds, and what a reply means.

#include "common/base/bytes.h"
#include "common/io/loop.h"

#include <hiredis/hiredis.h>

/// What to do with a reply.
enum redis_class {
    REDIS_CLASS_OK,            // the reply is the result
    REDIS_CLASS_REPAIRABLE,    // the function or script is missing: load it, call again
    REDIS_CLASS_LATER,         // loading, busy, out of memory ...: nothing was done, back off
    REDIS_CLASS_WRONG_NODE,    // a replica, or the slot is elsewhere: nothing was done
    REDIS_CLASS_ERROR,         // the call itself is at fault: WRONGTYPE, an error of our function
    REDIS_CLASS_CONFIGURATION, // password or rights: only a person can help
    REDIS_CLASS_UNKNOWN,       // the connection was lost or silent: it may be done or not
};
const char *redis_class_name(enum redis_class class);
/// reply NULL is unknown. Looks at the reply itself, not into arrays.
enum redis_class redis_classify(const redisReply *reply);

struct redis_settings {
    const char *path; // Unix socket; NULL: host and port
    const char *host; // name or address
    uint16_t port;
    const char *user, *password; // password NULL: no AUTH; user NULL: the default user
    uint32_t connect_ms;         // 2000: for resolving, connecting, AUTH and PING together
    uint32_t command_ms;         // 5000: a reply later than this ends the connection
    uint32_t reconnect_least_ms, reconnect_most_ms; // 100, 5000: doubling pause, with jitter
    uint32_t commands_max;                          // 1024: commands without a reply
    size_t bytes_max;                               // 64 MiB: their bytes
    size_t reply_max;                               // 64 MiB: bytes of one reply
};
/// All but the address: the figures above.
struct redis_settings redis_settings_default(void);

struct redis_handlers {
    void *context;
    void (*up)(void *context); // Redis has answered PING: calls are taken from now on
    /// The connection, or an attempt at one, has ended; the next attempt follows by itself.
    /// class: REDIS_CLASS_CONFIGURATION, _LATER ... if Redis said so, else _UNKNOWN.
    void (*down)(void *context, enum redis_class class, const char *reason);
};

/// reply is valid during the call; NULL exactly if class is REDIS_CLASS_UNKNOWN.
typedef void redis_callback(void *context, enum redis_class class, const redisReply *reply);

struct redis;
/// Copies settings and handlers, begins to connect.
MUST_CHECK enum err redis_new(struct loop *loop, const struct redis_settings *settings,
                              const struct redis_handlers *handlers, struct redis **redis);
/// Calls without a reply get REDIS_CLASS_UNKNOWN first. Not from inside a callback. Accepts NULL.
void redis_free(struct redis *redis);
bool redis_is_up(const struct redis *redis);
/// This is not the Redis we want (a replica, say): leave it. What has no reply is unknown, down
/// comes with REDIS_CLASS_WRONG_NODE, and the next attempt resolves the name anew. From a callback
/// only.
void redis_reconnect(struct redis *redis, const char *reason);

/// Replies come in the order of the calls, each callback exactly once, never from within this call.
/// A callback may call again.
/// ERR_AGAIN: not up; ERR_FULL: too many commands or bytes without a reply; ERR_NOMEM.
MUST_CHECK enum err redis_call(struct redis *redis, size_t count, const struct bytes *arguments,
                               redis_callback *callback, void *context);
size_t redis_outstanding(const struct redis *redis); // commands without a reply
