// We use hiredis' reader and replies, but not its asynchronous layer: in Debian 12 that never
// reports a refused connection, resolves names in the foreground, has no timeouts, and ends the
// process on a reply that nobody asked for. A libuv stream has none of these troubles.

#include "common/io/redis.h"

#include "common/io/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { READ_SIZE = 64 * 1024, KEEPALIVE_S = 60 };

enum phase {
    PHASE_WAITING,  // for the next attempt
    PHASE_GREETING, // resolving, connecting, AUTH, PING
    PHASE_UP,
};

/// A call without a reply. They stand in a ring, oldest first: replies come in that order.
struct command {
    redis_callback *callback;
    void *context;
    size_t bytes;
    uint64_t deadline_ms;
};

/// One connection, or an attempt at one. It closes later than redis has done with it.
struct link {
    struct redis *redis; // NULL: done with
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    bool resolving, has_socket, writing;
    bool broken; // a write failed at once; the timer tells it, as no call may call back
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    uv_write_t write;
    struct buffer waiting, written; // to be written next; being written
    redisReader *reader;
    size_t reply_bytes; // of the reply that is not complete yet
    char read[READ_SIZE];
};

struct redis {
    uv_loop_t *loop;
    struct redis_settings settings; // its texts are our copies
    struct redis_handlers handlers;
    enum phase phase;
    struct link *link;
    uv_timer_t *timer; // next attempt, end of the greeting, or deadline of the oldest command
    uint32_t attempts; // since a call was last answered well
    bool telling;      // inside a callback or handler
    struct command *commands;
    size_t first, count, bytes;
};

struct redis_settings redis_settings_default(void) {
    return (struct redis_settings){.connect_ms = 2000,
                                   .command_ms = 5000,
                                   .reconnect_least_ms = 100,
                                   .reconnect_most_ms = 5000,
                                   .commands_max = 1024,
                                   .bytes_max = 64 * 1024 * 1024,
                                   .reply_max = 64 * 1024 * 1024};
}

static void link_release(struct link *link) {
    if (link->reader) redisReaderFree(link->reader);
    buffer_fini(&link->waiting);
    buffer_fini(&link->written);
    free(link);
}

static void on_link_closed(uv_handle_t *handle) {
    link_release(handle->data);
}

static void link_end(struct link *link) {
    link->redis = NULL;
    if (link->has_socket)
        uv_close(&link->socket.handle, on_link_closed);
    else if (link->resolving)
        uv_cancel((uv_req_t *)&link->lookup); // on_resolved comes all the same, and releases
    else
        link_release(link);
}

/// Take the oldest command off and call back.
static void tell(struct redis *redis, enum redis_class class, const redisReply *reply) {
    struct command command = redis->commands[redis->first];
    redis->first = (redis->first + 1) % redis->settings.commands_max;
    redis->count--;
    redis->bytes -= command.bytes;
    redis->telling = true;
    command.callback(command.context, class, reply);
    redis->telling = false;
}

static void tell_all_unknown(struct redis *redis) {
    while (redis->count > 0)
        tell(redis, REDIS_CLASS_UNKNOWN, NULL);
}

static void on_timer(uv_timer_t *timer);

/// Doubling from attempt to attempt, and jittered, so that workers do not come back in step.
static uint64_t pause_ms(const struct redis *redis) {
    uint64_t pause = redis->settings.reconnect_least_ms, most = redis->settings.reconnect_most_ms;
    for (uint32_t i = 0; i < redis->attempts && pause < most; i++)
        pause *= 2;
    if (pause > most) pause = most;
    return pause / 2 + random_below(pause / 2 + 1);
}

/// The end of a connection, or of an attempt at one. What had no reply is unknown.
static void fail(struct redis *redis, enum redis_class class, const char *reason) {
    redis->phase = PHASE_WAITING; // from here on, calls made by those who are told get ERR_AGAIN
    if (redis->link) link_end(redis->link);
    redis->link = NULL;
    uv_timer_start(redis->timer, on_timer, pause_ms(redis), 0);
    redis->attempts++;
    tell_all_unknown(redis);
    redis->telling = true;
    if (redis->handlers.down) redis->handlers.down(redis->handlers.context, class, reason);
    redis->telling = false;
}

static void fail_uv(struct redis *redis, const char *what, int status) {
    char reason[256];
    snprintf(reason, sizeof reason, "%s: %s", what, uv_strerror(status));
    fail(redis, REDIS_CLASS_UNKNOWN, reason);
}

