#include "worker/standards/scope.h"

#include <string.h>

static bool country_valid(const char *text, size_t size) {
    return size == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2;
}

/// Branches and regions by their ids, countries by their codes.
static bool places_read(struct reading *reading, const struct node *map, const char *key,
                        struct places *places) {
    const struct node *list = node_find(map, key);
    if (!list) return true;
    if (!read_list(reading, list, PLACES_MAX)) return false;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next) {
        struct id *place = &places->items[places->count];
        if (strcmp(key, "countries") != 0) {
            good &= node_id(item, place, reading->problems);
        } else if (item->text && country_valid(item->text, item->size)) {
            memcpy(place->text, item->text, item->size + 1);
        } else {
            node_problem(item, reading->problems, ERR_FORMAT,
                         "%s is no country; write two capital letters (ISO 3166-1), such as DE",
                         item->text ? item->text : "this");
            good = false;
        }
        places->count += good;
    }
    return good;
}

bool scope_read(struct reading *reading, const struct node *map, struct scope *scope) {
    node_where(map, scope->place);
    bool good = places_read(reading, map, "branches", &scope->branches);
    good &= places_read(reading, map, "regions", &scope->regions);
    good &= places_read(reading, map, "countries", &scope->countries);
    return good;
}

bool scope_offerings_read(struct reading *reading, const struct node *list, struct scope *scope) {
    if (!read_list(reading, list, PLACES_MAX)) return false;
    for (const struct node *item = list->first; item; item = item->next) {
        size_t place;
        if (!read_offering(reading, item, &place)) return false;
        scope->offerings.items[scope->offerings.count++] =
            reading->model->offerings[place].offering.id;
    }
    return true;
}

static bool among(const struct places *places, const char *place) {
    for (size_t i = 0; i < places->count; i++)
        if (strcmp(places->items[i].text, place) == 0) return true;
    return places->count == 0;
}

bool scope_holds(const struct scope *scope, const struct standards_place *place) {
    return among(&scope->branches, place->branch) && among(&scope->regions, place->region) &&
           among(&scope->countries, place->country) &&
           among(&scope->offerings, place->offering ? place->offering : "");
}
