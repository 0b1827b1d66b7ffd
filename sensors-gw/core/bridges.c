#include "sensors-gw/core/bridges.h"

#include "common/base/idmap.h"

#include <stdlib.h>

struct bridge {
    bool declared;
    int64_t to_ms;
};

struct bridges {
    struct idmap *places;
    size_t count, most;
    struct bridge *items;
};

struct bridges *bridges_new(size_t series_most) {
    struct bridges *bridges = calloc(1, sizeof *bridges);
    if (!bridges) return NULL;
    bridges->most = series_most;
    bridges->places = idmap_new(series_most, sizeof(struct bridge_series));
    bridges->items = calloc(series_most, sizeof *bridges->items);
    if (!bridges->places || !bridges->items) {
        bridges_free(bridges);
        return NULL;
    }
    return bridges;
}

void bridges_free(struct bridges *bridges) {
    if (!bridges) return;
    idmap_free(bridges->places);
    free(bridges->items);
    free(bridges);
}

static struct bridge *find(const struct bridges *bridges, struct bridge_series series) {
    uint32_t at;
    if (!idmap_get(bridges->places, (const char *)&series, sizeof series, &at)) return NULL;
    return &bridges->items[at];
}

/// NULL: there are as many as there may be.
static struct bridge *find_or_add(struct bridges *bridges, struct bridge_series series) {
    struct bridge *bridge = find(bridges, series);
    if (bridge || bridges->count == bridges->most) return bridge;
    uint32_t at = (uint32_t)bridges->count;
    if (!idmap_put(bridges->places, (const char *)&series, sizeof series, at)) return NULL;
    bridges->count++;
    bridges->items[at] = (struct bridge){.to_ms = INT64_MIN};
    return &bridges->items[at];
}

void bridges_end(struct bridges *bridges, struct bridge_series series, int64_t to_ms) {
    struct bridge *bridge = find_or_add(bridges, series);
    if (bridge && to_ms > bridge->to_ms) bridge->to_ms = to_ms;
}

void bridges_declare(struct bridges *bridges, struct bridge_series series) {
    struct bridge *bridge = find_or_add(bridges, series);
    if (bridge) bridge->declared = true;
}

int64_t bridges_from(const struct bridges *bridges, struct bridge_series series, int64_t t_ms) {
    const struct bridge *bridge = find(bridges, series);
    if (!bridge || bridge->declared || bridge->to_ms > t_ms) return t_ms;
    return bridge->to_ms >= t_ms - BRIDGE_MOST_MS ? bridge->to_ms : t_ms;
}
