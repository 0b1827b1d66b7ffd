#pragma once
// What is published, as tresenctl reads it.

#include "ops/ctl/sets.h"
#include "ops/ctl/store_link.h"
#include "worker/catalogue/loading.h"

struct published {
    redisReply *reply;
    struct bytes hash, text; // hash empty: nothing is published
    int64_t now_ms;          // by the store's clock
};

/// false: said why; published_fini it anyway.
bool published_read(struct store_link *link, struct published *out);
void published_fini(struct published *published);
/// Empty ones where nothing is published. NULL: said why.
struct editions *published_editions(const struct published *published);
/// What the branches are judged by; takes the editions. NULL: said why.
struct plans *published_plans(struct editions **editions, const struct catalogue *catalogue);