static void on_written(uv_write_t *request, int status);

/// One write at a time; what is called meanwhile goes out together in the next.
static void write_waiting(struct link *link) {
    if (link->writing || link->waiting.size == 0) return;
    struct buffer done = link->written;
    link->written = link->waiting;
    link->waiting = done;
    buffer_clear(&link->waiting);
    uv_buf_t bytes = uv_buf_init((char *)link->written.data, (unsigned)link->written.size);
    link->writing = !uv_write(&link->write, &link->socket.stream, &bytes, 1, on_written);
    if (link->writing) return;
    link->broken = true;
    uv_timer_start(link->redis->timer, on_timer, 0, 0);
}

static void on_written(uv_write_t *request, int status) {
    struct link *link = request->data;
    if (!link->redis) return;
    link->writing = false;
    if (status < 0)
        fail_uv(link->redis, "cannot write", status);
    else
        write_waiting(link);
}

/// The oldest command's deadline is the earliest, as all wait equally long.
static void on_deadline(struct redis *redis) {
    if (redis->count == 0) return; // the next call starts the timer again
    uint64_t now_ms = clock_monotonic_ms(), at_ms = redis->commands[redis->first].deadline_ms;
    if (now_ms < at_ms) {
        uv_timer_start(redis->timer, on_timer, at_ms - now_ms, 0);
        return;
    }
    char reason[64];
    snprintf(reason, sizeof reason, "no reply within %u ms", redis->settings.command_ms);
    fail(redis, REDIS_CLASS_UNKNOWN, reason);
}

static size_t decimal(char text[24], char kind, size_t number) {
    return (size_t)snprintf(text, 24, "%c%zu\r\n", kind, number);
}

static size_t encoded_size(size_t count, const struct bytes *arguments) {
    char head[24];
    size_t size = decimal(head, '*', count);
    for (size_t i = 0; i < count; i++)
        size += decimal(head, '$', arguments[i].size) + arguments[i].size + 2;
    return size;
}

static void encode(struct buffer *out, size_t count, const struct bytes *arguments) {
    char head[24];
    buffer_put(out, head, decimal(head, '*', count));
    for (size_t i = 0; i < count; i++) {
        buffer_put(out, head, decimal(head, '$', arguments[i].size));
        buffer_put(out, arguments[i].data, arguments[i].size);
        buffer_put(out, "\r\n", 2);
    }
}

static enum err enqueue(struct redis *redis, size_t count, const struct bytes *arguments,
                        const struct command *as) {
    const struct redis_settings *settings = &redis->settings;
    size_t size = encoded_size(count, arguments);
    if (redis->count == settings->commands_max || size > settings->bytes_max - redis->bytes)
        return ERR_FULL;
    struct buffer *waiting = &redis->link->waiting;
    size_t before = waiting->size;
    encode(waiting, count, arguments);
    if (waiting->failed) { // out of memory: what is waiting is never more than bytes_max
        waiting->size = before;
        waiting->failed = false;
        return ERR_NOMEM;
    }
    struct command *command =
        &redis->commands[(redis->first + redis->count) % settings->commands_max];
    *command = *as;
    command->bytes = size;
    command->deadline_ms = clock_monotonic_ms() + settings->command_ms;
    redis->count++;
    redis->bytes += size;
    write_waiting(redis->link);
    return ERR_NONE;
}

static void on_auth(void *context, enum redis_class class, const redisReply *reply) {
    if (class != REDIS_CLASS_OK && reply) fail(context, class, reply->str);
}

static void on_ping(void *context, enum redis_class class, const redisReply *reply) {
    struct redis *redis = context;
    if (!reply) return; // the failure that took it tells more
    if (class != REDIS_CLASS_OK) {
        fail(redis, class, reply->str);
    } else if (reply->type != REDIS_REPLY_STATUS || strcmp(reply->str, "PONG")) {
        fail(redis, REDIS_CLASS_ERROR, "the answer to PING is not PONG");
    } else {
        redis->phase = PHASE_UP;
        uv_timer_stop(redis->timer);
        if (redis->handlers.up) redis->handlers.up(redis->handlers.context);
    }
}

static enum err greet(struct redis *redis) {
    const struct redis_settings *settings = &redis->settings;
    if (settings->password) {
        struct bytes auth[3] = {bytes_of_text("AUTH")};
        size_t count = 1;
        if (settings->user) auth[count++] = bytes_of_text(settings->user);
        auth[count++] = bytes_of_text(settings->password);
        enum err err =
            enqueue(redis, count, auth, &(struct command){.callback = on_auth, .context = redis});
        if (err) return err;
    }
    struct bytes ping = bytes_of_text("PING");
    return enqueue(redis, 1, &ping, &(struct command){.callback = on_ping, .context = redis});
}

