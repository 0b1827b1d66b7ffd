#include "sensors-gw/drivers/tickets.h"

#include <stdio.h>
#include <string.h>

static struct ticket *find(struct tickets *tickets, const struct name *name) {
    for (size_t i = 0; i < tickets->count; i++)
        if (strcmp(tickets->items[i].name.text, name->text) == 0) return &tickets->items[i];
    return NULL;
}

static void remove_ticket(struct tickets *tickets, struct ticket *ticket) {
    *ticket = tickets->items[--tickets->count];
}

static struct ticket *add(struct tickets *tickets, const struct jsonl_item *event,
                          const struct zone *zone) {
    char day[DAY_TEXT_SIZE], id[NAME_SIZE_MAX + DAY_TEXT_SIZE + 2];
    if (tickets->count == TICKETS_MAX) return NULL;
    struct ticket *ticket = &tickets->items[tickets->count++];
    *ticket = (struct ticket){.name = event->ticket,
                              .encounter = {.issued_ms = TIME_NONE,
                                            .called_ms = TIME_NONE,
                                            .started_ms = TIME_NONE,
                                            .ended_ms = TIME_NONE}};
    time_day_text(zone, event->t_ms, day);
    int size = snprintf(id, sizeof id, "%s-%s", event->ticket.text, day);
    // Too long with the day: the end of the name, which tells tickets apart, and the day.
    size_t cut = size > NAME_SIZE_MAX ? (size_t)size - NAME_SIZE_MAX : 0;
    (void)name_set(&ticket->encounter.id, id + cut, (size_t)size - cut);
    return ticket;
}

static void apply(struct encounter *encounter, const struct jsonl_item *event) {
    switch (event->event) {
    case TICKET_ISSUED:
        encounter->issued_ms = event->t_ms;
        break;
    case TICKET_CALLED:
        encounter->called_ms = event->t_ms;
        break;
    case TICKET_STARTED:
        encounter->started_ms = event->t_ms;
        break;
    case TICKET_ENDED:
    case TICKET_NO_SHOW:
    case TICKET_ABANDONED:
        encounter->ended_ms = event->t_ms;
        encounter->outcome = event->event == TICKET_ENDED     ? OUTCOME_NORMAL
                             : event->event == TICKET_NO_SHOW ? OUTCOME_NO_SHOW
                                                              : OUTCOME_ABANDONED;
        break;
    case TICKET_OTHER:
        break;
    }
}

bool tickets_step(struct tickets *tickets, const struct jsonl_item *event, const struct id *counter,
                  const struct zone *zone, struct encounter *encounter, const char **oddity) {
    *oddity = event->event == TICKET_OTHER ? "other_event" : NULL;
    if (*oddity) return false;
    struct ticket *ticket = find(tickets, &event->ticket);
    if (!ticket) ticket = add(tickets, event, zone);
    if (!ticket) {
        *oddity = "tickets_full";
        return false;
    }
    if (counter->text[0] != '\0') ticket->encounter.counter = *counter;
    if (event->offering.text[0] != '\0') ticket->encounter.offering = event->offering;
    apply(&ticket->encounter, event);
    bool has_counter = ticket->encounter.counter.text[0] != '\0';
    bool over = ticket->encounter.ended_ms != TIME_NONE;
    if (over && !has_counter) *oddity = "no_counter";
    ticket->reported |= has_counter;
    *encounter = ticket->encounter;
    if (over) remove_ticket(tickets, ticket);
    return has_counter;
}

bool tickets_expire(struct tickets *tickets, int64_t before_ms) {
    for (size_t i = 0; i < tickets->count; i++) {
        if (encounter_begin_ms(&tickets->items[i].encounter) >= before_ms) continue;
        remove_ticket(tickets, &tickets->items[i]);
        return true;
    }
    return false;
}

int64_t tickets_oldest_ms(const struct tickets *tickets) {
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < tickets->count; i++) {
        int64_t begin_ms = encounter_begin_ms(&tickets->items[i].encounter);
        if (!tickets->items[i].reported && begin_ms < oldest) oldest = begin_ms;
    }
    return oldest;
}
