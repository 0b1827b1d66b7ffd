// Links between processes, frames on their way, and the queue of everything that will happen.

#include "tests/simulation/simulation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 1 << 16, LOOK_MS = 50, NOTICED_MS = 1500 };

// The queue: a heap by time, then by order of entry
// -------------------------------------------------

static bool earlier(const struct event *a, const struct event *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void event_push(struct simulation *s, struct event event) {
    if (!s->events) s->events = malloc(EVENTS_MAX * sizeof *s->events);
    assert(s->events && s->event_count < EVENTS_MAX);
    if (event.at_ms < s->now_ms) event.at_ms = s->now_ms;
    event.order = ++s->order;
    size_t at = s->event_count++;
    for (; at > 0 && earlier(&event, &s->events[(at - 1) / 2]); at = (at - 1) / 2)
        s->events[at] = s->events[(at - 1) / 2];
    s->events[at] = event;
}

bool event_pop(struct simulation *s, struct event *event) {
    if (s->event_count == 0) return false;
    *event = s->events[0];
    struct event last = s->events[--s->event_count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < s->event_count) {
        if (child + 1 < s->event_count && earlier(&s->events[child + 1], &s->events[child]))
            child++;
        if (!earlier(&s->events[child], &last)) break;
        s->events[at] = s->events[child];
        at = child;
    }
    s->events[at] = last;
    return true;
}

uint64_t event_next_ms(const struct simulation *s) {
    return s->event_count ? s->events[0].at_ms : UINT64_MAX;
}

// Links ------------------------------------------------------------------------------------------

void network_add(struct simulation *s, enum end end, size_t client, size_t broker) {
    assert(s->link_count < LINKS);
    s->links[s->link_count++] =
        (struct link){.end = end, .client = (uint8_t)client, .broker = (uint8_t)broker};
}

struct link *network_link(struct simulation *s, enum end end, size_t client, size_t broker) {
    // As set_up adds them: a gateway has one, and then a worker one to each broker.
    size_t at = end == END_GATEWAY ? client : s->process_count + client * s->broker_count + broker;
    struct link *link = &s->links[at];
    assert(at < s->link_count && link->end == end && link->client == client);
    assert(end == END_GATEWAY || link->broker == broker);
    return link;
}

struct link *network_peer(struct simulation *s, uint32_t peer) {
    for (size_t i = 0; i < s->link_count; i++)
        if (s->links[i].up && s->links[i].peer == peer) return &s->links[i];
    return NULL;
}

static const struct process *client_of(const struct simulation *s, const struct link *link) {
    return link->end == END_GATEWAY ? &s->gateways[link->client].process
                                    : &s->workers[link->client].process;
}

/// Whether both ends are the processes between which it was made. One that died and came back
/// within a look has broken its connections all the same.
static bool same_ends(const struct simulation *s, const struct link *link) {
    return link->lives[0] == client_of(s, link)->life &&
           link->lives[1] == s->brokers[link->broker].process.life;
}

static void look_at(struct simulation *s, uint64_t at_ms) {
    at_ms += LOOK_MS - at_ms % LOOK_MS;
    if (s->look_ms && s->look_ms <= at_ms) return;
    s->look_ms = at_ms;
    event_push(s, (struct event){.at_ms = at_ms, .kind = EVENT_NETWORK});
}

void network_changed(struct simulation *s) {
    look_at(s, s->now_ms);
}

/// When time alone changes what a link can do.
static void look_again(struct simulation *s, const struct link *link) {
    uint64_t noticed_ms = link->blocked_since_ms + NOTICED_MS;
    const uint64_t times_ms[] = {link->broken_until_ms, link->blocked_until_ms[0],
                                 link->blocked_until_ms[1], noticed_ms};
    for (size_t i = 0; i < sizeof times_ms / sizeof *times_ms; i++)
        if (times_ms[i] >= s->now_ms) look_at(s, times_ms[i]);
}

/// Connect what can be connected, give up what is broken. A partition is noticed by heartbeats.
void network_look(struct simulation *s) {
    s->look_ms = 0;
    for (size_t i = 0; i < s->link_count; i++) {
        struct link *link = &s->links[i];
        bool blocked =
            link->blocked_until_ms[0] > s->now_ms || link->blocked_until_ms[1] > s->now_ms;
        bool cut = blocked && (!link->up || s->now_ms - link->blocked_since_ms > NOTICED_MS);
        bool can = client_of(s, link)->alive && s->brokers[link->broker].process.alive && !cut &&
                   link->broken_until_ms <= s->now_ms && link->wanted &&
                   (!link->up || same_ends(s, link));
        look_again(s, link);
        if (can == link->up) continue;
        link->up = can;
        if (can) {
            link->peer = ++s->peers;
            link->lives[0] = client_of(s, link)->life;
            link->lives[1] = s->brokers[link->broker].process.life;
        }
        link->last_ms[0] = link->last_ms[1] = 0;
        event_push(s, (struct event){.at_ms = s->now_ms,
                                     .kind = can ? EVENT_LINK_UP : EVENT_LINK_DOWN,
                                     .subject = (uint32_t)i,
                                     .peer = link->peer,
                                     .life = client_of(s, link)->life});
        if (!can) network_changed(s); // perhaps at once again
    }
}

/// Somewhere behind its first byte.
static void cut(struct simulation *s, struct event *frame) {
    size_t size = chance_range(&s->chance, 1, (uint32_t)frame->size - 1);
    s->faults[FAULT_CUT]++;
    trace(s, "a frame of %zu bytes is cut to %zu", frame->size, size);
    if (s->plant == PLANT_PADDED)
        memset(frame->data + size, 0, frame->size - size);
    else
        frame->size = size;
}

static void deliver(struct simulation *s, struct link *link, bool to_broker, struct bytes frame) {
    uint64_t at_ms = s->now_ms + chance_range(&s->chance, 1, 4);
    if (chance_permille(&s->chance, s->delay_permille))
        at_ms += chance_below(&s->chance, chance_permille(&s->chance, 100) ? 3000 : 200);
    uint64_t *last_ms = &link->last_ms[!to_broker];
    if (!s->reorder && at_ms < *last_ms) at_ms = *last_ms;
    if (at_ms > *last_ms) *last_ms = at_ms;
    struct event event = {
        .at_ms = at_ms,
        .kind = to_broker ? EVENT_FRAME_TO_BROKER : EVENT_FRAME_TO_CLIENT,
        .subject = (uint32_t)(link - s->links),
        .peer = link->peer,
        .life = s->brokers[link->broker].process.life,
        .data = malloc(frame.size),
        .size = frame.size,
    };
    assert(event.data);
    memcpy(event.data, frame.data, frame.size);
    if (s->cut_permille && chance_permille(&s->chance, s->cut_permille)) cut(s, &event);
    event_push(s, event);
}

bool network_send(struct simulation *s, struct link *link, bool to_broker, struct bytes frame) {
    if (!link || !link->up) return false;
    if (link->blocked_until_ms[!to_broker] > s->now_ms) {
        s->faults[FAULT_PARTITION]++;
        return true;
    }
    if (chance_permille(&s->chance, s->loss_permille)) {
        s->faults[FAULT_LOSS]++;
        return true;
    }
    deliver(s, link, to_broker, frame);
    if (chance_permille(&s->chance, s->duplicate_permille)) {
        s->faults[FAULT_DUPLICATE]++;
        deliver(s, link, to_broker, frame);
    }
    return true;
}
