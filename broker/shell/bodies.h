#pragma once
// What the broker keeps of a batch or an ask until it is answered: the part that only passes
// through. One slot each; dispatch bounds how many and how many bytes.

#include "common/wire/message.h"

struct body {
    struct position position;
    uint64_t lost;
    struct spool_id spool;
    bool taken, has_spool;
    struct bytes bytes; // in `memory`; empty for an ask
    uint8_t *memory;    // stays for the next one, if it is small
    size_t capacity;
    uint32_t next; // of the free ones
};

struct bodies {
    uint32_t count, free; // free: first one, or count
    struct body *items;
};

MUST_CHECK enum err bodies_init(struct bodies *bodies, uint32_t count);
void bodies_fini(struct bodies *bodies);
/// Keep what a message brings. false: out of memory. There is always a free slot: dispatch gives
/// back one that it does not want before the next message.
bool bodies_keep(struct bodies *bodies, const struct message *message, uint32_t *slot);
void bodies_drop(struct bodies *bodies, uint32_t slot);