static void on_reply(struct redis *redis, const redisReply *reply) {
    if (redis->count == 0) {
        fail(redis, REDIS_CLASS_UNKNOWN, "a reply that nobody asked for");
        return;
    }
    enum redis_class class = redis_classify(reply);
    if (redis->phase == PHASE_UP && class == REDIS_CLASS_OK) redis->attempts = 0;
    tell(redis, class, reply);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    struct link *link = handle->data;
    *buffer = uv_buf_init(link->read, sizeof link->read);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    struct link *link = stream->data;
    struct redis *redis = link->redis;
    if (!redis || size == 0) return;
    if (size < 0) {
        fail_uv(redis, "connection lost", (int)size);
        return;
    }
    link->reply_bytes += (size_t)size;
    redisReaderFeed(link->reader, buffer->base, (size_t)size); // its error shows below
    while (link->redis) {                                      // a reply may end the connection
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            fail(redis, REDIS_CLASS_UNKNOWN, link->reader->errstr);
            return;
        }
        if (!reply) break;
        link->reply_bytes = 0;
        on_reply(redis, reply);
        freeReplyObject(reply);
    }
    if (link->redis && link->reply_bytes > redis->settings.reply_max)
        fail(redis, REDIS_CLASS_UNKNOWN, "a reply is longer than reply_max");
}

static void on_connected(uv_connect_t *request, int status) {
    struct link *link = request->data;
    struct redis *redis = link->redis;
    if (!redis) return;
    if (!status) status = uv_read_start(&link->socket.stream, on_room, on_read);
    if (status < 0)
        fail_uv(redis, "cannot connect", status);
    else if (greet(redis))
        fail(redis, REDIS_CLASS_UNKNOWN, "no room for AUTH and PING");
}

static void connect_address(struct redis *redis, const struct sockaddr *address) {
    struct link *link = redis->link;
    int status = uv_tcp_init(redis->loop, &link->socket.tcp);
    if (!status) {
        link->has_socket = true;
        link->socket.handle.data = link;
        uv_tcp_nodelay(&link->socket.tcp, 1);
        uv_tcp_keepalive(&link->socket.tcp, 1, KEEPALIVE_S);
        status = uv_tcp_connect(&link->connect, &link->socket.tcp, address, on_connected);
    }
    if (status < 0) fail_uv(redis, "cannot connect", status);
}

static void connect_path(struct redis *redis) {
    struct link *link = redis->link;
    int status = uv_pipe_init(redis->loop, &link->socket.pipe, 0);
    if (status < 0) {
        fail_uv(redis, "cannot connect", status);
        return;
    }
    link->has_socket = true;
    link->socket.handle.data = link;
    uv_pipe_connect(&link->connect, &link->socket.pipe, redis->settings.path, on_connected);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses) {
    struct link *link = request->data;
    struct redis *redis = link->redis;
    link->resolving = false;
    if (!redis) {
        link_release(link);
    } else if (status < 0) {
        fail_uv(redis, "cannot resolve the host's name", status);
    } else {
        uint32_t count = 0;
        for (const struct addrinfo *at = addresses; at; at = at->ai_next)
            count++;
        const struct addrinfo *at = addresses; // each attempt takes the next one
        for (uint32_t skip = redis->attempts % count; skip > 0; skip--)
            at = at->ai_next;
        connect_address(redis, at->ai_addr);
    }
    uv_freeaddrinfo(addresses);
}

