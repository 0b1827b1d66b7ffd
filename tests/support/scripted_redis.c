#include "tests/support/scripted_redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS_MAX = 4096, TEXT_MAX = 32 };

struct client {
    uv_tcp_t tcp;
    uv_idle_t split; // sends the next byte of `left`
    struct scripted *scripted;
    struct client *next;
    redisReader *reader; // commands are arrays of strings, as replies can be
    const char *left;
    int open; // handles
    bool ending;
    char read[65536];
};

struct scripted {
    uv_tcp_t listener;
    struct client *clients;
    const struct scripted_step *steps;
    size_t count;
    char commands[COMMANDS_MAX][TEXT_MAX];
};

static void on_handle_closed(uv_handle_t *handle) {
    struct client *client = handle->data;
    if (--client->open > 0) return;
    redisReaderFree(client->reader);
    free(client);
}

static void end(struct client *client, bool reset) {
    if (client->ending) return;
    client->ending = true;
    for (struct client **at = &client->scripted->clients; *at; at = &(*at)->next) {
        if (*at != client) continue;
        *at = client->next;
        break;
    }
    if (!reset || uv_tcp_close_reset(&client->tcp, on_handle_closed))
        uv_close((uv_handle_t *)&client->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&client->split, on_handle_closed);
}

static void send_now(struct client *client, const char *bytes, size_t size) {
    while (size > 0) {
        uv_buf_t buffer = uv_buf_init((char *)bytes, (unsigned)size);
        int sent = uv_try_write((uv_stream_t *)&client->tcp, &buffer, 1);
        if (sent < 0 && sent != UV_EAGAIN) return;
        if (sent > 0) bytes += sent, size -= (size_t)sent;
    }
}

static void on_split(uv_idle_t *idle) {
    struct client *client = idle->data;
    if (*client->left)
        send_now(client, client->left++, 1);
    else
        uv_idle_stop(idle);
}

static void play(struct client *client) {
    const struct scripted_step *step = client->scripted->steps;
    if (step->action == SCRIPTED_REPLY && !step->reply) return;
    client->scripted->steps++;
    switch (step->action) {
    case SCRIPTED_REPLY:
        send_now(client, step->reply, strlen(step->reply));
        break;
    case SCRIPTED_REPLY_SPLIT:
        client->left = step->reply;
        uv_idle_start(&client->split, on_split);
        break;
    case SCRIPTED_REPLY_CLOSE:
        send_now(client, step->reply, strlen(step->reply));
        end(client, false);
        break;
    case SCRIPTED_RESET:
        end(client, true);
        break;
    case SCRIPTED_SILENT:
        break;
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    struct client *client = stream->data;
    if (size < 0) end(client, false);
    if (size <= 0) return;
    redisReaderFeed(client->reader, buffer->base, (size_t)size);
    void *command = NULL;
    while (!client->ending && !redisReaderGetReply(client->reader, &command) && command) {
        struct scripted *scripted = client->scripted;
        const redisReply *reply = command;
        if (scripted->count < COMMANDS_MAX && reply->elements > 0)
            snprintf(scripted->commands[scripted->count++], TEXT_MAX, "%s", reply->element[0]->str);
        freeReplyObject(command);
        command = NULL;
        play(client);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    struct client *client = handle->data;
    *buffer = uv_buf_init(client->read, sizeof client->read);
}

static void on_client(uv_stream_t *listener, int status) {
    struct scripted *scripted = listener->data;
    if (status < 0) return;
    struct client *client = calloc(1, sizeof *client);
    if (!client) abort();
    client->scripted = scripted;
    client->reader = redisReaderCreate();
    client->next = scripted->clients;
    scripted->clients = client;
    uv_tcp_init(listener->loop, &client->tcp);
    uv_idle_init(listener->loop, &client->split);
    client->tcp.data = client->split.data = client;
    client->open = 2;
    uv_accept(listener, (uv_stream_t *)&client->tcp);
    uv_tcp_nodelay(&client->tcp, 1);
    uv_read_start((uv_stream_t *)&client->tcp, on_room, on_read);
}

struct scripted *scripted_new(struct loop *loop, const struct scripted_step *steps) {
    struct scripted *scripted = calloc(1, sizeof *scripted);
    if (!scripted) abort();
    scripted->steps = steps;
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop_uv(loop), &scripted->listener);
    scripted->listener.data = scripted;
    if (uv_tcp_bind(&scripted->listener, (struct sockaddr *)&address, 0) ||
        uv_listen((uv_stream_t *)&scripted->listener, 16, on_client))
        abort();
    return scripted;
}

static void on_listener_closed(uv_handle_t *handle) {
    free(handle->data);
}

void scripted_free(struct scripted *scripted) {
    if (!scripted) return;
    while (scripted->clients)
        end(scripted->clients, false);
    uv_close((uv_handle_t *)&scripted->listener, on_listener_closed);
}

uint16_t scripted_port(const struct scripted *scripted) {
    struct sockaddr_in address;
    int size = sizeof address;
    uv_tcp_getsockname(&scripted->listener, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

size_t scripted_count(const struct scripted *scripted) {
    return scripted->count;
}

const char *scripted_command(const struct scripted *scripted, size_t index) {
    return index < scripted->count ? scripted->commands[index] : "";
}
