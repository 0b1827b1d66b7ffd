#include "ops/bench/memory_spool.h"

#include "common/wire/body.h"

#include <assert.h>
#include <stdlib.h>

enum err memory_spool_init(struct memory_spool *spool, uint64_t capacity) {
    assert(capacity && !(capacity & (capacity - 1)));
    *spool = (struct memory_spool){.capacity = capacity, .first = 1};
    spool->batches = calloc(capacity, sizeof spool->batches[0]);
    if (!spool->batches) return ERR_NOMEM;
    for (uint64_t i = 0; i < capacity; i++)
        buffer_init(&spool->batches[i].body, BATCH_BODY_MAX);
    return ERR_NONE;
}

void memory_spool_fini(struct memory_spool *spool) {
    for (uint64_t i = 0; spool->batches && i < spool->capacity; i++)
        buffer_fini(&spool->batches[i].body);
    free(spool->batches);
    *spool = (struct memory_spool){0};
}

static struct memory_batch *slot(const struct memory_spool *spool, uint64_t number) {
    return &spool->batches[number & (spool->capacity - 1)];
}

enum err memory_spool_append(struct memory_spool *spool, struct tag tag, const struct batch *batch,
                             uint64_t now_ns) {
    struct memory_batch *next = slot(spool, spool->last + 1);
    buffer_clear(&next->body);
    enum err err = body_encode(batch, true, &next->body);
    if (err) return err;
    next->tag = tag;
    next->spooled_ns = now_ns;
    spool->last++;
    if (spool->last - spool->first == spool->capacity) spool->first++;
    return ERR_NONE;
}

const struct memory_batch *memory_spool_at(const struct memory_spool *spool, uint64_t number) {
    return number >= spool->first && number <= spool->last ? slot(spool, number) : NULL;
}
