#include "ops/bench/pipe.h"

#include "ops/bench/bench.h"

#include <assert.h>
#include <stdlib.h>

static _Noreturn void give_up(const char *reason) {
    exit(bench_fail("Redis: %s", reason));
}

struct pipe_redis pipe_connect(const char *path) {
    redisContext *context = redisConnectUnix(path);
    if (!context) give_up("out of memory");
    if (context->err) give_up(context->errstr);
    return (struct pipe_redis){.context = context};
}

void pipe_close(struct pipe_redis *pipe) {
    redisFree(pipe->context);
    *pipe = (struct pipe_redis){0};
}

void pipe_send(struct pipe_redis *pipe, size_t count, const struct bytes *words) {
    const char *texts[PIPE_WORDS_MAX];
    size_t sizes[PIPE_WORDS_MAX];
    assert(count <= PIPE_WORDS_MAX);
    for (size_t i = 0; i < count; i++) {
        texts[i] = (const char *)words[i].data;
        sizes[i] = words[i].size;
    }
    int written;
    if (redisAppendCommandArgv(pipe->context, (int)count, texts, sizes) ||
        redisBufferWrite(pipe->context, &written))
        give_up(pipe->context->errstr);
    pipe->ahead++;
}

redisReply *pipe_reply(struct pipe_redis *pipe) {
    void *reply;
    if (redisGetReply(pipe->context, &reply)) give_up(pipe->context->errstr);
    redisReply *got = reply;
    if (got->type == REDIS_REPLY_ERROR) give_up(got->str);
    pipe->ahead--;
    return got;
}

redisReply *pipe_call(struct pipe_redis *pipe, size_t count, const struct bytes *words) {
    pipe_send(pipe, count, words);
    return pipe_reply(pipe);
}

struct bytes pipe_text(const redisReply *reply) {
    return (struct bytes){(const uint8_t *)reply->str, reply->len};
}
