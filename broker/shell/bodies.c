#include "broker/shell/bodies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum err bodies_init(struct bodies *bodies, uint32_t count) {
    *bodies = (struct bodies){.count = count, .items = calloc(count, sizeof *bodies->items)};
    if (!bodies->items) return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        bodies->items[i].next = i + 1;
    return ERR_NONE;
}

void bodies_fini(struct bodies *bodies) {
    for (uint32_t i = 0; bodies->items && i < bodies->count; i++)
        free((void *)bodies->items[i].bytes.data);
    free(bodies->items);
    *bodies = (struct bodies){0};
}

bool bodies_keep(struct bodies *bodies, const struct message *message, uint32_t *slot) {
    assert(bodies->free < bodies->count);
    struct body *body = &bodies->items[bodies->free];
    uint8_t *copy = NULL;
    if (message->body.size > 0) {
        copy = malloc(message->body.size);
        if (!copy) return false;
        memcpy(copy, message->body.data, message->body.size);
    }
    *slot = bodies->free;
    bodies->free = body->next;
    *body = (struct body){.position = message->position,
                          .lost = message->lost,
                          .spool = message->spool,
                          .has_spool = message->has_spool,
                          .taken = true,
                          .bytes = {copy, message->body.size}};
    return true;
}

void bodies_drop(struct bodies *bodies, uint32_t slot) {
    struct body *body = &bodies->items[slot];
    assert(slot < bodies->count && body->taken);
    free((void *)body->bytes.data);
    *body = (struct body){.next = bodies->free};
    bodies->free = slot;
}
