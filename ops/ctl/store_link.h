#pragma once
// Reading the store: plain commands, one after the other, with a time-out.

#include "ops/ctl/ctl.h"

struct store_link;
/// NULL: said on stderr why not.
struct store_link *store_link_open(const struct ctl *ctl);
void store_link_close(struct store_link *link); // accepts NULL

/// One command; the reply is to be released with freeReplyObject. NULL: said why.
redisReply *store_ask(struct store_link *link, size_t count, const struct bytes *arguments);
/// The same; a refusal is a reply, too.
redisReply *store_try(struct store_link *link, size_t count, const struct bytes *arguments);
/// "t:{BRANCH}:" and the rest, as printf says.
redisReply *store_key_ask(struct store_link *link, const char *command, const char *branch,
                          const char *format, ...) PRINTF_LIKE(4, 5);
/// The one branch of the registry that has an encounter of this name; to be freed. NULL: said why.
char *find_branch(struct ctl *ctl, struct store_link *link, const char *encounter);
/// "tresen_v1_NAME" on the branch; to be released likewise. NULL: said why.
redisReply *store_function(struct store_link *link, const char *function, const char *branch,
                           const struct buffer *argument);
struct bytes reply_bytes(const redisReply *reply); // of a string; else empty
