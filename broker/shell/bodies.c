#include "broker/shell/bodies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MOST = 2048 }; // bytes that a free slot may hold on to: most bodies are shorter

enum err bodies_init(struct bodies *bodies, uint32_t count) {
    *bodies = (struct bodies){.count = count, .items = calloc(count, sizeof *bodies->items)};
    if (!bodies->items) return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        bodies->items[i].next = i + 1;
    return ERR_NONE;
}

void bodies_fini(struct bodies *bodies) {
    for (uint32_t i = 0; bodies->items && i < bodies->count; i++)
        free(bodies->items[i].memory);
    free(bodies->items);
    *bodies = (struct bodies){0};
}

/// Room for `size` bytes.
static bool reserve(struct body *body, size_t size) {
    if (size <= body->capacity) return true;
    free(body->memory);
    body->memory = malloc(size);
    body->capacity = body->memory ? size : 0;
    return body->memory;
}

bool bodies_keep(struct bodies *bodies, const struct message *message, uint32_t *slot) {
    assert(bodies->free < bodies->count);
    struct body *body = &bodies->items[bodies->free];
    const size_t size = message->body.size;
    if (!reserve(body, size)) return false;
    if (size > 0) memcpy(body->memory, message->body.data, size);
    *slot = bodies->free;
    bodies->free = body->next;
    body->position = message->position;
    body->lost = message->lost;
    body->spool = message->spool;
    body->has_spool = message->has_spool;
    body->taken = true;
    body->bytes = (struct bytes){body->memory, size};
    return true;
}

void bodies_drop(struct bodies *bodies, uint32_t slot) {
    struct body *body = &bodies->items[slot];
    assert(slot < bodies->count && body->taken);
    if (body->capacity > KEPT_MOST) {
        free(body->memory);
        body->memory = NULL;
        body->capacity = 0;
    }
    body->taken = false;
    body->next = bodies->free; // the last that was given back is the next to be taken
    bodies->free = slot;
}