static void connect_host(struct redis *redis) {
    const struct redis_settings *settings = &redis->settings;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    if (!uv_ip4_addr(settings->host, settings->port, &address.v4) ||
        !uv_ip6_addr(settings->host, settings->port, &address.v6)) {
        connect_address(redis, &address.any);
        return;
    }
    char port[8];
    snprintf(port, sizeof port, "%u", settings->port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int status = uv_getaddrinfo(redis->loop, &redis->link->lookup, on_resolved, settings->host,
                                port, &hints);
    if (status < 0)
        fail_uv(redis, "cannot resolve the host's name", status);
    else
        redis->link->resolving = true;
}

static void begin(struct redis *redis) {
    redis->phase = PHASE_GREETING;
    uv_timer_start(redis->timer, on_timer, redis->settings.connect_ms, 0);
    struct link *link = calloc(1, sizeof *link);
    redis->link = link;
    if (link) link->reader = redisReaderCreate();
    if (!link || !link->reader) {
        fail(redis, REDIS_CLASS_UNKNOWN, "out of memory");
        return;
    }
    link->redis = redis;
    link->lookup.data = link->connect.data = link->write.data = link;
    buffer_init(&link->waiting, redis->settings.bytes_max);
    buffer_init(&link->written, redis->settings.bytes_max);
    if (redis->settings.path)
        connect_path(redis);
    else
        connect_host(redis);
}

static void on_timer(uv_timer_t *timer) {
    struct redis *redis = timer->data;
    if (redis->link && redis->link->broken)
        fail(redis, REDIS_CLASS_UNKNOWN, "cannot write");
    else if (redis->phase == PHASE_WAITING)
        begin(redis);
    else if (redis->phase == PHASE_GREETING)
        fail(redis, REDIS_CLASS_UNKNOWN, "no connection in time");
    else
        on_deadline(redis);
}

static bool plausible(const struct redis_settings *settings) {
    const size_t path_max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    return (settings->path ? settings->path[0] && strlen(settings->path) <= path_max
                           : settings->host && settings->host[0] && settings->port > 0) &&
           settings->connect_ms > 0 && settings->command_ms > 0 &&
           settings->reconnect_least_ms > 0 && settings->commands_max >= 2 &&
           settings->bytes_max <= UINT32_MAX; // one uv_buf_t
}

static bool copy_text(const char **text) {
    const char *original = *text;
    *text = original ? strdup(original) : NULL;
    return *text || !original;
}

static bool copy_texts(struct redis_settings *copy) {
    bool copied = copy_text(&copy->path);
    copied &= copy_text(&copy->host);
    copied &= copy_text(&copy->user);
    copied &= copy_text(&copy->password);
    return copied;
}

static void on_timer_closed(uv_handle_t *handle) {
    free(handle);
}

static void release(struct redis *redis) {
    free((char *)redis->settings.path);
    free((char *)redis->settings.host);
    free((char *)redis->settings.user);
    if (redis->settings.password)
        explicit_bzero((char *)redis->settings.password, strlen(redis->settings.password));
    free((char *)redis->settings.password);
    free(redis->commands);
    free(redis);
}

enum err redis_new(struct loop *loop, const struct redis_settings *settings,
                   const struct redis_handlers *handlers, struct redis **redis_out) {
    if (!plausible(settings)) return ERR_RANGE;
    struct redis *redis = calloc(1, sizeof *redis);
    if (!redis) return ERR_NOMEM;
    redis->loop = loop_uv(loop);
    redis->settings = *settings;
    redis->handlers = *handlers;
    bool copied = copy_texts(&redis->settings);
    redis->commands = calloc(settings->commands_max, sizeof *redis->commands);
    redis->timer = calloc(1, sizeof *redis->timer);
    if (!copied || !redis->commands || !redis->timer) {
        free(redis->timer);
        release(redis);
        return ERR_NOMEM;
    }
    uv_timer_init(redis->loop, redis->timer);
    redis->timer->data = redis;
    uv_timer_start(redis->timer, on_timer, 0, 0); // so that nobody is told before we return
    *redis_out = redis;
    return ERR_NONE;
}

void redis_free(struct redis *redis) {
    if (!redis) return;
    assert(!redis->telling);
    redis->phase = PHASE_WAITING;
    if (redis->link) link_end(redis->link);
    redis->link = NULL;
    tell_all_unknown(redis);
    uv_close((uv_handle_t *)redis->timer, on_timer_closed);
    release(redis);
}

bool redis_is_up(const struct redis *redis) {
    return redis->phase == PHASE_UP;
}

void redis_reconnect(struct redis *redis, const char *reason) {
    if (redis->phase == PHASE_UP) fail(redis, REDIS_CLASS_WRONG_NODE, reason);
}

size_t redis_outstanding(const struct redis *redis) {
    return redis->count;
}

enum err redis_call(struct redis *redis, size_t count, const struct bytes *arguments,
                    redis_callback *callback, void *context) {
    if (redis->phase != PHASE_UP) return ERR_AGAIN;
    enum err err = enqueue(redis, count, arguments,
                           &(struct command){.callback = callback, .context = context});
    if (!err && !uv_is_active((uv_handle_t *)redis->timer))
        uv_timer_start(redis->timer, on_timer, redis->settings.command_ms, 0);
    return err;
}
