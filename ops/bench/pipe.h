#pragma once
// Redis for the baselines: a blocking connection on which calls are sent ahead of their replies.

#include "common/base/bytes.h"

#include <hiredis/hiredis.h>

enum { PIPE_WORDS_MAX = 160 };

struct pipe_redis {
    redisContext *context;
    uint64_t ahead; // calls without a reply
};

/// Everything that fails ends the process and says why: there is nothing to save.
struct pipe_redis pipe_connect(const char *path);
void pipe_close(struct pipe_redis *pipe);
/// Send a call now, as far as the socket takes it.
void pipe_send(struct pipe_redis *pipe, size_t count, const struct bytes *words);
/// The oldest reply that is outstanding; freeReplyObject.
redisReply *pipe_reply(struct pipe_redis *pipe);
/// One call, one reply.
redisReply *pipe_call(struct pipe_redis *pipe, size_t count, const struct bytes *words);
struct bytes pipe_text(const redisReply *reply); // of a string
