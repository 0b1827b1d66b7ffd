#pragma once
// Intrusive doubly-linked lists: a member is in at most one list for each link that it has.

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *previous, *next;
};

#define LIST_OWNER(type, member, link_pointer)                                                     \
    ((type *)(void *)((char *)(link_pointer)-offsetof(type, member)))

static inline void list_init(struct link *link) {
    link->previous = link->next = link;
}
static inline bool list_empty(const struct link *list) {
    return list->next == list;
}
static inline bool list_holds(const struct link *item) {
    return item->next != item;
}

static inline void list_append(struct link *list, struct link *item) {
    item->previous = list->previous;
    item->next = list;
    list->previous->next = item;
    list->previous = item;
}

static inline void list_remove(struct link *item) {
    item->previous->next = item->next;
    item->next->previous = item->previous;
    list_init(item);
}
